//! What a comparison of a repository names and what it lets pass.

use super::*;

fn repository() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let put = |name: &str, text: &str| {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    put("HEAD", "ref: refs/heads/main\n");
    put("config", "[core]\n");
    put("hooks/pre-commit", "#!/bin/sh\n");
    put("info/exclude", "*.log\n");
    put("objects/info/packs", "P x\n");
    put(
        "packed-refs",
        "# pack-refs with: peeled\naaaa refs/heads/main\nbbbb refs/tags/v1\n^cccc\n",
    );
    put("refs/heads/other", "dddd\n");
    put("refs/remotes/origin/HEAD", "ref: refs/remotes/origin/main\n");
    put("refs/crew/runs/1", "eeee\n");
    put("refs/stash", "ffff\n");
    dir
}

/// What is said after a deed.
fn after(whole: bool, deed: impl Fn(&dyn Fn(&str) -> PathBuf)) -> Vec<String> {
    let dir = repository();
    let before = Control::look(dir.path(), whole);
    deed(&|name| dir.path().join(name));
    let top = dir.path().to_string_lossy().into_owned();
    let lines = before.changes(&dir.path().join("crew/before")).unwrap();
    lines.into_iter().map(|line| line.replace(&top, "G")).collect()
}

#[test]
fn nothing_that_is_ours_or_passing_is_a_change() {
    let lines = after(true, |at| {
        fs::write(at("refs/crew/runs/1"), "1111\n").unwrap();
        fs::create_dir_all(at("refs/refs")).unwrap();
        fs::write(at("refs/refs/crew"), "1111\n").unwrap();
        fs::write(at("objects/info/packs"), "P y\n").unwrap();
        // Packed, not moved.
        fs::remove_file(at("refs/heads/other")).unwrap();
        let packed = fs::read_to_string(at("packed-refs")).unwrap() + "dddd refs/heads/other\n";
        fs::write(at("packed-refs"), packed).unwrap();
    });
    assert_eq!(lines, Vec::<String>::new());
}

#[test]
fn every_change_is_named_with_what_puts_it_back() {
    let lines = after(true, |at| {
        fs::write(at("config"), "[core]\nfsmonitor=/x\n").unwrap();
        fs::remove_file(at("hooks/pre-commit")).unwrap();
        fs::write(at("hooks/post-commit"), "#!/bin/sh\n").unwrap();
        fs::write(at("objects/info/alternates"), "/x\n").unwrap();
        fs::write(at("refs/heads/main"), "9999\n").unwrap();
        fs::write(at("refs/heads/new"), "9999\n").unwrap();
        fs::remove_file(at("refs/stash")).unwrap();
        fs::remove_file(at("refs/remotes/origin/HEAD")).unwrap();
        fs::write(at("HEAD"), "ref: refs/heads/other\n").unwrap();
    });
    let wanted = [
        "HEAD was changed: cp -p G/crew/before/HEAD G/HEAD",
        "config was changed: cp -p G/crew/before/config G/config",
        "hooks/pre-commit was changed: cp -p G/crew/before/hooks-pre-commit G/hooks/pre-commit",
        "hooks/post-commit is new: rm -r G/hooks/post-commit",
        "objects/info/alternates is new: rm -r G/objects/info/alternates",
        "refs/heads/main was aaaa: git --git-dir=G update-ref refs/heads/main aaaa",
        "refs/remotes/origin/HEAD was 'ref: refs/remotes/origin/main': git --git-dir=G \
         symbolic-ref refs/remotes/origin/HEAD refs/remotes/origin/main",
        "refs/stash was ffff: git --git-dir=G update-ref refs/stash ffff",
        "refs/heads/new is new: git --git-dir=G update-ref -d refs/heads/new",
    ];
    assert_eq!(lines, wanted);
}

#[test]
fn inside_a_fence_modes_alone_count() {
    let close = |at: &dyn Fn(&str) -> PathBuf| {
        fs::set_permissions(at("hooks"), fs::Permissions::from_mode(0o711)).unwrap();
        fs::set_permissions(at("config"), fs::Permissions::from_mode(0o600)).unwrap();
    };
    let lines = after(false, |at| {
        close(at);
        // The user's own work goes on.
        fs::write(at("refs/heads/main"), "9999\n").unwrap();
        fs::write(at("config"), "[core]\nbare=false\n").unwrap();
        fs::write(at("hooks/post-commit"), "#!/bin/sh\n").unwrap();
    });
    let wanted = [
        "config had the mode 644, now 600: chmod 644 G/config",
        "hooks had the mode 755, now 711: chmod 755 G/hooks",
    ];
    assert_eq!(lines, wanted);
    assert_eq!(after(true, close), wanted);
}

#[test]
fn a_path_is_quoted_for_the_shell() {
    assert_eq!(quote(Path::new("/a b/c'd")), "'/a b/c'\\''d'");
    assert_eq!(quote(Path::new("/a-b/.git/HEAD")), "/a-b/.git/HEAD");
}
