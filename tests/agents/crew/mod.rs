//! `git crew run` with each of the real programs, from the command line to the
//! result, set up as a user would: the program on the `PATH`, its settings in its
//! home, its name in git config.

mod faults;
mod rig;
mod stops;
mod work;
