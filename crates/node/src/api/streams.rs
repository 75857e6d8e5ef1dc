//! Streams: what this device offers, what it listens for, which flows are open.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use wire::{CircleId, DeviceId, MemberId};

use super::Role;

/// How it stands with streams in a circle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Streams {
    /// The rules of this device.
    pub policy: StreamPolicy,
    /// What this device offers.
    pub offers: Vec<StreamOffer>,
    /// Where this device listens for programs that want what others offer.
    pub listeners: Vec<StreamListener>,
    /// How many flows are open.
    pub open: u32,
    /// The oldest 1,000 of them.
    pub flows: Vec<OpenFlow>,
    /// What was refused lately, by this device or another, since it was unlocked; the newest last.
    pub refused: Vec<RefusedFlow>,
}

/// The rules of one device for streams in a circle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StreamPolicy {
    /// Whether there are any.
    pub on: bool,
    /// If any are named: only streams with one of these labels.
    #[serde(default)]
    pub labels: Vec<String>,
}

/// With what a flow is joined, on the device that offers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case", tag = "kind", content = "to")]
pub enum StreamTarget {
    /// A TCP connection to a host and port.
    Tcp(String),
    /// UDP datagrams to and from a host and port.
    Udp(String),
    /// A connection to the Unix socket at a path.
    Unix(String),
    /// A command, started by `/bin/sh -c` for each flow: its input and output.
    Exec(String),
}

/// How urgent what goes on a stream is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum StreamClass {
    /// Before everything else in the tunnel.
    Voice,
    /// As messages.
    Message,
    /// Behind messages, with files.
    #[default]
    File,
    /// All that can wait.
    Bulk,
}

/// Offers a stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewStreamOffer {
    /// Its name: 1 to 64 letters, digits, `.`, `_`, `-`.
    pub name: String,
    /// With what flows are joined.
    pub target: StreamTarget,
    /// The label that whoever opens it has to name as well.
    #[serde(default)]
    pub label: Option<String>,
    /// How urgent what goes on it is.
    #[serde(default)]
    pub class: StreamClass,
    /// How many bytes a second all its flows together carry each way; 0 for no bound.
    #[serde(default)]
    pub rate: u64,
    /// How many flows are open at a time, 1 to 16,384; 256 unless said.
    #[serde(default)]
    pub flows: Option<u32>,
    /// Members, by name or id, who may open it.
    #[serde(default)]
    pub members: Vec<String>,
    /// Devices of this role or a more senior one may open it, too.
    #[serde(default)]
    pub role: Option<Role>,
    /// Whether it is for one flow, with a program that listens on a Unix socket: it is not offered after a restart. The program writes what it says in parts, each behind its length (4 bytes, big-endian), and
    /// its end as a part of length 0: a connection that closes otherwise is broken off, and no end.
    #[serde(default)]
    pub once: bool,
}

/// A stream that this device offers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StreamOffer {
    /// Its name.
    pub name: String,
    /// With what flows are joined.
    pub target: StreamTarget,
    /// The label that whoever opens it has to name as well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// How urgent what goes on it is.
    pub class: StreamClass,
    /// How many bytes a second all its flows together carry each way; 0 for no bound.
    pub rate: u64,
    /// How many flows are open at a time at most.
    pub flows: u32,
    /// Members who may open it.
    pub members: Vec<Granted>,
    /// Devices of this role or a more senior one may open it, too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
}

/// A member who may open a stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Granted {
    /// The member.
    #[schema(value_type = String)]
    pub id: MemberId,
    /// His name.
    pub name: String,
}

/// Grants an offered stream to more, or takes it from some.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StreamGrant {
    /// Members, by name or id.
    #[serde(default)]
    pub members: Vec<String>,
    /// Devices of this role or a more senior one; when it is taken back, that no role is granted it.
    #[serde(default)]
    pub role: Option<Role>,
}

/// Listens on this machine for programs that want what another device offers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OpenStream {
    /// `MEMBER/NAME`, or `MEMBER/DEVICE/NAME`; the member and his device by name or id.
    pub stream: String,
    /// Where to listen: an IP address and port; port 0, the default, for one that is free.
    #[serde(default)]
    pub listen: Option<String>,
    /// The path of a Unix socket to listen on in place of that.
    #[serde(default)]
    pub unix: Option<String>,
    /// Whether it is for datagrams.
    #[serde(default)]
    pub udp: bool,
    /// The label under which it is to be used.
    #[serde(default)]
    pub label: Option<String>,
    /// Whether one connection, to a Unix socket, is enough: then it listens no more. The program writes what it says in parts, each behind its length (4 bytes, big-endian), and
    /// its end as a part of length 0: a connection that closes otherwise is broken off, and no end.
    #[serde(default)]
    pub once: bool,
    /// Whether the address may be one that other machines reach: everybody who does can use the stream.
    #[serde(default)]
    pub beyond_loopback: bool,
}

/// A place on this machine where programs find what another device offers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StreamListener {
    /// Its number.
    pub id: u64,
    /// In which circle.
    #[schema(value_type = String)]
    pub circle: CircleId,
    /// The member whose device offers it.
    #[schema(value_type = String)]
    pub member: MemberId,
    /// His name.
    pub member_name: String,
    /// The stream's name.
    pub offer: String,
    /// The address or path where it listens.
    pub address: String,
    /// Whether it is for datagrams.
    pub udp: bool,
    /// Why the last flow was not opened, if it was not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
}

/// A flow that is open: one use of an offered stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OpenFlow {
    /// Its number.
    pub id: u64,
    /// The stream's name.
    pub offer: String,
    /// Whether this device offers it.
    pub mine: bool,
    /// The device at the other end.
    #[schema(value_type = String)]
    pub device: DeviceId,
    /// Since when it is open.
    pub since_ms: u64,
    /// How many bytes went to the other end.
    pub sent: u64,
    /// How many bytes came from there.
    pub received: u64,
}

/// How a flow ended, or that it has not yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StreamEnd {
    /// Whether it is over; if not, ask again.
    pub over: bool,
    /// Whether it was ever open, if it is over.
    pub opened: bool,
    /// Why it did not end properly, as one word; none if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Why, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub words: Option<String>,
}

/// A flow that was not opened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RefusedFlow {
    /// When.
    pub at_ms: u64,
    /// The device at the other end.
    #[schema(value_type = String)]
    pub device: DeviceId,
    /// The stream's name as whoever opened it said.
    pub offer: String,
    /// The label as whoever opened it said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// Why, as one word: `unknown`, `label`, `kind`, `busy`, `off`, `refused`, `silent`, and how open flows end early.
    pub reason: String,
    /// Why, in words.
    pub words: String,
    /// Whether the other device refused it.
    pub theirs: bool,
}
