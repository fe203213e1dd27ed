//! The figures that the project holds itself to, each measured beside a baseline
//! in the same process run, interleaved, so that a busy machine slows both.
//!
//! ```text
//! cargo bench --bench crew                  every figure, in some minutes
//! cargo bench --bench crew -- append run    those whose name begins so
//! ```
//!
//! A table for people, then one JSON line a figure. It judges nothing: a figure
//! that misses its target is printed as missed, and the exit code is 0.
//! `docs/benchmarks.md` says how each is measured.

#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    reason = "a benchmark starts programs, reads clocks and prints"
)]

mod append;
mod fixture;
mod read;
mod run;
mod slots;
mod stream;

/// What a figure is compared with.
#[derive(Clone, Copy)]
pub(crate) enum Target {
    /// This much or more.
    AtLeast(f64),
    /// Less than this, or just this.
    AtMost(f64),
    /// Measured for the record.
    None,
}

/// One line of the table.
pub(crate) struct Figure {
    pub(crate) name: &'static str,
    pub(crate) value: f64,
    pub(crate) target: Target,
    pub(crate) unit: &'static str,
    /// What it was measured against, with its own figure.
    pub(crate) baseline: String,
}

impl Figure {
    fn verdict(&self) -> &'static str {
        match self.target {
            Target::AtLeast(least) if self.value >= least => "met",
            Target::AtMost(most) if self.value <= most => "met",
            Target::AtLeast(_) | Target::AtMost(_) => "MISSED",
            Target::None => "",
        }
    }

    fn wanted(&self) -> String {
        match self.target {
            Target::AtLeast(least) => format!(">= {least}"),
            Target::AtMost(most) => format!("<= {most}"),
            Target::None => "-".to_owned(),
        }
    }

    fn json(&self) -> String {
        let target = match self.target {
            Target::AtLeast(value) | Target::AtMost(value) => Some(value),
            Target::None => None,
        };
        serde_json::json!({
            "figure": self.name,
            "value": self.value,
            "target": target,
            "unit": self.unit,
            "baseline": self.baseline,
        })
        .to_string()
    }
}

/// A group of figures that are measured together.
type Group = (&'static str, fn() -> Vec<Figure>);

const GROUPS: [Group; 8] = [
    ("append", append::durable),
    ("beside", append::beside_others),
    ("status", read::status),
    ("show", read::show),
    ("run", run::sixteen_tasks),
    ("slots", slots::small),
    ("slots-large", slots::large),
    ("stream", stream::events),
];

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if !words.iter().any(|word| word == "--bench") {
        // `cargo test --all-targets` starts every target: nothing to test here.
        return println!("skipped: figures are measured by 'cargo bench --bench crew'");
    }
    let wanted: Vec<&String> = words.iter().filter(|word| !word.starts_with('-')).collect();
    let is_wanted = |name: &str| wanted.is_empty() || wanted.iter().any(|w| name.starts_with(*w));
    let mut figures = Vec::new();
    for (name, measure) in GROUPS.iter().filter(|(name, _)| is_wanted(name)) {
        eprintln!("measuring {name} ...");
        figures.extend(measure());
    }
    println!("{:<34} {:>9} {:>9} {:<7} {:<7} beside", "figure", "value", "target", "unit", "");
    for figure in &figures {
        println!(
            "{:<34} {:>9.2} {:>9} {:<7} {:<7} {}",
            figure.name,
            figure.value,
            figure.wanted(),
            figure.unit,
            figure.verdict(),
            figure.baseline
        );
    }
    figures.iter().for_each(|figure| println!("{}", figure.json()));
}
