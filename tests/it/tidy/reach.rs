//! A file that no `mod` names is never compiled: its tests pass for ever.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use syn::visit::Visit;

/// The modules that a file declares without a body, with the inline modules
/// around them.
#[derive(Default)]
struct Declared {
    around: Vec<String>,
    found: Vec<PathBuf>,
    placed: Vec<String>,
}

/// What `#[path = "…"]` says.
fn place(attribute: &syn::Attribute) -> Option<String> {
    let syn::Meta::NameValue(pair) = &attribute.meta else { return None };
    let syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. }) = &pair.value else {
        return None;
    };
    pair.path.is_ident("path").then(|| text.value())
}

impl<'ast> Visit<'ast> for Declared {
    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        self.around.push(item.ident.to_string());
        if item.content.is_none() {
            self.found.push(self.around.iter().collect());
            self.placed.extend(item.attrs.iter().filter_map(place));
        }
        syn::visit::visit_item_mod(self, item);
        self.around.pop();
    }
}

fn declared(source: &str) -> Declared {
    let mut declared = Declared::default();
    declared.visit_file(&syn::parse_file(source).expect("a file of Rust"));
    declared
}

/// Where the modules of `file` live: `a/mod.rs` and `a.rs` both have `a/`.
fn folder(file: &Path) -> PathBuf {
    let above = file.parent().expect("a folder");
    match file.file_stem().and_then(|stem| stem.to_str()) {
        Some("mod" | "main" | "lib") | None => above.to_owned(),
        Some(stem) => above.join(stem),
    }
}

fn reach(file: &Path, all: &BTreeSet<PathBuf>, seen: &mut BTreeSet<PathBuf>) {
    if !seen.insert(file.to_owned()) {
        return;
    }
    let declared = declared(&super::text(file));
    for placed in declared.placed {
        let file = file.with_file_name(placed);
        if all.contains(&file) {
            reach(&file, all, seen);
        }
    }
    for name in declared.found {
        let path = folder(file).join(name);
        for file in [path.with_extension("rs"), path.join("mod.rs")] {
            if all.contains(&file) {
                reach(&file, all, seen);
            }
        }
    }
}

fn unreached(folder: &str, roots: &[&str]) -> Vec<String> {
    let all: BTreeSet<PathBuf> = super::files(folder, "rs").into_iter().collect();
    let mut seen = BTreeSet::new();
    for root in roots {
        reach(Path::new(root), &all, &mut seen);
    }
    all.difference(&seen).map(|path| format!("{}: no 'mod' names it", path.display())).collect()
}

#[test]
fn a_declaration_is_found_wherever_it_stands() {
    let source = "mod a; #[cfg(x)] pub(crate) mod b; mod c { #[path = \"f.rs\"] mod d; mod e {} }";
    let want: Vec<PathBuf> = ["a", "b", "c/d"].iter().map(PathBuf::from).collect();
    assert_eq!(declared(source).found, want);
    assert_eq!(declared(source).placed, ["f.rs"]);
    assert_eq!(folder(Path::new("tests/it/main.rs")), Path::new("tests/it"));
    assert_eq!(folder(Path::new("src/domain/plan.rs")), Path::new("src/domain/plan"));
}

#[test]
fn every_file_is_part_of_the_build() {
    let mut found = unreached("src", &["src/lib.rs", "src/main.rs"]);
    found.extend(unreached("tests/it", &["tests/it/main.rs"]));
    found.extend(unreached("tests/agents", &["tests/agents/main.rs"]));
    super::none(&found);
}
