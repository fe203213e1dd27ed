//! `git crew demo`: real, and nothing special.

use super::sandbox::{Sandbox, put};
use super::story;

fn shipped(sandbox: &Sandbox, kind: &str) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let name = format!("{kind}s/demo.{kind}.md");
    let text = std::fs::read(path.join(&name)).unwrap();
    put(&sandbox.top().join("config/git-crew").join(name), text);
}

#[test]
fn the_demonstration_is_a_run_like_any_other() {
    let sandbox = Sandbox::bare_home(&["init", "-q", "-b", "main", "user"]);
    let place = sandbox.outside("demo");
    let shown = place.to_str().unwrap();
    let said = sandbox.crew(&["demo", "--keep", shown]).exits(0);
    let refs = ["for-each-ref", "--format=%(refname:lstrip=3)", "refs/crew/runs"];
    let id = sandbox.git_in(&place, &refs);
    let commands = ["log refs/crew".to_owned(), format!("log refs/crew/runs/{id}")];
    for command in commands.iter().chain([&format!("show refs/crew/runs/{id}:run.json")]) {
        assert!(said.out.contains(&format!("git -C {shown} {command}")), "{}", said.out);
        sandbox.git_in(&place, &command.split(' ').collect::<Vec<_>>());
    }
    let demo = Sandbox::of(&sandbox, &place);
    let run = story::sound(&demo, &id);
    assert!(run.tasks.len() >= 5);
    let endings = format!("{:?}", story::events(&demo, &id));
    assert!(endings.contains("WallLimit"), "one is stopped by its time limit");
    assert!(endings.contains("result: Failed"), "one fails its check");
    let retried = run.tasks.iter().filter(|task| task.attempts.len() == 2).count();
    assert_eq!(retried, 2);
    let prompt = demo.crew(&["show", &id, "summer", "--prompt"]).exits(0).out;
    assert!(prompt.contains("does not mention the sun"), "it is told why: {prompt}");
    // The same files, run by `git crew run` from the same commit.
    shipped(&sandbox, "team");
    shipped(&sandbox, "workflow");
    demo.seal();
    sandbox.seal();
    demo.crew(&["run", "--team", "demo", &run.goal]).exits(0);
    let others = demo.git(&refs);
    let other = others.lines().find(|other| *other != id).expect("a second run");
    story::sound(&demo, other);
    let (mine, theirs) = (story::events(&demo, &id), story::events(&demo, other));
    assert_eq!(story::words(&mine), story::words(&theirs));
    sandbox.crew(&["demo", "--keep", shown]).refused(2, &["not empty"]);
}
