use anyhow::Result;

use super::{Bar, Verdict};
use crate::shell::{self, cargo};

/// Whole nodes under random steps, beside a model of a few lines.
pub(crate) const BAR: Bar = Bar {
    name: "model",
    what: "50 seeds of up to 400 random steps (send, edit, delete, react, pin, kill, cut, remove, clock) on four whole nodes",
    limit: "0 violations: the same screen and history on all, nothing lost, doubled, reordered or back again",
    run,
};

const SEEDS: u32 = 50;
const STEPS: u32 = 400;
const TEST: &str = "whatever_happens_nothing_is_lost_doubled_or_reordered";

fn run() -> Result<Verdict> {
    let mut test =
        cargo("nextest run --locked --release --color never --package hexode-testnet --test model");
    test.args(["--status-level", "pass", TEST]);
    test.env("MODEL_CASES", SEEDS.to_string()).env("MODEL_STEPS", STEPS.to_string());
    // It takes longer than a test may.
    test.env("NEXTEST_PROFILE", "long");
    let said = shell::listen(&mut test)?;
    let passed =
        said.lines().any(|line| line.trim_start().starts_with("PASS") && line.trim_end().ends_with(TEST));
    let figure = if passed { "0 violations" } else { "a violation, shown above with its seed" };
    Ok(Verdict { figure: format!("{figure} in {SEEDS} × up to {STEPS} steps"), holds: passed })
}
