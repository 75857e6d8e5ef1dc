//! Random histories of a circle in which some deceive, and what must hold of all of them (T1 to T9).

use std::collections::BTreeMap;

use proptest::prelude::*;
use wire::{Blob, EntryId};

use super::{
    claims::{self, Growth},
    world::{HOUR, NOW, Person, ann_with_sheets, key, meet, name},
};
use crate::{
    Action, Charter, Invitation, Keep, Method, Newcomer, PublicKey, Received, Recovering, Role, Sheet,
    Subject, Target,
    fold::{fold, is_settled},
    ledger::Ledger,
};

/// What somebody does next; the numbers pick among those there are.
#[derive(Debug, Clone)]
enum Step {
    Invite {
        who: usize,
        role: Option<Role>,
    },
    Admit {
        who: usize,
        invitation: usize,
    },
    Hear {
        who: usize,
        whom: usize,
    },
    Remove {
        who: usize,
        whom: usize,
        member: bool,
        undo: bool,
    },
    Role {
        who: usize,
        whom: usize,
        role: Role,
    },
    Leave {
        who: usize,
    },
    Recover {
        who: usize,
        again: bool,
    },
    Verify {
        who: usize,
        whom: usize,
        back: bool,
    },
    Rename {
        who: usize,
        subject: Subject,
    },
    Withdraw {
        who: usize,
        invitation: usize,
    },
    /// An entry upon any past of which its author knows, under any grant he ever had.
    Forge {
        who: usize,
        knowing: Vec<usize>,
        act: Forgery,
        whom: usize,
        cite: usize,
    },
}

#[derive(Debug, Clone, Copy)]
enum Forgery {
    Invite,
    Admit,
    Grant(Role),
    Revoke,
    RevokeAll,
    RevokeMember,
    Leave,
    Withdraw,
    Recover(u16),
}

struct World {
    people: Vec<Person>,
    invitations: Vec<Invitation>,
    sheets: Vec<Sheet>,
}

impl World {
    fn new() -> Self {
        let (mut ann, sheets) = ann_with_sheets(2, 3);
        let mut ben = ann.bring(2, Role::Admin);
        let mut cara = ben.bring(3, Role::Admin);
        ann.hear(&cara);
        let mut dan = ann.bring(4, Role::Member);
        meet(&mut [&mut ann, &mut ben, &mut cara, &mut dan]);
        Self { people: vec![ann, ben, cara, dan], invitations: Vec::new(), sheets }
    }

    /// Does what can be done; a command that is refused does nothing.
    fn take(&mut self, step: &Step) {
        let count = self.people.len();
        let seed = count as u8 + 1;
        match *step {
            Step::Invite { who, role } => {
                let newcomer = role.map_or(Newcomer::OwnDevice, Newcomer::Other);
                self.invitations.extend(self.people[who % count].invite(newcomer));
            }
            Step::Admit { who, invitation } => {
                let Some(invitation) = pick(&self.invitations, invitation).cloned() else { return };
                let admitted = self.people[who % count].admit(seed, &invitation);
                self.people.extend(admitted);
            }
            Step::Hear { who, whom } => {
                let heard = self.people[whom % count].clone();
                self.people[who % count].hear(&heard);
            }
            Step::Remove { who, whom, member, undo } => {
                let whom = self.people[whom % count].id();
                let Person { key, charter } = &mut self.people[who % count];
                let keep = if undo { Keep::Only(Vec::new()) } else { Keep::Seen };
                let target = charter.roster().device(&whom).map(|device| device.member);
                let _ = match target {
                    Some(target) if member => charter.remove_member(target, keep, key, NOW),
                    _ => charter.remove_device(whom, keep, key, NOW),
                };
            }
            Step::Role { who, whom, role } => {
                let whom = self.people[whom % count].id();
                let Person { key, charter } = &mut self.people[who % count];
                let _ = charter.change_role(whom, role, key, NOW);
            }
            Step::Leave { who } => {
                let Person { key, charter } = &mut self.people[who % count];
                let _ = charter.leave(key, NOW);
            }
            Step::Recover { who, again } => {
                let which = if again { &self.sheets[1..] } else { &self.sheets[..2] };
                let _ = self.people[who % count].recover(which);
            }
            Step::Verify { who, whom, back } => {
                let whom = self.people[whom % count].id();
                let Person { key, charter } = &mut self.people[who % count];
                let _ = charter.verify(whom, (!back).then_some(Method::Words), key, NOW);
            }
            Step::Rename { who, subject } => {
                let Person { key, charter } = &mut self.people[who % count];
                let _ = charter.rename(subject, name(&format!("name {seed}")), key, NOW);
            }
            Step::Withdraw { who, invitation } => {
                let Some(id) = pick(&self.invitations, invitation).map(Invitation::id) else { return };
                let Person { key, charter } = &mut self.people[who % count];
                let _ = charter.withdraw(id, key, NOW);
            }
            Step::Forge { who, ref knowing, act, whom, cite } => {
                self.forge(who % count, knowing, act, whom, cite);
            }
        }
    }

    fn forge(&mut self, who: usize, knowing: &[usize], act: Forgery, whom: usize, cite: usize) {
        let count = self.people.len();
        let target = self.people[whom % count].id();
        let author = &self.people[who];
        let ledger = &author.charter.ledger;
        let grants = ledger.grants(Target::Device(author.id()));
        let Some(&cite) = pick(grants, cite) else { return };
        let known = knowing.iter().filter_map(|&at| pick(ledger.entries(), at)).map(|entry| entry.id);
        let mut parents: Vec<EntryId> = known.chain([ledger.at(cite).id]).collect();
        parents.sort();
        parents.dedup();
        let of = pick(ledger.grants(Target::Device(target)), whom).map(|&at| ledger.at(at));
        let member = of.and_then(|of| of.grant).map(|grant| grant.member);
        let invitation = pick(&self.invitations, whom);
        let action = match act {
            Forgery::Invite => Some(Action::Invite {
                public: PublicKey::new([9; 32]),
                role: Role::Member,
                expires_ms: NOW + HOUR,
                for_member: None,
            }),
            Forgery::Admit => invitation.map(|invitation| {
                let redemption = invitation.redeem(&key(count as u8 + 100), name("Eve"), name("phone"));
                Action::Admit(redemption.admission().clone())
            }),
            Forgery::Grant(role) => of.map(|of| Action::Grant { of: of.id, role }),
            Forgery::Revoke => Some(Action::Revoke { target: Target::Device(target), keep: parents.clone() }),
            Forgery::RevokeAll => Some(Action::Revoke { target: Target::Device(target), keep: Vec::new() }),
            Forgery::RevokeMember => {
                member.map(|member| Action::Revoke { target: Target::Member(member), keep: parents.clone() })
            }
            Forgery::Recover(generation) => {
                let keep = if whom.is_multiple_of(2) { parents.clone() } else { Vec::new() };
                let recovering =
                    Recovering { generation, device: name("new"), keep, next: None, signatures: Vec::new() };
                let action = Action::Recover(recovering);
                let forged = author.forge_recovery(&parents, action, &self.sheets[..2]);
                let _ = self.people[who].charter.handle_entry(forged);
                return;
            }
            Forgery::Leave => Some(Action::Leave),
            Forgery::Withdraw => {
                invitation.map(|invitation| Action::Withdraw { invitation: invitation.id() })
            }
        };
        let Some(action) = action else { return };
        let forged = author.forge(&parents, author.charter.ledger.at(cite).id, action);
        let _ = self.people[who].charter.handle_entry(forged);
    }

    /// Returns all entries that anybody holds, parents first.
    fn entries(&self) -> Vec<Blob> {
        let mut all = BTreeMap::new();
        for person in &self.people {
            for entry in person.charter.ledger.entries() {
                all.insert((entry.entry.lamport, entry.id), entry.blob.clone());
            }
        }
        all.into_values().collect()
    }
}

fn pick<T>(items: &[T], at: usize) -> Option<&T> {
    items.get(at.checked_rem(items.len())?)
}

fn role() -> impl Strategy<Value = Role> {
    prop_oneof![Just(Role::Admin), Just(Role::Member), Just(Role::Guest)]
}

fn step() -> impl Strategy<Value = Step> {
    let at = || 0..60_usize;
    let subject = prop_oneof![Just(Subject::Circle), Just(Subject::Member), Just(Subject::Device)];
    let forgery = prop_oneof![
        Just(Forgery::Invite),
        Just(Forgery::Admit),
        role().prop_map(Forgery::Grant),
        Just(Forgery::Revoke),
        Just(Forgery::RevokeAll),
        Just(Forgery::RevokeMember),
        Just(Forgery::Leave),
        Just(Forgery::Withdraw),
        (1..4_u16).prop_map(Forgery::Recover),
    ];
    prop_oneof![
        3 => (at(), prop::option::of(role())).prop_map(|(who, role)| Step::Invite { who, role }),
        4 => (at(), at()).prop_map(|(who, invitation)| Step::Admit { who, invitation }),
        4 => (at(), at()).prop_map(|(who, whom)| Step::Hear { who, whom }),
        3 => (at(), at(), any::<bool>(), any::<bool>())
            .prop_map(|(who, whom, member, undo)| Step::Remove { who, whom, member, undo }),
        2 => (at(), at(), role()).prop_map(|(who, whom, role)| Step::Role { who, whom, role }),
        1 => at().prop_map(|who| Step::Leave { who }),
        1 => (at(), any::<bool>()).prop_map(|(who, again)| Step::Recover { who, again }),
        1 => (at(), at(), any::<bool>()).prop_map(|(who, whom, back)| Step::Verify { who, whom, back }),
        1 => (at(), subject).prop_map(|(who, subject)| Step::Rename { who, subject }),
        1 => (at(), at()).prop_map(|(who, invitation)| Step::Withdraw { who, invitation }),
        5 => (at(), prop::collection::vec(at(), 0..4), forgery, at(), at())
            .prop_map(|(who, knowing, act, whom, cite)| Step::Forge { who, knowing, act, whom, cite }),
    ]
}

fn history() -> impl Strategy<Value = Vec<Step>> {
    prop::collection::vec(step(), 1..30)
}

fn world(steps: &[Step]) -> World {
    let mut world = World::new();
    steps.iter().for_each(|step| world.take(step));
    world
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// T1: the circle is a function of the set of entries.
    #[test]
    fn whatever_the_order_and_however_often_the_circle_is_the_same(
        steps in history(),
        weights in prop::collection::vec(any::<u16>(), 400),
    ) {
        let world = world(&steps);
        let entries = world.entries();
        let circle = world.people[0].charter.circle();
        let mut shuffled: Vec<_> = entries.iter().chain(&entries).zip(&weights).collect();
        shuffled.sort_by_key(|(_, weight)| **weight);
        let mut mixed = Charter::awaiting(circle);
        let mut stored = Vec::new();
        for (blob, _) in shuffled {
            stored.extend(mixed.handle_entry(blob.clone()).unwrap());
        }
        prop_assert!(!mixed.lacks_parents());
        prop_assert_eq!(stored.len(), entries.len());
        let straight = Charter::restore(circle, entries).unwrap();
        let stored = stored.into_iter().map(|accepted| accepted.blob);
        let restored = Charter::restore(circle, stored).unwrap();
        for other in [&straight, &restored] {
            prop_assert_eq!(mixed.digest(), other.digest());
            prop_assert_eq!(mixed.roster(), other.roster());
            prop_assert_eq!(mixed.roster().digest(), other.roster().digest());
        }
    }

    /// T2 to T9, after every single entry.
    #[test]
    fn the_rules_hold_whoever_deceives(steps in history()) {
        let world = world(&steps);
        let mut ledger = Ledger::new(world.people[0].charter.circle());
        let mut verdicts = fold(&ledger);
        for blob in world.entries() {
            let verified = Received::decode(&blob).unwrap().verify().unwrap();
            let before = ledger.clone();
            let new = ledger.resolve(verified).unwrap();
            let index = ledger.append(new);
            let after = fold(&ledger);
            let new = ledger.at(index);
            let growth = Growth { before: (&before, &verdicts), after: (&ledger, &after), new };
            prop_assert!(growth.spares_what_was_seen(), "T6");
            prop_assert!(growth.spares_earlier_places(), "T8");
            prop_assert!(is_settled(&ledger, &after), "T2");
            verdicts = after;
        }
        prop_assert!(claims::founder_stays(&ledger, &verdicts), "T3");
        prop_assert!(claims::the_last_recovery_stands(&ledger, &verdicts), "T10");
        prop_assert!(claims::removals_prevail(&ledger, &verdicts), "T4, T9");
        prop_assert!(claims::removals_are_one_way(&ledger), "T5");
        prop_assert!(claims::grants_are_junior(&ledger), "T7");
    }

    /// Two devices that meet hold the same afterwards, and nobody sends what the other told of.
    #[test]
    fn who_meets_agrees(steps in history(), pair in (0..20_usize, 0..20_usize)) {
        let world = world(&steps);
        let mut one = world.people[pair.0 % world.people.len()].clone();
        let mut other = world.people[pair.1 % world.people.len()].clone();
        meet(&mut [&mut one, &mut other]);
        prop_assert!(one.charter.missing_for(&other.charter.have()).is_empty());
    }
}
