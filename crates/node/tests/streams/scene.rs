//! Ann offers, Ben opens: what the tests of streams share.

use hexode_node::api::{self, ApiError};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use crate::house::{House, Person};

pub(crate) struct Scene {
    pub(crate) ann: Person,
    pub(crate) ben: Person,
    // Dropped last.
    pub(crate) house: House,
}

impl Scene {
    pub(crate) async fn new() -> Self {
        let house = House::new();
        let ann = house.found("Ann").await;
        let ben = house.join("Ben", &ann).await;
        ann.until_up("Ben").await;
        ben.until_up("Ann").await;
        Self { ann, ben, house }
    }

    /// Ann offers Ben what listens at an address.
    pub(crate) async fn offer(&self, target: api::StreamTarget) -> api::StreamOffer {
        self.ann.offer(offer("beans", target)).await.unwrap()
    }

    /// Ben listens for it, and returns where.
    pub(crate) async fn open(&self) -> String {
        self.ben.open("Ann/beans").await.unwrap().address
    }
}

pub(crate) fn offer(name: &str, target: api::StreamTarget) -> api::NewStreamOffer {
    api::NewStreamOffer {
        name: name.into(),
        target,
        label: None,
        class: api::StreamClass::File,
        rate: 0,
        flows: None,
        members: vec!["Ben".into()],
        role: None,
        once: false,
    }
}

impl Person {
    pub(crate) async fn offer(&self, new: api::NewStreamOffer) -> Result<api::StreamOffer, ApiError> {
        self.node.offer_stream(self.circle, new).await
    }

    pub(crate) async fn open(&self, stream: &str) -> Result<api::StreamListener, ApiError> {
        self.open_as(api::OpenStream { stream: stream.into(), ..api::OpenStream::default() }).await
    }

    pub(crate) async fn open_as(&self, open: api::OpenStream) -> Result<api::StreamListener, ApiError> {
        self.node.open_stream(self.circle, open).await
    }

    pub(crate) async fn streams(&self) -> api::Streams {
        self.node.streams(self.circle).await.unwrap()
    }

    /// Waits until so many flows are open here.
    pub(crate) async fn until_open(&self, count: u32) {
        // Flows come and go without an event.
        let look = async {
            while self.streams().await.open != count {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(std::time::Duration::from_secs(60), look).await.expect("in time");
    }

    /// Waits until something was refused for a reason, and returns it.
    pub(crate) async fn until_refused(&self, reason: &str) -> api::RefusedFlow {
        let find = async || self.streams().await.refused.into_iter().find(|refused| refused.reason == reason);
        self.until(async || find().await.is_some()).await;
        find().await.unwrap()
    }
}

/// A program that listens.
pub(crate) async fn listener() -> (TcpListener, api::StreamTarget) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = api::StreamTarget::Tcp(listener.local_addr().unwrap().to_string());
    (listener, target)
}

/// A program that echoes to whoever comes, until they say no more.
pub(crate) async fn echo() -> api::StreamTarget {
    let (listener, target) = listener().await;
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let (mut from, mut to) = stream.split();
                let _ = tokio::io::copy(&mut from, &mut to).await;
            });
        }
    });
    target
}

/// Says something and hears it back.
pub(crate) async fn echoes(stream: &mut TcpStream, said: &[u8]) {
    stream.write_all(said).await.unwrap();
    let mut heard = vec![0; said.len()];
    stream.read_exact(&mut heard).await.unwrap();
    assert!(heard == said);
}

/// Bytes that say where they are.
pub(crate) fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|at| (at % 251) as u8 ^ (at >> 13) as u8).collect()
}
