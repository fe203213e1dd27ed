//! `git crew` runs a crew of coding agents on a git repository and keeps
//! everything it knows in that repository.
//!
//! The crate is one program in six layers; a test reads every `use` and every
//! `crate::` path and fails on an arrow that is not in this picture:
//!
//! ```text
//! surface  people and programs: the command line        -> everything
//! engine   from state to deeds: core, scheduler, driver -> domain, store, world
//! view     state -> plain structs -> text or JSON       -> domain
//! world    processes, slots, agents, checks, clocks     -> domain
//! store    the only user of gix: refs/crew/*            -> domain
//! domain   pure: ids, events, state machines, policy    -> nothing
//! ```
//!
//! `docs/architecture.md` walks through a run; `docs/format.md` is the stored
//! format; `docs/design/` holds the promises that the tests defend.

pub mod domain;
pub mod engine;
pub mod store;
pub mod surface;
pub mod view;
pub mod world;
