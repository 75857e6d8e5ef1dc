use anyhow::Result;

use super::{Bar, Verdict};
use crate::scenes::Scenes;

/// Everyone who has no business in a circle, one by one.
pub(crate) const BAR: Bar = Bar {
    name: "strangers",
    what: "strangers, removed members, bad invitations, a man in the middle, each refused in a test of its own",
    limit: "every named test is there and passes",
    run,
};

/// Who is refused, and the test that shows it.
const REFUSALS: &[(&str, &str)] = &[
    ("a stranger, whatever he says", "a_stranger_is_told_the_same_whatever_he_says"),
    ("a stranger without a pass", "a_member_gets_in_and_nobody_else"),
    ("a recorded first packet", "a_recorded_first_packet_is_never_let_in_again"),
    ("an invitation that is not known", "an_invitation_opens_until_it_is_withdrawn"),
    ("a stranger who says nothing", "a_silent_stranger_is_shown_out_in_time"),
    ("a stranger who brings messages", "strangers_and_non_participants_neither_write_nor_carry"),
    ("a removed member, at the tunnel", "a_removed_member_is_cut_off_at_once_and_stays_out"),
    ("a removed member, when he comes back", "who_is_removed_while_away_finds_the_door_closed"),
    (
        "a removed member, and what he backdates",
        "a_removed_member_is_out_with_all_devices_and_what_he_backdates_is_void",
    ),
    ("a removed member, nothing new", "a_removed_member_is_told_so_and_gets_nothing_any_more"),
    (
        "an expired and a withdrawn invitation",
        "an_expired_and_a_withdrawn_invitation_are_refused_with_the_reason",
    ),
    ("an expired invitation, by the charter", "an_expired_invitation_admits_nobody"),
    ("a used invitation", "a_used_invitation_lets_nobody_else_in"),
    ("a used invitation, by the charter", "an_invitation_lets_in_one_device"),
    ("an invitation redeemed for another device", "a_redemption_for_another_device_or_name_is_refused"),
    (
        "a forged invitation, or one for another session",
        "an_invitation_is_believed_of_its_own_device_and_session_only",
    ),
    (
        "a man in the middle, invitation in hand",
        "an_invitation_passed_on_by_a_man_in_the_middle_lets_nobody_in",
    ),
    ("forged and altered messages", "forged_altered_and_reordered_runs_are_refused"),
];

pub(super) const SCENES: Scenes = Scenes {
    packages: &["hexode-charter", "hexode-journal", "hexode-tunnel", "hexode-testnet"],
    names: &NAMES,
};

/// The names of the tests alone.
#[allow(clippy::indexing_slicing, reason = "an index that is wrong would not compile in a constant")]
const NAMES: [&str; REFUSALS.len()] = {
    let mut names = [""; REFUSALS.len()];
    let mut at = 0;
    while at < names.len() {
        names[at] = REFUSALS[at].1;
        at += 1;
    }
    names
};

fn run() -> Result<Verdict> {
    let (passed, all) = SCENES.run()?;
    for (who, test) in REFUSALS {
        let word = if passed.contains(*test) { "refused" } else { "NOT SHOWN" };
        println!("{word:<10} {who}: {test}");
    }
    Ok(Verdict { figure: format!("{} of {} refused", passed.len(), REFUSALS.len()), holds: all })
}
