//! What removers say of where chains end, as far as it is theirs to say.

use std::collections::{BTreeMap, BTreeSet};

use journal::{Beside, Ends};
use vault::{EntryKind, StoreError, Vault};
use wire::{ConversationId, DeviceId, EntryId};

use super::{CircleState, Ctx, circle::Members, talk::beside_of};

/// By which charter entry of whom devices were removed, when what the removers say was last read.
#[derive(Debug, Default)]
pub(crate) struct Removals {
    known: BTreeMap<DeviceId, (EntryId, DeviceId)>,
    /// A remover has said something since the ends were last worked out.
    said: bool,
}

impl CircleState {
    /// Learns from the charter who removed whom, and reads what new removers said before that was known.
    pub(crate) fn learn_removals(&mut self, vault: &Vault) -> Result<(), StoreError> {
        let removed = self.charter.roster().removed().values().filter(|gone| gone.by != gone.id);
        let removed: BTreeMap<_, _> = removed.map(|gone| (gone.id, (gone.entry, gone.by))).collect();
        let new =
            removed.iter().filter(|&(device, removal)| self.removals.known.get(device) != Some(removal));
        let removers: BTreeSet<DeviceId> = new.map(|(_, (_, by))| *by).collect();
        self.removals.known = removed;
        if removers.is_empty() {
            return Ok(());
        }
        let rows: BTreeMap<_, _> = self.conversations.iter().map(|(id, row)| (*row, *id)).collect();
        for remover in removers {
            for (row, record) in vault.entries_of_kind(self.row, EntryKind::End, Some(&remover))? {
                if let (Some(id), Some(Beside::End(ends))) = (rows.get(&row), beside_of(&record)) {
                    self.note_ends(id, (remover, record.seq), &ends);
                }
            }
        }
        Ok(())
    }

    /// Takes note of what was said of the ends of chains, if a remover said it.
    pub(crate) fn note_ends(&mut self, id: &ConversationId, (by, seq): (DeviceId, u64), ends: &Ends) {
        self.removals.said |= self.journal.note_ends(id, (by, seq), ends, &Members(&self.charter));
    }

    /// Works out anew where chains end, once a turn however much was said.
    pub(crate) fn settle_ends(&mut self, ctx: &mut Ctx<'_, '_>) -> Result<(), StoreError> {
        if !std::mem::take(&mut self.removals.said) {
            return Ok(());
        }
        let ended = self.journal.refold(&Members(&self.charter));
        self.chains_ended(ctx, ended)?;
        // Entries that were refused until this was heard.
        self.ask_refused(ctx);
        Ok(())
    }
}
