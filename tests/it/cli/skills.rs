//! Skills that steps, roles and agents name: found, told, and no more than fits.

use super::sandbox::{Sandbox, put, step};

fn skill(text: &str) -> String {
    format!("---\nname: x\ndescription: >\n  any YAML,\n  of several lines\n---\n\n{text}\n")
}

/// The skills part of the prompt of task `one`, after a run.
fn told(sandbox: &Sandbox, id: &str) -> String {
    let prompt = sandbox.crew(&["show", id, "one", "--prompt"]).exits(0).out;
    let (_, rest) = prompt.split_once("# Skills\n").unwrap_or(("", ""));
    rest.split("\n# Goal of the run").next().unwrap_or_default().to_owned()
}

#[test]
fn named_skills_are_part_of_the_prompt() {
    let sandbox = Sandbox::new();
    sandbox.workflow(&[
        step("one", &["skills: mine, theirs, claudes, hidden, knitt"], "true"),
        step("two", &["dependsOn: one"], "true"),
    ]);
    sandbox.config_file("skills/mine/SKILL.md", skill("Mine: count twice."));
    sandbox.config_file("skills/hidden/SKILL.md", skill("The user's own."));
    sandbox.config_file("skills/knit/SKILL.md", skill("Knit."));
    sandbox.by_user(|sandbox| {
        put(&sandbox.user().join(".crew/skills/theirs/SKILL.md"), skill("Theirs: say please."));
        put(&sandbox.user().join(".claude/skills/claudes/SKILL.md"), skill("Another: be brief."));
        put(&sandbox.user().join(".claude/skills/hidden/SKILL.md"), skill("Not this."));
        put(&sandbox.user().join(".claude/skills/claudes/tool.py"), "print()\n");
        sandbox.git(&["add", ".crew", ".claude"]);
        sandbox.git(&["commit", "-qm", "skills"]);
        // what is not in the base commit is not looked at
        put(&sandbox.user().join(".crew/skills/theirs/SKILL.md"), skill("Changed since."));
    });
    let (id, said) = sandbox.run(&[], 0);
    assert_eq!(
        told(&sandbox, &id).trim(),
        "## mine\n\nMine: count twice.\n\n## theirs\n\nTheirs: say please.\n\n\
         ## claudes\n\nAnother: be brief.\n\n## hidden\n\nThe user's own."
    );
    assert!(
        said.err.contains("no skill 'knitt': agents are not told it; did you mean 'knit'?"),
        "{}",
        said.err
    );
    let two = sandbox.crew(&["show", &id, "two", "--prompt"]).exits(0).out;
    assert!(!two.contains("# Skills"), "nobody gets what is not named: {two}");
}

#[test]
fn what_does_not_fit_is_cut_and_named() {
    let sandbox = Sandbox::with(&[step("one", &["skills: long, short"], "true")]);
    sandbox.config_file("skills/long/SKILL.md", skill(&"word ".repeat(8000)));
    sandbox.config_file("skills/short/SKILL.md", skill("Short and whole."));
    let (id, _) = sandbox.run(&[], 0);
    let told = told(&sandbox, &id);
    assert!(told.len() < 17_000, "{}", told.len());
    assert!(told.contains("Short and whole.") && told.contains("bytes cut …]"), "{told}");
}

#[test]
fn a_step_counts_before_a_role_and_a_role_before_an_agent() {
    let sandbox = Sandbox::with(&[
        step("one", &[], "true"),
        step("by-role", &["role: other"], "true"),
        step("by-step", &["role: other", "skills: step"], "true"),
        step("none", &["role: other", "skills: false"], "true"),
    ]);
    for name in ["step", "role", "agent"] {
        sandbox.config_file(&format!("skills/{name}/SKILL.md"), skill(&format!("By {name}.")));
    }
    let roles = "- hand: agent=maker\n- other: agent=maker skills=role does more\n";
    sandbox.config_file("teams/t.team.md", format!("---\n---\n{roles}"));
    sandbox.config_file("agents/maker.md", "---\nskills: agent\n---\nYou make.\n");
    let (id, _) = sandbox.run(&[], 0);
    for (task, wanted) in
        [("one", "By agent."), ("by-role", "By role."), ("by-step", "By step."), ("none", "")]
    {
        let prompt = sandbox.crew(&["show", &id, task, "--prompt"]).exits(0).out;
        let found: Vec<&str> = prompt.lines().filter(|line| line.starts_with("By ")).collect();
        assert_eq!(found.join(""), wanted, "{task}");
    }
}
