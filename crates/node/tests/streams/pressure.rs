//! Bad input: whoever opens without end, never reads, or floods.

use std::time::{Duration, Instant};

use hexode_node::api;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::{
    house::run,
    scene::{Scene, echo, echoes, listener, offer},
};

#[test]
fn ten_thousand_flows_from_one_member_are_bounded_by_name() {
    run(async {
        let scene = Scene::new().await;
        let few = api::NewStreamOffer { flows: Some(8), ..offer("beans", echo().await) };
        scene.ann.offer(few).await.unwrap();
        let address = scene.open().await;
        let mut held = Vec::new();
        for _ in 0..8 {
            let mut client = TcpStream::connect(&address).await.unwrap();
            echoes(&mut client, b"beans").await;
            held.push(client);
        }
        // The kernel's queue of those who wait is 128 long; more at a time would wait a second each.
        for _ in 0..100 {
            let mut more = Vec::new();
            for _ in 0..100 {
                more.push(TcpStream::connect(&address).await.unwrap());
            }
            for mut client in more {
                assert!(client.read(&mut [0]).await.is_err(), "refused, not ended");
            }
        }
        let refused = scene.ben.until_refused("busy").await;
        assert_eq!(refused.words, "too many flows are open");
        assert_eq!(scene.ann.streams().await.open, 8);
        assert!(scene.ann.streams().await.refused.len() <= 256, "what is remembered is bounded");
        for client in &mut held {
            echoes(client, b"still here").await;
        }
        drop(held);
        scene.ann.until_open(0).await;
        echoes(&mut TcpStream::connect(&address).await.unwrap(), b"room again").await;
    });
}

#[test]
fn readers_that_never_read_stop_no_other_flow_and_no_message() {
    run(async {
        let scene = Scene::new().await;
        let (silent, at) = listener().await;
        scene.ann.offer(offer("silent", at)).await.unwrap();
        scene.offer(echo().await).await;
        let address = scene.open().await;
        let silent_at = scene.ben.open("Ann/silent").await.unwrap().address;
        let mut held = Vec::new();
        for _ in 0..20 {
            let mut client = TcpStream::connect(&silent_at).await.unwrap();
            held.push(silent.accept().await.unwrap());
            tokio::spawn(async move {
                // Until its reader is gone.
                let flood = vec![7; 1 << 20];
                while client.write_all(&flood).await.is_ok() {}
            });
        }
        // Until they stand still: no byte more comes from any of them.
        let received = async || scene.ann.streams().await.flows.iter().map(|flow| flow.received).sum::<u64>();
        let mut before = u64::MAX;
        while before != received().await || before == 0 {
            before = received().await;
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        let mut client = TcpStream::connect(&address).await.unwrap();
        let begun = Instant::now();
        for _ in 0..100 {
            echoes(&mut client, &[1; 300]).await;
        }
        assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
        let send = api::Send { to: "Ann".into(), text: "Are the beans up?".into() };
        let message = scene.ben.node.send(scene.ben.circle, send).await.unwrap();
        let stored = async || scene.ann.node.message(scene.ann.circle, message.id).await.is_ok();
        scene.ann.until(stored).await;
    });
}

#[test]
fn of_very_many_that_stand_still_those_over_the_bound_are_ended_by_name() {
    run(async {
        let scene = Scene::new().await;
        let (silent, at) = listener().await;
        scene.ann.offer(offer("silent", at)).await.unwrap();
        let silent_at = scene.ben.open("Ann/silent").await.unwrap().address;
        let mut held = Vec::new();
        for _ in 0..40 {
            let mut client = TcpStream::connect(&silent_at).await.unwrap();
            held.push(silent.accept().await.unwrap());
            tokio::spawn(async move {
                let flood = vec![7; 1 << 20];
                while client.write_all(&flood).await.is_ok() {}
            });
        }
        scene.ann.until_open(32).await;
        let send = api::Send { to: "Ann".into(), text: "Are the beans up?".into() };
        let message = scene.ben.node.send(scene.ben.circle, send).await.unwrap();
        scene.ann.until(async || scene.ann.node.message(scene.ann.circle, message.id).await.is_ok()).await;
    });
}

#[test]
fn a_rate_is_kept_by_all_flows_together() {
    run(async {
        let scene = Scene::new().await;
        let slow = api::NewStreamOffer { rate: 1_000_000, ..offer("beans", echo().await) };
        scene.ann.offer(slow).await.unwrap();
        let address = scene.open().await;
        let begun = Instant::now();
        let mut both = Vec::new();
        for _ in 0..2 {
            let address = address.clone();
            both.push(tokio::spawn(async move {
                let mut client = TcpStream::connect(&address).await.unwrap();
                for _ in 0..50 {
                    echoes(&mut client, &[1; 10_000]).await;
                }
            }));
        }
        for one in both {
            one.await.unwrap();
        }
        let took = begun.elapsed();
        assert!(took > Duration::from_millis(850) && took < Duration::from_secs(10), "{took:?}");
    });
}

#[test]
fn a_target_that_floods_is_read_no_faster_than_it_is_taken() {
    run(async {
        let scene = Scene::new().await;
        let (target, at) = listener().await;
        scene.offer(at).await;
        let mut client = TcpStream::connect(scene.open().await).await.unwrap();
        let (mut server, _) = target.accept().await.unwrap();
        let flood = vec![7; 64 << 10];
        let mut said = 0;
        // A second without a byte taken: everything on the way is full.
        while let Ok(wrote) = timeout(Duration::from_secs(1), server.write(&flood)).await {
            said += wrote.unwrap();
            assert!(said < 64 << 20, "no end of what is held on the way");
        }
        let mut heard = 0;
        let mut buffer = vec![0; 64 << 10];
        while heard < said {
            heard += client.read(&mut buffer).await.unwrap();
        }
        assert_eq!(heard, said);
    });
}
