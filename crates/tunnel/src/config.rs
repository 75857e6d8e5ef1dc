use std::{net::SocketAddr, time::Duration};

use wire::CircleId;

use crate::Willing;

/// What a tunnel needs to know of its circle and its device.
#[derive(Debug, Clone)]
pub struct Config {
    /// The circle; both ends of a link must mean the same.
    pub circle: CircleId,
    /// This device's key in the circle; its public half is the device's id.
    pub key: crypto::SigningKey,
    /// Where to listen: at most one address of each family. Port 0 lets the system choose.
    ///
    /// `0.0.0.0:0` and `[::]:0` listen on all interfaces; `127.0.0.1:…` only on this machine.
    pub bind: Vec<SocketAddr>,
    /// Addresses at which others reach this device although it has them on no interface.
    pub fixed: Vec<SocketAddr>,
    /// Whether another port may be taken if the wanted one is in use.
    pub port_fallback: bool,
    /// How to find members on the local network; `None` switches it off.
    pub lan: Option<LanConfig>,
    /// Whether to listen on TCP too, and dial there what does not answer over UDP.
    pub tcp: bool,
    /// Whether the router is asked to let this device's port in.
    pub mapping: bool,
    /// Whether, and how much, this device forwards for other members.
    pub willing: Willing,
    /// How to find members on the Mainline DHT; `None` switches it off.
    pub dht: Option<crate::dht::DhtConfig>,
    /// Time limits and intervals.
    pub timing: Timing,
}

/// How to find members on the local network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LanConfig {
    /// The UDP port of the multicast group: 5353, except in tests.
    pub port: u16,
    /// How often to announce when nothing happens; each time is moved by up to a fifth at random.
    pub announce_every: Duration,
}

impl Default for LanConfig {
    fn default() -> Self {
        Self { port: 5353, announce_every: Duration::from_secs(300) }
    }
}

/// Time limits and intervals; the defaults are right outside tests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timing {
    /// How long a TLS handshake may take, and then how long the hello.
    pub hello: Duration,
    /// How long a newcomer may wait to be welcomed.
    pub knock: Duration,
    /// How long the other side may be silent before a link counts as lost; more than five seconds, in which
    /// even an idle link says something.
    pub silence: Duration,
    /// The first pause before dialling a device again.
    pub retry_first: Duration,
    /// The longest pause before dialling a device again.
    pub retry_last: Duration,
    /// The longest pause once it has not been reached for about half an hour: whoever comes back dials himself.
    pub retry_rest: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            hello: Duration::from_secs(5),
            knock: Duration::from_secs(15),
            silence: Duration::from_secs(60),
            retry_first: Duration::from_millis(250),
            retry_last: Duration::from_secs(60),
            retry_rest: Duration::from_secs(900),
        }
    }
}

/// Why a tunnel did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BindError {
    /// Another program, or another circle on this device, listens there.
    #[error("port {} is in use", address.port())]
    PortTaken {
        /// The wanted address.
        address: SocketAddr,
    },
    /// The machine has no such address, or no right to use it.
    #[error("cannot listen on {address}")]
    Unusable {
        /// The wanted address.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// No address to listen on, or two of one family.
    #[error("at most one address of each family to listen on, and at least one")]
    Addresses,
    /// The endpoint did not start for another reason.
    #[error("the endpoint did not start: {reason}")]
    Endpoint {
        /// What iroh said.
        reason: String,
    },
}
