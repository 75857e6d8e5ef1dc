//! The commands by which a circle gets recovery keys, and its founder back.

use crypto::SigningKey;
use wire::{DeviceId, EntryId, Name};

use super::{Accepted, Charter, CommandError};
use crate::{Action, Entry, PublicKey, Recovering, Recovery, Sheet, Verified, past::Past, recovery::cosign};

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
        let previous = self.ledger.last_of(author);
        let founding = self.ledger.entries().first().ok_or(CommandError::NotInCircle)?.id;
        let parents = self.known_heads();
        let before = parents.iter().filter_map(|id| self.ledger.index(id)).map(|at| self.ledger.at(at));
        let lamport = before.chain(previous).map(|entry| entry.entry.lamport).max().unwrap_or(0);
        let mut past = Past::default();
        for index in parents.iter().filter_map(|id| self.ledger.index(id)) {
            past.union(&self.ledger.at(index).past);
            past.insert(index);
        }
        let generation = self.ledger.recovery_in(&past).0.checked_add(1).ok_or(CommandError::NoRecovery)?;
        let recovering =
            Recovering { generation, device, keep: parents.clone(), next, signatures: Vec::new() };
        let entry = Entry {
            circle: self.circle(),
            author,
            seq: previous.map_or(0, |before| before.entry.seq + 1),
            previous: previous.map(|before| before.id),
            parents,
            lamport: lamport + 1,
            claimed_ms: now_ms,
            cite: founding,
            action: Action::Recover(recovering),
        };
        let resolved = self.ledger.resolve(Verified::own(cosign(entry, &keys), key))?;
        Ok(self.append(resolved))
    }

    /// Says whether sheets suffice to recover the founder's place: which of the circle's keys they are, from 1.
    pub fn check_sheets(&self, sheets: &[Sheet]) -> Result<Vec<usize>, CommandError> {
        let recovery = self.roster().recovery().ok_or(CommandError::NoRecovery)?;
        let places = sheets.iter().map(|sheet| self.sheet_place(sheet));
        let mut places: Vec<usize> = places.collect::<Result<_, _>>()?;
        places.sort_unstable();
        places.dedup();
        let (given, needed) = (places.len(), usize::from(recovery.k));
        if given < needed { Err(CommandError::TooFewSheets { given, needed }) } else { Ok(places) }
    }

    /// Says which of the circle's recovery keys a sheet is, from 1.
    pub fn sheet_place(&self, sheet: &Sheet) -> Result<usize, CommandError> {
        let recovery = self.roster().recovery().ok_or(CommandError::NoRecovery)?;
        let public: PublicKey = sheet.public();
        recovery.keys.binary_search(&public).map(|at| at + 1).map_err(|_| CommandError::ForeignSheet)
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
