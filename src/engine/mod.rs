//! From state to deeds.
//!
//! [`core`] and [`scheduler`] are pure: what happened goes in, what to do comes
//! out. [`driver`] is the one loop that performs it; [`worker`] holds the four
//! things that take time.
//!
//! To add an effect: a variant in [`io`], an arm in the driver.

pub mod books;
pub mod confinement;
pub mod core;
pub mod demonstration;
pub mod doctor;
pub mod driver;
pub mod io;
pub mod judge;
pub mod looks;
pub mod place;
mod players;
pub mod provision;
pub mod prune;
pub mod recovery;
pub mod sandbox;
pub mod scheduler;
pub mod session;
pub mod shop;
pub mod trust;
pub mod undo;
pub mod worker;
