//! Checks the real fold on every history of a small circle.
//!
//! Founder F, recovery keys of which two make a founder, admin A whom he let in, admins B and C whom A let in, and an open invitation of A's. To these come
//! two entries: any action by any holder of a grant, upon **any** causally closed past, so with every way of
//! backdating and of forking one's own chain. After each the properties T1 to T9 of the specification must hold.
//! The negative control drops the rule that only the strictly more senior remove.

use std::{hash::Hash, sync::Arc};

use stateright::{Checker, HasDiscoveries, Model, Property};
use wire::{CircleId, DeviceId, EntryId, MemberId, Signature};

use super::{
    claims::{self, Growth},
    world::{HOUR, NOW, name},
};
use crate::{
    Action, Admission, Cosignature, Entry, Founding, PublicKey, Recovering, Recovery, Role, Target, Verified,
    fold::{Verdicts, fold, is_settled},
    ledger::Ledger,
    past::Past,
};

struct Circle {
    base: Ledger,
    extra: usize,
}

/// The entries beyond the base, by id, each after those it knows; and what is wrong with the history.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct History {
    extra: Vec<Arc<Step>>,
    broken: u16,
    seen: u16,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Step(Verified);

impl Step {
    /// Orders entries so that none comes before one it knows.
    fn key(&self) -> (u64, EntryId) {
        (self.0.entry().lamport, self.0.id())
    }
}

impl Hash for Step {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.0.id().hash(state);
    }
}

const PROPERTIES: [&str; 9] = [
    "T1 the order of arrival does not matter",
    "T2 a verdict rests on earlier verdicts only",
    "T3 the founder stays",
    "T4 and T9 a removal prevails over whatever the removed one backdates",
    "T5 no two removals void each other",
    "T6 what the remover had seen stays",
    "T7 every grant is junior to all who issued it",
    "T8 an entry changes nothing at an earlier place",
    "T10 who recovered last is founder",
];

const REACHED: [&str; 5] = [
    "a removed device is let in again",
    "an invitation is used twice at a time",
    "a removal is void",
    "the founder is replaced by a device that was never let in",
    "two recoveries meet and one is void",
];

const F: u8 = 1;
const A: u8 = 2;
const B: u8 = 3;
const C: u8 = 4;
/// Two strangers who both hold the open invitation.
const STRANGERS: [u8; 2] = [5, 6];

fn device(seed: u8) -> DeviceId {
    DeviceId::new([seed; 32])
}

impl Circle {
    fn new(extra: usize, lax: bool) -> Self {
        let founding = Entry {
            circle: CircleId::new([0; 32]),
            author: device(F),
            seq: 0,
            previous: None,
            parents: Vec::new(),
            lamport: 0,
            claimed_ms: NOW,
            cite: EntryId::new([0; 32]),
            action: Action::Found(Founding {
                circle: name("Hexagon"),
                founder: name("F"),
                device: name("f"),
                recovery: Some(Recovery { k: 2, keys: RECOVERY_KEYS.to_vec() }),
                nonce: [0; 16],
            }),
        };
        let founding = Verified::modelled(founding);
        let mut base = Ledger::new(CircleId::new(*founding.id().as_bytes()));
        base.lax = lax;
        take(&mut base, founding);
        let mut circle = Self { base, extra };
        let (by_f, by_a) = (0, 2);
        circle.extend(F, by_f, invite(A, Role::Admin));
        circle.extend(F, by_f, circle.admit(A, 1));
        circle.extend(A, by_a, invite(STRANGERS[0], Role::Member));
        for (seed, at) in [(B, 4), (C, 6)] {
            circle.extend(A, by_a, invite(seed, Role::Admin));
            circle.extend(A, by_a, circle.admit(seed, at));
        }
        circle
    }

    fn extend(&mut self, author: u8, cite: usize, action: Action) {
        let all: Vec<_> = (0..self.base.entries().len()).collect();
        let verified = write(&self.base, author, cite, &all, action).unwrap();
        take(&mut self.base, verified);
    }

    fn admit(&self, seed: u8, invitation: usize) -> Action {
        let invite = self.base.at(invitation);
        let Action::Invite { public, .. } = invite.entry.action else { panic!("no invitation") };
        Action::Admit(Admission {
            invitation: invite.id,
            public,
            device: device(seed),
            member_name: name("E"),
            device_name: name("e"),
            redemption: Signature([0; 64]),
            consent: Signature([0; 64]),
        })
    }

    /// Builds the ledger of the base and some further entries, taken in the order given.
    fn ledger<'a>(&self, extra: impl Iterator<Item = &'a Arc<Step>>) -> Ledger {
        let mut ledger = self.base.clone();
        extra.for_each(|step| take(&mut ledger, step.0.clone()));
        ledger
    }

    /// All that anybody who ever held a grant might do, whether it is allowed to him or not.
    fn intents(&self, ledger: &Ledger) -> Vec<Action> {
        let mut intents = vec![Action::Leave, Action::Withdraw { invitation: self.base.at(3).id }];
        intents.extend(STRANGERS.map(|seed| self.admit(seed, 3)));
        for seed in [F, A, B, C] {
            let grant = ledger.grants(Target::Device(device(seed)))[0];
            let member = ledger.at(grant).grant.unwrap().member;
            let of = ledger.at(grant).id;
            if seed != F {
                intents.extend([Role::Admin, Role::Member].map(|role| Action::Grant { of, role }));
            }
            let target = Target::Device(device(seed));
            intents.push(Action::Revoke { target, keep: SEEN.to_vec() });
            if seed == B {
                intents.push(Action::Revoke { target, keep: Vec::new() });
            }
            if seed == C {
                intents.push(Action::Revoke { target: Target::Member(member), keep: SEEN.to_vec() });
            }
        }
        intents
    }
}

/// Who comes with the recovery keys: an admin's device, or one that was never let in.
const RECOVERERS: [u8; 2] = [B, 7];
const RECOVERY_KEYS: [PublicKey; 3] =
    [PublicKey::new([1; 32]), PublicKey::new([2; 32]), PublicKey::new([3; 32])];

/// Uses two of the recovery keys, keeping what was seen, or nothing.
fn recoveries(ledger: &Ledger, known: &[usize]) -> [Action; 2] {
    let mut past = Past::default();
    known.iter().for_each(|&at| past.insert(at));
    let generation = ledger.recovery_in(&past).0 + 1;
    let by = |key: &PublicKey| Cosignature { key: *key, signature: Signature([0; 64]) };
    let signatures: Vec<_> = RECOVERY_KEYS[..2].iter().map(by).collect();
    [SEEN.to_vec(), Vec::new()].map(|keep| {
        let device = name("new");
        Action::Recover(Recovering { generation, device, keep, next: None, signatures: signatures.clone() })
    })
}

/// Stands for the parents of the entry that is written.
const SEEN: [EntryId; 1] = [EntryId::new([0xff; 32])];

fn invite(public: u8, role: Role) -> Action {
    let public = PublicKey::new([public; 32]);
    Action::Invite { public, role, expires_ms: NOW + HOUR, for_member: None::<MemberId> }
}

fn take(ledger: &mut Ledger, verified: Verified) {
    let admitted = ledger.resolve(verified).expect("the model writes entries that fit");
    ledger.append(admitted);
}

/// Writes an entry upon a causally closed past; nothing if its author could not refer to what he must.
fn write(ledger: &Ledger, author: u8, cite: usize, known: &[usize], mut action: Action) -> Option<Verified> {
    let author = device(author);
    let heads = known.iter().filter(|&&at| !known.iter().any(|&by| ledger.at(by).past.contains(at)));
    let mut parents: Vec<_> = heads.map(|&at| ledger.at(at).id).collect();
    parents.sort();
    if let Action::Revoke { keep, .. } | Action::Recover(Recovering { keep, .. }) = &mut action
        && *keep == SEEN
    {
        keep.clone_from(&parents);
    }
    let own = known.iter().map(|&at| ledger.at(at)).filter(|entry| entry.entry.author == author);
    let previous = own.max_by_key(|entry| (entry.entry.seq, entry.id));
    let entry = Entry {
        circle: ledger.circle(),
        author,
        seq: previous.map_or(0, |entry| entry.entry.seq + 1),
        previous: previous.map(|entry| entry.id),
        parents,
        lamport: known.iter().map(|&at| ledger.at(at).entry.lamport).max()? + 1,
        claimed_ms: NOW,
        cite: ledger.at(cite).id,
        action,
    };
    let verified = Verified::modelled(entry);
    let fits = ledger.index(&verified.id()).is_none() && ledger.resolve(verified.clone()).is_ok();
    fits.then_some(verified)
}

/// Lists the causally closed sets of entries that hold the base up to some point.
fn closed_pasts(ledger: &Ledger, base: usize) -> Vec<Vec<usize>> {
    let extra: Vec<_> = (base..ledger.entries().len()).collect();
    let mut pasts = Vec::new();
    // The base is one line; these cuts are before and after everybody's admission but the last.
    for cut in [1, 3, 6, base] {
        for choice in 0..1_u32 << extra.len() {
            let chosen = extra.iter().enumerate().filter(|(bit, _)| choice >> bit & 1 == 1);
            let past: Vec<_> = (0..cut).chain(chosen.map(|(_, &at)| at)).collect();
            let holds = |at: usize| past.binary_search(&at).is_ok();
            let closed = past.iter().all(|&at| {
                let before = &ledger.at(at).past;
                (0..ledger.entries().len()).all(|at| !before.contains(at) || holds(at))
            });
            if closed {
                pasts.push(past);
            }
        }
    }
    pasts
}

impl Model for Circle {
    type State = History;
    type Action = Arc<Step>;

    fn init_states(&self) -> Vec<History> {
        vec![self.examine(Vec::new())]
    }

    fn actions(&self, state: &History, actions: &mut Vec<Arc<Step>>) {
        if state.extra.len() == self.extra {
            return;
        }
        let ledger = self.ledger(state.extra.iter());
        let intents = self.intents(&ledger);
        for past in closed_pasts(&ledger, self.base.entries().len()) {
            for (author, action) in RECOVERERS
                .into_iter()
                .flat_map(|author| recoveries(&ledger, &past).map(|action| (author, action)))
            {
                let written =
                    write(&ledger, author, 0, &past, action).map(|verified| Arc::new(Step(verified)));
                let in_order = |step: &Arc<Step>| state.extra.iter().all(|other| other.key() < step.key());
                actions.extend(written.filter(in_order));
            }
            for &cite in &past {
                let Some(grant) = ledger.at(cite).grant else { continue };
                let author = grant.device.as_bytes()[0];
                for intent in &intents {
                    let written = write(&ledger, author, cite, &past, intent.clone());
                    let written = written.map(|verified| Arc::new(Step(verified)));
                    // Entries that know nothing of each other are one history, whichever came first.
                    let in_order =
                        |step: &Arc<Step>| state.extra.iter().all(|other| other.key() < step.key());
                    actions.extend(written.filter(in_order));
                }
            }
        }
    }

    fn next_state(&self, state: &History, step: Arc<Step>) -> Option<History> {
        let mut extra = state.extra.clone();
        extra.push(step);
        Some(self.examine(extra))
    }

    fn properties(&self) -> Vec<Property<Self>> {
        macro_rules! always {
            ($($at:literal),*) => {
                [$(Property::always(PROPERTIES[$at], |_, history: &History| history.broken >> $at & 1 == 0)),*]
            };
        }
        macro_rules! sometimes {
            ($($at:literal),*) => {
                [$(Property::sometimes(REACHED[$at], |_, history: &History| history.seen >> $at & 1 == 1)),*]
            };
        }
        let mut properties: Vec<Property<Self>> = always![0, 1, 2, 3, 4, 5, 6, 7, 8].into();
        properties.extend(sometimes![0, 1, 2, 3, 4]);
        properties
    }
}

impl Circle {
    /// Folds a history and notes which properties it breaks.
    fn examine(&self, extra: Vec<Arc<Step>>) -> History {
        let ledger = self.ledger(extra.iter());
        let verdicts = fold(&ledger);
        let mut held = [true; PROPERTIES.len()];
        held[1] = is_settled(&ledger, &verdicts);
        held[2] = claims::founder_stays(&ledger, &verdicts);
        held[3] = claims::removals_prevail(&ledger, &verdicts);
        held[4] = claims::removals_are_one_way(&ledger);
        held[8] = claims::the_last_recovery_stands(&ledger, &verdicts);
        held[6] = claims::grants_are_junior(&ledger);
        for (at, step) in extra.iter().enumerate() {
            let index = ledger.index(&step.0.id()).unwrap();
            if ledger.entries().iter().any(|entry| entry.past.contains(index)) {
                continue;
            }
            // The history before this entry came, and with it as the last to come.
            let others =
                || extra.iter().enumerate().filter(move |(other, _)| *other != at).map(|(_, step)| step);
            let before = self.ledger(others());
            let mut late = before.clone();
            take(&mut late, step.0.clone());
            let (verdicts_before, verdicts_late) = (fold(&before), fold(&late));
            held[0] &= ledger.entries().iter().enumerate().all(|(index, entry)| {
                verdicts.of(index) == late.index(&entry.id).and_then(|index| verdicts_late.of(index))
            });
            let growth = Growth {
                before: (&before, &verdicts_before),
                after: (&ledger, &verdicts),
                new: ledger.at(index),
            };
            held[5] &= growth.spares_what_was_seen();
            held[7] &= growth.spares_earlier_places();
        }
        let seen = self.reached(&ledger, &verdicts);
        let broken = held.iter().enumerate().filter(|(_, held)| !**held).map(|(at, _)| 1 << at).sum();
        History { extra, broken, seen }
    }

    fn reached(&self, ledger: &Ledger, verdicts: &Verdicts) -> u16 {
        let readmitted = ledger.devices().any(|(_, grants)| {
            let ended = |at: &&usize| verdicts.ended_by(ledger, **at).is_some();
            let live = |at: &&usize| verdicts.is_valid(**at) && !ended(at);
            grants.iter().any(|at| {
                let by = verdicts.ended_by(ledger, *at);
                let knows = |new: &&usize| by.is_some_and(|by| ledger.at(**new).past.contains(by));
                grants.iter().filter(live).any(|new| knows(&new))
            })
        });
        let raced = ledger.at(3).admissions.len() > 1;
        let overridden = (0..ledger.entries().len()).any(|at| {
            let entry = ledger.at(at);
            let revokes = matches!(entry.entry.action, Action::Revoke { .. });
            revokes && entry.unlawful.is_none() && !verdicts.is_valid(at)
        });
        let (mut replaced, mut outdone) = (false, false);
        for &at in ledger.recoveries() {
            replaced |= verdicts.is_valid(at) && ledger.at(at).entry.author == device(RECOVERERS[1]);
            outdone |= !verdicts.is_valid(at);
        }
        u16::from(readmitted)
            | u16::from(raced) << 1
            | u16::from(overridden) << 2
            | u16::from(replaced) << 3
            | u16::from(outdone) << 4
    }
}

#[test]
fn the_rules_hold_in_every_history_of_two_further_entries() {
    let checker = Circle::new(2, false).checker().threads(2).spawn_bfs().join();
    assert!(checker.unique_state_count() > 20_000, "{} histories only", checker.unique_state_count());
    checker.assert_properties();
}

#[test]
#[ignore = "takes minutes: cargo test --release -p hexode-charter three_further -- --ignored"]
fn the_rules_hold_in_every_history_of_three_further_entries() {
    let checker = Circle::new(3, false).checker().threads(2).spawn_bfs().join();
    assert!(checker.unique_state_count() > 1_000_000, "{} histories only", checker.unique_state_count());
    checker.assert_properties();
}

#[test]
fn without_strict_seniority_the_model_finds_what_breaks() {
    let broken = [1, 2, 3, 4].map(|at| PROPERTIES[at]);
    let found = HasDiscoveries::AllOf(broken.into());
    let checker = Circle::new(2, true).checker().threads(2).finish_when(found).spawn_bfs().join();
    for property in broken {
        assert!(checker.discovery(property).is_some(), "{property} was not broken");
    }
}
