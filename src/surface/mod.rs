//! People and programs: the command line. It may use every layer; nothing uses
//! it.
//!
//! [`out`] is the only writer to standard output and standard error, [`fault`]
//! the only place that maps errors to exit codes and hints, [`cli`] holds one
//! file per command.

pub mod bug;
pub mod cli;
pub mod exit;
pub mod fault;
pub mod out;
