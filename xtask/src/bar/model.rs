use anyhow::Result;

use super::{Bar, Verdict};
use crate::scenes;

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
        let env = [
            ("MODEL_FROM", from.to_string()),
            ("MODEL_TO", (from + PART).to_string()),
            ("MODEL_STEPS", STEPS.to_string()),
        ];
        if !scenes::run(&["hexode-testnet"], &format!("test({TEST})"), &env)?.holds() {
            let figure = format!("a violation in one of the seeds from {from} on, shown above");
            return Ok(Verdict { figure, holds: false });
        }
    }
    Ok(Verdict { figure: format!("0 violations in {SEEDS} × {STEPS} steps"), holds: true })
}
