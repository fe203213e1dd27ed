//! Control groups: nothing in one survives, bounds are kept or refused.

use std::path::PathBuf;

use git_crew::world::fence::{Bounds, Fence, Support};
use git_crew::world::process::{End, sweep_marked, try_bounds};

use super::stage::{Stage, complained, run, said};

/// The groups of ours that are there.
fn groups(mark: &str) -> Vec<PathBuf> {
    let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap();
    let top = mounts.lines().find(|line| line.contains(" cgroup2 ")).expect("it is mounted");
    let mut open = vec![PathBuf::from(top.split(' ').nth(1).unwrap())];
    let mut found = Vec::new();
    while let Some(dir) = open.pop() {
        for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                let name = entry.file_name().to_string_lossy().into_owned();
                if name.starts_with("crew-") && name.ends_with(mark) {
                    found.push(entry.path());
                }
                open.push(entry.path());
            }
        }
    }
    found
}

/// The group that a program of this machine finds itself in, if it gets one.
fn group_of(stage: &Stage, fence: &Fence, mark: &str) -> Option<String> {
    let mut spec = stage.spec("cat /proc/self/cgroup", Some(fence.clone()));
    spec.env.push(("CREW_MARK".into(), mark.into()));
    let told = said(&run(spec));
    let own = told.lines().find_map(|line| line.strip_prefix("0::")).unwrap_or_default().to_owned();
    if own.contains("/crew-") {
        return Some(own);
    }
    println!("skipped: no control group can be made here: {own}");
    None
}

#[test]
fn a_program_is_in_a_group_of_its_own_that_goes_with_it() {
    let stage = Stage::new();
    let fence = stage.fence(&Support::probe());
    let mark = format!("groupmarkofatest{}x1", std::process::id());
    let Some(own) = group_of(&stage, &fence, &mark) else { return };
    assert!(own.ends_with(&mark), "{own}");
    assert_eq!(groups(&mark), Vec::<PathBuf>::new());
    // It can't leave it.
    let leave = "d=/sys/fs/cgroup; [ -e $d/unified ] && d=$d/unified; echo 0 >$d/cgroup.procs && echo through";
    if fence.abi > 0 {
        assert!(!said(&run(stage.spec(leave, Some(fence)))).contains("through"));
    }
}

/// Even what has erased its environment and outlived its shim and ours.
#[test]
fn what_is_left_in_a_group_is_found_by_its_mark() {
    let stage = Stage::new();
    // As it is without a fence: a program that can kill its shim.
    let fence = Fence::default();
    let mark = format!("groupmarkofatest{}x2", std::process::id());
    if group_of(&stage, &fence, &mark).is_none() {
        return;
    }
    let script = "env -i setsid sleep 291 & sleep 0.2; echo up; kill -KILL $PPID; sleep 292";
    let mut spec = stage.spec(script, Some(fence));
    spec.env.push(("CREW_MARK".into(), mark.clone().into()));
    let report = run(spec);
    assert_eq!(report.end, End::Lost, "{report:?}");
    let swept = sweep_marked(&mark).unwrap();
    assert_eq!(swept.unkillable, Vec::<String>::new());
    assert_eq!(groups(&mark), Vec::<PathBuf>::new(), "{swept:?} {report:?}");
}

#[test]
fn a_bound_is_kept_or_refused() {
    let stage = Stage::new();
    let mut fence = stage.fence(&Support::probe());
    fence.bounds = Bounds { memory: Some(64 << 20), processes: Some(32) };
    let hungry = "tail -c 200m /dev/zero | tail -c 1 >/dev/null; n=0; \
                  while [ $n -lt 64 ]; do sleep 1 & n=$((n+1)); done; wait; echo through";
    let report = run(stage.spec(hungry, Some(fence.clone())));
    match try_bounds(fence.bounds) {
        Err(why) => {
            println!("skipped: {why}; only the refusal is tested");
            let End::CannotStart(told) = &report.end else { panic!("{report:?}") };
            assert!(told.contains("control group"), "{told}");
            assert_eq!(report.stdout.bytes, 0);
        }
        Ok(()) => {
            assert!(!report.exceeded.is_empty(), "{report:?} {}", complained(&report));
        }
    }
}
