//! What the settings say about slots: how many wait, what stays in them.

use crate::domain::defaults;
use crate::world::clock;
use crate::world::slots::{Keep, Pooling};

use super::place::{Place, PlaceError};

impl Place {
    /// What the pool of slots may hold.
    ///
    /// # Errors
    /// A setting that means nothing, or a machine that can't be told from another.
    pub fn pooling(&self) -> Result<Pooling, PlaceError> {
        let max = self.number("crew.slotsmax", defaults::SLOTS_MAX)?;
        let values = self.words("crew.keep");
        let keep = Keep::new(&values).map_err(|error| PlaceError::Setting {
            key: "crew.keep".to_owned(),
            value: values.join(", "),
            why: error.to_string(),
        })?;
        let boot = clock::boot_id().map_err(PlaceError::Machine)?;
        Ok(Pooling { max, keep, boot })
    }

    /// A setting that is a number.
    fn number<T: std::str::FromStr>(&self, key: &str, default: T) -> Result<T, PlaceError> {
        let Some(text) = self.setting(key) else { return Ok(default) };
        text.parse().map_err(|_| PlaceError::Setting {
            key: key.to_owned(),
            value: text.to_owned(),
            why: "it is a whole number".to_owned(),
        })
    }

    /// All values of a setting that lists words.
    fn words(&self, key: &str) -> Vec<String> {
        let values = self.settings.iter().filter(|(name, _)| name == key);
        let words = values.flat_map(|(_, value)| value.split([',', ' ']));
        words.map(str::trim).filter(|word| !word.is_empty()).map(str::to_owned).collect()
    }
}
