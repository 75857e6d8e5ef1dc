use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::{Descriptor, Membership, Standing};

const CIRCLE: CircleId = CircleId::new([7; 32]);

/// Six people with one device each; of the first three the founding knows.
struct People(Vec<SigningKey>);

impl People {
    fn new() -> Self {
        Self((1..=6u8).map(|seed| SigningKey::from_seed(&[seed; 32])).collect())
    }

    fn device(&self, who: usize) -> DeviceId {
        DeviceId::new(self.0[who].public())
    }

    fn log(&self) -> (Log, ConversationId) {
        let name = "Board".parse().unwrap();
        let members = BTreeSet::from([member(0), member(1), member(2)]);
        let group =
            Descriptor::group(&CIRCLE, name, member(0), members, &self.0[0], &mut crate::tests::Counter(0));
        let id = group.id(&CIRCLE);
        let Descriptor::Group(founding) = group else { unreachable!("a group") };
        (Log::new(founding), id)
    }
}

impl Membership for People {
    fn standing(&self, device: &DeviceId) -> Standing {
        let who = (0..self.0.len()).find(|who| self.device(*who) == *device);
        who.map_or(Standing::Unknown, |who| Standing::Live(member(who)))
    }
}

fn member(who: usize) -> MemberId {
    MemberId::new([who as u8 + 1; 32])
}

/// One act that somebody may write, in numbers: by whom, knowing which, under which of his grants, doing what.
#[derive(Debug, Clone)]
struct Draft {
    who: usize,
    knows: Vec<prop::sample::Index>,
    grant: prop::sample::Index,
    deed: usize,
    whom: usize,
}

fn draft() -> impl Strategy<Value = Draft> {
    let knows = prop::collection::vec(any::<prop::sample::Index>(), 0..4);
    (0..6usize, knows, any::<prop::sample::Index>(), 0..8usize, 0..6usize)
        .prop_map(|(who, knows, grant, deed, whom)| Draft { who, knows, grant, deed, whom })
}

/// Writes what the drafts say, with any past and any grant that an author could cite, so every backdating too.
fn history(people: &People, drafts: &[Draft]) -> (Log, ConversationId) {
    let (mut log, id) = people.log();
    for draft in drafts {
        let known: BTreeSet<ActId> = match log.acts.len() {
            0 => BTreeSet::new(),
            _ => draft.knows.iter().map(|index| index.get(&log.acts).id).collect(),
        };
        let parents: Vec<_> = known.into_iter().collect();
        let of = |parent: &ActId| log.acts.iter().find(|taken| taken.id == *parent).unwrap();
        let lamport = parents.iter().map(|parent| of(parent).act.lamport).max().unwrap_or(0) + 1;
        let own: Vec<_> = log.grants().filter(|grant| grant.member == member(draft.who)).collect();
        if own.is_empty() {
            continue;
        }
        let cite = draft.grant.get(&own).issuer.map_or(ActId::new([0; 32]), |issuer| log.acts[issuer].id);
        let deed = match draft.deed {
            0 => Deed::Rename(format!("name {}", draft.whom).parse().unwrap()),
            1..4 => Deed::Add { members: vec![member(draft.whom)], after: draft.whom as u64 },
            4..7 => Deed::Remove { member: member(draft.whom), heads: Vec::new() },
            _ => Deed::Leave { heads: Vec::new() },
        };
        let act = Act {
            group: id,
            author: people.device(draft.who),
            member: member(draft.who),
            parents,
            lamport,
            claimed_ms: 0,
            cite,
            deed,
        };
        // What no device takes is no part of any history.
        let _ = log.take(id, &CIRCLE, &act.sign(&CIRCLE, &people.0[draft.who]), people);
    }
    (log, id)
}

proptest! {
    /// The same acts, the same group: in whatever order they come, some of them twice, those that wait asked for again.
    #[test]
    fn who_belongs_depends_on_the_set_of_acts_alone(
        drafts in prop::collection::vec(draft(), 0..24),
        order in prop::collection::vec(any::<prop::sample::Index>(), 24),
    ) {
        let people = People::new();
        let (log, id) = history(&people, &drafts);
        let mut blobs = log.blobs();
        for (at, index) in order.iter().enumerate().take(blobs.len()) {
            let other = index.index(blobs.len());
            blobs.swap(at, other);
        }
        blobs.extend(blobs.clone().into_iter().take(3));
        let (mut other, _) = people.log();
        for _ in 0..=blobs.len() {
            for blob in &blobs {
                prop_assert!(other.take(id, &CIRCLE, blob, &people).is_ok());
            }
        }
        prop_assert_eq!(other.digest(), log.digest());
        prop_assert_eq!(other.fold(&people), log.fold(&people));
    }

    /// Nobody but himself ends the founder's place, and no grant is as senior as the one it was given under.
    #[test]
    fn nobody_removes_the_founder_or_rises_above_who_brought_him_in(drafts in prop::collection::vec(draft(), 0..24)) {
        let people = People::new();
        // Unless he leaves by himself.
        let drafts: Vec<_> = drafts.into_iter().filter(|draft| draft.who != 0 || draft.deed < 7).collect();
        let (log, _) = history(&people, &drafts);
        prop_assert!(log.fold(&people).members.contains_key(&member(0)));
        for grant in log.grants() {
            if let Some(issuer) = grant.issuer {
                prop_assert!(grant.level > log.acts[issuer].level);
            }
        }
    }

    /// A removal that counts makes void whatever its target does that the remover had not seen, on however old a past.
    #[test]
    fn who_is_removed_does_nothing_more_whatever_past_he_forges(
        drafts in prop::collection::vec(draft(), 0..24),
        after in prop::collection::vec(draft(), 1..8),
    ) {
        let people = People::new();
        // Leaving voids nothing: who left by himself may still date back to before that.
        let drafts: Vec<_> = drafts.into_iter().filter(|draft| draft.deed < 7).collect();
        let (mut log, id) = history(&people, &drafts);
        let roster = log.fold(&people);
        let Some(target) = (1..6).map(member).find(|target| roster.may_remove(&member(0), target)) else {
            return Ok(());
        };
        let deed = Deed::Remove { member: target, heads: Vec::new() };
        log.write(id, &CIRCLE, (deed, 0), &people.0[0], &people).unwrap();
        let mut his = after;
        his.iter_mut().for_each(|draft| draft.who = usize::from(target.as_bytes()[0]) - 1);
        let (before, known) = (log.fold(&people), log.acts.len());
        prop_assert!(!before.members.contains_key(&target));
        // He writes on, on any of the acts of before; the founder's removal he never heard of.
        let mut all = log.clone();
        for draft in &his {
            let parents: BTreeSet<_> = draft.knows.iter().map(|at| log.acts[at.index(known)].id).collect();
            let lamport = parents.iter().map(|id| log.acts.iter().find(|t| t.id == *id).unwrap().act.lamport);
            let lamport = lamport.max().unwrap_or(0) + 1;
            let own: Vec<_> = log.grants().filter(|grant| grant.member == target).collect();
            let cite = draft.grant.get(&own).issuer.map_or(ActId::new([0; 32]), |issuer| log.acts[issuer].id);
            let act = Act {
                group: id, author: people.device(draft.who), member: target, lamport, claimed_ms: 1, cite,
                parents: parents.into_iter().collect(),
                deed: Deed::Add { members: vec![member(draft.whom)], after: 0 },
            };
            let _ = all.take(id, &CIRCLE, &act.sign(&CIRCLE, &people.0[draft.who]), &people);
        }
        let after = all.fold(&people);
        prop_assert_eq!(after.members, before.members);
    }
}

#[test]
fn who_is_taken_out_may_be_brought_in_again() {
    let people = People::new();
    let (mut log, id) = people.log();
    let mut act = |who: usize, deed| {
        log.write(id, &CIRCLE, (deed, 0), &people.0[who], &people).map(|_| log.fold(&people))
    };
    let add = |whom| Deed::Add { members: vec![member(whom)], after: 9 };
    let remove = |whom| Deed::Remove { member: member(whom), heads: Vec::new() };
    assert_eq!(act(1, add(3)).unwrap().members[&member(3)].level, 2);
    assert!(matches!(act(1, remove(2)), Err(GroupError::NotSenior)), "founding members are equals");
    assert!(act(2, remove(3)).unwrap().gone.contains_key(&member(3)), "any founding member is senior to him");
    assert!(matches!(act(3, add(4)), Err(GroupError::NotInGroup)));
    let again = act(0, add(3)).unwrap();
    assert_eq!((again.members[&member(3)].level, again.members[&member(3)].after), (1, 9));
    assert!(again.gone.is_empty() && again.void.is_empty());
    let left = act(3, Deed::Leave { heads: Vec::new() }).unwrap();
    assert_eq!(left.gone[&member(3)].by, member(3));
}

#[test]
fn two_who_remove_at_the_same_time_do_not_both_go() {
    let people = People::new();
    let (mut log, id) = people.log();
    log.write(id, &CIRCLE, (Deed::Add { members: vec![member(3)], after: 0 }, 0), &people.0[1], &people)
        .unwrap();
    let mut theirs = log.clone();
    let remove = |whom| Deed::Remove { member: member(whom), heads: Vec::new() };
    let add = Deed::Add { members: vec![member(4)], after: 0 };
    let one = log.write(id, &CIRCLE, (remove(3), 0), &people.0[2], &people).unwrap();
    let other = theirs.write(id, &CIRCLE, (add, 0), &people.0[3], &people).unwrap();
    assert_eq!(log.take(id, &CIRCLE, &other, &people), Ok(Take::New));
    assert_eq!(theirs.take(id, &CIRCLE, &one, &people), Ok(Take::New));
    let roster = log.fold(&people);
    assert_eq!(roster, theirs.fold(&people));
    assert!(!roster.members.contains_key(&member(4)), "what the remover had not seen is void");
    assert_eq!(roster.void.len(), 1);
}

#[test]
fn a_group_of_256_agrees_and_takes_no_more() {
    let people = People::new();
    let (mut log, id) = people.log();
    let many = |from: u16, to: u16| {
        let mut all: Vec<_> =
            (from..to).map(|at| MemberId::new(crypto::hash("many", &[&at.to_be_bytes()]))).collect();
        all.sort();
        Deed::Add { members: all, after: 0 }
    };
    let mut other = log.clone();
    let one = log.write(id, &CIRCLE, (many(0, 200), 0), &people.0[0], &people).unwrap();
    let two = other.write(id, &CIRCLE, (many(200, 400), 0), &people.0[1], &people).unwrap();
    log.take(id, &CIRCLE, &two, &people).unwrap();
    other.take(id, &CIRCLE, &one, &people).unwrap();
    let roster = log.fold(&people);
    assert_eq!(roster.members.len(), limits::GROUP);
    assert_eq!(roster, other.fold(&people));
    assert!(roster.members.contains_key(&member(2)), "the most senior stay");
}

#[test]
fn one_device_cannot_fill_the_log_and_the_founder_can_always_remove_who_tries() {
    let people = People::new();
    let (mut log, id) = people.log();
    let mut full: BTreeMap<usize, usize> = BTreeMap::new();
    for who in [1, 2] {
        for at in 0..2 * limits::GROUP_ACTS {
            let deed = Deed::Rename(format!("{at}").parse().unwrap());
            match log.write(id, &CIRCLE, (deed, 0), &people.0[who], &people) {
                Ok(_) => *full.entry(who).or_default() += 1,
                Err(error) => {
                    assert_eq!(error, GroupError::Act(ActError::Full));
                    break;
                }
            }
        }
    }
    assert!(full.values().all(|written| *written < limits::GROUP_ACTS / 4), "{full:?}");
    let remove = Deed::Remove { member: member(1), heads: Vec::new() };
    log.write(id, &CIRCLE, (remove, 0), &people.0[0], &people).unwrap();
    assert!(log.fold(&people).gone.contains_key(&member(1)));
}

#[test]
fn an_act_that_was_altered_or_is_of_another_circle_is_refused() {
    let people = People::new();
    let (mut log, id) = people.log();
    let blob = log.write(id, &CIRCLE, (Deed::Leave { heads: Vec::new() }, 0), &people.0[1], &people).unwrap();
    assert!(Act::decode(&blob, &CIRCLE).is_ok());
    assert_eq!(Act::decode(&blob, &CircleId::new([8; 32])), Err(ActError::Signature));
    for at in 0..blob.0.len() {
        let mut altered = blob.clone();
        altered.0[at] ^= 1;
        assert!(Act::decode(&altered, &CIRCLE).is_err(), "{at}");
    }
}
