use crate::{
    Action, VoidReason,
    ledger::{Admitted, Ledger},
    verdict::Verdict,
};

/// Says of every entry of a ledger whether it counts: a function of the set of entries alone.
///
/// One pass in the order of [`Place`](crate::ledger::Place). Whatever an entry's validity depends on stands at
/// an earlier place: the issuer of its grant and the revocations that hit it act at strictly more senior
/// levels; the withdrawals of its invitation and the admissions that prevail over it come first among those of
/// its level.
pub(crate) fn fold(ledger: &Ledger) -> Verdicts {
    let mut verdicts = Verdicts(vec![None; ledger.entries().len()]);
    for &index in ledger.order() {
        let verdict = Judge { ledger, verdicts: &verdicts }.judge(index, ledger.at(index));
        if let Some(slot) = verdicts.0.get_mut(index) {
            *slot = Some(verdict);
        }
    }
    verdicts
}

/// What the fold has said so far; nothing of an entry it has not come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Verdicts(Vec<Option<Verdict>>);

impl Verdicts {
    pub(crate) fn of(&self, index: usize) -> Option<Verdict> {
        self.0.get(index).copied().flatten()
    }

    pub(crate) fn is_valid(&self, index: usize) -> bool {
        self.of(index).is_some_and(Verdict::is_valid)
    }

    /// Returns the first valid entry that ended a grant, removals before leavings.
    pub(crate) fn ended_by(&self, ledger: &Ledger, issuer: usize) -> Option<usize> {
        let Admitted { struck_by, left_by, .. } = ledger.at(issuer);
        let valid = |by: &usize| self.is_valid(*by);
        ledger
            .first(struck_by.iter().copied().filter(valid))
            .or_else(|| ledger.first(left_by.iter().copied().filter(valid)))
    }
}

/// Tells whether every verdict is still the same once all are known; so the order was the right one.
#[cfg(test)]
pub(crate) fn is_settled(ledger: &Ledger, verdicts: &Verdicts) -> bool {
    let judge = Judge { ledger, verdicts };
    ledger.entries().iter().enumerate().all(|(index, entry)| {
        verdicts.of(index).is_some_and(|verdict| verdict.is_valid() == judge.judge(index, entry).is_valid())
    })
}

struct Judge<'a> {
    ledger: &'a Ledger,
    verdicts: &'a Verdicts,
}

impl Judge<'_> {
    fn judge(&self, index: usize, entry: &Admitted) -> Verdict {
        let reason = match entry.entry.action {
            Action::Found(_) => None,
            Action::Recover(_) => entry.unlawful.or_else(|| self.recovered_elsewhere(index, entry)),
            Action::Admit(_) => {
                entry.unlawful.or_else(|| self.own(index, entry)).or_else(|| self.invited(index, entry))
            }
            _ => entry.unlawful.or_else(|| self.own(index, entry)),
        };
        reason.map_or(Verdict::Valid, Verdict::Void)
    }

    /// Finds what is wrong with the author's grant.
    fn own(&self, index: usize, entry: &Admitted) -> Option<VoidReason> {
        if !self.verdicts.is_valid(entry.cite) {
            return Some(VoidReason::GrantVoid { grant: self.ledger.at(entry.cite).id });
        }
        self.removed(index, entry.cite)
    }

    /// Finds a removal of a grant's holder that had not seen an act under the grant.
    fn removed(&self, index: usize, grant: usize) -> Option<VoidReason> {
        let removals = self.ledger.at(grant).struck_by.iter().copied();
        let unseen = removals.filter(|&by| !self.ledger.at(by).kept.contains(index));
        self.first_valid(unseen).map(|by| VoidReason::Removed { by: self.ledger.at(by).id })
    }

    /// Finds what is wrong with an admission's invitation. It is an act of the inviter as much as of the
    /// admitter: who removes the inviter ends those of his invitations that he has not seen used.
    fn invited(&self, index: usize, entry: &Admitted) -> Option<VoidReason> {
        let at = entry.invitation?;
        let invite = self.ledger.at(at);
        if !self.verdicts.is_valid(at) {
            return Some(VoidReason::InvitationVoid { invitation: invite.id });
        }
        if let Some(reason) = self.removed(index, invite.cite) {
            return Some(reason);
        }
        let withdrawals =
            invite.withdrawn_by.iter().copied().filter(|&by| !self.ledger.at(by).past.contains(index));
        if let Some(by) = self.first_valid(withdrawals) {
            return Some(VoidReason::Withdrawn { by: self.ledger.at(by).id });
        }
        let rivals = invite.admissions.iter().copied().filter(|&by| by != index);
        self.first_valid(rivals).map(|by| VoidReason::UsedElsewhere { by: self.ledger.at(by).id })
    }

    /// Finds a use of the recovery keys that prevails over another: a later one that did not know it, or at a time
    /// the one that comes first.
    fn recovered_elsewhere(&self, index: usize, entry: &Admitted) -> Option<VoidReason> {
        let others = self.ledger.recoveries().iter().copied().filter(|&by| by != index);
        let rivals = others.filter(|&by| {
            let other = self.ledger.at(by);
            other.level == entry.level || (other.level < entry.level && !other.past.contains(index))
        });
        self.first_valid(rivals).map(|by| VoidReason::RecoveredElsewhere { by: self.ledger.at(by).id })
    }

    /// Returns the first valid one; those the fold has not come to yet do not count.
    fn first_valid(&self, candidates: impl Iterator<Item = usize>) -> Option<usize> {
        self.ledger.first(candidates.filter(|&by| self.verdicts.is_valid(by)))
    }
}
