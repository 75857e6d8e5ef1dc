//! The commands by which a circle gets recovery keys, and its founder back.

use crypto::SigningKey;
use wire::{DeviceId, EntryId, Name};

use super::{Accepted, Charter, CommandError};
use crate::{Action, PublicKey, Recovering, Recovery, Sheet, Verified, recovery::cosign};

impl Charter {
    /// Fixes the recovery keys of a circle that has none; only the founding device may.
    pub fn set_recovery(
        &mut self,
        recovery: Recovery,
        key: &SigningKey,
        now_ms: u64,
    ) -> Result<Accepted, CommandError> {
        recovery.check().map_err(CommandError::Recovery)?;
        self.write(key, now_ms, Action::SetRecovery(recovery), &[])
    }

    /// Puts this device in the founder's place, with sheets of enough recovery keys; `next` replaces the keys.
    ///
    /// All other devices of the founder's lose their place. What this device has seen of their acts stays.
    pub fn recover(
        &mut self,
        sheets: &[Sheet],
        next: Option<Recovery>,
        device: Name,
        key: &SigningKey,
        now_ms: u64,
    ) -> Result<Accepted, CommandError> {
        if let Some(next) = &next {
            next.check().map_err(CommandError::Recovery)?;
        }
        self.check_sheets(sheets)?;
        let keys: Vec<SigningKey> = sheets.iter().map(Sheet::key).collect();
        let author = DeviceId::new(key.public());
        let founding = self.ledger.entries().first().ok_or(CommandError::NotInCircle)?.id;
        let parents = self.known_heads();
        let previous = self.ledger.last_of(author).map(|before| before.id);
        let past = self.ledger.behind(parents.iter().chain(&previous));
        let generation = self.ledger.recovery_in(&past).0.checked_add(1).ok_or(CommandError::NoRecovery)?;
        let recovering =
            Recovering { generation, device, keep: parents.clone(), next, signatures: Vec::new() };
        let entry = self.draft((author, founding), parents, now_ms, Action::Recover(recovering));
        let entry = cosign(entry, &keys);
        self.ledger.check_room(&entry, None)?;
        let resolved = self.ledger.resolve(Verified::own(entry, key))?;
        Ok(self.append(resolved))
    }

    /// Says whether sheets suffice to recover the founder's place: which of the circle's keys they are, from 1.
    pub fn check_sheets(&self, sheets: &[Sheet]) -> Result<Vec<usize>, CommandError> {
        let recovery = self.keys_in_force().ok_or(CommandError::NoRecovery)?;
        let places = sheets.iter().map(|sheet| self.sheet_place(sheet));
        let mut places: Vec<usize> = places.collect::<Result<_, _>>()?;
        places.sort_unstable();
        places.dedup();
        let (given, needed) = (places.len(), usize::from(recovery.k));
        if given < needed { Err(CommandError::TooFewSheets { given, needed }) } else { Ok(places) }
    }

    /// Says which of the circle's recovery keys a sheet is, from 1.
    pub fn sheet_place(&self, sheet: &Sheet) -> Result<usize, CommandError> {
        let recovery = self.keys_in_force().ok_or(CommandError::NoRecovery)?;
        let public: PublicKey = sheet.public();
        recovery.keys.binary_search(&public).map(|at| at + 1).map_err(|_| CommandError::ForeignSheet)
    }

    /// Returns the keys by which the next recovery is judged: what is lawful counts, as in the rule that it must meet.
    fn keys_in_force(&self) -> Option<&Recovery> {
        self.ledger.recovery_in(&self.ledger.behind(self.known_heads().iter())).1
    }

    /// Returns heads to stand on: all, or if those are too many, those of the most senior authors.
    fn known_heads(&self) -> Vec<EntryId> {
        let mut heads: Vec<_> = self.ledger.heads().iter().copied().collect();
        if heads.len() > wire::limits::PARENTS {
            let level = |id: &EntryId| self.ledger.index(id).map(|at| self.ledger.at(at).level);
            heads.sort_by_key(|id| (level(id), *id));
            heads.truncate(wire::limits::PARENTS);
            heads.sort();
        }
        heads
    }
}
