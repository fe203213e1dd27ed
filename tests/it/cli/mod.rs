//! The built program in a user's hands: every command, every place it must work
//! in, every bad input of the list, every way to die.
//!
//! A test here begins with a [`sandbox::Sandbox`], which proves at its end that
//! the user's things are untouched and that no process is left.

mod adapters;
mod agents;
mod control;
mod crash;
mod crowded;
mod damage;
mod demo;
mod fence;
mod files;
mod fingerprint;
mod left;
mod places;
mod plans;
mod processes;
mod prune;
mod run;
mod sandbox;
mod setup;
mod skills;
mod story;
mod trust;
