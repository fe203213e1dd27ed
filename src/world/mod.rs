//! Processes, slots, agents, checks, clocks: the only place that spawns,
//! sleeps and reads clocks and files.

pub mod agents;
pub mod clock;
pub mod environment;
pub mod fence;
pub mod files;
pub mod git;
pub mod harvest;
pub mod library;
pub mod live;
pub mod process;
pub mod random;
pub mod shipped;
pub mod slots;
