use std::{
    net::{SocketAddr, UdpSocket},
    num::NonZeroUsize,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use hexode_tunnel::{DownReason, Event};
use noq_proto::{ConnectionId, crypto::rustls::QuicClientConfig};
use rustls::{RootCertStore, crypto::aws_lc_rs::kx_group};

use crate::{
    harness::*,
    stranger::{PassKeys, provider},
};

const MIB: usize = 1 << 20;
/// What each frame counts beyond its bytes.
const OVERHEAD: usize = 64;

#[test]
fn a_receiver_that_takes_nothing_stops_the_sender_and_loses_nothing() {
    let ((ann, link), (ben, _)) = linked();
    let (count, fit) = (24, 7);
    for n in 0..count {
        ann.frame(ben.id, link, vec![n as u8; MIB]);
    }
    // Ben holds on to what he gets: seven frames, for an eighth is more than a link may occupy.
    let mut held: Vec<_> = (0..fit).map(|_| ben.until_frame()).collect();
    // Beyond those only the windows in between are filled: the rest waits where it came from. Whether one more frame
    // is counted as written depends on the window's last update, which goes out an eighth at a time.
    while ann.snapshot().queued > (count - fit) * (MIB + OVERHEAD) {
        std::thread::yield_now();
    }
    assert!(ann.snapshot().queued > (count - fit - 5) * MIB);
    assert!(ben.so_far().is_empty());
    // One given back lets one more in, until all have come in order.
    for n in 0..count {
        let first = held.remove(0);
        assert_eq!((first.len(), first[0]), (MIB, n as u8));
        drop(first);
        if n + fit < count {
            held.push(ben.until_frame());
            assert!(ben.so_far().is_empty());
        }
    }
}

#[test]
fn an_engine_that_sends_without_end_loses_the_link_before_the_memory() {
    let ((ann, link), (ben, _)) = linked();
    for _ in 0..64 {
        ann.frame(ben.id, link, vec![7; MIB]);
    }
    assert_eq!(ann.until_down(ben.id), DownReason::Overrun);
    assert_eq!(ann.snapshot().queued, 0);
    assert_eq!(ben.until_down(ann.id), DownReason::Overrun);
}

#[test]
fn many_tiny_frames_are_bounded_too() {
    let ((ann, link), (ben, _)) = linked();
    for _ in 0..200_000 {
        ann.frame(ben.id, link, *b"x");
    }
    // 65 bytes each count against eight mebibytes: not all fit.
    let held: Vec<_> = (0..120_000).map(|_| ben.until_frame()).collect();
    ann.snapshot();
    assert!(ben.so_far().len() < 10_000);
    drop(held);
    // What so_far took is dropped as well, so the rest comes.
    ann.frame(ben.id, link, *b"last");
    while &*ben.until_frame() != b"last" {}
}

/// Sends the first packets of so many connections, with good passes, from one socket, until told to stop; answers
/// nothing.
fn flood(to: SocketAddr, count: usize, sent: &AtomicUsize, stop: &AtomicBool) {
    let mut config = rustls::ClientConfig::builder_with_provider(provider(kx_group::X25519MLKEM768))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h3".to_vec()];
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let endpoint_config = Arc::new(noq_proto::EndpointConfig::new(Arc::new(NoReset)));
    let keys = PassKeys::new(&key(3), crate::harness::config(1).circle, id(1));
    let config = keys.protect(Arc::new(QuicClientConfig::try_from(config).unwrap()));
    let config = noq_proto::ClientConfig::new(config);
    let mut bytes = Vec::new();
    for stamp in 1..=count as u64 {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        let mut endpoint = noq_proto::Endpoint::new(endpoint_config.clone(), None, true);
        let now = Instant::now();
        let (pass, mut config) = (keys.pass(stamp), config.clone());
        config.initial_dst_cid_provider(Arc::new(move || ConnectionId::new(&pass)));
        let (_, mut connection) = endpoint.connect(now, config, to, "localhost").unwrap();
        bytes.clear();
        while let Some(transmit) = connection.poll_transmit(now, NonZeroUsize::MIN, &mut bytes) {
            let _ = socket.send_to(&bytes[..transmit.size], to);
            bytes.clear();
        }
        sent.fetch_add(1, Ordering::Relaxed);
    }
}

struct NoReset;

impl noq_proto::crypto::HmacKey for NoReset {
    fn sign(&self, _: &[u8], out: &mut [u8]) {
        out.fill(0);
    }

    fn signature_len(&self) -> usize {
        32
    }

    fn verify(&self, _: &[u8], _: &[u8]) -> Result<(), noq_proto::crypto::CryptoError> {
        Err(noq_proto::crypto::CryptoError)
    }
}

/// Resident memory of this process, in bytes.
fn resident() -> usize {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    pages.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

#[test]
fn ten_thousand_half_open_connections_keep_no_member_out_and_take_no_memory() {
    let (ann, ben) = pair();
    // Cara is a member who does not behave.
    ann.allow([&ben.id, &id(3)]);
    let (sent, stop) = (AtomicUsize::new(0), AtomicBool::new(false));
    std::thread::scope(|scope| {
        let before = resident();
        scope.spawn(|| flood(ann.address, 10_000, &sent, &stop));
        // In the midst of it a member comes, from the same address even, and talks.
        while sent.load(Ordering::Relaxed) < 1_000 {
            std::thread::yield_now();
        }
        let start = Instant::now();
        ben.know(&ann);
        let link = ben.until_up(ann.id);
        let took = start.elapsed();
        ben.frame(ann.id, link, *b"through");
        assert_eq!(&*ann.until_frame(), b"through");
        while sent.load(Ordering::Relaxed) < 10_000 {
            std::thread::sleep(Duration::from_millis(10));
        }
        let grown = resident().saturating_sub(before);
        eprintln!("in after {took:?}, {} MiB more", grown / MIB);
        assert!(took < Duration::from_secs(10), "{took:?}");
        assert!(grown < 64 * MIB, "{} MiB", grown / MIB);
        // And the link is still good when it is over.
        ben.frame(ann.id, link, *b"after");
        assert_eq!(&*ann.until_frame(), b"after");
        stop.store(true, Ordering::Relaxed);
    });
    assert!(!ann.so_far().iter().any(|event| matches!(event, Event::Down { .. } | Event::Knocked { .. })));
}
