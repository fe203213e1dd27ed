//! Nothing of an attempt outlives it, whatever it does and whoever is killed.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use git_crew::world::process::{End, Spec, StopRequest, become_subreaper, sweep_marked};
use tokio::sync::watch;

use super::{alive, assert_gone, mark, poll, run, runtime, script, supervisor};

/// Ways to get out of sight. `@` becomes a script that never ends and has the
/// mark in its arguments, so that it is found without an environment, too.
const FORMS: &[(&str, &str)] = &[
    ("child in the group", "@ &"),
    ("child in a session of its own", "setsid @ &"),
    ("double fork with closed pipes", "(setsid sh -c 'exec <&- >&- 2>&-; (@ &)' &)"),
    ("deaf to signals", "(trap '' TERM HUP INT QUIT; @) &"),
    ("environment erased, own session", "setsid env -i \"PATH=$PATH\" @ &"),
    ("stopped", "@ & kill -STOP $!"),
    ("begets itself anew", "setsid sh -c 'go() { sleep 0.02; go & exit; }; go' @MARK &"),
];

/// A spec whose script starts one form, then does `then`. What it starts is up
/// before the file `up` is there.
fn spec(form: &str, mark: &str, up: &Path, then: &str) -> Spec {
    let endless = "sh -c \"while :; do sleep 0.1; done\" ";
    let form = form.replace("@MARK", mark).replace('@', &format!("{endless}{mark}"));
    let text = format!("{form}\nsleep 0.05; : > '{}'; echo up\n{then}", up.display());
    let mut spec = script(&text);
    spec.env.push(("CREW_MARK".into(), mark.into()));
    spec.limits.grace = Duration::from_millis(200);
    spec
}

fn each(then: &str, act: impl Fn(&str, Spec, &Path, &str)) {
    let folder = tempfile::tempdir().unwrap();
    for (n, (name, form)) in FORMS.iter().enumerate() {
        let (mark, up) = (mark(), folder.path().join(n.to_string()));
        act(name, spec(form, &mark, &up, then), &up, &mark);
        assert_gone(&mark, name);
    }
}

#[test]
fn nothing_outlives_an_end() {
    each("exit 0", |name, spec, _, _| {
        let report = run(spec);
        assert_eq!(report.end, End::Exited(0), "{name}");
        // The last form may be between two lives when its names are taken.
        assert!(!report.leaked.is_empty() || name.starts_with("begets"), "{name}: not named");
        assert_eq!(report.troubles, Vec::<String>::new(), "{name}");
    });
}

#[test]
fn nothing_outlives_a_request() {
    for request in [StopRequest::Term, StopRequest::Kill] {
        each("sleep 1000", |_, spec, up, _| {
            let (ask, stopping) = watch::channel(StopRequest::None);
            runtime().block_on(async {
                let running = tokio::spawn(async move { supervisor().run(spec, stopping).await });
                while !up.exists() {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                ask.send(request).unwrap();
                running.await.unwrap().unwrap();
            });
        });
    }
}

#[test]
fn nothing_outlives_the_orchestrator() {
    each("sleep 1000", |name, spec, up, _| {
        let mut orchestrator = orchestrator(&spec);
        assert!(poll(|| up.exists()), "{name}: not up");
        orchestrator.kill().unwrap();
        orchestrator.wait().unwrap();
    });
}

#[test]
fn nothing_outlives_a_shim_that_is_killed() {
    each("kill -KILL $PPID; sleep 1000", |name, spec, _, mark| {
        let told = orchestrator(&spec).wait_with_output().unwrap();
        assert!(told.status.success(), "{name}: {told:?}");
        assert!(String::from_utf8_lossy(&told.stdout).contains("end: Lost"), "{name}: {told:?}");
        assert_eq!(alive(mark), Vec::<String>::new(), "{name}: reported too early");
    });
}

#[test]
fn a_shim_that_is_stopped_goes_on() {
    for then in ["exit 0", "sleep 1000"] {
        each(&format!("kill -STOP $PPID; {then}"), |_, mut spec, _, _| {
            spec.limits.wall = Some(Duration::from_millis(700));
            run(spec);
        });
    }
    // Nobody is there to wake it but the kernel.
    each("kill -STOP $PPID; : > \"$STOPPED\"; sleep 1000", |name, mut spec, up, _| {
        let stopped = up.with_extension("stopped");
        spec.env.push(("STOPPED".into(), stopped.clone().into()));
        let mut orchestrator = orchestrator(&spec);
        assert!(poll(|| stopped.exists()), "{name}: not up");
        orchestrator.kill().unwrap();
        orchestrator.wait().unwrap();
    });
}

#[test]
fn a_shim_that_is_stopped_again_and_again_is_given_up() {
    let mark = mark();
    let mut spec = script("setsid sleep 1000 & while kill -STOP $PPID; do :; done");
    spec.env.push(("CREW_MARK".into(), mark.clone().into()));
    spec.limits.wall = Some(Duration::from_millis(300));
    spec.limits.grace = Duration::from_millis(100);
    let report = run(spec);
    assert_eq!(report.stopped_by, Some(git_crew::world::process::Stop::Wall));
    assert_gone(&mark, "stopped again and again");
}

#[test]
fn a_dead_shim_beside_living_ones_costs_them_nothing() {
    let told = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--ignored", "process::escape::orchestrates_many", "--nocapture"])
        .output()
        .unwrap();
    assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stdout));
}

#[test]
#[ignore = "a part of a_dead_shim_beside_living_ones_costs_them_nothing"]
fn orchestrates_many() {
    become_subreaper().unwrap();
    let (_ask, stop) = watch::channel(StopRequest::None);
    let ends = runtime().block_on(async {
        let one = |n: usize| {
            let stop = stop.clone();
            let last = if n.is_multiple_of(2) { "kill -KILL $PPID" } else { "exit 5" };
            let text = format!("setsid env -i sleep 1000 & sleep 0.{n}; sleep 0.2; {last}");
            tokio::spawn(async move { supervisor().run(script(&text), stop).await.unwrap().end })
        };
        let runs: Vec<_> = (0..8).map(one).collect();
        let mut ends = Vec::new();
        for run in runs {
            ends.push(run.await.unwrap());
        }
        ends
    });
    for (n, end) in ends.into_iter().enumerate() {
        assert_eq!(end, if n.is_multiple_of(2) { End::Lost } else { End::Exited(5) }, "{n}");
    }
    for thread in std::fs::read_dir("/proc/self/task").unwrap() {
        let children = std::fs::read_to_string(thread.unwrap().path().join("children"));
        assert_eq!(children.unwrap_or_default(), "", "left behind");
    }
}

#[test]
fn what_outlives_both_is_found_by_its_mark() {
    let folder = tempfile::tempdir().unwrap();
    for (n, (name, form)) in FORMS.iter().enumerate() {
        if name.starts_with("environment erased") {
            continue;
        }
        let (mark, up) = (mark(), folder.path().join(n.to_string()));
        let spec = spec(form, &mark, &up, "echo $PPID > \"$SHIM\"; sleep 1000");
        let shim = up.with_extension("shim");
        let mut with = spec.clone();
        with.env.push(("SHIM".into(), shim.clone().into()));
        let mut orchestrator = orchestrator(&with);
        let number = || std::fs::read_to_string(&shim).unwrap_or_default();
        assert!(poll(|| number().ends_with('\n')), "{name}: not up");
        let shim = nix::unistd::Pid::from_raw(number().trim().parse().unwrap());
        let _ = nix::sys::signal::kill(shim, nix::sys::signal::Signal::SIGSTOP);
        orchestrator.kill().unwrap();
        let _ = nix::sys::signal::kill(shim, nix::sys::signal::Signal::SIGKILL);
        orchestrator.wait().unwrap();
        let swept = sweep_marked(&mark).unwrap();
        assert_eq!(swept.unkillable, Vec::<String>::new(), "{name}");
        assert_gone(&mark, name);
    }
}

#[test]
fn a_sweep_spares_whoever_is_above_it() {
    let mark = mark();
    let shell =
        "\"$0\" --exact --ignored process::escape::sweeps_its_own_mark --nocapture; echo $?";
    let out = Command::new("sh")
        .args(["-c", shell])
        .arg(std::env::current_exe().unwrap())
        .env("CREW_MARK", &mark)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    assert!(text.ends_with("0\n") && text.contains("swept [\""), "{text}");
    for bad in ["", "short"] {
        assert!(sweep_marked(bad).is_err());
    }
}

#[test]
#[ignore = "a part of a_sweep_spares_whoever_is_above_it"]
fn sweeps_its_own_mark() {
    let mark = std::env::var("CREW_MARK").unwrap();
    let mut child = Command::new("sleep").arg("1000").spawn().unwrap();
    println!("swept {:?}", sweep_marked(&mark).unwrap().killed);
    child.wait().unwrap();
}

#[test]
fn a_daemon_that_is_left_is_named() {
    let report = run(script("setsid sleep 1000 & sleep 0.2; exit 0"));
    assert_eq!(report.leaked.len(), 1, "{:?}", report.leaked);
    assert!(report.leaked[0].ends_with(" sleep"), "{:?}", report.leaked);
}

#[test]
fn children_that_are_just_ending_are_no_leak() {
    let report = run(script("sleep 0.02 & exit 0"));
    assert_eq!(report.leaked, Vec::<String>::new());
}

#[test]
fn a_modest_fork_bomb_ends() {
    let mark = mark();
    let bomb =
        "n=0; while [ $n -lt 400 ]; do setsid sleep 1000 & n=$((n+1)); done; echo up; sleep 1000";
    let mut spec = script(bomb);
    spec.env.push(("CREW_MARK".into(), mark.clone().into()));
    spec.limits.wall = Some(Duration::from_secs(2));
    spec.limits.grace = Duration::ZERO;
    let report = run(spec);
    assert_eq!(report.leaked, Vec::<String>::new());
    assert_gone(&mark, "bomb");
}

/// This test program again, as an orchestrator that supervises one script.
fn orchestrator(spec: &Spec) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "--ignored", "process::escape::orchestrates", "--nocapture"]);
    command.env("ORCHESTRATE", &spec.args[1]);
    command.env("ORCHESTRATE_ENV", {
        let pairs = spec.env.iter().map(|(key, value)| [key, value].map(|t| t.to_str().unwrap()));
        serde_json::to_string(&pairs.collect::<Vec<_>>()).unwrap()
    });
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

#[test]
#[ignore = "the orchestrator of other tests"]
fn orchestrates() {
    become_subreaper().unwrap();
    let mut spec = script(&std::env::var("ORCHESTRATE").unwrap());
    let env: Vec<(String, String)> =
        serde_json::from_str(&std::env::var("ORCHESTRATE_ENV").unwrap()).unwrap();
    spec.env = env.into_iter().map(|(key, value)| (key.into(), value.into())).collect();
    println!("{:?}", run(spec));
}
