//! Every way out that was tried, as a script. It prints `through` when it got
//! through.

use std::io::Write;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};

use git_crew::world::process::End;
use nix::fcntl::{FcntlArg, RenameFlags, fcntl, renameat2};

use super::stage::{Stage, complained, landlock, run, said};

/// One attack.
pub(super) struct Attack {
    pub(super) name: &'static str,
    pub(super) script: &'static str,
    /// It may fail without a fence, too: for want of rights or of a program.
    unsure: bool,
}

const fn sure(name: &'static str, script: &'static str) -> Attack {
    Attack { name, script, unsure: false }
}

const fn unsure(name: &'static str, script: &'static str) -> Attack {
    Attack { name, script, unsure: true }
}

pub(super) const WRITES: &[Attack] = &[
    sure("write a tracked file", "echo x >> \"$U/README\" && echo through"),
    sure("make a file in the checkout", ": > \"$U/new\" && echo through"),
    sure("make a folder in the checkout", "mkdir \"$U/new\" && echo through"),
    sure("unlink", "rm \"$U/README\" && echo through"),
    sure("rename out", "mv \"$U/README\" \"$S/\" && echo through"),
    sure("rename in", "mv \"$S/mine\" \"$U/\" && echo through"),
    sure("rename over", "mv -f \"$S/mine\" \"$U/README\" && echo through"),
    sure("exchange", "ACT=exchange \"$SELF\" --exact --ignored fence::attacks::acts --nocapture"),
    sure("empty", "truncate -s 0 \"$U/README\" && echo through"),
    sure("config", "git -C \"$U\" config core.fsmonitor /tmp/x && echo through"),
    sure("config in place", "echo '[alias]x=!x' >> \"$U/.git/config\" && echo through"),
    sure("hook", "echo x >> \"$U/.git/hooks/pre-commit\" && echo through"),
    sure("new hook", "echo x > \"$U/.git/hooks/post-commit\" && echo through"),
    sure("info", "echo x >> \"$U/.git/info/exclude\" && echo through"),
    sure("HEAD", "echo x > \"$U/.git/HEAD\" && echo through"),
    sure("index", "echo x >> \"$U/.git/index\" && echo through"),
    sure("ref", "git -C \"$U\" update-ref refs/heads/new HEAD && echo through"),
    sure("ref in place", "echo x > \"$U/.git/refs/heads/main\" && echo through"),
    sure("packed-refs", "echo x >> \"$U/.git/packed-refs\" && echo through"),
    sure("reflog", "echo x >> \"$U/.git/logs/HEAD\" && echo through"),
    sure("stash", "echo x > \"$U/.git/refs/stash\" && echo through"),
    sure("object", "echo x | git -C \"$U\" hash-object -w --stdin && echo through"),
    sure("alternates", "echo /x > \"$U/.git/objects/info/alternates\" && echo through"),
    sure("gc", "git -C \"$U\" gc -q --prune=now && echo through"),
    sure("commit", "git -C \"$U\" commit -q --allow-empty -m x && echo through"),
    sure("checkout", "git -C \"$U\" checkout -q other && echo through"),
    sure("our own folder", "echo x > \"$U/.git/crew/write.lock\" && echo through"),
    sure("another slot", "echo x > \"$O/file\" && echo through"),
    sure("what it was given", "echo x >> \"$S/../in/prompt.md\" && echo through"),
    sure("the slot's own top", ": > \"$S/../new\" && echo through"),
    sure("home", "echo x >> \"$HOME/.profile\" && echo through"),
    sure("new in home", ": > \"$HOME/.bashrc\" && echo through"),
    sure("global config", "git config --global core.pager x && echo through"),
    sure("a file in /tmp", "f=$(mktemp -p /tmp) && rm \"$f\" && echo through"),
];

pub(super) const DETOURS: &[Attack] = &[
    sure("symlink to a file", "ln -s \"$U/README\" l && echo x >> l && echo through"),
    sure("symlink to a folder", "ln -s \"$U\" l && echo x > l/README && echo through"),
    sure("relative path", "echo x >> ../../user/README && echo through"),
    sure("own root", "echo x >> \"/proc/self/root$U/README\" && echo through"),
    sure("parent's folder", "echo x >> \"/proc/$PPID/root$U/README\" && echo through"),
    unsure("orchestrator's root", "echo x >> \"/proc/$US/root$U/README\" && echo through"),
    unsure(
        "victim's memory",
        "head -c 1 \"/proc/$VICTIM/mem\" 2>&1 | grep -q 'put/output' && echo through",
    ),
    unsure("victim's descriptors", "readlink \"/proc/$VICTIM/fd/1\" && echo through"),
    unsure("out of memory", "echo 1 > \"/proc/$VICTIM/oom_score_adj\" && echo through"),
    sure("hard link in", "ln \"$U/README\" l && echo x >> l && echo through"),
    sure("hard link out", "ln mine \"$U/l\" && echo through"),
    sure("folder out", "mkdir d && mv d \"$U/d\" && echo through"),
    sure("reopened descriptor", "exec 3< \"$U/README\"; echo x >> /proc/self/fd/3 && echo through"),
    sure("daemon", "setsid sh -c 'echo x >> \"$U/README\" && echo through' & wait"),
    sure("copied program", "cp \"$(command -v cp)\" c && ./c mine \"$U/README\" && echo through"),
    unsure("block device", "mknod d b 254 0 && echo through"),
    unsure("character device", "mknod d c 1 1 && echo through"),
    unsure("mount", "mount --bind . \"$U\" && umount \"$U\" && echo through"),
    unsure("user namespace", "unshare -rm mount -t tmpfs none \"$U\" && echo through"),
    unsure(
        "core pattern",
        "p=$(cat /proc/sys/kernel/core_pattern) && echo \"$p\" > /proc/sys/kernel/core_pattern && echo through",
    ),
    unsure(
        "debugger",
        "timeout 1 strace -qq -o /dev/null -p \"$VICTIM\"; [ $? = 124 ] && echo through",
    ),
];

pub(super) const PROCESSES: &[Attack] = &[
    sure("limit the orchestrator", "prlimit --pid \"$US\" --core=1:1 && echo through"),
    sure("limit another", "prlimit --pid \"$VICTIM\" --cpu=1:1 && echo through"),
    sure("slow another down", "renice -n 5 -p \"$VICTIM\" && echo through"),
    sure("slow a group down", "renice -n 5 -g \"$VICTIM\" && echo through"),
    sure("starve another", "ionice -c 3 -p \"$VICTIM\" && echo through"),
    sure("stop another", "kill -STOP \"$VICTIM\" && kill -CONT \"$VICTIM\" && echo through"),
    sure("kill the shim", "kill -CONT $PPID && echo through"),
    sure(
        "abstract socket",
        "ACT=abstract \"$SELF\" --exact --ignored fence::attacks::acts --nocapture",
    ),
];

/// What a program does that must go on working.
pub(super) const HONEST: &[(&str, &str)] = &[
    ("its slot", "echo x > new && mkdir -p a/b && mv new a/b/ && ln a/b/new l && rm -r a l"),
    ("its folder for results", "echo x > ../out/report.md"),
    ("its temporary folder", "mktemp && mkfifo \"$TMPDIR/p\""),
    ("shared memory", "f=$(mktemp -p /dev/shm) && rm \"$f\""),
    ("devices", "echo x > /dev/null && head -c 1 /dev/urandom > /dev/zero"),
    ("a terminal", "script -qec true /dev/null < /dev/null > /dev/null"),
    ("its own limits", "ulimit -n 100 && nice -n 1 true"),
    ("its own children", "sleep 60 & kill -KILL $!; wait; true"),
    ("reading", "cat \"$U/README\" \"$HOME/key\""),
    (
        "git of its own",
        "git init -q r && cd r && git -c user.name=a -c user.email=a@b commit -q --allow-empty -m x",
    ),
    ("substitution and pipes", "bash -c 'cat <(echo x)'"),
];

#[test]
fn a_fenced_program_gets_through_nowhere() {
    let Some(support) = landlock() else { return };
    let mut stage = Stage::new();
    let _listening = listen(&stage);
    let before = stage.listing();
    for attack in WRITES.iter().chain(DETOURS).chain(PROCESSES) {
        stage.new_slot();
        let report = run(stage.spec(attack.script, Some(stage.fence(&support))));
        let words = format!("{}: {report:?} {}", attack.name, complained(&report));
        assert!(matches!(report.end, End::Exited(_)), "{words}");
        if attack.name.contains("abstract") && support.usable_abi() < 6 {
            println!("skipped: signals and abstract sockets need landlock 6");
            continue;
        }
        assert!(!said(&report).contains("through"), "{words}");
        assert_eq!(before, stage.listing(), "{words}");
        assert!(stage.victim_lives(), "{words}");
    }
}

/// Which proves that each of them is an attack.
#[test]
fn without_a_fence_they_all_get_through() {
    for attack in WRITES.iter().chain(DETOURS).chain(PROCESSES).filter(|attack| !attack.unsure) {
        let stage = Stage::new();
        let _listening = listen(&stage);
        let report = run(stage.spec(attack.script, None));
        let words = format!("{}: {report:?} {}", attack.name, complained(&report));
        assert!(said(&report).contains("through"), "{words}");
    }
}

#[test]
fn honest_work_goes_on_in_a_fence() {
    let Some(support) = landlock() else { return };
    let stage = Stage::new();
    for (name, script) in HONEST {
        stage.new_slot();
        let before = stage.listing();
        let report = run(stage.spec(script, Some(stage.fence(&support))));
        let words = format!("{name}: {report:?} {}", complained(&report));
        assert_eq!(report.end, End::Exited(0), "{words}");
        assert_eq!(before, stage.listing(), "{words}");
    }
}

#[test]
fn a_descriptor_that_was_open_is_not_handed_on() {
    let stage = Stage::new();
    let file = std::fs::File::options().append(true).open(stage.at("user/README")).unwrap();
    let open = fcntl(&file, FcntlArg::F_DUPFD(100)).unwrap();
    let script = format!("bash -c 'echo x >&{open} && echo through'");
    let report = run(stage.spec(&script, None));
    assert!(!said(&report).contains("through"), "{report:?}");
    assert_eq!(std::fs::read(stage.at("user/README")).unwrap(), b"hello\n");
    nix::unistd::close(open).unwrap();
}

#[test]
fn what_can_t_be_granted_or_is_promised_too_much_is_not_started() {
    let Some(support) = landlock() else { return };
    let stage = Stage::new();
    let gone = stage.fence(&support).with([stage.at("gone")]);
    let mut newer = stage.fence(&support);
    newer.abi = 99;
    for (fence, why) in [(gone, "can't grant"), (newer, "landlock 99 was promised")] {
        let report = run(stage.spec("echo through", Some(fence)));
        let End::CannotStart(said) = &report.end else { panic!("{report:?}") };
        assert!(said.contains(why), "{said}");
        assert_eq!(report.stdout.bytes, 0);
    }
}

/// A socket by name.
pub(super) fn listen(stage: &Stage) -> UnixListener {
    let name = stage.at("abstract");
    let address = SocketAddr::from_abstract_name(name.as_os_str().as_encoded_bytes()).unwrap();
    UnixListener::bind_addr(&address).unwrap()
}

/// What a shell can't do.
#[test]
#[ignore = "a part of the attacks"]
fn acts() {
    let path = |name: &str| std::path::PathBuf::from(std::env::var_os(name).unwrap());
    let here = nix::fcntl::AT_FDCWD;
    let done = match std::env::var("ACT").unwrap().as_str() {
        "exchange" => {
            let (mine, theirs) = (path("S").join("mine"), path("U").join("README"));
            let flags = RenameFlags::RENAME_EXCHANGE;
            renameat2(here, &mine, here, &theirs, flags).is_ok()
        }
        "abstract" => {
            let name = path("U").with_file_name("abstract");
            let name = name.as_os_str().as_encoded_bytes();
            let address = SocketAddr::from_abstract_name(name).unwrap();
            UnixStream::connect_addr(&address).is_ok()
        }
        "path" => UnixStream::connect(path("HOME").join("agent.sock")).is_ok(),
        other => panic!("{other}"),
    };
    if done {
        std::io::stdout().write_all(b"through\n").unwrap();
    }
}
