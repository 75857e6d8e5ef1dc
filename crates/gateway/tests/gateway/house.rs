//! A real node behind a real door.

use hexode_gateway::{Door, Ended, client::Client};
use node::{Node, Setup};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixStream,
    task::JoinHandle,
};
use vault::{Kdf, Options};

/// A node of its own home, served until dropped.
pub(crate) struct House {
    pub(crate) home: tempfile::TempDir,
    pub(crate) client: Client,
    pub(crate) served: JoinHandle<Ended>,
}

impl House {
    /// Starts a node without a vault.
    #[allow(clippy::unused_async, reason = "the node needs the runtime it is started in")]
    pub(crate) async fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let door = Door::open(home.path()).unwrap();
        let node = Node::start(Setup {
            home: home.path().to_owned(),
            bind: vec!["127.0.0.1:0".parse().unwrap()],
            fixed: Vec::new(),
            lan: false,
            tcp: true,
            mapping: false,
            willing: Default::default(),
            dht: node::Dht::Off,
            // The least that is accepted: what is tested here is not the passphrase's strength.
            vault: Options { kdf: Some(CHEAP), ..Options::default() },
        })
        .unwrap();
        let client = Client::new(home.path());
        let served = tokio::spawn(door.serve(node, std::future::pending()));
        Self { home, client, served }
    }

    /// Starts a node with an open vault.
    pub(crate) async fn open() -> Self {
        let house = Self::new().await;
        house.client.create(PASSPHRASE.into()).await.unwrap();
        house
    }

    pub(crate) async fn connect(&self) -> UnixStream {
        UnixStream::connect(hexode_gateway::socket_path(self.home.path())).await.unwrap()
    }

    /// Writes bytes as they are and returns all that comes back until the door closes the connection.
    pub(crate) async fn raw(&self, request: &str) -> String {
        let mut stream = self.connect().await;
        // The door may answer and close before it has read everything: that is its right.
        let _ = stream.write_all(request.as_bytes()).await;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }
}

pub(crate) const PASSPHRASE: &str = "seven wet owls sing at noon";
const CHEAP: Kdf = Kdf::Argon2id { memory_kib: 64, passes: 1, lanes: 1 };
