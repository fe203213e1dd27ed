//! One file per command: `Args`, whose doc comments are the help, and `run`.
//! Commands do not see each other; what two of them share is in `ctx`, `pick`
//! or a view.
//!
//! The files without a `run` hold the arguments of commands whose work the
//! engine does; they are not on the command line before they have one.

pub mod cancel;
pub mod catalogue;
pub mod complete_words;
pub mod completions;
pub mod demo;
pub mod diff;
pub mod doctor;
pub mod help;
pub mod init;
pub mod log;
pub mod man;
pub mod path;
pub mod prune;
pub mod resume;
pub mod retry;
pub mod run;
pub mod show;
pub mod status;
pub mod trust;
pub mod wait;
