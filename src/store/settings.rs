//! What the repository's configuration says about us: our own settings, who the
//! user is, and what a fetch would do to our refs. Nothing is ever written.
//!
//! The values are those of the moment at which the store was opened.

use gix::bstr::ByteSlice;

use super::chain::Person;
use super::error::StoreError;
use super::git::GitStore;
use super::names::ALL;

impl GitStore {
    /// All `crew.*` settings as `(key, value)`, keys as `git config --list`
    /// prints them, later ones win. A key without a value has the value `true`.
    #[must_use]
    pub fn settings(&self) -> Vec<(String, String)> {
        let repo = self.inner.local();
        let config = repo.config_snapshot();
        let mut found = Vec::new();
        for section in config.plumbing().sections() {
            let header = section.header();
            if !header.name().eq_ignore_ascii_case(b"crew") {
                continue;
            }
            let middle = header.subsection_name().map(|name| format!("{}.", name.to_str_lossy()));
            let middle = middle.unwrap_or_default();
            for (name, value) in section.body().into_iter() {
                let implied = section.body().value_implicit(&name) == Some(None);
                let value =
                    if implied { "true".to_owned() } else { value.to_str_lossy().into_owned() };
                let name = name.to_ascii_lowercase();
                found.push((format!("crew.{middle}{name}"), value));
            }
        }
        found
    }

    /// The user as a committer: git's configuration and environment, else
    /// `crew <crew@localhost.invalid>`.
    #[must_use]
    pub fn identity(&self) -> Person {
        let repo = self.inner.local();
        let known = repo.committer().and_then(Result::ok).map(|who| {
            Person::new(who.name.to_str_lossy().trim(), who.email.to_str_lossy().trim())
        });
        known
            .filter(|who| !who.name.is_empty() && !who.email.is_empty())
            .unwrap_or_else(|| Person::new("crew", "crew@localhost.invalid"))
    }

    /// The fetch rules, as `(remote, refspec)`, that write into our refs: with
    /// pruning such a fetch deletes runs.
    ///
    /// # Errors
    /// None at present; a configuration that can't be read fails when opening.
    pub fn fetches_over_us(&self) -> Result<Vec<(String, String)>, StoreError> {
        let repo = self.inner.local();
        let config = repo.config_snapshot();
        let remotes = config.plumbing().sections_by_name("remote");
        let mut found = Vec::new();
        for section in remotes.into_iter().flatten() {
            let Some(remote) = section.header().subsection_name() else { continue };
            for spec in section.values("fetch") {
                let spec = spec.to_str_lossy().into_owned();
                if writes_ours(&spec) {
                    found.push((remote.to_str_lossy().into_owned(), spec));
                }
            }
        }
        Ok(found)
    }
}

/// Whether the right side of a refspec can be one of our refs.
fn writes_ours(spec: &str) -> bool {
    let spec = spec.trim_start_matches('+');
    let Some((_, target)) = spec.split_once(':') else { return false };
    match target.split_once('*') {
        Some((before, _)) => ALL.starts_with(before) || before.starts_with(ALL),
        None => target.starts_with(ALL),
    }
}

#[cfg(test)]
mod tests {
    use super::writes_ours;

    #[test]
    fn finds_the_refspecs_that_reach_our_refs() {
        for ours in ["+refs/*:refs/*", "refs/crew/*:refs/crew/*", "+a:refs/crew/log", "*:*"] {
            assert!(writes_ours(ours), "{ours}");
        }
        let usual = "+refs/heads/*:refs/remotes/origin/*";
        for other in [usual, "refs/crew/*", "^refs/crew/*", "a:refs/crewel/b", ":refs/crews/*"] {
            assert!(!writes_ours(other), "{other}");
        }
    }
}
