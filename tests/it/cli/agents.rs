//! Agents that go astray. Each leaves the user's things alone, its own work in a
//! commit and a line that says what was wrong.

use std::path::PathBuf;

use git_crew::domain::run::Run;

use super::sandbox::{Sandbox, put, said, step, until};
use super::story;

/// A run of one step whose agent does this, once, and ends like this.
#[track_caller]
fn does(script: &str, code: i32) -> (Sandbox, String, Run, String) {
    let sandbox = Sandbox::with(&[step("one", &["retries: 0"], script)]);
    let (id, said) = sandbox.run(&[], code);
    let run = story::sound(&sandbox, &id);
    story::all_work_is_kept(&sandbox, &run);
    (sandbox, id, run, said.out)
}

/// What the only attempt's commit holds at this path.
#[track_caller]
fn kept(sandbox: &Sandbox, run: &Run, path: &str) -> String {
    let work = run.tasks[0].attempts[0].work.as_ref().expect("it is over");
    let commit = work.commit.clone().expect("its work is kept");
    sandbox.git(&["show", &format!("{commit}:{path}")])
}

/// A run whose agent is this command line.
fn commanded(line: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.by_user(|sandbox| sandbox.git(&["config", "crew.agent.odd.command", line]));
    sandbox.workflow(&[step("one", &["agent: odd"], "true")]);
    sandbox
}

#[test]
fn one_that_is_not_there_or_not_to_be_executed() {
    for (line, class) in [
        ("/nowhere/agent", "not-found"),
        ("no-such-agent --flag", "not-found"),
        ("exit 127", "not-found"),
        ("\"$HOME/agent\"", "not-executable"),
    ] {
        let sandbox = commanded(line);
        sandbox.by_user(|sandbox| put(&sandbox.top().join("home/agent"), "no program\n"));
        let (id, said) = sandbox.run(&[], 1);
        let run = story::sound(&sandbox, &id);
        assert_eq!(run.tasks[0].attempts.len(), 1, "{line}: another try would end the same way");
        assert!(said.out.contains(class), "{line}: {}", said.out);
        assert!(said.out.contains(&format!("git crew log {id} one --output")), "{}", said.out);
    }
}

#[test]
fn one_that_prints_no_text() {
    let script = "printf 'a\\377\\376\\000b\\033[2Jc\\n'; echo made >made";
    let (sandbox, id, run, _) = does(script, 0);
    assert_eq!(kept(&sandbox, &run, "made"), "made");
    let said = sandbox.crew(&["log", &id, "one", "--output"]).exits(0);
    assert!(said.out.contains("\\x1b[2J") && !said.out.contains('\0'), "{:?}", said.out);
}

#[test]
fn one_that_prints_a_lot() {
    let (sandbox, id, run, _) = does("yes 0123456789012345 | head -c 60000000; echo x >made", 0);
    assert_eq!(kept(&sandbox, &run, "made"), "x");
    let output = run.tasks[0].attempts[0].output.as_ref().expect("it is over");
    assert_eq!(output.bytes, 60_000_000);
    let size = sandbox.crew(&["log", &id, "one", "--output"]).exits(0).out.len();
    assert!(size < 20_000_000, "{size}");
    let attic = format!("refs/crew/attic/{id}");
    sandbox.git(&["cat-file", "-e", &attic]);
}

#[test]
fn one_that_ignores_sigterm_is_killed_at_its_limit() {
    let script = "trap '' TERM; echo half >made; sleep 300 & sleep 300";
    let sandbox = Sandbox::with(&[step("one", &["retries: 0", "timeout: 1s"], script)]);
    let (id, said) = sandbox.run(&[], 1);
    let run = story::sound(&sandbox, &id);
    assert!(said.out.contains("wall-limit"), "{}", said.out);
    assert_eq!(kept(&sandbox, &run, "made"), "half");
}

#[test]
fn one_that_leaves_a_daemon() {
    let script = "env -i PATH=\"$PATH\" setsid sh -c 'sleep 300 & sleep 300' >/dev/null 2>&1 & \
                  setsid nohup sleep 301 >/dev/null 2>&1 </dev/null & echo made >made";
    let (sandbox, _, run, _) = does(script, 0);
    assert_eq!(kept(&sandbox, &run, "made"), "made");
    let output = run.tasks[0].attempts[0].output.as_ref().expect("it is over");
    assert!(output.leaked.iter().any(|name| name.contains("sleep")), "{:?}", output.leaked);
}

#[test]
fn one_that_deletes_its_worktree() {
    let (sandbox, id, run, said) = does("top=$PWD; cd /; rm -rf \"$top\" 2>/dev/null || true", 0);
    if run.tasks[0].attempts[0].is_fenced() {
        // The folder itself is not its own.
        let left =
            sandbox.git(&["ls-tree", "-r", "--name-only", &format!("refs/crew/results/{id}")]);
        assert_eq!(left, "", "{said}");
    } else {
        println!("skipped: without a fence the worktree goes");
    }
}

#[test]
fn one_whose_worktree_is_deleted_under_it() {
    let sandbox = Sandbox::new();
    let place = sandbox.outside("place");
    let script = format!(
        "pwd >{0}.new && mv {0}.new {0}; while [ -e .git ]; do sleep 0.02; done",
        place.display()
    );
    sandbox.workflow(&[step("one", &["retries: 0"], &script)]);
    let child = sandbox.start(&[]);
    let worktree = until("its folder", || std::fs::read_to_string(&place).ok());
    std::fs::remove_dir_all(worktree.trim_end()).unwrap();
    let told = said(child).exits(1);
    assert!(told.out.contains("slot-gone"), "{}", told.out);
    let run = story::sound(&sandbox, &sandbox.newest());
    assert_eq!(story::standing(&run), "failed one=failed");
}

#[test]
fn one_that_deletes_its_git_file() {
    let script = "rm -rf .git; echo made >made; git add -A || true; \
                  git commit -qm mine || true; git stash || true; git checkout -f v1 || true";
    let (sandbox, _, run, _) = does(script, 0);
    assert_eq!(kept(&sandbox, &run, "made"), "made");
    assert_eq!(kept(&sandbox, &run, "README"), "hello");
}

#[test]
fn one_that_plants_another_git_dir() {
    let sandbox = Sandbox::new();
    let git_dir = sandbox.common().display().to_string();
    let script = format!(
        "rm -rf .git; echo 'gitdir: {git_dir}' >.git; echo made >made; \
         GIT_DIR={git_dir} git update-ref refs/crew/log HEAD 2>/dev/null || true"
    );
    // Without a fence an agent can reach the user's repository if it wants to;
    // that it does not happen by accident is what the program itself owes.
    let script = script.split("GIT_DIR").next().unwrap().trim_end_matches("; ").to_owned();
    sandbox.workflow(&[step("one", &["retries: 0"], &format!("{script}; true"))]);
    let (id, _) = sandbox.run(&[], 0);
    let run = story::sound(&sandbox, &id);
    assert_eq!(kept(&sandbox, &run, "made"), "made");
}

#[test]
fn one_that_rewrites_history() {
    let script = "git checkout -q --orphan fresh; git rm -rqf .; echo new >made; git add made; \
                  git commit -qm 'a fresh start'; echo later >later";
    let (sandbox, id, run, _) = does(script, 0);
    assert_eq!(kept(&sandbox, &run, "made"), "new");
    let work = run.tasks[0].attempts[0].work.as_ref().expect("it is over");
    assert!(work.rewrote_history);
    let result = format!("refs/crew/results/{id}");
    let base = sandbox.git(&["rev-parse", "HEAD"]);
    sandbox.git(&["merge-base", "--is-ancestor", &base, &result]);
}

#[test]
fn one_that_commits_nothing_and_one_that_does_nothing() {
    let script = "echo staged >s; git add s; echo not >n; chmod +x n; ln -s n l; rm README; \
                  printf '\\000\\377' >bin; mkdir deep; git -C deep init -q; echo in >deep/f; \
                  echo gone >x.log";
    let (sandbox, id, run, _) = does(script, 0);
    let tree = sandbox.git(&["ls-tree", "-r", &format!("refs/crew/results/{id}")]);
    for line in ["100644 blob", "100755 blob", "120000 blob"] {
        assert!(tree.contains(line), "{tree}");
    }
    let names: Vec<&str> = tree.lines().filter_map(|line| line.split('\t').nth(1)).collect();
    assert_eq!(names, [".gitignore", "bin", "deep/f", "l", "n", "s", "src/a.txt", "src/b.txt"]);
    let work = run.tasks[0].attempts[0].work.as_ref().expect("it is over");
    assert_eq!(work.ignored, [("x.log".to_owned(), 5)]);
    let (sandbox, id, run, _) = does("true", 0);
    assert_eq!(story::standing(&run), "completed one=completed");
    assert_eq!(sandbox.git(&["diff", "HEAD", &format!("refs/crew/results/{id}"), "--", "x"]), "");
}

#[test]
fn one_that_writes_where_it_may_not() {
    let sandbox = Sandbox::with(&[
        step("scoped", &["paths: docs", "retries: 0"], "echo x >made"),
        step("reader", &["role: reader", "retries: 0"], "echo x >made"),
    ]);
    let (id, said) = sandbox.run(&[], 1);
    let run = story::sound(&sandbox, &id);
    assert_eq!(story::standing(&run), "failed scoped=failed reader=failed");
    assert!(said.out.contains("out-of-scope") && said.out.contains("wrote-read-only"));
    story::all_work_is_kept(&sandbox, &run);
}

#[test]
fn two_whose_results_conflict() {
    let sandbox = Sandbox::with(&[
        step("left", &[], "echo left >README"),
        step("right", &[], "echo right >README; echo it >right"),
        step("free", &[], "echo it >free"),
    ]);
    let (id, said) = sandbox.run(&[], 3);
    let run = story::sound(&sandbox, &id);
    assert_eq!(run.status.word(), "blocked");
    assert!(said.out.contains("README") || said.out.contains("'right'"), "{}", said.out);
    let result = format!("refs/crew/results/{id}");
    assert_eq!(sandbox.git(&["show", &format!("{result}:README")]), "left");
    assert_eq!(sandbox.git(&["show", &format!("{result}:free")]), "it");
    story::all_work_is_kept(&sandbox, &run);
}

#[test]
fn what_it_sees_of_the_world() {
    let sandbox = Sandbox::with(&[step("one", &[], "env >made; pwd >where; cat >told")]);
    sandbox.by_user(|sandbox| sandbox.git(&["config", "crew.env", "WANTED OTHER_*"]));
    let crew = sandbox.at(sandbox.user());
    let crew = crew.env("WANTED", "yes").env("OTHER_X", "yes").env("SECRET", "s3cret");
    let crew = crew.env("GIT_DIR", sandbox.common().to_str().unwrap());
    let crew = crew.env("GIT_INDEX_FILE", "/nowhere/index").env("CREW_TASK", "forged");
    crew.run(&["run", "--team", "t", "do it"]).exits(0);
    let id = sandbox.newest();
    let seen = sandbox.git(&["show", &format!("refs/crew/results/{id}:made")]);
    let value = |name: &str| {
        seen.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('=')).map(str::to_owned)
    };
    assert_eq!(value("CREW_RUN"), Some(id.clone()));
    assert_eq!(value("CREW_TASK"), Some("one".into()));
    assert_eq!(value("CREW_ATTEMPT"), Some("1".into()));
    assert_eq!(value("CREW_BASE"), Some(sandbox.git(&["rev-parse", "HEAD"])));
    assert!(value("CREW_IN").is_some() && value("CREW_OUT").is_some());
    assert_eq!((value("WANTED"), value("OTHER_X")), (Some("yes".into()), Some("yes".into())));
    assert_eq!((value("SECRET"), value("GIT_DIR")), (None, None));
    assert_eq!(value("GIT_INDEX_FILE"), None);
    let place = PathBuf::from(sandbox.git(&["show", &format!("refs/crew/results/{id}:where")]));
    assert!(place.starts_with(sandbox.top().join("state")), "{}", place.display());
}

#[test]
fn its_folder_is_told_while_it_works() {
    let sandbox = Sandbox::new();
    let up = sandbox.outside("up");
    let script = format!("echo live; touch {}; sleep 300", up.display());
    sandbox.workflow(&[step("one", &[], &script)]);
    let child = sandbox.start(&[]);
    until("the agent", || up.exists().then_some(()));
    let id = sandbox.newest();
    let folder = sandbox.crew(&["path", &id, "one"]).exits(0).out;
    assert!(PathBuf::from(folder.trim_end()).is_dir(), "{folder}");
    let live = until("its output", || {
        let said = sandbox.crew(&["log", &id, "one", "--output"]).exits(0).out;
        (!said.is_empty()).then_some(said)
    });
    assert_eq!(live, "live\n");
    assert!(sandbox.crew(&["status"]).exits(0).out.contains("running"));
    sandbox.crew(&["cancel", &id]).exits(0);
    assert_eq!(said(child).code, Some(1));
}

#[test]
fn one_that_prints_on_both_streams() {
    use sha2::{Digest, Sha256};
    let digest = |text: &str| -> String {
        Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
    };
    let prints = |name: &str| format!("printf '{name} says'; printf '{name} complains' >&2");
    let check = format!("check: {}", prints("check"));
    let sandbox = Sandbox::with(&[step("one", &[&check], &prints("agent"))]);
    let (id, _) = sandbox.run(&[], 0);
    let attempt = &story::state(&sandbox, &id)["tasks"][0]["attempts"][0];
    for (what, name) in [(&attempt["output"], "agent"), (&attempt["verdict"]["checks"][0], "check")]
    {
        assert_eq!(what["sha256"], digest(&format!("{name} says")).as_str(), "{what}");
        assert_eq!(what["err_sha256"], digest(&format!("{name} complains")).as_str(), "{what}");
    }
    assert_eq!(attempt["output"]["bytes"], "agent says".len() + "agent complains".len());
}
