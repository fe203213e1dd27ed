//! Repositories that are damaged, full, newer or not to be written.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::sandbox::{Sandbox, step};
use super::story;

/// A sandbox with one run that is over.
fn with_a_run() -> (Sandbox, String) {
    let sandbox = Sandbox::with(&[
        step("first", &[], "echo one >made; echo said"),
        step("second", &["dependsOn: first"], "echo two >>made"),
    ]);
    let (id, _) = sandbox.run(&[], 0);
    (sandbox, id)
}

/// The file of a loose object.
fn object(sandbox: &Sandbox, revision: &str) -> (PathBuf, String) {
    let id = sandbox.git(&["rev-parse", revision]);
    let (start, rest) = id.split_at(2);
    let path = sandbox.common().join("objects").join(start).join(rest);
    (path, id)
}

/// The copies by which a hole would be filled are taken away.
fn without_copies(sandbox: &Sandbox) {
    let recent = sandbox.common().join("crew/recent");
    if recent.exists() {
        fs::remove_dir_all(recent).unwrap();
    }
}

fn writable(path: &Path) {
    fs::set_permissions(path, fs::Permissions::from_mode(0o644)).unwrap();
}

#[test]
fn a_hole_in_a_chain_is_named_and_the_rest_is_readable() {
    let (sandbox, id) = with_a_run();
    without_copies(&sandbox);
    let events = story::events(&sandbox, &id).len();
    let (path, hole) = object(&sandbox, &format!("refs/crew/runs/{id}~3"));
    let bytes = fs::read(&path).unwrap();
    fs::remove_file(&path).unwrap();
    let log = sandbox.crew(&["log", &id]).exits(70);
    assert_eq!(log.out.lines().count(), 3, "{}", log.out);
    assert!(log.err.contains(&hole) && log.err.contains("hint: "), "{}", log.err);
    sandbox.crew(&["show", &id]).exits(0);
    sandbox.crew(&["status"]).exits(0);
    fs::write(&path, bytes).unwrap();
    assert_eq!(sandbox.crew(&["log", &id]).exits(0).out.lines().count(), events);
}

#[test]
fn a_hole_that_was_made_a_moment_ago_is_filled() {
    let (sandbox, id) = with_a_run();
    let (path, _) = object(&sandbox, &format!("refs/crew/runs/{id}~3"));
    fs::remove_file(&path).unwrap();
    let events = sandbox.crew(&["log", &id]).exits(0).out.lines().count();
    assert_eq!(story::events(&sandbox, &id).len(), events);
    story::sound(&sandbox, &id);
}

#[test]
fn a_damaged_event_is_named_and_so_is_a_damaged_tip() {
    let (sandbox, id) = with_a_run();
    without_copies(&sandbox);
    let (path, broken) = object(&sandbox, &format!("refs/crew/runs/{id}~2"));
    let whole = fs::read(&path).unwrap();
    writable(&path);
    fs::write(&path, b"no object at all").unwrap();
    let log = sandbox.crew(&["log", &id]).exits(70);
    assert!(log.err.contains(&broken), "{}", log.err);
    assert_eq!(log.out.lines().count(), 2);
    fs::write(&path, whole).unwrap();
    let (path, broken) = object(&sandbox, &format!("refs/crew/runs/{id}"));
    let whole = fs::read(&path).unwrap();
    writable(&path);
    fs::write(&path, b"").unwrap();
    let tip = sandbox.git(&["rev-parse", &format!("refs/crew/runs/{id}")]);
    for words in [&["show", &id][..], &["resume", &id], &["cancel", &id], &["retry", &id]] {
        let said = sandbox.crew(words).exits(70);
        assert!(said.err.contains(&broken), "{words:?}: {}", said.err);
    }
    let listed = sandbox.crew(&["status"]).exits(0);
    assert!(listed.out.contains(&id), "it is listed as unreadable: {}", listed.out);
    assert_eq!(sandbox.git(&["rev-parse", &format!("refs/crew/runs/{id}")]), tip);
    // Others can still be started.
    let other = sandbox.crew(&["run", "--team", "t", "another"]).exits(0);
    assert!(other.out.contains("completed"));
    fs::write(&path, whole).unwrap();
    story::sound(&sandbox, &id);
}

/// The same chain with one more event, of which `edit` has changed the message
/// and the state.
fn edited(sandbox: &Sandbox, id: &str, edit: impl Fn(&str) -> String) -> String {
    let tip = format!("refs/crew/runs/{id}");
    let message = edit(&sandbox.git(&["log", "-1", "--format=%B", &tip]));
    let state = edit(&sandbox.git(&["show", &format!("{tip}:run.json")]));
    let file = sandbox.outside("run.json");
    fs::write(&file, state).unwrap();
    let blob = sandbox.git(&["hash-object", "-w", file.to_str().unwrap()]);
    let index = sandbox.outside("index").display().to_string();
    let git = |words: &[&str]| {
        let mut git = sandbox.command("git", sandbox.user());
        let done = git.args(words).env("GIT_INDEX_FILE", &index).output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8(done.stdout).unwrap().trim().to_owned()
    };
    git(&["read-tree", &tip]);
    git(&["update-index", "--add", "--cacheinfo", &format!("100644,{blob},run.json")]);
    let tree = git(&["write-tree"]);
    git(&["commit-tree", &tree, "-p", &format!("{tip}~1"), "-m", &message])
}

#[test]
fn a_newer_format_is_refused_by_name() {
    let (sandbox, id) = with_a_run();
    for (version, readable) in [("2.0", false), ("1.9", true)] {
        let newer = edited(&sandbox, &id, |text| {
            text.replace("Crew-Format: 1.2", &format!("Crew-Format: {version}"))
                .replace("\"1.2\"", &format!("\"{version}\""))
                .replace(&id, "zzzz-newer")
        });
        let name = "refs/crew/runs/zzzz-newer";
        sandbox.git(&["update-ref", name, &newer]);
        let state = sandbox.git(&["show", &format!("{newer}:run.json")]);
        assert!(state.contains(version), "{state}");
        let shown = sandbox.crew(&["show", "zzzz"]);
        assert_eq!(shown.code == Some(0), readable, "{version}: {}", shown.err);
        assert!(readable || shown.err.contains(version), "{}", shown.err);
        for command in ["retry", "cancel", "resume"] {
            let said = sandbox.crew(&[command, "zzzz"]);
            assert_ne!(said.code, Some(0), "{command} on {version}");
            assert_eq!(sandbox.git(&["rev-parse", name]), newer, "{command} wrote on {version}");
        }
        sandbox.crew(&["status"]).exits(0);
        sandbox.git(&["update-ref", "-d", name]);
    }
}

/// Mounts over a folder, if this user may; unmounts at the end.
struct Mount(PathBuf);

impl Mount {
    fn make(sandbox: &Sandbox, words: &[&str], at: &Path) -> Option<Self> {
        fs::create_dir_all(at).unwrap();
        let mut mount = sandbox.command("mount", sandbox.top());
        let done = mount.args(words).arg(at).output();
        if done.is_ok_and(|done| done.status.success()) {
            return Some(Self(at.to_owned()));
        }
        let skipped = b"skipped: this user may not mount file systems\n";
        std::io::Write::write_all(&mut std::io::stderr(), skipped).unwrap();
        None
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        // Lazily: a git that still ends must not keep it.
        let _ = std::process::Command::new("umount").arg("-l").arg(&self.0).output();
    }
}

#[test]
fn a_repository_that_may_not_be_written_can_be_read() {
    let (sandbox, id) = with_a_run();
    let place = sandbox.outside("read-only");
    let source = sandbox.user().display().to_string();
    let Some(_mount) = Mount::make(&sandbox, &["--bind", &source], &place) else { return };
    let target = place.display().to_string();
    let mut again = sandbox.command("mount", sandbox.top());
    let done = again.args(["-o", "remount,bind,ro", &target]).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let crew = sandbox.at(&place);
    for words in [
        &["status"][..],
        &["show", &id],
        &["show", &id, "first"],
        &["show", &id, "first", "--prompt"],
        &["log", &id],
        &["log", &id, "first", "--output"],
        &["diff", &id],
        &["wait", &id],
        &["run", "--team", "t", "--dry-run", "x"],
    ] {
        crew.run(words).exits(0);
    }
    for words in [&["run", "--team", "t", "x"][..], &["cancel", &id], &["retry", &id]] {
        let said = crew.run(words);
        assert!(matches!(said.code, Some(1 | 70)), "{words:?}: {:?} {}", said.code, said.err);
        assert!(said.err.contains("error: "), "{}", said.err);
    }
    let said = crew.run(&["run", "--team", "t", "x"]).exits(70);
    assert!(said.err.contains("read-only") || said.err.contains("Read-only"), "{}", said.err);
}

/// Every folder that it could write to is the same afterwards, its own repository
/// with the times of its folders.
#[test]
fn doctor_looks_at_a_repository_that_may_not_be_written() {
    let (sandbox, _) = with_a_run();
    let all = || {
        let stamped = |path: &Path| {
            let list =
                sandbox.command("find", path).args([".", "-printf", "%p %s %T@\\n"]).output();
            let mut lines: Vec<String> = String::from_utf8(list.unwrap().stdout)
                .unwrap()
                .lines()
                .map(str::to_owned)
                .collect();
            lines.sort();
            lines
        };
        let top = ["home", "config", "state", "cache", "data"].map(|name| sandbox.top().join(name));
        top.iter().chain([&sandbox.common()]).map(|path| stamped(path)).collect::<Vec<_>>()
    };
    let findings = |said: super::sandbox::Said| {
        let told: serde_json::Value = serde_json::from_str(&said.out).unwrap();
        let list = told["data"]["findings"].as_array().unwrap().clone();
        list.into_iter()
            .map(|one| (one["check"].clone(), one["weight"].clone()))
            .collect::<Vec<_>>()
    };
    let before = all();
    let well = findings(sandbox.crew(&["doctor", "--json"]).exits(0));
    assert_eq!(all(), before, "it writes");
    let place = sandbox.outside("read-only");
    let source = sandbox.user().display().to_string();
    let Some(_mount) = Mount::make(&sandbox, &["--bind", &source], &place) else { return };
    let target = place.display().to_string();
    let mut again = sandbox.command("mount", sandbox.top());
    assert!(again.args(["-o", "remount,bind,ro", &target]).status().unwrap().success());
    let ill = findings(sandbox.at(&place).run(&["doctor", "--json"]).exits(1));
    assert_eq!(all(), before, "it writes");
    // The same findings but for the one that is the matter, and the fence, which
    // can't be tried where nothing can be written.
    let tried = |(one, other): &(&(_, _), &(serde_json::Value, serde_json::Value))| {
        one != other && !(other.0 == "fence" && other.1 == "note")
    };
    let differ: Vec<_> = well.iter().zip(&ill).filter(tried).collect();
    assert_eq!(well.len(), ill.len());
    let [(_, (check, weight))] = differ[..] else { panic!("{differ:?}") };
    assert_eq!((check, weight), (&"repository".into(), &"wrong".into()));
}

#[test]
fn a_full_disk_loses_nothing() {
    let sandbox = Sandbox::bare_home(&["init", "-q", "user"]);
    let place = sandbox.outside("small");
    let words = ["-t", "tmpfs", "-o", "size=8m", "tmpfs"];
    let Some(_mount) = Mount::make(&sandbox, &words, &place) else { return };
    let user = place.join("user");
    sandbox.git_in(&place, &["init", "-q", "-b", "main", "user"]);
    let small = Sandbox::of(&sandbox, &user);
    small.git(&["config", "user.name", "User"]);
    small.git(&["config", "user.email", "user@example.org"]);
    // The one that fills the disk must get through the fence.
    for folder in [&place, &sandbox.outside("")] {
        small.git(&["config", "--add", "crew.allowWrite", &folder.display().to_string()]);
    }
    fs::write(user.join("README"), "hello\n").unwrap();
    small.git(&["add", "README"]);
    small.git(&["commit", "-qm", "base"]);
    small.seal();
    let filler = place.join("filler");
    let (fill, up) = (filler.display().to_string(), sandbox.outside("up").display().to_string());
    let script = format!(
        "echo half >made; test -e {up} && exit 0; touch {up}; \
         head -c 20000000 /dev/zero >{fill} 2>/dev/null || true; \
         head -c 3000000 /dev/urandom >noise"
    );
    sandbox.workflow(&[
        step("first", &[], "echo first >first"),
        step("second", &["dependsOn: first", "retries: 1"], &script),
    ]);
    small.seal();
    let said = small.crew(&["run", "--team", "t", "do it"]);
    let id = small.newest();
    assert_ne!(said.code, Some(0), "{}{}", said.out, said.err);
    // The disk is still full: what is there can be read.
    assert!(small.crew(&["status"]).exits(0).out.contains(&id));
    small.crew(&["show", &id]).exits(0);
    small.crew(&["log", &id]).exits(0);
    fs::remove_file(&filler).unwrap();
    small.crew(&["status"]).exits(0);
    let again = match small.crew(&["show", &id, "--json"]).exits(0).out {
        json if json.contains("\"status\": \"running\"")
            || json.contains("\"status\":\"running\"") =>
        {
            small.crew(&["resume", &id])
        }
        _ => small.crew(&["retry", &id]),
    };
    again.exits(0);
    let run = story::sound(&small, &id);
    assert_eq!(story::standing(&run), "completed first=completed second=completed");
    assert_eq!(run.tasks[0].attempts.len(), 1);
}
