//! The lease protocol in a model checker: three processes append to one run by
//! the program's own code (`domain::{decide, fold, protocol}`), and everything
//! around them may happen between any two steps: another process's step, a
//! `kill -9`, a restart, a person's `--force`, `git gc --prune=now`, a power cut,
//! an answer that is lost, a swap that arrives late. A stopped process is one
//! that is not scheduled; so every process may be stopped anywhere.
//!
//! [`world`] is the file system and what may happen to it, [`steps`] what each
//! step does, [`laws`] what must hold in every reachable state, [`mutants`] the
//! proof that the laws can fail: each mutant breaks one rule and must be caught.
//!
//! Limits: histories are bounded (see [`world::Budget`]), one machine, `local`
//! grants only. A clock is not modelled because none is used.

mod chain;
mod laws;
mod mutants;
mod steps;
mod world;
