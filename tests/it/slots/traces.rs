//! What agents leave behind, kind by kind, and that nothing of it is in the next
//! attempt's slot.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{Seek, SeekFrom, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Stdio;

use git_crew::world::slots::{Returned, Slot};
use rustix::fs::XattrFlags;

use super::fixture::{World, agent, deepen, put};
use super::warm::{command, is_fresh, pooled, used};

fn forge(path: &Path, bytes: &str) {
    let before = path.symlink_metadata().unwrap();
    assert_eq!(before.size(), bytes.len() as u64, "a forgery of another size");
    fs::write(path, bytes).unwrap();
    let file = File::options().write(true).open(path).unwrap();
    let times = fs::FileTimes::new()
        .set_modified(before.modified().unwrap())
        .set_accessed(before.accessed().unwrap());
    file.set_times(times).unwrap();
}

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn attribute(path: &Path) {
    // A file system without attributes has nothing to be cleaned of them.
    let _ = rustix::fs::setxattr(path, "user.left", b"behind", XattrFlags::empty());
}

type Trace = (&'static str, fn(&World, &Slot));

/// What agents leave. Each is tried alone, then all of them together.
const TRACES: &[Trace] = &[
    ("nested repository", |_, s| {
        agent(s, "git init -q n; echo 1 > n/f; git -C n add f; git -C n commit -qm f")
    }),
    ("bare repository", |_, s| agent(s, "git init -q --bare b; git init -q src/deep")),
    ("closed folders", |_, s| {
        put(&s.tree.join("closed/in/f"), "f");
        mode(&s.tree.join("closed/in"), 0);
        mode(&s.tree.join("closed"), 0);
    }),
    ("a tracked folder's mode", |_, s| mode(&s.tree.join("src"), 0o1777)),
    ("a read-only tracked folder", |_, s| mode(&s.tree.join("src"), 0o555)),
    ("a tracked file's mode", |_, s| mode(&s.tree.join("src/a.txt"), 0o4711)),
    ("same size, forged time", |_, s| forge(&s.tree.join("README"), "HELLO\n")),
    ("same size, forged time, below", |_, s| forge(&s.tree.join("src/a.txt"), "A\n")),
    ("two files swapped", |_, s| {
        agent(
            s,
            "cp -p src/a.txt x; mv src/b.txt src/a.txt; mv x src/b.txt; touch -r README src/*",
        );
    }),
    ("a folder made a link", |w, s| {
        put(&w.top.path().join("outside/a.txt"), "mine");
        fs::rename(s.tree.join("src"), s.tree.join("was-src")).unwrap();
        symlink(w.top.path().join("outside"), s.tree.join("src")).unwrap();
    }),
    ("a file made a link", |_, s| agent(s, "rm README; ln -s src/a.txt README")),
    ("a file made a folder", |_, s| agent(s, "rm README; mkdir README; echo 1 > README/f")),
    ("a folder made a file", |_, s| agent(s, "rm -r src; echo 1 > src")),
    ("deleted", |_, s| agent(s, "rm -r src README .gitignore")),
    ("case twins", |_, s| agent(s, "echo 1 > readme; mkdir SRC; echo 2 > SRC/a.txt; mkdir .GIT")),
    ("a hard link outside", |w, s| {
        let outside = w.top.path().join(format!("link-{}", s.key));
        fs::hard_link(s.tree.join("README"), &outside).unwrap();
        put(&outside, "both\n");
    }),
    ("a hard link from outside", |w, s| {
        let outside = w.top.path().join(format!("from-{}", s.key));
        put(&outside, "theirs");
        fs::hard_link(&outside, s.tree.join("linked")).unwrap();
    }),
    ("pipes and sockets", |_, s| {
        agent(s, "mkfifo pipe; rm src/b.txt; mkfifo src/b.txt");
        drop(UnixListener::bind(s.tree.join("sock")).unwrap());
    }),
    ("attributes", |_, s| {
        for path in ["src", "README", "src/a.txt"] {
            attribute(&s.tree.join(path));
        }
    }),
    ("a deep tree", |_, s| deepen(&s.tree, 2000)),
    ("odd names", |_, s| {
        for name in [&b"\xff\xfe"[..], b"new\nline", b" ", b"-rf", b":(top)x", b"..."] {
            put(&s.tree.join(OsStr::from_bytes(name)), "odd");
        }
    }),
    ("a changed .git file", |_, s| put(&s.tree.join(".git"), "gitdir: /nowhere\n")),
    ("a .git folder", |_, s| agent(s, "rm .git; git init -q .; echo evil > .git/hooks/pre-commit")),
    ("a planted git dir", |_, s| {
        agent(
            s,
            "git config core.fsmonitor 'touch ran'; git config alias.st '!touch ran'
             printf '#!/bin/sh\\ntouch ran\\n' > ../git/hooks-x; mkdir -p ../git/hooks
             cp ../git/hooks-x ../git/hooks/post-checkout; chmod +x ../git/hooks/post-checkout
             git update-index --assume-unchanged README; echo x > README
             git update-index --skip-worktree src/a.txt; echo y > src/a.txt
             echo '*' > ../git/info/exclude; git branch mine; git tag mine; git stash -q || true",
        );
    }),
    ("a planted index", |_, s| put(&s.git_dir.join("index"), "DIRC\0\0\0\x02\0\0\0\0junk")),
    ("own commits", |_, s| {
        agent(s, "echo 1 > one; git add .; git commit -qm 1; git checkout -qb b")
    }),
    ("ignored", |_, s| {
        agent(
            s,
            "mkdir -p target/x; echo 1 > target/x/y; echo 2 > a.log; echo '*' > src/.gitignore",
        )
    }),
    ("a sparse file", |_, s| {
        let mut file = File::create(s.tree.join("sparse")).unwrap();
        file.seek(SeekFrom::Start(1 << 32)).unwrap();
        file.write_all(b"end").unwrap();
        file.set_len(3).unwrap();
    }),
    ("beside the tree", |_, s| {
        put(&s.dir.join("extra/f"), "f");
        put(&s.tmp.join("f"), "f");
        put(&s.outbox.join("f"), "f");
        symlink("/", s.inbox.join("root")).unwrap();
    }),
    ("marks of the file system", |_, s| {
        // Only root may; where it is refused there is nothing to clean.
        let mut chattr = command("chattr", &s.tree);
        let _ = chattr.args(["+i", "README", "src"]).stderr(Stdio::null()).status();
        let _ = command("chattr", &s.tree).args(["+A", "."]).stderr(Stdio::null()).status();
    }),
];

#[test]
fn whatever_was_left_the_next_attempt_finds_a_fresh_checkout() {
    let world = World::new();
    let slots = pooled(&world, &[]);
    for (n, (what, leave)) in TRACES.iter().enumerate() {
        eprintln!("{what}");
        let (was, returned) =
            used(&slots, &world.base, &format!("a{n}"), |slot| leave(&world, slot));
        assert_eq!(returned, Returned::Pooled, "{what}");
        let next = slots.take(&world.base, &format!("b{n}")).unwrap();
        assert_eq!(next.dir, was.dir, "{what}: not the same slot");
        is_fresh(&world, &next, &[]);
        slots.give_back(next).unwrap();
    }
}

#[test]
fn all_of_it_together() {
    // What the others need is taken away by these.
    const ALONE: [&str; 9] = [
        "made a",
        "deleted",
        "tracked folder",
        "forged",
        "swapped",
        ".git",
        "marks",
        "own commits",
        "planted git",
    ];
    let world = World::new();
    let slots = pooled(&world, &[]);
    let (was, returned) = used(&slots, &world.base, "one", |slot| {
        for (what, leave) in TRACES {
            if !ALONE.iter().any(|word| what.contains(word)) {
                leave(&world, slot);
            }
        }
    });
    assert_eq!(returned, Returned::Pooled);
    let next = slots.take(&world.base, "two").unwrap();
    assert_eq!(next.dir, was.dir);
    is_fresh(&world, &next, &[]);
}
