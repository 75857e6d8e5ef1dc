use anyhow::Result;

use super::{Bar, Verdict};
use crate::shell::{self, cargo};

/// Whole nodes under random steps, beside a model of a few lines.
pub(crate) const BAR: Bar = Bar {
    name: "model",
    what: "50 seeds of 10,000 random steps (send, edit, delete, react, pin, kill, cut, promote, remove, groups, clock) on four whole nodes",
    limit: "0 violations: the same roster, screen and history on all, nothing lost, doubled, reordered or back again",
    run,
};

const SEEDS: u32 = 50;
/// How many seeds one test process goes through.
const PART: u32 = 5;
const STEPS: u32 = 10_000;
const TEST: &str = "whatever_happens_for_long_nothing_is_lost_doubled_or_reordered";

fn run() -> Result<Verdict> {
    for from in (0..SEEDS).step_by(PART as usize) {
        let mut test =
            cargo("nextest run --locked --release --color never --package hexode-testnet --test model");
        test.args(["--status-level", "pass", TEST]);
        test.env("MODEL_FROM", from.to_string()).env("MODEL_TO", (from + PART).to_string());
        test.env("MODEL_STEPS", STEPS.to_string());
        // It takes longer than a test may.
        test.env("NEXTEST_PROFILE", "long");
        let said = shell::listen(&mut test)?;
        let passed =
            said.lines().any(|line| line.trim_start().starts_with("PASS") && line.trim_end().ends_with(TEST));
        if !passed {
            let figure = format!("a violation in one of the seeds from {from} on, shown above");
            return Ok(Verdict { figure, holds: false });
        }
    }
    Ok(Verdict { figure: format!("0 violations in {SEEDS} × {STEPS} steps"), holds: true })
}
