use sqlcipher::rusqlite::{OptionalExtension, Row};
use wire::{MemberId, MessageId};

use crate::{CircleRow, ConversationRow, StoreError, Turn, Vault, row::id};

/// What the person has written and not sent.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DraftRecord {
    /// The text so far.
    pub text: String,
    /// The message it answers.
    pub reply: Option<MessageId>,
}

impl Vault {
    /// Returns what was written in a conversation and not sent.
    pub fn draft(&self, conversation: ConversationRow) -> Result<Option<DraftRecord>, StoreError> {
        const SQL: &str = "SELECT text, reply FROM draft WHERE conversation = ?1";
        let record = |row: &Row<'_>| {
            let reply: Option<[u8; 32]> = row.get(1)?;
            Ok(DraftRecord { text: row.get(0)?, reply: reply.map(MessageId::new) })
        };
        self.read(|db| db.prepare_cached(SQL)?.query_row([conversation], record).optional())
    }

    /// Returns the members of a circle whose messages the person does not want to see.
    pub fn blocked(&self, circle: CircleRow) -> Result<Vec<MemberId>, StoreError> {
        const SQL: &str = "SELECT member FROM blocked WHERE circle = ?1";
        let member = |row: &Row<'_>| id(row, 0, MemberId::new);
        self.read(|db| db.prepare_cached(SQL)?.query_map([circle], member)?.collect())
    }
}

impl Turn<'_> {
    /// Keeps what was written and not sent; nothing if it is empty.
    pub fn set_draft(
        &mut self,
        conversation: ConversationRow,
        draft: &DraftRecord,
    ) -> Result<(), StoreError> {
        const SET: &str = "INSERT INTO draft (conversation, text, reply) VALUES (?1, ?2, ?3)
            ON CONFLICT DO UPDATE SET text = excluded.text, reply = excluded.reply";
        let DraftRecord { text, reply } = draft;
        self.write(|db| {
            if text.is_empty() && reply.is_none() {
                return db
                    .prepare_cached("DELETE FROM draft WHERE conversation = ?1")?
                    .execute([conversation]);
            }
            let reply = reply.as_ref().map(MessageId::as_bytes);
            db.prepare_cached(SET)?.execute((conversation, text, reply))
        })
        .map(drop)
    }

    /// Records whether the person wants to see a member's messages.
    pub fn set_blocked(
        &mut self,
        circle: CircleRow,
        member: &MemberId,
        blocked: bool,
    ) -> Result<(), StoreError> {
        const BLOCK: &str = "INSERT INTO blocked (circle, member) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
        const UNBLOCK: &str = "DELETE FROM blocked WHERE circle = ?1 AND member = ?2";
        let sql = if blocked { BLOCK } else { UNBLOCK };
        self.write(|db| db.prepare_cached(sql)?.execute((circle, member.as_bytes()))).map(drop)
    }

    /// Records until when the person wants no notice of a conversation.
    pub fn set_muted(&mut self, conversation: ConversationRow, until_ms: u64) -> Result<(), StoreError> {
        const SQL: &str = "UPDATE conversation SET muted_until_ms = ?2 WHERE id = ?1";
        let until_ms = i64::try_from(until_ms).unwrap_or(i64::MAX);
        self.write(|db| db.prepare_cached(SQL)?.execute((conversation, until_ms))).map(drop)
    }
}
