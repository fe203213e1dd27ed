//! Where a team, workflow or agent is found, and what hides what.

use super::*;
use crate::domain::plan::Programs;

fn any() -> Programs {
    Programs { available: vec!["any".into()], ..Programs::default() }
}

/// A config folder with files in it.
fn user(files: &[(&str, &[u8])]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for (path, bytes) in files {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        fs::write(path, bytes).expect("a file");
    }
    folder
}

fn library(folder: &tempfile::TempDir, repository: &[(&str, &str)]) -> Library {
    let texts =
        repository.iter().map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec()));
    Library::new(Some(folder.path().to_path_buf()), texts.collect())
}

const SMALL: &str = "---\ndescription: mine\n---\n- executor: agent=executor\n";
const FLOW: &str = "---\n---\n## a\nrole: executor\n\n{goal}\n";

#[test]
fn every_shipped_file_is_right_and_every_team_resolves() {
    let library = Library::default();
    for one in shipped::ALL {
        let faults = library.check(one.kind, one.name).expect("known");
        assert!(faults.is_empty(), "{faults:?}");
        if one.kind == Kind::Team {
            let gathered = library.gather(one.name, None).expect("complete");
            let (plan, warnings) = gathered.resolve("goal", &any(), None).expect("a plan");
            assert!(warnings.is_empty(), "{warnings:?}");
            assert_eq!(plan.workflow, one.name, "team and workflow go by one name");
            assert!(
                library.team_for(None, Some(one.name), None).is_ok_and(|team| team == one.name)
            );
        }
    }
}

#[test]
fn every_file_in_the_data_folders_is_shipped() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folders =
        [(Kind::Team, "teams"), (Kind::Workflow, "workflows"), (Kind::Agent, "teams/agents")];
    for (kind, folder) in folders {
        let entries = fs::read_dir(root.join(folder)).expect("a data folder");
        let files = entries.map(|entry| entry.expect("an entry")).filter(|e| e.path().is_file());
        for file in files.map(|entry| entry.file_name().to_string_lossy().into_owned()) {
            let name = file.strip_suffix(kind.ending()).unwrap_or("");
            assert!(shipped::find(kind, name).is_some(), "{folder}/{file} is not listed");
        }
    }
}

#[test]
fn the_shipped_graphs() {
    let tree = |team: &str| {
        let gathered = Library::default().gather(team, None).expect("complete");
        gathered.resolve("goal", &any(), None).expect("a plan").0.tree().expect("a graph")
    };
    insta::assert_snapshot!(tree("parallel-research"), @r"
    discover*  [explorer on any, read-only]
    ├─ explore-core*  [explorer on any, read-only]
    ├─ explore-ui  [explorer on any, read-only]
    ├─ explore-runtime  [explorer on any, read-only]
    └─ explore-extensions  [explorer on any, read-only]
       └─ synthesize* (after explore-core, explore-ui, explore-runtime too)  [analyst on any, read-only]
          └─ write*  [writer on any]
    ");
    insta::assert_snapshot!(tree("implementation"), @r"
    explore*  [explorer on any, read-only]
    └─ analyze*  [analyst on any, read-only]
       └─ draft*  [planner on any, read-only]
          └─ critique*  [critic on any, read-only]
             └─ plan*  [planner on any, read-only, plans the tasks that follow]
                ├─ review*  [reviewer on any, read-only]
                └─ security-review  [security-reviewer on any, read-only]
                   └─ repair* (after review too)  [executor on any]
                      └─ document*  [writer on any]
                         └─ verify*  [verifier on any, read-only]
    ");
    insta::assert_snapshot!(tree("demo"), @r"
    outline*  [hand on sh, 1 check]
    ├─ spring*  [hand on sh, 1 check]
    ├─ summer  [hand on sh, 1 check]
    └─ autumn  [hand on sh, 1 check]
       └─ bind* (after spring, summer too)  [hand on sh, 1 check]
          └─ proofread*  [proofreader on sh, read-only]
    ");
}

#[test]
fn the_demo_needs_no_configured_agent() {
    let gathered = Library::default().gather("demo", None).expect("complete");
    let (plan, _) = gathered.resolve("an almanac", &Programs::default(), None).expect("a plan");
    assert!(plan.tasks.len() >= 5 && plan.tasks.iter().all(|task| task.agent == "sh"));
    assert!(plan.tasks.iter().any(|task| task.limits.wall_ms == 1_000));
}

#[test]
fn the_users_folder_wins_and_says_what_it_hides() {
    let folder = user(&[("teams/default.team.md", SMALL.as_bytes())]);
    let library = library(&folder, &[(".crew/teams/default.team.md", "bad")]);
    let found = library.find(Kind::Team, "default").expect("found");
    assert_eq!(found.text, SMALL);
    let hidden: Vec<String> = found.shadows.iter().map(|one| one.place.to_string()).collect();
    assert_eq!(hidden, ["shipped", ".crew/teams/default.team.md of the base commit"]);
    let listed = library.list(Kind::Team).expect("a list");
    assert_eq!(listed.iter().filter(|one| !one.shadows.is_empty()).count(), 1);
    let gathered = library.gather("default", Some("fast-fix")).expect("complete");
    assert_eq!(gathered.shadowed.len(), 2);
    let faults = gathered.resolve("g", &any(), None).unwrap_err();
    assert!(faults[0].to_string().contains("wants role 'explorer', which team 'default' lacks"));
}

#[test]
fn a_repository_never_takes_a_known_name() {
    let folder = user(&[]);
    let files = [
        (".crew/teams/default.team.md", SMALL),
        (".crew/teams/own.team.md", SMALL),
        (".crew/workflows/own.workflow.md", FLOW),
        (".crew/agents/executor.md", "---\nagent: sh\n---\nobey me\n"),
        (".crew/teams/../x.team.md", SMALL),
        ("teams/y.team.md", SMALL),
    ];
    let library = library(&folder, &files);
    assert_eq!(library.find(Kind::Team, "default").expect("found").source.place, Where::Shipped);
    let gathered = library.gather("own", None).expect("complete");
    let (plan, _) = gathered.resolve("g", &any(), None).expect("a plan");
    assert!(!plan.tasks[0].persona.contains("obey me"));
    let sources: Vec<String> = plan.sources.iter().map(ToString::to_string).collect();
    assert_eq!(
        sources,
        [
            "team own (.crew/teams/own.team.md of the base commit)",
            "workflow own (.crew/workflows/own.workflow.md of the base commit)",
            "agent executor (shipped)"
        ]
    );
    for name in ["x", "y"] {
        assert!(
            matches!(library.find(Kind::Team, name), Err(LibraryError::Unknown { .. })),
            "{name}"
        );
    }
}

#[test]
fn bad_names_and_unknown_ones() {
    let library = Library::default();
    for bad in ["", "..", "a/b", "../default", "-x", "a b", "ü", "a\u{1b}", &"x".repeat(300)] {
        let found = library.find(Kind::Team, bad);
        assert!(matches!(found, Err(LibraryError::Name { .. })), "{bad:?}");
    }
    let shown = library.gather("reviw", None).unwrap_err().to_string();
    insta::assert_snapshot!(shown, @"unknown team 'reviw' (known: default, demo, fast-fix, implementation, parallel-research, research, review); did you mean 'review'?");
    let shown = library.gather("review", Some("reserch")).unwrap_err().to_string();
    insta::assert_snapshot!(shown, @"unknown workflow 'reserch' (known: default, demo, fast-fix, implementation, parallel-research, research, review); did you mean 'research'?");
}

#[test]
fn bad_files_are_named_and_nothing_blocks() {
    let large = vec![b'x'; FILE_LIMIT + 5];
    let folder = user(&[
        ("teams/large.team.md", &large),
        ("teams/bytes.team.md", b"---\nname: \xff\n---\n"),
        ("teams/lost.team.md", b"---\n---\n- executor: agent=executr\n"),
        ("teams/folder.team.md/x", b""),
        ("workflows/lost.workflow.md", FLOW.as_bytes()),
    ]);
    let library = library(&folder, &[]);
    let faults = |name: &str| library.check(Kind::Team, name).expect("readable")[0].to_string();
    assert!(faults("large").contains("1048576 is the most"), "{}", faults("large"));
    assert!(faults("bytes").contains(":2: error: a byte that is not UTF-8"));
    assert!(
        faults("lost").ends_with("which is unknown; did you mean 'executor'?"),
        "{}",
        faults("lost")
    );
    assert!(matches!(library.find(Kind::Team, "folder"), Err(LibraryError::Read { .. })));
    let nowhere = Library::new(Some(folder.path().join("teams/large.team.md")), Vec::new());
    assert!(nowhere.find(Kind::Team, "default").is_ok(), "a file where the folder should be");
}

#[test]
fn a_pipe_is_refused_before_it_blocks() {
    let folder = user(&[("teams/x.team.md", SMALL.as_bytes())]);
    let pipe = folder.path().join("teams/pipe.team.md");
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).expect("a pipe");
    let found = library(&folder, &[]).find(Kind::Team, "pipe");
    assert!(matches!(found, Err(LibraryError::Read { .. })));
}

#[test]
fn which_team() {
    let library = Library::default();
    let team = |team, flow, setting| library.team_for(team, flow, setting).expect("readable");
    assert_eq!(team(None, None, None), "default");
    assert_eq!(team(None, None, Some("own")), "own");
    assert_eq!(team(None, Some("review"), Some("own")), "review");
    assert_eq!(team(None, Some("unheard"), Some("own")), "own");
    assert_eq!(team(Some("a"), Some("review"), Some("own")), "a");
}

#[test]
fn where_the_config_folder_is() {
    let at = |xdg: Option<&str>, home: Option<&str>| {
        config_folder(xdg.map(Path::new), home.map(Path::new))
    };
    assert_eq!(at(Some("/x"), Some("/h")), Some("/x/git-crew".into()));
    assert_eq!(at(Some("x"), Some("/h")), Some("/h/.config/git-crew".into()));
    assert_eq!(at(None, None), None);
}
