//! What the settings say about slots: how many wait, what stays in them, what is
//! put into them, and how much of the disk must stay free. All of it is the user's
//! own configuration; files of a repository have no say.

use std::time::Duration;

use crate::domain::defaults;
use crate::world::clock;
use crate::world::slots::{self, Copying, Keep, Pooling, SlotError};

use super::place::{Place, PlaceError};

/// What each slot of a run gets.
#[derive(Clone, Debug, Default)]
pub struct Provision {
    /// What is copied from the user's checkout, if there is one.
    pub copying: Option<Copying>,
    /// The command that makes a slot ready.
    pub setup: Option<String>,
    /// The files that it depends on.
    pub setup_key: Vec<String>,
    /// The longest that it may run.
    pub setup_limit: Duration,
}

impl Place {
    /// What the pool of slots may hold.
    ///
    /// # Errors
    /// A setting that means nothing, or a machine that can't be told from another.
    pub fn pooling(&self) -> Result<Pooling, PlaceError> {
        let max = self.number("crew.slotsmax", defaults::SLOTS_MAX)?;
        let values = self.words("crew.keep");
        let keep = Keep::new(&values)
            .map_err(|error| setting("crew.keep", &values.join(", "), &error.to_string()))?;
        let boot = clock::boot_id().map_err(PlaceError::Machine)?;
        Ok(Pooling { max, keep, boot })
    }

    /// What each slot gets.
    ///
    /// # Errors
    /// A setting that means nothing.
    pub fn provision(&self) -> Result<Provision, PlaceError> {
        let seconds = self.number("crew.setuptimeout", defaults::SETUP_MS / 1000)?;
        let setup = self.setting("crew.setup").filter(|line| !line.trim().is_empty());
        Ok(Provision {
            copying: self.copying()?,
            setup: setup.map(str::to_owned),
            setup_key: self.words("crew.setupkey"),
            setup_limit: Duration::from_secs(seconds),
        })
    }

    fn copying(&self) -> Result<Option<Copying>, PlaceError> {
        let patterns = self.words("crew.copy");
        if let Some(bad) = patterns.iter().find(|pattern| slots::leads_out(pattern)) {
            return Err(setting("crew.copy", bad, "it leads out of the checkout"));
        }
        let reserve = self.reserve()?;
        Ok(self.store.work_dir().map(|checkout| Copying {
            checkout: checkout.to_owned(),
            git_dir: self.store.git_dir().to_owned(),
            patterns,
            reserve,
        }))
    }

    /// Refuses to begin where the disk of the slots is nearly full.
    ///
    /// # Errors
    /// [`SlotError::NoRoom`], or a setting that means nothing.
    pub fn check_room(&self) -> Result<(), PlaceError> {
        let (path, reserve) = (self.slots_root()?, self.reserve()?);
        let free = slots::free(&path);
        if free >= reserve {
            return Ok(());
        }
        Err(SlotError::NoRoom { path, need: 0, free, reserve }.into())
    }

    fn reserve(&self) -> Result<u64, PlaceError> {
        let megabytes: u64 = self.number("crew.minfree", defaults::MIN_FREE >> 20)?;
        Ok(megabytes.saturating_mul(1 << 20))
    }

    /// A setting that is a number.
    fn number<T: std::str::FromStr>(&self, key: &str, default: T) -> Result<T, PlaceError> {
        let Some(text) = self.setting(key) else { return Ok(default) };
        text.parse().map_err(|_| setting(key, text, "it is a whole number"))
    }

    /// All values of a setting that lists words.
    fn words(&self, key: &str) -> Vec<String> {
        let values = self.settings.iter().filter(|(name, _)| name == key);
        let words = values.flat_map(|(_, value)| value.split([',', ' ']));
        words.map(str::trim).filter(|word| !word.is_empty()).map(str::to_owned).collect()
    }
}

fn setting(key: &str, value: &str, why: &str) -> PlaceError {
    PlaceError::Setting { key: key.to_owned(), value: value.to_owned(), why: why.to_owned() }
}
