//! Every `crew.*` setting of git config: one table, from which the reference is
//! made. Reading them is the engine's business; a test compares what it reads
//! with what stands here.
//!
//! A key's case does not matter to git but in the middle part (`<name>`,
//! `<role>`). The last value wins where a key is set twice, unless its row says
//! that values add up.

/// One setting.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// The key, with `<…>` where a name of the user's goes.
    pub key: &'static str,
    /// What it may be.
    pub values: &'static str,
    /// What holds when it is not set.
    pub default: &'static str,
    /// What it decides.
    pub doc: &'static str,
}

/// All of them.
pub const TABLE: &[Setting] = &[
    Setting {
        key: "crew.agent.<name>.command",
        values: "a command line, for `sh -c`",
        default: "no such agent",
        doc: "makes a command line the agent `<name>`; it runs in the task's worktree",
    },
    Setting {
        key: "crew.agent.<name>.prompt",
        values: "`stdin`, `argument` or `file`",
        default: "`stdin`",
        doc: "how that agent gets its prompt: on standard input, as the last argument, or as the \
              last argument the path of a file that holds it",
    },
    Setting {
        key: "crew.agent.<name>.adapter",
        values: "`claude`, `codex`, `pi` or `opencode`",
        default: "no such agent",
        doc: "makes an installed program the agent `<name>`, to be called with arguments of its own",
    },
    Setting {
        key: "crew.agent.<name>.args",
        values: "words, divided by blanks",
        default: "none",
        doc: "more arguments for an installed program, for example `--model sonnet`; `<name>` is an \
              agent with an adapter, or the program itself",
    },
    Setting {
        key: "crew.defaultAgent",
        values: "names of agents, best first",
        default: "the first configured agent, by name; else the first installed one",
        doc: "the agent of the tasks for which no flag, role, step, persona or team names one",
    },
    Setting {
        key: "crew.role.<role>",
        values: "names of agents, best first",
        default: "not set",
        doc: "the agent that plays a role, whatever the files say",
    },
    Setting {
        key: "crew.team",
        values: "the name of a team",
        default: "`default`",
        doc: "the team that runs when neither `--team` nor `--workflow` names one",
    },
    Setting {
        key: "crew.env",
        values: "names of variables, divided by commas or spaces; several values add up",
        default: "not set",
        doc: "variables of your environment that agents get to see; checks never do",
    },
    Setting {
        key: "crew.allowWrite",
        values: "a folder or file that is there; relative to the top of the repository, `~/` is \
                 your home; several values add up",
        default: "not set",
        doc: "what agents and checks may write besides their own: a cache of packages, a socket",
    },
    Setting {
        key: "crew.denyRead",
        values: "a folder or file, as in `crew.allowWrite`; several values add up",
        default: "not set",
        doc: "what agents and checks can't read: keys, other projects. What is made later beside \
              it can't be read either",
    },
    Setting {
        key: "crew.sandbox",
        values: "`landlock`, `bwrap` or `none`",
        default: "`landlock`",
        doc: "what keeps agents and checks in. `bwrap` is stronger and has to be installed; with \
              `none` your repository is compared before and after each attempt",
    },
    Setting {
        key: "crew.memoryMax",
        values: "a number of bytes; `k`, `m` and `g` multiply",
        default: "not set",
        doc: "the most memory of an agent or check with everything it starts; where no control \
              group can keep it, no run begins",
    },
    Setting {
        key: "crew.processesMax",
        values: "a number",
        default: "not set",
        doc: "the most processes and threads of an agent or check, likewise",
    },
    Setting {
        key: "crew.slots",
        values: "`private` or `linked`",
        default: "`private`",
        doc: "a git dir of its own for each worktree, or worktrees registered with your \
              repository, which share its objects and refs: weaker",
    },
    Setting {
        key: "crew.worktrees",
        values: "a folder; relative to the top of the repository, `~/` is your home",
        default: "`$XDG_STATE_HOME/git-crew/<repository>-<hash>/slots`",
        doc: "where the worktrees of tasks are made",
    },
    Setting {
        key: "crew.slotsMax",
        values: "a number",
        default: "`8`",
        doc: "how many worktrees wait for further tasks with their files in place; `0`: each is \
              made anew and removed. Registered worktrees (`linked`) never wait",
    },
    Setting {
        key: "crew.keep",
        values: "folders, divided by commas or spaces: a name (`target`), or a path; several \
                 values add up",
        default: "nothing",
        doc: "what stays in a worktree for the next task that gets it, if the repository \
              ignores it. The next agent trusts what the last one left there",
    },
    Setting {
        key: "crew.copy",
        values: "patterns as in a `.gitignore`, divided by commas or spaces; several values add up",
        default: "nothing but what the checkout's `.worktreeinclude` names",
        doc: "ignored files of your checkout that each worktree gets a copy of",
    },
    Setting {
        key: "crew.setup",
        values: "a command line, for `sh -c`",
        default: "none",
        doc: "makes a worktree ready for builds, before the agent starts and as the agent would \
              run it; not again where what it made was kept (`crew.keep`)",
    },
    Setting {
        key: "crew.setupKey",
        values: "files or folders, divided by commas or spaces; several values add up",
        default: "none",
        doc: "what the setup depends on: when one of them changes it runs again",
    },
    Setting {
        key: "crew.setupTimeout",
        values: "a number of seconds",
        default: "`600`",
        doc: "the longest a setup may run",
    },
    Setting {
        key: "crew.minFree",
        values: "a number of megabytes",
        default: "`256`",
        doc: "what must stay free on the disk of the worktrees; with less no run begins and \
              nothing is copied",
    },
    Setting {
        key: "crew.grace",
        values: "a number of seconds",
        default: "`10`",
        doc: "from SIGTERM to SIGKILL when a task is stopped",
    },
    Setting {
        key: "crew.durability",
        values: "`full` or `none`",
        default: "`full`",
        doc: "whether an event is on the disk before it counts; with `none` a power cut may take \
              the newest ones",
    },
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::defaults;

    #[test]
    fn the_table_tells_the_values() {
        let default = |key| TABLE.iter().find(|row| row.key == key).expect("a row").default;
        assert_eq!(default("crew.team"), format!("`{}`", defaults::TEAM));
        assert_eq!(default("crew.grace"), format!("`{}`", defaults::GRACE_MS / 1000));
        assert_eq!(default("crew.slotsMax"), format!("`{}`", defaults::SLOTS_MAX));
        assert_eq!(default("crew.setupTimeout"), format!("`{}`", defaults::SETUP_MS / 1000));
        assert_eq!(default("crew.minFree"), format!("`{}`", defaults::MIN_FREE >> 20));
    }

    #[test]
    fn no_key_stands_there_twice() {
        let mut keys: Vec<String> = TABLE.iter().map(|row| row.key.to_lowercase()).collect();
        keys.sort();
        keys.dedup();
        assert_eq!(keys.len(), TABLE.len());
    }
}
