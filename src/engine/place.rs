//! Where everything is: the repository, the settings, the folders, this
//! process's name. Opened once by each command.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use crate::domain::defaults;
use crate::domain::id::{Oid, RunId};
use crate::domain::lease::{Facts, Life};
use crate::domain::run::Run;
use crate::store::holder::{self, Holder, Liveness};
use crate::store::ledger::Ledger;
use crate::store::{Chains, Durability, GitStore, Options, Person, StoreError};
use crate::world::clock::{self, Clock, SystemClock};
use crate::world::environment::{DepthError, Incoming};
use crate::world::git::Git;
use crate::world::library::{self, Library, LibraryError};
use crate::world::random::{Random, SystemRandom};
use crate::world::slots::{self, Ground, Kind, RepoPaths, SlotError, Slots};

use super::shop::{self, SystemStamps};

/// Why the engine could not begin.
#[derive(Debug, thiserror::Error)]
pub enum PlaceError {
    /// The store said no.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The slots could not be prepared.
    #[error(transparent)]
    Slots(#[from] SlotError),
    /// A team, workflow or agent can't be found or read.
    #[error(transparent)]
    Library(#[from] LibraryError),
    /// Runs inside runs inside runs.
    #[error(transparent)]
    Depth(#[from] DepthError),
    /// This machine can't be told from another.
    #[error("can't tell which machine and boot this is")]
    Machine(#[source] std::io::Error),
    /// A setting that means nothing.
    #[error("git config {key} is '{value}': {why}")]
    Setting {
        /// The key.
        key: String,
        /// The value.
        value: String,
        /// What it may be.
        why: String,
    },
    /// Nowhere to put working trees.
    #[error("no folder for working trees: HOME and XDG_STATE_HOME are not set")]
    NoHome,
}

/// A repository and this process in it.
pub struct Place {
    /// The repository.
    pub store: GitStore,
    /// The same, as a store of chains.
    pub chains: Arc<dyn Chains>,
    /// The environment of this process.
    pub incoming: Incoming,
    /// Where time comes from.
    pub clock: Arc<dyn Clock>,
    /// Where random numbers come from.
    pub random: Arc<dyn Random>,
    /// `crew.*` of git config: key in lower case but for the middle, value.
    pub settings: Vec<(String, String)>,
    ground: OnceLock<Ground>,
}

impl std::fmt::Debug for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Place").field("store", &self.store).finish_non_exhaustive()
    }
}

impl Place {
    /// Opens the repository that `dir` is in. Nothing is written.
    ///
    /// # Errors
    /// No repository there, one that can't be used, or a setting that means
    /// nothing.
    pub fn open(dir: &Path, incoming: Incoming) -> Result<Self, PlaceError> {
        let random: Arc<dyn Random> = Arc::new(SystemRandom);
        let mut options = Options::new(shop::new_holder(random.as_ref()));
        let store = GitStore::open(dir, options.clone())?;
        let settings = store.settings();
        let mut place = Self {
            chains: Arc::new(store.clone()),
            store,
            incoming,
            clock: Arc::new(SystemClock::default()),
            random,
            settings,
            ground: OnceLock::new(),
        };
        let none = place.one_of("crew.durability", &["full", "none"], "full")? == "none";
        if none {
            options.durability = Durability::None;
            place.store = GitStore::open(dir, options)?;
            place.chains = Arc::new(place.store.clone());
        }
        Ok(place)
    }

    /// The last value of a setting.
    #[must_use]
    pub fn setting(&self, key: &str) -> Option<&str> {
        self.settings.iter().rev().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }

    pub(super) fn one_of(
        &self,
        key: &str,
        all: &[&str],
        default: &str,
    ) -> Result<String, PlaceError> {
        let value = self.setting(key).unwrap_or(default);
        if all.contains(&value) {
            return Ok(value.to_owned());
        }
        Err(PlaceError::Setting {
            key: key.to_owned(),
            value: value.to_owned(),
            why: format!("it may be {}", all.join(" or ")),
        })
    }

    /// Where teams, workflows and agents come from, for a run from `base`.
    ///
    /// # Errors
    /// The commit's `.crew` folder can't be read.
    pub fn library(&self, base: Option<&Oid>) -> Result<Library, PlaceError> {
        let user = config_folder(&self.incoming);
        let mut texts = Vec::new();
        if let Some(base) = base {
            for folder in library::REPOSITORY_FOLDERS {
                let files = self.chains.files(base, folder)?;
                for file in files.into_iter().filter(|file| library::is_wanted(file)) {
                    texts.extend(self.chains.file(base, &file)?.map(|bytes| (file, bytes)));
                }
            }
        }
        Ok(Library::new(user, texts))
    }

    /// Names that `crew.env` lets through to agents.
    #[must_use]
    pub fn env_names(&self) -> Vec<String> {
        let values = self.settings.iter().filter(|(key, _)| key == "crew.env");
        values
            .flat_map(|(_, value)| value.split([',', ' ']))
            .map(|name| name.trim().to_owned())
            .filter(|name| !name.is_empty())
            .collect()
    }

    /// The user, as committer.
    #[must_use]
    pub fn user(&self) -> Person {
        self.store.identity()
    }

    /// What the repository is called in paths: the same from each of its folders
    /// and worktrees, or a run could not be resumed from another.
    #[must_use]
    pub fn name(&self) -> String {
        let home = self.home();
        let name = home.file_name().map(|name| name.to_string_lossy().into_owned());
        name.unwrap_or_else(|| "repository".to_owned()).trim_end_matches(".git").to_owned()
    }

    /// The folder that holds the repository, or the repository itself where it
    /// is bare or kept apart.
    fn home(&self) -> &Path {
        let common = self.store.common_dir();
        match common.parent() {
            Some(parent) if common.file_name().is_some_and(|name| name == ".git") => parent,
            Some(_) | None => common,
        }
    }

    /// Git, run with nothing of the user's but `PATH` and `HOME`.
    #[must_use]
    pub fn git(&self) -> Git {
        let path = self.incoming.get("PATH").map(OsString::from).unwrap_or_default();
        let home = self.incoming.get("HOME").map(PathBuf::from);
        Git::new("git", &path, home.as_deref())
    }

    /// Where agents work: `crew.worktrees`, else below `$XDG_STATE_HOME`.
    ///
    /// # Errors
    /// No such folder can be made, or git is too old.
    pub fn slots(&self) -> Result<Slots, PlaceError> {
        let root = self.slots_root()?;
        let linked = self.one_of("crew.slots", &["private", "linked"], "private")? == "linked";
        let kind = if linked { Kind::Linked } else { Kind::Private };
        Ok(self.slots_at(&root, kind)?.pooled(self.pooling()?))
    }

    /// The folder that [`Place::slots`] will be in; nothing is made.
    ///
    /// # Errors
    /// [`PlaceError::NoHome`].
    pub fn slots_root(&self) -> Result<PathBuf, PlaceError> {
        if let Some(path) = self.setting("crew.worktrees") {
            return Ok(self.absolute(path));
        }
        let state = self.home_folder("XDG_STATE_HOME", ".local/state")?;
        Ok(slots::default_root(&state, &self.name(), self.store.common_dir()))
    }

    /// Where results are checked: below `$XDG_CACHE_HOME`.
    ///
    /// # Errors
    /// As [`Place::slots`].
    pub fn checkouts(&self) -> Result<Slots, PlaceError> {
        self.cached("checks")
    }

    /// Slots below `$XDG_CACHE_HOME`, of one kind of use.
    ///
    /// # Errors
    /// As [`Place::slots`].
    pub(super) fn cached(&self, what: &str) -> Result<Slots, PlaceError> {
        let cache = self.home_folder("XDG_CACHE_HOME", ".cache")?;
        let root = slots::default_root(&cache, &self.name(), self.store.common_dir());
        self.slots_at(&root.with_file_name(what), Kind::Private)
    }

    fn slots_at(&self, root: &Path, kind: Kind) -> Result<Slots, PlaceError> {
        Ok(Slots::open(&self.ground()?, root, kind)?)
    }

    /// What all slots share; git is asked for it once.
    ///
    /// # Errors
    /// As [`Place::slots`].
    pub fn ground(&self) -> Result<Ground, PlaceError> {
        if let Some(known) = self.ground.get() {
            return Ok(known.clone());
        }
        let common_dir = self.store.common_dir().to_owned();
        let repo =
            RepoPaths { object_dir: common_dir.join("objects"), common_dir, name: self.name() };
        let user = self.user();
        let who = slots::Person { name: user.name, email: user.email };
        let ground = Ground::read(self.git(), repo, who)?;
        Ok(self.ground.get_or_init(|| ground).clone())
    }

    fn home_folder(&self, variable: &str, below: &str) -> Result<PathBuf, PlaceError> {
        let set = self.incoming.get(variable).map(PathBuf::from).filter(|path| path.is_absolute());
        let home = || self.incoming.get("HOME").map(|home| PathBuf::from(home).join(below));
        set.or_else(home).ok_or(PlaceError::NoHome)
    }

    /// A path of the settings: from the top of the repository, `~/` is the home.
    pub(super) fn absolute(&self, path: &str) -> PathBuf {
        let base = self.home();
        match (path.strip_prefix("~/"), self.incoming.get("HOME")) {
            (Some(rest), Some(home)) => PathBuf::from(home).join(rest),
            _ => base.join(path),
        }
    }

    /// The folder of a run's live output, for other processes.
    #[must_use]
    pub fn live(&self, run: &RunId) -> PathBuf {
        live(&self.store, run)
    }

    /// Whether the holder of this run lives, as far as this machine can tell.
    #[must_use]
    pub fn life(&self, run: &Run) -> Life {
        life(&self.store, run)
    }

    /// What this process knows of itself when it asks for a run's lease.
    ///
    /// # Errors
    /// This machine can't be told from another.
    pub fn facts_for_new(&self) -> Result<Facts, PlaceError> {
        Ok(Facts {
            holder: self.store.holder().clone(),
            machine: clock::machine_id().map_err(PlaceError::Machine)?,
            boot: clock::boot_id().map_err(PlaceError::Machine)?,
            life: Life::Unknown,
            watched_ms: 0,
            force: false,
        })
    }

    /// The sign of life of this process. It must be held while a run is.
    ///
    /// # Errors
    /// It can't be written.
    pub fn hold(&self) -> Result<Holder, PlaceError> {
        Ok(Holder::take(&self.store)?)
    }

    /// The chain of a run, to be written by this process.
    #[must_use]
    pub fn ledger(&self, run: &RunId) -> Ledger {
        let stamps =
            SystemStamps { clock: Arc::clone(&self.clock), random: Arc::clone(&self.random) };
        let me = self.store.holder().clone();
        Ledger::new(Arc::clone(&self.chains), run.clone(), me, Box::new(stamps))
    }

    /// From SIGTERM to SIGKILL at a limit: `crew.grace`, in seconds.
    ///
    /// # Errors
    /// The setting is no number.
    pub fn grace(&self) -> Result<std::time::Duration, PlaceError> {
        let Some(text) = self.setting("crew.grace") else {
            return Ok(std::time::Duration::from_millis(defaults::GRACE_MS));
        };
        text.parse::<u64>().map(std::time::Duration::from_secs).map_err(|_| PlaceError::Setting {
            key: "crew.grace".to_owned(),
            value: text.to_owned(),
            why: "it is a number of seconds".to_owned(),
        })
    }
}

/// The user's folder of teams, workflows and agents; needs no repository.
#[must_use]
pub fn config_folder(incoming: &Incoming) -> Option<PathBuf> {
    let path = |name: &str| incoming.get(name).map(PathBuf::from);
    library::config_folder(path("XDG_CONFIG_HOME").as_deref(), path("HOME").as_deref())
}

/// The folder of a run's live output, for other processes.
#[must_use]
pub fn live(store: &GitStore, run: &RunId) -> PathBuf {
    store.common_dir().join("crew/live").join(run.as_str())
}

/// Whether the holder of this run lives, as far as this machine can tell. Needs
/// no settings, so that readers can ask as well.
#[must_use]
pub fn life(store: &GitStore, run: &Run) -> Life {
    let Some(grant) = &run.lease.held else { return Life::Dead };
    match (clock::machine_id(), clock::boot_id()) {
        (Ok(machine), Ok(boot)) if machine == grant.machine && boot == grant.boot => {
            match holder::liveness(store, &grant.holder) {
                Liveness::Alive => Life::Alive,
                Liveness::Dead => Life::Dead,
                Liveness::Unknowable => Life::Unknown,
            }
        }
        (Ok(machine), Ok(_)) if machine == grant.machine => Life::Dead,
        _ => Life::Unknown,
    }
}
