//! Rendezvous on a DHT of another program's nodes, all on the loopback interface.

use std::{
    net::SocketAddr,
    time::{Duration, SystemTime},
};

use hexode_tunnel::{
    Command as Order, Config, Event,
    dht::{DhtConfig, DhtStatus, DhtTiming},
};
use mainline::Testnet;

use crate::harness::{Device, config, id};

/// A DHT of twenty nodes that know each other.
fn network() -> Testnet {
    Testnet::builder(20).build().unwrap()
}

fn some(testnet: &Testnet) -> Vec<SocketAddr> {
    testnet.bootstrap.iter().take(3).map(|address| address.parse().unwrap()).collect()
}

/// As a person has it, but quicker.
fn quick() -> DhtTiming {
    DhtTiming {
        settle: Duration::from_millis(200),
        retry: Duration::from_millis(500),
        first: Duration::from_millis(300),
        last: Duration::from_secs(2),
        pace: Duration::from_millis(100),
        ..DhtTiming::default()
    }
}

fn device(seed: u8, dht: Option<DhtConfig>) -> Device {
    Device::with(Config { dht, ..config(seed) }).unwrap()
}

fn member(seed: u8, bootstrap: &[SocketAddr], remembered: &[SocketAddr]) -> Device {
    device(
        seed,
        Some(DhtConfig { bootstrap: bootstrap.to_vec(), remembered: remembered.to_vec(), timing: quick() }),
    )
}

/// Tells a device the roster and the secrets, and no address.
fn meet(device: &Device, others: &[u8], secrets: &[[u8; 32]]) {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    meet_since(device, others, secrets, now.as_secs());
}

fn meet_since(device: &Device, others: &[u8], secrets: &[[u8; 32]], since: u64) {
    device.allow(&others.iter().map(|seed| id(*seed)).collect::<Vec<_>>());
    device.send(Order::LanSecrets { secrets: secrets.to_vec(), since });
}

fn until_dht(device: &Device, mut fits: impl FnMut(&DhtStatus) -> bool) -> DhtStatus {
    device.until(|event| match event {
        Event::Dht { status, .. } if fits(&status) => Some(status),
        _ => None,
    })
}

fn until_nodes(device: &Device) -> Vec<SocketAddr> {
    device.until(|event| match event {
        Event::Dht { nodes, .. } => nodes,
        _ => None,
    })
}

#[test]
fn members_who_know_no_address_find_each_other() {
    let testnet = network();
    let (ann, ben) = (member(1, &some(&testnet), &[]), member(2, &some(&testnet), &[]));
    meet(&ann, &[2], &[[1; 32]]);
    meet(&ben, &[1], &[[1; 32]]);
    ann.until_up(ben.id);
    ben.until_up(ann.id);
}

#[test]
fn a_removed_member_neither_finds_nor_is_found() {
    let testnet = network();
    // Cara was removed: Ann and Ben have a secret that she lacks, and the one before it.
    let (old, new) = ([1; 32], [2; 32]);
    let members = [1, 2].map(|seed| member(seed, &some(&testnet), &[]));
    let cara = member(3, &some(&testnet), &[]);
    let [ann, ben] = &members;
    meet(ann, &[2], &[new, old]);
    meet(ben, &[1], &[new, old]);
    ann.until_up(ben.id);
    meet(&cara, &[1, 2], &[old]);
    let status = until_dht(&cara, |status| status.told > 0 && status.looked >= 6);
    assert_eq!(status.found, 0, "{status:?}");
    assert!(cara.snapshot().unreachable.iter().all(|device| device.addresses == 0));
    assert_eq!(ann.snapshot().links.len(), 1);
}

#[test]
fn one_who_slept_through_a_removal_is_found() {
    let testnet = network();
    let (ann, ben) = (member(1, &some(&testnet), &[]), member(2, &some(&testnet), &[]));
    meet(&ann, &[2], &[[2; 32], [1; 32]]);
    meet(&ben, &[1], &[[1; 32]]);
    ann.until_up(ben.id);
}

#[test]
fn long_after_a_removal_nobody_asks_where_the_removed_one_may_listen() {
    let testnet = network();
    let (ann, ben) = (member(1, &some(&testnet), &[]), member(2, &some(&testnet), &[]));
    meet(&ben, &[1], &[[1; 32]]);
    until_dht(&ben, |status| status.told > 0);
    meet_since(&ann, &[2], &[[2; 32], [1; 32]], 1_000_000_000);
    let status = until_dht(&ann, |status| status.looked >= 6);
    assert_eq!(status.found, 0, "{status:?}");
}

#[test]
fn known_nodes_make_a_restart_without_any_named_ones() {
    let testnet = network();
    let ben = member(2, &some(&testnet), &[]);
    meet(&ben, &[1], &[[1; 32]]);
    let known = until_nodes(&ben);
    assert!(known.len() >= 8, "{} nodes", known.len());
    ben.kill();
    // Both start anew, at other addresses, and nobody names a node.
    let (ann, ben) = (member(1, &[], &known), member(2, &[], &known));
    meet(&ann, &[2], &[[1; 32]]);
    meet(&ben, &[1], &[[1; 32]]);
    ann.until_up(ben.id);
}

#[test]
fn nobody_is_looked_for_who_is_there() {
    let testnet = network();
    let (ann, ben) = (member(1, &some(&testnet), &[]), member(2, &some(&testnet), &[]));
    for (one, other) in [(&ann, &ben), (&ben, &ann)] {
        meet(one, &[other.id].map(|id| if id == ann.id { 1 } else { 2 }), &[[1; 32]]);
        one.know(other);
    }
    for device in [&ann, &ben] {
        let (mut up, mut told) = (false, false);
        device.until(|event| {
            match event {
                Event::Up { .. } => up = true,
                Event::Dht { status, .. } => {
                    assert_eq!(status.looked, 0, "{status:?}");
                    told |= status.told > 0;
                }
                _ => {}
            }
            (up && told).then_some(())
        });
    }
}

#[test]
fn off_means_off() {
    let (ann, ben) = (device(1, None), device(2, None));
    meet(&ann, &[2], &[[1; 32]]);
    meet(&ben, &[1], &[[1; 32]]);
    assert!(ann.so_far().is_empty());
}
