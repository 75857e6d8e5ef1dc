use std::net::SocketAddr;

use sqlcipher::rusqlite::{Error, Result as SqlResult, Row, types::Type};
use wire::{DeviceId, Signature};

use crate::{
    CircleRow, StoreError, Turn, Vault,
    row::{Code, code, decode, id},
};

/// Where a device was or may be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AddressRecord {
    /// The device.
    pub device: DeviceId,
    /// The address.
    pub address: SocketAddr,
    /// How it was learnt.
    pub source: AddressSource,
    /// When it was last heard of.
    pub noted_ms: u64,
    /// When the device was last reached there.
    pub last_ok_ms: Option<u64>,
}

/// How an address was learnt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddressSource {
    /// It stood in the invitation.
    Invitation,
    /// The device itself, or a member, announced it.
    Announced,
    /// The device was seen there.
    Seen,
    /// It was found on the local network.
    Lan,
    /// The person typed it in.
    Typed,
}

impl Code for AddressSource {
    const ALL: &'static [(Self, i64)] =
        &[(Self::Invitation, 0), (Self::Announced, 1), (Self::Seen, 2), (Self::Lan, 3), (Self::Typed, 4)];
}

/// A device the person has checked to be whose it claims to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VerificationRecord {
    /// The device.
    pub device: DeviceId,
    /// How it was checked.
    pub method: VerificationMethod,
    /// When.
    pub at_ms: u64,
    /// The signature of this device's key over the statement.
    pub signature: Signature,
}

/// How a person checked a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VerificationMethod {
    /// The same words were on both screens.
    Words,
    /// One screen's code was read by the other's camera.
    QrCode,
}

impl Code for VerificationMethod {
    const ALL: &'static [(Self, i64)] = &[(Self::Words, 0), (Self::QrCode, 1)];
}

impl Vault {
    /// Returns the addresses known in a circle, for each device those that worked last first.
    pub fn addresses(&self, circle: CircleRow) -> Result<Vec<AddressRecord>, StoreError> {
        const SQL: &str =
            "SELECT device, address, source, noted_ms, last_ok_ms FROM address WHERE circle = ?1
            ORDER BY device, last_ok_ms DESC NULLS LAST, noted_ms DESC";
        self.read(|db| db.prepare_cached(SQL)?.query_map([circle], address)?.collect())
    }

    /// Returns the devices of a circle that the person has verified.
    pub fn verifications(&self, circle: CircleRow) -> Result<Vec<VerificationRecord>, StoreError> {
        const SQL: &str =
            "SELECT device, method, at_ms, signature FROM verification WHERE circle = ?1 ORDER BY device";
        let record = |row: &Row<'_>| {
            Ok(VerificationRecord {
                device: id(row, 0, DeviceId::new)?,
                method: decode(row, 1)?,
                at_ms: row.get(2)?,
                signature: Signature(row.get(3)?),
            })
        };
        self.read(|db| db.prepare_cached(SQL)?.query_map([circle], record)?.collect())
    }
}

impl Turn<'_> {
    /// Notes where a device may be, or was, reached; of each device the 32 most promising addresses are kept.
    pub fn set_address(&mut self, circle: CircleRow, record: &AddressRecord) -> Result<(), StoreError> {
        const SET: &str = "INSERT INTO address (circle, device, address, source, noted_ms, last_ok_ms)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO UPDATE SET source = excluded.source,
            noted_ms = max(noted_ms, excluded.noted_ms), last_ok_ms = coalesce(excluded.last_ok_ms, last_ok_ms)";
        const TRIM: &str =
            "DELETE FROM address WHERE circle = ?1 AND device = ?2 AND address IN (SELECT address
            FROM address WHERE circle = ?1 AND device = ?2
            ORDER BY last_ok_ms DESC NULLS LAST, noted_ms DESC LIMIT -1 OFFSET ?3)";
        let AddressRecord { device, address, source, noted_ms, last_ok_ms } = record;
        self.write(|db| {
            let device = device.as_bytes();
            let values = (circle, device, address.to_string(), code(*source), noted_ms, last_ok_ms);
            db.prepare_cached(SET)?.execute(values)?;
            db.prepare_cached(TRIM)?.execute((circle, device, ADDRESSES))
        })
        .map(drop)
    }

    /// Forgets every address of a device.
    pub fn remove_addresses(&mut self, circle: CircleRow, device: &DeviceId) -> Result<(), StoreError> {
        const SQL: &str = "DELETE FROM address WHERE circle = ?1 AND device = ?2";
        self.write(|db| db.prepare_cached(SQL)?.execute((circle, device.as_bytes()))).map(drop)
    }

    /// Records that the person verified a device.
    pub fn set_verification(
        &mut self,
        circle: CircleRow,
        record: &VerificationRecord,
    ) -> Result<(), StoreError> {
        const SQL: &str = "INSERT INTO verification (circle, device, method, at_ms, signature)
            VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO UPDATE
            SET method = excluded.method, at_ms = excluded.at_ms, signature = excluded.signature";
        let VerificationRecord { device, method, at_ms, signature } = record;
        let values = (circle, device.as_bytes(), code(*method), at_ms, signature.0);
        self.write(|db| db.prepare_cached(SQL)?.execute(values)).map(drop)
    }

    /// Takes a verification back.
    pub fn remove_verification(&mut self, circle: CircleRow, device: &DeviceId) -> Result<(), StoreError> {
        const SQL: &str = "DELETE FROM verification WHERE circle = ?1 AND device = ?2";
        self.write(|db| db.prepare_cached(SQL)?.execute((circle, device.as_bytes()))).map(drop)
    }
}

fn address(row: &Row<'_>) -> SqlResult<AddressRecord> {
    let text: String = row.get(1)?;
    Ok(AddressRecord {
        device: id(row, 0, DeviceId::new)?,
        address: text
            .parse()
            .map_err(|error| Error::FromSqlConversionFailure(1, Type::Text, Box::new(error)))?,
        source: decode(row, 2)?,
        noted_ms: row.get(3)?,
        last_ok_ms: row.get(4)?,
    })
}

/// How many addresses are kept of each device.
const ADDRESSES: usize = 32;
