//! Takes out of a stream what differs from run to run, and nothing else: the
//! order of keys, the spaces and the words stay as the program printed them.

/// Keys whose values are ids that a program made up.
const IDS: [&str; 11] = [
    "session_id",
    "uuid",
    "sessionID",
    "messageID",
    "thread_id",
    "snapshot",
    "refused_user_message_uuid",
    "request_id",
    "id",
    "parentID",
    "parentId",
];
/// How ids begin that the scripted server made up: they are the same each time.
const OURS: [&str; 7] = ["msg_0", "toolu_", "call_", "fc_", "resp_", "chatcmpl-", "item_"];
/// Keys whose numbers and texts are times.
const TIMES: [&str; 6] = ["timestamp", "start", "end", "created", "startedAt", "endedAt"];

/// A value of a line of JSON: where it stands, and under which key.
struct Value<'a> {
    key: &'a str,
    from: usize,
    to: usize,
}

/// The texts and numbers that stand under a key, by their place. The line is
/// taken as a list of tokens: what is no JSON gives nothing.
fn values(line: &str) -> Vec<Value<'_>> {
    let bytes = line.as_bytes();
    let mut found = Vec::new();
    let mut key = "";
    let mut at = 0;
    while at < bytes.len() {
        let from = at;
        if bytes[at] == b'"' {
            at += 1;
            while at < bytes.len() && bytes[at] != b'"' {
                at += if bytes[at] == b'\\' { 2 } else { 1 };
            }
            at = (at + 1).min(bytes.len());
            if bytes.get(at) == Some(&b':') {
                key = &line[from + 1..at - 1];
                continue;
            }
            found.push(Value { key, from: from + 1, to: at - 1 });
        } else if bytes[at].is_ascii_digit() || bytes[at] == b'-' {
            while at < bytes.len() && (bytes[at].is_ascii_digit() || b"+-.eE".contains(&bytes[at]))
            {
                at += 1;
            }
            found.push(Value { key, from, to: at });
        } else {
            at += 1;
        }
    }
    found
}

/// The ids of a stream in the order of their first appearance.
fn ids(lines: &[&str]) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for line in lines.iter().filter(|line| line.starts_with('{')) {
        for value in values(line) {
            let text = &line[value.from..value.to];
            let own = text.len() >= 12 && !OURS.iter().any(|ours| text.starts_with(ours));
            if IDS.contains(&value.key) && own && !all.iter().any(|known| known == text) {
                all.push(text.to_owned());
            }
        }
    }
    all
}

fn steady(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut done = 0;
    for value in values(line) {
        let text = &line[value.from..value.to];
        let number = text.starts_with(|c: char| c.is_ascii_digit());
        let time = TIMES.contains(&value.key);
        let span = value.key.ends_with("_ms") || value.key.ends_with("Ms");
        let new = match number {
            true if time && text.contains('T') => "2026-01-01T00:00:00.000Z",
            true if time && text.len() == 13 => "1767225600000",
            true if time && text.len() == 10 => "1767225600",
            true if span && text.contains('.') => "1000.5",
            true if span && text != "0" => "1000",
            _ => continue,
        };
        out.push_str(&line[done..value.from]);
        out.push_str(new);
        done = value.to;
    }
    out.push_str(&line[done..]);
    out
}

/// A stream without the run it came of; `known` are places and ports with what
/// they become.
pub(crate) fn scrub(text: &str, known: &[(String, &str)]) -> String {
    let mut text = text.to_owned();
    for (from, to) in known {
        text = text.replace(from, to);
    }
    let lines: Vec<&str> = text.lines().collect();
    let ids = ids(&lines);
    let line = |line: &&str| {
        let line = if line.starts_with('{') { steady(line) } else { (*line).to_owned() };
        let named = |line: String, (number, id): (usize, &String)| {
            line.replace(id, &format!("id-{:04}-of-the-program", number + 1))
        };
        format!("{}\n", ids.iter().enumerate().fold(line, named))
    };
    lines.iter().map(line).collect()
}

/// What kinds of events a stream holds, sorted, each once.
pub(crate) fn kinds(text: &str) -> Vec<String> {
    let kind = |line: &str| {
        let Ok(event) = serde_json::from_str::<serde_json::Value>(line) else {
            return "(no JSON)".to_owned();
        };
        let places = ["/type", "/subtype", "/item/type", "/part/type", "/message/role"];
        let words = places.iter().filter_map(|place| event.pointer(place)?.as_str());
        words.collect::<Vec<_>>().join(" ")
    };
    let mut all: Vec<String> = text.lines().map(kind).collect();
    all.sort();
    all.dedup();
    all
}

#[test]
fn ids_times_and_places_go_and_the_rest_stays() {
    let stream = "{\"b\":\"x y\",\"session_id\":\"0f-1234567890\",\"timestamp\":1795276558354,\
                  \"note\":\"0f-1234567890 in /tmp/x1/tree, took 12\",\"n\":12}\n\
                  Session 0f-1234567890\n\
                  {\"id\":\"msg_00000001\",\"at\":\"a \\\"quoted\\\" text\",\"retry_ms\":7.25}\n";
    let want = "{\"b\":\"x y\",\"session_id\":\"id-0001-of-the-program\",\"timestamp\":1767225600000,\
                \"note\":\"id-0001-of-the-program in /place/tree, took 12\",\"n\":12}\n\
                Session id-0001-of-the-program\n\
                {\"id\":\"msg_00000001\",\"at\":\"a \\\"quoted\\\" text\",\"retry_ms\":1000.5}\n";
    assert_eq!(scrub(stream, &[("/tmp/x1".to_owned(), "/place")]), want);
}
