//! The completion scripts in the shells themselves: what a Tab makes of a line,
//! for `git-crew` and for `git crew`, which goes through git's own completion.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::real::{git, start};

/// Lines as they are typed, and the word that the last one becomes.
const TYPED: [(&str, &str); 12] = [
    ("sta", "status"),
    ("show 7", "7kq2-fix"),
    ("show 7kq2-fix pl", "plan"),
    ("log 7kq2 plan --out", "--output"),
    ("run --team mi", "mine"),
    ("run --workflow parallel-r", "parallel-research"),
    ("run --agent exa", "example"),
    ("teams show parallel", "parallel-research"),
    ("teams check mi", "mine"),
    ("workflows show fast", "fast-fix"),
    ("agents show explo", "explorer"),
    ("run -C x --team mi", "mine"),
];

/// A repository with a run, a team and an agent of the user's, and the script
/// of a shell.
struct Desk {
    top: tempfile::TempDir,
}

impl Desk {
    fn new() -> Self {
        let top = tempfile::tempdir().expect("a folder");
        let dir = top.path().join("repository");
        let teams = top.path().join("config/git-crew/teams");
        fs::create_dir_all(&dir).expect("made");
        fs::create_dir_all(&teams).expect("made");
        let team = "---\nname: mine\ndescription: it's \"mine\": $x\n---\n- explorer: reads\n";
        fs::write(teams.join("mine.team.md"), team).expect("written");
        git(&dir, &["init", "-q"]);
        git(&dir, &["config", "crew.agent.example.command", "example --quiet"]);
        let user = ["-c", "user.name=a", "-c", "user.email=a@b"];
        git(&dir, &[&user[..], &["commit", "-q", "--allow-empty", "-m", "one"]].concat());
        drop(start(&dir, git(&dir, &["rev-parse", "HEAD"]).parse().expect("an id")));
        Self { top }
    }

    fn dir(&self) -> PathBuf {
        self.top.path().join("repository")
    }

    /// A command with the built program before everything else on the path.
    fn command(&self, program: &str) -> Command {
        let built = Path::new(env!("CARGO_BIN_EXE_git-crew"));
        let mut path = built.parent().expect("a folder").as_os_str().to_owned();
        path.push(":");
        path.push(std::env::var_os("PATH").unwrap_or_default());
        let mut command = Command::new(program);
        command.current_dir(self.dir()).env("PATH", path).env("HOME", self.top.path());
        command.env("XDG_CONFIG_HOME", self.top.path().join("config"));
        command.env("XDG_DATA_HOME", self.top.path().join("data")).env("TERM", "dumb");
        command.env("LC_ALL", "C.UTF-8").stdin(Stdio::null());
        command
    }

    /// Writes the script of a shell where it says that it belongs.
    fn script(&self, shell: &str, place: &str) -> String {
        let said = self.command("git-crew").args(["completions", shell]).output().expect("said");
        let path = self.top.path().join(place);
        fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        fs::write(&path, said.stdout).expect("written");
        path.display().to_string()
    }

    /// What the shell prints when it is asked by this text; `None` without it.
    fn asked(&self, shell: &str, args: &[&str], text: &str) -> Option<String> {
        let mut command = self.command(shell);
        let Ok(said) = command.args(args).arg(text).output() else {
            let told = format!("skipped: no {shell} here\n");
            std::io::stderr().write_all(told.as_bytes()).expect("standard error is open");
            return None;
        };
        let err = String::from_utf8_lossy(&said.stderr);
        assert!(err.is_empty(), "{shell} complains: {err}");
        Some(String::from_utf8(said.stdout).expect("UTF-8"))
    }
}

#[track_caller]
fn completed(shell: &str, name: &str, said: &str) {
    let found: Vec<&str> = said.lines().map(str::trim_end).collect();
    let wanted: Vec<&str> = TYPED.iter().map(|(_, word)| *word).collect();
    assert_eq!(found, wanted, "{shell}: {name}");
}

/// The file of git's own completion for bash, where it is installed.
fn of_git() -> Option<&'static str> {
    let places = ["/usr/share/bash-completion/completions/git", "/etc/bash_completion.d/git"];
    places.into_iter().find(|path| Path::new(path).exists())
}

#[test]
fn bash_completes() {
    let desk = Desk::new();
    let script = desk.script("bash", "git-crew.bash");
    for name in ["git-crew", "git crew"] {
        let mut text = format!("source {script}\n");
        let first = name.split(' ').next().unwrap_or_default();
        if first == "git" {
            let Some(file) = of_git() else {
                let told = b"skipped: no completion of git for bash here\n";
                std::io::stderr().write_all(told).expect("standard error is open");
                continue;
            };
            text.push_str(&format!("source {file}\n"));
        }
        for (line, _) in TYPED {
            let line = format!("{name} {line}");
            // As bash does on a Tab: look up the function, give it the words.
            text.push_str(&format!(
                "COMP_LINE={line:?}; COMP_POINT=${{#COMP_LINE}}; COMP_WORDS=({line}); \
                 COMP_CWORD=$((${{#COMP_WORDS[@]}}-1)); COMPREPLY=(); \
                 it=$(complete -p {first} | sed 's/.* -F \\([^ ]*\\) .*/\\1/'); \
                 $it {first} \"${{COMP_WORDS[-1]}}\" \"${{COMP_WORDS[-2]}}\"; \
                 echo \"${{COMPREPLY[*]}}\"\n"
            ));
        }
        if let Some(said) = desk.asked("bash", &["--norc", "-c"], &text) {
            completed("bash", name, &said);
        }
    }
}

#[test]
fn fish_completes() {
    let desk = Desk::new();
    desk.script("fish", "config/fish/completions/git-crew.fish");
    for name in ["git-crew", "git crew"] {
        let mut text = String::new();
        // fish reads what is named like the command; for `git` that is git's file.
        text.push_str("source $XDG_CONFIG_HOME/fish/completions/git-crew.fish\n");
        for (line, _) in TYPED {
            text.push_str(&format!("complete -C '{name} {line}' | string replace -r '\\t.*' ''\n"));
        }
        if let Some(said) = desk.asked("fish", &["-c"], &text) {
            completed("fish", name, &said);
        }
    }
}

/// zsh completes only where somebody types: on a terminal of its own, made by its
/// module `zpty`. A key writes the line that a Tab has made to a file.
#[test]
fn zsh_completes() {
    let desk = Desk::new();
    desk.script("zsh", "zfunc/_git-crew");
    let top = desk.top.path().display().to_string();
    for name in ["git-crew", "git crew"] {
        let out = desk.top.path().join("lines");
        fs::write(&out, "").expect("written");
        let setup = format!(
            "PS1= PS2= RPS1=; fpath=({top}/zfunc $fpath); autoload -Uz compinit; \
             compinit -u -d {top}/dump; bindkey '^I' complete-word; \
             tell() {{ print -r -- \"$BUFFER\" >>{top}/lines; BUFFER= }}; zle -N tell; \
             bindkey '^X' tell; print -r -- ready >>{top}/lines\n"
        );
        fs::write(desk.top.path().join("setup"), setup).expect("written");
        let mut text = format!(
            "zmodload zsh/zpty zsh/zselect; zpty -b z zsh -f -i\n\
             wait_for() {{ local n=0; while (( $(wc -l <{top}/lines) < $1 && n++ < 1500 )); do \
             zpty -r -t z said; zselect -t 2; done }}\n\
             zpty -w z 'source {top}/setup'; wait_for 1\n"
        );
        for (at, (line, _)) in TYPED.iter().enumerate() {
            text.push_str(&format!("zpty -n -w z $'{name} {line}\\t\\x18'; wait_for {}\n", at + 2));
        }
        text.push_str("zpty -d z\n");
        if desk.asked("zsh", &["-f", "-c"], &text).is_none() {
            return;
        }
        let lines = fs::read_to_string(&out).expect("written");
        let last: Vec<&str> =
            lines.lines().skip(1).filter_map(|l| l.split_whitespace().last()).collect();
        completed("zsh", name, &last.join("\n"));
    }
}
