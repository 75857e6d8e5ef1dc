use std::collections::{BTreeMap, BTreeSet, btree_map};

use crypto::Entropy;
use wire::{
    ChainHead, CircleId, ConversationFrontier, ConversationId, DecodeError, DeviceId, EntryId, MemberId,
    MessageId, Run, limits,
};

use crate::{
    Beside, Content, ContentError, Descriptor, Entry, Header, Membership, SignedRun, Standing, Vouched,
    entry::{LAMPORT, verify},
};

mod groups;

pub use groups::{Ended, TookActs};

use groups::Group;

/// The heads of all chains of all conversations of one circle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Journal {
    circle: CircleId,
    conversations: BTreeMap<ConversationId, Conversation>,
    /// How many groups each device founded.
    founded: BTreeMap<DeviceId, usize>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Conversation {
    descriptor: Descriptor,
    chains: BTreeMap<DeviceId, Chain>,
    lamport: u64,
    /// Chains that moved since this device last wrote: the heads its next entry names.
    moved: BTreeSet<DeviceId>,
    /// Who belongs to it, if it is a group.
    group: Option<Box<Group>>,
    /// Where chains end by somebody else's word: what stands behind is void.
    ends: BTreeMap<DeviceId, End>,
    /// What removers said of the chains of those they removed, by themselves and their removal: where that stands in
    /// their own chain, and the ends.
    named: BTreeMap<(DeviceId, EntryId), Named>,
}

/// What a remover said of the chains of those he removed.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Named {
    seq: u64,
    heads: BTreeMap<DeviceId, ChainHead>,
}

/// Where a chain ends by somebody else's word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct End {
    len: u64,
    head: [u8; 32],
}

/// How far one author's chain is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Chain {
    /// How many entries are held: the next one's seq.
    pub len: u64,
    /// The id of the last one.
    pub head: [u8; 32],
    /// The Lamport time of the last one.
    pub lamport: u64,
    /// Whether two entries with one seq were found; such a chain is not continued.
    pub forked: bool,
}

/// What became of a run that came from another device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed {
    /// The entries that are new, with the signature that covers them; never empty.
    pub run: SignedRun,
}

/// The proof that a chain was forked: an entry signed by its author where another one is held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fork {
    /// The conversation.
    pub conversation: ConversationId,
    /// Whose chain.
    pub author: DeviceId,
    /// Where it forks.
    pub seq: u64,
    /// The entry that is held there.
    pub held: MessageId,
    /// The run that says otherwise.
    pub other: SignedRun,
}

impl Journal {
    /// Starts the journal of a circle.
    pub fn new(circle: CircleId) -> Self {
        Self { circle, conversations: BTreeMap::new(), founded: BTreeMap::new() }
    }

    /// Opens a conversation, or finds it open, and returns its id.
    pub fn open(&mut self, descriptor: Descriptor) -> ConversationId {
        let id = descriptor.id(&self.circle);
        if let btree_map::Entry::Vacant(free) = self.conversations.entry(id) {
            let mut group = None;
            if let Descriptor::Group(founding) = &descriptor {
                *self.founded.entry(founding.founder).or_default() += 1;
                group = Some(Box::new(Group::new(founding)));
            }
            free.insert(Conversation {
                descriptor,
                chains: BTreeMap::new(),
                lamport: 0,
                moved: BTreeSet::new(),
                group,
                ends: BTreeMap::new(),
                named: BTreeMap::new(),
            });
        }
        id
    }

    /// Tells whether a conversation that another device announces may be opened: it is known, or its founder
    /// has not had his fill of groups ([`limits::GROUPS`]).
    pub fn has_room_for(&self, descriptor: &Descriptor) -> bool {
        let Descriptor::Group(group) = descriptor else { return true };
        self.founded.get(&group.founder).is_none_or(|founded| *founded < limits::GROUPS)
            || self.conversations.contains_key(&descriptor.id(&self.circle))
    }

    /// Puts back a chain as the vault holds it.
    pub fn restore(&mut self, conversation: &ConversationId, author: DeviceId, chain: Chain) {
        if let Some(conversation) = self.conversations.get_mut(conversation) {
            conversation.chains.insert(author, chain);
            conversation.lamport = conversation.lamport.max(chain.lamport);
            conversation.moved.insert(author);
        }
    }

    /// Returns what a conversation is between whom.
    pub fn descriptor(&self, conversation: &ConversationId) -> Option<&Descriptor> {
        self.conversations.get(conversation).map(|conversation| &conversation.descriptor)
    }

    /// Lists the conversations, by id.
    pub fn conversations(&self) -> impl Iterator<Item = (ConversationId, &Descriptor)> {
        self.conversations.iter().map(|(id, conversation)| (*id, &conversation.descriptor))
    }

    /// Lists the conversations that `member` may read, by id.
    pub fn readable_by(&self, member: MemberId) -> impl Iterator<Item = ConversationId> {
        let readable = self.conversations.iter().filter(move |(_, held)| held.includes(&member));
        readable.map(|(id, _)| *id)
    }

    /// Lists the chains of a conversation, by author, as far as they count.
    pub fn chains(&self, conversation: &ConversationId) -> impl Iterator<Item = (DeviceId, Chain)> {
        let held = self.conversations.get(conversation).into_iter();
        held.flat_map(|held| {
            held.chains.iter().map(|(author, chain)| (*author, held.counting(author, *chain)))
        })
    }

    /// Returns one chain of a conversation, as far as it counts.
    pub fn chain(&self, conversation: &ConversationId, author: &DeviceId) -> Option<Chain> {
        let held = self.conversations.get(conversation)?;
        Some(held.counting(author, *held.chains.get(author)?))
    }

    /// Returns how many entries of a chain are held that count.
    pub fn len(&self, conversation: &ConversationId, author: &DeviceId) -> u64 {
        self.chain(conversation, author).map_or(0, |chain| chain.len)
    }

    /// Says how far this device holds a conversation.
    pub fn frontier(&self, conversation: &ConversationId) -> Option<ConversationFrontier> {
        let held = self.conversations.get(conversation)?;
        let chains = held.chains.iter().map(|(author, chain)| (author, held.counting(author, *chain)));
        let chains = chains
            .filter(|(_, chain)| chain.len > 0)
            .map(|(author, chain)| ChainHead { author: *author, seq: chain.len - 1, hash: chain.head })
            .collect();
        Some(ConversationFrontier { descriptor: held.descriptor.encode(), chains })
    }

    /// Appends a message to this device's own chain; see [`write_beside`](Self::write_beside).
    pub fn write(
        &mut self,
        conversation: ConversationId,
        author: &DeviceId,
        content: &Content,
        now_ms: u64,
        entropy: &mut dyn Entropy,
    ) -> Result<Entry, WriteError> {
        self.write_beside(conversation, author, None, content, now_ms, entropy)
    }

    /// Appends an entry to this device's own chain. It must be signed ([`seal_runs`](crate::seal_runs)) and
    /// stored before anything else is done with it.
    pub fn write_beside(
        &mut self,
        conversation: ConversationId,
        author: &DeviceId,
        beside: Option<Beside>,
        content: &Content,
        now_ms: u64,
        entropy: &mut dyn Entropy,
    ) -> Result<Entry, WriteError> {
        content.check()?;
        if !content.suits(beside.as_ref()) {
            return Err(ContentError::Unsuited.into());
        }
        let held = self.conversations.get_mut(&conversation).ok_or(WriteError::UnknownConversation)?;
        let own = held.chains.get(author).copied().unwrap_or_default();
        if own.forked {
            return Err(WriteError::Forked);
        }
        if held.ends.contains_key(author) {
            return Err(WriteError::NotInGroup);
        }
        let seen: Vec<ChainHead> = held
            .moved
            .iter()
            .filter(|device| *device != author)
            .filter_map(|device| held.chains.get(device).map(|chain| (device, chain)))
            .filter(|(_, chain)| chain.len > 0)
            .map(|(device, chain)| ChainHead { author: *device, seq: chain.len - 1, hash: chain.head })
            .take(limits::SEEN)
            .collect();
        let header = Header {
            conversation,
            author: *author,
            seq: own.len,
            previous: own.head,
            seen,
            lamport: (held.latest(now_ms) + 1).min(LAMPORT),
            claimed_ms: now_ms,
            body: [0; 32],
            beside,
        };
        let entry = Entry::new(header, content, entropy);
        for head in &entry.header.seen {
            held.moved.remove(&head.author);
        }
        held.append(&entry);
        held.moved.remove(author);
        Ok(entry)
    }

    /// Checks and places a run that came through the tunnel of `from`, when this device's clock shows `now_ms`.
    ///
    /// `held_at` looks up which entry of the run's chain is stored at a seq: it is asked only where the run
    /// overlaps what is held, to tell a repetition from a fork.
    pub fn handle_run(
        &mut self,
        run: Run,
        from: &DeviceId,
        membership: &impl Membership,
        now_ms: u64,
        held_at: impl Fn(u64) -> Option<MessageId>,
    ) -> Result<Placed, RunError> {
        self.handle_vouched_run(run, &Vouched::default(), from, membership, now_ms, held_at)
    }

    /// Does the same for a run whose signature may have been checked ahead.
    pub fn handle_vouched_run(
        &mut self,
        run: Run,
        vouched: &Vouched,
        from: &DeviceId,
        membership: &impl Membership,
        now_ms: u64,
        held_at: impl Fn(u64) -> Option<MessageId>,
    ) -> Result<Placed, RunError> {
        let signature = run.signature;
        let entries = run.entries.into_iter().map(Entry::decode).collect::<Result<Vec<_>, _>>()?;
        let (Some(first), Some(last)) = (entries.first(), entries.last()) else {
            return Err(RunError::Decode(DecodeError::Invalid("a run without entries")));
        };
        let (conversation, author, start) =
            (first.header.conversation, first.header.author, first.header.seq);
        let held = self.conversations.get_mut(&conversation).ok_or(RunError::UnknownConversation)?;
        held.admits(&author, from, membership)?;
        check_links(&entries)?;
        let chain = held.chains.get(&author).copied().unwrap_or_default();
        if chain.forked {
            return Err(RunError::ForkKnown);
        }
        let end = held.end_of(&author, membership);
        if end.is_some_and(|end| !end.admits(start, &entries)) {
            return Err(RunError::Ended);
        }
        if start > chain.len {
            return Err(RunError::Gap { conversation, author, held: chain.len });
        }
        if !vouched.holds(&author, &last.id, &signature) {
            verify(&author, &last.id, &signature).map_err(|_| RunError::Signature)?;
        }

        let overlap = usize::try_from(chain.len - start).unwrap_or(usize::MAX);
        for entry in entries.iter().take(overlap) {
            if let Some(held) = held_at(entry.header.seq)
                && held != entry.id
            {
                let fork = Fork {
                    conversation,
                    author,
                    seq: entry.header.seq,
                    held,
                    other: SignedRun { entries: entries.clone(), signature },
                };
                return Err(self.forked(fork));
            }
        }
        if overlap >= entries.len() {
            return Err(RunError::Known);
        }
        if end.is_some_and(|end| end.len <= chain.len) {
            return Err(RunError::Ended);
        }
        let fresh: Vec<Entry> = entries.iter().skip(overlap).cloned().collect();
        let Some(next) = fresh.first() else {
            return Err(RunError::Known);
        };
        if next.header.previous != chain.head {
            let held = MessageId::new(chain.head);
            let fork = Fork {
                conversation,
                author,
                seq: chain.len.saturating_sub(1),
                held,
                other: SignedRun { entries, signature },
            };
            return Err(self.forked(fork));
        }
        // Runs are cut and joined on the way: what `check_links` asks of two entries of one run holds here too.
        if chain.len > 0 && !rises(chain.lamport, next.header.lamport) {
            return Err(RunError::Broken);
        }
        // Times rise along a run. What is held is not asked: it may differ for good, as where chains forked or
        // ended, and whoever holds less must be able to take what others wrote on top of more.
        let from_ms = last.header.lamport.saturating_sub(limits::AHEAD_MS);
        if from_ms > now_ms {
            return Err(RunError::Ahead { conversation, from_ms });
        }
        for entry in &fresh {
            held.append(entry);
        }
        if let Some(end) = end {
            held.ends.insert(author, end);
        }
        Ok(Placed { run: SignedRun { entries: fresh, signature } })
    }

    /// Marks a chain as forked; nothing more is taken from it or written to it.
    pub fn mark_forked(&mut self, conversation: &ConversationId, author: &DeviceId) {
        if let Some(chain) =
            self.conversations.get_mut(conversation).and_then(|held| held.chains.get_mut(author))
        {
            chain.forked = true;
        }
    }

    fn forked(&mut self, fork: Fork) -> RunError {
        self.mark_forked(&fork.conversation, &fork.author);
        RunError::Forked(Box::new(fork))
    }
}

impl Conversation {
    /// Says whether an entry by `author` may come in through `from`: both must be participants; a removed
    /// author's entries come only from others, who held them before.
    fn admits(
        &self,
        author: &DeviceId,
        from: &DeviceId,
        membership: &impl Membership,
    ) -> Result<(), RunError> {
        match membership.standing(from) {
            Standing::Live(member) if self.includes(&member) => {}
            _ => return Err(RunError::SenderMayNot),
        }
        match membership.standing(author) {
            Standing::Live(member) | Standing::Removed(member) if self.ever_included(&member) => Ok(()),
            _ => Err(RunError::AuthorMayNot),
        }
    }

    fn append(&mut self, entry: &Entry) {
        let head = entry.head();
        let lamport = entry.header.lamport;
        self.chains.insert(head.author, Chain { len: head.seq + 1, head: head.hash, lamport, forked: false });
        self.lamport = self.lamport.max(lamport);
        self.moved.insert(head.author);
    }
}

/// Checks that the entries follow each other in one chain.
fn check_links(entries: &[Entry]) -> Result<(), RunError> {
    if let Some(first) = entries.first()
        && (first.header.seq == 0) != (first.header.previous == [0; 32])
    {
        return Err(RunError::Broken);
    }
    for pair in entries.windows(2) {
        let [before, after] = pair else { continue };
        let follows = after.header.conversation == before.header.conversation
            && after.header.author == before.header.author
            && Some(after.header.seq) == before.header.seq.checked_add(1)
            && after.header.previous == *before.id.as_bytes()
            && rises(before.header.lamport, after.header.lamport);
        if !follows {
            return Err(RunError::Broken);
        }
    }
    Ok(())
}

/// Tells whether an entry's Lamport time may follow that of the one before it in the chain.
fn rises(before: u64, after: u64) -> bool {
    after > before || after == LAMPORT
}

/// Why this device cannot write.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// No such conversation is open.
    #[error("no such conversation")]
    UnknownConversation,
    /// It is out of bounds.
    #[error(transparent)]
    Content(#[from] ContentError),
    /// This device's own chain was forked, as when an old copy of its vault was put back.
    #[error("this device's chain was forked")]
    Forked,
    /// This device's member is not in the group any more.
    #[error("this device's member is not in the group")]
    NotInGroup,
}

/// Why a run was not placed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// All its entries are held already.
    #[error("already held")]
    Known,
    /// Entries before it are missing; they must be asked for again.
    #[error("entries are missing: {held} are held")]
    Gap {
        /// The conversation.
        conversation: ConversationId,
        /// Whose chain.
        author: DeviceId,
        /// How many entries of it are held.
        held: u64,
    },
    /// Proof that the author's key signed two chains.
    #[error("the chain was forked")]
    Forked(Box<Fork>),
    /// The chain is known to be forked; nothing more of it is taken.
    #[error("the chain is known to be forked")]
    ForkKnown,
    /// Its Lamport time is more than [`limits::AHEAD_MS`] beyond this device's clock.
    #[error("the entry claims a time that has not come")]
    Ahead {
        /// The conversation.
        conversation: ConversationId,
        /// From when on it can be taken, by this device's clock.
        from_ms: u64,
    },
    /// No such conversation was announced.
    #[error("no such conversation")]
    UnknownConversation,
    /// The device at the other end of the tunnel does not take part in the conversation.
    #[error("the sending device does not take part in the conversation")]
    SenderMayNot,
    /// The author does not take part in the conversation.
    #[error("the author does not take part in the conversation")]
    AuthorMayNot,
    /// The author's chain ended before these entries, or with another one: he was taken out of the group.
    #[error("the author's chain has ended")]
    Ended,
    /// The entries do not follow each other.
    #[error("the entries do not follow each other")]
    Broken,
    /// The signature over the last entry does not match.
    #[error("signature does not match")]
    Signature,
    /// The bytes are not entries.
    #[error("entry: {0}")]
    Decode(#[from] DecodeError),
}
