//! The program. So far it is only the supervisor's shim, which the processes
//! that it looks after are started through; the command line comes on top.

use std::process::ExitCode;

fn main() -> ExitCode {
    // Before anything starts a thread: the shim forks.
    if let Some(code) = git_crew::world::process::shim_entry() {
        return code;
    }
    ExitCode::FAILURE
}
