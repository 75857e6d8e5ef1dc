//! What goes on a flow: records, each sealed under the key of its direction, in their order.

use crypto::{SealError, SequenceKey};
use wire::limits;

/// What a record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The flow is open; one byte says its class. The first record of the one that offers.
    Open,
    /// The flow is not opened; one byte says why. The first and last record of the one that offers.
    Refused,
    /// Bytes.
    Data,
    /// This end says no more: what came before is all.
    End,
    /// One datagram.
    Datagram,
}

/// Which end of a flow speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The one that opens it.
    Opener,
    /// The one that offers.
    Offerer,
}

/// What came on a flow is no record of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// Too short or too long for a record.
    #[error("a record of {found} bytes")]
    Length {
        /// Its length.
        found: usize,
    },
    /// It does not open: altered, out of its place, or of another flow.
    #[error(transparent)]
    Sealed(#[from] SealError),
    /// Of a kind that there is not.
    #[error("kind {found} is not known")]
    Kind {
        /// What came.
        found: u8,
    },
}

/// Seals what one end says.
#[derive(Debug)]
pub struct Sealer(SequenceKey);

/// Opens what one end says.
#[derive(Debug)]
pub struct Unsealer(SequenceKey);

impl Sealer {
    /// Takes the key of what `side` says, from the session's secret, the stream's number in it and what it was opened with.
    pub fn new(secret: &[u8; 32], stream: u64, opening: &[u8], side: Side) -> Self {
        Self(key(secret, stream, opening, side))
    }

    /// Begins a record that is to have so many bytes: they go behind its head.
    pub fn record(bytes: usize) -> Vec<u8> {
        let mut record = Vec::with_capacity(Self::HEAD + bytes + OVERHEAD);
        record.extend_from_slice(&[0; Self::HEAD]);
        record
    }

    /// Seals a record that was begun with [`record`](Self::record), where it stands.
    pub fn seal(&mut self, kind: Kind, record: &mut Vec<u8>) -> Result<(), RecordError> {
        let found = record.len().saturating_sub(Self::HEAD) + OVERHEAD;
        let len = u16::try_from(found).map_err(|_| RecordError::Length { found })?;
        record.push(kind as u8);
        if let Some(head) = record.first_chunk_mut() {
            *head = len.to_be_bytes();
        }
        self.0.seal_next(Self::HEAD, record);
        Ok(())
    }

    /// How many bytes stand before what is sealed: its length.
    pub const HEAD: usize = 2;
    /// How many bytes a record carries at most.
    pub const MOST: usize = limits::RECORD - OVERHEAD;
}

impl Unsealer {
    /// Takes the key of what `side` says; the counterpart of [`Sealer::new`].
    pub fn new(secret: &[u8; 32], stream: u64, opening: &[u8], side: Side) -> Self {
        Self(key(secret, stream, opening, side))
    }

    /// Opens what stood behind a record's length, where it stands; what it carries is left. After an error nothing opens.
    pub fn open(&mut self, sealed: &mut Vec<u8>) -> Result<Kind, RecordError> {
        self.0.open_next(sealed)?;
        match sealed.pop() {
            Some(0) => Ok(Kind::Open),
            Some(1) => Ok(Kind::Refused),
            Some(2) => Ok(Kind::Data),
            Some(3) => Ok(Kind::End),
            Some(4) => Ok(Kind::Datagram),
            Some(found) => Err(RecordError::Kind { found }),
            None => Err(RecordError::Length { found: 0 }),
        }
    }
}

/// Reads a record's length, and checks it.
pub fn record_len(head: [u8; Sealer::HEAD]) -> Result<usize, RecordError> {
    match usize::from(u16::from_be_bytes(head)) {
        found if found < OVERHEAD => Err(RecordError::Length { found }),
        found => Ok(found),
    }
}

fn key(secret: &[u8; 32], stream: u64, opening: &[u8], side: Side) -> SequenceKey {
    let salt = [&stream.to_be_bytes(), opening].concat();
    let purpose = match side {
        Side::Opener => "hexode/streams/opener/1",
        Side::Offerer => "hexode/streams/offerer/1",
    };
    SequenceKey::new(&crypto::derive_key(secret, &salt, purpose))
}

/// How many bytes a record has beside those it carries: its kind, its tag.
const OVERHEAD: usize = 1 + SequenceKey::OVERHEAD;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pair(secret: u8, stream: u64, opening: &[u8], side: Side) -> (Sealer, Unsealer) {
        (
            Sealer::new(&[secret; 32], stream, opening, side),
            Unsealer::new(&[secret; 32], stream, opening, side),
        )
    }

    fn sealed(sealer: &mut Sealer, kind: Kind, bytes: &[u8]) -> Vec<u8> {
        let mut record = Sealer::record(bytes.len());
        record.extend_from_slice(bytes);
        sealer.seal(kind, &mut record).unwrap();
        let body = record.split_off(Sealer::HEAD);
        assert_eq!(record_len([record[0], record[1]]), Ok(body.len()));
        body
    }

    #[test]
    fn the_key_of_one_direction_of_one_flow_opens_no_other() {
        let (mut ours, _) = pair(7, 4, b"opening", Side::Opener);
        let record = sealed(&mut ours, Kind::Data, b"beans");
        for (secret, stream, opening, side) in [
            (8, 4, &b"opening"[..], Side::Opener),
            (7, 8, b"opening", Side::Opener),
            (7, 4, b"another", Side::Opener),
            (7, 4, b"opening", Side::Offerer),
        ] {
            let (_, mut other) = pair(secret, stream, opening, side);
            assert!(matches!(other.open(&mut record.clone()), Err(RecordError::Sealed(_))));
        }
        let (_, mut theirs) = pair(7, 4, b"opening", Side::Opener);
        assert_eq!(theirs.open(&mut record.clone()), Ok(Kind::Data));
    }

    #[test]
    fn a_record_carries_the_largest_datagram_and_no_more_than_its_length_can_say() {
        let (mut ours, mut theirs) = pair(7, 4, b"", Side::Opener);
        const { assert!(Sealer::MOST >= 65_507, "the largest datagram of UDP") };
        let mut largest = sealed(&mut ours, Kind::Datagram, &[1; Sealer::MOST]);
        assert_eq!(theirs.open(&mut largest), Ok(Kind::Datagram));
        assert_eq!(largest.len(), Sealer::MOST);
        let mut over = Sealer::record(0);
        over.resize(Sealer::HEAD + Sealer::MOST + 1, 0);
        assert!(matches!(ours.seal(Kind::Data, &mut over), Err(RecordError::Length { .. })));
        assert!(record_len([0, 16]).is_err());
        assert_eq!(record_len([0, 17]), Ok(17));
    }

    proptest! {
        #[test]
        fn what_is_sealed_comes_out_in_order(parts in proptest::collection::vec(any::<Vec<u8>>(), 1..20)) {
            let (mut ours, mut theirs) = pair(7, 4, b"opening", Side::Offerer);
            for part in parts {
                let mut body = sealed(&mut ours, Kind::Data, &part);
                prop_assert_eq!(theirs.open(&mut body), Ok(Kind::Data));
                prop_assert_eq!(body, part);
            }
        }
    }
}
