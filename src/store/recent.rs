//! The raw bytes of the objects appended in the last minutes, kept beside the
//! database, so that what a `git prune` or `git gc --prune=now` beside a run
//! takes can be put back.
//!
//! A prune that read the refs before a swap may delete the swap's objects after
//! it. The writer therefore leaves a copy in `crew/recent/<holder>/` before the
//! swap. Whoever meets a hole (the writer's own re-check, any reader) finds the
//! copy among the segments of all holders and inserts it under its hash, which
//! is always safe; refs are never moved by this.
//!
//! A segment is one file, made by one process and never truncated; it goes as a
//! whole, when everything in it has stood for [`Options::keep_recent`]. A record
//! is a line `crew1 <id> <kind> <length>` and the bytes. The id is its checksum:
//! nothing is inserted that does not hash to it. A cut-off record can only be
//! the last, because a failed write ends its segment.
//!
//! Limit: a prune that reads the refs and still deletes after that time wins.
//!
//! [`Options::keep_recent`]: super::git::Options::keep_recent

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use gix::objs::{Exists, Kind};

use super::error::StoreError;
use super::failpoint;
use super::git::Inner;
use super::git::objects::{Raw, make_folder};

/// A segment is closed when it is this old or this big.
const SEGMENT_AGE: Duration = Duration::from_secs(60);
const SEGMENT_SIZE: u64 = 8 << 20;

/// The segments of this process.
#[derive(Debug, Default)]
pub(super) struct Recent {
    open: Option<(File, Segment)>,
    closed: Vec<Segment>,
    next: u64,
    swept: Option<Instant>,
}

#[derive(Debug)]
struct Segment {
    path: PathBuf,
    ids: Vec<gix::ObjectId>,
    size: u64,
    began: Instant,
    last: Instant,
}

struct Written {
    path: PathBuf,
    file: File,
    created: bool,
}

impl Recent {
    /// Writes one record per object, and answers the file, to be synced.
    fn record(&mut self, folder: &Path, objects: &[Raw]) -> io::Result<Written> {
        let full = |segment: &Segment| {
            segment.began.elapsed() > SEGMENT_AGE || segment.size > SEGMENT_SIZE
        };
        if self.open.as_ref().is_some_and(|(_, segment)| full(segment)) {
            self.close();
        }
        let mut bytes = Vec::new();
        for object in objects {
            let head = format!("crew1 {} {} {}\n", object.id, object.kind, object.data.len());
            bytes.extend_from_slice(head.as_bytes());
            bytes.extend_from_slice(&object.data);
        }
        let (created, (mut file, mut segment)) = match self.open.take() {
            Some(open) => (false, open),
            None => (true, self.create(folder)?),
        };
        let written = file.write_all(&bytes).and_then(|()| file.try_clone());
        segment.last = Instant::now();
        segment.size += bytes.len() as u64;
        segment.ids.extend(objects.iter().map(|object| object.id));
        let path = segment.path.clone();
        if written.is_ok() {
            self.open = Some((file, segment));
        } else {
            self.closed.push(segment);
        }
        Ok(Written { path, file: written?, created })
    }

    fn close(&mut self) {
        self.closed.extend(self.open.take().map(|(_, segment)| segment));
    }

    fn create(&mut self, folder: &Path) -> io::Result<(File, Segment)> {
        loop {
            let path = folder.join(format!("{:06}", self.next));
            match OpenOptions::new().append(true).create_new(true).open(&path) {
                Ok(file) => {
                    let now = Instant::now();
                    let segment = Segment { path, ids: Vec::new(), size: 0, began: now, last: now };
                    return Ok((file, segment));
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => self.next += 1,
                Err(error) if error.kind() == io::ErrorKind::NotFound => make_folder(folder)?,
                Err(error) => return Err(error),
            }
        }
    }

    fn ids(&self) -> BTreeSet<gix::ObjectId> {
        let open = self.open.iter().map(|(_, segment)| segment);
        self.closed.iter().chain(open).flat_map(|segment| segment.ids.iter().copied()).collect()
    }

    /// Puts off the removal of everything: a prune was just seen at work.
    fn renew(&mut self) {
        let now = Instant::now();
        self.closed.iter_mut().for_each(|segment| segment.last = now);
    }

    fn take_old(&mut self, keep: Duration) -> Vec<PathBuf> {
        let old = |segment: &Segment| segment.last.elapsed() > keep;
        if self.open.as_ref().is_some_and(|(_, segment)| old(segment)) {
            self.close();
        }
        let (gone, kept) = std::mem::take(&mut self.closed).into_iter().partition(old);
        self.closed = kept;
        let gone: Vec<Segment> = gone;
        gone.into_iter().map(|segment| segment.path).collect()
    }
}

impl Inner {
    fn recent_dir(&self) -> PathBuf {
        self.crew_dir().join("recent")
    }

    /// Keeps copies of objects before the swap that makes them reachable. The
    /// file is still to be synced, beside the objects: a power cut may follow a
    /// prune.
    pub(super) fn record_recent(&self, objects: &[Raw]) -> Result<(PathBuf, File), StoreError> {
        let folder = self.recent_dir().join(self.options.holder.as_str());
        let failed = |error| StoreError::io("keep recent objects in", &folder, error);
        if failpoint::mutant("no-recent") {
            let nothing = File::open(&self.common_dir).map_err(failed)?;
            return Ok((folder, nothing));
        }
        let written = self.recent().record(&folder, objects).map_err(failed)?;
        if written.created {
            self.sync_folders(&folder, &self.common_dir).map_err(failed)?;
        }
        failpoint::hit("recent.recorded").map_err(failed)?;
        Ok((written.path, written.file))
    }

    /// Puts back those of `wanted` that some holder has a copy of.
    pub(super) fn restore(&self, wanted: &BTreeSet<gix::ObjectId>) -> Result<usize, StoreError> {
        let mut found: BTreeMap<gix::ObjectId, Raw> = BTreeMap::new();
        for path in self.segments()? {
            // A segment that is gone meanwhile was no longer needed.
            let Ok(bytes) = fs::read(&path) else { continue };
            for record in Records(&bytes) {
                if wanted.contains(&record.id) && !found.contains_key(&record.id) {
                    self.take_record(&record, &mut found);
                }
            }
            if found.len() == wanted.len() {
                break;
            }
        }
        let objects: Vec<Raw> = found.into_values().collect();
        self.write_objects(&objects)?;
        Ok(objects.len())
    }

    fn take_record(&self, record: &Record<'_>, found: &mut BTreeMap<gix::ObjectId, Raw>) {
        let id = gix::objs::compute_hash(self.hash, record.kind, record.data);
        if id.is_ok_and(|id| id == record.id) {
            let raw = Raw { id: record.id, kind: record.kind, data: record.data.to_vec() };
            found.insert(record.id, raw);
        }
    }

    /// The segments of all holders, newest names first.
    pub(super) fn segments(&self) -> Result<Vec<PathBuf>, StoreError> {
        let top = self.recent_dir();
        let mut all = Vec::new();
        for folder in entries(&top)? {
            all.extend(entries(&folder)?);
        }
        all.sort_by(|a, b| b.cmp(a));
        Ok(all)
    }

    /// The ids in a segment, up to its first bad record.
    pub(super) fn segment_ids(&self, path: &Path) -> BTreeSet<gix::ObjectId> {
        let bytes = fs::read(path).unwrap_or_default();
        Records(&bytes).map(|record| record.id).collect()
    }

    /// Those of `ids` that the database does not have on disk at this moment.
    /// An open handle is no witness: it may hold a pack that is deleted.
    pub(super) fn missing(
        &self,
        ids: &BTreeSet<gix::ObjectId>,
    ) -> Result<BTreeSet<gix::ObjectId>, StoreError> {
        let mut missing = ids.clone();
        missing.retain(|id| !self.loose_path(id).exists());
        if missing.is_empty() {
            return Ok(missing);
        }
        let fresh = gix::odb::at(&self.objects_dir, self.hash)
            .map_err(|error| StoreError::io("open the objects", &self.objects_dir, error))?;
        missing.retain(|id| !fresh.exists(id));
        Ok(missing)
    }

    /// Looks after this process's recent objects, then removes what is old.
    pub(super) fn recheck_recent(&self) -> Result<usize, StoreError> {
        let ids = self.recent().ids();
        let missing = self.missing(&ids)?;
        let restored = if missing.is_empty() { 0 } else { self.restore(&missing)? };
        if restored > 0 {
            self.recent().renew();
        }
        let old = self.recent().take_old(self.options.keep_recent);
        for path in old {
            remove(&path)?;
        }
        let due = self.recent().swept.is_none_or(|at| at.elapsed() > SEGMENT_AGE);
        if due {
            self.recent().swept = Some(Instant::now());
            self.sweep_segments()?;
        }
        Ok(restored)
    }

    /// Removes segments that nobody looks after: older than twice the time, by
    /// the file system's own clock, and not missed by the database.
    fn sweep_segments(&self) -> Result<(), StoreError> {
        let Some(now) = self.disk_now()? else { return Ok(()) };
        let keep = self.options.keep_recent * 2;
        for path in self.segments()? {
            let changed = fs::metadata(&path).and_then(|meta| meta.modified());
            let age = changed.ok().and_then(|changed| now.duration_since(changed).ok());
            if age.is_none_or(|age| age <= keep) {
                continue;
            }
            let missing = self.missing(&self.segment_ids(&path))?;
            if missing.is_empty() {
                remove(&path)?;
                let _ = path.parent().map(fs::remove_dir);
            } else {
                self.restore(&missing)?;
                touch(&path)?;
            }
        }
        Ok(())
    }

    /// The time as the file system stamps it; `None` where nothing was appended.
    fn disk_now(&self) -> Result<Option<SystemTime>, StoreError> {
        let path = self.crew_dir().join("write.lock");
        if !path.exists() {
            return Ok(None);
        }
        touch(&path)?;
        let now = fs::metadata(&path).and_then(|meta| meta.modified());
        now.map(Some).map_err(|error| StoreError::io("read the time of", &path, error))
    }
}

fn touch(path: &Path) -> Result<(), StoreError> {
    use nix::sys::stat::{UtimensatFlags, utimensat};
    use nix::sys::time::TimeSpec;
    let now = TimeSpec::UTIME_NOW;
    utimensat(nix::fcntl::AT_FDCWD, path, &now, &now, UtimensatFlags::FollowSymlink)
        .map_err(|errno| StoreError::io("touch", path, errno.into()))
}

fn remove(path: &Path) -> Result<(), StoreError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(StoreError::io("remove", path, error))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>, StoreError> {
    let failed = |error| StoreError::io("list the folder", folder, error);
    match fs::read_dir(folder) {
        Ok(all) => all.map(|entry| entry.map(|entry| entry.path()).map_err(failed)).collect(),
        Err(error)
            if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) =>
        {
            Ok(Vec::new())
        }
        Err(error) => Err(failed(error)),
    }
}

struct Record<'a> {
    id: gix::ObjectId,
    kind: Kind,
    data: &'a [u8],
}

/// The records of a segment, up to the first that is not whole.
struct Records<'a>(&'a [u8]);

impl<'a> Iterator for Records<'a> {
    type Item = Record<'a>;

    fn next(&mut self) -> Option<Record<'a>> {
        let end = self.0.iter().position(|byte| *byte == b'\n')?;
        let (line, rest) = self.0.split_at_checked(end)?;
        let mut words = std::str::from_utf8(line).ok()?.split(' ');
        if words.next()? != "crew1" {
            return None;
        }
        let id = gix::ObjectId::from_hex(words.next()?.as_bytes()).ok()?;
        let kind = Kind::from_bytes(words.next()?.as_bytes()).ok()?;
        let length: usize = words.next()?.parse().ok()?;
        let (data, rest) = rest.get(1..)?.split_at_checked(length)?;
        self.0 = rest;
        Some(Record { id, kind, data })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_torn_record_ends_the_segment_and_nothing_before_it() {
        let id = "1".repeat(40);
        let whole = format!("crew1 {id} blob 3\nabccrew1 {id} tree 0\ncrew1 {id} commit 2\nxy");
        assert_eq!(Records(whole.as_bytes()).count(), 3);
        for cut in 0..whole.len() {
            let seen: Vec<_> = Records(&whole.as_bytes()[..cut]).map(|r| r.data).collect();
            let all: [&[u8]; 3] = [b"abc", b"", b"xy"];
            assert_eq!(seen, all[..seen.len()], "cut at {cut}");
        }
        assert_eq!(Records(b"crew2 x blob 1\na").count(), 0);
    }
}
