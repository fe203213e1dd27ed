//! Which agents there are: the embedded one, those of git config, those that are
//! installed.

use std::collections::BTreeMap;

use crate::domain::plan::{Programs, SH};
use crate::world::agents::{Agent, PromptBy, table};

use super::place::{Place, PlaceError};

impl Place {
    /// The agents that can be used, by name. A command line of git config wins
    /// over an installed program of its name.
    ///
    /// # Errors
    /// A setting that means nothing.
    pub fn agents(&self) -> Result<BTreeMap<String, Agent>, PlaceError> {
        let mut agents = BTreeMap::from([(SH.to_owned(), Agent::Sh)]);
        let path = self.incoming.get("PATH");
        for adapter in table::ALL {
            if adapter.installed(path).is_some() {
                let args = self.args_of(adapter.name);
                agents.insert(adapter.name.to_owned(), Agent::Known { adapter, args });
            }
        }
        for (name, known) in self.agent_settings("adapter") {
            let Some(adapter) = table::find(known) else {
                return Err(PlaceError::Setting {
                    key: format!("crew.agent.{name}.adapter"),
                    value: known.to_owned(),
                    why: format!("it may be {}", table::ALL.map(|row| row.name).join(" or ")),
                });
            };
            if adapter.installed(path).is_some() {
                let args = self.args_of(name);
                agents.insert(name.to_owned(), Agent::Known { adapter, args });
            }
        }
        for (name, line) in self.agent_settings("command") {
            let key = format!("crew.agent.{name}.prompt");
            let all = PromptBy::ALL.map(PromptBy::word);
            let by = self.one_of(&key, &all, PromptBy::Stdin.word())?;
            let prompt = PromptBy::parse(&by).unwrap_or(PromptBy::Stdin);
            agents.insert(name.to_owned(), Agent::Command { line: line.to_owned(), prompt });
        }
        Ok(agents)
    }

    /// `crew.agent.<name>.<what>`, by name as they were set.
    fn agent_settings<'a>(&'a self, what: &str) -> Vec<(&'a str, &'a str)> {
        let ending = format!(".{what}");
        let named = self.settings.iter().filter_map(|(key, value)| {
            let name = key.strip_prefix("crew.agent.")?.strip_suffix(&ending)?;
            Some((name, value.as_str()))
        });
        named.collect()
    }

    /// `crew.agent.<name>.args`: words, divided by blanks.
    fn args_of(&self, name: &str) -> Vec<String> {
        let words = self.setting(&format!("crew.agent.{name}.args")).unwrap_or_default();
        words.split_whitespace().map(str::to_owned).collect()
    }

    /// What is known about programs when a plan is made.
    ///
    /// # Errors
    /// As [`Place::agents`].
    pub fn programs(&self, flag: Option<&str>) -> Result<Programs, PlaceError> {
        let list = |text: &str| -> Vec<String> {
            text.split(',').map(|word| word.trim().to_owned()).filter(|w| !w.is_empty()).collect()
        };
        let roles = self
            .settings
            .iter()
            .filter_map(|(key, value)| Some((key.strip_prefix("crew.role.")?, value)))
            .map(|(role, value)| (role.trim_end_matches(".agent").to_owned(), list(value)))
            .collect();
        let agents = self.agents()?;
        // What somebody has set up comes before what happens to be there.
        let row = |name: &String| match agents.get(name) {
            Some(Agent::Known { adapter, .. }) if adapter.name == *name => {
                table::ALL.iter().position(|row| row.name == adapter.name)
            }
            Some(_) | None => None,
        };
        let mut available: Vec<String> =
            agents.keys().filter(|name| *name != SH).cloned().collect();
        available.sort_by_key(row);
        let known = table::ALL.map(|row| (row.name.to_owned(), row.install.to_owned()));
        Ok(Programs {
            flag: flag.map(list).unwrap_or_default(),
            roles,
            default: self.setting("crew.defaultagent").map(list).unwrap_or_default(),
            available,
            known: known.to_vec(),
        })
    }
}
