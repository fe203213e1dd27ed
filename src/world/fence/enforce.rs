//! Keeping a fence: called by the shim's child, which has one thread, right
//! before it becomes the program. There is no way back.

use std::fs;
use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access, AccessFs, BitFlags, CompatLevel, Compatible, PathBeneath, PathFd, Ruleset,
    RulesetAttr, RulesetCreated, RulesetCreatedAttr, Scope,
};

use super::grade::{IOCTL_ABI, LEAST_ABI, SCOPE_ABI};
use super::reading::{open, real};
use super::{Fence, filter};
use crate::world::process::landlock_abi;

/// Devices that nobody can be harmed by. What is not there is not granted.
const DEVICES: [&str; 8] = [
    "/dev/null",
    "/dev/zero",
    "/dev/full",
    "/dev/random",
    "/dev/urandom",
    "/dev/tty",
    "/dev/ptmx",
    "/dev/pts",
];

/// Shared memory of programs: without it locks and pools of processes fail.
const SHARED_MEMORY: &str = "/dev/shm";

/// Why a fence can't be kept. The program is not started then.
#[derive(Debug, thiserror::Error)]
pub enum FenceError {
    /// The kernel has less than what was counted on.
    #[error("landlock {wanted} was promised, this kernel has {found}")]
    Less {
        /// What was counted on.
        wanted: u32,
        /// What is there.
        found: u32,
    },
    /// A path that was granted is not there.
    #[error("can't grant '{}': {why}", path.display())]
    Path {
        /// The path.
        path: PathBuf,
        /// What the system said.
        why: String,
    },
    /// The kernel refused the rules.
    #[error("the kernel refused the rules: {0}")]
    Rules(#[from] landlock::RulesetError),
    /// The filter of system calls could not be made or installed.
    #[error("no filter of system calls: {0}")]
    Filter(String),
}

/// Puts the fence round this process.
pub(in crate::world) fn enforce(fence: &Fence) -> Result<(), FenceError> {
    if fence.abi >= LEAST_ABI {
        let found = landlock_abi().unwrap_or(0);
        if found < fence.abi {
            return Err(FenceError::Less { wanted: fence.abi, found });
        }
        // Sets no_new_privs, which the filter needs, too.
        rules(fence)?.restrict_self()?;
    }
    if fence.filter { filter::install().map_err(FenceError::Filter) } else { Ok(()) }
}

fn rules(fence: &Fence) -> Result<RulesetCreated, FenceError> {
    let mut rules = Ruleset::default()
        .set_compatibility(CompatLevel::HardRequirement)
        .handle_access(AccessFs::from_write(ABI::V3))?;
    if fence.abi >= IOCTL_ABI {
        rules = rules.handle_access(AccessFs::IoctlDev)?;
    }
    if fence.abi >= SCOPE_ABI {
        rules = rules.scope(Scope::from_all(ABI::V6))?;
    }
    if !fence.hidden.is_empty() {
        rules = rules.handle_access(reading())?;
    }
    let created = rules
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::ResolveUnix)?
        .create()?;
    let mut created = created.set_compatibility(CompatLevel::BestEffort);
    let read = if fence.hidden.is_empty() { BitFlags::EMPTY } else { reading() };
    for folder in &fence.writable {
        created = grant(created, folder, folder_rights() | read)?;
    }
    if Path::new(SHARED_MEMORY).is_dir() {
        created = grant(created, Path::new(SHARED_MEMORY), folder_rights())?;
    }
    for file in &fence.files {
        created = grant(created, file, file_rights() | read)?;
    }
    if !fence.hidden.is_empty() {
        let hidden: Vec<PathBuf> = fence.hidden.iter().map(|path| real(path)).collect();
        for path in &fence.readable {
            created = grant(created, path, read)?;
        }
        // What can't be granted stays closed: it may be gone again.
        for fd in open(&hidden).iter().filter_map(|path| PathFd::new(path).ok()) {
            created = created.add_rule(PathBeneath::new(fd, read))?;
        }
    }
    for device in DEVICES.iter().map(Path::new).filter(|device| fs::metadata(device).is_ok()) {
        created = grant(created, device, device_rights())?;
    }
    Ok(created)
}

fn grant(
    rules: RulesetCreated,
    path: &Path,
    rights: BitFlags<AccessFs>,
) -> Result<RulesetCreated, FenceError> {
    let fd = PathFd::new(path).map_err(|error| {
        let why = std::error::Error::source(&error)
            .map_or_else(|| error.to_string(), ToString::to_string);
        FenceError::Path { path: path.to_owned(), why }
    })?;
    Ok(rules.add_rule(PathBeneath::new(fd, rights))?)
}

fn reading() -> BitFlags<AccessFs> {
    AccessFs::ReadFile | AccessFs::Execute
}

/// Everything but making devices.
fn folder_rights() -> BitFlags<AccessFs> {
    AccessFs::from_write(ABI::V9) & !(AccessFs::MakeChar | AccessFs::MakeBlock)
}

fn file_rights() -> BitFlags<AccessFs> {
    AccessFs::WriteFile | AccessFs::Truncate | AccessFs::ResolveUnix
}

fn device_rights() -> BitFlags<AccessFs> {
    AccessFs::WriteFile | AccessFs::Truncate | AccessFs::IoctlDev
}
