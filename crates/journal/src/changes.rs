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

/// After what time the participants of one conversation asked that messages be erased.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ExpiryRules(BTreeMap<Place, u64>);

impl ExpiryRules {
    /// Takes note that it is asked at `place` that messages be erased after `after_s` seconds.
    pub fn set(&mut self, place: Place, after_s: u64) {
        self.0.insert(place, after_s);
    }

    /// Forgets what an author said, whose chain turned out to be forked.
    pub fn forget(&mut self, author: &DeviceId) {
        self.0.retain(|place, _| place.author != *author);
    }

    /// Returns what was asked last, of what `counts`; none if that is to let messages stay.
    pub fn now_s(&self, counts: impl Fn(&Place) -> bool) -> Option<u64> {
        let (_, after_s) = self.0.iter().rev().find(|(place, _)| counts(place))?;
        Some(*after_s).filter(|after_s| *after_s > 0)
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
    fn what_was_asked_last_is_in_force_whatever_came_first() {
        let place = |lamport, device| Place { lamport, author: DeviceId::new([device; 32]), seq: lamport };
        let mut rules = ExpiryRules::default();
        assert_eq!(rules.now_s(|_| true), None);
        rules.set(place(20, 1), 60);
        rules.set(place(10, 2), 30);
        assert_eq!(rules.now_s(|_| true), Some(60));
        assert_eq!(rules.now_s(|place| place.lamport < 20), Some(30), "the last that counts");
        rules.set(place(30, 2), 0);
        assert_eq!(rules.now_s(|_| true), None);
        rules.forget(&DeviceId::new([2; 32]));
        assert_eq!(rules.now_s(|_| true), Some(60));
    }
}
