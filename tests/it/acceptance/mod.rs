//! Behaviours that coordinators of agents have been pinned to before, in this
//! tool's terms, by the names under which they are known: L leases, D dispatches
//! (here: attempts), C recovery after a crash, P pausing, T trees. What is a
//! matter of the rules alone is proved here, on the rules; what needs a process,
//! a repository or the built program is proved where those are: [`table`] names
//! for each the test.

use git_crew::domain::{attempt, decide, event, fold, id, lease, run, task, time};

#[path = "../../../src/domain/given.rs"]
#[expect(dead_code, reason = "the support is shared with the tests of the rules")]
mod given;

mod attempts;
mod leases;
mod recovery;
mod table;
