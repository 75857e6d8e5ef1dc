use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use wire::DeviceId;

use crate::LinkId;

/// The state of a tunnel at one moment, for people.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// Where this device listens.
    pub addresses: Vec<SocketAddr>,
    /// The links that are up.
    pub links: Vec<LinkStatus>,
    /// The allowed devices without a link.
    pub unreachable: Vec<UnreachableStatus>,
    /// How many bytes of frames wait to be sent, over all links.
    pub queued: usize,
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
    pub remote: SocketAddr,
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
}

/// One allowed device without a link.
#[derive(Debug, Clone)]
pub struct UnreachableStatus {
    /// The device.
    pub device: DeviceId,
    /// At how many addresses it may be found.
    pub addresses: usize,
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
}

impl ChannelClass {
    /// Tells by the other side's address.
    pub fn of(address: &SocketAddr) -> Self {
        match address.ip().to_canonical() {
            ip if ip.is_loopback() => Self::Loopback,
            IpAddr::V4(ip) if ip.is_private() || ip.is_link_local() => Self::Lan,
            IpAddr::V6(ip) if ip.is_unique_local() || ip.is_unicast_link_local() => Self::Lan,
            _ => Self::Internet,
        }
    }
}
