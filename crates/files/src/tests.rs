//! Whole fetches, with holders that are honest, slow, partial, gone or lying. Virtual time.

use std::{collections::BTreeMap, time::Duration};

use proptest::prelude::*;
use wire::{CircleId, DeviceId, FileId, limits};

use crate::{
    Answer, ChunkMap, Fault, Fetch, Output, TreeBuilder, Want, check_chunk,
    tree::{chunk_hash, file_id, part_hash},
};

const CIRCLE: CircleId = CircleId::new([7; 32]);

/// A file whose chunks are short to make, and the lists that belong to it.
struct Source {
    id: FileId,
    size: u64,
    top: Vec<u8>,
    part: Vec<u8>,
    chunks: u64,
}

impl Source {
    fn new(chunks: u64) -> Self {
        let mut tree = TreeBuilder::new(CIRCLE);
        for index in 0..chunks {
            assert!(tree.chunk(&chunk(index, chunks)).is_none());
        }
        let built = tree.finish();
        Self { id: built.id, size: built.size, top: built.top, part: built.last.unwrap_or_default(), chunks }
    }

    fn answer(&self, want: Want) -> Vec<u8> {
        match want {
            Want::Top => self.top.clone(),
            Want::Part(_) => self.part.clone(),
            Want::Chunk(index) => chunk(index, self.chunks),
        }
    }
}

/// The last chunk is short.
fn chunk(index: u64, chunks: u64) -> Vec<u8> {
    let len = if index + 1 == chunks { 1000 } else { limits::FILE_CHUNK };
    let mut bytes = vec![0; len];
    bytes[..8].copy_from_slice(&index.to_be_bytes());
    bytes
}

/// How a holder behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manner {
    Honest,
    /// Changes a byte of this chunk.
    Lies(u64),
    /// Sends another list than it was asked for.
    WrongList,
    /// Goes away after so many answers.
    Leaves(usize),
    /// Never answers.
    Silent,
    /// Answers twice.
    Repeats,
}

struct Peer {
    manner: Manner,
    map: ChunkMap,
    answered: usize,
}

/// Runs a fetch until it is done or nobody can help; returns it, what each holder sent, and who was dropped why.
fn run(
    source: &Source,
    held: ChunkMap,
    peers: Vec<(Manner, ChunkMap)>,
) -> (Fetch, BTreeMap<DeviceId, u64>, Vec<(DeviceId, Fault)>) {
    let mut now = Duration::ZERO;
    let mut fetch = Fetch::new(CIRCLE, source.id, source.size, held).unwrap();
    let mut peers: BTreeMap<_, _> = (1..)
        .zip(peers)
        .map(|(at, (manner, map))| (DeviceId::new([at; 32]), Peer { manner, map, answered: 0 }))
        .collect();
    let (mut sent, mut dropped) = (BTreeMap::new(), Vec::new());
    let devices: Vec<_> = peers.keys().copied().collect();
    for device in devices {
        assert!(fetch.handle_holder(device, now));
        let map = peers[&device].map.encode();
        fetch.handle_answer(device, Answer::Map, map, now);
    }
    let mut done = false;
    for _ in 0..10_000 {
        let Some(output) = fetch.poll_output() else {
            match fetch.poll_timeout() {
                Some(at) if !done => {
                    now = at;
                    fetch.handle_timeout(now);
                    continue;
                }
                _ => return (fetch, sent, dropped),
            }
        };
        now += Duration::from_millis(1);
        match output {
            Output::Ask { holder, want } => {
                let Some(peer) = peers.get_mut(&holder) else { continue };
                if let Want::Chunk(index) = want {
                    assert!(peer.map.contains(index), "asked for what it does not have");
                }
                let mut bytes = source.answer(want);
                match peer.manner {
                    Manner::Silent => continue,
                    Manner::Leaves(after) if peer.answered == after => {
                        peers.remove(&holder);
                        fetch.handle_gone(&holder, now);
                        continue;
                    }
                    Manner::Lies(index) if want == Want::Chunk(index) => bytes[9] ^= 1,
                    Manner::WrongList if !matches!(want, Want::Chunk(_)) => bytes[0] ^= 1,
                    _ => {}
                }
                peer.answered += 1;
                *sent.entry(holder).or_default() += u64::from(matches!(want, Want::Chunk(_)));
                fetch.handle_answer(holder, Answer::Wanted(want), bytes.clone(), now);
                if peer.manner == Manner::Repeats {
                    fetch.handle_answer(holder, Answer::Wanted(want), bytes, now);
                }
            }
            Output::Check { holder, index, expected, bytes } => {
                let right = check_chunk(&CIRCLE, expected, bytes).is_ok();
                fetch.handle_checked(holder, index, right, now);
            }
            Output::Keep { .. } => {}
            Output::Drop { holder, fault } => dropped.push((holder, fault)),
            Output::Done => done = true,
        }
    }
    panic!("it comes to no end");
}

fn device(at: u8) -> DeviceId {
    DeviceId::new([at; 32])
}

#[test]
fn a_file_comes_from_one_holder_and_each_chunk_once() {
    let source = Source::new(9);
    let (fetch, sent, dropped) = run(&source, ChunkMap::default(), vec![(Manner::Honest, ChunkMap::full(9))]);
    assert_eq!(fetch.held(), &ChunkMap::full(9));
    assert_eq!((sent[&device(1)], dropped.len()), (9, 0));
}

#[test]
fn an_empty_file_needs_nothing_but_its_list() {
    let source = Source::new(0);
    let (fetch, sent, _) = run(&source, ChunkMap::default(), vec![(Manner::Honest, ChunkMap::default())]);
    assert!(!fetch.waits(), "it is done");
    assert!(sent.values().all(|chunks| *chunks == 0));
}

#[test]
fn what_is_held_is_not_asked_for_again() {
    let source = Source::new(9);
    let mut held = ChunkMap::full(4);
    held.insert(7);
    let (fetch, sent, _) = run(&source, held, vec![(Manner::Honest, ChunkMap::full(9))]);
    assert_eq!((fetch.held().count(), sent[&device(1)]), (9, 4));
}

#[test]
fn three_holders_share_the_work() {
    let source = Source::new(30);
    let all = || (Manner::Honest, ChunkMap::full(30));
    let (fetch, sent, _) = run(&source, ChunkMap::default(), vec![all(), all(), all()]);
    assert_eq!(fetch.held().count(), 30);
    assert_eq!(sent.values().sum::<u64>(), 30, "none came twice");
    assert!(sent.values().all(|chunks| *chunks >= 8), "{sent:?}");
}

#[test]
fn a_holder_with_wrong_bytes_is_named_and_banned_and_the_others_go_on() {
    let source = Source::new(12);
    // Whoever is asked for the third chunk depends on the order of asking; not the second, who lacks it.
    let mut second = ChunkMap::full(12);
    second.remove(3);
    let peers = vec![
        (Manner::Lies(3), ChunkMap::full(12)),
        (Manner::Honest, second),
        (Manner::Honest, ChunkMap::full(12)),
    ];
    let (mut fetch, _, dropped) = run(&source, ChunkMap::default(), peers);
    assert_eq!(fetch.held().count(), 12);
    assert!(dropped.is_empty() || dropped == [(device(1), Fault::WrongBytes)]);
    let (alone, _, dropped) = run(&source, ChunkMap::default(), vec![(Manner::Lies(3), ChunkMap::full(12))]);
    assert_eq!(dropped, [(device(1), Fault::WrongBytes)]);
    assert!(alone.is_banned(&device(1)) && alone.waits() && !alone.held().contains(3));
    assert!(!{ alone }.handle_holder(device(1), Duration::ZERO), "it is not asked again");
    assert!(fetch.handle_holder(device(9), Duration::ZERO));
}

#[test]
fn a_wrong_list_bans_too() {
    let source = Source::new(3);
    let peers = vec![(Manner::WrongList, ChunkMap::full(3)), (Manner::Honest, ChunkMap::full(3))];
    let (fetch, _, dropped) = run(&source, ChunkMap::default(), peers);
    assert_eq!(dropped, [(device(1), Fault::WrongBytes)]);
    assert_eq!(fetch.held().count(), 3);
}

#[test]
fn who_answers_what_was_not_asked_is_banned() {
    let source = Source::new(3);
    let peers = vec![(Manner::Repeats, ChunkMap::full(3)), (Manner::Honest, ChunkMap::full(3))];
    let (fetch, _, dropped) = run(&source, ChunkMap::default(), peers);
    assert_eq!(dropped, [(device(1), Fault::Misspoke)]);
    assert_eq!(fetch.held().count(), 3);
}

#[test]
fn a_silent_holder_holds_nobody_up() {
    let source = Source::new(9);
    let peers = vec![(Manner::Silent, ChunkMap::full(9)), (Manner::Honest, ChunkMap::full(9))];
    let (fetch, _, _) = run(&source, ChunkMap::default(), peers);
    assert_eq!(fetch.held().count(), 9);
}

#[test]
fn a_holder_that_says_again_and_again_what_it_has_and_sends_nothing_holds_nobody_up() {
    let source = Source::new(9);
    let mut fetch = Fetch::new(CIRCLE, source.id, source.size, ChunkMap::default()).unwrap();
    for at in [1, 2] {
        fetch.handle_holder(device(at), Duration::ZERO);
        fetch.handle_answer(device(at), Answer::Map, ChunkMap::full(9).encode(), Duration::ZERO);
    }
    let mut asked = Vec::new();
    for now in (5..60).step_by(5).map(Duration::from_secs) {
        fetch.handle_answer(device(1), Answer::Map, ChunkMap::full(9).encode(), now);
        fetch.handle_timeout(now);
        asked.extend(std::iter::from_fn(|| fetch.poll_output()));
    }
    let of = |at| Output::Ask { holder: device(at), want: Want::Top };
    assert!(asked.contains(&of(1)) && asked.contains(&of(2)), "{asked:?}");
}

#[test]
fn without_anybody_who_has_the_rest_it_waits() {
    let source = Source::new(9);
    let (mut fetch, _, _) = run(&source, ChunkMap::default(), vec![(Manner::Honest, ChunkMap::full(5))]);
    assert!(fetch.waits() && fetch.held() == &ChunkMap::full(5));
    // The one that answers has got more meanwhile, and says so.
    fetch.handle_answer(device(1), Answer::Map, ChunkMap::full(6).encode(), Duration::ZERO);
    let asked = Output::Ask { holder: device(1), want: Want::Chunk(5) };
    assert_eq!(fetch.poll_output(), Some(asked));
    assert!(!fetch.waits());
    fetch.handle_answer(device(1), Answer::Not, Vec::new(), Duration::ZERO);
    let dropped = Output::Drop { holder: device(1), fault: Fault::HoldsNothing };
    assert_eq!(fetch.poll_output(), Some(dropped));
    assert!(fetch.handle_holder(device(1), Duration::ZERO), "it may have it later");
}

#[test]
fn what_is_under_way_of_one_holder_is_less_than_a_mebibyte() {
    let source = Source::new(9);
    let mut fetch = Fetch::new(CIRCLE, source.id, source.size, ChunkMap::default()).unwrap();
    fetch.recall(Want::Top, &source.top).unwrap();
    fetch.recall(Want::Part(0), &source.part).unwrap();
    fetch.handle_holder(device(1), Duration::ZERO);
    fetch.handle_answer(device(1), Answer::Map, ChunkMap::full(9).encode(), Duration::ZERO);
    let asked = std::iter::from_fn(|| fetch.poll_output()).count();
    assert!(asked >= 2 && asked * limits::FILE_CHUNK < 1 << 20, "{asked}");
}

/// The holder has the first chunk of each of 100 parts and of none more.
#[test]
fn a_holder_of_a_little_of_every_part_does_not_fill_the_memory_with_lists() {
    let parts = 100;
    let size = parts * (limits::FILE_PART * limits::FILE_CHUNK) as u64;
    let first = |part: u64| part.to_be_bytes().repeat(limits::FILE_CHUNK / 8);
    let list = |part: u64| {
        let mut list = vec![part as u8; limits::FILE_PART * 32];
        list[..32].copy_from_slice(&chunk_hash(&CIRCLE, &first(part)));
        list
    };
    let top: Vec<u8> = (0..parts).flat_map(|part| part_hash(&CIRCLE, &list(part))).collect();
    let mut fetch = Fetch::new(CIRCLE, file_id(&CIRCLE, size, &top), size, ChunkMap::default()).unwrap();
    let mut map = ChunkMap::default();
    for part in 0..parts {
        map.insert(part * limits::FILE_PART as u64);
    }
    fetch.handle_holder(device(1), Duration::ZERO);
    fetch.handle_answer(device(1), Answer::Map, map.encode(), Duration::ZERO);
    let mut most = 0;
    while let Some(output) = fetch.poll_output() {
        most = most.max(fetch.lists().held_parts().count());
        match output {
            Output::Ask { holder, want } => {
                let bytes = match want {
                    Want::Top => top.clone(),
                    Want::Part(part) => list(part),
                    Want::Chunk(index) => first(index / limits::FILE_PART as u64),
                };
                fetch.handle_answer(holder, Answer::Wanted(want), bytes, Duration::ZERO);
            }
            Output::Check { holder, index, expected, bytes } => {
                let right = check_chunk(&CIRCLE, expected, bytes).is_ok();
                fetch.handle_checked(holder, index, right, Duration::ZERO);
            }
            Output::Keep { .. } | Output::Done => {}
            Output::Drop { fault, .. } => panic!("{fault}"),
        }
    }
    assert_eq!(fetch.held().count(), parts);
    assert!(most <= 64, "{most} lists");
}

fn manner() -> impl Strategy<Value = Manner> {
    prop_oneof![
        4 => Just(Manner::Honest),
        1 => (0..12u64).prop_map(Manner::Lies),
        1 => Just(Manner::WrongList),
        1 => (0..6usize).prop_map(Manner::Leaves),
        1 => Just(Manner::Silent),
        1 => Just(Manner::Repeats),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever the others do: with one honest holder of everything the file is whole, and the honest are never banned.
    #[test]
    fn one_honest_holder_is_enough(
        others in prop::collection::vec((manner(), 0..13u64), 0..4),
        held in prop::collection::btree_set(0..12u64, 0..12),
    ) {
        let source = Source::new(12);
        let mut map = ChunkMap::default();
        held.into_iter().for_each(|index| { map.insert(index); });
        let mut peers: Vec<_> = others.into_iter().map(|(manner, upto)| (manner, ChunkMap::full(upto))).collect();
        peers.push((Manner::Honest, ChunkMap::full(12)));
        let manners: Vec<_> = peers.iter().map(|(manner, _)| *manner).collect();
        let (fetch, _, dropped) = run(&source, map, peers);
        prop_assert_eq!(fetch.held().count(), 12);
        for (holder, fault) in dropped {
            let manner = manners[usize::from(holder.as_bytes()[0]) - 1];
            prop_assert!(manner != Manner::Honest, "{fault}");
        }
    }
}
