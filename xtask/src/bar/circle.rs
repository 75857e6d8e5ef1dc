use anyhow::Result;

use super::{Bar, Verdict};
use crate::shell::{self, cargo};

/// Many messages under churn, in virtual time.
pub(crate) const MESSAGES: Bar = Bar {
    name: "messages",
    what: "10 circles of four whole nodes, 100,000 messages each, under kills, cuts, losses and clocks that run wrong, in virtual time",
    limit: "0 lost, 0 doubled",
    run: messages,
};

/// What a removed device gets, and what of its own counts.
pub(crate) const REMOVED: Bar = Bar {
    name: "removed",
    what: "whole nodes on virtual links: what reaches a device that was removed from a circle or a group, what it backdates",
    limit: "no byte of content to it from any device that has heard; all that it backdates void on every device",
    run: removed,
};

/// What a thief of a device gets.
pub(crate) const THIEF: Bar = Bar {
    name: "thief",
    what: "every file of vaults that are locked, wiped, emptied under duress or by wrong tries, searched for words and for blocks that were there before",
    limit: "before: nothing without the passphrase; after: nothing",
    run: thief,
};

/// A message to everyone in a large circle.
pub(crate) const EVERYONE: Bar = Bar {
    name: "everyone",
    what: "256 whole nodes on virtual links of 20 ms, a message to everyone; what their turns take on this machine passes in the world, too; commits do not wait for the disk",
    limit: "last delivery ≤ 2 s; the author sends ≤ 8 copies",
    run: everyone,
};

fn everyone() -> Result<Verdict> {
    let mut test = cargo("nextest run --locked --release --color never --package hexode-testnet");
    test.args(["--success-output", "immediate", "--filterset", "test(everyone_has_it_soon)"]);
    test.env("EVERYONE", "256").env("NEXTEST_PROFILE", "long");
    let said = shell::listen(&mut test)?;
    let line = said.lines().find_map(|line| line.trim().strip_prefix("EVERYONE "));
    let figures: Vec<f64> =
        line.unwrap_or_default().split(' ').filter_map(|word| word.parse().ok()).collect();
    Ok(match *figures {
        [count, last_ms, copies, _] => Verdict {
            figure: format!("{count} devices: last after {last_ms} ms, {copies} copies"),
            holds: last_ms <= 2000.0 && copies <= 8.0,
        },
        _ => Verdict { figure: "no figure, see above".into(), holds: false },
    })
}

/// What shows it: before, and after each way of destroying.
const THEFTS: [&str; 8] = [
    "nothing_that_is_kept_can_be_read_from_any_file",
    "the_key_goes_first_so_that_an_interrupted_wipe_leaves_nothing_readable",
    "the_wrapped_key_is_overwritten_where_it_lay",
    "the_duress_passphrase_opens_an_empty_vault_and_nothing_of_the_other_is_left",
    "too_many_wrong_passphrases_destroy_the_vault_and_a_right_one_forgives",
    "who_forces_the_person_finds_an_empty_node_and_the_rest_is_nowhere",
    "too_many_tries_leave_nothing",
    "a_wipe_leaves_nothing_locked_or_not",
];

fn thief() -> Result<Verdict> {
    let count = shell::passed(&["hexode-vault", "hexode-testnet"], &THEFTS)?.len();
    Ok(Verdict { figure: format!("{count} of {} scenes", THEFTS.len()), holds: count == THEFTS.len() })
}

const CIRCLES: u32 = 10;
const EACH: u32 = 100_000;

fn messages() -> Result<Verdict> {
    for seed in 0..CIRCLES {
        let env = [("CHURN_SEED", seed.to_string()), ("CHURN_MESSAGES", EACH.to_string())];
        if passed("test(none_of_many_messages_is_lost_or_doubled_under_churn)", &env)?.is_none() {
            return Ok(Verdict { figure: format!("a loss or a double with seed {seed}"), holds: false });
        }
    }
    Ok(Verdict { figure: format!("0 lost, 0 doubled of {} messages", CIRCLES * EACH), holds: true })
}

fn removed() -> Result<Verdict> {
    let tests =
        "binary(backdating) | test(removed) | test(taken_out) | test(void_everywhere) | test(who_leaves)";
    Ok(match passed(tests, &[])? {
        Some(count) => Verdict { figure: format!("{count} of {count} scenes"), holds: true },
        None => Verdict { figure: "a scene in which it does not hold, shown above".into(), holds: false },
    })
}

/// Runs tests of whole nodes and returns how many passed; nothing if one did not.
fn passed(tests: &str, env: &[(&str, String)]) -> Result<Option<usize>> {
    let mut test = cargo("nextest run --locked --release --color never --package hexode-testnet");
    test.args(["--status-level", "pass", "--filterset", tests]);
    test.envs(env.iter().map(|(name, value)| (name, value)));
    // It takes longer than a test may.
    test.env("NEXTEST_PROFILE", "long");
    let said = shell::listen(&mut test)?;
    let count = said.lines().filter(|line| line.trim_start().starts_with("PASS")).count();
    let failed = said.lines().any(|line| line.trim_start().starts_with("FAIL") || line.contains("TIMEOUT"));
    Ok((count > 0 && !failed).then_some(count))
}
