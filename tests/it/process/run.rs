//! What a supervised program is given, how its end is told, what is kept.

use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use git_crew::world::process::{End, Report, Stdin, Stop, StopRequest};
use tokio::sync::watch;

use super::{alive, assert_gone, mark, run, runtime, script, supervisor};

#[test]
fn both_streams_and_the_code_come_back() {
    let report = run(script("echo out; echo err >&2; exit 3"));
    assert_eq!((report.end, report.stopped_by), (End::Exited(3), None));
    assert_eq!((report.stdout.text(), report.stderr.text()), ("out\n".into(), "err\n".into()));
    let digest = "54034ac5c6e9ea95734ec2b729fd6d62abf64af34a9f9ce5d466cb788191a73d";
    assert_eq!((report.stdout.bytes, report.stdout.sha256.as_str()), (4, digest));
    assert_eq!(report.leaked, Vec::<String>::new());
    assert_eq!(report.troubles, Vec::<String>::new());
}

#[test]
fn a_death_by_signal_is_not_a_code() {
    assert_eq!(run(script("kill -KILL $$")).end, End::Signalled(9, false));
    assert_eq!(run(script("kill -SEGV $$")).end, End::Signalled(11, false), "a core was written");
    assert_eq!(run(script("kill -40 $$")).end, End::Signalled(40, false), "real-time signal");
    assert_eq!(run(script("no-such-command")).end, End::Exited(127));
}

#[test]
fn what_cannot_start_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str, mode: u32| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        path.into_os_string()
    };
    let end = |program: std::ffi::OsString| {
        let mut spec = script("");
        spec.program = program;
        run(spec).end
    };
    assert_eq!(end("no-such-program".into()), End::NotFound);
    assert_eq!(end("/no/such/program".into()), End::NotFound);
    assert_eq!(end("".into()), End::NotFound);
    assert_eq!(end("/".into()), End::NotExecutable);
    assert_eq!(end(file("plain", "#!/bin/sh\n", 0o644)), End::NotExecutable);
    let cannot = |end: End, why: &str| match end {
        End::CannotStart(text) => assert!(text.contains(why), "{text}"),
        other => panic!("{other:?}"),
    };
    cannot(end(file("lost", "#!/no/such/interpreter\n", 0o755)), "interpreter");
    cannot(end(file("bare", "echo\n", 0o755)), "xec format");
    let mut spec = script("true");
    spec.cwd = "/no/such/folder".into();
    cannot(run(spec).end, "folder");
    let mut spec = script("true");
    spec.args.push("x".repeat(1 << 20).into());
    cannot(run(spec).end, "too long");
    let mut spec = script("true");
    spec.args.push("a\0b".into());
    cannot(run(spec).end, "nvalid");
}

#[test]
fn the_environment_is_exactly_the_given_one() {
    let mut spec = script("");
    spec.program = "/usr/bin/env".into();
    spec.args = Vec::new();
    spec.env = vec![("B".into(), "two\nlines".into()), ("A".into(), "".into())];
    assert_eq!(run(spec).stdout.text(), "B=two\nlines\nA=\n");
}

#[test]
fn three_descriptors_default_signals_and_no_privileges() {
    // A descriptor that is not closed on exec must not reach the program.
    let kept = std::fs::File::open("/").unwrap();
    let flags = nix::fcntl::FcntlArg::F_SETFD(nix::fcntl::FdFlag::empty());
    nix::fcntl::fcntl(&kept, flags).unwrap();
    let report = run(script("ls /proc/$$/fd; exec cat /proc/self/status"));
    drop(kept);
    let text = report.stdout.text();
    assert!(text.starts_with("0\n1\n2\nName:"), "{text}");
    let status = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name)).expect("a line");
        u64::from_str_radix(line.trim(), 16).expect("a number")
    };
    assert_eq!((status("SigBlk:"), status("SigCgt:"), status("NoNewPrivs:")), (0, 0, 1));
    // 32 and 33 belong to the C library: whoever started the tests may ignore them.
    assert_eq!(status("SigIgn:") & !(3 << 31), 0);
    let report = run(script("ulimit -Hc; ps -o sid=,pgid= -p $$ | tr -s ' ' '\\n'; echo $$"));
    let text = report.stdout.text();
    let numbers: Vec<&str> = text.split_whitespace().collect();
    assert_eq!(numbers[0], "0", "cores");
    assert!(numbers[1] == numbers[3] && numbers[2] == numbers[3], "session, group: {text}");
}

#[test]
fn input_is_whole_late_or_never_read() {
    let bytes: Vec<u8> = (0..=255).cycle().take(300_000).collect();
    for (text, wanted) in
        [("wc -c", "300000\n"), ("sleep 0.2; wc -c", "300000\n"), ("echo no", "no\n")]
    {
        let mut spec = script(text);
        spec.stdin = Stdin::Bytes(bytes.clone());
        assert_eq!(run(spec).stdout.text(), wanted);
    }
    assert_eq!(run(script("wc -c")).stdout.text(), "0\n");
    let mut spec = script("wc -c");
    spec.stdin = Stdin::Bytes(Vec::new());
    assert_eq!(run(spec).stdout.text(), "0\n");
}

#[test]
fn bytes_that_are_no_text_are_kept_as_they_came() {
    let report = run(script(r"printf 'a\000\377\033[31mb'"));
    assert_eq!(report.stdout.head, b"a\0\xff\x1b[31mb");
    assert_eq!(report.stdout.text(), "a\0\u{FFFD}\u{1b}[31mb");
}

#[test]
fn limits_stop_and_are_named() {
    let mut spec = script("while :; do echo x; sleep 0.01; done");
    spec.limits.wall = Some(Duration::from_millis(300));
    spec.limits.idle = Some(Duration::from_secs(60));
    let report = run(spec);
    assert_eq!((report.end, report.stopped_by), (End::Signalled(15, false), Some(Stop::Wall)));
    let mut spec = script("echo x; sleep 1000");
    spec.limits.wall = Some(Duration::from_secs(60));
    spec.limits.idle = Some(Duration::from_millis(300));
    let report = run(spec);
    assert_eq!((report.end, report.stopped_by), (End::Signalled(15, false), Some(Stop::Idle)));
    assert_eq!(report.stdout.text(), "x\n");
}

#[test]
fn a_quiet_stream_beside_a_loud_one_is_not_idle() {
    let mut spec = script("for i in 1 2 3 4 5 6 7 8 9 10; do echo x >&2; sleep 0.1; done");
    spec.limits.idle = Some(Duration::from_millis(700));
    assert_eq!(run(spec).end, End::Exited(0));
}

#[test]
fn who_ignores_the_end_is_killed_after_the_grace() {
    let mut spec = script("trap '' TERM; echo up; while :; do sleep 1; done");
    spec.limits.wall = Some(Duration::from_millis(500));
    spec.limits.grace = Duration::from_millis(300);
    let report = run(spec);
    assert_eq!((report.end, report.stopped_by), (End::Signalled(9, false), Some(Stop::Wall)));
    assert!(report.took >= Duration::from_millis(800), "{:?}", report.took);
}

#[test]
fn who_tidies_up_within_the_grace_is_let() {
    let mut spec = script("trap 'sleep 0.3; echo tidy; exit 4' TERM; while :; do sleep 0.05; done");
    spec.limits.wall = Some(Duration::from_millis(300));
    let report = run(spec);
    assert_eq!((report.end, report.stdout.text()), (End::Exited(4), "tidy\n".into()));
    // The leader of the group dies at once, its child tidies up.
    let child = "(trap 'sleep 0.3; echo tidy; exit 4' TERM; while :; do sleep 0.05; done) & wait";
    let mut spec = script(child);
    spec.limits.wall = Some(Duration::from_millis(300));
    let report = run(spec);
    assert_eq!(report.end, End::Signalled(15, false));
    assert_eq!((report.stdout.text(), report.leaked), ("tidy\n".into(), vec![]));
}

#[test]
fn a_stopped_program_hears_the_end() {
    let mut spec = script("kill -STOP $$; echo woken");
    spec.limits.idle = Some(Duration::from_millis(300));
    let report = run(spec);
    assert_eq!((report.end, report.stopped_by), (End::Signalled(15, false), Some(Stop::Idle)));
}

/// Runs a script that prints `up`, then asks for these things one by one.
fn asked(text: &str, grace: Duration, requests: &[StopRequest]) -> Report {
    let (ask, stopping) = watch::channel(StopRequest::None);
    let folder = tempfile::tempdir().unwrap();
    let live = folder.path().join("live");
    let mut spec = script(text);
    spec.output.live = Some(live.clone());
    spec.limits.grace = grace;
    runtime().block_on(async {
        let running = tokio::spawn(async move { supervisor().run(spec, stopping).await });
        while std::fs::read(&live).unwrap_or_default() != b"up\n" {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        for request in requests {
            ask.send(*request).unwrap();
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        drop(ask);
        running.await.unwrap().unwrap()
    })
}

#[test]
fn requests_are_obeyed() {
    let hour = Duration::from_secs(3600);
    let report = asked("echo up; sleep 1000", hour, &[StopRequest::Term]);
    let cancelled = Some(Stop::Cancelled);
    assert_eq!((report.end, report.stopped_by), (End::Signalled(15, false), cancelled));
    let report = asked("echo up; sleep 1000", hour, &[StopRequest::Kill]);
    assert_eq!((report.end, report.stopped_by), (End::Signalled(9, false), Some(Stop::Killed)));
    let report = asked("echo up; sleep 1000", Duration::ZERO, &[StopRequest::Term]);
    assert_eq!((report.end, report.stopped_by), (End::Signalled(9, false), cancelled));
}

#[test]
fn a_second_request_cuts_the_grace_short() {
    let deaf = "trap '' TERM; echo up; while :; do sleep 1; done";
    let both = [StopRequest::Term, StopRequest::Kill];
    let report = asked(deaf, Duration::from_secs(3600), &both);
    assert_eq!((report.end, report.stopped_by), (End::Signalled(9, false), Some(Stop::Killed)));
}

#[test]
fn a_dropped_run_leaves_nothing() {
    let mark = mark();
    let (_ask, stopping) = watch::channel(StopRequest::None);
    let mut spec = script("setsid sleep 1000 & sleep 1000");
    spec.env.push(("CREW_MARK".into(), mark.clone().into()));
    runtime().block_on(async {
        let running = tokio::spawn(async move { supervisor().run(spec, stopping).await });
        while alive(&mark).len() < 4 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        running.abort();
    });
    assert_gone(&mark, "dropped");
}
