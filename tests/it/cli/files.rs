//! Bad teams, workflows, names and places: one clear error, nothing written.

use git_crew::domain::escape::is_hidden;

use super::sandbox::{Said, Sandbox, put, step};
use super::story;

/// Refused with this code and these words; nothing of ours is written anywhere.
#[track_caller]
fn refused(sandbox: &Sandbox, words: &[&str], code: i32, said: &[&str]) -> Said {
    let before = sandbox.ours();
    let answer = sandbox.crew(words).exits(code);
    assert_eq!(answer.out, "");
    assert_eq!(answer.err.matches("error: ").count().min(1), 1, "{}", answer.err);
    for word in said {
        assert!(answer.err.contains(word), "no '{word}' in: {}", answer.err);
    }
    assert_eq!(sandbox.ours(), before);
    assert!(!answer.err.contains('\u{1b}'), "{:?}", answer.err);
    answer
}

const RUN: [&str; 4] = ["run", "--team", "t", "do it"];

#[test]
fn a_folder_that_is_no_repository() {
    let sandbox = Sandbox::new();
    let place = sandbox.outside("nothing");
    std::fs::create_dir(&place).unwrap();
    for words in [&["run", "do it"][..], &["status"], &["resume"], &["cancel"], &["retry"]] {
        let said = sandbox.at(&place).env("GIT_CEILING_DIRECTORIES", "/").run(words);
        said.refused(128, &["not a git repository", "git init"]);
    }
    assert_eq!(std::fs::read_dir(&place).unwrap().count(), 0);
}

#[test]
fn an_unborn_head() {
    let sandbox = Sandbox::bare_home(&["init", "-q", "user"]);
    sandbox.workflow(&[step("one", &[], "true")]);
    refused(&sandbox, &RUN, 128, &["git commit --allow-empty"]);
    assert!(!sandbox.user().join(".git/crew").exists());
}

#[test]
fn unknown_names() {
    let sandbox = Sandbox::with(&[step("one", &[], "true")]);
    refused(&sandbox, &["run", "--team", "defualt", "x"], 5, &["'defualt'", "'default'"]);
    let words = ["run", "--team", "t", "--workflow", "reveiw", "x"];
    refused(&sandbox, &words, 5, &["'reveiw'", "'review'"]);
    refused(&sandbox, &["run", "--team", "../t", "x"], 2, &["../t"]);
    let words = ["run", "--team", "t", "--agent", "codxe", "x"];
    refused(&sandbox, &words, 2, &["'codxe'"]);
    sandbox.workflow(&[step("one", &["role: hadn"], "true")]);
    refused(&sandbox, &RUN, 2, &["'hadn'", "'hand'", "t.workflow.md:6"]);
    sandbox.workflow(&[step("one", &["agent: nobody"], "true")]);
    refused(&sandbox, &RUN, 2, &["'nobody'"]);
    sandbox.workflow(&[step("one", &["chekc: true"], "true")]);
    refused(&sandbox, &RUN, 2, &["'chekc'", "'check'"]);
}

#[test]
fn graphs_that_are_none() {
    let sandbox = Sandbox::new();
    let cases = [
        (
            vec![step("a", &["dependsOn: b"], "true"), step("b", &["dependsOn: a"], "true")],
            "a → b → a",
        ),
        (vec![step("a", &["dependsOn: bee"], "true"), step("bea", &[], "true")], "'bee'"),
        (vec![step("Fix it", &[], "true"), step("fix-it", &[], "true")], "fix-it"),
        (vec![step("a", &["dependsOn: a"], "true")], "'a'"),
        (Vec::new(), "no step"),
    ];
    for (steps, word) in cases {
        sandbox.workflow(&steps);
        refused(&sandbox, &RUN, 2, &[word, "t.workflow.md"]);
    }
}

#[test]
fn odd_ids_are_slugged_or_refused() {
    let sandbox = Sandbox::new();
    for (title, slug) in [("a/b", "a-b"), ("x..y", "x-y"), ("  two words ", "two-words")] {
        sandbox.workflow(&[step(title, &[], "echo it >made")]);
        let (id, _) = sandbox.run(&[], 0);
        let run = story::sound(&sandbox, &id);
        assert_eq!(run.tasks[0].id.as_str(), slug);
        assert_eq!(run.tasks[0].title, title.trim());
    }
    for title in ["日本", "..", &"x".repeat(300)] {
        sandbox.workflow(&[step(title, &[], "true")]);
        refused(&sandbox, &RUN, 2, &["t.workflow.md:5"]);
    }
}

#[test]
fn frontmatter_of_a_megabyte_and_bytes_that_are_no_text() {
    let sandbox = Sandbox::with(&[step("one", &[], "true")]);
    let huge = format!("---\nname: t\ndescription: {}\n---\n## a\n", "x".repeat(1 << 20));
    sandbox.config_file("workflows/t.workflow.md", huge);
    refused(&sandbox, &RUN, 2, &["t.workflow.md"]);
    sandbox.config_file("workflows/t.workflow.md", b"---\nname: t\n---\n## a\xff\n");
    refused(&sandbox, &RUN, 2, &["t.workflow.md", "UTF-8"]);
    let nul = "---\nname: t\n---\n## a\nrole: ha\u{1b}[2Jnd\n\nx\0y\n";
    sandbox.config_file("workflows/t.workflow.md", nul);
    refused(&sandbox, &RUN, 2, &["t.workflow.md"]);
}

#[test]
fn escapes_in_a_text_are_shown_and_never_sent() {
    let evil = "red \u{1b}[31m and \u{7} and \u{202e}back";
    let script = format!("printf '%b' 'said \\033[2J\\000 \\377\\n'; echo it >made # {evil}");
    let sandbox =
        Sandbox::with(&[step("one", &["check: printf 'c\\033[2J'; false", "retries: 0"], &script)]);
    let goal = format!("do {evil}");
    let said = sandbox.crew(&["run", "--team", "t", &goal]).exits(1);
    let id = sandbox.newest();
    story::sound(&sandbox, &id);
    let mut texts = vec![said.out, said.err];
    let reads: [&[&str]; 6] = [
        &["status"],
        &["show", &id],
        &["show", &id, "one"],
        &["show", &id, "one", "--prompt"],
        &["log", &id],
        &["log", &id, "one", "--output"],
    ];
    for words in reads {
        let said = sandbox.crew(words).exits(0);
        texts.extend([said.out, said.err]);
    }
    assert!(texts.iter().any(|text| text.contains("\\x1b[31m")), "{texts:#?}");
    let chain = format!("refs/crew/runs/{id}");
    texts.push(sandbox.git(&["log", "--format=%B", &chain]));
    texts.push(sandbox.git(&["log", "--format=%B", "refs/crew"]));
    for file in ["run.json", "plan.json", "tasks/one/packet.md"] {
        texts.push(sandbox.git(&["show", &format!("{chain}:{file}")]));
    }
    for text in &texts {
        assert_eq!(text.chars().find(|c| is_hidden(*c) && *c != '\n'), None, "{text:?}");
    }
}

#[test]
fn goals_that_are_none() {
    let sandbox = Sandbox::with(&[step("one", &[], "true")]);
    for goal in ["", "  \n ", &"long ".repeat(10_000)] {
        refused(&sandbox, &["run", "--team", "t", goal], 2, &["goal"]);
    }
}

#[test]
fn what_a_repository_brings_is_used_only_when_named() {
    let sandbox = Sandbox::new();
    sandbox.by_user(|sandbox| {
        let flow = format!("---\nname: own\n---\n{}", step("one", &[], "echo it >made"));
        put(&sandbox.user().join(".crew/workflows/own.workflow.md"), &flow);
        let fake = flow.replace("own", "default");
        put(&sandbox.user().join(".crew/workflows/default.workflow.md"), fake);
        let team = "---\nname: own\ndefaultWorkflow: own\n---\n- hand: agent=demo-hand works\n";
        put(&sandbox.user().join(".crew/teams/own.team.md"), team);
        sandbox.git(&["add", ".crew"]);
        sandbox.git(&["commit", "-qm", "crew", ".crew"]);
    });
    sandbox.crew(&["trust", "--yes"]).exits(0);
    let said = sandbox.crew(&["run", "--team", "own", "do it"]).exits(0);
    assert!(said.err.contains("team own (") && !said.err.contains("team own (shipped)"));
    sandbox.by_user(|sandbox| sandbox.git(&["config", "crew.agent.fake.command", "true"]));
    let plan = sandbox.crew(&["run", "--team", "default", "--dry-run", "x"]).exits(0);
    assert!(plan.err.contains("workflow default (shipped)"), "{}", plan.err);
}

#[test]
fn a_beginning_that_fits_two_runs() {
    let sandbox = Sandbox::with(&[step("one", &[], "true")]);
    let (id, _) = sandbox.run(&[], 0);
    let tip = sandbox.git(&["rev-parse", &format!("refs/crew/runs/{id}")]);
    sandbox.git(&["update-ref", "refs/crew/runs/zzz1-a", &tip]);
    sandbox.git(&["update-ref", "refs/crew/runs/zzz2-b", &tip]);
    for command in ["show", "log", "diff", "wait", "cancel", "resume", "retry"] {
        let said = sandbox.crew(&[command, "zzz"]).exits(5);
        assert!(said.err.contains("zzz1-a") && said.err.contains("zzz2-b"), "{}", said.err);
    }
    sandbox.crew(&["show", &id]).exits(0);
    sandbox.git(&["update-ref", "-d", "refs/crew/runs/zzz1-a"]);
    sandbox.git(&["update-ref", "-d", "refs/crew/runs/zzz2-b"]);
}
