//! Reading refs as they are on disk at this moment. gix's snapshot of
//! `packed-refs` is keyed by a time stamp, which two rewrites can share; a
//! compare-and-swap on a stale value would drop acknowledged events, so here
//! every read opens the files.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use gix::bstr::ByteSlice;

use super::{Inner, oid};
use crate::domain::id::Oid;
use crate::store::error::StoreError;
use crate::store::names::RefName;
use crate::store::parallel;

/// What a loose ref's file holds.
enum Loose {
    Absent,
    Value(gix::ObjectId),
    /// Empty, cut off, or something else: a value in `packed-refs` counts.
    Garbled,
}

impl Inner {
    /// The file of a ref.
    pub(in crate::store) fn ref_path(&self, name: &str) -> PathBuf {
        self.common_dir.join(name)
    }

    /// The value of a ref: the loose file's, else the packed one.
    pub(in crate::store) fn read_ref(
        &self,
        name: &str,
    ) -> Result<Option<gix::ObjectId>, StoreError> {
        let loose = self.read_loose(&self.ref_path(name))?;
        if let Loose::Value(id) = loose {
            return Ok(Some(id));
        }
        let packed = self.read_packed(name)?;
        match (packed, loose) {
            (None, Loose::Garbled) => Err(damaged(name, None)),
            (packed, _) => Ok(packed),
        }
    }

    fn read_loose(&self, path: &Path) -> Result<Loose, StoreError> {
        let text = match read_value(path) {
            Ok(text) => text,
            Err(error) if is_absent(&error) => return Ok(Loose::Absent),
            Err(error) => return Err(StoreError::io("read the ref", path, error)),
        };
        let hex = text.trim_ascii_end();
        Ok(match gix::ObjectId::from_hex(hex) {
            Ok(id) if id.kind() == self.hash && !id.is_null() => Loose::Value(id),
            Ok(_) | Err(_) => Loose::Garbled,
        })
    }

    fn read_packed(&self, name: &str) -> Result<Option<gix::ObjectId>, StoreError> {
        let Some(packed) = self.packed()? else { return Ok(None) };
        let found = packed.try_find(name).map_err(|error| damaged(name, Some(error)))?;
        Ok(found.map(|found| found.target()))
    }

    fn packed(&self) -> Result<Option<gix::refs::packed::Buffer>, StoreError> {
        let path = self.ref_path("packed-refs");
        self.local()
            .refs
            .open_packed_buffer()
            .map_err(|error| StoreError::git("read the packed refs", &path, error))
    }

    /// Our refs below a prefix. Loose files are read before the packed ones: a
    /// ref that is packed meanwhile is then found there.
    pub(in crate::store) fn list_refs(
        &self,
        prefix: &str,
    ) -> Result<Vec<(RefName, Oid)>, StoreError> {
        let mut found: BTreeMap<RefName, gix::ObjectId> = BTreeMap::new();
        let mut garbled = Vec::new();
        let names = self.loose_names(prefix)?;
        let read = parallel::map(&names, |name| self.read_loose(&self.ref_path(name.as_str())));
        for (name, read) in names.into_iter().zip(read) {
            match read? {
                Loose::Absent => {}
                Loose::Value(id) => drop(found.insert(name, id)),
                Loose::Garbled => garbled.push(name),
            }
        }
        if let Some(packed) = self.packed()? {
            let all = packed.iter_prefixed(prefix.into());
            let all = all.map_err(|error| damaged("packed-refs", Some(error)))?;
            for one in all {
                let one = one.map_err(|error| damaged("packed-refs", Some(error)))?;
                let name = one.name.as_bstr().to_str().ok().and_then(RefName::parse);
                if let Some(name) = name {
                    found.entry(name).or_insert_with(|| one.target());
                }
            }
        }
        if let Some(name) = garbled.into_iter().find(|name| !found.contains_key(name)) {
            return Err(damaged(name.as_str(), None));
        }
        Ok(found.into_iter().map(|(name, id)| (name, oid(id))).collect())
    }

    fn loose_names(&self, prefix: &str) -> Result<Vec<RefName>, StoreError> {
        let (mut names, mut folders) = (Vec::new(), vec![prefix.trim_end_matches('/').to_owned()]);
        while let Some(folder) = folders.pop() {
            let path = self.ref_path(&folder);
            for (name, is_folder) in read_folder(&path)? {
                let full = format!("{folder}/{name}");
                if is_folder {
                    folders.push(full);
                } else if let Some(name) = RefName::parse(&full) {
                    names.push(name);
                }
            }
        }
        Ok(names)
    }

    /// A ref that `name` can't stand beside: one that is a folder of its path,
    /// or one below it.
    pub(in crate::store) fn clash(&self, name: &RefName) -> Result<Option<String>, StoreError> {
        let full = name.as_str();
        let above = || full.match_indices('/').skip(1).map(|(at, _)| &full[..at]);
        let is_file = |name: &&str| {
            fs::symlink_metadata(self.ref_path(name)).is_ok_and(|meta| meta.is_file())
        };
        if let Some(other) = above().find(is_file) {
            return Ok(Some(other.to_owned()));
        }
        // A loose ref that is packed between the two looks is in the later one.
        let below = format!("{full}/");
        if let Some(packed) = self.packed()? {
            for name in above() {
                let found = packed.try_find(name).map_err(|error| damaged(name, Some(error)))?;
                if found.is_some() {
                    return Ok(Some(name.to_owned()));
                }
            }
            let mut inside = packed
                .iter_prefixed(below.as_str().into())
                .map_err(|error| damaged("packed-refs", Some(error)))?;
            if let Some(Ok(first)) = inside.next() {
                return Ok(Some(first.name.as_bstr().to_string()));
            }
        }
        self.loose_below(full)
    }

    fn loose_below(&self, full: &str) -> Result<Option<String>, StoreError> {
        let mut folders = vec![full.to_owned()];
        while let Some(folder) = folders.pop() {
            for (name, is_folder) in read_folder(&self.ref_path(&folder))? {
                let inner = format!("{folder}/{name}");
                if !is_folder {
                    return Ok(Some(inner));
                }
                folders.push(inner);
            }
        }
        Ok(None)
    }
}

/// What a ref's file holds. A value with its line end that came whole with the
/// first read needs no second one to tell that it is the end.
fn read_value(path: &Path) -> io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    let mut text = vec![0; 256];
    let length = file.read(&mut text)?;
    text.truncate(length);
    if !text.ends_with(b"\n") || length == 256 {
        file.read_to_end(&mut text)?;
    }
    Ok(text)
}

/// The entries of a folder and whether each is a folder; none when it is gone.
fn read_folder(path: &Path) -> Result<Vec<(String, bool)>, StoreError> {
    let failed = |error| StoreError::io("list the folder", path, error);
    let entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) if is_absent(&error) => return Ok(Vec::new()),
        Err(error) => return Err(failed(error)),
    };
    let mut all = Vec::new();
    for entry in entries {
        let entry = entry.map_err(failed)?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        match entry.file_type() {
            Ok(kind) => all.push((name, kind.is_dir())),
            Err(error) if is_absent(&error) => {}
            Err(error) => return Err(failed(error)),
        }
    }
    Ok(all)
}

fn is_absent(error: &io::Error) -> bool {
    use io::ErrorKind as K;
    matches!(error.kind(), K::NotFound | K::NotADirectory | K::IsADirectory)
}

fn damaged(name: &str, source: Option<gix::Error>) -> StoreError {
    let source = source.map(|error| Box::new(error) as _);
    StoreError::Damaged { what: "ref", name: name.to_owned(), source }
}
