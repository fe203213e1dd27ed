//! Which task needs which: order, what may start, what can no longer start.
//!
//! Promises: a [`Graph`] has no cycle, no unknown need and no task twice;
//! everything it returns is in one fixed order (the order the tasks were given
//! in, where needs allow), so two machines that read one plan agree. No
//! recursion: a chain of any length is fine.

use std::collections::{BTreeMap, BTreeSet};

use super::id::TaskId;

mod tree;

/// Why tasks make no graph.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GraphError {
    /// Two tasks of one id.
    #[error("task '{0}' occurs twice")]
    Twice(TaskId),
    /// A need that is no task.
    #[error("task '{task}' depends on '{needs}', which does not exist")]
    Missing {
        /// The task that has the need.
        task: TaskId,
        /// What it names.
        needs: TaskId,
    },
    /// Tasks that wait for one another, the first again at the end.
    #[error("tasks wait for one another: {}", path(.0))]
    Cycle(Vec<TaskId>),
}

fn path(tasks: &[TaskId]) -> String {
    tasks.iter().map(TaskId::as_str).collect::<Vec<_>>().join(" → ")
}

/// How far a task has come, as far as other tasks care.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Not started, or to be tried again.
    Waiting,
    /// Under way.
    Active,
    /// Completed: what needs it may start.
    Done,
    /// Ended in another way (failed, cancelled, skipped, needs attention): what
    /// needs it cannot start.
    Dead,
}

/// Tasks and their needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Graph {
    needs: BTreeMap<TaskId, Vec<TaskId>>,
    order: Vec<TaskId>,
}

impl Graph {
    /// Builds the graph from tasks and what each needs.
    ///
    /// # Errors
    /// A task twice, an unknown need, or a cycle (the shortest that goes through
    /// the first task that cannot start).
    pub fn new(tasks: impl IntoIterator<Item = (TaskId, Vec<TaskId>)>) -> Result<Self, GraphError> {
        let mut needs = BTreeMap::new();
        let mut given = Vec::new();
        for (task, mut wanted) in tasks {
            let mut seen = BTreeSet::new();
            wanted.retain(|need| seen.insert(need.clone()));
            given.push(task.clone());
            if needs.insert(task.clone(), wanted).is_some() {
                return Err(GraphError::Twice(task));
            }
        }
        for task in &given {
            if let Some(missing) = needs[task].iter().find(|need| !needs.contains_key(*need)) {
                return Err(GraphError::Missing { task: task.clone(), needs: missing.clone() });
            }
        }
        let order = sort(&given, &needs)?;
        Ok(Self { needs, order })
    }

    /// All tasks, each after its needs.
    #[must_use]
    pub fn order(&self) -> &[TaskId] {
        &self.order
    }

    /// What a task needs directly, in the order given; empty for an unknown one.
    #[must_use]
    pub fn needs(&self, task: &TaskId) -> &[TaskId] {
        self.needs.get(task).map_or(&[], Vec::as_slice)
    }

    /// What needs a task directly.
    #[must_use]
    pub fn dependents(&self, task: &TaskId) -> Vec<&TaskId> {
        self.order.iter().filter(|other| self.needs[*other].contains(task)).collect()
    }

    /// What needs a task, directly or through others.
    #[must_use]
    pub fn all_dependents(&self, task: &TaskId) -> Vec<&TaskId> {
        let mut found: BTreeSet<&TaskId> = BTreeSet::from([task]);
        let mut all = Vec::new();
        for other in &self.order {
            if self.needs[other].iter().any(|need| found.contains(need)) {
                found.insert(other);
                all.push(other);
            }
        }
        all
    }

    /// Everything a task needs, directly or through others.
    #[must_use]
    pub fn ancestors(&self, task: &TaskId) -> Vec<&TaskId> {
        let mut wanted: BTreeSet<&TaskId> = self.needs(task).iter().collect();
        let mut all = Vec::new();
        for other in self.order.iter().rev() {
            if wanted.contains(other) {
                wanted.extend(&self.needs[other]);
                all.push(other);
            }
        }
        all.reverse();
        all
    }

    /// Tasks that nothing needs: their results make the run's result.
    #[must_use]
    pub fn leaves(&self) -> Vec<&TaskId> {
        let needed: BTreeSet<&TaskId> = self.needs.values().flatten().collect();
        self.order.iter().filter(|task| !needed.contains(task)).collect()
    }

    /// Waiting tasks whose needs are all done.
    pub fn ready(&self, progress: impl Fn(&TaskId) -> Progress) -> Vec<&TaskId> {
        let free = |task: &TaskId| self.needs[task].iter().all(|n| progress(n) == Progress::Done);
        self.order.iter().filter(|t| progress(t) == Progress::Waiting && free(t)).collect()
    }

    /// Waiting tasks that can never start, each with the nearest dead task in its way.
    pub fn doomed(&self, progress: impl Fn(&TaskId) -> Progress) -> Vec<(&TaskId, &TaskId)> {
        let mut cause: BTreeMap<&TaskId, &TaskId> = BTreeMap::new();
        let mut doomed = Vec::new();
        for task in &self.order {
            if progress(task) == Progress::Dead {
                cause.insert(task, task);
                continue;
            }
            let why = self.needs[task].iter().find_map(|need| cause.get(need).copied());
            if let Some(why) = why.filter(|_| progress(task) == Progress::Waiting) {
                cause.insert(task, why);
                doomed.push((task, why));
            }
        }
        doomed
    }

    /// The chain of needs with the greatest sum of weights, first task first.
    pub fn critical_path(&self, weight: impl Fn(&TaskId) -> u64) -> Vec<&TaskId> {
        let mut reach: BTreeMap<&TaskId, (u64, Option<&TaskId>)> = BTreeMap::new();
        let mut end: Option<&TaskId> = None;
        for task in &self.order {
            let heaviest = self.needs[task].iter().rev().max_by_key(|need| reach[need].0);
            let before = heaviest.map_or(0, |need| reach[need].0);
            let sum = before.saturating_add(weight(task));
            reach.insert(task, (sum, heaviest));
            if end.is_none_or(|best| reach[best].0 < sum) {
                end = Some(task);
            }
        }
        let mut chain = Vec::new();
        while let Some(task) = end {
            chain.push(task);
            end = reach[task].1;
        }
        chain.reverse();
        chain
    }
}

/// Always the first given task whose needs have all come.
fn sort(
    given: &[TaskId],
    needs: &BTreeMap<TaskId, Vec<TaskId>>,
) -> Result<Vec<TaskId>, GraphError> {
    let mut come: BTreeSet<&TaskId> = BTreeSet::new();
    let mut order = Vec::with_capacity(given.len());
    while order.len() < given.len() {
        let free = |task: &&TaskId| {
            !come.contains(*task) && needs[*task].iter().all(|need| come.contains(need))
        };
        let Some(task) = given.iter().find(free) else {
            let stuck: Vec<&TaskId> = given.iter().filter(|task| !come.contains(task)).collect();
            return Err(GraphError::Cycle(cycle(&stuck, needs)));
        };
        come.insert(task);
        order.push(task.clone());
    }
    Ok(order)
}

/// The shortest cycle through the first stuck task that lies on one.
fn cycle(stuck: &[&TaskId], needs: &BTreeMap<TaskId, Vec<TaskId>>) -> Vec<TaskId> {
    for start in stuck {
        let mut from: BTreeMap<&TaskId, &TaskId> = BTreeMap::new();
        let mut queue = std::collections::VecDeque::from([*start]);
        while let Some(task) = queue.pop_front() {
            for need in &needs[task] {
                if need == *start {
                    return trace(start, task, &from);
                }
                if !from.contains_key(need) {
                    from.insert(need, task);
                    queue.push_back(need);
                }
            }
        }
    }
    Vec::new()
}

fn trace(start: &TaskId, last: &TaskId, from: &BTreeMap<&TaskId, &TaskId>) -> Vec<TaskId> {
    let mut back = vec![start.clone()];
    let mut at = last;
    while at != start {
        back.push(at.clone());
        at = from[at];
    }
    back.push(start.clone());
    back.reverse();
    back
}

#[cfg(test)]
mod tests;
