//! What comes at somebody from whose address another forged packets, or of whose address a member lied.

use std::{
    net::UdpSocket,
    time::{Duration, Instant},
};

use hexode_tunnel::Command;

use crate::harness::{Device, LIMIT, id};

fn socket() -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    socket
}

/// Counts what comes at a socket in a while: datagrams and bytes.
fn heard(socket: &UdpSocket, within: Duration) -> (usize, usize) {
    let begun = Instant::now();
    let (mut datagrams, mut bytes, mut buffer) = (0, 0, [0; 2048]);
    while begun.elapsed() < within {
        if let Ok(length) = socket.recv(&mut buffer) {
            datagrams += 1;
            bytes += length;
        }
    }
    (datagrams, bytes)
}

/// Lets Ben dial a socket in the belief that it is Ann's, and returns the first packets he sends there.
fn recorded(ann: &Device, ben: &Device, count: usize) -> Vec<Vec<u8>> {
    let tap = UdpSocket::bind("127.0.0.1:0").unwrap();
    tap.set_read_timeout(Some(LIMIT)).unwrap();
    ann.allow([&ben.id]);
    ben.allow([&ann.id]);
    ben.send(Command::Know { device: ann.id, addresses: vec![tap.local_addr().unwrap()] });
    let packet = |_| {
        let mut buffer = [0; 2048];
        let length = tap.recv(&mut buffer).unwrap();
        buffer[..length].to_vec()
    };
    (0..count).map(packet).collect()
}

#[test]
fn forged_addresses_get_no_more_than_three_times_what_was_sent_in_their_name() {
    // One packet of the two that a hello takes, both, and both again and again.
    for (count, times) in [(1, 1), (2, 1), (2, 5)] {
        let (ann, ben) = (Device::new(1), Device::new(2));
        let packets = recorded(&ann, &ben, count);
        let bystander = socket();
        let mut sent = 0;
        for packet in (0..times).flat_map(|_| &packets) {
            sent += bystander.send_to(packet, ann.address).unwrap();
        }
        let (datagrams, bytes) = heard(&bystander, Duration::from_secs(4));
        assert!(bytes <= 3 * sent, "{count} × {times}: {bytes} bytes in {datagrams} datagrams for {sent}");
        assert!(count == 1 || bytes > 0, "a whole hello of a member is answered, or this shows nothing");
    }
}

#[test]
fn a_member_who_names_other_peoples_addresses_has_little_sent_there() {
    let (ann, bystander) = (Device::new(1), socket());
    let victim = bystander.local_addr().unwrap();
    ann.allow([&id(2)]);
    let (stop, tunnel) = (std::sync::atomic::AtomicBool::new(false), ann.tunnel.clone());
    let seconds = 6;
    let (datagrams, bytes) = std::thread::scope(|scope| {
        scope.spawn(|| {
            // Each time with another address, so that each time there is something new to be dialled.
            for port in (20_000..60_000).cycle() {
                if stop.load(std::sync::atomic::Ordering::Relaxed) {
                    break;
                }
                let other = std::net::SocketAddr::from(([127, 0, 0, 9], port));
                tunnel.send(Command::Know { device: id(2), addresses: vec![other, victim] });
                std::thread::sleep(Duration::from_millis(5));
            }
        });
        let counted = heard(&bystander, Duration::from_secs(seconds));
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        counted
    });
    // Three dials at once and one each second, two packets each, some of them said again.
    let dials = 3 + usize::try_from(seconds).unwrap();
    assert!(bytes > 0 && bytes <= dials * 8000, "{bytes} bytes in {datagrams} datagrams");
}
