//! The manual pages, made from the same text as the help: one for git-crew, one
//! for each command, which is where `git help crew-run` looks.

use std::io;

use clap_mangen::Man;

/// One page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// Its name without the section: `git-crew-run`.
    pub name: String,
    /// Its source.
    pub roff: Vec<u8>,
}

/// Every page, that of git-crew first; none of hidden commands.
///
/// # Errors
/// Never in practice: rendering writes to memory.
pub fn pages() -> io::Result<Vec<Page>> {
    let root = super::command();
    let mut pages = vec![page("git-crew", &root)?];
    for command in root.get_subcommands().filter(|command| !command.is_hide_set()) {
        pages.push(page(&format!("git-crew-{}", command.get_name()), command)?);
    }
    Ok(pages)
}

fn page(name: &str, command: &clap::Command) -> io::Result<Page> {
    let mut roff = Vec::new();
    let source = concat!("git-crew ", env!("CARGO_PKG_VERSION"));
    Man::new(command.clone())
        .title(name.to_uppercase())
        .source(source)
        .manual("git-crew manual")
        .render(&mut roff)?;
    Ok(Page { name: name.to_owned(), roff })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_a_page_and_no_hidden_one_has() {
        let pages = pages().expect("written to memory");
        let names: Vec<&str> = pages.iter().map(|page| page.name.as_str()).collect();
        assert_eq!(names.first(), Some(&"git-crew"));
        assert!(names.contains(&"git-crew-status"));
        assert!(!names.iter().any(|name| name.contains("__")));
        for page in &pages {
            let text = String::from_utf8_lossy(&page.roff);
            assert!(text.contains(".SH SYNOPSIS"), "{}", page.name);
            assert!(text.contains(&page.name.replace('-', "\\-")), "{}", page.name);
        }
    }
}
