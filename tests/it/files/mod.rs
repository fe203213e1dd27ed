//! The shipped data, tried for real: the scripts and checks of the demonstration
//! run by a shell in one folder, without a run around them. That a run does the
//! same is the demo command's own test.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Output};

use git_crew::domain::fence::last_sh_block;
use git_crew::domain::plan::{Plan, PlannedTask, Programs};
use git_crew::world::library::Library;

fn plan() -> Plan {
    let gathered = Library::default().gather("demo", None).expect("shipped");
    gathered.resolve("make an almanac", &Programs::default(), None).expect("a plan").0
}

struct Bench {
    root: tempfile::TempDir,
}

impl Bench {
    fn sh(&self, script: &str, attempt: u32) -> Output {
        let at = |name: &str| self.root.path().join(name);
        Command::new("sh")
            .args(["-c", script])
            .current_dir(at("work"))
            .env("CREW_IN", at("handed"))
            .env("CREW_OUT", at("handed"))
            .env("CREW_ATTEMPT", attempt.to_string())
            .output()
            .expect("a shell")
    }

    /// Runs a task's script; whether it and all its checks pass.
    fn attempt(&self, task: &PlannedTask, attempt: u32) -> bool {
        let script = last_sh_block(&task.text).expect("a script");
        let pass = |script: &str| self.sh(script, attempt).status.success();
        pass(script) && task.checks.iter().all(|check| pass(check))
    }
}

fn bench() -> Bench {
    let root = tempfile::tempdir().expect("a folder");
    for name in ["work", "handed"] {
        std::fs::create_dir(root.path().join(name)).expect("a folder");
    }
    Bench { root }
}

fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries =
        std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry"));
    let named =
        entries.map(|entry| (entry.file_name().to_string_lossy().into_owned(), entry.path()));
    named.map(|(name, path)| (name, std::fs::read(path).expect("a file"))).collect()
}

#[test]
fn the_demos_scripts_do_what_its_story_tells() {
    let (plan, bench) = (plan(), bench());
    for task in &plan.tasks {
        match task.id.as_str() {
            // its first attempt sleeps longer than its limit
            "autumn" => {
                let script = last_sh_block(&task.text).expect("a script");
                assert!(script.contains("sleep 60") && task.limits.wall_ms == 1_000);
                assert!(bench.attempt(task, 2));
            }
            "summer" => {
                assert!(!bench.attempt(task, 1), "the first attempt forgets the sun");
                let told = bench.sh(&task.checks[0], 1).stdout;
                assert!(String::from_utf8_lossy(&told).contains("does not mention the sun"));
                assert!(bench.attempt(task, 2), "the second does not");
            }
            "proofread" => {
                let folder = bench.root.path().join("work/almanac");
                let before = files(&folder);
                assert!(!task.writes && bench.attempt(task, 1));
                assert_eq!(files(&folder), before, "a read-only role changes nothing");
            }
            other => assert!(bench.attempt(task, 1), "{other}"),
        }
    }
    let almanac = bench.root.path().join("work/almanac/almanac.txt");
    let text = std::fs::read_to_string(almanac).expect("the almanac");
    assert_eq!(text, "spring: blossom and rain\nsummer: sun and storms\nautumn: leaves and fog\n");
}

#[test]
fn what_a_task_reads_is_handed_on() {
    let plan = plan();
    for task in &plan.tasks {
        for name in &task.reads {
            let made = plan.tasks.iter().any(|other| other.output.as_ref() == Some(name));
            assert!(made, "{} reads {name}", task.id);
        }
    }
    assert!(plan.tasks.iter().any(|task| !task.reads.is_empty()), "the demo shows a hand-off");
}
