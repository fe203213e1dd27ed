//! What surrounds a program in a slot: the same for an agent and for a check.

use std::ffi::OsString;

use crate::domain::id::{Oid, TaskId};
use crate::world::environment::Attempt;
use crate::world::slots::Slot;

use super::{Shop, line};

/// Whom the program works for.
pub(super) struct Setting<'a> {
    pub task: &'a TaskId,
    pub attempt: u32,
    /// What its slot was made from.
    pub base: &'a Oid,
    /// What its processes carry.
    pub mark: &'a str,
    /// The user's names of variables that pass.
    pub names: &'a [String],
}

impl Setting<'_> {
    /// The complete environment of a program in this slot.
    pub(super) fn environment(
        &self,
        shop: &Shop,
        slot: &Slot,
    ) -> Result<Vec<(OsString, OsString)>, String> {
        let variables = Attempt {
            run: shop.id().as_str(),
            task: self.task.as_str(),
            attempt: &self.attempt.to_string(),
            base: self.base.as_str(),
            input: &slot.inbox,
            output: &slot.outbox,
            mark: self.mark,
            ceiling: &slot.dir,
        };
        let mut env =
            shop.incoming.attempt(&variables, self.names).map_err(|error| line(&error))?;
        env.retain(|(name, _)| name != "TMPDIR");
        env.push(("TMPDIR".into(), slot.tmp.clone().into()));
        Ok(env)
    }
}
