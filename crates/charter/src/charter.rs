use std::sync::OnceLock;

use wire::{Blob, CircleId, DeviceId, EntryId};

use crate::{
    EntryError, Received, Role, Roster, Verified,
    fold::fold,
    ledger::{Admitted, Ledger},
    orphans::Orphans,
    roster,
};

mod commands;
mod recovery;
mod sync;

pub use commands::{CommandError, FoundingTerms, Keep, Newcomer, Terms};

/// A circle's charter as one device holds it.
///
/// Takes signed entries ([`handle_entry`](Self::handle_entry)) and commands of this device's person; gives the
/// [`Roster`]. Whatever is [`Accepted`] must be stored before anything is told to anybody.
#[derive(Debug, Clone)]
pub struct Charter {
    pub(crate) ledger: Ledger,
    pub(crate) orphans: Orphans,
    /// Folded when it is first asked for after a change.
    roster: OnceLock<Roster>,
    /// Worked out when it is first asked for after an entry came or waits.
    waiting: OnceLock<Option<Role>>,
}

/// An entry that has just become part of the charter, to be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "an entry that is not stored is lost, and a later own entry would fork the chain"]
pub struct Accepted {
    /// Its id.
    pub id: EntryId,
    /// Its bytes, to be stored and sent as they are.
    pub blob: Blob,
}

impl Charter {
    /// Makes the charter of a newcomer, who knows the circle's id and no entry yet.
    pub fn awaiting(circle: CircleId) -> Self {
        Self::of(Ledger::new(circle))
    }

    pub(crate) fn of(ledger: Ledger) -> Self {
        Self { ledger, orphans: Orphans::default(), roster: OnceLock::new(), waiting: OnceLock::new() }
    }

    /// Makes a charter from all [`Accepted`] entries in the vault, in the order they were stored in.
    ///
    /// Their structure is checked as if they came from outside. Their signatures were checked when they came
    /// and are not again: what the vault opens is what it was given.
    pub fn restore(circle: CircleId, entries: impl IntoIterator<Item = Blob>) -> Result<Self, RestoreError> {
        let mut charter = Self::awaiting(circle);
        for (at, blob) in entries.into_iter().enumerate() {
            let damaged = |source| RestoreError::Damaged { at, source };
            let verified = Received::decode(&blob).map_err(damaged)?.danger_unverified();
            charter.take(verified).map_err(damaged)?;
        }
        match charter.orphans.len() {
            0 => Ok(charter),
            waiting => Err(RestoreError::Incomplete { waiting }),
        }
    }

    /// Takes an entry from another device.
    ///
    /// Returns what became part of the charter with it, in causal order: the entry itself, unless it is known
    /// or waits for a parent, and those that waited for it.
    pub fn handle_entry(&mut self, entry: Blob) -> Result<Vec<Accepted>, EntryError> {
        let received = Received::decode(&entry)?;
        if self.ledger.index(&received.id()).is_some() || self.orphans.contains(&received.id()) {
            return Ok(Vec::new());
        }
        if self.ledger.check_room(received.entry(), None).is_err() {
            self.ledger.check_room(received.entry(), self.waiting())?;
        }
        self.take(received.verify()?)
    }

    /// Tells whether entries wait for parents that have not come.
    pub fn lacks_parents(&self) -> bool {
        !self.orphans.is_empty()
    }

    /// Tells whether the founding entry has come.
    pub fn is_founded(&self) -> bool {
        !self.ledger.entries().is_empty()
    }

    /// Returns the device that founded the circle.
    pub fn founder(&self) -> Option<DeviceId> {
        self.ledger.entries().first().map(|founding| founding.entry.author)
    }

    /// Returns the circle's id.
    pub fn circle(&self) -> CircleId {
        self.ledger.circle()
    }

    /// Returns what the charter says now. The first call after a change folds all entries.
    pub fn roster(&self) -> &Roster {
        self.roster.get_or_init(|| roster::build(&self.ledger, &fold(&self.ledger)))
    }

    /// Returns the most senior role under which an entry waits for its parents.
    fn waiting(&self) -> Option<Role> {
        let role = |orphan: &Verified| self.ledger.role_cited(orphan.entry());
        *self.waiting.get_or_init(|| self.orphans.iter().filter_map(role).min())
    }

    fn take(&mut self, verified: Verified) -> Result<Vec<Accepted>, EntryError> {
        let id = verified.id();
        self.waiting = OnceLock::new();
        if self.ledger.missing(verified.entry()).next().is_some() {
            let ledger = &self.ledger;
            let known = |device: &_| !ledger.grants(crate::Target::Device(*device)).is_empty();
            let dropped = self.orphans.add(verified, known);
            return if dropped == Some(id) { Err(EntryError::NoRoomToWait) } else { Ok(Vec::new()) };
        }
        let mut accepted = vec![self.place(verified)?];
        let mut ready: Vec<_> = self.orphans.children_of(&id).into_iter().collect();
        while let Some(id) = ready.pop() {
            let whole = self
                .orphans
                .get(&id)
                .is_some_and(|orphan| self.ledger.missing(orphan.entry()).next().is_none());
            if !whole {
                continue;
            }
            // Whoever sent an orphan is gone by now: nobody to be told that it was refused.
            if let Some(Ok(more)) = self.orphans.remove(&id).map(|orphan| self.place(orphan)) {
                accepted.push(more);
                ready.extend(self.orphans.children_of(&id));
            }
        }
        Ok(accepted)
    }

    fn place(&mut self, verified: Verified) -> Result<Accepted, EntryError> {
        let id = verified.id();
        match self.ledger.resolve(verified) {
            Ok(admitted) => Ok(self.append(admitted)),
            Err(error) => {
                self.orphans.drop_descendants(id);
                Err(error)
            }
        }
    }

    fn append(&mut self, admitted: Admitted) -> Accepted {
        let accepted = Accepted { id: admitted.id, blob: admitted.blob.clone() };
        self.ledger.append(admitted);
        self.roster = OnceLock::new();
        accepted
    }
}

/// Why a charter cannot be made from what the vault holds.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RestoreError {
    /// An entry does not fit to those before it.
    #[error("stored charter entry {at} does not fit")]
    Damaged {
        /// Its place in what was given.
        at: usize,
        /// What is wrong with it.
        source: EntryError,
    },
    /// Entries are missing.
    #[error("{waiting} stored charter entries lack a parent")]
    Incomplete {
        /// How many entries wait for one that is missing.
        waiting: usize,
    },
}
