//! Whether what a repository brings may run: its files at a commit against what
//! a person has trusted.

use super::place::{Place, PlaceError};
use crate::domain::id::Oid;
use crate::domain::plan::{Kind, Plan};
use crate::domain::trust::{self, Command, File};
use crate::domain::workflow;
use crate::store::StoreError;
use crate::world::library;

/// The files of the repository that a plan was made from.
///
/// # Errors
/// The commit can't be read.
pub fn of_plan(place: &Place, base: &Oid, plan: &Plan) -> Result<Vec<File>, StoreError> {
    files(place, base, trust::brought(plan))
}

/// Every team, workflow and agent that a commit brings.
///
/// # Errors
/// The commit can't be read.
pub fn of_commit(place: &Place, commit: &Oid) -> Result<Vec<File>, PlaceError> {
    let mut found = Vec::new();
    for path in place.chains.files(commit, library::REPOSITORY_FOLDER)? {
        let Some((kind, name)) = library::brought(&path) else { continue };
        let mut commands = Vec::new();
        if kind == Kind::Workflow {
            let bytes = place.chains.file(commit, &path)?.unwrap_or_default();
            let text = String::from_utf8_lossy(&bytes);
            // One that can't be read can't run either; `check` says why.
            commands = workflow::parse(&path, name, &text)
                .map(|flow| trust::of_workflow(&flow))
                .unwrap_or_default();
        }
        found.push((path, commands));
    }
    Ok(files(place, commit, found)?)
}

fn files(
    place: &Place,
    commit: &Oid,
    found: Vec<(String, Vec<Command>)>,
) -> Result<Vec<File>, StoreError> {
    let known = place.store.trusted()?;
    let mut files = Vec::new();
    for (path, commands) in found {
        let Some(id) = place.store.object_at(commit, &path)? else { continue };
        let trusted = known.contains_key(&id);
        files.push(File { path, id, trusted, commands });
    }
    Ok(files)
}

/// Trusts these files as they are.
///
/// # Errors
/// The list can't be written.
pub fn grant(place: &Place, files: &[File]) -> Result<(), StoreError> {
    place.store.change_trust(|all| {
        all.extend(files.iter().map(|file| (file.id.clone(), file.path.clone())));
    })
}

/// Trusts these files no more.
///
/// # Errors
/// The list can't be written.
pub fn revoke(place: &Place, files: &[File]) -> Result<(), StoreError> {
    place.store.change_trust(|all| all.retain(|id, _| files.iter().all(|file| file.id != *id)))
}
