//! The graph as a tree of text, for `--dry-run` and listings.

use std::collections::BTreeMap;

use super::{Graph, TaskId};

impl Graph {
    /// A tree of lines: each task once, under the last of its needs to come;
    /// other needs are named behind it. `*` marks the critical path by `weight`;
    /// `label` is what is printed after the id (may be empty).
    pub fn tree(
        &self,
        weight: impl Fn(&TaskId) -> u64,
        label: impl Fn(&TaskId) -> String,
    ) -> String {
        let place: BTreeMap<&TaskId, usize> =
            self.order.iter().enumerate().map(|(at, task)| (task, at)).collect();
        let parent = |task: &TaskId| self.needs(task).iter().max_by_key(|need| place[need]);
        let critical = self.critical_path(weight);
        let mut out = String::new();
        let roots = self.order.iter().filter(|task| self.needs(task).is_empty());
        let mut stack: Vec<(&TaskId, String, Option<bool>)> =
            roots.map(|task| (task, String::new(), None)).collect();
        stack.reverse();
        while let Some((task, indent, last)) = stack.pop() {
            let branch = match last {
                None => "",
                Some(true) => "└─ ",
                Some(false) => "├─ ",
            };
            out.push_str(&format!("{indent}{branch}{task}"));
            if critical.contains(&task) {
                out.push('*');
            }
            out.push_str(&self.remark(task, parent(task), &label(task)));
            out.push('\n');
            let deeper = indent
                + match last {
                    None => "",
                    Some(true) => "   ",
                    Some(false) => "│  ",
                };
            let below: Vec<&TaskId> = self
                .dependents(task)
                .into_iter()
                .filter(|other| parent(other) == Some(task))
                .collect();
            for (at, child) in below.iter().enumerate().rev() {
                stack.push((child, deeper.clone(), Some(at + 1 == below.len())));
            }
        }
        out
    }

    fn remark(&self, task: &TaskId, parent: Option<&TaskId>, label: &str) -> String {
        let others = self.needs(task).iter().filter(|need| Some(*need) != parent);
        let others: Vec<&str> = others.map(TaskId::as_str).collect();
        let mut text = String::new();
        if !others.is_empty() {
            text.push_str(&format!(" (after {} too)", others.join(", ")));
        }
        if !label.is_empty() {
            text.push_str(&format!("  {label}"));
        }
        text
    }
}
