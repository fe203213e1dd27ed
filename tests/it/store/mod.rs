//! The store on real repositories, with real processes.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking, like tests")]

mod child;
mod code;
mod contract;
#[cfg(feature = "failpoints")]
mod crash;
pub(crate) mod fixture;
mod heal;
mod ledger;
mod loose;
#[cfg(feature = "failpoints")]
mod mutants;
mod packs;
mod power;
mod race;
#[cfg(target_os = "linux")]
mod syncs;
