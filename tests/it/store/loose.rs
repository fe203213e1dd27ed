//! Small loose objects are read past gix: what comes back must be the same.

use std::os::unix::fs::PermissionsExt;

use git_crew::domain::id::Oid;
use git_crew::store::{Chains, StoreError};

use super::fixture::Repo;

/// Text that does not shrink, as long as asked for.
fn noise(length: usize) -> String {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut text = String::new();
    while text.len() < length {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        text.push_str(&format!("{state:016x}"));
    }
    text.truncate(length);
    text
}

/// Files on both sides of every limit: of the file's bytes and the object's.
fn files() -> Vec<(String, String)> {
    let mut files = vec![("empty".to_owned(), String::new())];
    for length in [1, 100, 7_000, 7_200, 8_200, 40_000] {
        files.push((format!("noise-{length}"), noise(length)));
    }
    for length in [32_700, 32_760, 32_768, 32_769, 200_000] {
        files.push((format!("flat-{length}"), "a".repeat(length)));
    }
    files
}

fn commit(repo: &Repo, files: &[(String, String)]) -> Oid {
    let files: Vec<(&str, &str)> = files.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
    repo.commit(&files)
}

#[test]
fn objects_of_every_size_read_alike_loose_and_packed() {
    let repo = Repo::empty(&[]);
    let files = files();
    let id = commit(&repo, &files);
    let read = || {
        let store = repo.store("a");
        for (path, text) in &files {
            let found = store.file(&id, path).unwrap().unwrap();
            assert!(found == text.as_bytes(), "'{path}' differs");
        }
        store.entry(&id).unwrap()
    };
    let loose = read();
    repo.git(&["repack", "-adq"]);
    assert_eq!(loose, read());
}

#[test]
fn a_replaced_object_reads_alike_loose_and_packed() {
    let repo = Repo::empty(&[]);
    let id = commit(&repo, &[("file".to_owned(), "before".to_owned())]);
    commit(&repo, &[("file".to_owned(), "after".to_owned())]);
    repo.git(&["replace", &format!("{id}:file"), "HEAD:file"]);
    let loose = repo.store("a").file(&id, "file").unwrap();
    repo.git(&["repack", "-adq"]);
    assert_eq!(loose, repo.store("a").file(&id, "file").unwrap());
}

#[test]
fn a_cut_off_object_is_damage_and_never_a_part_of_it() {
    let repo = Repo::empty(&[]);
    let text = noise(2_000);
    let id = commit(&repo, &[("file".to_owned(), text.clone())]);
    let blob = repo.git(&["rev-parse", &format!("{id}:file")]);
    let path = repo.git_dir().join("objects").join(&blob[..2]).join(&blob[2..]);
    let whole = std::fs::read(&path).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 0x10;
    let mut broken: Vec<Vec<u8>> = [0, 1, 20, whole.len() / 2, whole.len() - 5, whole.len() - 1]
        .map(|length| whole[..length].to_vec())
        .into();
    broken.push(flipped);
    for bytes in broken {
        std::fs::write(&path, &bytes).unwrap();
        match repo.store("a").file(&id, "file") {
            Err(StoreError::Damaged { name, .. }) => assert_eq!(name, blob),
            // Only the checksum is cut off.
            Ok(Some(found)) if found == text.as_bytes() => assert!(bytes.len() + 6 > whole.len()),
            other => panic!("{} of {} bytes: {other:?}", bytes.len(), whole.len()),
        }
    }
}
