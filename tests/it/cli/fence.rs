//! The fence as a user meets it: on by default, recorded, and where the kernel
//! has none, told and made up for by a comparison.

use std::collections::BTreeMap;
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use git_crew::domain::run::Run;
use git_crew::world::fence::Support;
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, TargetArch, apply_filter};

use super::sandbox::{Said, Sandbox, put, said, step};
use super::story;

/// Whether this machine keeps a whole fence; says so if not.
fn fenced_here() -> bool {
    let support = Support::probe();
    let whole = support.usable_abi() >= 6 && support.filter;
    if !whole {
        println!("skipped: {}", support.lack().unwrap_or("only a part of a fence here".into()));
    }
    whole
}

/// The program on a kernel that answers a question about landlock like this.
fn without_landlock(sandbox: &Sandbox, words: &[&str], errno: i32) -> Said {
    let mut command = sandbox.command(std::env::current_exe().unwrap(), sandbox.user());
    command.args(["--exact", "--ignored", "cli::fence::launches", "--nocapture"]);
    command.env("LAUNCH", serde_json::to_string(words).unwrap());
    command.env("LAUNCH_ERRNO", errno.to_string());
    said(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
}

/// Becomes the program on an older kernel.
#[test]
#[ignore = "a part of other tests"]
fn launches() {
    let words: Vec<String> = serde_json::from_str(&std::env::var("LAUNCH").unwrap()).unwrap();
    let errno: u32 = std::env::var("LAUNCH_ERRNO").unwrap().parse().unwrap();
    let arch = TargetArch::try_from(std::env::consts::ARCH).unwrap();
    let rules = BTreeMap::from([(nix::libc::SYS_landlock_create_ruleset, Vec::new())]);
    let filter =
        SeccompFilter::new(rules, SeccompAction::Allow, SeccompAction::Errno(errno), arch).unwrap();
    let program: BpfProgram = filter.try_into().unwrap();
    apply_filter(&program).unwrap();
    std::io::stdout().flush().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_git-crew"));
    command.args(words).env_remove("LAUNCH").env_remove("LAUNCH_ERRNO");
    panic!("{}", command.exec());
}

fn only_attempt(run: &Run) -> &git_crew::domain::attempt::Attempt {
    &run.tasks[0].attempts[0]
}

/// A script in which every line that succeeds is a fault.
fn refused(lines: &[&str]) -> String {
    lines.iter().map(|line| format!("if ( {line} ) 2>/dev/null; then exit 9; fi\n")).collect()
}

#[test]
fn an_agent_and_its_check_write_nothing_of_the_users() {
    if !fenced_here() {
        return;
    }
    let sandbox = Sandbox::new();
    let attacks = refused(&[
        "echo x >>$HOME/.profile",
        "git config --global core.pager x",
        "echo x >>USER/README",
        "git -C USER config core.pager x",
        "git -C USER commit -qam x",
        "git -C USER update-ref refs/heads/x HEAD",
        "echo x >>USER/.git/hooks/pre-commit",
        "echo x >$CREW_IN/prompt.md",
        "prlimit --pid ORCHESTRATOR --core=1:1",
        "kill -CONT ORCHESTRATOR",
    ]);
    let attacks = attacks.replace("USER", sandbox.user().to_str().unwrap());
    let attacks = attacks.replace("ORCHESTRATOR", &std::process::id().to_string());
    let honest = "echo x >made && git add made && git commit -qm made && echo x >$TMPDIR/t\n";
    let check = sandbox.outside("check.sh");
    put(&check, &attacks);
    let keys = [format!("check: sh -e {}", check.display())];
    sandbox.workflow(&[step("one", &[&keys[0]], &format!("{attacks}{honest}"))]);
    let (id, said) = sandbox.run(&[], 0);
    let run = story::sound(&sandbox, &id);
    assert_eq!(only_attempt(&run).sandbox, "fenced");
    assert_eq!(only_attempt(&run).verdict.as_ref().unwrap().sandbox, "fenced");
    assert!(!said.out.contains("sandbox"), "nothing weak is to be told: {}", said.out);
    let json = sandbox.git(&["show", &format!("refs/crew/runs/{id}:run.json")]);
    assert!(json.contains("\"sandbox\": \"fenced\"") || json.contains("\"sandbox\":\"fenced\""));
}

#[test]
fn the_programs_of_agents_keep_their_state_apart() {
    let sandbox = Sandbox::new();
    sandbox.by_user(|sandbox| {
        put(&sandbox.top().join("home/.claude/settings.json"), "{}");
        put(&sandbox.top().join("home/.claude.json"), "{\"a\":1}");
        let fake = sandbox.top().join("home/bin/claude");
        put(
            &fake,
            "#!/bin/sh\nset -e\ncat $CLAUDE_CONFIG_DIR/.claude.json >made\n\
            echo x >$CLAUDE_CONFIG_DIR/settings.json\necho x >$XDG_STATE_HOME/s\n\
            echo x >$XDG_CACHE_HOME/c\n",
        );
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(&fake, mode).unwrap();
        let line = format!("{} -p", fake.display());
        sandbox.git(&["config", "crew.agent.claude.command", &line]);
    });
    sandbox.workflow(&[step("one", &["agent: claude", "retries: 0"], "true")]);
    let (id, _) = sandbox.run(&[], 0);
    let made = sandbox.git(&["show", &format!("refs/crew/results/{id}:made")]);
    assert_eq!(made, "{\"a\":1}");
}

#[test]
fn what_a_fence_can_t_keep_is_compared() {
    let sandbox = Sandbox::new();
    let hooks = sandbox.common().join("hooks");
    std::fs::create_dir_all(&hooks).unwrap();
    sandbox.seal();
    let mode = || std::os::unix::fs::MetadataExt::mode(&hooks.metadata().unwrap()) & 0o777;
    let before = mode();
    let script = format!("chmod 711 {}; echo x >made", hooks.display());
    sandbox.workflow(&[step("one", &[], &script)]);
    let (id, told) = sandbox.run(&["-j", "1"], 3);
    let run = story::sound(&sandbox, &id);
    story::all_work_is_kept(&sandbox, &run);
    let restore =
        format!("hooks had the mode {before:o}, now 711: chmod {before:o} {}", hooks.display());
    assert!(format!("{:?}", only_attempt(&run).ending).contains(&restore), "{run:?}");
    assert!(told.out.contains("repo-changed") || told.out.contains("chmod"), "{}", told.out);
    sandbox.git(&["--version"]);
    std::fs::set_permissions(&hooks, std::os::unix::fs::PermissionsExt::from_mode(before)).unwrap();
}

#[test]
fn without_landlock_it_is_told_and_made_up_for() {
    let nix = nix::errno::Errno::ENOSYS as i32;
    let (off, forbidden) = (nix::errno::Errno::EOPNOTSUPP as i32, nix::errno::Errno::EPERM as i32);
    for errno in [nix, off, forbidden] {
        let sandbox = Sandbox::with(&[step("one", &[], "echo x >made")]);
        let told = without_landlock(&sandbox, &["run", "--team", "t", "do it"], errno).exits(0);
        let run = story::sound(&sandbox, &sandbox.newest());
        assert_eq!(only_attempt(&run).sandbox, "none");
        assert!(told.out.contains("sandbox  none"), "{}", told.out);
        let listed = sandbox.crew(&["status"]).exits(0);
        assert!(listed.out.contains("not fenced"), "{}", listed.out);
        let shown = sandbox.crew(&["show", run.id.as_str()]).exits(0);
        assert!(shown.out.contains("sandbox  none"), "{}", shown.out);
    }
}

#[test]
fn without_landlock_a_change_of_the_repository_stops_the_run() {
    let sandbox = Sandbox::new();
    let user = sandbox.user().to_str().unwrap();
    let head = sandbox.git(&["rev-parse", "HEAD"]);
    let script = format!(
        "cd {user}; git config core.pager planted; git update-ref refs/heads/other HEAD~0; \
         git branch planted; git update-ref -d refs/stash; echo x >.git/hooks/post-checkout; \
         echo x >>.git/info/exclude"
    );
    sandbox.workflow(&[step("one", &[], &script), step("two", &[], "true")]);
    let config = std::fs::read(sandbox.common().join("config")).unwrap();
    let stash = sandbox.git(&["rev-parse", "refs/stash"]);
    let words = ["run", "--team", "t", "-j", "1", "do it"];
    let told = without_landlock(&sandbox, &words, nix::errno::Errno::ENOSYS as i32).exits(3);
    let run = story::sound(&sandbox, &sandbox.newest());
    assert_eq!(run.tasks[1].attempts.len(), 0, "nothing else was started: {}", told.out);
    let ending = format!("{:?}", only_attempt(&run).ending);
    let why = ending.split("by it or by you: ").nth(1).expect("it says what");
    for what in [
        "config was changed",
        "hooks/post-checkout is new",
        "info/exclude was changed",
        "refs/heads/planted is new",
        "refs/stash was",
    ] {
        assert!(why.contains(what), "{what}: {why}");
    }
    assert!(!why.contains("refs/heads/other"), "not moved: {head} {why}");
    // Each command puts the old back.
    for change in why.trim_end_matches("\" })").split("; ") {
        let (_, command) = change.split_once(": ").expect("a command");
        let done = sandbox.command("sh", sandbox.user()).args(["-c", command]).status().unwrap();
        assert!(done.success(), "{command}");
    }
    assert_eq!(std::fs::read(sandbox.common().join("config")).unwrap(), config);
    assert_eq!(sandbox.git(&["rev-parse", "refs/stash"]), stash);
    assert!(!sandbox.common().join("hooks/post-checkout").exists());
    sandbox.seal();
}

#[test]
fn what_may_be_written_besides_is_a_setting_and_has_to_be_there() {
    let sandbox = Sandbox::with(&[step("one", &[], "true")]);
    sandbox.by_user(|sandbox| sandbox.git(&["config", "--add", "crew.allowWrite", "~/gone"]));
    let said = sandbox.crew(&["run", "--team", "t", "do it"]);
    assert!(said.err.contains("crew.allowwrite") && said.err.contains("~/gone"), "{}", said.err);
    assert_ne!(said.code, Some(0));
    if !fenced_here() {
        return;
    }
    sandbox.by_user(|sandbox| {
        sandbox.git(&["config", "--unset", "crew.allowWrite", "gone"]);
        sandbox.git(&["config", "--add", "crew.allowWrite", "~/"]);
    });
    let (id, said) = sandbox.run(&[], 0);
    let run = story::sound(&sandbox, &id);
    let grade = &only_attempt(&run).sandbox;
    assert!(grade.starts_with("partial (allowWrite covers '"), "{grade}");
    assert!(said.out.contains("sandbox  partial"), "{}", said.out);
}

/// What came of each attempt, by name: `refused` and `weight`; and the grade.
fn tried(said: &Said) -> (String, BTreeMap<String, (bool, String)>) {
    // A launcher says something before.
    let json = said.out.get(said.out.find('{').expect("an object")..).unwrap();
    let told: serde_json::Value = serde_json::from_str(json).expect("JSON");
    let attempts = told["data"]["attempts"].as_array().expect("a list").iter().map(|one| {
        let weight = one["weight"].as_str().unwrap().to_owned();
        (one["name"].as_str().unwrap().to_owned(), (one["refused"] == true, weight))
    });
    (told["data"]["grade"].as_str().unwrap().to_owned(), attempts.collect())
}

#[test]
fn the_doctor_tries_it_and_tells_what_came_of_it() {
    let sandbox = Sandbox::new();
    let words = ["doctor", "--sandbox", "--json"];
    let said = without_landlock(&sandbox, &words, nix::errno::Errno::ENOSYS as i32).exits(1);
    let (grade, attempts) = tried(&said);
    assert_eq!(grade, "unconfined");
    assert_eq!(attempts["write"], (false, "wrong".to_owned()), "{attempts:?}");
    if !fenced_here() {
        return;
    }
    let (grade, attempts) = tried(&sandbox.crew(&words).exits(0));
    assert_eq!(grade, "fenced");
    for name in ["write", "truncate", "create", "replace", "signal", "memory", "limits"] {
        assert_eq!(attempts[name], (true, "good".to_owned()), "{name}");
    }
    for name in ["mode", "lock", "read", "network"] {
        assert_eq!(attempts[name], (false, "note".to_owned()), "{name}");
    }
    assert_eq!(attempts["write-own"], (false, "good".to_owned()));
    let table = sandbox.crew(&["doctor", "--sandbox"]).exits(0);
    assert!(table.out.contains("agents are fenced"), "{}", table.out);
    let finding = sandbox.crew(&["doctor"]);
    assert!(finding.out.contains("fence: agents are fenced"), "{}", finding.out);
    sandbox.by_user(|sandbox| {
        put(&sandbox.top().join("home/.ssh/id"), "secret");
        sandbox.git(&["config", "crew.denyRead", "~/.ssh"]);
    });
    let (_, attempts) = tried(&sandbox.crew(&words).exits(0));
    assert_eq!(attempts["read"], (true, "good".to_owned()));
}

#[test]
fn a_box_and_hidden_files_are_settings() {
    if !fenced_here() {
        return;
    }
    let sandbox = Sandbox::new();
    let script = "if cat $HOME/key; then exit 9; fi; echo x >made; git add -A; git commit -qm made";
    sandbox.workflow(&[step("one", &["retries: 0", "check: test -e made"], script)]);
    let set = |key: &str, value: &str| {
        sandbox.by_user(|sandbox| {
            put(&sandbox.top().join("home/key"), "secret");
            sandbox.git(&["config", key, value]);
        });
    };
    set("crew.denyRead", "~/key");
    let (id, _) = sandbox.run(&[], 0);
    assert_eq!(only_attempt(&story::sound(&sandbox, &id)).sandbox, "fenced");
    let words = ["run", "--team", "t", "do it"];
    set("crew.sandbox", "none");
    let refused = sandbox.crew(&words);
    assert!(refused.code != Some(0) && refused.err.contains("crew.denyread"), "{}", refused.err);
    set("crew.sandbox", "firejail");
    let refused = sandbox.crew(&words);
    assert!(refused.code != Some(0) && refused.err.contains("bwrap or none"), "{}", refused.err);
    set("crew.sandbox", "bwrap");
    let missing = sandbox.at(sandbox.user()).env("PATH", "/nowhere").run(&words);
    assert_ne!(missing.code, Some(0));
    let said = sandbox.crew(&words);
    if said.err.contains("no program 'bwrap'") || said.err.contains("no box can be made") {
        println!("skipped: {}", said.err);
        return;
    }
    let run = story::sound(&sandbox, &sandbox.newest());
    assert_eq!(said.code, Some(0), "{} {}", said.out, said.err);
    assert_eq!(only_attempt(&run).sandbox, "fenced (bwrap)");
    assert!(!said.out.contains("sandbox  "), "{}", said.out);
}

#[test]
fn a_fence_that_is_switched_off_is_told() {
    let sandbox = Sandbox::with(&[step("one", &[], "echo x >made")]);
    sandbox.by_user(|sandbox| sandbox.git(&["config", "crew.sandbox", "none"]));
    let (id, said) = sandbox.run(&[], 0);
    assert_eq!(only_attempt(&story::sound(&sandbox, &id)).sandbox, "none");
    assert!(said.out.contains("sandbox  none"), "{}", said.out);
}
