//! What a front end may ask of a node and what it is told, in plain types that travel as JSON.
//!
//! Every front end (the HTTP door, the command line, the web page, tests) speaks these types to a
//! [`Node`](crate::Node) and nothing else. Ids are their 52-character text, times are milliseconds since 1970
//! (UTC), lengths are bytes. The same names appear in the OpenAPI file, which is generated from here.

use std::net::{Ipv4Addr, SocketAddr};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use wire::{CircleId, ConversationId, DeviceId, EntryId, MemberId, MessageId};

mod access;
mod files;
mod group;
mod guard;
mod recovery;
mod streams;
mod talk;
mod verification;

pub use access::{IssuedToken, NewToken, OpenLink, Scope, Ticket, Token};
pub use files::{
    DoFile, File, FileAct, FileJob, FilePolicy, FileSource, FileState, SaveFile, SendFile, SetFilePolicy,
};
pub use group::{AddToGroup, Former, Group, Participant, Rename, SetRole, Share};
pub use guard::{Guard, SetGuard};
pub use recovery::{
    FoundRecoverable, NewSheets, Recovery, RecoveryUse, Sheet, SheetWords, Sheets, UseSheets,
};
pub use streams::{
    Granted, NewStreamOffer, OpenFlow, OpenStream, RefusedFlow, StreamClass, StreamEnd, StreamGrant,
    StreamListener, StreamOffer, StreamPolicy, StreamTarget, Streams,
};
pub use talk::{
    Absence, Draft, Expire, Findings, Forward, Keep, Progress, Quote, React, Reaction, SearchQuery, Step,
    Text,
};
pub use verification::{SafetyWords, Sign, Verified, Verify, VerifyMethod};

/// Why a request was not carried out, in words for a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema, thiserror::Error)]
#[error("{message}")]
pub struct ApiError {
    /// Whose move it is.
    pub kind: ErrorKind,
    /// What is wrong: lower-case, no full stop.
    pub message: String,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// Whose move it is after an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ErrorKind {
    /// The request cannot be right as it stands.
    User,
    /// What the request names is not there.
    NotFound,
    /// The request contradicts what is already so.
    Conflict,
    /// The circle's charter gives this device no right to do that.
    NotAllowed,
    /// The node is locked.
    Locked,
    /// This device's set-up stands in the way: files, ports, disk space.
    Config,
    /// Another device refused or could not be reached.
    Peer,
    /// A fault of this program.
    Internal,
}

/// The node at a glance. The only thing, with unlocking, that a locked node tells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Status {
    /// The program's version.
    pub version: String,
    /// Whether the vault is open.
    pub locked: bool,
    /// When this node was started.
    pub started_ms: u64,
    /// The circles this device belongs to; empty while locked.
    pub circles: Vec<Circle>,
}

/// One circle as this device sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Circle {
    /// The circle.
    #[schema(value_type = String)]
    pub id: CircleId,
    /// Its name; absent until a newcomer has been let in.
    pub name: Option<String>,
    /// Where this device stands.
    pub state: CircleState,
    /// This device's own id in the circle.
    #[schema(value_type = String)]
    pub device: DeviceId,
    /// The member this device belongs to; absent until let in.
    #[schema(value_type = Option<String>)]
    pub member: Option<MemberId>,
    /// That member's name.
    pub member_name: Option<String>,
    /// This device's role.
    pub role: Option<Role>,
    /// How many members there are.
    pub members: u32,
    /// How many devices there are.
    pub devices: u32,
    /// With how many of the other devices a tunnel is up.
    pub connected: u32,
    /// How many messages by others have not been read.
    pub unread: u64,
    /// The hash of the roster: equal on two devices that see the same circle.
    pub roster_digest: String,
    /// The addresses this device can be reached at in this circle.
    #[schema(value_type = Vec<String>)]
    pub addresses: Vec<SocketAddr>,
    /// What went wrong with this circle's tunnel or admission, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
    /// How the rendezvous on the DHT stands; absent while it is off, and until something was tried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rendezvous: Option<Rendezvous>,
    /// What the router lets in for this circle; absent without a router, and while it is not asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mapping: Option<PortMapping>,
}

/// How asking the default gateway to let a port in stands: where it does, for TCP too or not, how it is asked (`PCP`, `NAT-PMP`, `UPnP`), or why it does not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PortMapping {
    #[schema(value_type = String)]
    pub router: Ipv4Addr,
    #[schema(value_type = Option<String>)]
    pub outside: Option<SocketAddr>,
    pub tcp: bool,
    pub means: Option<String>,
    pub error: Option<String>,
}

/// How finding members on the Mainline DHT stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Rendezvous {
    /// How many nodes of the DHT are known.
    pub nodes: u32,
    /// How many of them keep where this device is.
    pub kept_by: u32,
    /// How many times this device told where it is, since it was unlocked.
    pub told: u64,
    /// When it did last.
    pub told_ms: Option<u64>,
    /// How many times a device was looked for that could not be reached.
    pub looked: u64,
    /// How many times one had said something new.
    pub found: u64,
}

/// Where a device stands in a circle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CircleState {
    /// It has an invitation and looks for a member who lets it in.
    Joining,
    /// It belongs to the circle.
    Member,
    /// It was removed; what it has stays readable, nothing new comes.
    Removed,
    /// Its invitation was refused.
    Refused,
}

/// What a member may do in a circle, from the most to the least.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Founded the circle.
    Founder,
    /// Invites and removes members.
    Admin,
    /// Reads, writes, lets invited people in.
    Member,
    /// Reads and writes.
    Guest,
}

/// Founds a circle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Found {
    /// The circle's name.
    pub name: String,
    /// The founder's name in it.
    pub member: String,
    /// This device's name in it.
    pub device: String,
}

/// Joins a circle by an invitation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Join {
    /// The invitation's link.
    pub invitation: String,
    /// The newcomer's name; not used when the invitation adds a device to an existing member.
    pub member: String,
    /// This device's name.
    pub device: String,
    /// How far back this device takes what was said, in seconds; all of it if absent.
    #[serde(default)]
    pub history_s: Option<u64>,
}

/// A person in the circle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Member {
    /// The member.
    #[schema(value_type = String)]
    pub id: MemberId,
    /// His name.
    pub name: String,
    /// His role: that of his most senior device.
    pub role: Role,
    /// Whether this is oneself.
    pub me: bool,
    /// Whether his messages are hidden on this device.
    #[serde(default, skip_serializing_if = "is_false")]
    pub blocked: bool,
    /// How many bytes his messages have taken of this device, erased ones among them.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub taken: u64,
    /// Whether more was not taken, since he has filled his share of this device.
    #[serde(default, skip_serializing_if = "is_false")]
    pub full: bool,
    /// His devices.
    pub devices: Vec<Device>,
}

/// A device in the circle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Device {
    /// The device.
    #[schema(value_type = String)]
    pub id: DeviceId,
    /// Its name.
    pub name: String,
    /// Whose it is.
    #[schema(value_type = String)]
    pub member: MemberId,
    /// His name.
    pub member_name: String,
    /// Its role.
    pub role: Role,
    /// Whether this is the device that answers.
    pub this: bool,
    /// When it was admitted, as the admitting device claimed.
    pub since_ms: u64,
    /// When and how its key was compared, if it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verified: Option<Verified>,
    /// Names of members who have verified it, as this person did their device that says so.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub vouched_by: Vec<String>,
    /// Whether it is another key of somebody whose key had been compared; until it is compared too, anybody may be at it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub new_key: bool,
    /// Whether a tunnel to it is up.
    pub connected: bool,
}

/// Asks for an invitation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Invite {
    /// The newcomer's role; not used with `own_device`.
    pub role: Role,
    /// For how long it holds, in seconds.
    pub valid_s: u64,
    /// Adds a device to oneself instead of a new member.
    #[serde(default)]
    pub own_device: bool,
}

/// An invitation that was issued.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Invitation {
    /// The charter entry that announces it.
    #[schema(value_type = String)]
    pub id: EntryId,
    /// The newcomer's role.
    pub role: Role,
    /// Whether it adds a device to the member who issued it.
    pub own_device: bool,
    /// Until when it holds.
    pub expires_ms: u64,
    /// Where it stands.
    pub state: InvitationState,
    /// Who issued it.
    pub issued_by: String,
    /// The link to hand over; only on the device that issued it, only while open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
}

/// Where an invitation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum InvitationState {
    /// It can be used.
    Open,
    /// Somebody was let in with it.
    Used,
    /// It was withdrawn.
    Withdrawn,
    /// Its time is over.
    Expired,
    /// The charter gave its issuer no right to issue it.
    Void,
}

/// A tunnel to another device, or the attempt at one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Tunnel {
    /// The other device.
    pub device: Device,
    /// How it stands.
    pub state: TunnelState,
    /// The path in use, while up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<Path>,
    /// Addresses at which it is tried.
    #[schema(value_type = Vec<String>)]
    pub addresses: Vec<SocketAddr>,
    /// Attempts since it was last up.
    pub attempts: u32,
    /// Why the last attempt failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
    /// All ways to it that are known, and what came of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reach: Option<Reach>,
}

/// The ways to another device.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Reach {
    /// The paths that are open, the one in use among them.
    pub paths: Vec<OpenPath>,
    /// The devices that would forward to it.
    #[schema(value_type = Vec<String>)]
    pub offers: Vec<DeviceId>,
    /// The devices that failed lately at forwarding to it.
    pub failures: Vec<ForwardingFailure>,
    /// What this device forwards between it and others.
    pub forwarded: Vec<Forwarded>,
}

/// One way on which a tunnel's packets can travel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OpenPath {
    /// The channel: `loopback`, `lan`, `internet`, `tcp` or `member`.
    pub channel: String,
    /// The other end's address; none on the channel `member`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub remote: Option<SocketAddr>,
    /// The member's device that forwards, on the channel `member`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub via: Option<DeviceId>,
    /// Whether it is the one in use.
    pub used: bool,
    /// Round trip, in microseconds.
    pub round_trip_us: u64,
    /// Packets sent on it.
    pub sent: u64,
    /// Packets of those that were lost.
    pub lost: u64,
    /// The largest packet it is known to carry, in bytes.
    pub mtu: u16,
}

/// A device that failed at forwarding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ForwardingFailure {
    /// The device.
    #[schema(value_type = String)]
    pub via: DeviceId,
    /// When that was noticed.
    pub at_ms: u64,
    /// Packets sent through it; none if nothing came back at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent: Option<u64>,
    /// Packets of those that were lost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lost: Option<u64>,
}

/// What this device forwarded between two others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Forwarded {
    /// The other of the two.
    #[schema(value_type = String)]
    pub with: DeviceId,
    /// When it began.
    pub since_ms: u64,
    /// When a packet came last.
    pub last_ms: u64,
    /// Bytes passed on, both ways.
    pub bytes: u64,
    /// Packets dropped for want of budget or room.
    pub dropped: u64,
}

/// How a tunnel stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TunnelState {
    /// It carries frames.
    Up,
    /// It is being dialled, at growing intervals.
    Dialling,
    /// No address is known at which to try.
    NoAddress,
}

/// The concrete route of a tunnel that is up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Path {
    /// The channel: `loopback`, `lan`, `internet`, `tcp` or `member`.
    pub channel: String,
    /// The other end's address; none on the channel `member`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub remote: Option<SocketAddr>,
    /// The member's device that forwards, on the channel `member`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub via: Option<DeviceId>,
    /// Round trip, in microseconds.
    pub round_trip_us: u64,
    /// The negotiated key exchange.
    pub key_exchange: String,
    /// The negotiated cipher.
    pub cipher: String,
    /// Since when the tunnel is up.
    pub since_ms: u64,
    /// Whether this device dialled.
    pub dialled: bool,
    /// Bytes received.
    pub received: u64,
    /// Bytes sent.
    pub sent: u64,
}

/// An address with which this device has exchanged packets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Contact {
    /// The address.
    #[schema(value_type = String)]
    pub address: SocketAddr,
    /// Whose it is: a device that proved its key there.
    #[schema(value_type = String)]
    pub device: DeviceId,
    /// That device's name.
    pub device_name: String,
    /// Its member's name.
    pub member_name: String,
    /// When a tunnel first went there, since the node was unlocked.
    pub first_ms: u64,
    /// When one last did.
    pub last_ms: u64,
    /// Whether a tunnel goes there at this moment.
    pub in_use: bool,
}

/// A conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Conversation {
    /// The conversation.
    #[schema(value_type = String)]
    pub id: ConversationId,
    /// Between whom.
    pub kind: ConversationKind,
    /// The group's name, the other member's name, or the circle's.
    pub title: String,
    /// The members who read and write it.
    #[schema(value_type = Vec<String>)]
    pub participants: Vec<MemberId>,
    /// How many messages it holds.
    pub messages: u64,
    /// How many by others have not been read.
    pub unread: u64,
    /// The newest message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<Message>,
    /// The hash of its whole history in order: equal on two devices that hold the same.
    pub history_digest: String,
    /// Whether the person put it away.
    #[serde(default, skip_serializing_if = "is_false")]
    pub archived: bool,
    /// Until when there is to be no notice of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub muted_until_ms: Option<u64>,
    /// Whether it is with a member who is blocked on this device.
    #[serde(default, skip_serializing_if = "is_false")]
    pub blocked: bool,
    /// After how many seconds what is written now will be erased.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_after_s: Option<u64>,
    /// What was written and not sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub draft: Option<Draft>,
    /// Devices whose chain in it was forked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<String>)]
    pub forked: Vec<DeviceId>,
}

/// Between whom a conversation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ConversationKind {
    /// All members of the circle.
    Everyone,
    /// Two members.
    Direct,
    /// A group of members.
    Group,
}

/// Founds a group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewGroup {
    /// The group's name.
    pub name: String,
    /// The other members, each by id or by name.
    pub members: Vec<String>,
}

/// Sends a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Send {
    /// To whom: `everyone`, a member's name or id, a group's name or id, or a conversation's id.
    pub to: String,
    /// The text, at most 64 KiB.
    pub text: String,
}

/// One message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Message {
    /// The message.
    #[schema(value_type = String)]
    pub id: MessageId,
    /// The conversation.
    #[schema(value_type = String)]
    pub conversation: ConversationId,
    /// The device that wrote it.
    #[schema(value_type = String)]
    pub author: DeviceId,
    /// The member whose device that is, if the charter still knows him.
    #[schema(value_type = Option<String>)]
    pub member: Option<MemberId>,
    /// His name.
    pub member_name: String,
    /// Whether one's own device wrote it.
    pub mine: bool,
    /// Its number in its author's chain, from 0.
    pub seq: u64,
    /// Its Lamport time: with author and seq it gives the order, the same on every device.
    pub lamport: u64,
    /// When it was written, as its author's clock had it.
    pub claimed_ms: u64,
    /// When this device stored it.
    pub stored_ms: u64,
    /// The text; absent when it was erased or is of a kind this program does not know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The file that it offers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<File>,
    /// How far it has come.
    pub delivery: Delivery,
    /// Why there is no text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub absent: Option<Absence>,
    /// The message it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<Quote>,
    /// When its author gave it the text it has now, as his clock had it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edited_ms: Option<u64>,
    /// Members whom it names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<String>)]
    pub mentions: Vec<MemberId>,
    /// Whether it names oneself.
    #[serde(default, skip_serializing_if = "is_false")]
    pub mentions_me: bool,
    /// The signs under it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reactions: Vec<Reaction>,
    /// Whether it stands where all find it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub pinned: bool,
    /// Whether it was said elsewhere before.
    #[serde(default, skip_serializing_if = "is_false")]
    pub forwarded: bool,
    /// When it is erased.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_ms: Option<u64>,
    /// How far it has come in words; only of one's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<Progress>,
    /// Whether its author's chain was forked: his key or his disk was copied, he is not to be trusted.
    #[serde(default, skip_serializing_if = "is_false")]
    pub forked: bool,
    /// By how much its author's clock is ahead of this device's, if it is by minutes or more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock_ahead_ms: Option<u64>,
}

fn is_zero(value: &u64) -> bool {
    *value == 0
}

fn is_false(value: &bool) -> bool {
    !value
}

/// How far a message has come, counted over the other devices that may read it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Delivery {
    /// How many devices should get it.
    pub devices: u32,
    /// How many have it stored durably.
    pub delivered: u32,
    /// On how many it was read.
    pub read: u32,
}

/// A part of a conversation, oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Page {
    /// The messages, in the conversation's order.
    pub messages: Vec<Message>,
    /// Whether there are older ones before the first.
    pub more: bool,
}

/// Asks for a part of a conversation.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PageQuery {
    /// The message before which to read; absent for the newest part.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub before: Option<MessageId>,
    /// How many at most; 50 if absent, 1,000 at most.
    #[serde(default)]
    pub limit: Option<u32>,
}

/// One check of the node on itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Check {
    /// What was checked.
    pub what: String,
    /// Whether it holds.
    pub holds: bool,
    /// The evidence, in words.
    pub found: String,
}

/// Something that happened, after it was stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// A message was written here or came from another device.
    Message {
        /// In which circle.
        #[schema(value_type = String)]
        circle: CircleId,
        /// The message.
        message: Message,
    },
    /// A message that was there says something else, bears another sign, or is gone.
    Changed {
        /// In which circle.
        #[schema(value_type = String)]
        circle: CircleId,
        /// The message as it is now.
        message: Message,
    },
    /// A file came on, came to a halt, or is all here.
    File {
        /// In which circle.
        #[schema(value_type = String)]
        circle: CircleId,
        /// The file as it is now.
        file: File,
    },
    /// What is offered or listened for changed, or a flow was refused: read it again.
    Streams {
        /// In which circle.
        #[schema(value_type = String)]
        circle: CircleId,
    },
    /// A conversation's settings or draft changed, or many of its messages at once: read it again.
    Conversation {
        /// In which circle.
        #[schema(value_type = String)]
        circle: CircleId,
        /// Which conversation.
        #[schema(value_type = String)]
        conversation: ConversationId,
    },
    /// Another device has stored or read more of a chain.
    Receipt {
        /// In which circle.
        #[schema(value_type = String)]
        circle: CircleId,
        /// In which conversation.
        #[schema(value_type = String)]
        conversation: ConversationId,
        /// Which device reports.
        #[schema(value_type = String)]
        device: DeviceId,
        /// Whose chain.
        #[schema(value_type = String)]
        author: DeviceId,
        /// How many entries of the chain it has stored.
        stored: u64,
        /// How many of them were read there.
        read: u64,
    },
    /// Members, devices, roles, names or invitations changed.
    Roster {
        /// In which circle.
        #[schema(value_type = String)]
        circle: CircleId,
    },
    /// This device was let into a circle, refused, or removed from one.
    Standing {
        /// Which circle.
        #[schema(value_type = String)]
        circle: CircleId,
        /// Where it stands now.
        state: CircleState,
    },
    /// A tunnel came up or went down.
    Tunnel {
        /// In which circle.
        #[schema(value_type = String)]
        circle: CircleId,
        /// To which device.
        #[schema(value_type = String)]
        device: DeviceId,
        /// Whether it is up.
        up: bool,
    },
    /// Proof came that a device's chain was forked: its key or its disk is not its own.
    Fork {
        /// In which circle.
        #[schema(value_type = String)]
        circle: CircleId,
        /// Whose chain.
        #[schema(value_type = String)]
        author: DeviceId,
    },
    /// The vault was locked.
    Locked,
    /// The vault was opened.
    Unlocked,
    /// The listener was too slow and missed events: it should read again what it shows.
    Missed {
        /// How many.
        count: u64,
    },
    /// Tokens were issued or revoked.
    Tokens,
}
