//! What the supervisor and its shim say to each other over one socket pair.
//!
//! To the shim: two lengths (little-endian, 8 bytes each), the [`Order`] as
//! JSON, the bytes for the program's input; then one byte per command; then the
//! end of the stream, which means that the supervisor is gone. From the shim:
//! one [`Word`] as JSON per line. Both ends are the same program, so the format
//! has no version.

use std::ffi::{OsStr, OsString};
use std::io::{self, Read};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use serde::{Deserialize, Serialize};

use super::{Spec, Stdin};
use crate::world::fence::Fence;

/// The first argument that makes this program a shim.
pub(super) const SHIM: &str = "__exec";
/// The first argument that makes this program the step inside a box.
pub(super) const INNER: &str = "__fence";
/// Command: `SIGTERM` to the program's group.
pub(super) const TERM: u8 = b'T';
/// Command: `SIGKILL` to everything.
pub(super) const KILL: u8 = b'K';

/// The length that stands for "no input at all".
const NULL: u64 = u64::MAX;

/// What the shim is to start.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Order {
    pub(super) program: Vec<u8>,
    pub(super) args: Vec<Vec<u8>>,
    pub(super) env: Vec<(Vec<u8>, Vec<u8>)>,
    pub(super) cwd: Vec<u8>,
    pub(super) fence: Option<Fence>,
    #[serde(skip)]
    pub(super) stdin: Option<Vec<u8>>,
}

/// Where a start failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Step {
    /// In the preparations.
    Prepare,
    /// Entering the folder.
    Enter,
    /// Executing the program: the file isn't there.
    Find,
    /// Executing the program: the file is there.
    Execute,
}

/// What the shim says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Word {
    /// The program could not be started.
    CannotStart { step: Step, errno: i32 },
    /// The program was not started, because its fence can't be kept.
    CannotFence { why: String },
    /// The program has ended.
    Ended { code: Option<i32>, signal: Option<i32>, core: bool },
    /// Nothing it started is alive, but the unkillable; the bounds that it met.
    Swept { leaked: Vec<String>, unkillable: Vec<String>, exceeded: Vec<String> },
}

impl Word {
    /// There was nothing to sweep.
    pub(super) fn nothing_left() -> Self {
        Self::Swept { leaked: Vec::new(), unkillable: Vec::new(), exceeded: Vec::new() }
    }
}

fn bytes(text: &OsStr) -> Vec<u8> {
    text.as_bytes().to_vec()
}

/// A spec as the shim reads it.
pub(super) fn order(spec: &Spec) -> io::Result<Vec<u8>> {
    let order = Order {
        program: bytes(&spec.program),
        args: spec.args.iter().map(|arg| bytes(arg)).collect(),
        env: spec.env.iter().map(|(key, value)| (bytes(key), bytes(value))).collect(),
        cwd: bytes(spec.cwd.as_os_str()),
        fence: spec.fence.clone(),
        stdin: None,
    };
    let json = serde_json::to_vec(&order)?;
    let (length, stdin) = match &spec.stdin {
        Stdin::Null => (NULL, &[][..]),
        Stdin::Bytes(bytes) => (bytes.len() as u64, bytes.as_slice()),
    };
    let lengths = [(json.len() as u64).to_le_bytes(), length.to_le_bytes()].concat();
    Ok([lengths.as_slice(), &json, stdin].concat())
}

/// Reads an order to its last byte and not beyond.
pub(super) fn read_order(from: &mut impl Read) -> io::Result<Order> {
    let (json, stdin) = (read_length(from)?, read_length(from)?);
    let mut order: Order = serde_json::from_slice(&read_bytes(from, json)?)?;
    order.stdin = (stdin != NULL).then(|| read_bytes(from, stdin)).transpose()?;
    Ok(order)
}

fn read_length(from: &mut impl Read) -> io::Result<u64> {
    let mut length = [0; 8];
    from.read_exact(&mut length)?;
    Ok(u64::from_le_bytes(length))
}

fn read_bytes(from: &mut impl Read, length: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if from.take(length).read_to_end(&mut bytes)? as u64 == length {
        Ok(bytes)
    } else {
        Err(io::ErrorKind::UnexpectedEof.into())
    }
}

/// Bytes of an order as the system's text.
pub(super) fn text(bytes: &[u8]) -> OsString {
    OsString::from_vec(bytes.to_vec())
}
