//! What an attack is about: a user's repository and home, a slot, another slot,
//! and a process of the user's.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use git_crew::world::fence::{Fence, Support};
use git_crew::world::process::{Limits, OutputSpec, Report, Spec, Stdin, StopRequest, Supervisor};
use tokio::sync::watch;

/// The fence of this machine, or `None` after saying why there is none.
pub(super) fn landlock() -> Option<Support> {
    let support = Support::probe();
    if let Some(lack) = support.lack() {
        println!("skipped: {lack}");
        return None;
    }
    Some(support)
}

pub(super) struct Stage {
    pub(super) top: tempfile::TempDir,
    victim: Child,
}

impl Stage {
    pub(super) fn new() -> Self {
        let top = tempfile::Builder::new().prefix("crew-fence-").tempdir().unwrap();
        let at = |name: &str| top.path().join(name);
        for folder in ["home", "slot/tree", "slot/git", "slot/tmp", "slot/out", "slot/in", "other"]
        {
            fs::create_dir_all(at(folder)).unwrap();
        }
        for (file, text) in
            [("home/.profile", "true\n"), ("home/key", "secret\n"), ("other/file", "theirs\n")]
        {
            fs::write(at(file), text).unwrap();
        }
        fs::write(at("slot/in/prompt.md"), "do it\n").unwrap();
        // Alive for longer than any attack, dead with the test, and alone in its
        // group: an attack on the group is one on nobody else.
        let mut victim = Command::new("sleep");
        let victim = victim.arg("300").stdout(Stdio::null()).process_group(0).spawn().unwrap();
        let stage = Self { top, victim };
        stage.repository();
        stage.new_slot();
        stage
    }

    /// A slot in which no attack has left anything.
    pub(super) fn new_slot(&self) {
        for folder in ["tree", "git", "tmp", "out"].map(|name| self.at("slot").join(name)) {
            let _ = fs::remove_dir_all(&folder);
            fs::create_dir(&folder).unwrap();
        }
        fs::write(self.at("slot/tree/mine"), "mine\n").unwrap();
    }

    fn repository(&self) {
        let user = self.at("user");
        self.git(&["init", "-q", "-b", "main", user.to_str().unwrap()]);
        fs::write(user.join("README"), "hello\n").unwrap();
        let git = |words: &[&str]| self.git(&[&["-C", user.to_str().unwrap()], words].concat());
        git(&["config", "user.name", "User"]);
        git(&["config", "user.email", "user@example.org"]);
        git(&["add", "-A"]);
        git(&["commit", "-qm", "base"]);
        git(&["branch", "other"]);
        git(&["pack-refs", "--all"]);
        fs::create_dir_all(user.join(".git/crew")).unwrap();
        fs::write(user.join(".git/crew/write.lock"), "").unwrap();
        fs::create_dir_all(user.join(".git/hooks")).unwrap();
        let hook = user.join(".git/hooks/pre-commit");
        fs::write(&hook, "#!/bin/sh\n").unwrap();
        fs::set_permissions(hook, fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn git(&self, words: &[&str]) {
        let mut git = Command::new("git");
        git.args(words).env("HOME", self.at("home"));
        git.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
        assert!(git.status().unwrap().success(), "git {words:?}");
    }

    pub(super) fn at(&self, name: &str) -> PathBuf {
        self.top.path().join(name)
    }

    /// The fence of a slot.
    pub(super) fn fence(&self, support: &Support) -> Fence {
        Fence::new(support)
            .with(["tree", "git", "tmp", "out"].map(|name| self.at("slot").join(name)))
    }

    /// A script in the slot, with names for what it may be after.
    pub(super) fn spec(&self, script: &str, fence: Option<Fence>) -> Spec {
        let pair = |name: &str, value: &Path| (name.into(), value.as_os_str().to_owned());
        let mut env = vec![
            pair("U", &self.at("user")),
            pair("HOME", &self.at("home")),
            pair("S", &self.at("slot/tree")),
            pair("O", &self.at("other")),
            pair("TMPDIR", &self.at("slot/tmp")),
            pair("SELF", &std::env::current_exe().unwrap()),
        ];
        env.push(("PATH".into(), std::env::var_os("PATH").unwrap()));
        env.push(("VICTIM".into(), self.victim.id().to_string().into()));
        env.push(("US".into(), std::process::id().to_string().into()));
        env.push(("GIT_CONFIG_NOSYSTEM".into(), "1".into()));
        Spec {
            program: "sh".into(),
            args: vec!["-c".into(), script.into()],
            cwd: self.at("slot/tree"),
            env,
            stdin: Stdin::Null,
            limits: Limits {
                wall: Some(Duration::from_secs(60)),
                idle: None,
                grace: Duration::ZERO,
            },
            output: OutputSpec { live: None, head: 1 << 20, tail: 1 << 20 },
            fence,
        }
    }

    pub(super) fn victim_lives(&mut self) -> bool {
        self.victim.try_wait().unwrap().is_none()
    }

    /// Everything of the user's: path, kind, mode, times, content.
    pub(super) fn listing(&self) -> BTreeMap<PathBuf, String> {
        let mut seen = BTreeMap::new();
        for folder in ["user", "home", "other", "slot/in"] {
            list(&self.at(folder), &mut seen);
        }
        seen
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        let _ = self.victim.kill();
        let _ = self.victim.wait();
    }
}

fn list(path: &Path, seen: &mut BTreeMap<PathBuf, String>) {
    let Ok(meta) = path.symlink_metadata() else { return };
    let content = match fs::read(path) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(_) => String::new(),
    };
    let about = format!("{:o} {}.{} {content}", meta.mode(), meta.mtime(), meta.mtime_nsec());
    seen.insert(path.to_owned(), about);
    if meta.is_dir() {
        for entry in fs::read_dir(path).into_iter().flatten().flatten() {
            list(&entry.path(), seen);
        }
    }
}

/// Runs to the end; the shim is the built program.
pub(super) fn run(spec: Spec) -> Report {
    let supervisor = Supervisor { shim: env!("CARGO_BIN_EXE_git-crew").into() };
    let (_ask, stop) = watch::channel(StopRequest::None);
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(supervisor.run(spec, stop)).expect("a report")
}

/// What a program printed on its standard output.
pub(super) fn said(report: &Report) -> String {
    String::from_utf8_lossy(&report.stdout.head).into_owned()
}

/// What a program printed on its standard error.
pub(super) fn complained(report: &Report) -> String {
    String::from_utf8_lossy(&report.stderr.head).into_owned()
}
