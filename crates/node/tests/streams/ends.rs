//! How a flow ended is told to the program that waits for it, and a program that is gone has not ended it.

use std::path::PathBuf;

use hexode_node::api::{self, StreamEnd, StreamTarget};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{UnixListener, UnixStream},
};

use crate::{
    house::run,
    scene::{Scene, echo, offer, pattern},
};

/// Ann's program has a socket; Ben's listens for one connection.
struct Pipe {
    scene: Scene,
    target: UnixListener,
    ben: PathBuf,
    listener: u64,
}

impl Pipe {
    async fn new() -> Self {
        let scene = Scene::new().await;
        let at = scene.house.folder.path().join("ann.sock");
        let target = UnixListener::bind(&at).unwrap();
        let to = StreamTarget::Unix(at.to_str().unwrap().into());
        scene.ann.offer(api::NewStreamOffer { once: true, ..offer("beans", to) }).await.unwrap();
        let (ben, listener) = once(&scene, "Ann/beans").await;
        Self { scene, target, ben, listener }
    }

    async fn connect(&self) -> (UnixStream, UnixStream) {
        let ben = UnixStream::connect(&self.ben).await.unwrap();
        (self.target.accept().await.unwrap().0, ben)
    }

    async fn ends(&self) -> (StreamEnd, StreamEnd) {
        let Scene { ann, ben, .. } = &self.scene;
        let anns = ann.node.end_of_offer(ann.circle, "beans".into()).await.unwrap();
        (anns, ben.node.end_of_listener(ben.circle, self.listener).await.unwrap())
    }
}

async fn once(scene: &Scene, stream: &str) -> (PathBuf, u64) {
    let at = scene.house.folder.path().join("ben.sock");
    let open = api::OpenStream {
        stream: stream.into(),
        unix: Some(at.to_str().unwrap().into()),
        once: true,
        ..api::OpenStream::default()
    };
    let listener = scene.ben.open_as(open).await.unwrap();
    (at, listener.id)
}

/// Says one part, behind its length; one of none is the end.
async fn say(stream: &mut UnixStream, part: &[u8]) {
    stream.write_u32(part.len() as u32).await.unwrap();
    stream.write_all(part).await.unwrap();
}

fn properly() -> StreamEnd {
    StreamEnd { over: true, opened: true, reason: None, words: None }
}

fn early(opened: bool, reason: &str, words: &str) -> StreamEnd {
    StreamEnd { over: true, opened, reason: Some(reason.into()), words: Some(words.into()) }
}

#[test]
fn a_flow_that_both_programs_ended_has_ended_properly() {
    run(async {
        let pipe = Pipe::new().await;
        let (mut ann, mut ben) = pipe.connect().await;
        let bytes = pattern(300_000);
        say(&mut ben, b"").await;
        let tell = async {
            for part in bytes.chunks(70_000) {
                say(&mut ann, part).await;
            }
            say(&mut ann, b"").await;
        };
        let mut heard = Vec::new();
        let (_, read) = tokio::join!(tell, ben.read_to_end(&mut heard));
        read.unwrap();
        assert!(heard == bytes);
        assert!(!pipe.ben.exists(), "once is once");
        assert!(pipe.scene.ben.streams().await.listeners.is_empty());
        assert_eq!(pipe.ends().await, (properly(), properly()));
    });
}

#[test]
fn what_a_program_closes_before_the_flows_end_is_broken_off_at_both_ends() {
    run(async {
        let told = "reset by the program at the other end";
        // Ben's has said all, and only listens: the cut must not look like an end to him.
        let pipe = Pipe::new().await;
        let (mut ann, mut ben) = pipe.connect().await;
        say(&mut ben, b"").await;
        say(&mut ann, b"half of").await;
        ben.read_exact(&mut [0; 7]).await.unwrap();
        drop(ann);
        assert_eq!(pipe.ends().await, (early(true, "reset", told), early(true, "reset", told)));

        let pipe = Pipe::new().await;
        let (mut ann, mut ben) = pipe.connect().await;
        say(&mut ann, b"").await;
        // Within a part, and as if it were the end of a connection like any other.
        ben.write_u32(8).await.unwrap();
        ben.write_all(b"half of").await.unwrap();
        ann.read_exact(&mut [0; 7]).await.unwrap();
        ben.shutdown().await.unwrap();
        assert_eq!(pipe.ends().await, (early(true, "reset", told), early(true, "reset", told)));
    });
}

#[test]
fn why_a_flow_was_not_opened_or_broke_off_is_told() {
    run(async {
        let pipe = Pipe::new().await;
        let (mut ann, mut ben) = pipe.connect().await;
        say(&mut ann, b"half of").await;
        ben.read_exact(&mut [0; 7]).await.unwrap();
        pipe.scene.ann.node.withdraw_stream(pipe.scene.ann.circle, "beans".into()).await.unwrap();
        let Scene { ben: bens, .. } = &pipe.scene;
        let end = bens.node.end_of_listener(bens.circle, pipe.listener).await.unwrap();
        assert_eq!(end, early(true, "revoked", "the grant was revoked"));
        drop((ann, ben));

        let (at, listener) = once(&pipe.scene, "Ann/beans").await;
        let _ben = UnixStream::connect(at).await.unwrap();
        let end = bens.node.end_of_listener(bens.circle, listener).await.unwrap();
        assert_eq!(end, early(false, "unknown", "nothing of that name is offered to this device"));

        // Nobody came, and nobody will.
        let (_, listener) = once(&pipe.scene, "Ann/beans").await;
        bens.node.close_stream(bens.circle, listener).await.unwrap();
        let end = bens.node.end_of_listener(bens.circle, listener).await.unwrap();
        assert_eq!(end, early(true, "closed", "the device ended it"));

        let (at, listener) = once(&pipe.scene, "Ann/beans").await;
        pipe.scene.ann.node.stop().await;
        bens.until(async || bens.node.circle(bens.circle).await.unwrap().connected == 0).await;
        let _ben = UnixStream::connect(at).await.unwrap();
        let end = bens.node.end_of_listener(bens.circle, listener).await.unwrap();
        assert_eq!(end, early(false, "lost", "the link is gone"));
        assert!(bens.node.end_of_listener(bens.circle, 4711).await.is_err());
        assert!(bens.node.end_of_offer(bens.circle, "beans".into()).await.is_err());
    });
}

#[test]
fn what_is_offered_once_is_not_kept() {
    run(async {
        let scene = Scene::new().await;
        let to = StreamTarget::Unix("/tmp/nobody.sock".into());
        scene.ann.offer(api::NewStreamOffer { once: true, ..offer("beans", to) }).await.unwrap();
        scene.ann.offer(offer("peas", echo().await)).await.unwrap();
        scene.ann.reopen().await;
        let offers = scene.ann.streams().await.offers;
        assert_eq!(offers.iter().map(|offer| offer.name.as_str()).collect::<Vec<_>>(), ["peas"]);
        let port = api::NewStreamOffer { once: true, ..offer("beans", echo().await) };
        assert!(scene.ann.offer(port).await.is_err(), "only a program that can say how it ends");
    });
}
