//! Output of any size costs a bounded amount of memory, and none of it goes
//! uncounted.

use std::process::Command;

use git_crew::world::process::End;

use super::{run, script};

/// One line of a gigabyte, made of NULs, on both streams at once.
const FLOOD: &str = "head -c 1073741824 /dev/zero & head -c 1073741824 /dev/zero >&2; wait";

/// The SHA-256 of 2^30 NULs.
const DIGEST: &str = "49bc20df15e412a64472421e13fe86ff1c5165e18b2afccf160d4dc19fe68a14";

/// The most memory this process has had, in KiB.
fn high_water() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a line");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

#[test]
fn a_gigabyte_costs_less_than_32_mib() {
    let out = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--ignored", "process::flood::floods", "--nocapture"])
        .output()
        .unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stdout));
}

#[test]
#[ignore = "measures its own memory: a part of a_gigabyte_costs_less_than_32_mib"]
fn floods() {
    // Everything that is made once is made before the measurement.
    let mut small = script("echo x; echo y >&2");
    (small.output.head, small.output.tail) = (4 << 20, 4 << 20);
    run(small.clone());
    let before = high_water();
    let mut spec = small;
    spec.args[1] = FLOOD.into();
    let report = run(spec);
    let growth = high_water() - before;
    println!("grew by {growth} KiB in {:?}", report.took);
    assert_eq!(report.end, End::Exited(0));
    for stream in [&report.stdout, &report.stderr] {
        assert_eq!((stream.bytes, stream.sha256.as_str()), (1 << 30, DIGEST));
        assert_eq!((stream.head.len(), stream.tail.len()), (4 << 20, 4 << 20));
    }
    assert!(growth < 32 << 10, "grew by {growth} KiB");
}
