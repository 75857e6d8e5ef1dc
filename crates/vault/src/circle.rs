use sqlcipher::rusqlite::{Result as SqlResult, Row};
use wire::{Blob, CircleId, EntryId, Signature};
use zeroize::Zeroizing;

use crate::{
    CircleRow, StoreError, Turn, Vault,
    conversation::forget_words,
    row::{Code, code, decode, id},
};

/// A circle of this device.
#[derive(Clone)]
pub struct CircleRecord {
    /// Its number in this vault.
    pub row: CircleRow,
    /// Its id.
    pub circle: CircleId,
    /// The seed of this device's key in it.
    pub device_seed: Zeroizing<[u8; 32]>,
    /// What the person calls it.
    pub label: String,
    /// When this device founded or first heard of it.
    pub created_ms: u64,
    /// Whether this device is in it.
    pub state: CircleState,
    /// The invitation to redeem, while awaiting.
    pub invitation: Option<Blob>,
    /// The UDP port last listened on.
    pub listen_port: Option<u16>,
}

impl std::fmt::Debug for CircleRecord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CircleRecord")
            .field("row", &self.row)
            .field("circle", &self.circle)
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

/// A circle to add.
pub struct NewCircle<'a> {
    /// Its id.
    pub circle: CircleId,
    /// The seed of this device's key in it.
    pub device_seed: &'a [u8; 32],
    /// What the person calls it.
    pub label: &'a str,
    /// The time now.
    pub created_ms: u64,
    /// Whether this device is in it.
    pub state: CircleState,
    /// The invitation to redeem, while awaiting.
    pub invitation: Option<&'a [u8]>,
}

impl std::fmt::Debug for NewCircle<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewCircle")
            .field("circle", &self.circle)
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

/// The secret by which a circle's devices find each other since a charter entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RendezvousRecord {
    /// The charter entry.
    pub epoch: EntryId,
    /// The secret: a signature by the entry's author that is shown to nobody outside the circle.
    pub secret: Signature,
}

/// Whether this device is in a circle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CircleState {
    /// It holds an invitation and waits to be admitted.
    Awaiting,
    /// It is in.
    Member,
    /// It was removed.
    Removed,
    /// It left.
    Left,
    /// Its invitation was refused.
    Refused,
}

impl Code for CircleState {
    const ALL: &'static [(Self, i64)] =
        &[(Self::Awaiting, 0), (Self::Member, 1), (Self::Removed, 2), (Self::Left, 3), (Self::Refused, 4)];
}

impl Vault {
    /// Returns all circles, oldest first.
    pub fn circles(&self) -> Result<Vec<CircleRecord>, StoreError> {
        const SQL: &str =
            "SELECT id, circle_id, device_seed, label, created_ms, state, invitation, listen_port
            FROM circle ORDER BY id";
        self.read(|db| db.prepare_cached(SQL)?.query_map([], circle)?.collect())
    }

    /// Returns the rendezvous secrets of a circle, each with the charter entry since which it holds.
    pub fn rendezvous(&self, circle: CircleRow) -> Result<Vec<RendezvousRecord>, StoreError> {
        const SQL: &str = "SELECT epoch, secret FROM rendezvous WHERE circle = ?1";
        let record = |row: &Row<'_>| {
            Ok(RendezvousRecord { epoch: id(row, 0, EntryId::new)?, secret: Signature(row.get(1)?) })
        };
        self.read(|db| db.prepare_cached(SQL)?.query_map([circle], record)?.collect())
    }
}

impl Turn<'_> {
    /// Adds a circle; [`StoreError::Conflict`] if it is there already.
    pub fn add_circle(&mut self, new: &NewCircle<'_>) -> Result<CircleRow, StoreError> {
        const SQL: &str = "INSERT INTO circle (circle_id, device_seed, label, created_ms, state, invitation)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        let NewCircle { circle, device_seed, label, created_ms, state, invitation } = new;
        self.write(|db| {
            let values = (circle.as_bytes(), device_seed, label, created_ms, code(*state), invitation);
            db.prepare_cached(SQL)?.execute(values)?;
            Ok(CircleRow(db.last_insert_rowid()))
        })
    }

    /// Gives this device another key in a circle.
    pub fn set_device_seed(&mut self, circle: CircleRow, seed: &[u8; 32]) -> Result<(), StoreError> {
        const SQL: &str = "UPDATE circle SET device_seed = ?2 WHERE id = ?1";
        self.write(|db| db.prepare_cached(SQL)?.execute((circle, seed))).map(drop)
    }

    /// Records whether this device is in a circle; the invitation is forgotten once it is no longer awaited.
    pub fn set_circle_state(&mut self, circle: CircleRow, state: CircleState) -> Result<(), StoreError> {
        const SQL: &str =
            "UPDATE circle SET state = ?2, invitation = CASE ?2 WHEN 0 THEN invitation END WHERE id = ?1";
        self.write(|db| db.prepare_cached(SQL)?.execute((circle, code(state)))).map(drop)
    }

    /// Records the UDP port on which a circle is listened for.
    pub fn set_listen_port(&mut self, circle: CircleRow, port: u16) -> Result<(), StoreError> {
        const SQL: &str = "UPDATE circle SET listen_port = ?2 WHERE id = ?1";
        self.write(|db| db.prepare_cached(SQL)?.execute((circle, port))).map(drop)
    }

    /// Forgets a circle and all that belongs to it: keys, charter, conversations, messages.
    pub fn remove_circle(&mut self, circle: CircleRow) -> Result<(), StoreError> {
        const HELD: &str = "SELECT EXISTS (SELECT 1 FROM conversation v JOIN entry e ON e.conversation = v.id
            WHERE v.circle = ?1)";
        self.write(|db| {
            let held: bool = db.prepare_cached(HELD)?.query_row([circle], |row| row.get(0))?;
            db.prepare_cached("DELETE FROM circle WHERE id = ?1")?.execute([circle])?;
            if held {
                forget_words(db)?;
            }
            Ok(())
        })?;
        // Its key and its charter stand in the log as well.
        self.vault.scrub = true;
        self.vault.chains.clear();
        Ok(())
    }

    /// Keeps the rendezvous secret that holds since a charter entry.
    pub fn set_rendezvous(
        &mut self,
        circle: CircleRow,
        epoch: &EntryId,
        secret: &Signature,
    ) -> Result<(), StoreError> {
        const SQL: &str = "INSERT INTO rendezvous (circle, epoch, secret) VALUES (?1, ?2, ?3)
            ON CONFLICT DO UPDATE SET secret = excluded.secret";
        self.write(|db| db.prepare_cached(SQL)?.execute((circle, epoch.as_bytes(), secret.0))).map(drop)
    }

    /// Forgets a rendezvous secret that no longer holds.
    pub fn remove_rendezvous(&mut self, circle: CircleRow, epoch: &EntryId) -> Result<(), StoreError> {
        const SQL: &str = "DELETE FROM rendezvous WHERE circle = ?1 AND epoch = ?2";
        self.write(|db| db.prepare_cached(SQL)?.execute((circle, epoch.as_bytes()))).map(drop)
    }
}

fn circle(row: &Row<'_>) -> SqlResult<CircleRecord> {
    Ok(CircleRecord {
        row: row.get(0)?,
        circle: id(row, 1, CircleId::new)?,
        device_seed: Zeroizing::new(row.get(2)?),
        label: row.get(3)?,
        created_ms: row.get(4)?,
        state: decode(row, 5)?,
        invitation: row.get::<_, Option<Vec<u8>>>(6)?.map(Blob),
        listen_port: row.get(7)?,
    })
}
