use std::{path::Path, time::Duration};

use anyhow::{Result, ensure};
use vault::{
    Appended, CircleState, ConversationRow, Durability, EntryKind, EntryRecord, Gone, Kdf, NewCircle,
    Options, Passphrase, Vault,
};
use wire::{Blob, CircleId, ConversationId, DeviceId, MessageId, Signature};

/// A vault into which single messages are committed, one turn each.
pub(crate) struct Commits {
    vault: Vault,
    conversation: ConversationRow,
    next: u64,
}

impl Commits {
    pub(crate) fn new(home: &Path) -> Result<Self> {
        let kdf = Kdf::Argon2id { memory_kib: 64, passes: 1, lanes: 1 };
        let options = Options { durability: Durability::Full, kdf: Some(kdf) };
        let mut vault = Vault::create(home, &Passphrase::new(crate::host::PASSPHRASE), options)?;
        let mut turn = vault.begin()?;
        let circle = turn.add_circle(&NewCircle {
            circle: CircleId::new([1; 32]),
            device_seed: &[1; 32],
            label: "commits",
            created_ms: 0,
            state: CircleState::Member,
            invitation: None,
        })?;
        let conversation = turn.add_conversation(circle, &ConversationId::new([1; 32]), b"")?;
        turn.commit()?;
        Ok(Self { vault, conversation, next: 0 })
    }

    /// Stores one message of 300 B and returns how long it took until it was durable.
    pub(crate) fn one(&mut self) -> Result<Duration> {
        let id = crypto::hash("bench", &[&self.next.to_be_bytes()]);
        let entry = EntryRecord {
            author: DeviceId::new([1; 32]),
            seq: self.next,
            message: MessageId::new(id),
            lamport: self.next + 1,
            claimed_ms: 1_700_000_000_000,
            received_ms: 1_700_000_000_000,
            header: Blob(id.iter().copied().cycle().take(150).collect()),
            body: Some(Blob(vec![7; 300])),
            signature: Some(Signature([1; 64])),
            kind: EntryKind::Message,
            gone: Gone::Not,
        };
        self.next += 1;
        let started = std::time::Instant::now();
        let mut turn = self.vault.begin()?;
        let appended = turn.append_entry(self.conversation, &entry)?;
        turn.commit()?;
        let took = started.elapsed();
        ensure!(appended == Appended::Stored, "the message was not new");
        Ok(took)
    }
}
