//! The logs of groups: who came in, who went, what the group is called.

use sqlcipher::rusqlite::Row;
use wire::{Blob, DeviceId};

use crate::{ConversationRow, StoreError, Turn, Vault, row::id};

impl Vault {
    /// Returns the signed acts of a group in the order they were added.
    pub fn group_acts(&self, conversation: ConversationRow) -> Result<Vec<Blob>, StoreError> {
        const SQL: &str = "SELECT bytes FROM group_act WHERE conversation = ?1 ORDER BY position";
        let act = |row: &Row<'_>| row.get(0).map(Blob);
        self.read(|db| db.prepare_cached(SQL)?.query_map([conversation], act)?.collect())
    }

    /// Returns the places of messages that were said before the person here came.
    pub fn places_withheld(&self, conversation: ConversationRow) -> Result<Vec<(DeviceId, u64)>, StoreError> {
        const SQL: &str = "SELECT c.author, e.seq FROM chain c CROSS JOIN entry e
            WHERE c.conversation = ?1 AND e.chain = c.id AND e.gone IN (3, 11) AND e.kind = 0";
        let found = |row: &Row<'_>| Ok((id(row, 0, DeviceId::new)?, row.get(1)?));
        self.read(|db| db.prepare_cached(SQL)?.query_map([conversation], found)?.collect())
    }
}

impl Turn<'_> {
    /// Adds a signed act to a group's log.
    pub fn add_group_act(&mut self, conversation: ConversationRow, bytes: &[u8]) -> Result<(), StoreError> {
        const SQL: &str = "INSERT INTO group_act (conversation, bytes) VALUES (?1, ?2)";
        self.write(|db| db.prepare_cached(SQL)?.execute((conversation, bytes))).map(drop)
    }

    /// Gives up waiting for nothing: bodies behind a Lamport time and since a time that were withheld lack from here on.
    pub fn want_withheld(
        &mut self,
        conversation: ConversationRow,
        after: u64,
        since_ms: u64,
    ) -> Result<(), StoreError> {
        const SQL: &str = "UPDATE entry SET gone = gone - 3
            WHERE conversation = ?1 AND gone IN (3, 11) AND lamport > ?2 AND claimed_ms >= ?3";
        self.write(|db| db.prepare_cached(SQL)?.execute((conversation, after, since_ms.cast_signed())))
            .map(drop)
    }

    /// Waits no more for words up to a Lamport time or before a time, which are withheld: they came while they counted for
    /// nothing.
    pub fn withhold(
        &mut self,
        conversation: ConversationRow,
        until: u64,
        since_ms: u64,
    ) -> Result<(), StoreError> {
        const SQL: &str = "UPDATE entry SET gone = 3 WHERE conversation = ?1 AND gone = 0 AND body IS NULL
            AND (lamport <= ?2 OR claimed_ms < ?3) AND kind IN (0, 1, 3)";
        self.write(|db| db.prepare_cached(SQL)?.execute((conversation, until, since_ms.cast_signed())))
            .map(drop)
    }

    /// Ends a chain at a length, by somebody else's word: what stands behind counts for nothing, what stands before
    /// counts again. What it says of messages is taken out; [`add_change`](Self::add_change) puts it back.
    pub fn end_chain(
        &mut self,
        conversation: ConversationRow,
        author: &DeviceId,
        len: Option<u64>,
    ) -> Result<(), StoreError> {
        const VOID: &str = "UPDATE entry SET gone = gone + 8 WHERE chain = ?1 AND seq >= ?2 AND gone < 8";
        const VALID: &str = "UPDATE entry SET gone = gone - 8 WHERE chain = ?1 AND seq < ?2 AND gone >= 8";
        const FORGET: &str = "DELETE FROM change WHERE position IN
            (SELECT position FROM entry WHERE chain = ?1 AND seq >= ?2)";
        const LATEST: &str = "UPDATE change SET latest = 1 WHERE position IN
            (SELECT max(position) FROM change WHERE chain = ?1 GROUP BY target, kind)";
        let chain = self.chain(conversation, author)?;
        let len = len.and_then(|len| i64::try_from(len).ok()).unwrap_or(i64::MAX);
        self.write(|db| {
            db.prepare_cached(VOID)?.execute((chain, len))?;
            db.prepare_cached(VALID)?.execute((chain, len))?;
            db.prepare_cached(FORGET)?.execute((chain, len))?;
            db.prepare_cached(LATEST)?.execute([chain])
        })
        .map(drop)
    }
}
