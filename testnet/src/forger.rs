use crypto::SigningKey;
use journal::{Beside, Content, Entry, Header, SignedRun, seal_runs};
use wire::{ConversationId, DeviceId, Frame, RawEntry};

/// Writes with a device's key what the device's own program would not.
#[derive(Debug)]
pub struct Forger {
    key: SigningKey,
    conversation: ConversationId,
    seq: u64,
    previous: [u8; 32],
}

impl Forger {
    /// Begins a chain in a conversation in which that device has written nothing.
    pub fn new(key: SigningKey, conversation: ConversationId) -> Self {
        Self { key, conversation, seq: 0, previous: [0; 32] }
    }

    /// Appends an entry at any Lamport time, not signed yet.
    pub fn write(&mut self, lamport: u64, beside: Option<Beside>, content: &Content) -> Entry {
        let body = wire::encode(&([5u8; 16], content));
        let header = Header {
            conversation: self.conversation,
            author: DeviceId::new(self.key.public()),
            seq: self.seq,
            previous: self.previous,
            seen: Vec::new(),
            lamport,
            claimed_ms: crate::world::EPOCH_MS,
            body: crypto::hash("hexode/journal/body/1", &[&body]),
            beside,
        };
        let raw = RawEntry { header: header.encode().into(), body: Some(body.into()) };
        let entry = Entry::decode(raw).expect("canonical");
        (self.seq, self.previous) = (self.seq + 1, *entry.id.as_bytes());
        entry
    }

    /// Signs entries, in as few runs as may be, and puts them into a frame.
    pub fn say(&self, entries: Vec<Entry>) -> Frame {
        Frame::Entries(seal_runs(entries, &self.key).iter().map(SignedRun::to_wire).collect())
    }
}
