//! The program. The supervisor's shim comes first, before any thread exists;
//! everything else is the command line's.

use std::process::ExitCode;

fn main() -> ExitCode {
    // Before anything starts a thread: the shim forks.
    if let Some(code) = git_crew::world::process::shim_entry() {
        return code;
    }
    git_crew::surface::cli::main(std::env::args_os())
}
