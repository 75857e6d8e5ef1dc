//! Three devices of three members, no clock but the test's, seeded randomness.

use std::collections::{BTreeMap, BTreeSet};

use crypto::{Entropy, SigningKey};
use proptest::prelude::*;
use wire::{
    ChainHead, CircleId, ConversationId, DeviceId, EntryId, MemberId, MessageId, RawEntry, Run, limits,
};

use crate::{
    Chain, Content, ContentError, Descriptor, DescriptorError, Ends, Entry, Header, Journal, Membership,
    RunError, SignedRun, Standing, Vouched, WriteError, seal_runs,
};

const CIRCLE: CircleId = CircleId::new([7; 32]);
const NOW_MS: u64 = 1_700_000_000_000;

/// Counts up: the same bytes in every run.
pub(crate) struct Counter(pub(crate) u8);

impl Entropy for Counter {
    fn fill(&mut self, out: &mut [u8]) {
        for byte in out {
            self.0 = self.0.wrapping_add(1);
            *byte = self.0;
        }
    }
}

#[derive(Clone, Default)]
struct Members(BTreeMap<DeviceId, Standing>);

impl Membership for Members {
    fn standing(&self, device: &DeviceId) -> Standing {
        self.0.get(device).copied().unwrap_or(Standing::Unknown)
    }
}

/// One device with its journal and what a vault would hold.
struct Device {
    key: SigningKey,
    id: DeviceId,
    member: MemberId,
    now_ms: u64,
    journal: Journal,
    entropy: Counter,
    held: BTreeMap<(ConversationId, DeviceId, u64), MessageId>,
    runs: Vec<SignedRun>,
    timeline: Vec<(u64, DeviceId, u64, String)>,
}

impl Device {
    fn new(number: u8) -> Self {
        let key = SigningKey::from_seed(&[number; 32]);
        let id = DeviceId::new(key.public());
        let member = MemberId::new([number; 32]);
        let mut journal = Journal::new(CIRCLE);
        journal.open(Descriptor::Everyone);
        Self {
            key,
            id,
            member,
            now_ms: NOW_MS,
            journal,
            entropy: Counter(number),
            held: BTreeMap::new(),
            runs: Vec::new(),
            timeline: Vec::new(),
        }
    }

    fn everyone(&self) -> ConversationId {
        Descriptor::Everyone.id(&CIRCLE)
    }

    fn writes(&mut self, texts: &[&str]) -> Vec<SignedRun> {
        let everyone = self.everyone();
        let entries = texts
            .iter()
            .map(|text| {
                let content = Content::Text((*text).to_owned());
                self.journal.write(everyone, &self.id, &content, 1000, &mut self.entropy).unwrap()
            })
            .collect();
        let runs = seal_runs(entries, &self.key);
        runs.iter().for_each(|run| self.store(run.clone()));
        runs
    }

    fn store(&mut self, run: SignedRun) {
        for entry in &run.entries {
            let header = &entry.header;
            let text = match entry.content() {
                Some(Content::Text(text)) => text,
                Some(other) => panic!("{other:?}"),
                None => "(no body)".into(),
            };
            self.held.insert((header.conversation, header.author, header.seq), entry.id);
            self.timeline.push((header.lamport, header.author, header.seq, text));
        }
        self.timeline.sort();
        self.runs.push(run);
    }

    fn takes(&mut self, run: Run, from: DeviceId, members: &Members) -> Result<(), RunError> {
        let (everyone, held) = (self.everyone(), &self.held);
        let author = Entry::decode(run.entries[0].clone())?.header.author;
        let placed = self.journal.handle_run(run, &from, members, self.now_ms, |seq| {
            held.get(&(everyone, author, seq)).copied()
        })?;
        self.store(placed.run);
        Ok(())
    }
}

/// Ann, Ben and Cara, who know each other.
fn trio() -> (Device, Device, Device, Members) {
    let trio = (Device::new(1), Device::new(2), Device::new(3));
    let members = [&trio.0, &trio.1, &trio.2].map(|device| (device.id, Standing::Live(device.member)));
    (trio.0, trio.1, trio.2, Members(members.into()))
}

#[test]
fn what_one_writes_the_other_reads_in_the_same_order() {
    let (mut ann, mut ben, _, members) = trio();
    for run in ann.writes(&["one", "two"]) {
        ben.takes(run.to_wire(), ann.id, &members).unwrap();
    }
    for run in ben.writes(&["three"]) {
        ann.takes(run.to_wire(), ben.id, &members).unwrap();
    }
    assert_eq!(ann.timeline, ben.timeline);
    assert_eq!(
        ann.timeline.iter().map(|(.., text)| text.as_str()).collect::<Vec<_>>(),
        ["one", "two", "three"]
    );
    assert_eq!(ann.journal.frontier(&ann.everyone()), ben.journal.frontier(&ben.everyone()));
}

#[test]
fn one_signature_covers_a_run_and_long_runs_are_cut() {
    let (mut ann, mut ben, _, members) = trio();
    let texts = vec!["x"; limits::RUN + 10];
    let runs = ann.writes(&texts);
    assert_eq!(runs.iter().map(|run| run.entries.len()).collect::<Vec<_>>(), [limits::RUN, 10]);
    for run in &runs {
        ben.takes(run.to_wire(), ann.id, &members).unwrap();
    }
    let big = "y".repeat(limits::TEXT);
    let runs = ann.writes(&[big.as_str(); 9]);
    assert!(runs.len() >= 3, "9 × 64 KiB in runs of at most 256 KiB");
    assert!(runs.iter().all(|run| run.to_wire().weight() <= limits::RUN_BYTES + limits::BODY));
}

#[test]
fn a_repetition_is_known_and_an_overlap_adds_only_what_is_new() {
    let (mut ann, mut ben, _, members) = trio();
    let first = ann.writes(&["one"]).remove(0);
    let second = ann.writes(&["two"]).remove(0);
    let both = SignedRun {
        entries: first.entries.iter().chain(&second.entries).cloned().collect(),
        signature: second.signature,
    };
    ben.takes(first.to_wire(), ann.id, &members).unwrap();
    ben.takes(both.to_wire(), ann.id, &members).unwrap();
    assert_eq!(ben.takes(both.to_wire(), ann.id, &members), Err(RunError::Known));
    assert_eq!(ben.takes(first.to_wire(), ann.id, &members), Err(RunError::Known));
    assert_eq!(ben.timeline, ann.timeline);
}

#[test]
fn a_gap_is_named_and_nothing_is_placed() {
    let (mut ann, mut ben, _, members) = trio();
    ann.writes(&["one"]);
    let second = ann.writes(&["two"]).remove(0);
    let refused = ben.takes(second.to_wire(), ann.id, &members);
    assert_eq!(refused, Err(RunError::Gap { conversation: ann.everyone(), author: ann.id, held: 0 }));
    assert_eq!(ben.timeline, []);
}

#[test]
fn any_member_carries_what_another_wrote() {
    let (mut ann, mut ben, mut cara, members) = trio();
    let run = ann.writes(&["one"]).remove(0);
    ben.takes(run.to_wire(), ann.id, &members).unwrap();
    cara.takes(ben.runs[0].to_wire(), ben.id, &members).unwrap();
    assert_eq!(cara.timeline, ann.timeline);
}

#[test]
fn strangers_and_non_participants_neither_write_nor_carry() {
    let (mut ann, mut ben, _, mut members) = trio();
    let run = ann.writes(&["one"]).remove(0).to_wire();
    let stranger = DeviceId::new([99; 32]);
    assert_eq!(ben.takes(run.clone(), stranger, &members), Err(RunError::SenderMayNot));
    members.0.remove(&ann.id);
    assert_eq!(ben.takes(run.clone(), ann.id, &members), Err(RunError::SenderMayNot));
    assert_eq!(ben.takes(run, ben.id, &members), Err(RunError::AuthorMayNot));
}

#[test]
fn a_removed_author_is_heard_only_through_members_who_had_heard_him() {
    let (mut ann, mut ben, cara, mut members) = trio();
    let run = ann.writes(&["before he was removed"]).remove(0).to_wire();
    members.0.insert(ann.id, Standing::Removed(ann.member));
    assert_eq!(ben.takes(run.clone(), ann.id, &members), Err(RunError::SenderMayNot));
    assert_eq!(ben.takes(run, cara.id, &members), Ok(()));
}

/// One member's devices, each of which removed the one before it.
struct Line(u64);

impl Line {
    fn device(at: u64) -> DeviceId {
        DeviceId::new(numbered(at))
    }

    fn place(device: &DeviceId) -> u64 {
        u64::from_be_bytes(device.as_bytes()[..8].try_into().unwrap())
    }
}

impl Membership for Line {
    fn standing(&self, device: &DeviceId) -> Standing {
        let member = MemberId::new([1; 32]);
        if Self::place(device) < self.0 { Standing::Removed(member) } else { Standing::Live(member) }
    }

    fn removal(&self, device: &DeviceId) -> Option<(EntryId, DeviceId)> {
        let at = Self::place(device);
        (at < self.0).then(|| (EntryId::new(numbered(at)), Self::device(at + 1)))
    }

    fn has_removed(&self, by: &DeviceId, entry: &EntryId) -> bool {
        let at = u64::from_be_bytes(entry.as_bytes()[..8].try_into().unwrap());
        at < self.0 && *entry == EntryId::new(numbered(at)) && *by == Self::device(at + 1)
    }
}

fn numbered(at: u64) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&at.to_be_bytes());
    bytes
}

#[test]
fn a_long_line_of_devices_that_removed_each_other_is_walked_and_takes_no_stack() {
    let line = Line(20_000);
    let mut journal = Journal::new(CIRCLE);
    let everyone = journal.open(Descriptor::Everyone);
    for at in 0..line.0 {
        let held = Chain { len: 3, head: [1; 32], lamport: 1, forked: false };
        journal.restore(&everyone, Line::device(at), held);
        let heads = vec![ChainHead { author: Line::device(at), seq: 1, hash: [2; 32] }];
        // One said it behind the end of his own chain.
        let seq = if at == 9_999 { 2 } else { 0 };
        let ends = Ends { removal: EntryId::new(numbered(at)), heads };
        assert!(journal.note_ends(&everyone, (Line::device(at + 1), seq), &ends, &line));
    }
    let ended = journal.refold(&line);
    assert_eq!(ended.len(), 20_000);
    for chain in ended {
        let len = if chain.author == Line::device(9_999) { 3 } else { 2 };
        assert_eq!(chain.len, Some(len));
    }
}

#[test]
fn what_is_said_of_ends_by_others_than_the_remover_is_not_kept() {
    let line = Line(5);
    let mut journal = Journal::new(CIRCLE);
    let everyone = journal.open(Descriptor::Everyone);
    let untouched = journal.clone();
    let head = |at| ChainHead { author: Line::device(at), seq: 1, hash: [2; 32] };
    for at in 0..100 {
        let none = Ends { removal: EntryId::new([at as u8; 32]), heads: vec![head(at)] };
        assert!(!journal.note_ends(&everyone, (Line::device(3), at), &none, &line), "no such removal");
        let others = Ends { removal: EntryId::new(numbered(2)), heads: vec![head(2)] };
        assert!(!journal.note_ends(&everyone, (Line::device(4 + at), at), &others, &line), "not his");
    }
    assert_eq!(journal, untouched);
    // Nor does the remover end other chains than those of whom he removed so.
    let ends = |heads| Ends { removal: EntryId::new(numbered(2)), heads };
    let mut plain = journal.clone();
    assert!(plain.note_ends(&everyone, (Line::device(3), 7), &ends(vec![head(2)]), &line));
    assert!(journal.note_ends(
        &everyone,
        (Line::device(3), 7),
        &ends(vec![head(1), head(2), head(9)]),
        &line
    ));
    assert_eq!(journal, plain);
}

#[test]
fn forged_altered_and_reordered_runs_are_refused() {
    let (mut ann, mut ben, _, members) = trio();
    let good = ann.writes(&["one", "two"]).remove(0).to_wire();

    let mut forged = good.clone();
    forged.signature = Device::new(2).writes(&["x"]).remove(0).signature;
    assert_eq!(ben.takes(forged, ann.id, &members), Err(RunError::Signature));

    let mut altered = good.clone();
    altered.entries[0].body.as_mut().unwrap().0[20] ^= 1;
    assert!(matches!(ben.takes(altered, ann.id, &members), Err(RunError::Decode(_))));

    let mut swapped = good.clone();
    swapped.entries.swap(0, 1);
    assert_eq!(ben.takes(swapped, ann.id, &members), Err(RunError::Broken));

    let mut cut = good.clone();
    cut.entries.pop();
    assert_eq!(ben.takes(cut, ann.id, &members), Err(RunError::Signature));

    assert_eq!(ben.takes(good, ann.id, &members), Ok(()));
}

#[test]
fn times_rise_from_one_run_to_the_next() {
    let (mut ann, mut ben, _, members) = trio();
    let first = ann.writes(&["one"]).remove(0);
    let second = ann.writes(&["two"]).remove(0).entries.remove(0);
    let at = |lamport| {
        let header = Header { lamport, ..second.header.clone() };
        let raw = RawEntry { header: header.encode().into(), body: second.body.clone() };
        seal_runs(vec![Entry::decode(raw).unwrap()], &ann.key).remove(0)
    };
    ben.takes(first.to_wire(), ann.id, &members).unwrap();
    for lamport in [0, 1] {
        assert_eq!(ben.takes(at(lamport).to_wire(), ann.id, &members), Err(RunError::Broken));
    }
    // What is taken run by run can be joined for the next reader.
    ben.takes(at(2).to_wire(), ann.id, &members).unwrap();
    let joined = SignedRun { entries: [first.entries, at(2).entries].concat(), signature: at(2).signature };
    assert_eq!(Device::new(3).takes(joined.to_wire(), ben.id, &members), Ok(()));
}

#[test]
fn a_fork_is_proven_kept_apart_and_the_chain_trusted_no_more() {
    let (mut ann, mut ben, _, members) = trio();
    let mut copy = Device::new(1);
    let first = ann.writes(&["one"]).remove(0);
    copy.takes(first.to_wire(), ann.id, &members).unwrap();
    ben.takes(first.to_wire(), ann.id, &members).unwrap();
    let two = ann.writes(&["two"]).remove(0);
    let other = copy.writes(&["zwei", "drei"]).remove(0);
    ben.takes(two.to_wire(), ann.id, &members).unwrap();
    let Err(RunError::Forked(fork)) = ben.takes(other.to_wire(), ann.id, &members) else { panic!("a fork") };
    assert_eq!((fork.seq, fork.held), (1, two.entries[0].id));
    assert_eq!(fork.other.entries[0].id, other.entries[0].id);
    let more = ann.writes(&["three"]).remove(0);
    assert_eq!(ben.takes(more.to_wire(), ann.id, &members), Err(RunError::ForkKnown));
    assert_eq!(ben.timeline.len(), 2);
}

#[test]
fn an_entry_without_its_body_keeps_its_place_and_the_chain_goes_on() {
    let (mut ann, mut ben, cara, members) = trio();
    let first = ann.writes(&["what she took back", "two"]).remove(0).to_wire();
    let mut erased = first.clone();
    let body = erased.entries[0].body.take().unwrap();
    ben.takes(erased, cara.id, &members).unwrap();
    ben.takes(ann.writes(&["three"]).remove(0).to_wire(), ann.id, &members).unwrap();
    assert_eq!(ben.journal.frontier(&ben.everyone()), ann.journal.frontier(&ann.everyone()));
    let texts: Vec<_> = ben.timeline.iter().map(|(.., text)| text.as_str()).collect();
    assert_eq!(texts, ["(no body)", "two", "three"]);
    // Its header says which body is the right one, should somebody have it.
    let header = Header::decode(&first.entries[0].header.0).unwrap();
    assert!(header.commits_to(&body.0));
    assert!(!header.commits_to(&first.entries[1].body.as_ref().unwrap().0));
}

impl Device {
    /// Counts on from a time that nobody wrote at.
    fn leaps_to(&mut self, lamport: u64) -> SignedRun {
        let (everyone, nobody) = (self.everyone(), DeviceId::new([9; 32]));
        let nothing = Chain { len: 0, head: [0; 32], lamport: lamport - 1, forked: false };
        self.journal.restore(&everyone, nobody, nothing);
        self.writes(&["far on"]).remove(0)
    }
}

#[test]
fn a_time_that_has_not_come_is_not_taken_and_spoils_no_order() {
    let (mut ann, mut ben, mut cara, members) = trio();
    let everyone = ann.everyone();
    let latest = NOW_MS + limits::AHEAD_MS;
    // Ann's program counts on from times of its own.
    let run = ann.leaps_to(latest + 5);
    let refused = ben.takes(run.to_wire(), ann.id, &members);
    assert_eq!(refused, Err(RunError::Ahead { conversation: everyone, from_ms: NOW_MS + 5 }));
    assert_eq!(ben.journal.len(&everyone, &ann.id), 0);
    let [before] = ben.writes(&["one"]).try_into().unwrap();
    assert!(before.entries[0].header.lamport < 10);
    cara.takes(before.to_wire(), ben.id, &members).unwrap();

    ben.now_ms += 5;
    ben.takes(run.to_wire(), ann.id, &members).unwrap();
    let after = ben.writes(&["two"]).remove(0);
    assert!(after.entries[0].header.lamport > latest + 5, "it stands below what Ben had read");
    let last = ann.leaps_to(1 << 53);
    assert!(matches!(ben.takes(last.to_wire(), ann.id, &members), Err(RunError::Ahead { .. })));
}

/// Ann's chain forks: Ben holds one end of it, Cara the other, on which Ann leaps as far as she can.
#[test]
fn who_refuses_a_forked_chain_still_takes_what_others_wrote_on_top_of_it() {
    let (mut ann, mut ben, mut cara, members) = trio();
    let mut copied = Device::new(1);
    let half = copied.writes(&["for Ben"]).remove(0);
    ben.takes(half.to_wire(), ann.id, &members).unwrap();
    for lamport in [1 << 30, 1 << 40, NOW_MS + limits::AHEAD_MS] {
        let run = ann.leaps_to(lamport);
        cara.takes(run.to_wire(), ann.id, &members).unwrap();
        assert!(matches!(
            ben.takes(run.to_wire(), cara.id, &members),
            Err(RunError::Forked(_) | RunError::ForkKnown)
        ));
    }
    let on_top = cara.writes(&["what now?"]).remove(0);
    // A moment later; where nobody waits, the time comes by itself.
    ben.now_ms += 1;
    ben.takes(on_top.to_wire(), cara.id, &members).unwrap();
}

proptest! {
    /// Who may leap how far is decided by the clock alone, so it is the same for all, in whatever order it came.
    #[test]
    fn what_is_taken_of_those_who_leap_is_the_same_in_any_order(
        leaps in prop::collection::vec((0..3usize, 1..limits::AHEAD_MS / 3), 1..8),
        order in prop::collection::vec(any::<prop::sample::Index>(), 8),
    ) {
        let members = trio().3;
        let mut writers = [Device::new(1), Device::new(2), Device::new(3)];
        let everyone = writers[0].everyone();
        let (mut time, mut runs) = (NOW_MS, Vec::new());
        for (who, leap) in leaps {
            time += leap;
            runs.push(writers[who].leaps_to(time));
        }
        let take_all = |runs: &[SignedRun]| {
            let mut reader = Device::new(3);
            for _ in 0..=runs.len() {
                for run in runs {
                    let author = run.entries[0].header.author;
                    let _ = reader.takes(run.to_wire(), author, &members);
                }
            }
            reader.journal.frontier(&everyone)
        };
        let mut turned = runs.clone();
        for (at, index) in order.iter().enumerate().take(turned.len()) {
            turned.swap(at, index.index(runs.len()));
        }
        prop_assert_eq!(take_all(&runs), take_all(&turned));
    }
}

#[test]
fn one_founder_does_not_fill_the_journal_with_groups() {
    let (ann, mut ben, _, _) = trio();
    let both = BTreeSet::from([ann.member, ben.member]);
    let (mut entropy, mut number) = (Counter(0), 0);
    let mut group = |founder: &Device| {
        number += 1;
        let name = format!("Board {number}").parse().unwrap();
        Descriptor::group(&CIRCLE, name, founder.member, both.clone(), &founder.key, &mut entropy)
    };
    let first = group(&ann);
    ben.journal.open(first.clone());
    for _ in 1..limits::GROUPS {
        let next = group(&ann);
        assert!(ben.journal.has_room_for(&next));
        ben.journal.open(next);
    }
    assert!(!ben.journal.has_room_for(&group(&ann)));
    assert!(ben.journal.has_room_for(&first), "what is known stays");
    let own = group(&ben);
    assert!(ben.journal.has_room_for(&own) && ben.journal.has_room_for(&Descriptor::Everyone));
}

#[test]
fn a_text_of_64_kib_passes_and_one_byte_more_does_not() {
    let mut ann = Device::new(1);
    let everyone = ann.everyone();
    let mut write = |len| {
        let content = Content::Text("x".repeat(len));
        ann.journal.write(everyone, &ann.id, &content, 0, &mut ann.entropy).map(|entry| entry.header.seq)
    };
    assert_eq!(write(limits::TEXT), Ok(0));
    assert_eq!(
        write(limits::TEXT + 1),
        Err(WriteError::Content(ContentError::TextTooLong { found: limits::TEXT + 1 }))
    );
    assert_eq!(write(0), Ok(1));
}

#[test]
fn a_group_is_what_its_founder_signed() {
    let (ann, ben, cara, members) = trio();
    let both = BTreeSet::from([ann.member, ben.member]);
    let name = "Board".parse().unwrap();
    let group = Descriptor::group(&CIRCLE, name, ann.member, both, &ann.key, &mut Counter(0));
    assert!(group.includes(&ben.member) && !group.includes(&cara.member) && group.stands(&members));
    assert_eq!(Descriptor::decode(&group.encode().0, &CIRCLE), Ok(group.clone()));
    let elsewhere = CircleId::new([8; 32]);
    assert_eq!(Descriptor::decode(&group.encode().0, &elsewhere), Err(DescriptorError::Signature));
    let Descriptor::Group(mut founding) = group else { panic!("a group") };
    founding.members.insert(cara.member);
    let widened = Descriptor::Group(founding);
    assert_eq!(Descriptor::decode(&widened.encode().0, &CIRCLE), Err(DescriptorError::Signature));
    let others = BTreeSet::from([ben.member, cara.member]);
    let name = "Theirs".parse().unwrap();
    let not_hers = Descriptor::group(&CIRCLE, name, ann.member, others, &ann.key, &mut Counter(0));
    assert_eq!(Descriptor::decode(&not_hers.encode().0, &CIRCLE), Err(DescriptorError::Founder));
    assert!(!not_hers.stands(&members));
}

#[test]
fn a_direct_conversation_is_the_same_from_both_sides() {
    let (ann, ben) = (MemberId::new([1; 32]), MemberId::new([2; 32]));
    assert_eq!(Descriptor::direct(ann, ben).id(&CIRCLE), Descriptor::direct(ben, ann).id(&CIRCLE));
    let wrong = wire::encode(&Descriptor::Direct(ben, ann));
    assert_eq!(Descriptor::decode(&wrong, &CIRCLE), Err(DescriptorError::Order));
}

proptest! {
    /// Whatever order and however often runs arrive, devices that end with the same entries end alike.
    #[test]
    fn order_and_repetition_of_arrival_do_not_matter(
        writers in proptest::collection::vec(0..2usize, 1..20),
        arrivals in proptest::collection::vec(any::<proptest::sample::Index>(), 0..60),
    ) {
        let (mut ann, mut ben, mut cara, members) = trio();
        let mut runs: Vec<(DeviceId, Run)> = Vec::new();
        for (number, writer) in writers.iter().enumerate() {
            let text = number.to_string();
            let (from, to) = if *writer == 0 { (&mut ann, &mut ben) } else { (&mut ben, &mut ann) };
            let run = from.writes(&[&text]).remove(0).to_wire();
            to.takes(run.clone(), from.id, &members).unwrap();
            runs.push((from.id, run));
        }
        for at in arrivals {
            let (from, run) = at.get(&runs);
            let _ = cara.takes(run.clone(), *from, &members);
        }
        for (from, run) in &runs {
            let _ = cara.takes(run.clone(), *from, &members);
        }
        prop_assert_eq!(&cara.timeline, &ann.timeline);
        prop_assert_eq!(&ben.timeline, &ann.timeline);
        prop_assert_eq!(cara.journal.frontier(&cara.everyone()), ann.journal.frontier(&ann.everyone()));
    }

    #[test]
    fn mutated_runs_never_panic_and_never_place_what_was_not_signed(at in any::<proptest::sample::Index>(), bit in 0..8u8) {
        let (mut ann, mut ben, _, members) = trio();
        let good = ann.writes(&["one", "two"]).remove(0).to_wire();
        let mut bytes = wire::encode(&good);
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        if let Ok(run) = wire::decode::<Run>(&bytes, limits::FRAME) && !run.entries.is_empty() {
            prop_assert!(run == good || ben.journal.handle_run(run, &ann.id, &members, NOW_MS, |_| None).is_err());
        }
    }
}

#[test]
fn a_signature_checked_ahead_counts_for_its_own_run_only() {
    let (mut ann, mut ben, _, members) = trio();
    let runs: Vec<_> =
        ann.writes(&["one"]).iter().chain(&ann.writes(&["two"])).map(SignedRun::to_wire).collect();
    let mut forged = runs[1].clone();
    forged.signature.0[7] ^= 1;

    let vouched = Vouched::check(&[runs[0].clone(), forged.clone()]);
    let mut takes = |run: &Run| {
        ben.journal.handle_vouched_run(run.clone(), &vouched, &ann.id, &members, NOW_MS, |_| None).map(drop)
    };
    assert_eq!(takes(&runs[0]), Ok(()));
    assert_eq!(takes(&forged), Err(RunError::Signature), "what does not hold is not vouched for");
    assert_eq!(takes(&runs[1]), Ok(()), "what nobody looked at ahead is checked when it is placed");
}
