//! The one integration binary: everything that needs a real repository, a real
//! process or the built program. A test in `tidy` fails when a file here is not
//! listed.

#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    clippy::unwrap_used,
    reason = "tests start programs, read clocks, print and fail; the rules are for the crate"
)]

mod acceptance;
mod cli;
mod crowd;
mod docs;
mod fence;
mod files;
mod model;
mod process;
mod slots;
mod store;
mod surface;
mod tidy;
