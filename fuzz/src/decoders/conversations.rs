use std::collections::{BTreeMap, BTreeSet};

use crypto::SigningKey;
use journal::{Act, Beside, Content, Descriptor, Entry, Journal, Membership, SignedRun, Standing, seal_runs};
use wire::{CircleId, DeviceId, MemberId, MessageId, RawEntry, Run, limits};

use super::{Bound, Counter, Decoder, SMALL};

const CIRCLE: CircleId = CircleId::new([7; 32]);

pub(super) fn decoders() -> Vec<Decoder> {
    let ann = SigningKey::from_seed(&[1; 32]);
    let runs = runs(&ann);
    vec![descriptor(&ann), act(&ann), entry(&runs), body(&runs), run(&ann, &runs)]
}

fn descriptor(ann: &SigningKey) -> Decoder {
    let [one, two, three] = [1, 2, 3].map(|id| MemberId::new([id; 32]));
    let name = "Board".parse().expect("a plain name");
    let group =
        Descriptor::group(&CIRCLE, name, one, BTreeSet::from([one, two, three]), ann, &mut Counter(0));
    let all = [Descriptor::Everyone, Descriptor::direct(one, two), Descriptor::direct(one, one), group];
    Decoder {
        name: "descriptor",
        seeds: all.iter().map(|descriptor| descriptor.encode().0).collect(),
        bound: SMALL,
        run: Box::new(|bytes| {
            let Ok(descriptor) = Descriptor::decode(bytes, &CIRCLE) else { return false };
            assert_eq!(descriptor.encode().0, bytes, "a descriptor has one encoding");
            true
        }),
    }
}

/// Acts of a group, of each sort one.
fn act(ann: &SigningKey) -> Decoder {
    let [one, two, three] = [1, 2, 3].map(|id| MemberId::new([id; 32]));
    let members = Ann(DeviceId::new(ann.public()));
    let mut journal = Journal::new(CIRCLE);
    let name = "Board".parse().expect("a plain name");
    let group = Descriptor::group(&CIRCLE, name, one, BTreeSet::from([one, two]), ann, &mut Counter(0));
    let id = journal.open(group);
    let (by, name) = ((ann, 1_700_000_000_000), "Inner board".parse().expect("a plain name"));
    let acts = [
        journal.rename_group(&id, name, by, &members),
        journal.add_to_group(&id, vec![three], true, by, &members),
        journal.remove_from_group(&id, two, by, &members),
        journal.leave_group(&id, by, &members),
    ];
    Decoder {
        name: "act",
        seeds: acts.into_iter().flatten().map(|act| act.0).collect(),
        bound: SMALL,
        run: Box::new(|bytes| Act::decode(&bytes.to_vec().into(), &CIRCLE).is_ok()),
    }
}

fn entry(runs: &[SignedRun]) -> Decoder {
    let raw = runs.iter().flat_map(|run| run.to_wire().entries);
    Decoder {
        name: "entry",
        seeds: raw.map(|raw| wire::encode(&raw)).collect(),
        bound: SMALL,
        run: Box::new(|bytes| {
            let Ok(raw) = wire::decode::<RawEntry>(bytes, limits::FRAME) else { return false };
            let header = raw.header.clone();
            let Ok(entry) = Entry::decode(raw) else { return false };
            if entry.header.beside != Some(Beside::Unknown) {
                assert_eq!(entry.header.encode(), header.0, "a header has one encoding");
            }
            entry.body.is_none() || entry.content().is_some()
        }),
    }
}

fn body(runs: &[SignedRun]) -> Decoder {
    let bodies = runs.iter().flat_map(|run| &run.entries).filter_map(|entry| entry.body.clone());
    Decoder {
        name: "body",
        seeds: bodies.map(|body| body.0).collect(),
        bound: SMALL,
        run: Box::new(|bytes| Content::decode(bytes).is_some()),
    }
}

/// A run as it comes from another device, on a journal that holds the first of Ann's.
fn run(ann: &SigningKey, runs: &[SignedRun]) -> Decoder {
    let device = DeviceId::new(ann.public());
    let members = Ann(device);
    let mut base = Journal::new(CIRCLE);
    base.open(Descriptor::Everyone);
    let mut held: BTreeMap<u64, MessageId> = BTreeMap::new();
    for run in runs.iter().take(1) {
        let placed =
            base.handle_run(run.to_wire(), &device, &members, NOW_MS, |_| None).expect("Ann may speak");
        held.extend(placed.run.entries.iter().map(|entry| (entry.header.seq, entry.id)));
    }
    Decoder {
        name: "run",
        seeds: runs.iter().skip(1).map(|run| wire::encode(&run.to_wire())).collect(),
        bound: Bound { constant: 64 << 10, ..SMALL },
        run: Box::new(move |bytes| {
            let Ok(run) = wire::decode::<Run>(bytes, limits::FRAME) else { return false };
            let mut journal = base.clone();
            let placed = journal.handle_run(run, &device, &members, NOW_MS, |seq| held.get(&seq).copied());
            placed.is_ok()
        }),
    }
}

/// What Ann said: a run of two, one that overlaps it, and one that follows it.
fn runs(ann: &SigningKey) -> Vec<SignedRun> {
    let device = DeviceId::new(ann.public());
    let mut journal = Journal::new(CIRCLE);
    let everyone = journal.open(Descriptor::Everyone);
    let mut entropy = Counter(0);
    let mut write = |text: &str| {
        let content = Content::Text(text.to_owned());
        journal.write(everyone, &device, &content, 1_700_000_000_000, &mut entropy).expect("a short text")
    };
    let (one, two, three) = (write("one"), write("two: Grüße, 王小明"), write(&"three ".repeat(50)));
    [vec![one, two.clone()], vec![two, three.clone()], vec![three]]
        .into_iter()
        .flat_map(|entries| seal_runs(entries, ann))
        .collect()
}

/// A circle of Ann alone.
struct Ann(DeviceId);

impl Membership for Ann {
    fn standing(&self, device: &DeviceId) -> Standing {
        if *device == self.0 { Standing::Live(MemberId::new([1; 32])) } else { Standing::Unknown }
    }
}

const NOW_MS: u64 = 1_800_000_000_000;
