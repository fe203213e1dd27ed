//! Checkouts for people: an attempt's result, apart from the slot that an agent
//! wrote.

use std::path::PathBuf;

use crate::domain::attempt::Attempt;
use crate::domain::id::{RunId, TaskId};
use crate::world::slots::Slots;

use super::place::{Place, PlaceError};

impl Place {
    /// Where these checkouts are: below `$XDG_CACHE_HOME`.
    ///
    /// # Errors
    /// As [`Place::slots`].
    pub fn looks(&self) -> Result<Slots, PlaceError> {
        self.cached("looks")
    }

    /// A clean checkout of what an attempt left, made at the first call; `None`
    /// when it left nothing.
    ///
    /// # Errors
    /// The checkout can't be made.
    pub fn look(
        &self,
        run: &RunId,
        task: &TaskId,
        attempt: &Attempt,
    ) -> Result<Option<PathBuf>, PlaceError> {
        let work = attempt.work.as_ref();
        let Some(commit) = work.and_then(|work| work.commit.as_ref()) else { return Ok(None) };
        let cut = |text: &str, most: usize| {
            text.get(..most.min(text.len())).unwrap_or_default().trim_end_matches('-').to_owned()
        };
        let (run, task) = (cut(run.as_str(), 4), cut(task.as_str(), 32));
        let key = format!("{run}-{task}-{}-{}", attempt.number, cut(commit.as_str(), 12));
        Ok(Some(self.looks()?.make_once(commit, &key)?.tree))
    }
}
