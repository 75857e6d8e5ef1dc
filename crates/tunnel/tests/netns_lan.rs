//! Discovery over real multicast, between two network namespaces joined by a virtual cable. Needs root and `ip`;
//! fails without them. Run by the nextest profile `netns`.

#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that does not hold should say where"
)]

#[path = "tunnel/harness.rs"]
#[expect(dead_code, reason = "the other tests use the rest")]
mod harness;

use std::{
    process::Command,
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::{Duration, Instant},
};

use harness::{Device, config, id};
use hexode_tunnel::{Command as Order, Config, Event, LanConfig};

/// Two namespaces and the cable between them; taken down at the end.
struct Lab {
    names: [String; 2],
}

impl Lab {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = |side: &str| format!("hx{}{side}{number}", std::process::id());
        let lab = Self { names: [name("a"), name("b")] };
        let [a, b] = &lab.names;
        for name in &lab.names {
            ip(&["netns", "add", name]);
            ip(&["-n", name, "link", "set", "lo", "up"]);
        }
        ip(&["-n", a, "link", "add", "cable", "type", "veth", "peer", "name", "cable", "netns", b]);
        for (name, address) in [(a, "10.77.0.1/24"), (b, "10.77.0.2/24")] {
            ip(&["-n", name, "addr", "add", address, "dev", "cable"]);
            ip(&["-n", name, "link", "set", "cable", "up"]);
        }
        lab
    }

    /// Starts a device in one of the two.
    fn device(&self, side: usize, seed: u8, lan: Option<LanConfig>) -> Device {
        let path = format!("/run/netns/{}", self.names[side]);
        let config = Config { bind: vec!["0.0.0.0:0".parse().unwrap()], lan, ..config(seed) };
        Device::with_setup(config, move || enter(&path)).unwrap()
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        for name in &self.names {
            let _ = Command::new("ip").args(["netns", "del", name]).status();
        }
    }
}

fn ip(arguments: &[&str]) {
    let output =
        Command::new("ip").args(arguments).output().expect("these tests need the program `ip` (iproute2)");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "ip {arguments:?}: {error} (these tests need root)");
}

/// Moves the calling thread into a namespace; the threads and sockets it makes from then on are there too.
fn enter(path: &str) {
    let namespace = std::fs::File::open(path).unwrap();
    rustix::thread::move_into_link_name_space(
        std::os::fd::AsFd::as_fd(&namespace),
        Some(rustix::thread::LinkNameSpaceType::Network),
    )
    .expect("these tests need root");
}

fn lan() -> Option<LanConfig> {
    Some(LanConfig { announce_every: Duration::from_secs(5), ..LanConfig::default() })
}

fn meet(device: &Device, others: &[u8], secrets: &[[u8; 32]]) {
    device.allow(&others.iter().map(|seed| id(*seed)).collect::<Vec<_>>());
    device.send(Order::LanSecrets { secrets: secrets.to_vec(), since: 0 });
}

#[test]
fn netns_members_find_each_other_without_any_address() {
    let lab = Lab::new();
    let (ann, ben) = (lab.device(0, 1, lan()), lab.device(1, 2, lan()));
    meet(&ann, &[2], &[[7; 32]]);
    meet(&ben, &[1], &[[7; 32]]);
    ann.until_up(ben.id);
    ben.until_up(ann.id);
    assert_eq!(ann.snapshot().links[0].class, hexode_tunnel::ChannelClass::Lan);
}

#[test]
fn netns_a_member_with_the_previous_secret_is_found() {
    let lab = Lab::new();
    let (ann, ben) = (lab.device(0, 1, lan()), lab.device(1, 2, lan()));
    meet(&ann, &[2], &[[8; 32], [7; 32]]);
    meet(&ben, &[1], &[[7; 32]]);
    ann.until_up(ben.id);
}

#[test]
fn netns_two_circles_on_one_wire_do_not_see_each_other_nor_does_one_that_is_off() {
    let lab = Lab::new();
    let ann = lab.device(0, 1, lan());
    let other_circle = lab.device(1, 2, lan());
    let silent = lab.device(1, 3, None);
    meet(&ann, &[2, 3], &[[7; 32]]);
    meet(&other_circle, &[1], &[[6; 32]]);
    meet(&silent, &[1], &[[7; 32]]);
    // Cara comes last, in the same circle as Ann, and is found: by then the others have announced themselves too.
    let cara = lab.device(1, 4, lan());
    ann.allow(&[id(2), id(3), id(4)]);
    meet(&cara, &[1], &[[7; 32]]);
    let (first, _) = ann.until(|event| match event {
        Event::Up { device, link, .. } => Some((device, link)),
        _ => None,
    });
    assert_eq!(first, cara.id);
    let unknown: Vec<_> = ann.snapshot().unreachable.iter().map(|u| (u.device, u.addresses)).collect();
    assert_eq!(unknown.len(), 2);
    assert!(unknown.iter().all(|(_, addresses)| *addresses == 0), "{unknown:?}");
}

#[test]
fn netns_members_find_each_other_again_after_one_got_another_address() {
    let lab = Lab::new();
    let (ann, ben) = (lab.device(0, 1, lan()), lab.device(1, 2, lan()));
    meet(&ann, &[2], &[[7; 32]]);
    meet(&ben, &[1], &[[7; 32]]);
    let link = ben.until_up(ann.id);
    ann.until_up(ben.id);
    ip(&["-n", &lab.names[1], "addr", "del", "10.77.0.2/24", "dev", "cable"]);
    ip(&["-n", &lab.names[1], "addr", "add", "10.77.0.3/24", "dev", "cable"]);
    ben.send(Order::NetworkChanged);
    let start = Instant::now();
    // Whether the link moves or another takes its place: what Ben says arrives.
    ben.frame(ann.id, link, *b"moved");
    let heard = thread::spawn(move || {
        ann.until(|event| match event {
            Event::Frame { bytes, .. } => Some(bytes.to_vec()),
            _ => None,
        })
    });
    while !heard.is_finished() {
        for event in ben.so_far() {
            if let Event::Up { device, link, .. } = event {
                ben.frame(device, link, *b"moved");
            }
        }
        thread::yield_now();
    }
    assert_eq!(heard.join().unwrap(), b"moved");
    eprintln!("heard again after {:?}", start.elapsed());
    assert!(start.elapsed() < Duration::from_secs(3));
}
