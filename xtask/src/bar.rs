mod circle;
mod erased;
pub(crate) mod fold;
pub(crate) mod measured;
mod model;
mod mutations;
mod readme;
mod search;
mod strangers;
mod web;

use std::{process::ExitCode, time::Instant};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::scenes::Scenes;

/// Every bar; adding one is a file in `bar/` and a line here.
const BARS: &[Bar] = &[
    readme::BAR,
    measured::ROUND_TRIP,
    measured::THROUGHPUT,
    measured::CATCH_UP,
    measured::KILL,
    measured::FILE,
    measured::FILE_KILL,
    measured::STREAM,
    measured::STREAM_ECHO,
    measured::STREAM_MANY,
    measured::SQUEEZE_MESSAGE,
    measured::IDLE,
    measured::CANARY,
    strangers::BAR,
    mutations::BAR,
    measured::CAPTURE,
    measured::ROAMING,
    measured::SILENT,
    measured::FIRST_PACKETS,
    measured::FORWARD,
    measured::FORWARD_COST,
    measured::NAT,
    measured::DHT,
    fold::BAR,
    search::BAR,
    erased::BAR,
    model::BAR,
    circle::MESSAGES,
    circle::REMOVED,
    circle::THIEF,
    circle::EVERYONE,
    circle::FLOOD,
    web::BUNDLE,
    web::FIRST_MESSAGE,
    web::KEYSTROKE,
    web::SCROLL,
    web::ACCESS,
];

/// One promise that has a figure.
pub(crate) struct Bar {
    /// What `cargo xtask bar` calls it.
    pub(crate) name: &'static str,
    /// What is measured, in one line.
    pub(crate) what: &'static str,
    /// What the figure must be, as a person reads it.
    pub(crate) limit: &'static str,
    /// Measures.
    pub(crate) run: fn() -> Result<Verdict>,
}

/// What a bar's measurement showed.
pub(crate) struct Verdict {
    /// The figure, with its unit.
    pub(crate) figure: String,
    /// Whether the figure is within the limit.
    pub(crate) holds: bool,
}

impl Verdict {
    /// Runs scenes that have to hold, all of them.
    fn of_scenes(scenes: Scenes) -> Result<Self> {
        let (passed, holds) = scenes.run()?;
        Ok(Self { figure: format!("{} of {} scenes", passed.len(), scenes.names.len()), holds })
    }
}

/// Reads what a measurement found, as it says in its last line.
fn verdict(verdict: &Value) -> Result<Verdict> {
    let figure = verdict.get("figure").and_then(Value::as_str).context("a verdict without a figure")?;
    let holds = verdict.get("holds").and_then(Value::as_bool).context("a verdict that does not say")?;
    Ok(Verdict { figure: figure.to_owned(), holds })
}

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Which bar to measure.
    #[arg(required_unless_present = "list")]
    name: Option<String>,
    /// Prints the bars there are.
    #[arg(long)]
    list: bool,
}

/// Measures the bar that was asked for; its figure and limit are the last line.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let Some(name) = args.name.as_deref().filter(|_| !args.list) else {
        for bar in BARS {
            println!("{:<16} {}; {}", bar.name, bar.what, bar.limit);
        }
        return Ok(ExitCode::SUCCESS);
    };
    let Some(bar) = BARS.iter().find(|bar| bar.name == name) else {
        bail!("there is no bar \"{name}\"; `cargo xtask bar --list` names those there are");
    };
    println!("{}: {}", bar.name, bar.what);
    let started = Instant::now();
    let verdict = (bar.run)()?;
    println!("measured in {:.1} s", started.elapsed().as_secs_f64());
    let (word, code) =
        if verdict.holds { ("holds", ExitCode::SUCCESS) } else { ("FAILS", ExitCode::FAILURE) };
    println!("{}: {} · bar: {} · {word}", bar.name, verdict.figure, bar.limit);
    Ok(code)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::shell;

    #[test]
    fn every_scene_that_a_bar_names_is_there() {
        let scenes = [circle::REMOVALS, circle::THEFTS, erased::SCENES, strangers::SCENES];
        let sources: Vec<_> = shell::files()
            .unwrap()
            .into_iter()
            .filter(|path| path.extension().is_some_and(|kind| kind == "rs"))
            .map(|path| std::fs::read_to_string(path).unwrap())
            .collect();
        for name in scenes.iter().flat_map(|scenes| scenes.names) {
            let head = format!("fn {name}()");
            assert!(sources.iter().any(|source| source.contains(&head)), "{name}");
        }
    }

    #[test]
    fn every_bar_has_a_name_of_its_own_that_can_be_typed() {
        let names: BTreeSet<_> = BARS.iter().map(|bar| bar.name).collect();
        assert_eq!(names.len(), BARS.len());
        for name in names {
            assert!(name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'), "{name}");
        }
    }
}
