use crypto::{Entropy, SigningKey};
use serde::{Deserialize, Serialize};
use wire::{
    Blob, ChainHead, ConversationId, DecodeError, DeviceId, MessageId, RawEntry, Run, Signature, decode,
    decode_start, encode, limits,
};

use crate::{
    changes::{Place, Target},
    content::{Beside, Body, Content},
};

/// The signed part of an entry. It commits to the body by its hash, so that a body can be erased and the chain
/// still be checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// In which conversation.
    pub conversation: ConversationId,
    /// By which device.
    pub author: DeviceId,
    /// Its place in the author's chain in this conversation, from 0.
    pub seq: u64,
    /// The id of the entry before it in the chain; zero for the first.
    pub previous: [u8; 32],
    /// Heads of other chains that the author held and had not named before, at most [`limits::SEEN`].
    pub seen: Vec<ChainHead>,
    /// One more than the greatest Lamport time the author had seen in the conversation (Lamport 1978).
    pub lamport: u64,
    /// When the author's clock said it was written, in milliseconds since 1970; advisory.
    pub claimed_ms: u64,
    /// The hash of the body.
    pub body: [u8; 32],
    /// What the entry is, unless a message that stays. Encoded behind all other fields, and only then.
    #[serde(skip)]
    pub beside: Option<Beside>,
}

/// An entry that is placed in its chain.
#[derive(Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its id.
    pub id: MessageId,
    /// Its header.
    pub header: Header,
    /// The header's bytes as signed.
    pub header_bytes: Blob,
    /// The body's bytes, unless erased.
    pub body: Option<Blob>,
}

impl std::fmt::Debug for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Entry({} {:?})", self.header.seq, self.id)
    }
}

/// Consecutive entries of one chain, the last of them signed by the author.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedRun {
    /// The entries, in order, at least one.
    pub entries: Vec<Entry>,
    /// The author's signature over the last one's id.
    pub signature: Signature,
}

impl Header {
    /// Tells whether this is the body that the header commits to.
    pub fn commits_to(&self, body: &[u8]) -> bool {
        crypto::hash(BODY, &[body]) == self.body
    }

    /// Reads what the entry says out of its body; nothing if it is of a kind this program does not know, out of
    /// bounds, or none that suits the entry.
    pub fn content(&self, body: &[u8]) -> Option<Content> {
        Content::decode(body).filter(|content| content.suits(self.beside.as_ref()))
    }

    /// Writes the header as it is signed.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = encode(self);
        if let Some(beside) = &self.beside {
            bytes.extend(encode(beside));
        }
        bytes
    }

    /// Reads a header as it was signed.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let (mut header, rest): (Self, _) = decode_start(bytes, limits::HEADER)?;
        if encode(&header).len() + rest.len() != bytes.len() {
            return Err(DecodeError::NotCanonical);
        }
        if !rest.is_empty() {
            header.beside = Some(decode(rest, limits::HEADER).unwrap_or(Beside::Unknown));
        }
        let known = header.beside != Some(Beside::Unknown);
        if known && header.encode() != bytes {
            return Err(DecodeError::NotCanonical);
        }
        DecodeError::check_count("seen heads", header.seen.len(), limits::SEEN)?;
        if let Some(Beside::End(ends)) = &header.beside {
            DecodeError::check_count("chain ends", ends.heads.len(), limits::ENDS)?;
        }
        if header.lamport > LAMPORT {
            return Err(DecodeError::Invalid("Lamport time out of range"));
        }
        if let Some(Beside::Passing { after_s }) = &header.beside
            && !(1..=limits::EXPIRY_S).contains(after_s)
        {
            return Err(DecodeError::Invalid("a message is erased at an impossible time"));
        }
        Ok(header)
    }

    /// Returns when the message is erased, if it does not stay: so long after it was written, which cannot be later
    /// than it came here.
    pub fn expires_ms(&self, stored_ms: u64) -> Option<u64> {
        let Some(Beside::Passing { after_s }) = &self.beside else { return None };
        Some(self.claimed_ms.min(stored_ms).saturating_add(after_s.saturating_mul(1000)))
    }

    /// Returns where the entry stands in its conversation.
    pub fn place(&self) -> Place {
        Place { lamport: self.lamport, author: self.author, seq: self.seq }
    }
}

impl Entry {
    /// Makes an entry from its header and content.
    pub(crate) fn new(mut header: Header, content: &Content, entropy: &mut dyn Entropy) -> Self {
        let mut salt = [0; 16];
        entropy.fill(&mut salt);
        let body = encode(&Body { salt, content: content.clone() });
        header.body = crypto::hash(BODY, &[&body]);
        let header_bytes = header.encode();
        Self { id: id(&header_bytes), header, header_bytes: Blob(header_bytes), body: Some(Blob(body)) }
    }

    /// Reads an entry as it travels; checks that the body, if there, is the one the header commits to.
    pub fn decode(raw: RawEntry) -> Result<Self, DecodeError> {
        let header = Header::decode(&raw.header.0)?;
        if let Some(body) = &raw.body
            && !header.commits_to(&body.0)
        {
            return Err(DecodeError::Invalid("body is not the one its header commits to"));
        }
        Ok(Self { id: id(&raw.header.0), header, header_bytes: raw.header, body: raw.body })
    }

    /// Reads what the entry says; nothing if it was erased or is of a kind this program does not know.
    pub fn content(&self) -> Option<Content> {
        self.header.content(&self.body.as_ref()?.0)
    }

    /// Names the entry for others that refer to it.
    pub fn target(&self) -> Target {
        Target { author: self.header.author, seq: self.header.seq, id: self.id }
    }

    fn weight(&self) -> usize {
        self.header_bytes.0.len() + self.body.as_ref().map_or(0, |body| body.0.len())
    }

    pub(crate) fn head(&self) -> ChainHead {
        ChainHead { author: self.header.author, seq: self.header.seq, hash: *self.id.as_bytes() }
    }
}

impl SignedRun {
    /// Returns the run as it travels.
    pub fn to_wire(&self) -> Run {
        let raw = |entry: &Entry| RawEntry { header: entry.header_bytes.clone(), body: entry.body.clone() };
        Run { entries: self.entries.iter().map(raw).collect(), signature: self.signature }
    }

    /// Returns what proves that its author signed these entries, and none of his words.
    pub fn proof(&self) -> Run {
        let raw = |entry: &Entry| RawEntry { header: entry.header_bytes.clone(), body: None };
        Run { entries: self.entries.iter().map(raw).collect(), signature: self.signature }
    }
}

/// Signs new entries by this device: one signature covers all of a chain up to [`limits::RUN`] entries or
/// [`limits::RUN_BYTES`], since each entry commits to the one before it.
///
/// Entries of several conversations may be mixed, each conversation's in order.
pub fn seal_runs(entries: Vec<Entry>, key: &SigningKey) -> Vec<SignedRun> {
    let mut open: Vec<(ConversationId, usize, Vec<Entry>)> = Vec::new();
    let mut runs = Vec::new();
    for entry in entries {
        let conversation = entry.header.conversation;
        let weight = entry.weight();
        let at = open.iter().position(|(of, ..)| *of == conversation).unwrap_or_else(|| {
            open.push((conversation, 0, Vec::new()));
            open.len() - 1
        });
        let Some((_, total, run)) = open.get_mut(at) else {
            continue;
        };
        if run.len() == limits::RUN || (!run.is_empty() && *total + weight > limits::RUN_BYTES) {
            runs.push(sign(std::mem::take(run), key));
            *total = 0;
        }
        *total += weight;
        run.push(entry);
    }
    runs.extend(open.into_iter().map(|(.., run)| sign(run, key)));
    runs
}

fn sign(entries: Vec<Entry>, key: &SigningKey) -> SignedRun {
    let last = entries.last().expect("a run is opened by its first entry").id;
    SignedRun { entries, signature: Signature(key.sign(RUN, &[last.as_bytes()])) }
}

/// Checks a run's signature over its last entry.
pub(crate) fn verify(
    author: &DeviceId,
    last: &MessageId,
    signature: &Signature,
) -> Result<(), crypto::SignatureError> {
    author.verify(RUN, &[last.as_bytes()], signature)
}

fn id(header: &[u8]) -> MessageId {
    MessageId::new(crypto::hash(ENTRY, &[header]))
}

/// The greatest Lamport time: what a JSON number holds exactly.
pub(crate) const LAMPORT: u64 = 1 << 53;

const ENTRY: &str = "hexode/journal/entry/1";
const BODY: &str = "hexode/journal/body/1";
const RUN: &str = "hexode/journal/run/1";
