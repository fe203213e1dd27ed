//! What a run is, without any machinery: pure values and pure functions.
//!
//! Nothing here reads a clock, a file, an environment variable or a random
//! source; whatever varies is an argument. That is what lets the same code run
//! in the program, in a model checker and in a property test.

pub mod account;
pub mod activity;
pub mod agent_file;
pub mod attempt;
pub mod classify;
pub mod decide;
pub mod defaults;
pub mod diagnostic;
pub mod escape;
pub mod event;
pub mod fence;
pub mod fold;
mod front;
pub mod frontmatter;
#[cfg(test)]
pub(crate) mod given;
pub mod graph;
pub mod id;
pub mod keys;
#[cfg(test)]
mod laws_tests;
pub mod lease;
#[cfg(test)]
mod matrix_tests;
pub mod plan;
pub mod policy;
pub mod prompt;
pub mod protocol;
pub mod revision;
pub mod run;
pub mod scope;
pub mod settings;
pub mod suggest;
pub mod task;
pub mod team;
pub mod time;
pub mod trust;
pub mod usage;
pub mod words;
pub mod workflow;
