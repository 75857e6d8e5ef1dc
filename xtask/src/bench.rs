use std::process::ExitCode;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::{
    bar::{fold, measured},
    ci::is_root,
};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Prints the table as JSON.
    #[arg(long)]
    json: bool,
    /// Leaves out what idle nodes cost, which takes some minutes and needs root.
    #[arg(long)]
    no_idle: bool,
}

/// Measures everything that has a figure, each beside its peer in the same run, and prints one table.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let mut rows = Vec::new();
    let mut parts = vec!["round-trip", "throughput", "catch-up", "dial"];
    if !args.no_idle && is_root() {
        parts.push("idle");
    }
    for part in &parts {
        let found = measured::report(&[part])?;
        rows.extend(
            found.get("rows").and_then(Value::as_array).context("a measurement without rows")?.clone(),
        );
    }
    let fold = fold::measure()?;
    let row = |what: &str, ours: f64| json!({ "what": what, "unit": "ms", "ours": ours, "peer": null });
    rows.push(row("charter fold, 1,000 × 2", fold.fold));
    rows.push(row("charter restored, 1,000 × 2", fold.restored));
    if args.json {
        println!("{}", serde_json::to_string_pretty(&rows)?);
    } else {
        println!("\n{:<34} {:>12} {:>12} {:>8}  unit", "what", "hexode", "bare iroh", "×");
        rows.iter().for_each(|row| println!("{}", line(row)));
        if !parts.contains(&"idle") {
            println!("idle nodes were left out: they need root (network namespaces)");
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn line(row: &Value) -> String {
    let text = |name: &str| row.get(name).and_then(Value::as_str).unwrap_or_default();
    let number = |name: &str| row.get(name).and_then(Value::as_f64);
    let ours = number("ours");
    let peer = number("peer");
    let shown = |number: Option<f64>| number.map_or_else(|| "–".to_owned(), figure);
    let ratio = ours.zip(peer).map(|(ours, peer)| ours / peer);
    format!(
        "{:<34} {:>12} {:>12} {:>8}  {}",
        text("what"),
        shown(ours),
        shown(peer),
        shown(ratio),
        text("unit")
    )
}

/// Three digits that say something.
fn figure(number: f64) -> String {
    match number.abs() {
        large if large >= 100.0 => format!("{number:.0}"),
        middle if middle >= 1.0 => format!("{number:.2}"),
        _ => format!("{number:.4}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_shows_both_figures_and_their_ratio() {
        let with_peer =
            line(&json!({ "what": "round trip p50", "unit": "µs", "ours": 300.0, "peer": 120.0 }));
        assert_eq!(
            with_peer.split_whitespace().collect::<Vec<_>>(),
            ["round", "trip", "p50", "300", "120", "2.50", "µs"]
        );
        let alone = line(&json!({ "what": "fold", "unit": "ms", "ours": 0.5, "peer": null }));
        assert_eq!(alone.split_whitespace().collect::<Vec<_>>(), ["fold", "0.5000", "–", "–", "ms"]);
    }
}
