use std::{io::Write, net::Ipv4Addr, path::PathBuf, time::Duration};

use anyhow::{Context, Result};
use node::{Node, api};
use serde::{Deserialize, Serialize};
use tokio::{sync::mpsc, task::JoinHandle};
use wire::{CircleId, ConversationId, DeviceId, MessageId};

use crate::{
    child, files,
    host::{self, Host, PASSPHRASE, plain},
};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The node's folder; a crowd's nodes have one each inside it.
    home: PathBuf,
    /// The address to listen on.
    #[arg(long, default_value_t = Ipv4Addr::LOCALHOST)]
    bind: Ipv4Addr,
    /// Looks for members on the local network.
    #[arg(long)]
    lan: bool,
}

/// What a node's process is told, one JSON object a line.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum Order {
    /// Make the vault and found a circle.
    Found { circle: String, name: String, passphrase: String },
    /// Issue an invitation.
    Invite,
    /// Make the vault and join.
    Join { invitation: String, name: String, passphrase: String },
    /// Start another node beside this one for each invitation, and join; they run until the process ends.
    Crowd { invitations: Vec<String> },
    /// Open the vault; tunnels start.
    Unlock,
    /// Close it.
    Lock,
    /// Send one message.
    Send { to: String, text: String },
    /// Write so many messages of so many bytes, so many at a time.
    Write { to: String, count: u64, bytes: usize, in_flight: u64 },
    /// Write a message every so many milliseconds and tell of each that is durable, until told to hush.
    Chatter { to: String, every_ms: u64 },
    /// Chatter no more.
    Hush,
    /// Wait until so many devices have a tunnel with this one.
    Tunnels { count: usize },
    /// Wait until `device` says that it has stored `count` entries of this device's chain.
    Stored { conversation: ConversationId, device: DeviceId, count: u64 },
    /// Say how a conversation stands.
    Conversation { to: String },
    /// Take a file in and offer it.
    SendFile { to: String, path: PathBuf },
    /// Wait until a message offers a file, and fetch that.
    Accept { message: MessageId },
    /// Wait until a file is here.
    Held { message: MessageId },
    /// Say how a file stands.
    File { message: MessageId },
    /// Put a file out.
    Save { message: MessageId, path: PathBuf },
    /// Offer a data stream.
    OfferStream { name: String, to: String, target: String, udp: bool, class: api::StreamClass, flows: u32 },
    /// Listen for programs that want what another offers.
    OpenStream { stream: String },
    /// List all messages of a conversation, in its order.
    Dump { to: String },
    /// Lock, and end.
    Stop,
}

impl Order {
    pub(crate) fn found(name: &str) -> Self {
        let (circle, passphrase) = ("Measure".to_owned(), PASSPHRASE.to_owned());
        Self::Found { circle, name: name.to_owned(), passphrase }
    }

    pub(crate) fn join(invitation: String, name: &str) -> Self {
        Self::Join { invitation, name: name.to_owned(), passphrase: PASSPHRASE.to_owned() }
    }
}

/// What it answers.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum Answer {
    Done,
    Failed {
        why: String,
    },
    Invitation {
        link: String,
    },
    Circle {
        circle: CircleId,
        device: DeviceId,
    },
    Written {
        conversation: ConversationId,
        len: u64,
    },
    /// A message is durable here.
    Sent {
        text: String,
    },
    Conversation {
        messages: u64,
        digest: String,
        forks: u64,
        missed: u64,
    },
    Messages {
        messages: Vec<Line>,
    },
    File {
        file: Box<api::File>,
    },
    Address {
        address: String,
    },
}

/// One message as a screen would show it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Line {
    pub(crate) author: DeviceId,
    pub(crate) seq: u64,
    pub(crate) text: Option<String>,
}

/// Runs a node under orders until it is told to stop or nobody gives orders any more.
pub(crate) async fn run(args: Args) -> Result<()> {
    // As `hexode up` does: no core dumps.
    vault::harden_process()?;
    node::streams::allow_connections();
    let (answers, mut told) = mpsc::unbounded_channel::<Answer>();
    let host = Host::start(&args.home, args.bind, args.lan)?;
    let mut role =
        Role { host, circle: None, args, crowd: Vec::new(), chatter: None, answers: answers.clone() };
    let printer = tokio::spawn(async move {
        while let Some(answer) = told.recv().await {
            say(&answer)?;
        }
        Ok::<_, anyhow::Error>(())
    });
    let mut orders = child::orders();
    while let Some(line) = orders.recv().await {
        let order: Order = serde_json::from_str(&line)?;
        let last = matches!(order, Order::Stop);
        let answer =
            role.carry_out(order).await.unwrap_or_else(|error| Answer::Failed { why: format!("{error:#}") });
        answers.send(answer)?;
        if last {
            break;
        }
    }
    drop((answers, role));
    printer.await?
}

fn say(answer: &Answer) -> Result<()> {
    let mut line = serde_json::to_vec(answer)?;
    line.push(b'\n');
    let mut out = std::io::stdout().lock();
    out.write_all(&line)?;
    Ok(out.flush()?)
}

struct Role {
    host: Host,
    circle: Option<CircleId>,
    args: Args,
    crowd: Vec<Host>,
    chatter: Option<JoinHandle<()>>,
    answers: mpsc::UnboundedSender<Answer>,
}

impl Role {
    fn circle(&self) -> Result<CircleId> {
        self.circle.context("no circle yet")
    }

    async fn carry_out(&mut self, order: Order) -> Result<Answer> {
        let node = self.host.node.clone();
        match order {
            Order::Found { circle, name, passphrase } => {
                self.circle = Some(self.host.found(&circle, &name, &passphrase).await?);
                return self.me().await;
            }
            Order::Invite => {
                return Ok(Answer::Invitation { link: self.host.invite(self.circle()?).await? });
            }
            Order::Join { invitation, name, passphrase } => {
                self.circle = Some(self.host.join(&invitation, &name, &passphrase).await?);
                return self.me().await;
            }
            Order::Crowd { invitations } => self.gather(invitations).await?,
            Order::Unlock => {
                self.host.unlock().await?;
                let circles = node.circles().await.map_err(plain)?;
                self.circle = circles.first().map(|circle| circle.id);
                return self.me().await;
            }
            Order::Lock => node.lock().await.map_err(plain)?,
            Order::Send { to, text } => {
                node.send(self.circle()?, api::Send { to, text }).await.map_err(plain)?;
            }
            Order::Write { to, count, bytes, in_flight } => {
                let (conversation, len) =
                    host::write(&node, self.circle()?, &to, (count, bytes, in_flight)).await?;
                return Ok(Answer::Written { conversation, len });
            }
            Order::Chatter { to, every_ms } => {
                let chatter =
                    chatter(node, self.circle()?, to, Duration::from_millis(every_ms), self.answers.clone());
                self.chatter = Some(tokio::spawn(chatter));
            }
            Order::Hush => {
                if let Some(chatter) = self.chatter.take() {
                    chatter.abort();
                    // It was called off, which is what it says.
                    let _ = chatter.await;
                }
            }
            Order::Tunnels { count } => {
                self.host.wait(|seen| (seen.up.len() >= count).then_some(())).await?;
            }
            Order::Stored { conversation, device, count } => {
                let me = node.circle(self.circle()?).await.map_err(plain)?.device;
                let far = |seen: &host::Seen| {
                    seen.stored.get(&(conversation, device, me)).filter(|stored| **stored >= count).copied()
                };
                self.host.wait(far).await?;
            }
            Order::Conversation { to } => {
                let shown = node.conversation(self.circle()?, to).await.map_err(plain)?;
                let seen = self.host.seen();
                return Ok(Answer::Conversation {
                    messages: shown.messages,
                    digest: shown.history_digest,
                    forks: seen.forks,
                    missed: seen.missed,
                });
            }
            Order::SendFile { to, path } => {
                let file = files::send(&node, self.circle()?, to, &path).await?;
                return Ok(Answer::File { file: Box::new(file) });
            }
            Order::Accept { message } => files::accept(&node, self.circle()?, message).await?,
            Order::Held { message } => {
                let file = files::held(&node, self.circle()?, message).await?;
                return Ok(Answer::File { file: Box::new(file) });
            }
            Order::File { message } => {
                let file = node.file(self.circle()?, message).await.map_err(plain)?;
                return Ok(Answer::File { file: Box::new(file) });
            }
            Order::Save { message, path } => files::save(&node, self.circle()?, message, &path).await?,
            Order::OfferStream { name, to, target, udp, class, flows } => {
                let target =
                    if udp { api::StreamTarget::Udp(target) } else { api::StreamTarget::Tcp(target) };
                let offer = api::NewStreamOffer {
                    name,
                    target,
                    label: None,
                    class,
                    rate: 0,
                    flows: Some(flows),
                    members: vec![to],
                    role: None,
                    once: false,
                };
                node.offer_stream(self.circle()?, offer).await.map_err(plain)?;
            }
            Order::OpenStream { stream } => {
                let open = api::OpenStream { stream, ..api::OpenStream::default() };
                let listener = node.open_stream(self.circle()?, open).await.map_err(plain)?;
                return Ok(Answer::Address { address: listener.address });
            }
            Order::Dump { to } => {
                return Ok(Answer::Messages { messages: dump(&node, self.circle()?, to).await? });
            }
            Order::Stop => node.stop().await,
        }
        Ok(Answer::Done)
    }

    /// Lets a crowd join, one after the other.
    async fn gather(&mut self, invitations: Vec<String>) -> Result<()> {
        for invitation in invitations {
            let number = self.crowd.len();
            let home = self.args.home.join(format!("crowd-{number}"));
            std::fs::create_dir_all(&home)?;
            let host = Host::start(&home, self.args.bind, self.args.lan)?;
            host.join(&invitation, &format!("Member {number}"), PASSPHRASE).await?;
            self.crowd.push(host);
        }
        Ok(())
    }

    async fn me(&self) -> Result<Answer> {
        let own = self.host.node.circle(self.circle()?).await.map_err(plain)?;
        Ok(Answer::Circle { circle: own.id, device: own.device })
    }
}

/// Writes until it is called off; says of each message that it is durable only when it is.
async fn chatter(
    node: Node,
    circle: CircleId,
    to: String,
    every: Duration,
    answers: mpsc::UnboundedSender<Answer>,
) {
    let run = format!("{:016x}", u64::from_be_bytes(crypto::Entropy::bytes(&mut crypto::OsEntropy)));
    for number in 0u64.. {
        let text = format!("{run} {number}");
        match node.send(circle, api::Send { to: to.clone(), text: text.clone() }).await {
            Ok(_) => drop(answers.send(Answer::Sent { text })),
            Err(error) => drop(answers.send(Answer::Failed { why: error.message })),
        }
        tokio::time::sleep(every).await;
    }
}

/// Reads a whole conversation page by page, oldest first.
async fn dump(node: &Node, circle: CircleId, to: String) -> Result<Vec<Line>> {
    let conversation = node.conversation(circle, to).await.map_err(plain)?.id;
    let (mut pages, mut before) = (Vec::new(), None);
    loop {
        let query = api::PageQuery { before, limit: Some(1000) };
        let page = node.page(circle, conversation, query).await.map_err(plain)?;
        before = page.messages.first().map(|first| first.id);
        pages.push(page.messages);
        if !page.more {
            break;
        }
    }
    let lines = pages.into_iter().rev().flatten();
    Ok(lines.map(|line| Line { author: line.author, seq: line.seq, text: line.text }).collect())
}
