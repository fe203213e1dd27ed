//! What is stronger by choice: files that can't be read, and a box.

use std::fs;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use git_crew::world::fence::{Fence, Support, sockets, try_bwrap};
use git_crew::world::process::End;

use super::attacks::{Attack, DETOURS, HONEST, PROCESSES, WRITES, listen};
use super::stage::{Stage, complained, landlock, run, said};

/// The box of this machine, or `None` after saying why there is none.
fn bwrap() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap();
    let found = std::env::split_paths(&path).map(|folder| folder.join("bwrap"));
    let Some(program) = found.into_iter().find(|path| path.is_file()) else {
        println!("skipped: bwrap is not installed");
        return None;
    };
    let environment = [("PATH".into(), path)];
    match try_bwrap(&program, &environment) {
        Ok(()) => Some(program),
        Err(why) => {
            println!("skipped: {why}");
            None
        }
    }
}

fn boxed(stage: &Stage, support: &Support, bwrap: &Path) -> Fence {
    let mut fence = stage.fence(support);
    fence.bwrap = Some(bwrap.to_owned());
    fence
}

#[test]
fn nothing_gets_out_of_a_box() {
    let Some(bwrap) = bwrap() else { return };
    let support = Support::probe();
    let mut stage = Stage::new();
    let _listening = listen(&stage);
    let before = stage.listing();
    let user = stage.at("user").display().to_string();
    // What a fence alone can't refuse.
    let chmod = format!("chmod 600 {user}/README && echo through");
    let touch = format!("touch -d 2001-01-01 {user}/README && echo through");
    let more = [("chmod", chmod.as_str()), ("utime", touch.as_str())];
    let attacks = WRITES.iter().chain(DETOURS).chain(PROCESSES);
    let attacks = attacks.map(|Attack { name, script, .. }| (*name, *script));
    for (name, script) in attacks.chain(more) {
        // Its parent is the box's own first process.
        if name == "kill the shim" || (name == "abstract socket" && support.usable_abi() < 6) {
            continue;
        }
        stage.new_slot();
        let report = run(stage.spec(script, Some(boxed(&stage, &support, &bwrap))));
        let words = format!("{name}: {report:?} {} {}", said(&report), complained(&report));
        assert!(matches!(report.end, End::Exited(_)), "{words}");
        assert!(!said(&report).contains("through"), "{words}");
        assert_eq!(before, stage.listing(), "{words}");
        assert!(stage.victim_lives(), "{words}");
    }
}

#[test]
fn honest_work_goes_on_in_a_box() {
    let Some(bwrap) = bwrap() else { return };
    let support = Support::probe();
    let stage = Stage::new();
    for (name, script) in HONEST {
        stage.new_slot();
        let report = run(stage.spec(script, Some(boxed(&stage, &support, &bwrap))));
        let words = format!("{name}: {report:?} {}", complained(&report));
        assert_eq!(report.end, End::Exited(0), "{words}");
    }
    for (script, code) in [("exit 7", 7), ("kill -KILL $$", 137)] {
        let report = run(stage.spec(script, Some(boxed(&stage, &support, &bwrap))));
        assert_eq!(report.end, End::Exited(code), "{report:?}");
    }
    let mut spec = stage.spec("", Some(boxed(&stage, &support, &bwrap)));
    spec.program = "no-such-program".into();
    assert_eq!(run(spec).end, End::Exited(127));
}

#[test]
fn a_socket_that_somebody_listens_on_is_hidden_by_a_box_only() {
    let support = Support::probe();
    let stage = Stage::new();
    let path = stage.at("home/agent.sock");
    let _listening = UnixListener::bind(&path).unwrap();
    let attack = "ACT=path \"$SELF\" --exact --ignored fence::attacks::acts --nocapture";
    assert!(sockets(&[]).contains(&path.canonicalize().unwrap()), "it is named");
    assert!(said(&run(stage.spec(attack, None))).contains("through"));
    if let Some(bwrap) = bwrap() {
        let report = run(stage.spec(attack, Some(boxed(&stage, &support, &bwrap))));
        assert!(!said(&report).contains("through"), "{report:?} {}", complained(&report));
    }
    if landlock().is_some() {
        let report = run(stage.spec(attack, Some(stage.fence(&support))));
        // The documentation says so, and from which version on no more.
        assert_eq!(said(&report).contains("through"), support.usable_abi() < 9, "{report:?}");
    }
}

#[test]
fn what_may_not_be_read_is_not_read() {
    let fences: Vec<(&str, Option<PathBuf>)> =
        [landlock().map(|_| ("landlock", None)), bwrap().map(|program| ("bwrap", Some(program)))]
            .into_iter()
            .flatten()
            .collect();
    let support = Support::probe();
    for (what, bwrap) in fences {
        let stage = Stage::new();
        fs::create_dir(stage.at("home/.ssh")).unwrap();
        fs::write(stage.at("home/.ssh/id"), "secret\n").unwrap();
        std::os::unix::fs::symlink(stage.at("home/.ssh"), stage.at("home/link")).unwrap();
        let mut fence = stage.fence(&support);
        fence.bwrap = bwrap;
        fence.hidden = vec![stage.at("home/link"), stage.at("home/key"), stage.at("user/.git")];
        fence.readable = vec![stage.at("user/.git/objects"), stage.at("slot/in")];
        let script =
            "for f in \"$HOME/.ssh/id\" \"$HOME/link/id\" \"$HOME/key\" \"$U/.git/config\" \
             \"/proc/self/root$HOME/key\"; do cat \"$f\" && echo through; done
             ln -s \"$HOME/.ssh\" l; cat l/id && echo through
             flock -n \"$U/.git/crew/write.lock\" true && echo through
             ls \"$U/.git/objects\" | grep -q info && cat \"$U/README\" \"$HOME/.profile\" mine \
             ../in/prompt.md && sh -c true && echo x >new && cat new && echo well";
        let report = run(stage.spec(script, Some(fence)));
        let words = format!("{what}: {} {}", said(&report), complained(&report));
        assert!(!said(&report).contains("through") && !said(&report).contains("secret"), "{words}");
        assert!(said(&report).contains("well"), "{words}");
    }
}
