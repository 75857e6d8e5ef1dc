//! What a circle holds in memory about what is said in it, beyond the heads of its chains.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use journal::{Beside, Content, Entry, ExpiryRules, Header, Place};
use vault::{EntryKind, EntryRecord, Gone, StoreError, Vault};
use wire::{Blob, ConversationId, DeviceId, MemberId, Signature};

use super::{CircleState, link::ChainKey};

/// What is kept in memory of messages and conversations.
#[derive(Debug, Default)]
pub(crate) struct Talk {
    /// Places of chains that hold no message: they are not counted as such.
    beside: BTreeMap<ChainKey, BTreeSet<u64>>,
    /// After what time it was asked that messages be erased.
    pub(crate) rules: BTreeMap<ConversationId, ExpiryRules>,
    /// Members whose messages the person does not want to see.
    pub(crate) blocked: BTreeSet<MemberId>,
    /// What the person decided about conversations for himself.
    pub(crate) kept: BTreeMap<ConversationId, Kept>,
    /// Entries were stored or erased in this turn.
    pub(crate) stored: bool,
    /// Entries came in this turn without the bodies they should have.
    pub(crate) lacks: bool,
    /// When the next message is to be erased, by the device's clock.
    pub(crate) next_expiry_ms: Option<u64>,
    /// When that is looked at next.
    pub(crate) expiry_at: Option<Duration>,
}

/// What the person decided about one conversation for himself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Kept {
    pub(crate) archived: bool,
    pub(crate) muted_until_ms: u64,
}

impl Talk {
    /// Takes note that a place holds no message.
    pub(crate) fn note_beside(&mut self, chain: ChainKey, seq: u64) {
        self.beside.entry(chain).or_default().insert(seq);
    }

    /// Takes note that a place holds a message after all.
    pub(crate) fn forget_beside(&mut self, chain: ChainKey, seq: u64) {
        if let Some(places) = self.beside.get_mut(&chain) {
            places.remove(&seq);
        }
    }

    /// Counts the places of a chain from `from` on that hold no message.
    pub(crate) fn beside_from(&self, chain: &ChainKey, from: u64) -> u64 {
        self.beside.get(chain).map_or(0, |places| places.range(from..).count() as u64)
    }
}

impl CircleState {
    /// Reads what is kept in memory of messages from the vault.
    pub(crate) fn restore_talk(&mut self, vault: &Vault) -> Result<(), StoreError> {
        let ids: BTreeMap<_, _> = self.conversations.iter().map(|(id, row)| (*row, *id)).collect();
        for (id, row) in &self.conversations {
            for (author, seq) in vault.places_beside(*row)? {
                self.talk.note_beside((*id, author), seq);
            }
            if !self.journal.acts(id).is_empty() || self.since_ms > 0 {
                for (author, seq) in vault.places_withheld(*row)? {
                    self.talk.note_beside((*id, author), seq);
                }
            }
        }
        for (row, record) in vault.entries_of_kind(self.row, EntryKind::Expiry, None)? {
            let Some(conversation) = ids.get(&row) else { continue };
            if let Some(Content::Expiry { after_s }) = content_of(&record)
                && !self.is_forked(conversation, &record.author)
            {
                self.talk.rules.entry(*conversation).or_default().set(place_of(&record), after_s);
            }
        }
        self.talk.blocked = vault.blocked(self.row)?.into_iter().collect();
        self.talk.next_expiry_ms = vault.next_expiry(self.row)?;
        // Looked at in the first turn, when the time is known.
        self.talk.expiry_at = self.talk.next_expiry_ms.map(|_| Duration::ZERO);
        Ok(())
    }

    /// Returns the member whose device this is or was.
    pub(crate) fn member_of(&self, device: &DeviceId) -> Option<MemberId> {
        let roster = self.charter.roster();
        let live = roster.device(device).map(|device| device.member);
        live.or_else(|| roster.removed().get(device).map(|removed| removed.member))
    }

    /// Tells whether an author's chain in a conversation was forked.
    pub(crate) fn is_forked(&self, conversation: &ConversationId, author: &DeviceId) -> bool {
        self.journal.chain(conversation, author).is_some_and(|chain| chain.forked)
    }
}

/// Returns an entry as it is stored.
pub(crate) fn record_of(entry: &Entry, received_ms: u64, signature: Option<Signature>) -> EntryRecord {
    let header = &entry.header;
    EntryRecord {
        author: header.author,
        seq: header.seq,
        message: entry.id,
        lamport: header.lamport,
        claimed_ms: header.claimed_ms,
        received_ms,
        header: entry.header_bytes.clone(),
        body: entry.body.clone(),
        signature,
        kind: kind_of(header.beside.as_ref()),
        gone: Gone::Not,
    }
}

/// Returns where a stored entry stands in its conversation.
pub(crate) fn place_of(record: &EntryRecord) -> Place {
    Place { lamport: record.lamport, author: record.author, seq: record.seq }
}

/// Returns what a stored entry is, if no message.
pub(crate) fn beside_of(record: &EntryRecord) -> Option<Beside> {
    if record.kind == EntryKind::Message {
        return None;
    }
    Header::decode(&record.header.0).ok()?.beside
}

/// Reads what a stored entry says.
pub(crate) fn content_of(record: &EntryRecord) -> Option<Content> {
    content(record.kind, record.body.as_ref())
}

/// Reads what an entry of a kind says.
pub(crate) fn content(kind: EntryKind, body: Option<&Blob>) -> Option<Content> {
    // What it is stands in the header: to take something back needs no more.
    if kind == EntryKind::Delete {
        return Some(Content::Delete);
    }
    let content = Content::decode(&body?.0)?;
    let suits = match content {
        Content::Text(_) | Content::Post(_) | Content::File(_) => EntryKind::Message,
        Content::Edit { .. } => EntryKind::Edit,
        Content::Delete => EntryKind::Delete,
        Content::React { .. } => EntryKind::React,
        Content::Pin { .. } => EntryKind::Pin,
        Content::Expiry { .. } => EntryKind::Expiry,
        Content::End => EntryKind::End,
    };
    (suits == kind).then_some(content)
}

/// Returns under what kind an entry is stored.
pub(crate) fn kind_of(beside: Option<&Beside>) -> EntryKind {
    match beside {
        None | Some(Beside::Passing { .. }) => EntryKind::Message,
        Some(Beside::Edit(_)) => EntryKind::Edit,
        Some(Beside::Delete(_)) => EntryKind::Delete,
        Some(Beside::React(_)) => EntryKind::React,
        Some(Beside::Pin(_)) => EntryKind::Pin,
        Some(Beside::Expiry) => EntryKind::Expiry,
        Some(Beside::End(_)) => EntryKind::End,
        Some(Beside::Unknown) => EntryKind::Unknown,
    }
}
