//! What keeps a run's agents and checks from the rest of the machine: the
//! settings, what this kernel has, and the fence that comes of both.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::world::environment::Incoming;
use crate::world::fence;
use crate::world::fence::control::Control;
use crate::world::fence::probe::Targets;
use crate::world::fence::state::{self, State};
use crate::world::fence::{Bounds, Fence, Grade, Support};
use crate::world::files;
use crate::world::process::try_bounds;
use crate::world::slots::{Kind, Slot};

use super::place::{Place, PlaceError};

/// What the fence is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Means {
    /// Nothing: the user said so.
    None,
    /// The kernel's own means.
    Kernel,
    /// A box made by this program round them.
    Bwrap(PathBuf),
}

/// What is the same for all attempts of a run.
#[derive(Clone, Debug)]
pub struct Confinement {
    support: Support,
    /// `crew.sandbox`.
    means: Means,
    /// `crew.allowWrite`.
    allowed: Vec<PathBuf>,
    /// `crew.denyRead`.
    hidden: Vec<PathBuf>,
    /// `crew.memoryMax` and `crew.processesMax`.
    bounds: Bounds,
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
        let support = Support::probe();
        let means = means(place)?;
        let support = if means == Means::None { Support::none() } else { support };
        let mut this = Self {
            support,
            hidden: hidden(place, &means, &support)?,
            means,
            bounds: bounds(place)?,
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
        if matches!(self.means, Means::Bwrap(_)) {
            // Its own devices and processes leave only this to the kernel's means.
            grade = match self.support.usable_abi() {
                6.. => Grade::Fenced,
                _ => Grade::Partial(vec!["abstract sockets".to_owned()]),
            };
        }
        for flaw in &self.flaws {
            grade = grade.without(flaw);
        }
        match (grade, kind) {
            (Grade::None, Kind::Linked) => "none, linked worktree".to_owned(),
            (grade, Kind::Linked) => grade.without("linked worktree").to_string(),
            (Grade::Fenced, Kind::Private) if matches!(self.means, Means::Bwrap(_)) => {
                "fenced (bwrap)".to_owned()
            }
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
        let whole = fence.abi == 0 && fence.bwrap.is_none();
        let control = Control::look(&self.common_dir, whole);
        let kept = self.common_dir.join("crew/before").join(&slot.key);
        Ok(Guard { fence, state, control, kept })
    }

    /// Why the grade is not better.
    #[must_use]
    pub fn lack(&self) -> Option<String> {
        match &self.means {
            Means::Bwrap(_) => None,
            Means::Kernel | Means::None => self.support.lack(),
        }
    }

    /// The same kind of fence for a probe.
    #[must_use]
    pub fn probing(&self, targets: &Targets) -> Fence {
        let mut fence = self.bare().with([&targets.slot]);
        fence.hidden.push(targets.secret.clone());
        if self.hidden.is_empty() {
            fence.hidden.clear();
        }
        fence
    }

    fn bare(&self) -> Fence {
        let mut fence = Fence::new(&self.support);
        if let Means::Bwrap(program) = &self.means {
            fence.bwrap = Some(program.clone());
        }
        fence.hidden.clone_from(&self.hidden);
        fence.bounds = self.bounds;
        fence
    }

    fn fence(&self, slot: &Slot, state: &State) -> Fence {
        let own = [&slot.tree, &slot.git_dir, &slot.tmp, &slot.outbox];
        let mut fence = self.bare().with(own);
        fence.readable = vec![self.common_dir.join("objects"), slot.inbox.clone()];
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

fn means(place: &Place) -> Result<Means, PlaceError> {
    let value = place.setting("crew.sandbox").unwrap_or("landlock");
    let wrong = |why: String| PlaceError::Setting {
        key: "crew.sandbox".to_owned(),
        value: value.to_owned(),
        why,
    };
    match value {
        "landlock" => return Ok(Means::Kernel),
        "none" => return Ok(Means::None),
        "bwrap" => {}
        _ => return Err(wrong("it may be landlock, bwrap or none".to_owned())),
    }
    let path = place.incoming.get("PATH").unwrap_or_default();
    let program = files::program("bwrap", path)
        .ok_or_else(|| wrong("there is no program 'bwrap' in PATH".to_owned()))?;
    fence::try_bwrap(&program, &place.incoming.helper()).map_err(wrong)?;
    Ok(Means::Bwrap(program))
}

fn bounds(place: &Place) -> Result<Bounds, PlaceError> {
    let read = |key: &str| -> Result<Option<u64>, PlaceError> {
        let Some(value) = place.setting(key) else { return Ok(None) };
        let wrong =
            |why: String| PlaceError::Setting { key: key.to_owned(), value: value.to_owned(), why };
        let found = count(value)
            .ok_or_else(|| wrong("it is a number above 0, with k, m or g behind it".to_owned()))?;
        let one = if key == "crew.memorymax" {
            Bounds { memory: Some(found), processes: None }
        } else {
            Bounds { memory: None, processes: Some(found) }
        };
        try_bounds(one).map_err(|error| wrong(error.to_string()))?;
        Ok(Some(found))
    };
    Ok(Bounds { memory: read("crew.memorymax")?, processes: read("crew.processesmax")? })
}

/// A number as git config spells them: `512m` is 512 times 1024 times 1024.
fn count(text: &str) -> Option<u64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let shift = match unit {
        "" => 0,
        "k" | "K" => 10,
        "m" | "M" => 20,
        "g" | "G" => 30,
        _ => return None,
    };
    let found = number.parse::<u64>().ok()?.checked_mul(1 << shift)?;
    (found > 0).then_some(found)
}

fn hidden(place: &Place, means: &Means, support: &Support) -> Result<Vec<PathBuf>, PlaceError> {
    let values = place.settings.iter().filter(|(key, _)| key == "crew.denyread");
    let found: Vec<PathBuf> = values.map(|(_, value)| place.absolute(value)).collect();
    let kept = matches!(means, Means::Bwrap(_)) || support.usable_abi() > 0;
    match found.first() {
        Some(first) if !kept => Err(PlaceError::Setting {
            key: "crew.denyread".to_owned(),
            value: first.display().to_string(),
            why: support.lack().unwrap_or_else(|| "nothing here can keep it".to_owned()),
        }),
        Some(_) | None => Ok(found),
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

#[cfg(test)]
mod tests {
    use super::count;

    #[test]
    fn numbers_are_spelt_as_in_git_config() {
        assert_eq!(count("512"), Some(512));
        assert_eq!(count("2k"), Some(2048));
        assert_eq!(count("4G"), Some(4 << 30));
        for bad in ["", "0", "g", "-1", "1t", "1.5g", "99999999999g"] {
            assert_eq!(count(bad), None, "{bad}");
        }
    }
}
