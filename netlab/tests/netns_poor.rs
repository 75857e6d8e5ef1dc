//! Tunnels over lines that are slow, long, narrow or lossy. Needs root, `ip` and `nft`; run by the nextest profile
//! `netns`.

#![allow(clippy::unwrap_used, reason = "a test that does not hold should say where")]

use std::{net::SocketAddr, time::Duration};

use hexode_netlab::{Device, Lab, Line, Space, Tap, allow_each_other};

/// Ann and Ben, who reaches her over a line.
struct World {
    // Dropped before the namespaces.
    ann: Device,
    ben: Device,
    ann_space: Space,
    ben_space: Space,
    _net: Space,
}

impl World {
    fn new(prepare: impl Fn(&Space), there: Line, back: Line) -> Self {
        let lab = Lab::new();
        let (net, ann_space, ben_space) =
            (lab.router("net").unwrap(), lab.space("ann").unwrap(), lab.space("ben").unwrap());
        ann_space.cable("eth", "10.1.0.2/24", &net, "ann", "10.1.0.1/24").unwrap();
        ben_space.cable("eth", "10.2.0.2/24", &net, "ben", "10.2.0.1/24").unwrap();
        ann_space.ip("route add default via 10.1.0.1").unwrap();
        prepare(&ann_space);
        prepare(&ben_space);
        let (ann, ben) = (Device::start(&ann_space, 1).unwrap(), Device::start(&ben_space, 2).unwrap());
        let node = ann.addresses().unwrap().into_iter().find(SocketAddr::is_ipv4).unwrap();
        let tap = Tap::on(&net, SocketAddr::from(([10, 2, 0, 1], 4000)), node, there, back).unwrap();
        allow_each_other(&[&ann, &ben]);
        ben.know(ann.id, vec![tap.address]);
        Self { ann, ben, ann_space, ben_space, _net: net }
    }

    fn up_within(&self, limit: Duration) {
        assert!(self.ben.until_up(self.ann.id, limit).is_some(), "no link within {limit:?}");
        assert!(self.ann.until_up(self.ben.id, limit).is_some());
    }

    /// Sends numbered messages at a pace, both ways, and checks that all come, in order, over one link.
    fn talk(&self, count: u64, pace: Duration) {
        for number in 0..count {
            assert!(self.ben.say(self.ann.id, number.to_be_bytes().repeat(30)), "the link did not last");
            assert!(self.ann.say(self.ben.id, number.to_be_bytes().repeat(30)), "the link did not last");
            std::thread::sleep(pace);
        }
        for device in [&self.ann, &self.ben] {
            for number in 0..count {
                let frame = device.until_frame(LIMIT).expect("all messages arrive");
                assert_eq!(frame, number.to_be_bytes().repeat(30));
            }
            assert_eq!(device.turns(), (1, vec![]), "the link lasted");
        }
    }
}

fn line(delay_ms: u64, loss: u64, rate: Option<u64>) -> Line {
    Line { delay: Duration::from_millis(delay_ms), loss, rate }
}

#[test]
fn netns_a_round_trip_of_600_ms_is_only_slow() {
    let world = World::new(|_| {}, line(300, 0, None), line(300, 0, None));
    world.up_within(Duration::from_secs(15));
    world.talk(40, Duration::from_millis(200));
}

#[test]
fn netns_where_a_fifth_of_all_packets_is_lost_all_messages_arrive() {
    let world = World::new(|_| {}, line(20, 20, None), line(20, 20, None));
    world.up_within(LIMIT);
    world.talk(100, Duration::from_millis(50));
}

#[test]
fn netns_a_line_of_64_kbit_up_and_a_megabit_down_carries_a_picture() {
    let world = World::new(|_| {}, line(40, 0, Some(64_000)), line(40, 0, Some(1_000_000)));
    world.up_within(LIMIT);
    world.talk(20, Duration::from_millis(200));
    assert!(world.ben.say(world.ann.id, vec![7; 64 << 10]));
    assert_eq!(world.ann.until_frame(LIMIT).expect("the picture arrives").len(), 64 << 10);
    assert_eq!(world.ben.turns(), (1, vec![]), "the link lasted");
}

#[test]
fn netns_packets_of_1280_bytes_are_large_enough() {
    let narrow = |space: &Space| space.ip("link set eth mtu 1280").unwrap();
    let world = World::new(narrow, Line::default(), Line::default());
    world.up_within(LIMIT);
    world.talk(20, Duration::from_millis(10));
    assert!(world.ben.say(world.ann.id, vec![7; 1 << 20]));
    assert_eq!(world.ann.until_frame(LIMIT).expect("a large frame arrives").len(), 1 << 20);
}

#[test]
fn netns_no_name_is_asked_for_and_nobody_else_is_talked_to() {
    let watch = |space: &Space| {
        let rules = "table inet strays {\n chain leaving {\n type filter hook output priority 0\n \
                     ip daddr { 10.1.0.0/16, 10.2.0.0/16 } udp dport != { 53, 123, 853, 3478 } accept\n \
                     meta l4proto icmpv6 accept\n oifname \"lo\" accept\n counter drop\n }\n}\n";
        space.nft(rules).unwrap();
    };
    let world = World::new(watch, Line::default(), Line::default());
    world.up_within(LIMIT);
    world.talk(20, Duration::from_millis(10));
    for space in [&world.ann_space, &world.ben_space] {
        assert_eq!(space.counted("inet strays").unwrap(), (0, 0));
    }
}

const LIMIT: Duration = Duration::from_secs(40);
