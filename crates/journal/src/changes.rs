//! What later entries make of a message: its present text, its signs, whether it is gone.
//!
//! A pure function of the *set* of entries: of each sort the one that stands last in the conversation's order counts,
//! whichever came first.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use wire::{DeviceId, MemberId, MessageId};

use crate::Content;

/// Names a message: its place in its author's chain, and its id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Target {
    /// The device that wrote it.
    pub author: DeviceId,
    /// Its place in that device's chain.
    pub seq: u64,
    /// Its id.
    pub id: MessageId,
}

/// Where an entry stands in its conversation, the same on every device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Its Lamport time.
    pub lamport: u64,
    /// Its author.
    pub author: DeviceId,
    /// Its place in the author's chain.
    pub seq: u64,
}

/// An entry that changes a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Where it stands.
    pub place: Place,
    /// The member whose device wrote it.
    pub member: MemberId,
    /// Whether that device's chain was forked.
    pub forked: bool,
    /// What it says.
    pub content: Content,
}

/// What later entries made of a message.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Outcome {
    /// The edit whose text is the message's now.
    pub edit: Option<(Place, Content)>,
    /// Whether its author took it back.
    pub deleted: bool,
    /// The signs under it, by member; where one was taken back it is empty.
    reactions: BTreeMap<MemberId, (Place, String)>,
    /// The last pin, and whether it put the message up.
    pin: Option<(Place, bool)>,
}

impl Outcome {
    /// Works out what becomes of a message by `author`'s member that these entries name, in whatever order they come.
    ///
    /// Only the member himself edits and deletes. Whoever holds a copied key can write in its owner's name, so from
    /// a forked chain only a deletion counts: it takes away what is the author's own, and nobody can bring it back.
    pub fn of(author: &MemberId, changes: impl IntoIterator<Item = Change>) -> Self {
        let mut outcome = Self::default();
        for change in changes {
            outcome.apply(author, change);
        }
        outcome
    }

    fn apply(&mut self, author: &MemberId, change: Change) {
        let Change { place, member, forked, content } = change;
        match content {
            Content::Delete => self.deleted |= member == *author,
            _ if forked => {}
            Content::Edit { .. } if member == *author => {
                if self.edit.as_ref().is_none_or(|(last, _)| *last < place) {
                    self.edit = Some((place, content));
                }
            }
            Content::React { sign } => {
                if self.reactions.get(&member).is_none_or(|(last, _)| *last < place) {
                    self.reactions.insert(member, (place, sign));
                }
            }
            Content::Pin { pinned } if self.pin.is_none_or(|(last, _)| last < place) => {
                self.pin = Some((place, pinned));
            }
            Content::Edit { .. }
            | Content::Pin { .. }
            | Content::Text(_)
            | Content::Post(_)
            | Content::File(_)
            | Content::Expiry { .. }
            | Content::End => {}
        }
    }

    /// Lists the signs under the message, by member.
    pub fn reactions(&self) -> impl Iterator<Item = (&MemberId, &str)> {
        let shown = self.reactions.iter().filter(|(_, (_, sign))| !sign.is_empty());
        shown.map(|(member, (_, sign))| (member, sign.as_str()))
    }

    /// Tells whether the message stands where all find it.
    pub fn is_pinned(&self) -> bool {
        !self.deleted && self.pin.is_some_and(|(_, pinned)| pinned)
    }
}

/// When the messages of one conversation are erased, by the entries that said so.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ExpiryRules(BTreeMap<Place, u64>);

impl ExpiryRules {
    /// Takes note that messages after `place` are erased `after_s` seconds after they were written.
    pub fn set(&mut self, place: Place, after_s: u64) {
        self.0.insert(place, after_s);
    }

    /// Forgets what an author said, whose chain turned out to be forked; `false` if there was nothing.
    pub fn forget(&mut self, author: &DeviceId) -> bool {
        let before = self.0.len();
        self.0.retain(|place, _| place.author != *author);
        self.0.len() < before
    }

    /// Returns after how many seconds the message at `place` is erased: what was said last before it counts.
    pub fn after_s(&self, place: &Place) -> Option<u64> {
        let (_, after_s) = self.0.range(..place).next_back()?;
        Some(*after_s).filter(|after_s| *after_s > 0)
    }

    /// Returns the rule for what is written next.
    pub fn now_s(&self) -> Option<u64> {
        let (_, after_s) = self.0.last_key_value()?;
        Some(*after_s).filter(|after_s| *after_s > 0)
    }

    /// Returns the place up to which a rule at `place` reaches: that of the next one.
    pub fn until(&self, place: &Place) -> Option<Place> {
        let after = (std::ops::Bound::Excluded(place), std::ops::Bound::Unbounded);
        self.0.range(after).next().map(|(place, _)| *place)
    }

    /// Returns when a message is erased: so long after it was written, which cannot be later than it came here.
    pub fn at_ms(&self, place: &Place, claimed_ms: u64, stored_ms: u64) -> Option<u64> {
        let after_s = self.after_s(place)?;
        Some(claimed_ms.min(stored_ms).saturating_add(after_s.saturating_mul(1000)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn change() -> impl Strategy<Value = Change> {
        let content = prop_oneof![
            "[a-c]".prop_map(|text| Content::Edit { text, mentions: Vec::new() }),
            Just(Content::Delete),
            "[+-]?".prop_map(|sign| Content::React { sign }),
            any::<bool>().prop_map(|pinned| Content::Pin { pinned }),
        ];
        (0..4u64, 1..4u8, 0..3u64, 0..5u8, content).prop_map(|(lamport, device, seq, forked, content)| {
            let author = DeviceId::new([device; 32]);
            // Device 3 is a second one of member 1.
            let member = MemberId::new([if device == 3 { 1 } else { device }; 32]);
            Change { place: Place { lamport, author, seq }, member, forked: forked == 0, content }
        })
    }

    fn author() -> MemberId {
        MemberId::new([1; 32])
    }

    proptest! {
        /// The same entries, the same message: in any order, with any of them twice.
        #[test]
        fn what_becomes_of_a_message_depends_on_the_set_of_entries_alone(
            changes in prop::collection::vec(change(), 0..12),
            order in any::<prop::sample::Index>(),
        ) {
            // One chain has one entry at a place.
            let mut places = std::collections::BTreeSet::new();
            let changes: Vec<_> = changes.into_iter().filter(|change| places.insert(change.place)).collect();
            let straight = Outcome::of(&author(), changes.clone());
            let mut turned = changes.clone();
            if !turned.is_empty() {
                turned.rotate_left(order.index(changes.len()));
                turned.reverse();
                turned.extend(changes.clone());
            }
            prop_assert_eq!(Outcome::of(&author(), turned), straight);
        }

        #[test]
        fn nobody_but_its_author_changes_what_a_message_says(changes in prop::collection::vec(change(), 0..12)) {
            let others = changes.into_iter().filter(|change| change.member != author());
            let outcome = Outcome::of(&author(), others);
            prop_assert!(outcome.edit.is_none() && !outcome.deleted);
        }

        #[test]
        fn a_forked_chain_changes_nothing_and_takes_back_all_the_same(
            changes in prop::collection::vec(change(), 0..12),
        ) {
            let forked: Vec<_> = changes.into_iter().map(|change| Change { forked: true, ..change }).collect();
            let deleted = forked
                .iter()
                .any(|change| change.member == author() && change.content == Content::Delete);
            let outcome = Outcome::of(&author(), forked);
            prop_assert_eq!(outcome, Outcome { deleted, ..Outcome::default() });
        }
    }

    #[test]
    fn a_message_expires_by_the_rule_that_was_last_said_before_it() {
        let place = |lamport| Place { lamport, author: DeviceId::new([1; 32]), seq: lamport };
        let mut rules = ExpiryRules::default();
        assert_eq!(rules.after_s(&place(5)), None);
        rules.set(place(10), 60);
        rules.set(place(20), 0);
        rules.set(place(15), 30);
        let found: Vec<_> = [9, 10, 11, 16, 21].map(|at| rules.after_s(&place(at))).into();
        assert_eq!(found, [None, None, Some(60), Some(30), None]);
        assert_eq!((rules.until(&place(10)), rules.until(&place(20))), (Some(place(15)), None));
        assert_eq!(rules.now_s(), None);
        // A clock that is ahead does not make a message stay.
        assert_eq!(rules.at_ms(&place(11), 5_000, 1_000), Some(61_000));
        assert_eq!(rules.at_ms(&place(11), 1_000, 5_000), Some(61_000));
        assert_eq!(rules.at_ms(&place(9), 1_000, 5_000), None);
    }
}
