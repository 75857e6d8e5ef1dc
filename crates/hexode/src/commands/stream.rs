use std::{
    io::{self, Read, Write},
    path::{Path, PathBuf},
    thread,
};

use clap::{Subcommand, ValueEnum};
use crypto::{Entropy, OsEntropy};
use node::api::{
    ErrorKind, NewStreamOffer, OpenStream, RefusedFlow, Role, StreamClass, StreamEnd, StreamGrant,
    StreamListener, StreamOffer, StreamPolicy, StreamTarget, Streams,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{UnixListener, UnixStream},
    signal::{
        ctrl_c,
        unix::{SignalKind, signal},
    },
    sync::{Notify, mpsc},
};
use wire::CircleId;

use crate::{failure::Failure, session::Session, size, table::Table, text, time};

mod pipe;

pub(crate) use pipe::sweep;

/// Offer data streams to members, and open those that others offer
///
/// A stream leads from a program on one device to a port, a socket or a command on another, sealed under
/// keys of its own. Whoever offers it says where it leads and who may open it; the other side chooses neither.
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(subcommand)]
    act: Option<Act>,
}

#[derive(Debug, Subcommand)]
enum Act {
    /// List what is offered, listened for and open, and what was refused lately
    List,
    /// Offer a stream to members or roles; it stays offered after a restart
    Offer(Offer),
    /// Offer a stream no more, and end its flows
    Withdraw {
        /// The stream's name
        name: String,
    },
    /// Grant an offered stream to more members, or to a role
    Grant(Grant),
    /// Take an offered stream from members, or from the role; their flows end at once
    Revoke(Grant),
    /// Listen on this machine for programs that want what another device offers
    ///
    /// It listens until it is closed or the node locks. On a port of this machine other users are turned away, but not with --udp. Pages in
    /// your own browser can send requests to a port, whatever site they are from: what they must not reach is opened with --unix.
    Open(Open),
    /// Listen no more at a place; flows that are open go on
    Close {
        /// Its number, as `hexode stream list` says
        listener: u64,
    },
    /// Join this program's input and output with what another device offers
    Pipe {
        /// MEMBER/NAME, or MEMBER/DEVICE/NAME
        stream: String,
        /// The label under which it is to be used
        #[arg(long)]
        label: Option<String>,
    },
    /// Show or set the rules of this device: no streams at all, or only with certain labels
    Policy {
        /// Allow streams
        #[arg(long, conflicts_with = "off")]
        on: bool,
        /// Allow none: those that are open end at once
        #[arg(long)]
        off: bool,
        /// Allow only streams with this label; may be said several times
        #[arg(long, value_name = "LABEL")]
        label: Vec<String>,
        /// Allow any label, and none
        #[arg(long, conflicts_with = "label")]
        any_label: bool,
    },
}

#[derive(Debug, clap::Args)]
struct Offer {
    /// Its name: letters, digits, and . _ - behind the first
    name: String,
    #[command(flatten)]
    target: Target,
    /// Grant it to a member; may be said several times
    #[arg(long, value_name = "MEMBER")]
    to: Vec<String>,
    /// Grant it to devices of a role, and of more senior ones
    #[arg(long, value_enum)]
    role: Option<LeastRole>,
    /// The label that whoever opens it has to name as well
    #[arg(long)]
    label: Option<String>,
    /// How urgent what goes on it is
    #[arg(long, value_enum, default_value_t = Class::File)]
    class: Class,
    /// How many bytes a second all its flows together carry each way, such as 2M
    #[arg(long, value_name = "SIZE", value_parser = size::parse, default_value = "0", hide_default_value = true)]
    rate: u64,
    /// How many flows are open at a time [default: 256]
    #[arg(long, value_name = "COUNT")]
    flows: Option<u32>,
}

#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct Target {
    /// Connect each flow to a host and port
    #[arg(long, value_name = "HOST:PORT")]
    tcp: Option<String>,
    /// Send the datagrams of each flow to a host and port
    #[arg(long, value_name = "HOST:PORT")]
    udp: Option<String>,
    /// Connect each flow to a Unix socket
    #[arg(long, value_name = "PATH")]
    unix: Option<PathBuf>,
    /// Start a command for each flow, by /bin/sh -c, and join it with its input and output
    #[arg(long, value_name = "COMMAND")]
    exec: Option<String>,
    /// Join one flow with this program's input and output; offered until it ends
    #[arg(long)]
    stdin: bool,
}

#[derive(Debug, clap::Args)]
struct Grant {
    /// The stream's name
    name: String,
    /// Members, by name or id
    members: Vec<String>,
    /// The role, with all more senior ones
    #[arg(long, value_enum)]
    role: Option<LeastRole>,
}

#[derive(Debug, clap::Args)]
struct Open {
    /// MEMBER/NAME, or MEMBER/DEVICE/NAME
    stream: String,
    /// Where to listen: an IP address and port [default: a free port of 127.0.0.1]
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<String>,
    /// Listen on a Unix socket in place of that
    #[arg(long, value_name = "PATH", conflicts_with_all = ["listen", "udp"])]
    unix: Option<PathBuf>,
    /// Listen for datagrams
    #[arg(long)]
    udp: bool,
    /// The label under which it is to be used
    #[arg(long)]
    label: Option<String>,
    /// Listen at an address that other machines reach: everybody who does can use the stream
    #[arg(long)]
    beyond_loopback: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum LeastRole {
    Founder,
    Admin,
    Member,
    Guest,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Class {
    Voice,
    Message,
    File,
    Bulk,
}

impl From<LeastRole> for Role {
    fn from(role: LeastRole) -> Self {
        match role {
            LeastRole::Founder => Self::Founder,
            LeastRole::Admin => Self::Admin,
            LeastRole::Member => Self::Member,
            LeastRole::Guest => Self::Guest,
        }
    }
}

impl From<Class> for StreamClass {
    fn from(class: Class) -> Self {
        match class {
            Class::Voice => Self::Voice,
            Class::Message => Self::Message,
            Class::File => Self::File,
            Class::Bulk => Self::Bulk,
        }
    }
}

impl Args {
    pub(crate) async fn run(self, session: Session) -> Result<(), Failure> {
        let circle = session.circle().await?.id;
        let client = &session.client;
        match self.act.unwrap_or(Act::List) {
            Act::List => {
                let streams = client.streams(circle).await?;
                session.answer(&streams, || list(&streams))
            }
            Act::Offer(offer) => offer.run(&session, circle).await,
            Act::Withdraw { name } => {
                client.withdraw_stream(circle, &name).await?;
                session.answer(&(), || format!("{} is offered no more.\n", text::line(&name)))
            }
            Act::Grant(grant) => {
                let (name, grant) = grant.read("grant")?;
                let offer = client.grant_stream(circle, &name, &grant).await?;
                session.answer(&offer, || granted(&offer))
            }
            Act::Revoke(grant) => {
                let (name, grant) = grant.read("revoke")?;
                let offer = client.revoke_stream(circle, &name, &grant).await?;
                session.answer(&offer, || granted(&offer))
            }
            Act::Open(open) => open.run(&session, circle).await,
            Act::Close { listener } => {
                client.close_stream(circle, listener).await?;
                session.answer(&(), || "Closed.\n".into())
            }
            Act::Pipe { stream, label } => pipe::run(&session, circle, stream, label).await,
            Act::Policy { on, off, label, any_label } => {
                let mut policy = client.streams(circle).await?.policy;
                if on || off || any_label || !label.is_empty() {
                    policy.on = (policy.on || on) && !off;
                    if any_label || !label.is_empty() {
                        policy.labels = label;
                    }
                    policy = client.set_stream_policy(circle, &policy).await?;
                }
                session.answer(&policy, || policy_text(&policy))
            }
        }
    }
}

impl Offer {
    async fn run(self, session: &Session, circle: CircleId) -> Result<(), Failure> {
        let Self { name, target, to, role, label, class, rate, flows } = self;
        if to.is_empty() && role.is_none() {
            return Err(Failure::user("it is offered to nobody").hint("say --to MEMBER or --role ROLE"));
        }
        let offer = |target, flows, once| NewStreamOffer {
            name: name.clone(),
            target,
            label,
            class: class.into(),
            rate,
            flows,
            members: to,
            role: role.map(Into::into),
            once,
        };
        let target = match target {
            Target { tcp: Some(to), .. } => StreamTarget::Tcp(to),
            Target { udp: Some(to), .. } => StreamTarget::Udp(to),
            Target { unix: Some(path), .. } => StreamTarget::Unix(absolute(path)?),
            Target { exec: Some(command), .. } => StreamTarget::Exec(command),
            Target { .. } => {
                return pipe::offer(session, circle, |path| offer(StreamTarget::Unix(path), None, true))
                    .await;
            }
        };
        let offer = session.client.offer_stream(circle, &offer(target, flows, false)).await?;
        session.answer(&offer, || granted(&offer))
    }
}

impl Grant {
    fn read(self, what: &str) -> Result<(String, StreamGrant), Failure> {
        if self.members.is_empty() && self.role.is_none() {
            let hint = format!("say `hexode stream {what} NAME MEMBER…` or --role ROLE");
            return Err(Failure::user("no member and no role is named").hint(hint));
        }
        Ok((self.name, StreamGrant { members: self.members, role: self.role.map(Into::into) }))
    }
}

impl Open {
    async fn run(self, session: &Session, circle: CircleId) -> Result<(), Failure> {
        let open = OpenStream {
            stream: self.stream,
            listen: self.listen,
            unix: self.unix.map(absolute).transpose()?,
            udp: self.udp,
            label: self.label,
            once: false,
            beyond_loopback: self.beyond_loopback,
        };
        let listener = session.client.open_stream(circle, &open).await?;
        if self.beyond_loopback {
            session.progress(
                "Warning: everybody who reaches this address can use the stream, without being asked who he is.",
            );
        }
        session.answer(&listener, || {
            format!("{}: listening at {} (number {}).\n", leads(&listener), listener.address, listener.id)
        })
    }
}

fn absolute(path: PathBuf) -> Result<String, Failure> {
    let path = std::path::absolute(path)?;
    path.into_os_string().into_string().map_err(|_| Failure::user("the path is not UTF-8"))
}

fn leads(listener: &StreamListener) -> String {
    format!("{}/{}", text::line(&listener.member_name), listener.offer)
}

fn granted(offer: &StreamOffer) -> String {
    format!("{} ({}) is offered to {}.\n", offer.name, shown(&offer.target), whom(offer))
}

fn whom(offer: &StreamOffer) -> String {
    let mut whom: Vec<_> = offer.members.iter().map(|member| text::line(&member.name)).collect();
    whom.extend(offer.role.map(|role| match role {
        Role::Founder => "founder".into(),
        Role::Admin => "admins".into(),
        Role::Member => "all members but guests".into(),
        Role::Guest => "everyone".into(),
    }));
    if whom.is_empty() { "nobody".into() } else { whom.join(", ") }
}

fn shown(target: &StreamTarget) -> String {
    let (kind, to) = match target {
        StreamTarget::Tcp(to) => ("tcp", to),
        StreamTarget::Udp(to) => ("udp", to),
        StreamTarget::Unix(to) => ("unix", to),
        StreamTarget::Exec(to) => ("exec", to),
    };
    format!("{kind} {}", text::line(to))
}

fn list(streams: &Streams) -> String {
    let mut shown_text = String::new();
    if !streams.policy.on {
        shown_text.push_str(&policy_text(&streams.policy));
    }
    if streams.offers.is_empty() && streams.listeners.is_empty() && streams.open == 0 {
        shown_text.push_str("No streams.\n");
    }
    if !streams.offers.is_empty() {
        let mut table = Table::new(&["OFFER", "TO", "LABEL", "TARGET"]);
        for offer in &streams.offers {
            let label = offer.label.clone().unwrap_or_else(|| "-".into());
            table.row([offer.name.clone(), whom(offer), label, shown(&offer.target)]);
        }
        shown_text.push_str(&table.text(""));
    }
    if !streams.listeners.is_empty() {
        let mut table = Table::new(&["LISTENER", "STREAM", "AT", "STATE"]);
        for listener in &streams.listeners {
            let state = listener.trouble.as_deref().map_or_else(|| "listening".into(), text::line);
            table.row([listener.id.to_string(), leads(listener), text::line(&listener.address), state]);
        }
        shown_text.push_str(&table.text(""));
    }
    if streams.open > 0 {
        let bytes = |of: fn(&node::api::OpenFlow) -> u64| size::bytes(streams.flows.iter().map(of).sum());
        shown_text.push_str(&format!(
            "{} open, {} sent, {} received.\n",
            if streams.open == 1 { "1 flow".into() } else { format!("{} flows", streams.open) },
            bytes(|flow| flow.sent),
            bytes(|flow| flow.received)
        ));
    }
    for refused in streams.refused.iter().rev().take(REFUSED) {
        shown_text.push_str(&format!("{}\n", refusal(refused)));
    }
    shown_text
}

fn refusal(refused: &RefusedFlow) -> String {
    let by = if refused.theirs { "refused there" } else { "refused here" };
    format!(
        "{} {}: {by}: {}",
        time::minute(refused.at_ms),
        text::line(&refused.offer),
        text::line(&refused.words)
    )
}

fn policy_text(policy: &StreamPolicy) -> String {
    match (policy.on, policy.labels.as_slice()) {
        (false, _) => "Streams are switched off on this device.\n".into(),
        (true, []) => "Streams are on, with any label or none.\n".into(),
        (true, labels) => format!("Streams are on, with these labels only: {}.\n", labels.join(", ")),
    }
}

/// How many refusals are listed.
const REFUSED: usize = 5;
const EXAMPLES: &str = "\
Examples:
  Ann lets Ben use her database, and Ben connects to it:
    ann$ hexode stream offer db --tcp localhost:5432 --to Ben
    ben$ hexode stream open Ann/db --listen 127.0.0.1:5432
    ben$ psql -h 127.0.0.1
  Admins get a shell-less log, as often as they ask:
    ann$ hexode stream offer log --exec 'tail -n 100 app.log' --role admin
    ben$ hexode stream pipe Ann/log
  One folder, once, from hand to hand:
    ann$ tar c photos | hexode stream offer photos --stdin --to Ben
    ben$ hexode stream pipe Ann/photos | tar x
  What differs in its label is refused and listed at both ends:
    ann$ hexode stream offer plant --tcp localhost:502 --to Ben --label restricted
    ben$ hexode stream open Ann/plant --label restricted
";
