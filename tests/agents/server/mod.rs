//! A model of which every word is scripted, on a port of loopback.
//!
//! It speaks the Messages, Responses and Chat Completions APIs, answers the side
//! calls that the programs make, fails in every way a script names, and keeps
//! what it was asked. It is an HTTP proxy too, one that lets nothing through: a
//! program that is told of it can't reach another host by it, and the try is on
//! record.

mod api;
mod chat;
mod http;
mod messages;
mod responses;
pub(crate) mod script;

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use api::{Api, Call};
use http::{Reply, Request};
use script::{Answer, Conversation, Fault, Part, SIDE, Usage};

/// What a request turned out to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A try of a turn of a conversation; what it was answered.
    Turn { marker: String, turn: usize, tried: usize, fault: Option<Fault>, spent: Option<Usage> },
    /// A call beside the conversation: a title, a count of tokens, a list of models.
    Side,
    /// For another host.
    Outside,
    /// Of no conversation, or of no known path: a hole in the script or here.
    Unknown,
}

/// A request that came, and what it was.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) kind: Kind,
    pub(crate) request: Request,
}

/// Everything the threads share.
struct Shared {
    script: Vec<Conversation>,
    tries: Mutex<BTreeMap<(String, usize), usize>>,
    seen: Mutex<Vec<Seen>>,
    stop: AtomicBool,
}

/// A running server; it stops when it is dropped.
pub(crate) struct Server {
    port: u16,
    shared: Arc<Shared>,
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

impl Server {
    /// A server on a free port that follows this script.
    pub(crate) fn start(script: Vec<Conversation>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port of loopback");
        let port = listener.local_addr().expect("an address").port();
        let shared = Arc::new(Shared {
            script,
            tries: Mutex::default(),
            seen: Mutex::default(),
            stop: AtomicBool::new(false),
        });
        let own = Arc::clone(&shared);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if own.stop.load(Ordering::Relaxed) {
                    break;
                }
                let Ok(stream) = stream else { continue };
                let own = Arc::clone(&own);
                std::thread::spawn(move || own.serve(&stream));
            }
        });
        Self { port, shared }
    }

    /// Where it is, without a path.
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Every request so far, in the order in which they came.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        held(&self.shared.seen).clone()
    }

    /// What the replies of a conversation were said to cost, summed.
    pub(crate) fn spent(&self, marker: &str) -> Usage {
        let mut sum = Usage { input: 0, cached: 0, output: 0 };
        for seen in self.seen() {
            if let Kind::Turn { marker: of, spent: Some(usage), .. } = seen.kind
                && of == marker
            {
                sum.input += usage.input;
                sum.cached += usage.cached;
                sum.output += usage.output;
            }
        }
        sum
    }

    /// How often a conversation was asked for a turn.
    pub(crate) fn asked(&self, marker: &str) -> usize {
        self.told(marker).len()
    }

    /// The bodies of the tries of a conversation.
    pub(crate) fn told(&self, marker: &str) -> Vec<Value> {
        let of = |seen: &Seen| matches!(&seen.kind, Kind::Turn { marker: of, .. } if of == marker);
        self.seen().iter().filter(|seen| of(seen)).map(|seen| seen.request.json()).collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        // The one that waits for a connection gets its last.
        drop(TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)));
    }
}

impl Shared {
    fn serve(&self, stream: &TcpStream) {
        let Ok(Some(request)) = http::read(stream) else { return };
        let reply = Reply { stream, stop: &self.stop };
        // A program that goes away in the middle of an answer is part of the test.
        let _ = self.answer(&request, &reply);
        let _ = stream.shutdown(Shutdown::Both);
    }

    fn note(&self, kind: Kind, request: &Request) -> usize {
        let mut seen = held(&self.seen);
        seen.push(Seen { kind, request: request.clone() });
        seen.len()
    }

    fn answer(&self, request: &Request, reply: &Reply<'_>) -> io::Result<()> {
        if request.method == "CONNECT" || request.path.starts_with("http") {
            self.note(Kind::Outside, request);
            return reply.json(403, &[], &json!({"error": "nothing beyond loopback"}));
        }
        let body = request.json();
        let Some(api) = Api::of(&request.path).filter(|_| request.method == "POST") else {
            return self.aside(request, reply);
        };
        let offered = Api::offered(&body);
        if offered.is_empty() {
            let id = self.note(Kind::Side, request);
            // A summary keeps the marker, or what follows it would be of no script.
            let text = String::from_utf8_lossy(&request.body);
            let marker = self.script.iter().map(|one| one.marker.as_str());
            let marker = marker.filter(|marker| text.contains(*marker)).collect::<String>();
            let title = [Call::Text(format!("A scripted title {marker}"))];
            return say(reply, api, &body, (id, &title, SIDE, Duration::ZERO));
        }
        let text = String::from_utf8_lossy(&request.body);
        let Some(script) = self.script.iter().find(|one| text.contains(&one.marker)) else {
            self.note(Kind::Unknown, request);
            let words = json!({"error": {"type": "invalid_request_error", "message": "no script"}});
            return reply.json(400, &[], &words);
        };
        let turn = api.spoken(&body);
        let tried = self.tried(&script.marker, turn);
        let answer = script.answer(turn, tried);
        let (fault, spent) = match &answer {
            Answer::Fault(fault) => (Some(*fault), None),
            Answer::Reply { usage, .. } => (None, Some(*usage)),
        };
        let marker = script.marker.clone();
        let id = self.note(Kind::Turn { marker, turn, tried, fault, spent }, request);
        match answer {
            Answer::Fault(fault) => fail(reply, api, id, fault),
            Answer::Reply { meets: Some(other), .. } if !self.meet(&other) => {
                fail(reply, api, id, Fault::Internal)
            }
            Answer::Reply { parts, usage, pace, .. } => {
                let tools = api.tools(&offered);
                let call = |part: &Part| api::call(part, tools);
                let calls: Vec<Call> = parts.iter().map(call).collect();
                say(reply, api, &body, (id, &calls, usage, pace))
            }
        }
    }

    /// Waits until another conversation was asked for a turn.
    fn meet(&self, other: &str) -> bool {
        let deadline = Instant::now() + script::PATIENCE;
        let begun =
            |seen: &Seen| matches!(&seen.kind, Kind::Turn { marker, .. } if marker == other);
        while !held(&self.seen).iter().any(begun) {
            if Instant::now() > deadline || self.stop.load(Ordering::Relaxed) {
                return false;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        true
    }

    /// How often this turn was asked for before.
    fn tried(&self, marker: &str, turn: usize) -> usize {
        let mut tries = held(&self.tries);
        let tried = tries.entry((marker.to_owned(), turn)).or_default();
        *tried += 1;
        *tried - 1
    }

    /// The calls that need no model.
    fn aside(&self, request: &Request, reply: &Reply<'_>) -> io::Result<()> {
        let path = request.path.split('?').next().unwrap_or_default();
        let body = match (request.method.as_str(), path) {
            ("POST", "/v1/messages/count_tokens") => json!({"input_tokens": 1000}),
            ("GET", "/v1/models") => json!({"object": "list", "data": [], "models": []}),
            ("HEAD" | "GET", "/" | "/v1") => json!({}),
            _ => {
                self.note(Kind::Unknown, request);
                return reply.json(404, &[], &json!({"error": {"message": "no such path"}}));
            }
        };
        self.note(Kind::Side, request);
        reply.json(200, &[], &body)
    }
}

type Speech<'a> = (usize, &'a [Call], Usage, Duration);

fn say(reply: &Reply<'_>, api: Api, body: &Value, speech: Speech<'_>) -> io::Result<()> {
    let (id, calls, usage, pace) = speech;
    if body["stream"] != true {
        return reply.json(200, &[], &api.whole(id, calls, usage));
    }
    reply.begin()?;
    for piece in api.stream(id, calls, usage) {
        std::thread::sleep(pace);
        reply.piece(&piece)?;
    }
    reply.finish()
}

fn fail(reply: &Reply<'_>, api: Api, id: usize, fault: Fault) -> io::Result<()> {
    if let Some(refusal) = api.refusal(fault) {
        return reply.json(refusal.code, &refusal.headers, &refusal.body);
    }
    reply.begin()?;
    match fault {
        Fault::Refused | Fault::Filtered => {
            for piece in api.refusing(id, fault == Fault::Filtered) {
                reply.piece(&piece)?;
            }
            reply.finish()
        }
        Fault::Broken => {
            let words = [Call::Text("I am going to".to_owned())];
            let pieces = api.stream(id, &words, script::USAGE);
            reply.piece(&pieces[0])?;
            reply.piece(&pieces[1])?;
            reply.piece(&pieces[2][..pieces[2].len() / 2])
        }
        _ => reply.hang(),
    }
}
