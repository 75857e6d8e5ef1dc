use std::alloc::System;

use peakmem_alloc::{INSTRUMENTED_SYSTEM, PeakMemAlloc, PeakMemAllocTrait};

use super::*;

/// Counts what is allocated.
#[global_allocator]
static ALLOCATOR: &PeakMemAlloc<System> = &INSTRUMENTED_SYSTEM;

const ANN: DeviceId = DeviceId::new([1; 32]);
const BEN: DeviceId = DeviceId::new([2; 32]);
const CARA: DeviceId = DeviceId::new([3; 32]);
const STRANGER: DeviceId = DeviceId::new([9; 32]);

/// Cara's side, with direct links to Ann and Ben, who are in the roster.
fn cara() -> (Forwarding, Arc<Leg>, Arc<Leg>) {
    let cara = Forwarding::new(CARA, Willing::default());
    cara.allow(Arc::new([ANN, BEN].into()));
    let (ann, ben) = (cara.open(ANN, LinkId(1)), cara.open(BEN, LinkId(2)));
    cara.set_direct(&ann, true);
    cara.set_direct(&ben, true);
    (cara, ann, ben)
}

fn packet(course: Course, device: DeviceId) -> Passage {
    Passage { course, device, packet: Bytes::from_static(b"sealed") }
}

fn pop(leg: &Leg) -> Option<Passage> {
    let mut passages = Vec::new();
    leg.take(&mut passages, 1, 0);
    passages.pop()
}

fn arrived(forwarding: &Forwarding) -> Vec<(Through, Vec<u8>)> {
    let mut packets = Vec::new();
    let cx = Context::from_waker(Waker::noop());
    while forwarding
        .poll_arrived(&cx, 8, 1500, |through, packet| packets.push((through, packet.to_vec())))
        .is_ready()
    {}
    packets
}

#[test]
fn a_packet_is_passed_on_under_the_name_of_the_link_it_came_on() {
    let (cara, ann, ben) = cara();
    cara.handle(ANN, [packet(Course::To, BEN)], Instant::now());
    assert_eq!(pop(&ben), Some(packet(Course::From, ANN)));
    assert_eq!(pop(&ann), None);
    let (_, today, pairs) = cara.status();
    assert_eq!((today, pairs.len()), (6, 1));
    assert_eq!((pairs[0].pair, pairs[0].packets, pairs[0].bytes), ((ANN, BEN), 1, 6));
}

#[test]
fn a_packet_that_was_passed_on_goes_no_further() {
    let (cara, ann, ben) = cara();
    cara.handle(ANN, [packet(Course::From, BEN)], Instant::now());
    assert_eq!((pop(&ann), pop(&ben)), (None, None));
    assert_eq!(arrived(&cara), [(Through { member: ANN, peer: BEN }, b"sealed".to_vec())]);
}

#[test]
fn nothing_travels_on_a_link_that_is_forwarded_itself() {
    for (forwarded, direct) in [(ANN, BEN), (BEN, ANN)] {
        let (cara, ann, ben) = cara();
        let leg = if forwarded == ANN { &ann } else { &ben };
        cara.set_direct(leg, false);
        cara.handle(ANN, [packet(Course::To, BEN)], Instant::now());
        cara.handle(forwarded, [packet(Course::From, direct)], Instant::now());
        cara.send(Through { member: forwarded, peer: direct }, b"own", None);
        assert_eq!((pop(&ann), pop(&ben)), (None, None));
        assert!(arrived(&cara).is_empty());
        let all = BTreeSet::from([ANN, BEN]);
        assert!(cara.offer(&ANN, &all).is_empty() && cara.offer(&BEN, &all).is_empty());
    }
}

#[test]
fn nobody_outside_the_roster_is_forwarded_for_or_to() {
    let (cara, _, ben) = cara();
    let stranger = cara.open(STRANGER, LinkId(3));
    cara.set_direct(&stranger, true);
    let now = Instant::now();
    cara.handle(STRANGER, [packet(Course::To, BEN)], now);
    cara.handle(ANN, [packet(Course::To, STRANGER)], now);
    cara.handle(ANN, [packet(Course::From, STRANGER)], now);
    cara.handle(STRANGER, [packet(Course::From, ANN)], now);
    assert_eq!((pop(&ben), pop(&stranger), arrived(&cara).len()), (None, None, 0));
    assert_eq!(cara.offer(&ANN, &[BEN, STRANGER].into()), [BEN].into());
    assert!(cara.offer(&STRANGER, &[BEN].into()).is_empty());
    // Whoever leaves the roster is forwarded for no more, and what is known of him is forgotten.
    cara.handle(ANN, [packet(Course::To, BEN)], now);
    cara.allow(Arc::new([BEN].into()));
    assert!(cara.status().2.is_empty());
    pop(&ben);
    cara.handle(ANN, [packet(Course::To, BEN)], now);
    assert_eq!(pop(&ben), None);
}

#[test]
fn to_oneself_and_in_ones_own_name_nothing_is_passed() {
    let (cara, ann, ben) = cara();
    let now = Instant::now();
    for passage in [
        packet(Course::To, ANN),
        packet(Course::To, CARA),
        packet(Course::From, ANN),
        packet(Course::From, CARA),
    ] {
        cara.handle(ANN, [passage], now);
    }
    assert_eq!((pop(&ann), pop(&ben), arrived(&cara).len()), (None, None, 0));
}

#[test]
fn an_empty_packet_goes_nowhere() {
    let (cara, _, ben) = cara();
    for course in [Course::To, Course::From] {
        cara.handle(ANN, [Passage { packet: Bytes::new(), ..packet(course, BEN) }], Instant::now());
    }
    assert_eq!((pop(&ben), arrived(&cara).len()), (None, 0));
}

#[test]
fn an_unwilling_member_offers_nothing_and_passes_nothing() {
    let (cara, _, ben) = cara();
    assert_eq!(cara.offer(&ANN, &[BEN].into()), [BEN].into());
    cara.will(Willing { on: false, ..Willing::default() });
    assert!(cara.offer(&ANN, &[BEN].into()).is_empty());
    cara.handle(ANN, [packet(Course::To, BEN)], Instant::now());
    assert_eq!(pop(&ben), None);
}

#[test]
fn a_member_who_floods_takes_no_others_place_and_no_more_memory_than_his() {
    let (ann, cara_leg, ben_leg) = {
        let ann = Forwarding::new(ANN, Willing::default());
        ann.allow(Arc::new([BEN, CARA].into()));
        let legs = (ann.open(CARA, LinkId(1)), ann.open(BEN, LinkId(2)));
        ann.set_direct(&legs.0, true);
        ann.set_direct(&legs.1, true);
        (ann, legs.0, legs.1)
    };
    let flood = Passage { course: Course::From, device: BEN, packet: vec![0; 1200].into() };
    for _ in 0..10_000 {
        ann.handle(CARA, [flood.clone()], Instant::now());
    }
    ann.handle(BEN, [packet(Course::From, CARA)], Instant::now());
    let packets = arrived(&ann);
    assert!(packets.len() * 1200 < 300 << 10, "{}", packets.len());
    let place = packets.iter().position(|(through, _)| through.member == BEN);
    assert!(place.is_some_and(|place| place < 4), "{place:?}: does not wait behind the flood");
    assert_eq!((pop(&cara_leg), pop(&ben_leg)), (None, None));
}

#[test]
fn batches_are_cut_into_packets_and_oversized_ones_are_left_out() {
    let (cara, ann, _) = cara();
    cara.send(Through { member: ANN, peer: BEN }, &[7; 2500], Some(1000));
    let lengths: Vec<_> = std::iter::from_fn(|| pop(&ann)).map(|passage| passage.packet.len()).collect();
    assert_eq!(lengths, [1000, 1000, 500]);
    let large = Passage { course: Course::From, device: BEN, packet: vec![0; 1600].into() };
    cara.handle(ANN, [large], Instant::now());
    assert!(arrived(&cara).is_empty());
}

#[test]
fn a_newer_link_is_not_closed_by_the_end_of_the_older() {
    let (cara, old, ben) = cara();
    let new = cara.open(ANN, LinkId(7));
    cara.set_direct(&new, true);
    cara.close(&old);
    cara.handle(BEN, [packet(Course::To, ANN)], Instant::now() + Duration::from_secs(1));
    assert_eq!(pop(&new), Some(packet(Course::From, BEN)));
    cara.close(&new);
    cara.handle(BEN, [packet(Course::To, ANN)], Instant::now());
    assert_eq!((pop(&new), pop(&ben)), (None, None));
}

#[test]
fn where_all_are_too_many_each_member_is_asked_about_others() {
    let (cara, _ann, _ben) = cara();
    let many = (0..2 * limits::FORWARDED).map(|n| {
        let mut id = [7; 32];
        id[..2].copy_from_slice(&(n as u16).to_be_bytes());
        DeviceId::new(id)
    });
    let many: BTreeSet<_> = many.collect();
    cara.allow(Arc::new(many.clone()));
    let [first, last] = [many.first(), many.last()].map(|one| cara.wanted(one.unwrap()));
    let middle = cara.wanted(many.iter().nth(limits::FORWARDED).unwrap());
    assert!([&first, &last, &middle].iter().all(|wanted| wanted.len() == limits::FORWARDED));
    assert_eq!(first.union(&middle).count(), many.len());
}

#[test]
fn a_pair_that_says_nothing_takes_hardly_any_memory() {
    let cara = Forwarding::new(CARA, Willing::default());
    let devices: Vec<_> = (10..50).map(|n| DeviceId::new([n; 32])).collect();
    cara.allow(Arc::new(devices.iter().copied().collect()));
    let legs: Vec<_> = devices.iter().map(|device| cara.open(*device, LinkId(1))).collect();
    legs.iter().for_each(|leg| cara.set_direct(leg, true));
    ALLOCATOR.reset_peak_memory();
    let mut pairs = 0;
    for (from, one) in devices.iter().enumerate() {
        for (to, other) in devices.iter().enumerate().filter(|(to, _)| *to != from) {
            let packet = Passage { course: Course::To, device: *other, packet: vec![7; 1200].into() };
            cara.handle(*one, [packet], Instant::now());
            assert!(pop(&legs[to]).is_some());
            pairs += usize::from(from < to);
        }
    }
    assert_eq!(cara.status().2.len(), pairs);
    let each = ALLOCATOR.get_peak_memory() / pairs;
    eprintln!("{each} bytes for each of {pairs} pairs");
    assert!(each < 4096, "{each} bytes for each of {pairs} pairs");
}
