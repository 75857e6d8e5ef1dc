//! What happens over TCP: where UDP leads nowhere, and to strangers who come.

use std::{
    io::{ErrorKind, Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use hexode_tunnel::{ChannelClass, Command, Config, Event, Knock, Remote};
use rustls::pki_types::ServerName;

use crate::harness::*;

fn bound(seed: u8, address: &str) -> Config {
    Config { bind: vec![address.parse().unwrap()], ..config(seed) }
}

/// Passes TCP on, and nothing else: a network without UDP.
struct Proxy {
    address: SocketAddr,
    open: Arc<Mutex<Vec<TcpStream>>>,
    /// What came first on each connection.
    first: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Proxy {
    fn to(device: &Device) -> Self {
        let (listener, to) = (TcpListener::bind("127.0.0.1:0").unwrap(), device.address);
        let (open, first) = (Arc::<Mutex<Vec<_>>>::default(), Arc::<Mutex<Vec<_>>>::default());
        let proxy =
            Self { address: listener.local_addr().unwrap(), open: open.clone(), first: first.clone() };
        thread::spawn(move || {
            for inside in listener.incoming().map_while(Result::ok) {
                let Ok(outside) = TcpStream::connect(to) else { continue };
                let number = first.lock().unwrap().len();
                first.lock().unwrap().push(Vec::new());
                open.lock().unwrap().extend([inside.try_clone().unwrap(), outside.try_clone().unwrap()]);
                let back = (outside.try_clone().unwrap(), inside.try_clone().unwrap());
                thread::spawn(move || pass_on(back.0, back.1, |_| {}));
                let first = first.clone();
                thread::spawn(move || {
                    pass_on(inside, outside, |bytes| {
                        let mut first = first.lock().unwrap();
                        if first[number].len() < 4096 {
                            first[number].extend_from_slice(bytes);
                        }
                    });
                });
            }
        });
        proxy
    }

    /// Breaks all connections that there are.
    fn cut(&self) {
        for stream in self.open.lock().unwrap().drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    fn connections(&self) -> usize {
        self.first.lock().unwrap().len()
    }
}

fn pass_on(mut from: TcpStream, mut to: TcpStream, mut look: impl FnMut(&[u8])) {
    let mut buffer = [0; 16 << 10];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        look(&buffer[..count]);
        if to.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}

/// Ann has IPv4 only and Ben IPv6 only; between them only TCP is passed on.
fn apart() -> (Device, Device, Proxy) {
    let ann = Device::with(bound(1, "127.0.0.1:0")).unwrap();
    let ben = Device::with(bound(2, "[::1]:0")).unwrap();
    let proxy = Proxy::to(&ben);
    (ann, ben, proxy)
}

fn know(one: &Device, other: &Device, proxy: &Proxy) {
    one.send(Command::Know { device: other.id, addresses: vec![proxy.address] });
}

#[test]
fn whom_udp_does_not_reach_is_reached_over_tcp() {
    let (ann, ben, proxy) = apart();
    ann.allow([&ben.id]);
    ben.allow([&ann.id]);
    let start = Instant::now();
    know(&ann, &ben, &proxy);
    let (to_ben, to_ann) = (ann.until_up(ben.id), ben.until_up(ann.id));
    let took = start.elapsed();
    assert!(took < Duration::from_secs(3) && took > Duration::from_millis(900), "{took:?}");
    let link = &ann.snapshot().links[0];
    assert_eq!((link.remote, link.class), (Remote::Tcp(proxy.address), ChannelClass::Tcp));
    assert_eq!(link.key_exchange, "X25519MLKEM768");
    let link = &ben.snapshot().links[0];
    assert!(matches!(link.remote, Remote::Tcp(_)) && link.class == ChannelClass::Tcp, "{link:?}");
    let sizes = [1, 5000, 2, 1 << 20, 3, 70_000, 1 << 20, 1];
    for (n, size) in sizes.into_iter().enumerate() {
        ann.frame(ben.id, to_ben, vec![n as u8; size]);
        ben.frame(ann.id, to_ann, vec![n as u8; size]);
    }
    for device in [&ann, &ben] {
        for (n, size) in sizes.into_iter().enumerate() {
            let frame = device.until_frame();
            assert_eq!((frame.len(), frame[0], frame[size - 1]), (size, n as u8, n as u8));
        }
    }
    assert_eq!(proxy.connections(), 1);
}

#[test]
fn a_lane_is_left_for_udp_and_nothing_is_lost() {
    let (ann, ben) = pair();
    let proxy = Proxy::to(&ben);
    know(&ann, &ben, &proxy);
    let (link, _) = (ann.until_up(ben.id), ben.until_up(ann.id));
    let start = Instant::now();
    let (mut sent, mut heard) = (0_u32, 0_u32);
    loop {
        for _ in 0..50 {
            ann.frame(ben.id, link, sent.to_be_bytes());
            sent += 1;
        }
        while heard < sent {
            assert_eq!(*ben.until_frame(), heard.to_be_bytes(), "in order, none missing");
            heard += 1;
        }
        let status = &ann.snapshot().links[0];
        let lanes = status.paths.iter().filter(|path| path.class == ChannelClass::Tcp).count();
        // Its path is forgotten when nothing has come on it for a while; its connection is closed before.
        if status.remote == Remote::Address(ben.address) && proxy.is_closed() {
            eprintln!("left after {:?}, {lanes} path(s) remembered", start.elapsed());
            break;
        }
        assert!(start.elapsed() < LIMIT, "{status:?}");
        thread::sleep(Duration::from_millis(5));
    }
}

impl Proxy {
    /// Whether each connection was closed by one of its ends.
    fn is_closed(&self) -> bool {
        let mut open = self.open.lock().unwrap();
        open.retain(|stream| {
            stream.set_nonblocking(true).unwrap();
            let gone = matches!(stream.peek(&mut [0]), Ok(0));
            stream.set_nonblocking(false).unwrap();
            !gone
        });
        open.is_empty()
    }
}

#[test]
fn a_connection_that_breaks_is_replaced() {
    let (ann, ben, proxy) = apart();
    ann.allow([&ben.id]);
    ben.allow([&ann.id]);
    know(&ann, &ben, &proxy);
    let mut link = Some(ann.until_up(ben.id));
    for round in 0..3_u32 {
        proxy.cut();
        let start = Instant::now();
        loop {
            for event in ann.so_far() {
                match event {
                    Event::Down { device, .. } if device == ben.id => link = None,
                    Event::Up { device, link: new, .. } if device == ben.id => link = Some(new),
                    _ => {}
                }
            }
            if let Some(link) = link {
                ann.frame(ben.id, link, round.to_be_bytes());
            }
            let heard = ben
                .so_far()
                .into_iter()
                .any(|event| matches!(event, Event::Frame { bytes, .. } if *bytes == round.to_be_bytes()));
            if heard {
                break;
            }
            assert!(start.elapsed() < LIMIT);
            thread::sleep(Duration::from_millis(20));
        }
        eprintln!("heard again after {:?}", start.elapsed());
    }
    assert!(proxy.connections() >= 4);
}

#[test]
fn a_newcomer_gets_in_over_tcp() {
    let (ann, ben, proxy) = apart();
    let invitation = key(77);
    ben.send(Command::Invitations([invitation.public()].into()));
    let knock = Knock { invitation, request: b"let me in".to_vec() };
    ann.send(Command::Knock { hints: vec![(ben.id, vec![proxy.address])], knock });
    let link = ben.until(|event| match event {
        Event::Knocked { link, request, .. } if request == b"let me in" => Some(link),
        _ => None,
    });
    ben.allow([&ann.id]);
    ben.send(Command::Welcome { link });
    ann.until_up(ben.id);
    ben.until_up(ann.id);
}

#[test]
fn a_member_reached_over_tcp_forwards() {
    // Ann has no way to Ben but through Cara, nor to her but over TCP.
    let (ann, cara, proxy) = apart();
    let ben = Device::with(bound(3, "[::1]:0")).unwrap();
    ann.allow([&ben.id, &cara.id]);
    ben.allow([&ann.id, &cara.id]);
    cara.allow([&ann.id, &ben.id]);
    let start = Instant::now();
    ben.know(&cara);
    know(&ann, &cara, &proxy);
    let (link, _) = (ann.until_up(ben.id), ben.until_up(ann.id));
    assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
    for size in [1, 100_000, 1 << 20] {
        ann.frame(ben.id, link, vec![7; size]);
        assert_eq!(ben.until_frame().len(), size);
    }
    let status = ann.snapshot();
    let link = status.links.iter().find(|link| link.device == ben.id).unwrap();
    assert_eq!((link.remote, link.class), (Remote::Member(cara.id), ChannelClass::Member));
}

/// Says something to an address over TCP and waits until it hangs up; returns what it answered.
fn answer(address: SocketAddr, said: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(said).unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    let mut answer = Vec::new();
    match stream.read_to_end(&mut answer) {
        Ok(_) => {}
        Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
    }
    answer
}

/// The first bytes of a client that is somebody else's.
fn foreign_hello() -> Vec<u8> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    let name = ServerName::try_from("example.org").unwrap();
    let mut client = rustls::ClientConnection::new(Arc::new(config), name).unwrap();
    let mut hello = Vec::new();
    client.write_tls(&mut hello).unwrap();
    hello
}

#[test]
fn a_stranger_on_tcp_gets_not_one_byte_whatever_he_says() {
    let (ann, ben, proxy) = apart();
    ann.allow([&ben.id]);
    ben.allow([&ann.id]);
    know(&ann, &ben, &proxy);
    ann.until_up(ben.id);
    let recorded = proxy.first.lock().unwrap()[0].clone();
    assert!(u16::from_be_bytes([recorded[3], recorded[4]]) > 1200, "a hello with a post-quantum key");
    let foreign = foreign_hello();
    assert_eq!(recorded[..3], foreign[..3]);
    let mut altered = recorded.clone();
    altered[50] ^= 1;
    let cases: [&[u8]; 8] = [
        b"",
        b"GET / HTTP/1.1\r\nHost: example.org\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.9\r\n",
        &[0; 76],
        &[0xff; 5000],
        &foreign,
        &altered,
        // What was good once is not good again.
        &recorded,
    ];
    thread::scope(|scope| {
        for said in cases {
            let ben = ben.address;
            scope.spawn(move || {
                let start = Instant::now();
                assert_eq!(answer(ben, said), b"", "{said:x?}");
                assert!(start.elapsed() > Duration::from_secs(3), "{said:x?}: not sooner than any other");
            });
        }
    });
    // The members have not noticed.
    assert_eq!(ben.snapshot().links.len(), 1);
}

#[test]
fn without_tcp_nobody_listens_and_nobody_dials() {
    let ben = Device::with(Config { tcp: false, ..bound(2, "[::1]:0") }).unwrap();
    assert_eq!(TcpStream::connect(ben.address).unwrap_err().kind(), ErrorKind::ConnectionRefused);
    assert!(ben.snapshot().tcp.is_empty());
    let ann = Device::with(Config { tcp: false, ..bound(1, "127.0.0.1:0") }).unwrap();
    let listening = Device::with(bound(3, "[::1]:0")).unwrap();
    assert_eq!(listening.snapshot().tcp, [listening.address]);
    let proxy = Proxy::to(&listening);
    ann.allow([&listening.id]);
    know(&ann, &listening, &proxy);
    ann.until_unreachable(listening.id);
    assert_eq!(proxy.connections(), 0);
}
