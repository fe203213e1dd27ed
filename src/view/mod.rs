//! State to words: plain structs made for a reader, from which both the text
//! and the JSON are made, so that `--json` can't say anything else.
//!
//! Nothing here knows a terminal: text carries [`text::Label`]s, the surface
//! turns them into colours or drops them. "Now" is an argument.
//!
//! To show something new: a struct with `Serialize` and a function from it to
//! [`text::Text`], in a file of its own. Foreign text goes through
//! [`text::Line`], which escapes it, or through [`escape::block`].

pub mod attempt;
pub mod catalogue;
pub mod escape;
pub mod event;
pub mod json;
pub mod list;
pub mod next;
pub mod run;
#[cfg(test)]
pub(crate) mod sample;
pub mod task;
pub mod text;
pub mod tree;
pub mod trust;
pub mod usage;
pub mod words;
