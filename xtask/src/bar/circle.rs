use anyhow::Result;

use super::{Bar, Verdict};
use crate::scenes::{self, Scenes};

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

/// What a flood of tiny entries does to others.
pub(crate) const FLOOD: Bar = Bar {
    name: "flood",
    what: "100,000 entries of one character by one member, whole nodes on virtual links of 20 ms, turns as long as they take on this machine: when another's message is there in the middle of it",
    limit: "at most 5 s; all hold the same afterwards",
    run: flood,
};

fn flood() -> Result<Verdict> {
    let run = scenes::run(&["hexode-testnet"], "test(so_many_tiny_entries)", &[("FLOOD", "100000".into())])?;
    let line = run.said.lines().find_map(|line| line.trim().strip_prefix("FLOOD "));
    let figures: Vec<u64> =
        line.unwrap_or_default().split(' ').filter_map(|word| word.parse().ok()).collect();
    Ok(match *figures {
        [count, after_ms] => {
            Verdict { figure: format!("after {after_ms} ms, of {count}"), holds: run.holds() }
        }
        _ => Verdict { figure: "no figure, see above".into(), holds: false },
    })
}

fn everyone() -> Result<Verdict> {
    let run = scenes::run(&["hexode-testnet"], "test(everyone_has_it_soon)", &[("EVERYONE", "256".into())])?;
    let line = run.said.lines().find_map(|line| line.trim().strip_prefix("EVERYONE "));
    let figures: Vec<f64> =
        line.unwrap_or_default().split(' ').filter_map(|word| word.parse().ok()).collect();
    Ok(match *figures {
        [count, last_ms, copies, _] => Verdict {
            figure: format!("{count} devices: last after {last_ms} ms, {copies} copies"),
            holds: run.holds() && last_ms <= 2000.0 && copies <= 8.0,
        },
        _ => Verdict { figure: "no figure, see above".into(), holds: false },
    })
}

/// What shows it: before, and after each way of destroying.
pub(super) const THEFTS: Scenes = Scenes {
    packages: &["hexode-vault", "hexode-testnet"],
    names: &[
        "nothing_that_is_kept_can_be_read_from_any_file",
        "the_key_goes_first_so_that_an_interrupted_wipe_leaves_nothing_readable",
        "the_wrapped_key_is_overwritten_where_it_lay",
        "the_duress_passphrase_opens_an_empty_vault_and_nothing_of_the_other_is_left",
        "too_many_wrong_passphrases_destroy_the_vault_and_a_right_one_forgives",
        "who_forces_the_person_finds_an_empty_node_and_the_rest_is_nowhere",
        "too_many_tries_leave_nothing",
        "a_wipe_leaves_nothing_locked_or_not",
    ],
};

fn thief() -> Result<Verdict> {
    Verdict::of_scenes(THEFTS)
}

const CIRCLES: u32 = 10;
const EACH: u32 = 100_000;

fn messages() -> Result<Verdict> {
    for seed in 0..CIRCLES {
        let env = [("CHURN_SEED", seed.to_string()), ("CHURN_MESSAGES", EACH.to_string())];
        let test = "test(none_of_many_messages_is_lost_or_doubled_under_churn)";
        if !scenes::run(&["hexode-testnet"], test, &env)?.holds() {
            return Ok(Verdict { figure: format!("a loss or a double with seed {seed}"), holds: false });
        }
    }
    Ok(Verdict { figure: format!("0 lost, 0 doubled of {} messages", CIRCLES * EACH), holds: true })
}

/// What shows it, scene by scene.
pub(super) const REMOVALS: Scenes = Scenes {
    packages: &["hexode-testnet"],
    names: &[
        "what_a_removed_member_writes_on_is_void_on_every_device_also_with_help_from_inside",
        "what_the_remover_had_seen_still_reaches_who_was_away",
        "a_removal_that_turns_out_void_ends_no_chain",
        "who_was_taken_out_gets_nothing_of_the_group_any_more",
        "what_somebody_writes_who_was_taken_out_and_does_not_know_it_is_void_everywhere",
        "who_is_removed_from_the_circle_is_out_of_its_groups_too",
        "only_who_removed_somebody_can_say_the_secret_that_holds_since",
        "a_removed_member_is_told_so_and_gets_nothing_any_more",
        "who_is_removed_while_away_finds_the_door_closed",
        "who_leaves_is_out_everywhere_and_reads_on_what_he_has",
        "who_leaves_while_alone_is_out_once_somebody_hears_of_it",
        "who_was_removed_comes_back_with_the_same_device",
        "one_is_removed_while_the_line_to_another_is_cut",
    ],
};

fn removed() -> Result<Verdict> {
    Verdict::of_scenes(REMOVALS)
}
