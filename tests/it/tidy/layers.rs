//! The wall between the layers: every `use`, every written path and every
//! macro's body in `src/` is read and compared with the table of the design.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use syn::visit::Visit;

/// A layer and what it may see besides itself.
const MAY_SEE: [(&str, &[&str]); 6] = [
    ("domain", &[]),
    ("store", &["domain"]),
    ("world", &["domain"]),
    ("view", &["domain"]),
    ("engine", &["domain", "store", "world"]),
    ("surface", &["domain", "store", "world", "view", "engine"]),
];

/// What comes from outside and the only layers that may name it.
const FOREIGN: [(&str, &[&str]); 15] = [
    ("gix", &["store"]),
    ("tokio", &["world", "engine", "surface"]),
    ("clap", &["surface"]),
    ("nix", &["store", "world", "engine", "surface"]),
    ("getrandom", &["store", "world"]),
    ("tempfile", &["store", "world", "engine", "surface"]),
    ("std::fs", &["store", "world", "engine", "surface"]),
    ("std::env", &["store", "world", "engine", "surface"]),
    ("std::process", &["store", "world", "engine", "surface"]),
    ("std::net", &["store", "world", "engine", "surface"]),
    ("std::os", &["store", "world", "engine", "surface"]),
    ("std::thread", &["store", "world", "engine", "surface"]),
    ("std::time::SystemTime", &["store", "world", "engine", "surface"]),
    ("std::time::Instant", &["store", "world", "engine", "surface"]),
    ("std::io::stdout", &["surface"]),
];

/// The absolute paths (`crate::…`, `std::…`, `gix::…`) that a file names.
struct Paths {
    module: Vec<String>,
    found: BTreeSet<Vec<String>>,
}

impl Paths {
    fn of(path: &Path, source: &str) -> BTreeSet<Vec<String>> {
        let file =
            syn::parse_file(source).unwrap_or_else(|fault| panic!("{}: {fault}", path.display()));
        let mut paths = Self { module: module(path), found: BTreeSet::new() };
        paths.visit_file(&file);
        paths.found
    }

    /// Turns `self` and `super` into `crate`, from the module that we are in.
    fn take(&mut self, mut path: Vec<String>) {
        let mut here = self.module.clone();
        let mut relative = false;
        while let Some(first) = path.first().map(String::as_str) {
            match first {
                "self" => {}
                "super" => drop(here.pop()),
                _ => break,
            }
            relative = true;
            path.remove(0);
        }
        if relative {
            path = std::iter::once("crate".to_owned()).chain(here).chain(path).collect();
        }
        if !path.is_empty() {
            self.found.insert(path);
        }
    }

    fn tree(&mut self, before: &[String], tree: &syn::UseTree) {
        let with = |name: String| [before, &[name]].concat();
        match tree {
            syn::UseTree::Path(path) => self.tree(&with(path.ident.to_string()), &path.tree),
            syn::UseTree::Name(name) => self.take(with(name.ident.to_string())),
            syn::UseTree::Rename(name) => self.take(with(name.ident.to_string())),
            syn::UseTree::Glob(_) => self.take(with("*".to_owned())),
            syn::UseTree::Group(group) => {
                group.items.iter().for_each(|item| self.tree(before, item));
            }
        }
    }
}

impl<'ast> Visit<'ast> for Paths {
    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        self.tree(&[], &item.tree);
    }

    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        self.module.push(item.ident.to_string());
        syn::visit::visit_item_mod(self, item);
        self.module.pop();
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        self.take(path.segments.iter().map(|part| part.ident.to_string()).collect());
        syn::visit::visit_path(self, path);
    }

    fn visit_visibility(&mut self, _: &'ast syn::Visibility) {}

    /// A macro's body is no syntax tree yet: every run of names and `::` in it.
    fn visit_macro(&mut self, body: &'ast syn::Macro) {
        let text = body.tokens.to_string().replace(" :: ", "::").replace(":: ", "::");
        let ends = |c: char| !(c.is_alphanumeric() || c == '_' || c == ':');
        for word in text.split(ends).filter(|word| word.contains("::")) {
            self.take(
                word.split("::").filter(|part| !part.is_empty()).map(str::to_owned).collect(),
            );
        }
        syn::visit::visit_macro(self, body);
    }
}

/// `src/store/git/mod.rs` is the module `store::git`, and `decide_tests.rs` is
/// `decide::tests`.
fn module(path: &Path) -> Vec<String> {
    let path = path.strip_prefix("src").expect("a file of src").with_extension("");
    let mut parts: Vec<String> =
        path.iter().map(|part| part.to_str().expect("UTF-8").to_owned()).collect();
    let last = parts.pop().expect("a file has a name");
    match last.strip_suffix("_tests") {
        _ if matches!(last.as_str(), "mod" | "lib" | "main") => {}
        Some(tested) => parts.extend([tested.to_owned(), "tests".to_owned()]),
        None => parts.push(last),
    }
    parts
}

/// Every arrow of one file that points the wrong way.
fn faults(path: &Path, source: &str) -> Vec<String> {
    // The roots: one lists the layers, the other starts the program.
    let layer = match path.iter().nth(1).and_then(|part| part.to_str()).expect("a part") {
        "lib.rs" | "main.rs" => "surface",
        layer => layer,
    };
    let Some((_, may)) = MAY_SEE.iter().find(|(name, _)| *name == layer) else {
        return vec![format!("{}: '{layer}' is no layer of the design", path.display())];
    };
    let mut found = Vec::new();
    for named in Paths::of(path, source) {
        let written = named.join("::");
        if matches!(named[0].as_str(), "crate" | "git_crew") && named.len() > 1 {
            let other = named[1].as_str();
            if !MAY_SEE.iter().any(|(name, _)| *name == other) {
                found.push(format!("{}: {written} is no path into a layer", path.display()));
            } else if other != layer && !may.contains(&other) {
                found.push(format!("{}: {layer} may not see {written}", path.display()));
            }
        }
        for (foreign, users) in FOREIGN {
            let inside = written == foreign || written.starts_with(&format!("{foreign}::"));
            if inside && !users.contains(&layer) {
                found.push(format!("{}: {layer} may not use {written}", path.display()));
            }
        }
    }
    found
}

#[test]
fn a_wrong_arrow_is_seen_however_it_is_written() {
    let wrong = |path: &str, source: &str| faults(&PathBuf::from(path), source).len();
    for (path, source) in [
        ("src/domain/run.rs", "use crate::store::GitStore;"),
        ("src/domain/run.rs", "use crate::{domain::id, view::text};"),
        ("src/domain/plan/tests.rs", "use super::super::super::store;"),
        ("src/domain/plan_tests.rs", "use super::super::super::store;"),
        ("src/domain/mod.rs", "mod tests { use super::super::engine::core; }"),
        ("src/store/git/mod.rs", "fn f() -> crate::world::clock::Now { todo() }"),
        ("src/view/run.rs", "fn f() { g(&[format!(\"{}\", crate::store::x())]); }"),
        ("src/world/git.rs", "type A = Vec<crate::engine::core::Core>;"),
        ("src/engine/core.rs", "use crate::view as other;"),
        ("src/engine/core.rs", "use gix::ObjectId;"),
        ("src/store/chain.rs", "#[derive(Debug)] struct A(tokio::sync::Mutex<u8>);"),
        ("src/view/text.rs", "use std::{fmt, fs};"),
        ("src/domain/time.rs", "fn f() { std::time::SystemTime::now(); }"),
        ("src/domain/time.rs", "use crate::Timestamp;"),
        ("src/other/time.rs", ""),
    ] {
        assert_eq!(wrong(path, source), 1, "{path}: {source}");
    }
    for (path, source) in [
        ("src/surface/cli/mod.rs", "use crate::{domain, engine, store, view, world};"),
        ("src/engine/driver.rs", "use super::io; use crate::store::{self, RefName};"),
        ("src/store/git/mod.rs", "use super::chain::Entry; use std::fs; use gix::refs;"),
        ("src/domain/id.rs", "pub(in crate::domain) fn f() { std::fmt::format(a) }"),
        ("src/domain/plan_tests.rs", "use super::super::run; fn f() { g!(a, ::) }"),
        ("src/main.rs", "fn main() { git_crew::surface::cli::main() }"),
    ] {
        assert_eq!(faults(&PathBuf::from(path), source), Vec::<String>::new());
    }
}

#[test]
fn no_layer_sees_what_it_may_not() {
    let found: Vec<String> = super::files("src", "rs")
        .iter()
        .flat_map(|path| faults(path, &super::text(path)))
        .collect();
    super::none(&found);
}
