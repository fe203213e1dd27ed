//! The storage: the only user of gix. Everything git-crew knows is commits
//! under `refs/crew/*`; this layer reads and writes them and decides nothing.
//!
//! - [`names`] spells the refs, [`chain`] is the contract of a chain of
//!   entries, [`memory`] and [`git`] are its two implementations.
//! - [`git`] opens a repository; [`holder`] is the sign of life of a process.
//! - [`journal`] writes the chain of all runs; [`tree`], [`revision`] and
//!   [`merge`] read trees and make merges without a checkout.
//!
//! To add a kind of ref: a constructor and a variant in [`names`], nothing else.

pub mod chain;
pub mod codec;
pub mod error;
pub mod failpoint;
pub mod git;
pub mod holder;
pub mod inspect;
pub mod journal;
pub mod ledger;
pub mod memory;
pub mod merge;
pub mod names;
mod parallel;
mod recent;
mod recover;
mod reserve;
pub mod revision;
pub mod runs;
pub mod settings;
pub mod tree;
pub mod trust;
pub mod undo;

pub use chain::{Chains, Entry, NewEntry, Person, Swap, TreeEdit};
pub use error::StoreError;
pub use git::{Durability, GitStore, Options};
pub use memory::MemoryStore;
pub use names::{RefKind, RefName};
