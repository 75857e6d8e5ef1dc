use std::collections::BTreeSet;

use crypto::SigningKey;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};
use wire::CircleId;

use super::*;
use crate::greet::Identity;

fn key(seed: u8) -> SigningKey {
    SigningKey::from_seed(&[seed; 32])
}

fn id(seed: u8) -> DeviceId {
    DeviceId::new(key(seed).public())
}

fn tcp(seed: u8) -> Arc<Tcp> {
    let key = key(seed);
    let device = DeviceId::new(key.public());
    let identity = Identity { circle: CircleId::new([9; 32]), device, key, instance: 0 };
    let gate = Gate::new(Arc::new(identity));
    gate.allow(&[id(1), id(2)].into());
    Arc::new(Tcp::new(Arc::new(gate)))
}

async fn pipe() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (one, other) = tokio::join!(TcpStream::connect(address), listener.accept());
    (one.unwrap(), other.unwrap().0)
}

/// Returns what a client says first: one record.
async fn hello(from: &Tcp, pass: &Pass) -> Vec<u8> {
    let (one, mut other) = pipe().await;
    let read = async {
        let mut said = vec![0; 5];
        other.read_exact(&mut said).await.unwrap();
        said.resize(5 + usize::from(u16::from_be_bytes([said[3], said[4]])), 0);
        other.read_exact(&mut said[5..]).await.unwrap();
        drop(other);
        said
    };
    tokio::join!(from.cover.dial(one, pass), read).1
}

#[tokio::test]
async fn the_pass_is_in_the_session_id_and_nothing_else_is_the_same_twice() {
    let ann = tcp(1);
    let pass = [0xab; crate::pass::LENGTH];
    let (one, other) = (hello(&ann, &pass).await, hello(&ann, &pass).await);
    assert_eq!(one.len(), other.len());
    for said in [&one, &other] {
        assert!(said.len() > 1250, "a post-quantum key is in it: {}", said.len());
        assert_eq!(cover::pass(said.first_chunk().unwrap()), Some(&pass));
    }
    // The random, what is left of the session id, and the keys; what is the same in both is so in every hello of the
    // library, but for the order of extensions, which it draws.
    assert!(one[11..43] != other[11..43] && one[64..76] != other[64..76]);
    let text = String::from_utf8_lossy(&one).into_owned();
    assert!(text.contains("http/1.1") && !text.contains("hexode") && !text.contains("127.0.0.1"), "{text}");
}

#[tokio::test]
async fn a_pass_opens_one_lane_for_whoever_made_it_and_packets_come_through() {
    let (ann, ben) = (tcp(1), tcp(2));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let addresses = [address];
    let listening = tokio::spawn(listen(ben.clone(), listener));
    let prepared = ann.prepare(&id(2), None).unwrap();
    // What is sent before the lane is open waits.
    ann.send(End::To(id(2)), &[7; 3000], Some(1200));
    let mut got = Vec::new();
    let receive = std::future::poll_fn(|cx| {
        while ben
            .poll_arrived(cx, 8, 2048, |end, packet| {
                assert_eq!(end, End::From(*id(1).as_bytes()));
                got.push(packet.len());
            })
            .is_ready()
        {}
        if got.len() == 3 { Poll::Ready(()) } else { Poll::Pending }
    });
    let (mut opened, none) = (ann.watch(), ann.ends(&id(2)));
    tokio::join!(prepared.open(&addresses), receive);
    assert_eq!(got, [1200, 1200, 600]);
    assert_eq!(ann.remote(End::To(id(2))), Some(address));
    assert!(none.is_empty() && opened.has_changed().unwrap(), "whoever waits for a lane is told");
    opened.mark_unchanged();
    assert_eq!(
        (ann.ends(&id(2)), ben.ends(&id(1))),
        (vec![End::To(id(2))], vec![End::From(*id(1).as_bytes())])
    );
    drop(prepared);
    assert_eq!(ann.state().lanes.len(), 1, "it is open, so it stays");
    // Whoever is no longer allowed has no lane.
    ben.bar([&id(1)]);
    assert!(ben.state().lanes.is_empty());
    while !ann.state().lanes.is_empty() {
        tokio::task::yield_now().await;
    }
    listening.abort();
}

#[tokio::test]
async fn a_lane_that_never_opened_is_forgotten_with_its_dial() {
    let ann = tcp(1);
    let (one, other) = (ann.prepare(&id(2), None).unwrap(), ann.prepare(&id(2), None).unwrap());
    drop(one);
    assert_eq!(ann.state().lanes.len(), 1);
    drop(other);
    assert!(ann.state().lanes.is_empty());
    ann.send(End::To(id(2)), &[7; 100], None);
}

/// Connects from an address of this machine's.
async fn connect_from(source: &str, to: SocketAddr) -> TcpStream {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind(format!("{source}:0").parse().unwrap()).unwrap();
    socket.connect(to).await.unwrap()
}

/// Dials a lane, and fails unless it opens at once.
async fn opens(from: &Arc<Tcp>, to: u8, address: SocketAddr) {
    let prepared = from.prepare(&id(to), None).unwrap();
    timeout(Duration::from_secs(2), prepared.open(&[address])).await.expect("no lane in time");
    assert_eq!(from.remote(End::To(id(to))), Some(address));
}

#[tokio::test]
async fn connections_that_say_nothing_keep_no_member_out() {
    let (ann, ben) = (tcp(1), tcp(2));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let listening = tokio::spawn(listen(ben.clone(), listener));
    // More than there is room for, from a few addresses, again and again, so that hardly any is there for long.
    let strangers = tokio::spawn(async move {
        let mut open = std::collections::VecDeque::new();
        loop {
            for source in 2..6 {
                open.push_back(connect_from(&format!("127.0.0.{source}"), address).await);
            }
            if open.len() > 200 {
                open.drain(..4);
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    });
    opens(&ann, 2, address).await;
    strangers.abort();
    listening.abort();
}

#[tokio::test]
async fn passes_without_a_session_keep_nobody_else_out() {
    let (ann, ben) = (tcp(1), tcp(2));
    ben.gate.allow(&[id(1), id(3)].into());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let listening = tokio::spawn(listen(ben.clone(), listener));
    let mut open = Vec::new();
    for _ in 0..20 {
        let pass = ann.gate.pass(Purpose::Lane, &id(2), None).unwrap();
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(&hello(&ann, &pass).await[..cover::OPENS]).await.unwrap();
        open.push(stream);
    }
    opens(&tcp(3), 2, address).await;
    // Of one caller's, only the last is waited for.
    for stream in &mut open[..19] {
        assert!(
            !matches!(stream.try_read(&mut [0; 9]), Err(error) if error.kind() == std::io::ErrorKind::WouldBlock)
        );
    }
    assert_eq!(open[19].try_read(&mut [0; 9]).unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
    listening.abort();
}

#[tokio::test]
async fn whoever_is_removed_while_his_lane_opens_has_none() {
    let (ann, ben) = (tcp(1), tcp(2));
    let pass = ann.prepare(&id(2), None).unwrap().pass;
    let key = ben.gate.admits_lane(&pass, std::net::Ipv4Addr::LOCALHOST.into()).unwrap();
    ben.gate.allow(&BTreeSet::new());
    ben.bar([&id(1)]);
    let (mut one, other) = pipe().await;
    ben.accept(key, other, "192.0.2.1:9".parse().unwrap());
    assert!(ben.state().lanes.is_empty());
    assert_eq!(one.read(&mut [0; 9]).await.unwrap(), 0, "hung up");
}

#[tokio::test]
async fn what_is_no_packet_ends_the_lane() {
    let ben = tcp(2);
    let (mut one, other) = pipe().await;
    ben.accept(*id(1).as_bytes(), other, "192.0.2.1:9".parse().unwrap());
    one.write_all(&[0, 1, 9, 0, 0]).await.unwrap();
    assert_eq!(one.read(&mut [0; 9]).await.unwrap(), 0, "hung up");
    assert!(ben.state().lanes.is_empty());
}

#[tokio::test]
async fn a_pass_of_a_lane_is_taken_once_and_opens_no_quic_connection() {
    use iroh::endpoint::PacketGate;
    let (ann, ben) = (tcp(1), tcp(2));
    let passes: BTreeSet<_> = (0..3).map(|_| ann.prepare(&id(2), None).unwrap().pass).collect();
    let admits = |pass: &Pass| {
        let mut first = vec![0xc0, 0, 0, 0, 1, 20];
        first.extend(pass);
        first.resize(1200, 0);
        ben.gate.admits("192.0.2.1:9".parse().unwrap(), &first)
    };
    for pass in &passes {
        assert!(!admits(pass), "not even before the lane is there");
        assert_eq!(ben.gate.admits_lane(pass, std::net::Ipv4Addr::LOCALHOST.into()), Some(*id(1).as_bytes()));
        assert_eq!(ben.gate.admits_lane(pass, std::net::Ipv4Addr::LOCALHOST.into()), None);
        assert!(!admits(pass));
    }
}

/// Tries the vectors under `vectors/lane`.
#[test]
fn lane_vectors_hold() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../vectors/lane");
    let (mut accepted, mut refused) = (0, 0);
    for file in std::fs::read_dir(folder).unwrap() {
        let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
        let (head, body) = text.split_once("\n\n").unwrap();
        let field = |name: &str| head.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        let hex = |text: &str| data_encoding::HEXLOWER.decode(text.as_bytes()).unwrap();
        let opening = hex(body.trim()).try_into().unwrap();
        match (field("expect: "), cover::pass(&opening)) {
            ("accepted", Some(pass)) => {
                assert_eq!(pass[..], hex(field("pass: ")), "{text}");
                accepted += 1;
            }
            ("refused", None) => refused += 1,
            (_, found) => panic!("{found:?}\n{text}"),
        }
    }
    assert!(accepted > 0 && refused > 0, "{accepted} accepted, {refused} refused");
}
