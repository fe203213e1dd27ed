//! Where the suite runs: `.ci/agents` says whether it could cut off the network,
//! and what it says is looked at here.

use std::fs;

#[test]
fn there_is_loopback_and_nothing_else() {
    if std::env::var_os("CREW_AGENTS_APART").is_none() {
        return println!("skipped: no network namespace could be made here");
    }
    let table = fs::read_to_string("/proc/net/dev").expect("a table of devices");
    let names = table.lines().filter_map(|line| line.split_once(':'));
    let names: Vec<&str> = names.map(|(name, _)| name.trim()).collect();
    assert_eq!(names, ["lo"]);
    let routes = fs::read_to_string("/proc/net/route").expect("a table of routes");
    assert_eq!(routes.lines().count(), 1, "a route leads out:\n{routes}");
}
