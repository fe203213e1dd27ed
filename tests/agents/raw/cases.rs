//! What each program is put through.

use std::time::Duration;

use crate::programs::{Ask, Program, Start};
use crate::server::script::{Answer, Conversation, Fault, Part};

/// The marker of the conversation of every case.
pub(crate) const MARKER: &str = "[task one]";
/// As often as a turn is asked for before we end a program that never gives up.
pub(crate) const TRIES: usize = 12;
/// What fills a prompt of 200 kB, and how often.
pub(crate) const FILLER: (&str, usize) = ("Every word counts. ", 11_000);

/// A case: its name, what the server does in words, and the call.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) says: &'static str,
    pub(crate) script: Conversation,
    pub(crate) ask: Ask,
    /// Whether a call before it makes the session that it goes on in.
    pub(crate) resumes: bool,
}

fn text(words: &str) -> Part {
    Part::Text(words.to_owned())
}

fn shell(line: &str) -> Part {
    Part::Shell(line.to_owned())
}

fn done() -> Answer {
    text("All done.").into()
}

fn edit(script: Conversation) -> Conversation {
    let (old, new) = ("hello old world", "hello new world");
    script
        .says(vec![text("I'll look."), Part::Read("greeting.txt".to_owned())])
        .says(Part::Edit("greeting.txt".to_owned(), old.to_owned(), new.to_owned()))
        .says(shell("echo made >made.txt && cat greeting.txt"))
        .says(Part::Write("sub/new.txt".to_owned(), "new\n".to_owned()))
        .says(done())
}

fn then(script: Conversation, fault: Fault) -> Conversation {
    script.tries(vec![fault.into(), fault.into(), done()])
}

/// What the server does in words and in deeds, in the cases that are about it.
fn scripted(name: &str) -> Option<(&'static str, Conversation)> {
    let script = Conversation::of(MARKER);
    let always = |words, fault: Fault| (words, Conversation::of(MARKER).says(fault));
    Some(match name {
        "edit" => ("a read, an edit, a shell command, a new file, a last word", edit(script)),
        "failing_tool" => (
            "a shell command that ends with 3, a read of nothing, a last word",
            script
                .says(shell("echo out; echo err >&2; exit 3"))
                .says(Part::Read("nothing.txt".to_owned()))
                .says(done()),
        ),
        "slow" => {
            let slow = Answer::from(text("All done.")).paced(Duration::from_millis(400));
            ("a last word in pieces 0.4 s apart", script.says(slow))
        }
        "rate_limited" => always("429 with retry-after 1, always", Fault::RateLimited(1)),
        "rate_limited_then_fine" => {
            ("429 with retry-after 1, twice; then a last word", then(script, Fault::RateLimited(1)))
        }
        "quota" => always("429 for want of quota, always", Fault::Quota),
        "overloaded" => always("529 (Messages) or 503, always", Fault::Overloaded),
        "internal" => always("500, always", Fault::Internal),
        "unauthorized" => always("401, always", Fault::Unauthorized),
        "too_long" => always("400, the prompt is too long, always", Fault::TooLong),
        "broken" => always("a stream that breaks off, always", Fault::Broken),
        "broken_then_fine" => {
            ("a stream that breaks off, twice; then a last word", then(script, Fault::Broken))
        }
        "refused" => always("the model declines, always", Fault::Refused),
        "filtered" => (
            "a content filter ends each reply",
            (0..TRIES).fold(script, |script, _| script.says(Fault::Filtered)),
        ),
        "hang" => always("the head of an answer, then nothing", Fault::Hang),
        _ => return None,
    })
}

/// The case of this name.
pub(crate) fn case(program: Program, name: &'static str) -> Case {
    let mut ask = Ask::of(&format!("Please do this. {MARKER}"));
    if let Some((says, script)) = scripted(name) {
        return Case { name, says, script, ask, resumes: false };
    }
    let script = Conversation::of(MARKER);
    let (says, script) = match name {
        "resumed" => {
            ask = Ask::of(&format!("And now this. {MARKER}"));
            let script = script.says(text("The first is done."));
            ("a last word, in the session of a call before", script.says(done()))
        }
        "unknown_session" => {
            ask.session = Some(program.unknown_session().to_owned());
            ("nothing: the call names a session that is not there", script.says(done()))
        }
        "unknown_flag" => {
            ask.more.push("--no-such-flag".to_owned());
            ("nothing: the call has a flag that is not known", script.says(done()))
        }
        "no_login" => {
            ask.start = Start::NoLogin;
            ("nothing: there is no key and no login", script.says(done()))
        }
        "large_prompt" => {
            ask = Ask::of(&format!("{MARKER}\n{}", FILLER.0.repeat(FILLER.1)));
            ask.by_stdin = true;
            ("a last word; the prompt has 200 kB and comes by standard input", script.says(done()))
        }
        _ => panic!("no case of this name: {name}"),
    };
    Case { name, says, script, ask, resumes: name == "resumed" }
}
