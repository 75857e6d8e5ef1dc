//! What must hold of every ledger, as the specification claims it (T1 to T9).

use crate::{
    Action,
    fold::Verdicts,
    ledger::{Admitted, Ledger},
};

/// T3: nobody but the founding device itself and the recovery keys end its grant.
pub(crate) fn founder_stays(ledger: &Ledger, verdicts: &Verdicts) -> bool {
    let founder = ledger.at(0).entry.author;
    let ended = verdicts.ended_by(ledger, 0);
    verdicts.is_valid(0)
        && ended.is_none_or(|by| {
            let by = &ledger.at(by).entry;
            by.author == founder || matches!(by.action, Action::Recover(_))
        })
}

/// T4 and T9: a valid removal makes void all that its target did and the remover had not seen.
pub(crate) fn removals_prevail(ledger: &Ledger, verdicts: &Verdicts) -> bool {
    ledger.entries().iter().enumerate().all(|(at, entry)| {
        let mut removals = ledger.at(entry.cite).struck_by.iter().filter(|&&by| verdicts.is_valid(by));
        let lost = removals.any(|&by| !ledger.at(by).kept.contains(at));
        at == 0 || is_recovery(entry) || !lost || !verdicts.is_valid(at)
    })
}

/// T5: of no two removals each makes the other void.
pub(crate) fn removals_are_one_way(ledger: &Ledger) -> bool {
    let voids = |by: usize, entry: usize| {
        if is_recovery(ledger.at(entry)) {
            return false;
        }
        let cited = ledger.at(ledger.at(entry).cite);
        cited.struck_by.contains(&by) && !ledger.at(by).kept.contains(entry)
    };
    let last = ledger.entries().len();
    !(0..last).any(|x| (0..x).any(|y| voids(x, y) && voids(y, x)))
}

/// Of the recoveries of one generation at most one counts, and whoever recovered last without a later rival is in the
/// founder's place, unless he gave it up: the recovery keys always bring somebody there.
pub(crate) fn the_last_recovery_stands(ledger: &Ledger, verdicts: &Verdicts) -> bool {
    let mut valid: Vec<_> = ledger.recoveries().iter().copied().filter(|&at| verdicts.is_valid(at)).collect();
    valid.sort_by_key(|&at| ledger.at(at).place);
    let one_each = valid.windows(2).all(|pair| ledger.at(pair[0]).level < ledger.at(pair[1]).level);
    let any_lawful = !ledger.recoveries().is_empty();
    let stands = valid.first().is_none_or(|&last| {
        let ended = verdicts.ended_by(ledger, last);
        ended.is_none_or(|by| ledger.at(by).entry.author == ledger.at(last).entry.author)
    });
    one_each && stands && any_lawful != valid.is_empty()
}

/// Nobody but the recovery keys' holders stands at the founder's level.
pub(crate) fn is_recovery(entry: &Admitted) -> bool {
    matches!(entry.entry.action, Action::Recover(_))
}

/// T7: a grant is strictly junior to those of all who issued it.
pub(crate) fn grants_are_junior(ledger: &Ledger) -> bool {
    ledger.entries().iter().skip(1).all(|issuer| {
        let inviter = issuer.invitation.map_or(issuer.level, |at| ledger.at(at).level);
        issuer
            .grant
            .is_none_or(|grant| issuer.level.is_senior_to(grant.level) && inviter.is_senior_to(grant.level))
    })
}

/// One ledger, and the same with one entry more.
pub(crate) struct Growth<'a> {
    pub(crate) before: (&'a Ledger, &'a Verdicts),
    pub(crate) after: (&'a Ledger, &'a Verdicts),
    pub(crate) new: &'a Admitted,
}

impl Growth<'_> {
    /// T6: nothing that a remover had seen comes to be void by the removal itself: if something does, another
    /// entry counts again which the removal freed of what had made it void.
    pub(crate) fn spares_what_was_seen(&self) -> bool {
        let spared = self.all(|index, _, was, is| is || !was || !self.new.kept.contains(index));
        spared || !self.all(|_, _, was, is| was || !is)
    }

    /// T8: nothing changes at an earlier place than the new entry's.
    pub(crate) fn spares_earlier_places(&self) -> bool {
        self.all(|_, entry, was, is| was == is || entry.place > self.new.place)
    }

    fn all(&self, holds: impl Fn(usize, &Admitted, bool, bool) -> bool) -> bool {
        let ((before, verdicts_before), (after, verdicts)) = (self.before, self.after);
        after.entries().iter().enumerate().all(|(index, entry)| {
            let was = before.index(&entry.id).map(|was| verdicts_before.is_valid(was));
            was.is_none_or(|was| holds(index, entry, was, verdicts.is_valid(index)))
        })
    }
}
