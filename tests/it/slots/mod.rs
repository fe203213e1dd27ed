//! Slots and the harvest, against real repositories and hostile agents.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_macros,
    reason = "a failing fixture is a failing test, and a skipped test says so"
)]

mod content;
mod fixture;
mod furnish;
mod hostile;
mod life;
mod traces;
mod warm;
