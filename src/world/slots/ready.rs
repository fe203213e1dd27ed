//! What is written down about a slot that waits in the pool: a line of JSON,
//! then the index of its files as we wrote them.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::SlotError;

/// The longest first line.
const MAX_HEAD: u64 = 1 << 20;

/// The format of these files; another one's slots are removed.
const VERSION: u32 = 1;

/// What a setup command did in a slot.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SetUp {
    /// The command and the files that it depends on, as a hash.
    pub(crate) stamp: String,
    /// What it made that git does not track.
    pub(crate) made: Vec<Vec<u8>>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Head {
    version: u32,
    base: String,
    whole: bool,
    written: (i64, i64),
    boot: String,
    mode: u32,
    set_up: Option<SetUp>,
    sum: String,
}

/// A slot that waits.
#[derive(Clone, Debug)]
pub(super) struct Ready {
    /// The commit whose files it has.
    pub(super) base: String,
    /// None of that commit's files is missing.
    pub(super) whole: bool,
    /// When the index was written.
    pub(super) written: (i64, i64),
    /// The boot in which it was.
    pub(super) boot: String,
    /// The permissions of a folder then.
    pub(super) mode: u32,
    /// Its last setup.
    pub(super) set_up: Option<SetUp>,
    /// The index.
    pub(super) index: Vec<u8>,
}

fn sum(index: &[u8]) -> String {
    Sha256::digest(index).iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Ready {
    /// Reads the file and removes it: from here on nobody else gets the slot.
    /// `None` when it is not there, damaged, or of another format.
    pub(super) fn take(path: &Path) -> Option<Self> {
        let read = read(path);
        fs::remove_file(path).ok()?;
        let (head, index) = read?;
        (head.version == VERSION && head.sum == sum(&index)).then_some(Self {
            base: head.base,
            whole: head.whole,
            written: head.written,
            boot: head.boot,
            mode: head.mode,
            set_up: head.set_up,
            index,
        })
    }

    /// The commit whose files the slot has.
    pub(super) fn base(path: &Path) -> Option<String> {
        head(&mut BufReader::new(File::open(path).ok()?)).map(|head| head.base)
    }

    /// Writes the file, whole or not at all.
    pub(super) fn put(&self, path: &Path) -> Result<(), SlotError> {
        let head = Head {
            version: VERSION,
            base: self.base.clone(),
            whole: self.whole,
            written: self.written,
            boot: self.boot.clone(),
            mode: self.mode,
            set_up: self.set_up.clone(),
            sum: sum(&self.index),
        };
        let write = || -> std::io::Result<()> {
            let part = path.with_extension("part");
            let mut file = File::create(&part)?;
            serde_json::to_writer(&file, &head)?;
            file.write_all(b"\n")?;
            file.write_all(&self.index)?;
            fs::rename(part, path)
        };
        write().map_err(SlotError::io("write", path))
    }
}

fn head(file: &mut impl BufRead) -> Option<Head> {
    let mut line = Vec::new();
    file.by_ref().take(MAX_HEAD).read_until(b'\n', &mut line).ok()?;
    serde_json::from_slice(&line).ok()
}

fn read(path: &Path) -> Option<(Head, Vec<u8>)> {
    let mut file = BufReader::new(File::open(path).ok()?);
    let head = head(&mut file)?;
    let mut index = Vec::new();
    file.read_to_end(&mut index).ok()?;
    Some((head, index))
}
