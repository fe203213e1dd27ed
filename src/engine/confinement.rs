//! What keeps a run's agents and checks from the rest of the machine: the
//! settings, what this kernel has, and the fence that comes of both.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::world::environment::Incoming;
use crate::world::fence::control::Control;
use crate::world::fence::state::{self, State};
use crate::world::fence::{Fence, Grade, Support};
use crate::world::slots::{Kind, Slot};

use super::place::{Place, PlaceError};

/// What is the same for all attempts of a run.
#[derive(Clone, Debug)]
pub struct Confinement {
    support: Support,
    /// `crew.allowWrite`.
    allowed: Vec<PathBuf>,
    /// What of it takes the fence's point away.
    flaws: Vec<String>,
    common_dir: PathBuf,
}

impl Confinement {
    /// Reads the settings and asks the kernel.
    ///
    /// # Errors
    /// A setting that can't be kept.
    pub fn read(place: &Place) -> Result<Self, PlaceError> {
        let mut this = Self {
            support: Support::probe(),
            allowed: Vec::new(),
            flaws: Vec::new(),
            common_dir: place.store.common_dir().to_owned(),
        };
        for (key, value) in place.settings.iter().filter(|(key, _)| key == "crew.allowwrite") {
            let path = place.absolute(value);
            let path = path.canonicalize().map_err(|error| PlaceError::Setting {
                key: key.clone(),
                value: value.clone(),
                why: error.to_string(),
            })?;
            if covers(&path, place) {
                this.flaws.push(format!("allowWrite covers '{}'", path.display()));
            }
            this.allowed.push(path);
        }
        Ok(this)
    }

    /// How well an agent in such a slot is kept in.
    #[must_use]
    pub fn grade(&self, kind: Kind) -> String {
        let mut grade = Grade::of(&self.support);
        for flaw in &self.flaws {
            grade = grade.without(flaw);
        }
        match (grade, kind) {
            (Grade::None, Kind::Linked) => "none, linked worktree".to_owned(),
            (grade, Kind::Linked) => grade.without("linked worktree").to_string(),
            (grade, Kind::Private) => grade.to_string(),
        }
    }

    /// How well a check is kept in. Its checkout is always a private one.
    #[must_use]
    pub fn verdict(&self) -> String {
        match self.grade(Kind::Private).as_str() {
            "none" => "unconfined".to_owned(),
            grade => grade.to_owned(),
        }
    }

    /// Everything round one program in this slot: its private state, its fence,
    /// and how the user's repository stood before it.
    ///
    /// # Errors
    /// The file system says no, in one line.
    pub fn guard(&self, program: &str, slot: &Slot, incoming: &Incoming) -> Result<Guard, String> {
        let environment = |name: &str| incoming.get(name).map(OsString::from);
        // Inside TMPDIR, out of the way of whoever empties it by a `*`.
        let folder = slot.tmp.join(".state");
        // A second check in the same checkout begins anew.
        let _ = std::fs::remove_dir_all(&folder);
        let state = state::prepare(program, &folder, &environment, &self.allowed)
            .map_err(|error| error.to_string())?;
        let fence = self.fence(slot, &state);
        let whole = self.support.usable_abi() == 0;
        let control = Control::look(&self.common_dir, whole);
        let kept = self.common_dir.join("crew/before").join(&slot.key);
        Ok(Guard { fence, state, control, kept })
    }

    fn fence(&self, slot: &Slot, state: &State) -> Fence {
        let own = [&slot.tree, &slot.git_dir, &slot.tmp, &slot.outbox];
        let mut fence = Fence::new(&self.support).with(own);
        if slot.kind == Kind::Linked {
            fence.writable.push(self.common_dir.join("objects"));
        }
        let (folders, single): (Vec<_>, Vec<_>) =
            self.allowed.iter().cloned().partition(|path| path.is_dir());
        fence.writable.extend(folders);
        fence.files.extend(single);
        fence.files.extend_from_slice(&state.files);
        fence
    }
}

/// What is round one program.
#[derive(Clone, Debug)]
pub struct Guard {
    /// What it may do.
    pub fence: Fence,
    state: State,
    control: Control,
    kept: PathBuf,
}

impl Guard {
    /// Adds what the program has to know to its environment.
    pub fn set(&self, environment: &mut Vec<(OsString, OsString)>) {
        self.state.set(environment);
    }

    /// When nothing of the program is alive: brings back what it renewed, and says
    /// in one line what it changed of the user's, with the command for each that
    /// puts the old back.
    #[must_use]
    pub fn settle(&self) -> Option<String> {
        let troubles = self.state.bring_back();
        let changes = match self.control.changes(&self.kept) {
            Ok(changes) => changes,
            Err(error) => vec![format!("the old contents can't be kept: {error}")],
        };
        for trouble in &troubles {
            tracing::warn!("{trouble}");
        }
        if changes.is_empty() {
            return None;
        }
        let all = changes.join("; ");
        Some(format!("the repository was changed while it ran, by it or by you: {all}"))
    }
}

/// Whether whoever may write there reaches the repository, the checkout or
/// every start of a program of the user's.
fn covers(path: &Path, place: &Place) -> bool {
    let home = place.incoming.get("HOME").map(PathBuf::from);
    let home = home.and_then(|home| home.canonicalize().ok());
    let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let work_dir = place.store.work_dir();
    let own: Vec<PathBuf> = [Some(place.store.common_dir()), work_dir.as_deref()]
        .into_iter()
        .flatten()
        .map(real)
        .collect();
    own.iter().any(|own| own.starts_with(path) || path.starts_with(own))
        || home.is_some_and(|home| home.starts_with(path))
}
