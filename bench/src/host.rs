use std::{
    collections::{BTreeMap, BTreeSet},
    net::{Ipv4Addr, SocketAddr},
    path::Path,
};

use anyhow::{Context, Result, anyhow, bail};
use node::{
    Node, Setup,
    api::{self, ApiError, CircleState, Event},
};
use tokio::sync::{broadcast::error::RecvError, watch};
use vault::{Durability, Kdf, Options};
use wire::{CircleId, ConversationId, DeviceId};

/// A real node of this process, and what its events have told.
#[derive(Debug, Clone)]
pub(crate) struct Host {
    pub(crate) node: Node,
    seen: watch::Receiver<Seen>,
}

/// What a front end has learnt from a node's events.
#[derive(Debug, Default, Clone)]
pub(crate) struct Seen {
    /// How far each device has stored each chain.
    pub(crate) stored: BTreeMap<(ConversationId, DeviceId, DeviceId), u64>,
    pub(crate) standing: BTreeMap<CircleId, CircleState>,
    pub(crate) up: BTreeSet<DeviceId>,
    /// Proofs that a chain was forked.
    pub(crate) forks: u64,
    /// Events this listener was too slow for.
    pub(crate) missed: u64,
}

impl Host {
    /// Starts a node on this runtime. Its vault is as durable as a person's; only the passphrase is stretched
    /// little, which no figure measures.
    pub(crate) fn start(home: &Path, bind: Ipv4Addr, lan: bool) -> Result<Self> {
        Self::with(home, bind, lan, node::Dht::Off)
    }

    /// Starts a node that finds members on the DHT alone.
    pub(crate) fn on_dht(home: &Path, bind: Ipv4Addr, dht: node::Dht) -> Result<Self> {
        Self::with(home, bind, false, dht)
    }

    fn with(home: &Path, bind: Ipv4Addr, lan: bool, dht: node::Dht) -> Result<Self> {
        let kdf = Kdf::Argon2id { memory_kib: 64, passes: 1, lanes: 1 };
        let node = Node::start(Setup {
            home: home.to_owned(),
            bind: vec![SocketAddr::from((bind, 0))],
            fixed: Vec::new(),
            lan,
            tcp: true,
            mapping: false,
            willing: node::Willing::default(),
            dht,
            vault: Options { durability: Durability::Full, kdf: Some(kdf) },
        })
        .map_err(plain)?;
        let (tell, seen) = watch::channel(Seen::default());
        let mut events = node.events();
        tokio::spawn(async move {
            loop {
                let next = events.recv().await;
                match next {
                    Ok(event) => tell.send_modify(|seen| seen.note(event)),
                    Err(RecvError::Lagged(count)) => tell.send_modify(|seen| seen.missed += count),
                    Err(RecvError::Closed) => return,
                }
            }
        });
        Ok(Self { node, seen })
    }

    /// Makes the vault and founds a circle.
    pub(crate) async fn found(&self, circle: &str, name: &str, passphrase: &str) -> Result<CircleId> {
        self.node.create(passphrase.to_owned()).await.map_err(plain)?;
        let request = api::Found {
            name: circle.to_owned(),
            member: name.to_owned(),
            device: format!("{name}'s laptop"),
        };
        Ok(self.node.found(request).await.map_err(plain)?.id)
    }

    pub(crate) async fn invite(&self, circle: CircleId) -> Result<String> {
        // Without an address of ours in it an invitation leads nowhere.
        while self.node.circle(circle).await.map_err(plain)?.addresses.is_empty() {
            tokio::task::yield_now().await;
        }
        let request = api::Invite { role: api::Role::Member, valid_s: 3600, own_device: false };
        let invitation = self.node.invite(circle, request).await.map_err(plain)?;
        invitation.link.context("an invitation without its link")
    }

    /// Makes the vault and joins a circle; returns when this device belongs to it.
    pub(crate) async fn join(&self, invitation: &str, name: &str, passphrase: &str) -> Result<CircleId> {
        self.node.create(passphrase.to_owned()).await.map_err(plain)?;
        let request = api::Join {
            invitation: invitation.to_owned(),
            member: name.to_owned(),
            device: format!("{name}'s phone"),
            history_s: None,
        };
        let circle = self.node.join(request).await.map_err(plain)?.id;
        let standing = self.wait(|seen| {
            seen.standing.get(&circle).copied().filter(|standing| *standing != CircleState::Joining)
        });
        match standing.await? {
            CircleState::Member => Ok(circle),
            other => bail!("{name} was not let in: {other:?}"),
        }
    }

    pub(crate) async fn unlock(&self) -> Result<()> {
        self.node.unlock(PASSPHRASE.to_owned()).await.map_err(plain)
    }

    /// Waits until the events have told what `is` looks for.
    pub(crate) async fn wait<T>(&self, mut is: impl FnMut(&Seen) -> Option<T>) -> Result<T> {
        let mut seen = self.seen.clone();
        loop {
            if let Some(found) = is(&seen.borrow_and_update()) {
                return Ok(found);
            }
            seen.changed().await.context("the node has stopped")?;
        }
    }

    /// Tells what the events have told.
    pub(crate) fn seen(&self) -> Seen {
        self.seen.borrow().clone()
    }
}

impl Seen {
    fn note(&mut self, event: Event) {
        match event {
            Event::Receipt { conversation, device, author, stored, .. } => {
                self.stored.insert((conversation, device, author), stored);
            }
            Event::Fork { .. } => self.forks += 1,
            Event::Standing { circle, state } => {
                self.standing.insert(circle, state);
            }
            Event::Tunnel { device, up, .. } => {
                if up {
                    self.up.insert(device);
                } else {
                    self.up.remove(&device);
                }
            }
            // With its tunnels gone a locked node reports no more of each.
            Event::Locked => self.up.clear(),
            Event::Missed { count } => self.missed += count,
            _ => {}
        }
    }
}

pub(crate) fn plain(error: ApiError) -> anyhow::Error {
    anyhow!("{}", error.message)
}

/// Writes `count` messages of `bytes` bytes, `in_flight` of them at a time, each durable before the next takes its
/// turn; returns how many there are in the conversation's chain and which conversation it is.
pub(crate) async fn write(
    node: &Node,
    circle: CircleId,
    to: &str,
    (count, bytes, in_flight): (u64, usize, u64),
) -> Result<(ConversationId, u64)> {
    let conversation = node.conversation(circle, to.to_owned()).await.map_err(plain)?.id;
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..in_flight {
        let node = node.clone();
        writers.spawn(async move {
            let mut len = 0;
            for number in (writer..count).step_by(usize::try_from(in_flight)?) {
                let request = api::Send { to: conversation.to_string(), text: text(number, bytes) };
                len = node.send(circle, request).await.map_err(plain)?.seq + 1;
            }
            Ok::<_, anyhow::Error>(len)
        });
    }
    let mut len = 0;
    while let Some(done) = writers.join_next().await {
        len = len.max(done??);
    }
    Ok((conversation, len))
}

/// Makes a text of a length that says which it is.
pub(crate) fn text(number: u64, bytes: usize) -> String {
    let mut text = format!("message {number} ");
    text.extend("the quick brown fox jumps over the lazy dog ".chars().cycle().take(bytes - text.len()));
    text
}

pub(crate) const PASSPHRASE: &str = "amber otter violin cactus marble seven";
