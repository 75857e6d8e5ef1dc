use sqlcipher::rusqlite::{OptionalExtension, Result as SqlResult, Row};
use wire::{Blob, ConversationId, DeviceId, MessageId, Signature};

use crate::{
    CircleRow, ConversationRow, StoreError, Turn, Vault,
    row::{Code, code, decode, id},
};

/// The columns of an entry, its author first.
macro_rules! columns {
    () => {
        "c.author, e.seq, e.message_id, e.lamport, e.claimed_ms, e.received_ms, e.header, e.body, e.signature, e.kind, \
         e.gone"
    };
}
pub(crate) use columns;

/// A journal entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryRecord {
    /// The device in whose chain it stands.
    pub author: DeviceId,
    /// Its place in the chain, from 0.
    pub seq: u64,
    /// Its id.
    pub message: MessageId,
    /// Its Lamport time.
    pub lamport: u64,
    /// When its author says it was written.
    pub claimed_ms: u64,
    /// When this device stored it.
    pub received_ms: u64,
    /// Its signed bytes.
    pub header: Blob,
    /// Its body, until erased.
    pub body: Option<Blob>,
    /// The author's signature over this entry's id, where a run ends.
    pub signature: Option<Signature>,
    /// What sort of entry it is.
    pub kind: EntryKind,
    /// Why there is no body.
    pub gone: Gone,
}

/// What sort of entry it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum EntryKind {
    /// Something to read.
    #[default]
    Message,
    /// Another text for a message.
    Edit,
    /// Takes a message back.
    Delete,
    /// A sign under a message.
    React,
    /// Puts a message where all find it.
    Pin,
    /// Sets when messages are erased.
    Expiry,
    /// Says where chains end.
    End,
    /// Something that the program which stored it did not know.
    Unknown,
}

impl Code for EntryKind {
    const ALL: &'static [(Self, i64)] = &[
        (Self::Message, 0),
        (Self::Edit, 1),
        (Self::Delete, 2),
        (Self::React, 3),
        (Self::Pin, 4),
        (Self::Expiry, 5),
        (Self::Unknown, 6),
        (Self::End, 7),
    ];
}

/// Why an entry has no body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Gone {
    /// It has one, or it has not come yet.
    #[default]
    Not,
    /// Its author took it back.
    Deleted,
    /// Its time was over.
    Expired,
    /// It was said before the person here came to the group.
    Withheld,
    /// Its author's chain had ended before: it counts for nothing. The body stays, for that may turn out otherwise.
    Void,
}

impl Code for Gone {
    const ALL: &'static [(Self, i64)] = &[
        (Self::Not, 0),
        (Self::Deleted, 1),
        (Self::Expired, 2),
        (Self::Withheld, 3),
        (Self::Void, 8),
        (Self::Void, 9),
        (Self::Void, 10),
        (Self::Void, 11),
    ];
}

/// The last entry of a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Whose chain.
    pub author: DeviceId,
    /// The entry's place in the chain, from 0.
    pub seq: u64,
    /// The entry's id.
    pub message: MessageId,
    /// The entry's Lamport time.
    pub lamport: u64,
}

/// What became of an entry that was to be stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Appended {
    /// It is new.
    Stored,
    /// It was there already; a signature that was missing is kept now.
    Known,
    /// Another entry has its place in the chain; nothing was changed.
    Forked {
        /// The entry that was there first.
        first: MessageId,
    },
}

/// Proof that a device's key signed two entries at one place of its chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForkRecord {
    /// The conversation.
    pub conversation: ConversationId,
    /// Whose chain.
    pub author: DeviceId,
    /// The place.
    pub seq: u64,
    /// One entry with its signature, in the journal's encoding.
    pub proof_a: Blob,
    /// The other.
    pub proof_b: Blob,
}

impl Vault {
    /// Returns the last entry of every chain of a conversation, in the order of their authors.
    pub fn chain_heads(&self, conversation: ConversationRow) -> Result<Vec<Head>, StoreError> {
        const SQL: &str = "SELECT c.author, e.seq, e.message_id, e.lamport FROM chain c CROSS JOIN entry e
            WHERE c.conversation = ?1 AND e.chain = c.id
            AND e.seq = (SELECT max(seq) FROM entry WHERE chain = c.id) ORDER BY c.author";
        self.read(|db| db.prepare_cached(SQL)?.query_map([conversation], head)?.collect())
    }

    /// Returns the last entry of one chain.
    pub fn chain_head(
        &self,
        conversation: ConversationRow,
        author: &DeviceId,
    ) -> Result<Option<Head>, StoreError> {
        const SQL: &str = "SELECT c.author, e.seq, e.message_id, e.lamport FROM chain c CROSS JOIN entry e
            WHERE c.conversation = ?1 AND c.author = ?2 AND e.chain = c.id ORDER BY e.seq DESC LIMIT 1";
        let key = (conversation, author.as_bytes());
        self.read(|db| db.prepare_cached(SQL)?.query_row(key, head).optional())
    }

    /// Returns entries of a chain that are no messages, from a place on, at most `limit`.
    pub fn entries_beside_from(
        &self,
        conversation: ConversationRow,
        author: &DeviceId,
        from_seq: u64,
        limit: usize,
    ) -> Result<Vec<EntryRecord>, StoreError> {
        const SQL: &str = concat!(
            "SELECT ",
            columns!(),
            " FROM chain c CROSS JOIN entry e
            WHERE c.conversation = ?1 AND c.author = ?2 AND e.chain = c.id AND e.seq >= ?3 AND e.kind <> 0
            ORDER BY e.seq LIMIT ?4"
        );
        // A place beyond what can be stored has nothing behind it.
        let from_seq = i64::try_from(from_seq).unwrap_or(i64::MAX);
        let key = (conversation, author.as_bytes(), from_seq, limit);
        self.read(|db| db.prepare_cached(SQL)?.query_map(key, entry)?.collect())
    }

    /// Returns consecutive entries of one chain from a place on: at most so many, and of so many bytes, yet at least
    /// one if there is one.
    pub fn entries_from(
        &self,
        conversation: ConversationRow,
        author: &DeviceId,
        from_seq: u64,
        max_entries: usize,
        max_bytes: usize,
    ) -> Result<Vec<EntryRecord>, StoreError> {
        const SQL: &str = concat!(
            "SELECT ",
            columns!(),
            " FROM chain c CROSS JOIN entry e
            WHERE c.conversation = ?1 AND c.author = ?2 AND e.chain = c.id AND e.seq >= ?3 ORDER BY e.seq LIMIT ?4"
        );
        // A place beyond what can be stored has nothing behind it.
        let from_seq = i64::try_from(from_seq).unwrap_or(i64::MAX);
        self.read(|db| {
            let mut select = db.prepare_cached(SQL)?;
            let key = (conversation, author.as_bytes(), from_seq, max_entries);
            let mut left = max_bytes;
            let mut entries = Vec::new();
            for record in select.query_map(key, entry)? {
                let record = record?;
                let weight = record.header.0.len() + record.body.as_ref().map_or(0, |body| body.0.len());
                if weight > left && !entries.is_empty() {
                    break;
                }
                left = left.saturating_sub(weight);
                entries.push(record);
            }
            Ok(entries)
        })
    }

    /// Returns the entry with an id, and its conversation.
    ///
    /// Looks among the newest first: fast for what people refer to, about a millisecond for a million entries.
    pub fn entry(&self, message: &MessageId) -> Result<Option<(ConversationRow, EntryRecord)>, StoreError> {
        const NEWEST: &str = "SELECT coalesce(max(position) >> 13, -1) FROM entry";
        const SQL: &str = concat!(
            "SELECT ",
            columns!(),
            ", e.conversation FROM entry e CROSS JOIN chain c
            WHERE e.position >> 13 = ?1 AND substr(e.message_id, 1, 8) = substr(?2, 1, 8) AND e.message_id = ?2
            AND c.id = e.chain"
        );
        let found = |row: &Row<'_>| Ok((row.get(11)?, entry(row)?));
        self.read(|db| {
            let newest: i64 = db.prepare_cached(NEWEST)?.query_row([], |row| row.get(0))?;
            let mut select = db.prepare_cached(SQL)?;
            for generation in (0..=newest).rev() {
                let record = select.query_row((generation, message.as_bytes()), found).optional()?;
                if record.is_some() {
                    return Ok(record);
                }
            }
            Ok(None)
        })
    }

    /// Counts a conversation's entries.
    pub fn count(&self, conversation: ConversationRow) -> Result<u64, StoreError> {
        const SQL: &str = "SELECT count(*) FROM entry WHERE conversation = ?1";
        self.read(|db| db.prepare_cached(SQL)?.query_row([conversation], |row| row.get(0)))
    }

    /// Returns the forks that were found in a circle.
    pub fn forks(&self, circle: CircleRow) -> Result<Vec<ForkRecord>, StoreError> {
        const SQL: &str = "SELECT v.conversation_id, c.author, f.seq, f.proof_a, f.proof_b
            FROM conversation v JOIN chain c ON c.conversation = v.id JOIN fork f ON f.chain = c.id
            WHERE v.circle = ?1 ORDER BY f.chain";
        let record = |row: &Row<'_>| {
            Ok(ForkRecord {
                conversation: id(row, 0, ConversationId::new)?,
                author: id(row, 1, DeviceId::new)?,
                seq: row.get(2)?,
                proof_a: Blob(row.get(3)?),
                proof_b: Blob(row.get(4)?),
            })
        };
        self.read(|db| db.prepare_cached(SQL)?.query_map([circle], record)?.collect())
    }
}

impl Turn<'_> {
    /// Stores an entry at its place in its author's chain.
    ///
    /// What it says has been checked by the journal; this only keeps a second entry from taking a place.
    pub fn append_entry(
        &mut self,
        conversation: ConversationRow,
        entry: &EntryRecord,
    ) -> Result<Appended, StoreError> {
        const ADD: &str =
            "INSERT INTO entry (conversation, chain, seq, lamport, message_id, claimed_ms, received_ms,
            header, body, signature, kind, gone) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)
            ON CONFLICT (chain, seq) DO NOTHING";
        let chain = self.chain(conversation, &entry.author)?;
        let signature = entry.signature.as_ref().map(|signature| &signature.0);
        let added = self.write(|db| {
            db.prepare_cached(ADD)?.execute((
                conversation,
                chain,
                entry.seq,
                entry.lamport,
                entry.message.as_bytes(),
                // Claimed by others, and nothing is ordered by it: any 64 bits will do.
                entry.claimed_ms.cast_signed(),
                entry.received_ms,
                &entry.header.0,
                entry.body.as_ref().map(|body| &body.0),
                signature,
                code(entry.kind),
                code(entry.gone),
            ))
        })?;
        if added == 1 { Ok(Appended::Stored) } else { self.compare(chain, entry) }
    }

    /// Tells whether the entry at the same place is the same, and keeps a signature it lacks.
    fn compare(&self, chain: i64, entry: &EntryRecord) -> Result<Appended, StoreError> {
        const FIND: &str = "SELECT message_id FROM entry WHERE chain = ?1 AND seq = ?2";
        const SIGN: &str =
            "UPDATE entry SET signature = ?3 WHERE chain = ?1 AND seq = ?2 AND signature IS NULL";
        self.write(|db| {
            let first =
                db.prepare_cached(FIND)?.query_row((chain, entry.seq), |row| id(row, 0, MessageId::new))?;
            if first != entry.message {
                return Ok(Appended::Forked { first });
            }
            if let Some(signature) = &entry.signature {
                db.prepare_cached(SIGN)?.execute((chain, entry.seq, signature.0))?;
            }
            Ok(Appended::Known)
        })
    }

    /// Keeps the proof of a fork; the first for each chain.
    pub fn add_fork(
        &mut self,
        conversation: ConversationRow,
        author: &DeviceId,
        seq: u64,
        proof_a: &[u8],
        proof_b: &[u8],
    ) -> Result<(), StoreError> {
        const SQL: &str = "INSERT INTO fork (chain, seq, proof_a, proof_b) VALUES (?1, ?2, ?3, ?4)
            ON CONFLICT (chain) DO NOTHING";
        let chain = self.chain(conversation, author)?;
        self.write(|db| db.prepare_cached(SQL)?.execute((chain, seq, proof_a, proof_b))).map(drop)
    }

    /// Returns the number of a chain, which it gets when it is first named.
    pub(crate) fn chain(
        &mut self,
        conversation: ConversationRow,
        author: &DeviceId,
    ) -> Result<i64, StoreError> {
        const FIND: &str = "SELECT id FROM chain WHERE conversation = ?1 AND author = ?2";
        const ADD: &str = "INSERT INTO chain (conversation, author) VALUES (?1, ?2)";
        if let Some(&chain) = self.vault.chains.get(&(conversation, *author)) {
            return Ok(chain);
        }
        let chain = self.write(|db| {
            let key = (conversation, author.as_bytes());
            if let Some(chain) = db.prepare_cached(FIND)?.query_row(key, |row| row.get(0)).optional()? {
                return Ok(chain);
            }
            db.prepare_cached(ADD)?.execute(key)?;
            Ok(db.last_insert_rowid())
        })?;
        if self.vault.chains.len() >= CHAINS {
            self.vault.chains.clear();
        }
        self.vault.chains.insert((conversation, *author), chain);
        Ok(chain)
    }
}

/// Reads an entry's eleven columns.
pub(crate) fn entry(row: &Row<'_>) -> SqlResult<EntryRecord> {
    Ok(EntryRecord {
        author: id(row, 0, DeviceId::new)?,
        seq: row.get(1)?,
        message: id(row, 2, MessageId::new)?,
        lamport: row.get(3)?,
        claimed_ms: row.get::<_, i64>(4)?.cast_unsigned(),
        received_ms: row.get(5)?,
        header: Blob(row.get(6)?),
        body: row.get::<_, Option<Vec<u8>>>(7)?.map(Blob),
        signature: row.get::<_, Option<[u8; 64]>>(8)?.map(Signature),
        kind: decode(row, 9)?,
        gone: decode(row, 10)?,
    })
}

fn head(row: &Row<'_>) -> SqlResult<Head> {
    Ok(Head {
        author: id(row, 0, DeviceId::new)?,
        seq: row.get(1)?,
        message: id(row, 2, MessageId::new)?,
        lamport: row.get(3)?,
    })
}

/// How many chains' numbers are remembered.
const CHAINS: usize = 4096;
