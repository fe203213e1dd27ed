//! From what an agent's program says of its failure to a class: a status of the
//! model's server where there is one, else words. One table.
//!
//! Limit: the words are those of four programs and their servers, as they were
//! seen; a text that fits none is no more than a crash.

use super::attempt::FailureClass;

/// Words that tell a class, in lower case; the first row that has one wins. What
/// is said of a login stands before what is said of a limit, and both before
/// the failures of a server: "401 … try again later" is a login.
const WORDS: &[(FailureClass, &[&str])] = &[
    (
        FailureClass::Context,
        &[
            "prompt is too long",
            "context length",
            "context window",
            "context_length_exceeded",
            "contextoverflow",
            "maximum context",
        ],
    ),
    (
        FailureClass::Refused,
        &[
            "usage policy",
            "content filter",
            "content_filter",
            "contentfilter",
            "refused to",
            "refusal",
        ],
    ),
    (
        FailureClass::Auth,
        &[
            "401",
            "403 ",
            "unauthorized",
            "unauthenticated",
            "authentication",
            "not logged in",
            "/login",
            "log in",
            "login required",
            "api key",
            "api_key",
            "apikey",
            "missing environment variable",
            "oauth token",
            "credit balance",
            "forbidden",
        ],
    ),
    (
        FailureClass::RateLimit,
        &[
            "429",
            "rate limit",
            "rate_limit",
            "ratelimit",
            "too many requests",
            "usage limit",
            "quota",
            "limit reached",
            "hit your limit",
        ],
    ),
    (
        FailureClass::Overloaded,
        &[
            "529",
            "overloaded",
            "at capacity",
            "high demand",
            "500 ",
            "502",
            "503",
            "504",
            "internal server error",
            "server error",
            "service unavailable",
            "bad gateway",
            "gateway timeout",
            "stream disconnected",
            "connection",
            "cannot connect",
            "econnreset",
            "econnrefused",
            "socket",
            "network",
            "timed out",
            "terminated",
            "fetch failed",
        ],
    ),
];

/// The class of a failure that a program told: by the status of the model's
/// server, else by its words.
#[must_use]
pub fn failure(status: Option<u16>, text: &str) -> FailureClass {
    by_words(text).filter(|class| status.is_none() || is_finer(*class)).unwrap_or_else(|| {
        match status {
            Some(401 | 403) => FailureClass::Auth,
            Some(429) => FailureClass::RateLimit,
            Some(413) => FailureClass::Context,
            Some(408 | 500..=599) => FailureClass::Overloaded,
            Some(_) | None => by_words(text).unwrap_or(FailureClass::Crash),
        }
    })
}

/// Whether words say more than a status, which is 400 for these.
fn is_finer(class: FailureClass) -> bool {
    matches!(class, FailureClass::Context | FailureClass::Refused)
}

/// The class that a text's own words tell, if any do.
#[must_use]
pub fn by_words(text: &str) -> Option<FailureClass> {
    // The cause stands at the beginning of an error; the rest may be anything.
    let mut end = text.len().min(4096);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let text = text.get(..end).unwrap_or_default().to_ascii_lowercase();
    let row = WORDS.iter().find(|(_, words)| words.iter().any(|word| text.contains(word)));
    row.map(|(class, _)| *class)
}

#[cfg(test)]
mod tests {
    use super::*;
    use FailureClass as C;

    #[test]
    fn what_programs_say_has_its_class() {
        for (status, text, class) in [
            (Some(429), "API Error: Request rejected (429)", C::RateLimit),
            (Some(529), "API Error: 529 Overloaded.", C::Overloaded),
            (Some(500), "scripted", C::Overloaded),
            (Some(401), "Invalid API key · Fix external API key", C::Auth),
            (Some(400), "Prompt is too long · the request is ~210000 tokens", C::Context),
            (Some(400), "bad tool schema", C::Crash),
            (None, "Not logged in · Please run /login", C::Auth),
            (None, "API Error: Connection to the API was lost (ECONNRESET).", C::Overloaded),
            (None, "appears to violate our Usage Policy", C::Refused),
            (None, "exceeded retry limit, last status: 429 Too Many Requests", C::RateLimit),
            (None, "Quota exceeded. Check your plan and billing details.", C::RateLimit),
            (None, "Selected model is at capacity.", C::Overloaded),
            (None, "unexpected status 401 Unauthorized: Incorrect API key provided.", C::Auth),
            (None, "Codex ran out of room in the model's context window.", C::Context),
            (None, "Missing environment variable: `X_KEY`.", C::Auth),
            (None, "Incomplete response returned, reason: content_filter", C::Refused),
            (None, "error: unknown option '--x'", C::Crash),
            (None, "", C::Crash),
        ] {
            assert_eq!(failure(status, text), class, "{status:?} {text}");
        }
    }

    #[test]
    fn only_the_beginning_is_read() {
        let late = format!("{}429", "ü".repeat(5000));
        assert_eq!(by_words(&late), None);
        assert_eq!(by_words(&format!("429{late}")), Some(C::RateLimit));
    }
}
