//! Unix sockets, commands, datagrams.

use std::time::Duration;

use hexode_node::api::{self, StreamTarget};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpStream, UdpSocket, UnixListener, UnixStream},
    time::timeout,
};

use crate::{
    house::run,
    scene::{Scene, pattern},
};

#[test]
fn a_unix_socket_is_joined_with_a_unix_socket_that_only_its_owner_opens() {
    run(async {
        let scene = Scene::new().await;
        let theirs = scene.house.folder.path().join("theirs.sock");
        let ours = scene.house.folder.path().join("ours.sock");
        let target = UnixListener::bind(&theirs).unwrap();
        scene.offer(StreamTarget::Unix(theirs.to_str().unwrap().into())).await;
        let open = api::OpenStream {
            stream: "Ann/beans".into(),
            unix: Some(ours.to_str().unwrap().into()),
            ..api::OpenStream::default()
        };
        let listener = scene.ben.open_as(open).await.unwrap();
        let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&ours).unwrap().permissions());
        assert_eq!(mode & 0o777, 0o600);
        let mut client = UnixStream::connect(&ours).await.unwrap();
        let (mut server, _) = target.accept().await.unwrap();
        client.write_all(b"up").await.unwrap();
        client.shutdown().await.unwrap();
        let mut heard = Vec::new();
        server.read_to_end(&mut heard).await.unwrap();
        assert_eq!(heard, b"up");
        server.write_all(b"down").await.unwrap();
        drop(server);
        let mut heard = Vec::new();
        client.read_to_end(&mut heard).await.unwrap();
        assert_eq!(heard, b"down");
        scene.ben.node.close_stream(scene.ben.circle, listener.id).await.unwrap();
        assert!(!ours.exists());
        assert!(scene.ben.streams().await.listeners.is_empty());
    });
}

#[test]
fn a_command_is_started_for_each_flow_and_killed_with_it() {
    run(async {
        let scene = Scene::new().await;
        let told = scene.house.folder.path().join("told");
        scene.offer(StreamTarget::Exec(format!("echo $$; tee {}; echo end", told.display()))).await;
        let address = scene.open().await;
        let mut client = TcpStream::connect(&address).await.unwrap();
        client.write_all(b"beans; rm -rf / $(reboot)").await.unwrap();
        client.shutdown().await.unwrap();
        let mut heard = String::new();
        client.read_to_string(&mut heard).await.unwrap();
        assert!(heard.ends_with("beans; rm -rf / $(reboot)end\n"), "{heard}");
        assert_eq!(std::fs::read_to_string(told).unwrap(), "beans; rm -rf / $(reboot)");
        // One that does not end by itself ends with its flow, and what it started too.
        let mut client = TcpStream::connect(&address).await.unwrap();
        let mut id = Vec::new();
        while !id.ends_with(b"\n") {
            id.push(client.read_u8().await.unwrap());
        }
        let process = format!("/proc/{}", String::from_utf8(id).unwrap().trim());
        assert!(std::path::Path::new(&process).exists());
        client.set_zero_linger().unwrap();
        drop(client);
        let gone = async {
            while std::path::Path::new(&process).exists() {
                tokio::task::yield_now().await;
            }
        };
        timeout(Duration::from_secs(30), gone).await.expect("killed");
    });
}

#[test]
fn a_command_that_says_nothing_is_told_all() {
    run(async {
        let scene = Scene::new().await;
        let kept = scene.house.folder.path().join("kept");
        scene.offer(StreamTarget::Exec(format!("cat > {}", kept.display()))).await;
        let mut client = TcpStream::connect(scene.open().await).await.unwrap();
        let bytes = pattern(3_000_000);
        client.write_all(&bytes).await.unwrap();
        client.shutdown().await.unwrap();
        client.read_to_end(&mut Vec::new()).await.unwrap();
        scene.ann.until_open(0).await;
        assert!(std::fs::read(kept).unwrap() == bytes);
    });
}

#[test]
fn datagrams_stay_whole_and_each_program_hears_its_own_answers() {
    run(async {
        let scene = Scene::new().await;
        let target = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        scene.offer(StreamTarget::Udp(target.local_addr().unwrap().to_string())).await;
        let open = api::OpenStream { stream: "Ann/beans".into(), udp: true, ..api::OpenStream::default() };
        let address = scene.ben.open_as(open).await.unwrap().address;
        tokio::spawn(async move {
            let mut buffer = vec![0; 65_536];
            loop {
                let (read, from) = target.recv_from(&mut buffer).await.unwrap();
                let answer: Vec<_> = buffer[..read].iter().rev().copied().collect();
                target.send_to(&answer, from).await.unwrap();
            }
        });
        let programs = [UdpSocket::bind("127.0.0.1:0").await, UdpSocket::bind("127.0.0.1:0").await];
        for (number, program) in programs.into_iter().enumerate() {
            let program = program.unwrap();
            program.connect(&address).await.unwrap();
            let mut buffer = vec![0; 65_536];
            for len in [0, 1, 300, 1200, 9000, 65_507] {
                let mut said = pattern(len);
                said.iter_mut().for_each(|byte| *byte ^= u8::try_from(number).unwrap());
                program.send(&said).await.unwrap();
                let read = program.recv(&mut buffer).await.unwrap();
                said.reverse();
                assert!(buffer[..read] == said, "{len}");
            }
        }
        assert_eq!(scene.ann.streams().await.open, 2);
    });
}
