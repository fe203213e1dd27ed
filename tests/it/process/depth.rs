//! Runs inside runs are counted even where the counter was erased.

use git_crew::world::environment::Incoming;

use super::{run, script};

#[test]
fn an_erased_counter_is_read_off_the_processes_above() {
    let test = std::env::current_exe().unwrap();
    let asks = format!("'{}' --exact --ignored process::depth::tells --nocapture", test.display());
    for (text, wanted) in [
        ("@", "depth: Ok(1)"),
        ("env -i @", "depth: Ok(1)"),
        ("CREW_DEPTH=0 @", "depth: Ok(1)"),
        // No parent of its own left, so the shim is the one above.
        ("(env -i setsid sh -c \"exec @\" & ); sleep 0.4; wait", "depth: Ok(1)"),
        ("CREW_DEPTH=3 @", "depth: Err(TooDeep(3))"),
    ] {
        let mut spec = script(&text.replace('@', &asks));
        spec.env.push(("CREW_DEPTH".into(), "1".into()));
        let told = run(spec).stdout.text();
        assert!(told.contains(wanted), "{text}: {told}");
    }
}

#[test]
#[ignore = "a part of an_erased_counter_is_read_off_the_processes_above"]
fn tells() {
    println!("depth: {:?}", Incoming::read().depth());
}
