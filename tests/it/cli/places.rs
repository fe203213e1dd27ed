//! Every kind of repository that the program must work in, and the one that it
//! refuses by name.

use std::path::Path;

use super::sandbox::{Sandbox, put, step};
use super::story;

fn steps() -> Vec<String> {
    vec![
        step("make", &["check: test -s made"], "cat README >made; git add made; git commit -qm m"),
        step("more", &["dependsOn: make"], "echo more >>made"),
    ]
}

/// A run from `dir` that reads and writes what it should.
#[track_caller]
fn works(sandbox: &Sandbox, dir: &Path) {
    if !sandbox.top().join("config/git-crew").exists() {
        sandbox.workflow(&steps());
    }
    let crew = sandbox.at(dir);
    crew.run(&["run", "--team", "t", "do it"]).exits(0);
    let id = sandbox.newest();
    let run = story::sound(sandbox, &id);
    assert_eq!(story::standing(&run), "completed make=completed more=completed");
    let made = sandbox.git_in(dir, &["show", &format!("refs/crew/results/{id}:made")]);
    assert_eq!(made, "hello\nmore");
    assert!(crew.run(&["status"]).exits(0).out.contains(&id));
    let shown = crew.run(&["show", &id, "--json"]).exits(0).out;
    assert!(shown.contains(&id) && shown.contains("git-crew/v1"), "{shown}");
    assert!(crew.run(&["log", &id]).exits(0).out.contains("make: attempt 1 started"));
    assert!(crew.run(&["diff", &id, "--", "--stat"]).exits(0).out.contains("made"));
}

#[test]
fn a_subfolder() {
    let sandbox = Sandbox::new();
    works(&sandbox, &sandbox.user().join("src"));
}

#[test]
fn a_linked_worktree() {
    let sandbox = Sandbox::new();
    let place = sandbox.top().join("tmp/place");
    sandbox.by_user(|sandbox| {
        sandbox.git(&["worktree", "add", "-q", place.to_str().unwrap(), "other"]);
    });
    works(&sandbox, &place);
    assert_eq!(sandbox.git_in(&place, &["status", "--porcelain"]), "");
}

#[test]
fn a_bare_repository() {
    let full = Sandbox::new();
    let sandbox = Sandbox::bare_home(&["init", "-q", "--bare", "-b", "main", "user"]);
    let source = full.user().display().to_string();
    sandbox.by_user(|sandbox| sandbox.git(&["fetch", "-q", &source, "main:main"]));
    works(&sandbox, sandbox.user());
}

#[test]
fn a_separate_git_dir() {
    let sandbox = Sandbox::bare_home(&["init", "-q", "--separate-git-dir=apart", "user"]);
    one_commit(&sandbox);
    works(&sandbox, sandbox.user());
}

#[test]
fn a_sha256_repository() {
    let sandbox = Sandbox::bare_home(&["init", "-q", "--object-format=sha256", "user"]);
    one_commit(&sandbox);
    works(&sandbox, sandbox.user());
}

fn one_commit(sandbox: &Sandbox) {
    sandbox.by_user(|sandbox| {
        put(&sandbox.user().join("README"), "hello\n");
        sandbox.git(&["add", "README"]);
        sandbox.git(&["commit", "-qm", "base"]);
    });
}

#[test]
fn a_submodule() {
    let source = Sandbox::new();
    let above = Sandbox::bare_home(&["init", "-q", "user"]);
    let url = source.user().display().to_string();
    let add = ["-c", "protocol.file.allow=always", "submodule", "--quiet", "add", &url, "sub"];
    above.by_user(|above| {
        above.git(&add);
        above.git(&["commit", "-qm", "base"]);
        for (key, value) in [("user.name", "User"), ("user.email", "user@example.org")] {
            above.git_in(&above.user().join("sub"), &["config", key, value]);
        }
    });
    above.workflow(&steps());
    let sub = Sandbox::of(&above, &above.user().join("sub"));
    works(&sub, sub.user());
    assert_eq!(above.git(&["for-each-ref", "refs/crew"]), "");
    drop(sub);
    // Its git directory lies in the one above, and was looked at as its own.
    above.seal();
}

#[test]
fn a_repository_with_submodules_is_checked_out_whole() {
    let source = Sandbox::new();
    let sandbox = Sandbox::new();
    let url = source.user().display().to_string();
    let add = ["-c", "protocol.file.allow=always", "submodule", "--quiet", "add", &url, "sub"];
    sandbox.by_user(|sandbox| {
        sandbox.git(&add);
        sandbox.git(&["commit", "-qm", "sub"]);
    });
    sandbox.workflow(&[step("see", &[], "echo it >made; ls -la sub >listing")]);
    let (id, _) = sandbox.run(&[], 0);
    let links = sandbox.git(&["ls-tree", &format!("refs/crew/results/{id}"), "sub"]);
    assert!(links.starts_with("160000 commit "), "{links}");
}

#[test]
fn a_reftable_repository_is_refused_by_name() {
    let top = Sandbox::bare_home(&["init", "-q", "user"]);
    let place = top.top().join("tmp/reftable");
    let words = ["init", "-q", "--ref-format=reftable", place.to_str().unwrap()];
    if top.try_git(top.top(), &words).code != Some(0) {
        let skipped = std::io::Write::write_all(
            &mut std::io::stderr(),
            b"skipped: this git makes no reftable repositories\n",
        );
        return skipped.expect("standard error is open");
    }
    let before = super::fingerprint::files_below(&place);
    for words in [&["run", "do it"][..], &["status"], &["show"], &["cancel"], &["resume"]] {
        top.at(&place).run(words).refused(128, &["reftable"]);
    }
    assert_eq!(super::fingerprint::files_below(&place), before);
}
