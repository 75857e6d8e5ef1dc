//! Two devices that no direct path joins, and a third that both can reach.

use std::time::{Duration, Instant};

use hexode_tunnel::{self as tunnel, ChannelClass, Command, DownReason, Event, LinkId, Remote, Willing};

use crate::{
    harness::*,
    mallory::{Mallory, Mischief},
};

/// Ann has IPv4 only, Ben has IPv6 only, Cara has both.
struct Trio {
    ann: Device,
    ben: Device,
    cara: Device,
}

fn bound(seed: u8, addresses: &[&str]) -> tunnel::Config {
    tunnel::Config { bind: addresses.iter().map(|at| at.parse().unwrap()).collect(), ..config(seed) }
}

/// Brings up the three, with all their links but the one between Ann and Ben.
fn trio() -> Trio {
    trio_of(bound(1, &["127.0.0.1:0"]), bound(2, &["[::1]:0"]), bound(3, &["127.0.0.1:0", "[::1]:0"]))
}

fn trio_of(ann: tunnel::Config, ben: tunnel::Config, cara: tunnel::Config) -> Trio {
    let [ann, ben, cara] = [ann, ben, cara].map(|config| Device::with(config).unwrap());
    ann.allow([&ben.id, &cara.id]);
    ben.allow([&ann.id, &cara.id]);
    cara.allow([&ann.id, &ben.id]);
    Trio { ann, ben, cara }
}

impl Trio {
    fn dial_cara(&self) {
        self.ann.know(&self.cara);
        self.ben.know(&self.cara);
    }
}

#[test]
fn two_who_share_a_member_talk_through_him() {
    let trio = trio();
    let start = Instant::now();
    trio.dial_cara();
    let (to_ben, to_ann) = (trio.ann.until_up(trio.ben.id), trio.ben.until_up(trio.ann.id));
    trio.ann.frame(trio.ben.id, to_ben, *b"hello ben");
    assert_eq!(&*trio.ben.until_frame(), b"hello ben");
    trio.ben.frame(trio.ann.id, to_ann, *b"hello ann");
    assert_eq!(&*trio.ann.until_frame(), b"hello ann");
    eprintln!("after {:?}", start.elapsed());
    let status = trio.ann.snapshot();
    let link = status.links.iter().find(|link| link.device == trio.ben.id).unwrap();
    assert_eq!((link.remote, link.class), (Remote::Member(trio.cara.id), ChannelClass::Member));
    let forwarded = trio.cara.snapshot().forwarded;
    let (one, other) = forwarded[0].pair;
    assert!([one, other].contains(&trio.ann.id) && [one, other].contains(&trio.ben.id));
    assert!(forwarded[0].packets > 5 && forwarded[0].bytes > 5000, "{forwarded:?}");
}

#[test]
fn frames_of_all_sizes_arrive_in_order_through_a_member() {
    let trio = trio();
    trio.dial_cara();
    let link = trio.ann.until_up(trio.ben.id);
    let sizes = [1, 5000, 2, 1 << 20, 3, 70_000, 1 << 20, 1];
    for (n, size) in sizes.into_iter().enumerate() {
        trio.ann.frame(trio.ben.id, link, vec![n as u8; size]);
    }
    for (n, size) in sizes.into_iter().enumerate() {
        let frame = trio.ben.until_frame();
        assert_eq!((frame.len(), frame[0], frame[size - 1]), (size, n as u8, n as u8));
    }
}

#[test]
fn where_a_direct_path_exists_they_move_to_it_and_lose_nothing() {
    // All on one machine, but Ann and Ben do not know each other's addresses.
    let [ann, ben, cara] = [1, 2, 3].map(|seed| bound(seed, &["127.0.0.1:0"]));
    let trio = trio_of(ann, ben, cara);
    trio.dial_cara();
    let (link, _) = (trio.ann.until_up(trio.ben.id), trio.ben.until_up(trio.ann.id));
    let up = Instant::now();
    let (mut sent, mut heard) = (0_u32, 0_u32);
    let moved = loop {
        for _ in 0..50 {
            trio.ann.frame(trio.ben.id, link, sent.to_be_bytes());
            sent += 1;
        }
        while heard < sent {
            assert_eq!(*trio.ben.until_frame(), heard.to_be_bytes(), "in order, none missing");
            heard += 1;
        }
        let status = trio.ann.snapshot();
        let link = status.links.iter().find(|link| link.device == trio.ben.id).unwrap();
        if link.remote == Remote::Address(trio.ben.address) {
            break up.elapsed();
        }
        assert_eq!(link.remote, Remote::Member(trio.cara.id));
        assert!(up.elapsed() < LIMIT);
    };
    eprintln!("moved after {moved:?}, {heard} frames");
    // From here on Cara has nothing to do.
    let before = trio.cara.snapshot().forwarded[0].packets;
    for n in 0..500_u32 {
        trio.ann.frame(trio.ben.id, link, n.to_be_bytes());
    }
    for n in 0..500_u32 {
        assert_eq!(*trio.ben.until_frame(), n.to_be_bytes());
    }
    assert!(trio.cara.snapshot().forwarded[0].packets < before + 50);
}

#[test]
fn an_unwilling_member_is_no_way_to_anybody() {
    let cara = tunnel::Config {
        willing: Willing { on: false, ..Willing::default() },
        ..bound(3, &["127.0.0.1:0", "[::1]:0"])
    };
    let trio = trio_of(bound(1, &["127.0.0.1:0"]), bound(2, &["[::1]:0"]), cara);
    trio.dial_cara();
    trio.ann.until_up(trio.cara.id);
    trio.ben.until_up(trio.cara.id);
    // Willing again, he says so at once.
    assert!(trio.ann.snapshot().unreachable[0].through.is_empty());
    trio.cara.send(Command::Will(Willing::default()));
    trio.ann.until_up(trio.ben.id);
    assert_eq!(trio.cara.snapshot().forwarded.len(), 1);
}

#[test]
fn whoever_leaves_the_roster_is_forwarded_for_no_more() {
    let trio = trio();
    trio.dial_cara();
    trio.ann.until_up(trio.ben.id);
    trio.cara.allow([&trio.ann.id]);
    assert_eq!(trio.ben.until_down(trio.cara.id), DownReason::Refused);
    // Ann and Ben allow each other still, but there is no way left.
    let packets = |trio: &Trio| trio.cara.snapshot().forwarded.iter().map(|pair| pair.packets).sum::<u64>();
    assert_eq!(packets(&trio), 0, "forgotten with the member");
}

/// Ann and Ben, and Mallory between them.
fn with_mallory() -> (Device, Device, Mallory) {
    let [ann, ben] =
        [bound(1, &["127.0.0.1:0"]), bound(2, &["[::1]:0"])].map(|config| Device::with(config).unwrap());
    let (mallory, cara) = (id(3), id(4));
    ann.allow([&ben.id, &mallory, &cara]);
    ben.allow([&ann.id, &mallory, &cara]);
    let mallory = Mallory::between(3, &ann, &ben);
    (ann, ben, mallory)
}

/// Sends frames one way and sees that they all come, in order; two hundred at a time, so that there are packets.
fn all_come(ann: &Device, ben: &Device, link: LinkId) {
    for n in 0..200_u32 {
        ann.frame(ben.id, link, [&n.to_be_bytes()[..], &[7; 3000]].concat());
    }
    for n in 0..200_u32 {
        assert_eq!(ben.until_frame()[..4], n.to_be_bytes());
    }
}

#[test]
fn a_forwarder_who_loses_repeats_reorders_changes_or_floods_harms_no_frame() {
    let (ann, ben, mallory) = with_mallory();
    let (to_ben, to_ann) = (ann.until_up(ben.id), ben.until_up(ann.id));
    for mischief in [
        Mischief::None,
        Mischief::Drop(10),
        Mischief::Repeat,
        Mischief::Reorder,
        Mischief::Corrupt(10),
        Mischief::Delay(Duration::from_millis(40)),
        Mischief::Flood,
    ] {
        mallory.turn(mischief);
        let start = Instant::now();
        all_come(&ann, &ben, to_ben);
        all_come(&ben, &ann, to_ann);
        eprintln!("{mischief:?}: {:?}", start.elapsed());
    }
    assert!(mallory.asked() > 1000);
}

#[test]
fn from_a_forwarder_who_drops_changes_or_holds_back_they_move_to_another_and_name_him() {
    let late = Mischief::Delay(Duration::from_secs(4));
    for mischief in [Mischief::DropAll, Mischief::Drop(50), Mischief::Corrupt(50), late] {
        let (ann, ben, mallory) = with_mallory();
        let link = ann.until_up(ben.id);
        let cara = Device::with(bound(4, &["127.0.0.1:0", "[::1]:0"])).unwrap();
        cara.allow([&ann.id, &ben.id]);
        ann.know(&cara);
        ben.know(&cara);
        ann.until_up(cara.id);
        ben.until_up(ann.id);
        ben.until_up(cara.id);
        mallory.turn(mischief);
        // Ann says something until she is on a link through Cara.
        let start = Instant::now();
        let mut link = Some(link);
        let link = loop {
            for event in ann.so_far() {
                match event {
                    Event::Down { device, .. } if device == ben.id => link = None,
                    Event::Up { device, link: new, .. } if device == ben.id => link = Some(new),
                    _ => {}
                }
            }
            let status = ann.snapshot();
            let now = status.links.iter().find(|link| link.device == ben.id).map(|link| link.remote);
            match (link, now) {
                (Some(link), Some(Remote::Member(member))) if member == cara.id => break link,
                (Some(link), _) => ann.frame(ben.id, link, [7; 1000]),
                (None, _) => {}
            }
            assert!(start.elapsed() < LIMIT, "{status:?}");
        };
        eprintln!("{mischief:?}: moved after {:?}", start.elapsed());
        ann.frame(ben.id, link, *b"last");
        ben.until(|event| match event {
            Event::Frame { bytes, .. } if *bytes == *b"last" => Some(()),
            _ => None,
        });
        let blamed = [&ann, &ben].map(|device| device.snapshot().blamed);
        let names = |(member, peer)| {
            blamed.iter().flatten().any(|blamed| blamed.member == member && blamed.peer == peer)
        };
        assert!(names((id(3), ann.id)) || names((id(3), ben.id)), "{blamed:?}");
        assert!(blamed.iter().flatten().all(|blamed| blamed.member == id(3)), "{blamed:?}");
    }
}
