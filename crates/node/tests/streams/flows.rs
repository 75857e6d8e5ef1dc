//! What goes through a flow, and how it ends.

use std::io::ErrorKind;

use hexode_node::api::{self, StreamTarget};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{
    house::{CANARY, run},
    scene::{Scene, echo, echoes, listener, offer, pattern},
};

#[test]
fn bytes_go_both_ways_at_a_time_and_each_end_is_carried_by_itself() {
    run(async {
        let scene = Scene::new().await;
        let (target, at) = listener().await;
        scene.offer(at).await;
        let client = TcpStream::connect(scene.open().await).await.unwrap();
        let (server, _) = target.accept().await.unwrap();
        let (mut client_from, mut client_to) = client.into_split();
        let (mut server_from, mut server_to) = server.into_split();
        let (up, down) = (pattern(5_000_001), pattern(3_000_003));
        let say_up = async {
            client_to.write_all(&up).await.unwrap();
            client_to.shutdown().await.unwrap();
        };
        let hear_up = async {
            let mut heard = Vec::new();
            server_from.read_to_end(&mut heard).await.unwrap();
            assert!(heard == up);
        };
        let say_down = async { server_to.write_all(&down).await.unwrap() };
        let hear_down = async {
            let mut heard = vec![0; down.len()];
            client_from.read_exact(&mut heard).await.unwrap();
            assert!(heard == down);
        };
        tokio::join!(say_up, hear_up, say_down, hear_down);
        // One end is said; the other direction goes on until its own.
        server_to.write_all(b"still here").await.unwrap();
        server_to.shutdown().await.unwrap();
        let mut rest = Vec::new();
        client_from.read_to_end(&mut rest).await.unwrap();
        assert_eq!(rest, b"still here");
        scene.ann.until_open(0).await;
        scene.ben.until_open(0).await;
    });
}

#[test]
fn a_reset_is_a_reset_at_the_other_end_and_no_end() {
    run(async {
        let scene = Scene::new().await;
        let (target, at) = listener().await;
        scene.offer(at).await;
        let address = scene.open().await;
        for from_client in [true, false] {
            let client = TcpStream::connect(&address).await.unwrap();
            let (server, _) = target.accept().await.unwrap();
            let (breaks, mut sees) = if from_client { (client, server) } else { (server, client) };
            sees.write_all(b"something").await.unwrap();
            breaks.readable().await.unwrap();
            breaks.set_zero_linger().unwrap();
            drop(breaks);
            let seen = sees.read(&mut [0; 16]).await;
            assert_eq!(seen.unwrap_err().kind(), ErrorKind::ConnectionReset, "by the client: {from_client}");
        }
        scene.ann.until_open(0).await;
    });
}

#[test]
fn many_flows_of_one_stream_go_on_side_by_side() {
    run(async {
        let scene = Scene::new().await;
        scene.offer(echo().await).await;
        let address = scene.open().await;
        let mut clients = Vec::new();
        for number in 0..100_u8 {
            let mut client = TcpStream::connect(&address).await.unwrap();
            echoes(&mut client, &[number; 1000]).await;
            clients.push(client);
        }
        assert_eq!((scene.ann.streams().await.open, scene.ben.streams().await.open), (100, 100));
        for client in &mut clients {
            echoes(client, b"again").await;
        }
        let flow = scene.ben.streams().await.flows[0].clone();
        assert_eq!((flow.offer.as_str(), flow.mine, flow.sent, flow.received), ("beans", false, 1005, 1005));
        drop(clients);
        scene.ann.until_open(0).await;
    });
}

#[test]
fn a_target_that_is_not_there_is_told_and_the_next_one_may_be() {
    run(async {
        let scene = Scene::new().await;
        let (target, at) = listener().await;
        let address = target.local_addr().unwrap();
        drop(target);
        scene.offer(at).await;
        let open = scene.open().await;
        let mut client = TcpStream::connect(&open).await.unwrap();
        assert!(client.read(&mut [0]).await.is_err(), "no proper end");
        assert!(scene.ben.until_refused("refused").await.theirs);
        assert!(!scene.ann.until_refused("refused").await.theirs);
        assert_eq!(scene.ben.streams().await.listeners[0].trouble.as_deref(), Some("the target refuses"));
        let target = tokio::net::TcpListener::bind(address).await.unwrap();
        let mut client = TcpStream::connect(&open).await.unwrap();
        let (mut server, _) = target.accept().await.unwrap();
        server.write_all(b"here").await.unwrap();
        client.read_exact(&mut [0; 4]).await.unwrap();
        assert_eq!(scene.ben.streams().await.listeners[0].trouble, None);
    });
}

#[test]
fn labels_and_kinds_that_differ_are_refused_and_logged_at_both_ends() {
    run(async {
        let scene = Scene::new().await;
        let labelled =
            api::NewStreamOffer { label: Some("restricted".into()), ..offer("beans", echo().await) };
        scene.ann.offer(labelled).await.unwrap();
        for label in [None, Some("open"), Some("Restricted")] {
            let open = api::OpenStream {
                stream: "Ann/beans".into(),
                label: label.map(Into::into),
                ..api::OpenStream::default()
            };
            let listener = scene.ben.open_as(open).await.unwrap();
            let mut client = TcpStream::connect(&listener.address).await.unwrap();
            assert!(client.read(&mut [0]).await.is_err());
            for (person, theirs) in [(&scene.ann, false), (&scene.ben, true)] {
                let refused = person.until_refused("label").await;
                assert_eq!((refused.theirs, refused.offer.as_str()), (theirs, "beans"));
            }
        }
        let fits = api::OpenStream {
            stream: "Ann/beans".into(),
            label: Some("restricted".into()),
            ..api::OpenStream::default()
        };
        let listener = scene.ben.open_as(fits).await.unwrap();
        echoes(&mut TcpStream::connect(&listener.address).await.unwrap(), b"beans").await;
        let datagrams = api::OpenStream {
            stream: "Ann/beans".into(),
            label: Some("restricted".into()),
            udp: true,
            ..api::OpenStream::default()
        };
        let listener = scene.ben.open_as(datagrams).await.unwrap();
        let socket = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
        socket.send_to(b"beans", &listener.address).await.unwrap();
        scene.ben.until_refused("kind").await;
    });
}

#[test]
fn only_this_machine_reaches_a_listener_unless_the_person_says_otherwise() {
    run(async {
        let scene = Scene::new().await;
        scene.offer(echo().await).await;
        let at = |listen: &str, beyond_loopback| api::OpenStream {
            stream: "Ann/beans".into(),
            listen: Some(listen.into()),
            beyond_loopback,
            ..api::OpenStream::default()
        };
        for beyond in ["0.0.0.0:0", "[::]:0", "192.0.2.1:80"] {
            let refused = scene.ben.open_as(at(beyond, false)).await.unwrap_err();
            assert!(refused.message.contains("other machines can reach"), "{refused:?}");
        }
        assert!(scene.ben.open_as(at("localhost:80", false)).await.is_err(), "an address, not a name");
        assert!(scene.ben.open_as(at("127.0.0.1:0", false)).await.unwrap().address.starts_with("127."));
        scene.ben.open_as(at("0.0.0.0:0", true)).await.unwrap();
        for called in ["Ann", "Nobody/beans", "Ann/", "Ann/../beans", "Ann/tower/beans"] {
            assert!(scene.ben.open(called).await.is_err(), "{called}");
        }
        assert!(scene.ben.open("Ann/laptop/beans").await.is_ok());
    });
}

/// Needs root, to be somebody else.
#[test]
fn netns_another_user_of_the_machine_gets_no_byte_and_opens_no_flow() {
    run(async {
        let scene = Scene::new().await;
        let (target, at) = listener().await;
        scene.offer(at).await;
        let address = scene.open().await;
        let port = address.rsplit_once(':').unwrap().1;
        let script = format!("exec 3<>/dev/tcp/127.0.0.1/{port}; echo beans >&3; cat <&3");
        let other = tokio::process::Command::new("/bin/bash")
            .arg("-c")
            .arg(script)
            .uid(65_534)
            .output()
            .await
            .unwrap();
        assert_eq!(other.stdout, b"");
        let mut client = TcpStream::connect(&address).await.unwrap();
        client.write_all(b"mine").await.unwrap();
        let (mut server, _) = target.accept().await.unwrap();
        let mut heard = [0; 4];
        server.read_exact(&mut heard).await.unwrap();
        assert_eq!(&heard, b"mine", "the first flow that there was");
        assert_eq!(scene.ben.streams().await.open, 1);
    });
}

#[test]
fn offers_stand_in_the_vault_and_nowhere_else() {
    run(async {
        let scene = Scene::new().await;
        let path = format!("/tmp/{CANARY}.sock");
        scene.offer(StreamTarget::Unix(path.clone())).await;
        scene.ann.reopen().await;
        let kept = scene.ann.streams().await.offers;
        assert_eq!(kept[0].target, StreamTarget::Unix(path));
        assert_eq!(kept[0].members[0].name, "Ben");
        scene.ann.node.lock().await.unwrap();
        assert!(!scene.ann.betrays(CANARY.as_bytes()));
    });
}
