//! The few system calls that landlock does not see and that reach other
//! processes of the same user: their limits and their priorities.
//!
//! Limit: a program of another architecture (32 bits) is killed by the kernel
//! at its first call, or its calls would pass unseen.

use std::collections::BTreeMap;

use nix::libc;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch,
};

/// Whether filters can be made for the processor that this runs on.
pub(super) fn is_known_here() -> bool {
    TargetArch::try_from(std::env::consts::ARCH).is_ok()
}

/// Installs the filter on this thread and what it starts.
pub(super) fn install() -> Result<(), String> {
    let words = |error: &dyn std::error::Error| error.to_string();
    let program = program().map_err(|error| words(&error))?;
    seccompiler::apply_filter(&program).map_err(|error| words(&error))
}

fn program() -> Result<BpfProgram, seccompiler::BackendError> {
    use SeccompCmpArgLen::{Dword, Qword};
    let not_zero = |argument, length| SeccompCondition::new(argument, length, SeccompCmpOp::Ne, 0);
    // Whose limits: 0 is one's own. Without new values it only reads.
    let limits = vec![SeccompRule::new(vec![not_zero(0, Dword)?, not_zero(2, Qword)?])?];
    // A process (0), and which: 0 is oneself. Groups and users are others.
    let priority = vec![
        SeccompRule::new(vec![not_zero(0, Dword)?])?,
        SeccompRule::new(vec![not_zero(1, Dword)?])?,
    ];
    // For input and output a process is kind 1.
    let other_kind = SeccompCondition::new(0, Dword, SeccompCmpOp::Ne, 1)?;
    let io_priority =
        vec![SeccompRule::new(vec![other_kind])?, SeccompRule::new(vec![not_zero(1, Dword)?])?];
    let calls = [
        (libc::SYS_prlimit64, limits),
        (libc::SYS_setpriority, priority),
        (libc::SYS_ioprio_set, io_priority),
    ];
    let mut rules = BTreeMap::new();
    for (call, rule) in calls {
        // The same call by its second number, where the kernel has the x32 one.
        if cfg!(target_arch = "x86_64") {
            rules.insert(call | X32, rule.clone());
        }
        rules.insert(call, rule);
    }
    let refuse = SeccompAction::Errno(libc::EPERM.unsigned_abs());
    let arch = TargetArch::try_from(std::env::consts::ARCH)?;
    SeccompFilter::new(rules, SeccompAction::Allow, refuse, arch)?.try_into()
}

/// The bit by which a call of the x32 kind differs.
const X32: i64 = 0x4000_0000;

#[cfg(test)]
mod tests {
    #[test]
    fn the_filter_can_be_made_for_every_processor_that_is_known() {
        assert_eq!(super::program().is_ok(), super::is_known_here());
    }
}
