//! What a run is, without any machinery: pure values and pure functions.
//!
//! Nothing here reads a clock, a file, an environment variable or a random
//! source; whatever varies is an argument. That is what lets the same code run
//! in the program, in a model checker and in a property test.

pub mod attempt;
pub mod decide;
pub mod event;
pub mod fold;
#[cfg(test)]
pub(crate) mod given;
pub mod id;
#[cfg(test)]
mod laws_tests;
pub mod lease;
#[cfg(test)]
mod matrix_tests;
pub mod protocol;
pub mod run;
pub mod task;
pub mod time;
pub mod words;
