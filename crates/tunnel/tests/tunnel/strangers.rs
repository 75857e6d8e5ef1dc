use std::time::{Duration, Instant};

use hexode_tunnel::{Class, Command, Config, Event, Timing};
use iroh::endpoint::{ConnectOptions, Connection};
use rustls::crypto::aws_lc_rs::kx_group;

use crate::{harness::*, stranger::*};

/// Opens a connection with a pass that Ben lost, says `hello` if there is one, and returns it when it has been closed.
async fn turned_away(
    device: &Device,
    own: &crypto::SigningKey,
    say: impl FnOnce(&Connection) -> Vec<u8>,
) -> Connection {
    let stranger = pq_endpoint(own).await;
    let connection = connect(&stranger, &key(2), device).await;
    let bytes = say(&connection);
    let (mut send, mut recv) = connection.open_bi().await.unwrap();
    send.write_all(&bytes).await.unwrap();
    assert_eq!(close_code(&connection).await, GO_AWAY);
    // Not one byte came back, nor an address that iroh would offer to reach the device by.
    assert!(recv.read_chunk(1).await.is_err());
    let frames = connection.stats().frame_rx;
    assert_eq!((frames.stream, frames.datagram, frames.add_address), (0, 0, 0), "{frames:?}");
    connection
}

fn framed(hello: &[u8]) -> Vec<u8> {
    [&(hello.len() as u32).to_be_bytes()[..], hello].concat()
}

#[test]
fn a_stranger_is_told_the_same_whatever_he_says() {
    let ann = Device::new(1);
    ann.allow([&id(2)]);
    let (stranger, circle) = (key(3), config(1).circle);
    run(async {
        // A perfect hello of a device that the roster does not name.
        turned_away(&ann, &stranger, |c| framed(&member_hello(&stranger, &exporter(c, circle, INITIATOR))))
            .await;
        // The same of a device that it names, said by another.
        turned_away(&ann, &stranger, |c| framed(&member_hello(&key(2), &exporter(c, circle, INITIATOR))))
            .await;
        // A member's, but in another circle, in the other role, for another session.
        let elsewhere = wire::CircleId::new([8; 32]);
        turned_away(&ann, &key(2), |c| framed(&member_hello(&key(2), &exporter(c, elsewhere, INITIATOR))))
            .await;
        turned_away(&ann, &key(2), |c| framed(&member_hello(&key(2), &exporter(c, circle, RESPONDER)))).await;
        turned_away(&ann, &key(2), |_| framed(&member_hello(&key(2), &[5; 32]))).await;
        // What is no hello at all.
        turned_away(&ann, &stranger, |_| framed(b"GET / HTTP/1.1")).await;
        turned_away(&ann, &stranger, |_| framed(&[9; 300])).await;
        turned_away(&ann, &stranger, |_| vec![0xff; 64]).await;
        turned_away(&ann, &stranger, |_| vec![0; 4]).await;
    });
    assert!(ann.so_far().is_empty(), "the engine has not heard of it");
}

#[test]
fn a_silent_stranger_is_shown_out_in_time() {
    let ann = Device::with(Config {
        timing: Timing { hello: Duration::from_millis(300), ..Timing::default() },
        ..config(1)
    });
    let ann = ann.unwrap();
    ann.allow([&id(2)]);
    run(async {
        let start = Instant::now();
        turned_away(&ann, &key(3), |_| vec![0, 0]).await;
        assert!(start.elapsed() < Duration::from_secs(3));
    });
}

#[test]
fn whoever_offers_less_than_the_hybrid_key_exchange_is_not_talked_to() {
    let (ann, circle) = (Device::new(1), config(1).circle);
    ann.allow([&id(2)]);
    run(async {
        for group in [kx_group::X25519, kx_group::SECP256R1, kx_group::MLKEM768] {
            let weak = endpoint(&key(2), provider(group)).await;
            no_session(&weak, &key(2), &ann, b"h3").await;
        }
        // Nor if he is dialled.
        let weak = endpoint_for(&key(1), &key(2), provider(kx_group::X25519)).await;
        ann.send(Command::Know { device: id(2), addresses: weak.bound_sockets() });
        weak.accept().await.unwrap().await.map(drop).unwrap_err();
        ann.until_unreachable(id(2));
        // The same member with the right key exchange is welcome: it was not for another reason.
        let strong = pq_endpoint(&key(2)).await;
        let connection = connect(&strong, &key(2), &ann).await;
        let (mut send, mut recv) = connection.open_bi().await.unwrap();
        write(&mut send, &member_hello(&key(2), &exporter(&connection, circle, INITIATOR))).await;
        assert!(read(&mut recv).await.is_some());
    });
}

/// The observer of a path holds a member's first packet back and has its pass to himself.
#[test]
fn whoever_takes_the_pass_of_a_packet_that_he_held_back_gets_no_session() {
    let (ann, ben) = pair();
    let held = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    held.set_read_timeout(Some(LIMIT)).unwrap();
    ben.send(Command::Know { device: ann.id, addresses: vec![held.local_addr().unwrap()] });
    let mut packet = [0; 2048];
    let length = held.recv(&mut packet).unwrap();
    // Kind, version, length of the id, the id.
    assert!(length >= 1200 && packet[0] & 0xf0 == 0xc0 && packet[1..6] == [0, 0, 0, 1, 20]);
    let pass = noq_proto::ConnectionId::new(&packet[6..26]);
    run(async {
        let mallory = pq_endpoint(&key(3)).await;
        let options = ConnectOptions::new().with_initial_dst_cid(pass);
        let to = address_of(ann.id, ann.address);
        let connecting = mallory.connect_with_opts(to, b"h3", options).await.unwrap();
        let session = tokio::time::timeout(Duration::from_secs(2), connecting).await;
        assert!(session.is_err(), "not one byte came back: {session:?}");
    });
    // The member himself comes in with the next.
    ben.know(&ann);
    ben.until_up(ann.id);
}

#[test]
fn another_protocol_name_gets_no_session() {
    let ann = Device::new(1);
    ann.allow([&id(2)]);
    run(async {
        let stranger = pq_endpoint(&key(3)).await;
        no_session(&stranger, &key(2), &ann, b"hexode").await;
    });
}

#[test]
fn the_hello_is_as_the_specification_has_it() {
    let (ann, circle) = (Device::new(1), config(1).circle);
    ann.allow([&id(2)]);
    run(async {
        let ben = pq_endpoint(&key(2)).await;
        let connection = connect(&ben, &key(2), &ann).await;
        let (mut send, mut recv) = connection.open_bi().await.unwrap();
        write(&mut send, &member_hello(&key(2), &exporter(&connection, circle, INITIATOR))).await;
        let answer = read(&mut recv).await.unwrap();
        let (statement, signature) = answer[1..].split_at(answer.len() - 65);
        let secret = exporter(&connection, circle, RESPONDER);
        let signature = wire::Signature(signature.try_into().unwrap());
        ann.id.verify("hexode hello 1 device", &[&secret, statement], &signature).unwrap();
        let (_instance, serial, kind): (u64, u64, u32) = wire::decode(statement, 99).unwrap();
        assert_eq!((answer[0], serial, kind), (0, 0, 0));
        write(&mut send, b"a frame").await;
        let frame = ann.until(|event| match event {
            Event::Frame { bytes, .. } => Some(bytes),
            _ => None,
        });
        assert_eq!(&*frame, b"a frame");
    });
}

#[test]
fn a_member_who_sends_what_is_no_frame_loses_his_link_and_nobody_else_does() {
    let ((ann, to_ben), (ben, _)) = linked();
    let circle = config(1).circle;
    ann.allow([&ben.id, &id(3)]);
    for bad in [vec![0xff, 0xff, 0xff, 0xff], vec![0x00, 0x10, 0x00, 0x01], vec![0, 0, 0, 0]] {
        run(async {
            let cara = pq_endpoint(&key(3)).await;
            let connection = connect(&cara, &key(3), &ann).await;
            let (mut send, _recv) = connection.open_bi().await.unwrap();
            write(&mut send, &member_hello(&key(3), &exporter(&connection, circle, INITIATOR))).await;
            send.write_all(&bad).await.unwrap();
            assert_eq!(close_code(&connection).await, 0x103);
        });
        assert_eq!(ann.until_down(id(3)), hexode_tunnel::DownReason::Garbage);
    }
    ann.frame(ben.id, to_ben, *b"still here");
    assert_eq!(&*ben.until_frame(), b"still here");
}

/// Who is removed may keep the connection open for as long as he is given to take the last frames.
#[test]
fn who_is_parted_from_learns_nothing_that_happens_after() {
    let (ann, circle) = (Device::new(1), config(1).circle);
    ann.allow([&id(2)]);
    run(async {
        let ben = pq_endpoint(&key(2)).await;
        let connection = connect(&ben, &key(2), &ann).await;
        let (mut send, mut recv) = connection.open_bi().await.unwrap();
        write(&mut send, &member_hello(&key(2), &exporter(&connection, circle, INITIATOR))).await;
        read(&mut recv).await.unwrap();
        let link = ann.until_up(id(2));
        let (answer, stream) = tokio::sync::oneshot::channel();
        let opening = b"a file".to_vec();
        ann.send(Command::Open { device: id(2), link, class: Class::File, opening, answer });
        let mut stream = stream.await.unwrap();
        stream.outlet.write((&b"before"[..]).into()).await.unwrap();
        ann.send(Command::Part { device: id(2), link, frames: vec![b"removed".to_vec()] });
        ann.until_down(id(2));
        // Cara comes into the circle; Ann would have to ask for a way to her.
        ann.allow([&id(3)]);
        assert_eq!(read(&mut recv).await.unwrap(), b"removed");
        assert!(stream.outlet.write((&b"after"[..]).into()).await.is_err());
        let mut heard = Vec::new();
        let listen = async {
            while let Ok(mut notices) = connection.accept_uni().await {
                while let Some(notice) = read(&mut notices).await {
                    heard.extend(notice);
                }
            }
        };
        // He does not close: it is Ann who ends it.
        let (code, ()) = tokio::join!(close_code(&connection), listen);
        assert_eq!(code, GO_AWAY);
        let cara = id(3);
        assert!(!heard.windows(32).any(|part| part == cara.as_bytes()), "he was told of Cara");
    });
}
