//! As much of HTTP/1.1 as four programs speak: one request a connection, a body
//! by length or in chunks, an answer that can break off anywhere. A library
//! would send a well-formed answer, and what is tried here is the other kind.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// The longest body that is read.
const LARGEST: usize = 64 << 20;

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    /// Names in small letters.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The body as JSON, null if it is none.
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

fn invalid(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

fn line(from: &mut impl BufRead) -> io::Result<String> {
    let mut line = String::new();
    from.take(1 << 16).read_line(&mut line)?;
    Ok(line.trim_end().to_owned())
}

/// Reads one request; nothing if the other side sent none.
pub(crate) fn read(stream: &TcpStream) -> io::Result<Option<Request>> {
    let mut from = BufReader::new(stream);
    let first = line(&mut from)?;
    let mut words = first.split(' ');
    let (Some(method), Some(path)) = (words.next(), words.next()) else { return Ok(None) };
    let mut headers = Vec::new();
    loop {
        let line = line(&mut from)?;
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(':').ok_or_else(|| invalid("no header"))?;
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let mut request =
        Request { method: method.to_owned(), path: path.to_owned(), headers, body: Vec::new() };
    if request.header("expect").is_some() {
        (&mut &*stream).write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
    }
    request.body = match request.header("content-length") {
        Some(length) => exactly(&mut from, length.parse().map_err(|_| invalid("length"))?)?,
        None if request.header("transfer-encoding") == Some("chunked") => chunks(&mut from)?,
        None => Vec::new(),
    };
    Ok(Some(request))
}

fn exactly(from: &mut impl BufRead, length: usize) -> io::Result<Vec<u8>> {
    if length > LARGEST {
        return Err(invalid("too long"));
    }
    let mut body = vec![0; length];
    from.read_exact(&mut body)?;
    Ok(body)
}

fn chunks(from: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let size = line(from)?;
        let size = size.split(';').next().unwrap_or_default();
        let size = usize::from_str_radix(size, 16).map_err(|_| invalid("chunk"))?;
        body.extend(exactly(from, size)?);
        line(from)?;
        if size == 0 {
            return Ok(body);
        }
        if body.len() > LARGEST {
            return Err(invalid("too long"));
        }
    }
}

/// An answer on its way.
pub(crate) struct Reply<'a> {
    pub(crate) stream: &'a TcpStream,
    pub(crate) stop: &'a AtomicBool,
}

impl Reply<'_> {
    fn send(&self, bytes: &[u8]) -> io::Result<()> {
        (&mut &*self.stream).write_all(bytes)
    }

    fn head(&self, code: u16, more: &[(&str, String)]) -> io::Result<()> {
        let mut head = format!("HTTP/1.1 {code} Scripted\r\nconnection: close\r\n");
        for (name, value) in more {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        self.send(head.as_bytes())
    }

    /// A whole answer in JSON.
    pub(crate) fn json(
        &self,
        code: u16,
        more: &[(&str, String)],
        body: &serde_json::Value,
    ) -> io::Result<()> {
        let body = body.to_string();
        let mut head = vec![("content-type", "application/json".to_owned())];
        head.push(("content-length", body.len().to_string()));
        head.extend_from_slice(more);
        self.head(code, &head)?;
        self.send(body.as_bytes())
    }

    /// The head of a stream of events.
    pub(crate) fn begin(&self) -> io::Result<()> {
        let kind = ("content-type", "text/event-stream".to_owned());
        self.head(200, &[kind, ("transfer-encoding", "chunked".to_owned())])
    }

    /// One piece of a stream, at once on its way.
    pub(crate) fn piece(&self, text: &str) -> io::Result<()> {
        self.send(format!("{:x}\r\n{text}\r\n", text.len()).as_bytes())
    }

    /// The end of a stream; without it the other side knows that it broke.
    pub(crate) fn finish(&self) -> io::Result<()> {
        self.send(b"0\r\n\r\n")
    }

    /// Waits as long as the other side and the server do.
    pub(crate) fn hang(&self) -> io::Result<()> {
        self.stream.set_read_timeout(Some(Duration::from_millis(50)))?;
        let mut byte = [0];
        while !self.stop.load(Ordering::Relaxed) {
            match (&mut &*self.stream).read(&mut byte) {
                Ok(0) => break,
                Ok(_) => {}
                Err(fault) if fault.kind() == io::ErrorKind::WouldBlock => {}
                Err(fault) if fault.kind() == io::ErrorKind::TimedOut => {}
                Err(fault) => return Err(fault),
            }
        }
        Ok(())
    }
}
