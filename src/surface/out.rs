//! The only writer to standard output and standard error. Standard output is
//! the answer, standard error is the story.
//!
//! Promise: labels become colours only where a terminal reads and nobody said
//! no; a reader that goes away is a [`Fault::closed`], never a panic; foreign
//! text can't get here unescaped but through [`Out::own`], which is for text
//! that this program made itself.

use std::io::{self, IsTerminal, Write};
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;

use super::cli::args::ColorChoice;
use super::cli::environment::Environment;
use super::fault::Fault;
use crate::view::json::Envelope;
use crate::view::text::{Label, Line, Text};

/// Columns where no terminal says how many it has.
const WIDE: usize = 100;

struct Sink {
    to: Box<dyn Write + Send>,
    colour: bool,
}

/// Where answers and stories go.
pub struct Out {
    answer: Sink,
    story: Sink,
    wide: usize,
    terminal: bool,
}

/// Whether labels become colours on one stream.
///
/// | `--color` | `NO_COLOR` set | `CLICOLOR_FORCE` set, not `0` | terminal, not `TERM=dumb` | colour |
/// |---|---|---|---|---|
/// | never | | | | no |
/// | always | | | | yes |
/// | auto | yes | | | no |
/// | auto | no | yes | | yes |
/// | auto | no | no | yes | yes |
/// | auto | no | no | no | no |
#[must_use]
pub fn colours(choice: ColorChoice, env: &Environment, terminal: bool) -> bool {
    match choice {
        ColorChoice::Never => false,
        ColorChoice::Always => true,
        ColorChoice::Auto if env.no_color => false,
        ColorChoice::Auto if env.force_color => true,
        ColorChoice::Auto => terminal && !env.dumb,
    }
}

fn ansi(label: Label) -> &'static str {
    match label {
        Label::Plain => "",
        Label::Strong => "\u{1b}[1m",
        Label::Good => "\u{1b}[32m",
        Label::Bad => "\u{1b}[31m",
        Label::Warn => "\u{1b}[33m",
        Label::Dim => "\u{1b}[2m",
        Label::Id => "\u{1b}[36m",
        Label::Hint => "\u{1b}[1;34m",
    }
}

fn render(line: &Line, colour: bool) -> String {
    if !colour {
        return line.to_plain() + "\n";
    }
    let mut out = String::new();
    for span in line.spans() {
        let on = ansi(span.label());
        out.push_str(on);
        out.push_str(span.words());
        if !on.is_empty() {
            out.push_str("\u{1b}[0m");
        }
    }
    out.push('\n');
    out
}

impl Out {
    /// The process's own streams.
    #[must_use]
    pub fn process(choice: ColorChoice, env: &Environment) -> Self {
        let terminal = io::stdout().is_terminal();
        let width = terminal_size::terminal_size().map(|(width, _)| usize::from(width.0));
        Self {
            answer: Sink { to: Box::new(io::stdout()), colour: colours(choice, env, terminal) },
            story: Sink {
                to: Box::new(io::stderr()),
                colour: colours(choice, env, io::stderr().is_terminal()),
            },
            wide: env.columns.or(width.filter(|_| terminal)).unwrap_or(WIDE),
            terminal,
        }
    }

    /// Streams that tests read back, without colours unless asked for.
    #[must_use]
    pub fn captured(colour: bool) -> (Self, Captured) {
        let captured = Captured::default();
        let sink = |to: &Shared| Sink { to: Box::new(to.clone()), colour };
        let out = Self {
            answer: sink(&captured.answer),
            story: sink(&captured.story),
            wide: WIDE,
            terminal: false,
        };
        (out, captured)
    }

    /// How many columns the answer has.
    #[must_use]
    pub fn wide(&self) -> usize {
        self.wide
    }

    /// Whether a terminal reads the answer.
    #[must_use]
    pub fn is_terminal(&self) -> bool {
        self.terminal
    }

    /// Whether the answer has colours.
    #[must_use]
    pub fn has_colour(&self) -> bool {
        self.answer.colour
    }

    /// Writes the answer.
    ///
    /// # Errors
    /// [`Fault::closed`] when the reader is gone; else what the write says.
    pub fn text(&mut self, text: &Text) -> Result<(), Fault> {
        let colour = self.answer.colour;
        let all: String = text.lines().iter().map(|line| render(line, colour)).collect();
        self.write(all.as_bytes())
    }

    /// Writes the answer as one JSON document.
    ///
    /// # Errors
    /// As [`Out::text`].
    pub fn json<T: Serialize>(&mut self, kind: &str, data: T) -> Result<(), Fault> {
        let document = Envelope::new(kind, data).document()?;
        self.write(document.as_bytes())
    }

    /// Writes one line of a JSON stream.
    ///
    /// # Errors
    /// As [`Out::text`].
    pub fn json_line<T: Serialize>(&mut self, kind: &str, data: T) -> Result<(), Fault> {
        let line = Envelope::new(kind, data).line()?;
        self.write(line.as_bytes())
    }

    /// Writes foreign bytes of several lines, escaped.
    ///
    /// # Errors
    /// As [`Out::text`].
    pub fn block(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        self.write(crate::view::escape::block(bytes).as_bytes())
    }

    /// Writes text that this program made itself, as it is: help, man pages,
    /// completion scripts. Never for text that came from anywhere else.
    ///
    /// # Errors
    /// As [`Out::text`].
    pub fn own(&mut self, text: &[u8]) -> Result<(), Fault> {
        self.write(text)
    }

    /// Tells the person what goes on. A story nobody reads is no failure.
    pub fn story(&mut self, line: &Line) {
        let rendered = render(line, self.story.colour);
        drop(self.story.to.write_all(rendered.as_bytes()).and_then(|()| self.story.to.flush()));
    }

    /// Tells the person why it failed.
    pub fn fault(&mut self, fault: &Fault) {
        for line in fault.text().lines() {
            self.story(line);
        }
    }

    /// Writes a message of clap's: an answer to standard output, else a story.
    /// A message that repeats hostile words of the command line is escaped.
    ///
    /// # Errors
    /// As [`Out::text`], for an answer.
    pub fn clap(&mut self, said: &clap::builder::StyledStr, answer: bool) -> Result<(), Fault> {
        let sink = if answer { &mut self.answer } else { &mut self.story };
        let plain = said.to_string();
        let shown = crate::view::escape::block(plain.as_bytes());
        let text = if shown == plain && sink.colour { said.ansi().to_string() } else { shown };
        let written = sink.to.write_all(text.as_bytes()).and_then(|()| sink.to.flush());
        if answer { Ok(written?) } else { Ok(()) }
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        self.answer.to.write_all(bytes)?;
        Ok(self.answer.to.flush()?)
    }
}

#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Shared {
    fn read(&self) -> String {
        let bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

/// What was written to captured streams.
#[derive(Clone, Default)]
pub struct Captured {
    answer: Shared,
    story: Shared,
}

impl Captured {
    /// The answer so far.
    #[must_use]
    pub fn answer(&self) -> String {
        self.answer.read()
    }

    /// The story so far.
    #[must_use]
    pub fn story(&self) -> String {
        self.story.read()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(no_color: bool, force_color: bool, dumb: bool) -> Environment {
        Environment { no_color, force_color, dumb, ..Environment::default() }
    }

    #[test]
    fn colour_needs_a_terminal_and_nobody_who_says_no() {
        use ColorChoice::{Always, Auto, Never};
        let plain = env(false, false, false);
        assert!(colours(Auto, &plain, true));
        assert!(!colours(Auto, &plain, false));
        assert!(!colours(Auto, &env(true, false, false), true), "NO_COLOR");
        assert!(!colours(Auto, &env(true, true, false), true), "NO_COLOR beats CLICOLOR_FORCE");
        assert!(colours(Auto, &env(false, true, false), false), "CLICOLOR_FORCE");
        assert!(!colours(Auto, &env(false, false, true), true), "TERM=dumb");
        assert!(colours(Always, &env(true, false, true), false));
        assert!(!colours(Never, &env(false, true, false), true));
    }

    #[test]
    fn labels_become_colours_and_words_stay() {
        let mut text = Text::new();
        text.push(Line::plain("a ").with(Label::Bad, "b\u{1b}[2J"));
        let (mut plain, plainly) = Out::captured(false);
        let (mut bright, brightly) = Out::captured(true);
        plain.text(&text).expect("captured");
        bright.text(&text).expect("captured");
        assert_eq!(plainly.answer(), "a b\\x1b[2J\n");
        assert_eq!(brightly.answer(), "a \u{1b}[31mb\\x1b[2J\u{1b}[0m\n");
    }

    #[test]
    fn the_answer_and_the_story_do_not_mix() {
        let (mut out, captured) = Out::captured(false);
        out.story(&Line::plain("working"));
        out.json("runs", Vec::<u8>::new()).expect("captured");
        assert_eq!(captured.story(), "working\n");
        assert!(captured.answer().starts_with('{'));
    }
}
