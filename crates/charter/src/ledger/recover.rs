//! The founder's place, and who may give it anew.

use super::{Grant, Ledger, resolve::Meaning};
use crate::{Action, Entry, EntryError, Level, Recovering, Recovery, VoidReason, past::Past};

impl Ledger {
    /// Reads what a use of the recovery keys means; refuses it if too few of the keys that its past knows signed.
    pub(super) fn recovery(
        &self,
        entry: &Entry,
        recovering: &Recovering,
        past: &Past,
    ) -> Result<(Level, Meaning), EntryError> {
        let (generation, keys) = self.recovery_in(past);
        let founder = self.at(0).grant.ok_or(EntryError::NoSuchGrant)?;
        if entry.cite != self.at(0).id {
            return Err(EntryError::NoSuchGrant);
        }
        if !keys.is_some_and(|keys| keys.is_met_by(recovering.keys()))
            || generation.checked_add(1) != Some(recovering.generation)
        {
            return Err(EntryError::Recovery);
        }
        let kept = self.kept(&recovering.keep, past)?;
        let level = Level::recovery(recovering.generation);
        let origin = self.entries().len();
        let grant = Grant { device: entry.author, level: Level::FOUNDER, origin, ..founder };
        Ok((level, Meaning { grant: Some(grant), kept, ..Meaning::default() }))
    }

    /// Refuses new recovery keys where there are some, and from all but the founding device.
    pub(super) fn check_set_recovery(&self, acting: Grant, past: &Past) -> Result<(), VoidReason> {
        if acting.level != Level::FOUNDER {
            return Err(VoidReason::NotSenior);
        }
        if self.recovery_in(past).1.is_some() { Err(VoidReason::RecoveryKnown) } else { Ok(()) }
    }

    /// Returns, of what somebody knew, the number of the last recovery, and the keys that may make the next.
    ///
    /// It asks for what is lawful and not for what counts, since this is judged before anything else.
    pub(crate) fn recovery_in(&self, past: &Past) -> (u16, Option<&Recovery>) {
        let mut known: Vec<_> =
            self.recoveries().iter().copied().filter(|&index| past.contains(index)).collect();
        known.sort_by_key(|&index| self.at(index).place);
        let generation = known.first().map_or(0, |&last| self.generation(last));
        // Of rivals the first; then what was in force when it was made.
        let next = known.iter().find_map(|&index| self.at(index).entry.action.recovery());
        (generation, next.or_else(|| self.first_recovery(|index| past.contains(index))))
    }

    /// Returns the keys fixed at founding, else the first that the founder fixed later.
    pub(crate) fn first_recovery(&self, counts: impl Fn(usize) -> bool) -> Option<&Recovery> {
        let fixed = self.recovery_sets.iter().filter_map(|&index| {
            let entry = &self.at(index).entry;
            match &entry.action {
                Action::Found(terms) => Some(((0, self.at(index).id), terms.recovery.as_ref()?)),
                Action::SetRecovery(recovery) if counts(index) => {
                    Some(((entry.lamport, self.at(index).id), recovery))
                }
                _ => None,
            }
        });
        fixed.min_by_key(|(time, _)| *time).map(|(_, recovery)| recovery)
    }

    /// Tells whether enough keys of some set that was ever lawfully fixed have signed.
    pub(super) fn may_recover(&self, recovering: &Recovering) -> bool {
        let mut sets = self.recovery_sets.iter().filter_map(|&index| self.at(index).entry.action.recovery());
        sets.any(|set| set.is_met_by(recovering.keys()))
    }

    fn generation(&self, index: usize) -> u16 {
        match &self.at(index).entry.action {
            Action::Recover(recovering) => recovering.generation,
            _ => 0,
        }
    }
}
