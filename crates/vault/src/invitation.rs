use sqlcipher::rusqlite::Row;
use wire::{Blob, EntryId};

use crate::{CircleRow, StoreError, Turn, Vault, row::id};

/// An invitation this device issued and may show again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuedInvitation {
    /// The charter's invite entry.
    pub entry: EntryId,
    /// The invitation with its one-time secret.
    pub link: Blob,
    /// When it was issued.
    pub issued_ms: u64,
}

impl Vault {
    /// Returns the invitations of a circle that this device issued and has not forgotten, oldest first.
    pub fn issued_invitations(&self, circle: CircleRow) -> Result<Vec<IssuedInvitation>, StoreError> {
        const SQL: &str = "SELECT entry_id, link, issued_ms FROM issued_invitation WHERE circle = ?1
            ORDER BY issued_ms, entry_id";
        let record = |row: &Row<'_>| {
            let entry = id(row, 0, EntryId::new)?;
            Ok(IssuedInvitation { entry, link: Blob(row.get(1)?), issued_ms: row.get(2)? })
        };
        self.read(|db| db.prepare_cached(SQL)?.query_map([circle], record)?.collect())
    }
}

impl Turn<'_> {
    /// Keeps an invitation this device issued.
    pub fn add_issued_invitation(
        &mut self,
        circle: CircleRow,
        invitation: &IssuedInvitation,
    ) -> Result<(), StoreError> {
        const SQL: &str =
            "INSERT INTO issued_invitation (circle, entry_id, link, issued_ms) VALUES (?1, ?2, ?3, ?4)";
        let IssuedInvitation { entry, link, issued_ms } = invitation;
        self.write(|db| db.prepare_cached(SQL)?.execute((circle, entry.as_bytes(), &link.0, issued_ms)))
            .map(drop)
    }

    /// Forgets an invitation that was redeemed, revoked or has expired.
    pub fn remove_issued_invitation(&mut self, circle: CircleRow, entry: &EntryId) -> Result<(), StoreError> {
        const SQL: &str = "DELETE FROM issued_invitation WHERE circle = ?1 AND entry_id = ?2";
        self.write(|db| db.prepare_cached(SQL)?.execute((circle, entry.as_bytes()))).map(drop)
    }
}
