use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::{
    Blob, ConversationId, DecodeError, DeviceId, EntryId, Signature, bounded, decode, encode, limits,
};

/// What two devices say to each other inside a tunnel, in order, on one stream.
///
/// When they meet, each says [`CharterHave`](Self::CharterHave) and answers the other's with what that one
/// lacks, closed by [`CharterDone`](Self::CharterDone). Only then, under the charter both now hold, each says
/// its [`Frontier`](Self::Frontier) and sends what the other lacks. After that, new entries go out as they are
/// stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Frame {
    /// Charter entries the sender holds: its heads, and ever older ancestors at doubling distances.
    CharterHave(#[serde(deserialize_with = "bounded::list::<_, _, { limits::LIST }>")] Vec<EntryId>),
    /// Signed charter entries, parents before children.
    CharterEntries(#[serde(deserialize_with = "bounded::list::<_, _, { limits::LIST }>")] Vec<Blob>),
    /// The sender has answered the last `CharterHave` in full.
    CharterDone,
    /// How far the sender holds the conversations that both may read; `true` marks the last part.
    Frontier(
        #[serde(deserialize_with = "bounded::list::<_, _, { limits::LIST }>")] Vec<ConversationFrontier>,
        bool,
    ),
    /// Journal entries.
    Entries(#[serde(deserialize_with = "bounded::list::<_, _, { limits::LIST }>")] Vec<Run>),
    /// How many `Entries` frames of this link the sender has dealt with, durably; what it has stored; and what
    /// its person has read.
    Receipts(u64, #[serde(deserialize_with = "bounded::list::<_, _, { limits::LIST }>")] Vec<Receipt>),
    /// The circle's rendezvous secret since the named charter entry: the entry's author's signature over its id,
    /// which nobody else can make up and nobody outside the circle gets to see.
    Rendezvous(EntryId, Signature),
    /// Where devices of the circle can be reached: the sender first, then others it knows of.
    Addresses(#[serde(deserialize_with = "bounded::list::<_, _, { limits::LIST }>")] Vec<DeviceAddresses>),
    /// The sender has answered the last `CharterHave` in part: whoever wants the rest asks again.
    CharterMore,
    /// Bodies that the sender lacks of entries it holds, at most [`limits::WANTED`].
    Wanted(#[serde(deserialize_with = "bounded::list::<_, _, { limits::WANTED }>")] Vec<EntryPlace>),
    /// Answers the last `Wanted`: how many of the places, from the first on, were looked at, and what bodies there were.
    Bodies(u64, #[serde(deserialize_with = "bounded::list::<_, _, { limits::WANTED }>")] Vec<EntryBody>),
    /// Groups whose logs the sender holds, each with the hash of its acts' ids.
    GroupHave(
        #[serde(deserialize_with = "bounded::list::<_, _, { limits::LIST }>")]
        Vec<(ConversationId, [u8; 32])>,
    ),
    /// A group's descriptor, and signed acts of its log, each after those it builds on.
    GroupActs(Blob, #[serde(deserialize_with = "bounded::list::<_, _, { limits::LIST }>")] Vec<Blob>),
}

/// How far a device holds one conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConversationFrontier {
    /// What the conversation is between whom, in the journal's encoding; the conversation's id is its hash.
    pub descriptor: Blob,
    /// The last entry held of each author's chain, chains without any left out.
    #[serde(deserialize_with = "bounded::list::<_, _, { limits::LIST }>")]
    pub chains: Vec<ChainHead>,
}

/// The last entry held of one author's chain; all entries before it are held too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChainHead {
    /// Whose chain.
    pub author: DeviceId,
    /// The entry's place in the chain, from 0.
    pub seq: u64,
    /// The entry's id, which names the whole chain up to it.
    pub hash: [u8; 32],
}

/// Consecutive entries of one chain under one signature by their author over the last one's id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// The entries, in order.
    #[serde(deserialize_with = "bounded::list::<_, _, { limits::LIST }>")]
    pub entries: Vec<RawEntry>,
    /// The author's signature over the last entry's id.
    pub signature: Signature,
}

/// One journal entry as it travels: its header exactly as signed, and its body unless that has been erased.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RawEntry {
    /// The signed bytes.
    #[serde(deserialize_with = "bounded::header")]
    pub header: Blob,
    /// The body to which the header commits.
    pub body: Option<Blob>,
}

/// How far one author's chain is stored and read at the sender of the receipt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// The conversation.
    pub conversation: ConversationId,
    /// Whose chain.
    pub author: DeviceId,
    /// How many entries of it, from its start, are stored durably.
    pub stored: u64,
    /// How many entries of it, from its start, the person has read.
    pub read: u64,
}

/// One entry's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct EntryPlace {
    /// The conversation.
    pub conversation: ConversationId,
    /// Whose chain.
    pub author: DeviceId,
    /// The place in it, from 0.
    pub seq: u64,
}

/// The body of an entry that is held elsewhere without it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntryBody {
    /// The entry.
    pub place: EntryPlace,
    /// Its body, to which the entry's header commits.
    pub body: Blob,
}

/// Where one device can be reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceAddresses {
    /// The device.
    pub device: DeviceId,
    /// Its addresses, at most [`limits::ADDRESSES`].
    #[serde(deserialize_with = "bounded::list::<_, _, { limits::LIST }>")]
    pub addresses: Vec<SocketAddr>,
}

impl Frame {
    /// Encodes the frame; at most [`limits::FRAME`] bytes if its lists were kept within their bounds.
    pub fn encode(&self) -> Vec<u8> {
        encode(self)
    }

    /// Decodes a frame from the wire and checks every bound that does not depend on the circle.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let frame: Self = decode(bytes, limits::FRAME)?;
        frame.check()?;
        Ok(frame)
    }

    /// Tells by the first byte whether an encoded frame is said to be [`Receipts`](Self::Receipts).
    pub fn is_receipts(bytes: &[u8]) -> bool {
        bytes.first() == Some(&RECEIPTS)
    }

    /// Tells whether an encoded frame is one of entries.
    pub fn is_entries(bytes: &[u8]) -> bool {
        bytes.first() == Some(&ENTRIES)
    }

    fn check(&self) -> Result<(), DecodeError> {
        match self {
            Self::CharterHave(ids) => DecodeError::check_count("charter ids", ids.len(), limits::HAVE),
            Self::CharterEntries(entries) => {
                entries.iter().try_for_each(|entry| check_len(entry, limits::CHARTER_ENTRY))
            }
            Self::Frontier(conversations, _) => {
                let heads = conversations.iter().map(|c| c.chains.len() + 1).sum();
                DecodeError::check_count("chain heads", heads, limits::FRONTIER)
            }
            Self::Entries(runs) => runs.iter().try_for_each(Run::check),
            Self::Receipts(_, receipts) => {
                DecodeError::check_count("receipts", receipts.len(), limits::FRONTIER)
            }
            Self::Addresses(devices) => {
                DecodeError::check_count("devices", devices.len(), limits::FRONTIER)?;
                devices.iter().try_for_each(|device| {
                    DecodeError::check_count("addresses", device.addresses.len(), limits::ADDRESSES)
                })
            }
            Self::Wanted(places) => DecodeError::check_count("wanted bodies", places.len(), limits::WANTED),
            Self::Bodies(_, bodies) => {
                DecodeError::check_count("bodies", bodies.len(), limits::WANTED)?;
                bodies.iter().try_for_each(|body| check_len(&body.body, limits::BODY))
            }
            Self::GroupActs(_, acts) => {
                DecodeError::check_count("group acts", acts.len(), limits::GROUP_ACTS)?;
                acts.iter().try_for_each(|act| check_len(act, limits::GROUP_ACT))
            }
            Self::CharterDone | Self::CharterMore | Self::Rendezvous(..) | Self::GroupHave(_) => Ok(()),
        }
    }
}

impl Run {
    fn check(&self) -> Result<(), DecodeError> {
        if self.entries.is_empty() {
            return Err(DecodeError::Invalid("a run without entries"));
        }
        DecodeError::check_count("entries in a run", self.entries.len(), limits::RUN)?;
        if self.weight() > limits::RUN_WEIGHT {
            return Err(DecodeError::TooLong { limit: limits::RUN_WEIGHT, found: self.weight() });
        }
        for entry in &self.entries {
            check_len(&entry.header, limits::HEADER)?;
            entry.body.as_ref().map_or(Ok(()), |body| check_len(body, limits::BODY))?;
        }
        Ok(())
    }

    /// Returns about how many bytes the run takes on the wire, never fewer than it does.
    pub fn weight(&self) -> usize {
        let entry = |e: &RawEntry| e.header.0.len() + e.body.as_ref().map_or(0, |b| b.0.len()) + 16;
        64 + 8 + self.entries.iter().map(entry).sum::<usize>()
    }
}

fn check_len(blob: &Blob, limit: usize) -> Result<(), DecodeError> {
    let found = blob.0.len();
    if found > limit { Err(DecodeError::TooLong { limit, found }) } else { Ok(()) }
}

/// The places of `Entries` and `Receipts` among the kinds of frames, which is how an encoded frame begins.
const ENTRIES: u8 = 4;
const RECEIPTS: u8 = 5;

#[cfg(test)]
mod tests {
    use super::*;

    fn run(entries: usize, header: usize) -> Run {
        let entry = RawEntry { header: Blob(vec![1; header]), body: Some(Blob(vec![2; 300])) };
        Run { entries: vec![entry; entries], signature: Signature([3; 64]) }
    }

    #[test]
    fn frames_are_read_back() {
        let head = ChainHead { author: DeviceId::new([1; 32]), seq: 300, hash: [2; 32] };
        let place = EntryPlace {
            conversation: ConversationId::new([8; 32]),
            author: DeviceId::new([1; 32]),
            seq: 300,
        };
        for frame in [
            Frame::CharterHave(vec![EntryId::new([9; 32])]),
            Frame::CharterEntries(vec![Blob(vec![1, 2, 3])]),
            Frame::CharterDone,
            Frame::CharterMore,
            Frame::Frontier(
                vec![ConversationFrontier { descriptor: Blob(vec![0]), chains: vec![head] }],
                true,
            ),
            Frame::Entries(vec![run(2, 200)]),
            Frame::Receipts(7, Vec::new()),
            Frame::Wanted(vec![place]),
            Frame::Bodies(1, vec![EntryBody { place, body: Blob(vec![1, 2, 3]) }]),
            Frame::GroupHave(vec![(ConversationId::new([8; 32]), [7; 32])]),
            Frame::GroupActs(Blob(vec![2]), vec![Blob(vec![1, 2, 3])]),
            Frame::Addresses(vec![DeviceAddresses {
                device: DeviceId::new([1; 32]),
                addresses: vec!["127.0.0.1:9".parse().unwrap(), "[::1]:9".parse().unwrap()],
            }]),
        ] {
            let bytes = frame.encode();
            assert_eq!(Frame::is_receipts(&bytes), matches!(frame, Frame::Receipts(..)));
            assert_eq!(Frame::is_entries(&bytes), matches!(frame, Frame::Entries(..)));
            assert_eq!(Frame::decode(&bytes), Ok(frame));
        }
    }

    #[test]
    fn a_run_weighs_at_least_what_it_takes() {
        for run in [run(1, 1), run(256, 1000), run(3, 127)] {
            assert!(encode(&run).len() <= run.weight());
        }
    }

    #[test]
    fn bounds_hold_on_the_way_in() {
        let many = Frame::CharterHave(vec![EntryId::new([9; 32]); limits::HAVE + 1]);
        assert!(matches!(Frame::decode(&many.encode()), Err(DecodeError::TooMany { .. })));
        let least = limits::HEADER_LEAST;
        for bad in [run(0, least), run(limits::RUN + 1, least), run(1, least - 1), run(1, limits::HEADER + 1)]
        {
            assert!(Frame::decode(&Frame::Entries(vec![bad]).encode()).is_err());
        }
        assert!(matches!(Frame::decode(&vec![0; limits::FRAME + 1]), Err(DecodeError::TooLong { .. })));
        // A list that claims 2⁶⁰ items in a handful of bytes.
        assert!(Frame::decode(&[0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f]).is_err());
        let empty = vec![Blob::default(); limits::LIST + 1];
        assert!(Frame::decode(&Frame::CharterEntries(empty).encode()).is_err());
    }
}
