use sqlcipher::rusqlite::Row;
use wire::DeviceId;

use crate::{ConversationRow, StoreError, Turn, Vault, row::id};

/// How much of one author's chain another device has stored, and its person read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReceiptRecord {
    /// The device that says so.
    pub device: DeviceId,
    /// Whose chain.
    pub author: DeviceId,
    /// How many entries, from the chain's start, are stored there.
    pub stored: u64,
    /// How many entries, from the chain's start, the person there has read.
    pub read: u64,
}

impl Vault {
    /// Returns all receipts in a conversation.
    pub fn receipts(&self, conversation: ConversationRow) -> Result<Vec<ReceiptRecord>, StoreError> {
        const SQL: &str =
            "SELECT r.device, c.author, r.stored, r.read FROM chain c JOIN receipt r ON r.chain = c.id
            WHERE c.conversation = ?1 ORDER BY c.author, r.device";
        let record = |row: &Row<'_>| {
            Ok(ReceiptRecord {
                device: id(row, 0, DeviceId::new)?,
                author: id(row, 1, DeviceId::new)?,
                stored: row.get(2)?,
                read: row.get(3)?,
            })
        };
        self.read(|db| db.prepare_cached(SQL)?.query_map([conversation], record)?.collect())
    }

    /// Returns how many entries of each chain, from its start, the person here has read; none left out but zero.
    pub fn read_up_to(&self, conversation: ConversationRow) -> Result<Vec<(DeviceId, u64)>, StoreError> {
        const SQL: &str =
            "SELECT author, read FROM chain WHERE conversation = ?1 AND read > 0 ORDER BY author";
        let record = |row: &Row<'_>| Ok((id(row, 0, DeviceId::new)?, row.get(1)?));
        self.read(|db| db.prepare_cached(SQL)?.query_map([conversation], record)?.collect())
    }
}

impl Turn<'_> {
    /// Keeps another device's receipt; one that says less than an earlier takes nothing back.
    ///
    /// Whether that device and the author have a place in the conversation is for the caller to check.
    pub fn set_receipt(
        &mut self,
        conversation: ConversationRow,
        receipt: &ReceiptRecord,
    ) -> Result<(), StoreError> {
        const SQL: &str = "INSERT INTO receipt (chain, device, stored, read) VALUES (?1, ?2, ?3, ?4)
            ON CONFLICT DO UPDATE SET stored = max(stored, excluded.stored), read = max(read, excluded.read)";
        let chain = self.chain(conversation, &receipt.author)?;
        let ReceiptRecord { device, stored, read, .. } = receipt;
        self.write(|db| db.prepare_cached(SQL)?.execute((chain, device.as_bytes(), stored, read))).map(drop)
    }

    /// Records how many entries of a chain, from its start, the person here has read; never fewer than before.
    pub fn set_read(
        &mut self,
        conversation: ConversationRow,
        author: &DeviceId,
        read: u64,
    ) -> Result<(), StoreError> {
        const SQL: &str = "UPDATE chain SET read = max(read, ?2) WHERE id = ?1";
        let chain = self.chain(conversation, author)?;
        self.write(|db| db.prepare_cached(SQL)?.execute((chain, read))).map(drop)
    }
}
