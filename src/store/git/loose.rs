//! Small loose objects, read with three system calls: open, read, close. gix
//! asks for the file first and then maps it, which is twice as many, and a
//! listing of runs reads little else.
//!
//! Only what is whole is answered here. A file that is absent, large, cut off or
//! damaged is left to gix, which looks in packs and names the damage.

use std::cell::RefCell;
use std::fs::File;
use std::io::Read;

use gix::objs::{Kind, decode};
use gix::zlib::{Decompress, FlushDecompress, Status};

use super::Inner;

/// The most bytes of a file; of larger ones the calls are not what takes time.
const FILE: usize = 4096;

/// The most bytes of an object and its header.
const OBJECT: usize = 32 * 1024;

/// After so many objects in a row that were not loose only one in as many is
/// looked for here: the repository is packed, and each look costs a call.
const MISSES: u32 = 16;

struct Buffers {
    misses: u32,
    inflate: Decompress,
    file: Vec<u8>,
    object: Vec<u8>,
}

thread_local! {
    static BUFFERS: RefCell<Buffers> = RefCell::new(Buffers {
        misses: 0,
        inflate: Decompress::new(),
        file: vec![0; FILE],
        object: vec![0; OBJECT],
    });
}

impl Inner {
    /// The object, when it is small, loose and whole.
    pub(in crate::store) fn read_loose_object(&self, id: &gix::oid) -> Option<(Kind, Vec<u8>)> {
        if self.replaces {
            return None;
        }
        BUFFERS.with_borrow_mut(|buffers| {
            buffers.misses = buffers.misses.wrapping_add(1);
            if buffers.misses > MISSES && !buffers.misses.is_multiple_of(MISSES) {
                return None;
            }
            let file = File::open(self.loose_path(id)).ok()?;
            buffers.misses = 0;
            buffers.read(file)
        })
    }
}

impl Buffers {
    fn read(&mut self, mut file: File) -> Option<(Kind, Vec<u8>)> {
        let length = file.read(&mut self.file).ok()?;
        let packed = self.file.get(..length)?;
        self.inflate.reset();
        let finish = FlushDecompress::Finish;
        let status = self.inflate.decompress(packed, &mut self.object, finish).ok()?;
        // The end of the stream, checksum included: a part of a file has none.
        let end = usize::try_from(self.inflate.total_out()).ok()?;
        let object = self.object.get(..end).filter(|_| status == Status::StreamEnd)?;
        let (kind, size, start) = decode::loose_header(object).ok()?;
        let data = object.get(start..)?;
        (u64::try_from(data.len()).ok()? == size).then(|| (kind, data.to_vec()))
    }
}
