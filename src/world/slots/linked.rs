//! Slots that are registered worktrees of the user's repository, for people
//! whose tools should see them in `git worktree list`. The weaker kind: the
//! agent's git writes into the user's objects and refs.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::{Home, Slot, SlotError, private, remove};

/// `git worktree add` chooses a free name and then takes it: one at a time here,
/// tried again where another process was faster.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// How often it is tried.
const TRIES: u32 = 5;

/// Fills a claimed slot.
pub(super) fn fill(home: &Home, mut slot: Slot) -> Result<Slot, SlotError> {
    register(home, &slot)?;
    find(home, &mut slot);
    if slot.git_dir == slot.tree.join(".git") {
        return Err(SlotError::Gone(slot.tree));
    }
    let failed = |source| SlotError::Git { path: slot.dir.clone(), source };
    let refs = private::list_refs(home).map_err(failed)?;
    private::check_out(home, &mut slot, refs)?;
    Ok(slot)
}

fn register(home: &Home, slot: &Slot) -> Result<(), SlotError> {
    let _one = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let mut tried = 0;
    loop {
        tried += 1;
        let call = home.git.at(&home.repo.common_dir);
        let call = call.args(["worktree", "add", "--detach", "--no-checkout", "-f"]);
        let done = call.arg("--").arg(&slot.tree).arg(slot.base.as_str()).run();
        match done {
            Ok(_) => return Ok(()),
            Err(source) if tried == TRIES => {
                return Err(SlotError::Git { path: slot.dir.clone(), source });
            }
            Err(_) => {}
        }
    }
}

/// Looks up the folder in the repository that stands for the slot. When there
/// is none, the slot's git dir stays a name that leads nowhere.
pub(super) fn find(home: &Home, slot: &mut Slot) {
    slot.git_dir = slot.tree.join(".git");
    let Ok(list) = fs::read_dir(home.repo.common_dir.join("worktrees")) else { return };
    let mut folders: Vec<PathBuf> = list.flatten().map(|entry| entry.path()).collect();
    folders.sort();
    if let Some(found) = folders.into_iter().find(|folder| names(folder, &slot.tree)) {
        slot.git_dir = found;
    }
}

fn names(folder: &Path, tree: &Path) -> bool {
    let Ok(text) = fs::read(folder.join("gitdir")) else { return false };
    text.trim_ascii_end() == tree.join(".git").as_os_str().as_bytes()
}

/// Removes the folder that registered the slot, if it still names it.
pub(super) fn unregister(home: &Home, slot: &Slot) -> Result<(), SlotError> {
    let folder = home.repo.common_dir.join("worktrees");
    if slot.git_dir.parent() != Some(folder.as_path()) || !names(&slot.git_dir, &slot.tree) {
        return Ok(());
    }
    // `worktree prune` would also remove stale worktrees of the user.
    let trash = home.repo.common_dir.join("crew");
    fs::create_dir_all(&trash).map_err(SlotError::io("make", &trash))?;
    remove::tree(&slot.git_dir, &trash)
}
