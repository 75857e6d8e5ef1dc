use sqlcipher::rusqlite::{Connection, OptionalExtension, Result as SqlResult, Row};
use wire::{Blob, ConversationId};

use crate::{CircleRow, ConversationRow, StoreError, Turn, Vault, change::UNTIDY, row::id};

/// A conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConversationRecord {
    /// Its number in this vault.
    pub row: ConversationRow,
    /// Its circle.
    pub circle: CircleRow,
    /// Its id.
    pub conversation: ConversationId,
    /// What it is between whom, in the journal's encoding.
    pub descriptor: Blob,
    /// Whether the person put it away.
    pub archived: bool,
    /// Until when the person wants no notice of it.
    pub muted_until_ms: u64,
}

impl Vault {
    /// Returns a circle's conversations, oldest first.
    pub fn conversations(&self, circle: CircleRow) -> Result<Vec<ConversationRecord>, StoreError> {
        const SQL: &str = "SELECT id, circle, conversation_id, descriptor, archived, muted_until_ms
            FROM conversation WHERE circle = ?1 ORDER BY id";
        self.read(|db| db.prepare_cached(SQL)?.query_map([circle], conversation)?.collect())
    }

    /// Returns one conversation of a circle.
    pub fn conversation(
        &self,
        circle: CircleRow,
        conversation_id: &ConversationId,
    ) -> Result<Option<ConversationRecord>, StoreError> {
        const SQL: &str = "SELECT id, circle, conversation_id, descriptor, archived, muted_until_ms
            FROM conversation WHERE circle = ?1 AND conversation_id = ?2";
        let key = (circle, conversation_id.as_bytes());
        self.read(|db| db.prepare_cached(SQL)?.query_row(key, conversation).optional())
    }
}

impl Turn<'_> {
    /// Adds a conversation, or finds it if it is there already.
    pub fn add_conversation(
        &mut self,
        circle: CircleRow,
        conversation: &ConversationId,
        descriptor: &[u8],
    ) -> Result<ConversationRow, StoreError> {
        const ADD: &str = "INSERT INTO conversation (circle, conversation_id, descriptor) VALUES (?1, ?2, ?3)
            ON CONFLICT (circle, conversation_id) DO NOTHING";
        const FIND: &str = "SELECT id FROM conversation WHERE circle = ?1 AND conversation_id = ?2";
        self.write(|db| {
            db.prepare_cached(ADD)?.execute((circle, conversation.as_bytes(), descriptor))?;
            db.prepare_cached(FIND)?.query_row((circle, conversation.as_bytes()), |row| row.get(0))
        })
    }

    /// Records whether the person put a conversation away.
    pub fn set_archived(&mut self, conversation: ConversationRow, archived: bool) -> Result<(), StoreError> {
        const SQL: &str = "UPDATE conversation SET archived = ?2 WHERE id = ?1";
        self.write(|db| db.prepare_cached(SQL)?.execute((conversation, archived))).map(drop)
    }
}

fn conversation(row: &Row<'_>) -> SqlResult<ConversationRecord> {
    Ok(ConversationRecord {
        row: row.get(0)?,
        circle: row.get(1)?,
        conversation: id(row, 2, ConversationId::new)?,
        descriptor: Blob(row.get(3)?),
        archived: row.get(4)?,
        muted_until_ms: row.get(5)?,
    })
}

/// Empties the words' index, to be made anew: positions of what was removed may be given to others.
pub(crate) fn forget_words(db: &Connection) -> SqlResult<()> {
    db.execute_batch("INSERT INTO words (words) VALUES ('delete-all'); UPDATE words_until SET position = 0")?;
    // There are no marks left in it.
    db.execute("DELETE FROM setting WHERE key = ?1", [UNTIDY]).map(drop)
}
