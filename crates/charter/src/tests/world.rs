//! Devices with a charter each, which hear of each other's entries when a test says so.

use crypto::{Entropy, SigningKey};
use wire::{Blob, DeviceId, EntryId, MemberId, Name};

use crate::{
    Accepted, Action, Charter, CommandError, Entry, FoundingTerms, Invitation, Newcomer, Recovery, Role,
    Sheet, Signed, Terms, recovery::cosign,
};

/// Counts instead of guessing.
pub(crate) struct Counting(pub(crate) u8);

impl Entropy for Counting {
    fn fill(&mut self, out: &mut [u8]) {
        self.0 += 1;
        out.fill(self.0);
    }
}

pub(crate) const NOW: u64 = 1_800_000_000_000;
pub(crate) const HOUR: u64 = 3_600_000;

#[derive(Debug, Clone)]
pub(crate) struct Person {
    pub(crate) key: SigningKey,
    pub(crate) charter: Charter,
}

pub(crate) fn name(text: &str) -> Name {
    text.parse().unwrap()
}

pub(crate) fn key(seed: u8) -> SigningKey {
    SigningKey::from_seed(&[seed; 32])
}

pub(crate) fn ann() -> Person {
    ann_with(None)
}

/// Ann, who founded a circle with recovery keys and printed their sheets.
pub(crate) fn ann_with_sheets(k: u8, n: u8) -> (Person, Vec<Sheet>) {
    let (recovery, sheets) = Recovery::draw(k, n, &mut Counting(100)).unwrap();
    (ann_with(Some(recovery)), sheets)
}

fn ann_with(recovery: Option<Recovery>) -> Person {
    let terms =
        FoundingTerms { circle: name("Hexagon"), founder: name("Ann"), device: name("laptop"), recovery };
    let key = key(1);
    let (charter, _) = Charter::found(&terms, &key, NOW, &mut Counting(0)).unwrap();
    Person { key, charter }
}

impl Person {
    pub(crate) fn id(&self) -> DeviceId {
        DeviceId::new(self.key.public())
    }

    pub(crate) fn member(&self) -> MemberId {
        self.charter.roster().device(&self.id()).unwrap().member
    }

    pub(crate) fn invite(&mut self, newcomer: Newcomer) -> Result<Invitation, CommandError> {
        let terms = Terms { newcomer, expires_ms: NOW + HOUR };
        let mut entropy = Counting(self.charter.ledger.entries().len() as u8);
        self.charter.invite(terms, Vec::new(), &self.key, NOW, &mut entropy).map(|(_, invitation)| invitation)
    }

    /// Lets in a new device which then holds all that this one does.
    pub(crate) fn admit(&mut self, seed: u8, invitation: &Invitation) -> Result<Self, CommandError> {
        let key = key(seed);
        let redemption = invitation.redeem(&key, name(&format!("P{seed}")), name("phone"));
        let _ = self.charter.admit(&redemption, &self.key, NOW)?;
        let mut newcomer = Self { key, charter: Charter::awaiting(self.charter.circle()) };
        newcomer.hear(self);
        Ok(newcomer)
    }

    /// Invites and admits.
    pub(crate) fn bring(&mut self, seed: u8, role: Role) -> Self {
        let invitation = self.invite(Newcomer::Other(role)).unwrap();
        self.admit(seed, &invitation).unwrap()
    }

    /// Takes what the other holds and this one lacks, as two devices that meet do.
    pub(crate) fn hear(&mut self, other: &Self) {
        for blob in other.charter.missing_for(&self.charter.have()) {
            let _ = self.charter.handle_entry(blob).unwrap();
        }
        assert!(!self.charter.lacks_parents());
    }

    /// Comes into the founder's place.
    pub(crate) fn recover(&mut self, sheets: &[Sheet]) -> Result<Accepted, CommandError> {
        self.charter.recover(sheets, None, name("new"), &self.key, NOW)
    }

    pub(crate) fn is_in(&self, device: &Self) -> bool {
        self.charter.roster().is_live(&device.id())
    }

    /// Writes an entry that no honest device would: upon a chosen past.
    pub(crate) fn forge(&self, parents: &[EntryId], cite: EntryId, action: Action) -> Blob {
        Signed::new(&self.forged(parents, cite, action), &self.key).to_blob()
    }

    /// Like [`forge`](Self::forge), with the recovery keys' signatures.
    pub(crate) fn forge_recovery(&self, parents: &[EntryId], action: Action, sheets: &[Sheet]) -> Blob {
        let entry = self.forged(parents, self.charter.ledger.at(0).id, action);
        let keys: Vec<_> = sheets.iter().map(Sheet::key).collect();
        Signed::new(&cosign(entry, &keys), &self.key).to_blob()
    }

    fn forged(&self, parents: &[EntryId], cite: EntryId, action: Action) -> Entry {
        let ledger = &self.charter.ledger;
        let known = parents.iter().map(|id| ledger.at(ledger.index(id).unwrap()));
        let own = ledger.entries().iter().filter(|entry| entry.entry.author == self.id());
        let mut past = crate::past::Past::default();
        known.clone().for_each(|entry| {
            past.union(&entry.past);
            past.insert(ledger.index(&entry.id).unwrap());
        });
        let previous = own
            .filter(|entry| past.contains(ledger.index(&entry.id).unwrap()))
            .max_by_key(|entry| (entry.entry.seq, entry.id));
        let mut parents = parents.to_vec();
        parents.sort();
        Entry {
            circle: self.charter.circle(),
            author: self.id(),
            seq: previous.map_or(0, |entry| entry.entry.seq + 1),
            previous: previous.map(|entry| entry.id),
            parents,
            lamport: known.map(|entry| entry.entry.lamport).max().unwrap() + 1,
            claimed_ms: NOW,
            cite,
            action,
        }
    }

    pub(crate) fn grant(&self) -> EntryId {
        self.charter.roster().device(&self.id()).unwrap().grant
    }

    pub(crate) fn heads(&self) -> Vec<EntryId> {
        self.charter.ledger.heads().iter().copied().collect()
    }

    pub(crate) fn void_reason(&self, entry: &Accepted) -> Option<crate::VoidReason> {
        let void = self.charter.roster().void_entries();
        void.iter().find(|void| void.id == entry.id).map(|void| void.reason)
    }
}

/// Lets everybody hear of everything.
pub(crate) fn meet(people: &mut [&mut Person]) {
    for at in 0..people.len() {
        for other in 0..people.len() {
            if at != other {
                let heard = people[other].clone();
                people[at].hear(&heard);
            }
        }
    }
    let digests: Vec<_> = people.iter().map(|person| person.charter.digest()).collect();
    assert!(digests.windows(2).all(|pair| pair[0] == pair[1]));
    assert!(people.windows(2).all(|pair| pair[0].charter.roster() == pair[1].charter.roster()));
}
