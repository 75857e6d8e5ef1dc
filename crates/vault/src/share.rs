//! How much of this device others' entries take, and may take.

use sqlcipher::rusqlite::Row;
use wire::{DeviceId, MemberId};

use crate::{CircleRow, StoreError, Turn, Vault, row::id};

impl Vault {
    /// Returns how many bytes the entries of each device have taken.
    pub fn taken(&self, circle: CircleRow) -> Result<Vec<(DeviceId, u64)>, StoreError> {
        const SQL: &str = "SELECT author, bytes FROM taken WHERE circle = ?1 ORDER BY author";
        let found = |row: &Row<'_>| Ok((id(row, 0, DeviceId::new)?, row.get(1)?));
        self.read(|db| db.prepare_cached(SQL)?.query_map([circle], found)?.collect())
    }

    /// Returns how many bytes the person lets members take, where he set it.
    pub fn allowances(&self, circle: CircleRow) -> Result<Vec<(MemberId, u64)>, StoreError> {
        const SQL: &str = "SELECT member, bytes FROM allowance WHERE circle = ?1 ORDER BY member";
        let found = |row: &Row<'_>| Ok((id(row, 0, MemberId::new)?, row.get(1)?));
        self.read(|db| db.prepare_cached(SQL)?.query_map([circle], found)?.collect())
    }
}

impl Turn<'_> {
    /// Adds to what a device's entries have taken.
    pub fn add_taken(&mut self, circle: CircleRow, author: &DeviceId, bytes: u64) -> Result<(), StoreError> {
        const SQL: &str = "INSERT INTO taken (circle, author, bytes) VALUES (?1, ?2, ?3)
            ON CONFLICT DO UPDATE SET bytes = bytes + excluded.bytes";
        self.write(|db| db.prepare_cached(SQL)?.execute((circle, author.as_bytes(), bytes))).map(drop)
    }

    /// Sets how many bytes a member may take.
    pub fn set_allowance(
        &mut self,
        circle: CircleRow,
        member: &MemberId,
        bytes: u64,
    ) -> Result<(), StoreError> {
        const SQL: &str = "INSERT INTO allowance (circle, member, bytes) VALUES (?1, ?2, ?3)
            ON CONFLICT DO UPDATE SET bytes = excluded.bytes";
        self.write(|db| db.prepare_cached(SQL)?.execute((circle, member.as_bytes(), bytes))).map(drop)
    }
}
