//! The real programs against a scripted model, apart from `cargo test`: see
//! `.ci/agents` and `docs/testing.md`.

#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    reason = "tests start programs, read the environment and print; the rules are for the crate"
)]

mod apart;
mod crew;
mod marks;
mod programs;
mod raw;
mod server;
