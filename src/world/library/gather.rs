//! From names to everything a plan is made from.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::domain::agent_file::{self, Persona};
use crate::domain::diagnostic::Diagnostic;
use crate::domain::frontmatter;
use crate::domain::plan::{self, Inputs, Kind, Plan, Programs, Skill, Source};
use crate::domain::team::{self, Role, Team};
use crate::domain::workflow::{self, Workflow};

use super::{Found, Library, LibraryError};

/// A team, its workflow and the agents that its steps need, read and parsed.
#[derive(Clone, Debug)]
pub struct Gathered {
    /// The team and where it was.
    pub team: (Team, Source),
    /// The workflow and where it was.
    pub workflow: (Workflow, Source),
    /// The agents of the roles that the workflow uses, as far as they are known.
    pub personas: BTreeMap<String, (Persona, Source)>,
    /// The names of all agents.
    pub known_personas: Vec<String>,
    /// The skills that are named, as far as they are known.
    pub skills: BTreeMap<String, Skill>,
    /// The names of all skills.
    pub known_skills: Vec<String>,
    /// What is used, and what of the same name is not used because of it.
    pub shadowed: Vec<(Source, Source)>,
}

impl Gathered {
    /// Makes the plan, as [`plan::resolve`].
    ///
    /// # Errors
    /// As [`plan::resolve`].
    pub fn resolve(
        &self,
        goal: &str,
        programs: &Programs,
        max_concurrency: Option<u32>,
    ) -> Result<(Plan, Vec<Diagnostic>), Vec<Diagnostic>> {
        plan::resolve(Inputs {
            goal,
            team: (&self.team.0, &self.team.1),
            workflow: (&self.workflow.0, &self.workflow.1),
            personas: &self.personas,
            known_personas: &self.known_personas,
            programs,
            skills: &self.skills,
            known_skills: &self.known_skills,
            max_concurrency,
        })
    }
}

impl Library {
    /// Reads a team, a workflow (the team's own if none is named) and the agents
    /// between them.
    ///
    /// # Errors
    /// An unknown team or workflow, an unreadable file, or the faults of all
    /// files that were read.
    pub fn gather(&self, team: &str, workflow: Option<&str>) -> Result<Gathered, LibraryError> {
        let mut shadowed = Vec::new();
        let found = self.find(Kind::Team, team)?;
        let team = parse(&found, team::parse)?;
        note(&mut shadowed, &found);
        let team = (team, found.source);
        let name = workflow.unwrap_or(&team.0.default_workflow);
        let found = self.find(Kind::Workflow, name)?;
        let workflow = parse(&found, workflow::parse)?;
        note(&mut shadowed, &found);
        let workflow = (workflow, found.source);
        let steps = &workflow.0.steps;
        // who plans may use every role
        let plans = steps.iter().any(|step| step.plan);
        let needed = |role: &&Role| plans || steps.iter().any(|step| step.role.0 == role.name);
        let roles: Vec<&Role> = team.0.roles.iter().filter(needed).collect();
        let wanted: BTreeSet<&str> = roles.iter().map(|role| role.persona.as_str()).collect();
        let personas = self.personas(&wanted, &mut shadowed)?;
        let known_personas = self.names(Kind::Agent)?;
        let named = steps.iter().filter_map(|step| step.skills.as_ref());
        let named = named.chain(roles.iter().filter_map(|role| role.skills.as_ref()));
        let named = named.chain(personas.values().map(|(persona, _)| &persona.skills));
        let named: BTreeSet<&String> = named.flatten().collect();
        let mut skills = BTreeMap::new();
        for name in named {
            skills.extend(self.skill(name)?.map(|skill| (name.clone(), skill)));
        }
        let known_skills = self.skill_names()?;
        Ok(Gathered { team, workflow, personas, known_personas, skills, known_skills, shadowed })
    }

    fn personas(
        &self,
        wanted: &BTreeSet<&str>,
        shadowed: &mut Vec<(Source, Source)>,
    ) -> Result<BTreeMap<String, (Persona, Source)>, LibraryError> {
        let (mut read, mut faults) = (BTreeMap::new(), Vec::new());
        for name in wanted {
            // an unknown one is named by `resolve`, with the line of its role
            if !self.knows(Kind::Agent, name)? {
                continue;
            }
            let found = match self.find(Kind::Agent, name) {
                Err(LibraryError::Faults(more)) => {
                    faults.extend(more);
                    continue;
                }
                other => other?,
            };
            note(shadowed, &found);
            match agent_file::parse(&found.file, name, &found.text) {
                Ok(persona) => {
                    read.insert((*name).to_owned(), (persona, found.source));
                }
                Err(more) => faults.extend(more),
            }
        }
        if faults.is_empty() { Ok(read) } else { Err(LibraryError::Faults(faults)) }
    }

    /// Checks one file and, for a team, that its agents exist and that its own
    /// workflow fits it. Programs are not looked at.
    ///
    /// # Errors
    /// The name is unknown or the file cannot be read; what is wrong inside is
    /// the answer.
    pub fn check(&self, kind: Kind, name: &str) -> Result<Vec<Diagnostic>, LibraryError> {
        let found = match self.find(kind, name) {
            Err(LibraryError::Faults(faults)) => return Ok(faults),
            other => other?,
        };
        let alone = check_text(kind, &found.file, name, &found.text);
        if kind != Kind::Team || plan_is_out(&alone) {
            return Ok(alone);
        }
        let all = match self.gather(name, None) {
            Ok(gathered) => {
                gathered.resolve("goal", &any_program(), None).map(|(_, warnings)| warnings)
            }
            Err(LibraryError::Faults(faults)) => Err(faults),
            Err(LibraryError::Unknown { kind: Kind::Workflow, .. }) => {
                let cause =
                    format!("no workflow for team '{name}': set 'defaultWorkflow:' to a known one");
                Err(vec![Diagnostic::error(&found.file, 1, cause)])
            }
            Err(error) => return Err(error),
        };
        let mut faults = all.unwrap_or_else(|faults| faults);
        faults.extend(self.idle_roles(name, &found)?);
        Ok(faults)
    }

    /// Roles that the team's own workflow does not use still need an agent.
    fn idle_roles(&self, name: &str, found: &Found) -> Result<Vec<Diagnostic>, LibraryError> {
        let team = parse(found, team::parse)?;
        let used = match self.find(Kind::Workflow, &team.default_workflow) {
            Ok(flow) => {
                parse(&flow, workflow::parse).map_or_else(|_| Vec::new(), |flow| flow.steps)
            }
            Err(_) => Vec::new(),
        };
        let known = self.names(Kind::Agent)?;
        let idle =
            team.roles.iter().filter(|role| used.iter().all(|step| step.role.0 != role.name));
        let lost = idle.filter(|role| !known.contains(&role.persona));
        Ok(lost
            .map(|role| {
                let cause = format!(
                    "role '{}' of team '{name}' is played by agent '{}', which is unknown",
                    role.name, role.persona
                );
                Diagnostic::error(&found.file, role.line, cause)
                    .meant(&role.persona, known.iter().map(String::as_str))
            })
            .collect())
    }
}

/// Checks a text alone, for a file that is not in the library yet.
#[must_use]
pub fn check_text(kind: Kind, file: &str, name: &str, text: &str) -> Vec<Diagnostic> {
    let found = match kind {
        Kind::Team => team::parse(file, name, text).map(|team| team.warnings),
        Kind::Workflow => workflow::parse(file, name, text).map(|flow| flow.warnings),
        Kind::Agent => agent_file::parse(file, name, text).map(|persona| persona.warnings),
    };
    found.unwrap_or_else(|faults| faults)
}

/// Checks a file that need not be in the library. `shown` is what people call it.
///
/// # Errors
/// The file can't be read, or its name is not one of this kind.
pub fn check_file(kind: Kind, path: &Path, shown: &str) -> Result<Vec<Diagnostic>, LibraryError> {
    let name = path.file_name().and_then(|name| name.to_str());
    let name = name.and_then(|name| name.strip_suffix(kind.ending())).unwrap_or_default();
    if !super::is_name(name) {
        let cause = format!("the name of a {kind}'s file is 'NAME{}'", kind.ending());
        return Ok(vec![Diagnostic::error(shown, 1, cause)]);
    }
    let bytes = super::read_file(path)
        .map_err(|source| LibraryError::Read { path: path.to_owned(), source })?;
    match frontmatter::decode(shown, &bytes) {
        Ok(text) => Ok(check_text(kind, shown, name, text)),
        Err(fault) => Ok(vec![fault]),
    }
}

fn plan_is_out(faults: &[Diagnostic]) -> bool {
    faults.iter().any(|one| one.severity == crate::domain::diagnostic::Severity::Error)
}

/// A flag wins over every other rule, so no rule can fail.
fn any_program() -> Programs {
    let any = vec!["any".to_owned()];
    Programs { flag: any.clone(), available: any, ..Programs::default() }
}

fn parse<T>(
    found: &Found,
    read: impl Fn(&str, &str, &str) -> Result<T, Vec<Diagnostic>>,
) -> Result<T, LibraryError> {
    read(&found.file, &found.source.name, &found.text).map_err(LibraryError::Faults)
}

fn note(shadowed: &mut Vec<(Source, Source)>, found: &Found) {
    shadowed.extend(found.shadows.iter().map(|hidden| (found.source.clone(), hidden.clone())));
}
