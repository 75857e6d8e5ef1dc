use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use wire::DeviceId;

use crate::{LinkId, Remote, Willing};

/// The state of a tunnel at one moment, for people.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// Where this device listens.
    pub addresses: Vec<SocketAddr>,
    /// Where it listens on TCP, too.
    pub tcp: Vec<SocketAddr>,
    /// The links that are up.
    pub links: Vec<LinkStatus>,
    /// The allowed devices without a link.
    pub unreachable: Vec<UnreachableStatus>,
    /// How many bytes of frames wait to be sent, over all links.
    pub queued: usize,
    /// Whether this device forwards for others, and how much it may.
    pub willing: Willing,
    /// How many bytes it has forwarded of the day's share.
    pub forwarded_today: u64,
    /// For whom it forwards.
    pub forwarded: Vec<ForwardedStatus>,
    /// Who failed lately at forwarding for this device.
    pub blamed: Vec<BlamedStatus>,
}

/// A member who failed at forwarding for this device.
#[derive(Debug, Clone)]
pub struct BlamedStatus {
    /// The member's device.
    pub member: DeviceId,
    /// The device at the other end.
    pub peer: DeviceId,
    /// How long ago it was noticed last.
    pub ago: Duration,
    /// What he did.
    pub fault: Fault,
}

/// What a member did instead of passing packets on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing came back through him, while the other device was reached another way.
    Silent,
    /// Too much of what was sent through him did not arrive, or not as it was sent.
    Lost {
        /// Packets sent.
        sent: u64,
        /// Packets of those that were lost.
        lost: u64,
    },
}

/// One link that is up.
#[derive(Debug, Clone)]
pub struct LinkStatus {
    /// The device at the other end.
    pub device: DeviceId,
    /// The link.
    pub link: LinkId,
    /// How long it has been up.
    pub up_for: Duration,
    /// Whether this side dialled.
    pub initiated: bool,
    /// Where the other side is seen now.
    pub remote: Remote,
    /// What kind of way that is.
    pub class: ChannelClass,
    /// The round trip, smoothed.
    pub round_trip: Duration,
    /// UDP payload sent on this link, in bytes.
    pub sent: u64,
    /// UDP payload received on this link, in bytes.
    pub received: u64,
    /// The key exchange, as negotiated.
    pub key_exchange: &'static str,
    /// The cipher suite, as negotiated.
    pub cipher: &'static str,
    /// How many bytes of frames wait to be sent.
    pub queued: usize,
    /// All paths that are open, the one in use among them.
    pub paths: Vec<PathStatus>,
}

/// One way on which a link's packets can travel.
#[derive(Debug, Clone)]
pub struct PathStatus {
    /// Where it leads.
    pub remote: Remote,
    /// What kind of way that is.
    pub class: ChannelClass,
    /// Whether it is the one in use.
    pub used: bool,
    /// The round trip, smoothed.
    pub round_trip: Duration,
    /// Packets sent on it.
    pub sent: u64,
    /// Packets of those that were lost.
    pub lost: u64,
    /// The largest packet it is known to carry, in bytes of UDP payload.
    pub mtu: u16,
}

/// What this device forwarded for one pair of others.
#[derive(Debug, Clone)]
pub struct ForwardedStatus {
    /// The two devices.
    pub pair: (DeviceId, DeviceId),
    /// How long ago it began.
    pub since: Duration,
    /// How long ago a packet came last.
    pub last: Duration,
    /// Packets passed on.
    pub packets: u64,
    /// Bytes passed on.
    pub bytes: u64,
    /// Packets dropped for want of budget or room.
    pub dropped: u64,
}

/// One allowed device without a link.
#[derive(Debug, Clone)]
pub struct UnreachableStatus {
    /// The device.
    pub device: DeviceId,
    /// At how many addresses it may be found.
    pub addresses: usize,
    /// The devices that would forward to it.
    pub through: Vec<DeviceId>,
    /// How many dials have failed in a row.
    pub attempts: u32,
    /// Why the last one failed.
    pub error: Option<String>,
    /// When it is dialled next; `None` while no address is known or a dial is under way.
    pub next_try: Option<Duration>,
}

/// What kind of way an address is reached by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChannelClass {
    /// On this machine.
    Loopback,
    /// In the local network.
    Lan,
    /// Through the internet.
    Internet,
    /// In a TLS session over TCP, since UDP did not get through.
    Tcp,
    /// Through a member's device.
    Member,
}

impl ChannelClass {
    /// Tells by where the other side is seen.
    pub fn of(remote: &Remote) -> Self {
        let address = match remote {
            Remote::Address(address) => address,
            Remote::Tcp(_) => return Self::Tcp,
            Remote::Member(_) => return Self::Member,
        };
        match address.ip().to_canonical() {
            ip if ip.is_loopback() => Self::Loopback,
            IpAddr::V4(ip) if ip.is_private() || ip.is_link_local() => Self::Lan,
            IpAddr::V6(ip) if ip.is_unique_local() || ip.is_unicast_link_local() => Self::Lan,
            _ => Self::Internet,
        }
    }
}
