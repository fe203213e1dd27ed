//! Globs that a task must stay inside (`paths:`).
//!
//! `*` and `?` stay inside one path component, `**` crosses them; `{a,b}` and
//! `[ab]` work. A glob that names a folder (`src` or `src/`) means all below it.
//! Paths are those of git: from the top of the repository, with `/`.

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

use super::escape;

/// A glob that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScopeError {
    /// Not a path inside the repository.
    #[error("'{0}' must be a path inside the repository, without '/' in front and without '..'")]
    Outside(String),
    /// Not a glob.
    #[error("'{glob}' is not a glob: {why}")]
    Malformed {
        /// As written.
        glob: String,
        /// What is wrong.
        why: String,
    },
}

/// A set of globs.
#[derive(Clone, Debug)]
pub struct Scope {
    set: Option<GlobSet>,
}

impl Scope {
    /// Compiles globs; none means that everything is inside.
    ///
    /// # Errors
    /// The first glob that leaves the repository or is malformed.
    pub fn new(globs: &[String]) -> Result<Self, ScopeError> {
        let mut set = GlobSetBuilder::new();
        for glob in globs {
            let shown = || escape::word(glob, 60);
            let bare = glob.strip_prefix("./").unwrap_or(glob).trim_end_matches('/');
            let leaves = glob.starts_with('/')
                || bare.is_empty()
                || bare.split('/').any(|part| part == "..");
            if leaves {
                return Err(ScopeError::Outside(shown()));
            }
            for form in [bare.to_owned(), format!("{bare}/**")] {
                let built = GlobBuilder::new(&form).literal_separator(true).build();
                let glob = built.map_err(|error| ScopeError::Malformed {
                    glob: shown(),
                    why: error.kind().to_string(),
                })?;
                set.add(glob);
            }
        }
        let built = set.build().map_err(|error| ScopeError::Malformed {
            glob: escape::word(&globs.join(", "), 60),
            why: error.kind().to_string(),
        })?;
        Ok(Self { set: (!globs.is_empty()).then_some(built) })
    }

    /// Whether a path of the repository is inside.
    #[must_use]
    pub fn holds(&self, path: &str) -> bool {
        self.set.as_ref().is_none_or(|set| set.is_match(path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(globs: &[&str], path: &str) -> bool {
        let globs: Vec<String> = globs.iter().map(|glob| (*glob).to_owned()).collect();
        Scope::new(&globs).expect("good globs").holds(path)
    }

    #[test]
    fn inside_and_outside() {
        assert!(holds(&[], "anything"));
        assert!(
            holds(&["src"], "src/a/b.rs")
                && holds(&["src/"], "src/a.rs")
                && holds(&["./src"], "src/a")
        );
        assert!(!holds(&["src"], "srcs/a.rs") && !holds(&["src"], "a/src/b"));
        assert!(holds(&["*.md"], "README.md") && !holds(&["*.md"], "docs/a.md"));
        assert!(holds(&["**/*.md"], "docs/a.md") && holds(&["**/*.md"], "a.md"));
        assert!(holds(&["src/*.{rs,md}"], "src/a.rs") && !holds(&["src/*.{rs,md}"], "src/b/a.rs"));
        assert!(holds(&["docs", "src"], "src/x"));
    }

    #[test]
    fn refuses_what_leaves_the_repository() {
        for bad in ["/etc", "../x", "a/../../b", "", "/", "./"] {
            assert!(matches!(Scope::new(&[bad.to_owned()]), Err(ScopeError::Outside(_))), "{bad}");
        }
        let shown = Scope::new(&["a[".to_owned()]).unwrap_err().to_string();
        assert!(shown.starts_with("'a[' is not a glob: "), "{shown}");
    }
}
