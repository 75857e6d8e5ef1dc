//! A port of the router's that leads to this device: asked for, renewed, and believed no more than a member's word.
//!
//! Only the default gateway is asked, in PCP, NAT-PMP or UPnP, whichever it knows. What it says it let in counts like what one member
//! says of this device's address ([`crate::own`]): a router that lies makes others knock at few places for a while.

mod igd;
mod pcp;
mod router;

use std::{
    fmt, io,
    net::{Ipv4Addr, SocketAddr, SocketAddrV4},
    time::Duration,
};

use tokio::{
    sync::{oneshot, watch},
    time::{Instant, sleep, sleep_until, timeout},
};
use wire::Scope;

use self::{
    pcp::Wish,
    router::{Door, Router},
};
use crate::whereabouts::{Setting, random};

/// How it stands with the router.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MappingStatus {
    /// The router, if one was found.
    pub router: Option<Ipv4Addr>,
    /// What it let in.
    pub mapped: Option<Mapped>,
    /// Why it let in nothing, for people.
    pub error: Option<String>,
}

/// What a router lets in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mapped {
    /// Where others reach this device, as the router says.
    pub outside: SocketAddr,
    /// Whether TCP is let in there, too.
    pub tcp: bool,
    /// How it was asked.
    pub means: Means,
}

/// How a router is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Means {
    /// Port Control Protocol (RFC 6887).
    Pcp,
    /// NAT Port Mapping Protocol (RFC 6886).
    NatPmp,
    /// UPnP Internet Gateway Device.
    Upnp,
}

impl fmt::Display for Means {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pcp => "PCP",
            Self::NatPmp => "NAT-PMP",
            Self::Upnp => "UPnP",
        })
    }
}

/// What a port is let in for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Protocol {
    Udp,
    Tcp,
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Udp => "UDP",
            Self::Tcp => "TCP",
        })
    }
}

/// What a router says it let in, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Leased {
    outside: SocketAddrV4,
    seconds: u32,
}

/// Why a router let in nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
enum Refused {
    #[error("the router does not answer")]
    Silent,
    #[error("the router lets nobody ask for ports")]
    Unknown,
    #[error("the router refuses (code {0})")]
    Code(u16),
    #[error("the router's answer makes no sense")]
    Malformed,
    #[error("the router sends one to another machine")]
    Elsewhere,
    #[error(
        "the router names an address that is not one of the Internet: it is behind another router itself"
    )]
    Inner,
}

impl Refused {
    /// The one of two that tells more.
    fn or(self, other: Self) -> Self {
        if matches!(other, Self::Silent) || (matches!(other, Self::Unknown) && self != Self::Silent) {
            self
        } else {
            other
        }
    }
}

impl From<io::Error> for Refused {
    fn from(_: io::Error) -> Self {
        Self::Silent
    }
}

impl Leased {
    /// Checks what a router says it let in.
    fn checked(self) -> Result<Self, Refused> {
        let outside = SocketAddr::V4(self.outside);
        match Scope::of(&outside) {
            _ if self.seconds == 0 => Err(Refused::Malformed),
            Scope::World if !is_shared(*self.outside.ip()) => Ok(self),
            Scope::Network | Scope::World => Err(Refused::Inner),
            Scope::Nowhere | Scope::Machine | Scope::Interface => Err(Refused::Malformed),
        }
    }

    /// When to ask again: after about half the time, whatever time was named.
    fn again(self) -> Duration {
        let half = Duration::from_secs(u64::from(self.seconds / 2)).clamp(SHORTEST, LEASE / 2);
        half.mul_f64(0.8) + random(half.mul_f64(0.2))
    }
}

/// The block that carriers use between themselves and their customers (RFC 6598).
fn is_shared(ip: Ipv4Addr) -> bool {
    matches!(ip.octets(), [100, 64..=127, ..])
}

/// The one task that has a port let in for a circle.
pub(crate) struct Mapper {
    /// Where this device listens, on UDP and, if `tcp`, on TCP.
    pub(crate) port: u16,
    pub(crate) tcp: bool,
    pub(crate) settings: watch::Receiver<Setting>,
    pub(crate) progress: watch::Sender<MappingStatus>,
}

/// A port that is let in.
struct Held {
    router: Router,
    door: Door,
    leased: Leased,
    tcp: bool,
}

impl Mapper {
    /// Runs until it is told to stop, then has the ports closed.
    pub(crate) async fn run(mut self, mut stop: oneshot::Receiver<()>) {
        let nonces = [(); 2].map(|()| crypto::Entropy::bytes(&mut crypto::OsEntropy));
        let (mut held, mut failures) = (None::<Held>, 0_u32);
        loop {
            let local = self.settings.borrow_and_update().local.clone();
            if local.is_empty() {
                // Without an address of its own it has no router.
                tokio::select! {
                    changed = self.settings.changed() => if changed.is_err() { return },
                    _ = &mut stop => return,
                }
                continue;
            }
            tokio::select! {
                outcome = self.ask(held.take(), nonces) => {
                    let again = match outcome {
                        Some(now) => {
                            failures = 0;
                            let again = now.leased.again();
                            held = Some(now);
                            again
                        }
                        None => {
                            failures = failures.saturating_add(1);
                            let pause = (RETRY * (1 << failures.min(6))).min(LEASE);
                            pause.mul_f64(0.8) + random(pause.mul_f64(0.4))
                        }
                    };
                    if self.wait(Instant::now() + again, &local, &mut stop).await {
                        break;
                    }
                }
                _ = &mut stop => break,
            }
        }
        if let Some(held) = held {
            // Whoever ends waits for it, but not long.
            let _ = timeout(CLOSING, self.close(&held, nonces)).await;
        }
    }

    /// Waits until it is time to ask again, or this device is elsewhere; `true` to stop.
    async fn wait(&mut self, again: Instant, local: &[SocketAddr], stop: &mut oneshot::Receiver<()>) -> bool {
        loop {
            tokio::select! {
                () = sleep_until(again) => return false,
                changed = self.settings.changed() => {
                    if changed.is_err() {
                        return true;
                    }
                    if self.settings.borrow_and_update().local != local {
                        // Addresses come one after the other.
                        sleep(SETTLE).await;
                        return false;
                    }
                }
                _ = &mut *stop => return true,
            }
        }
    }

    /// Asks for the ports, by the means by which they were let in last, and says what came of it.
    async fn ask(&self, held: Option<Held>, nonces: [[u8; 12]; 2]) -> Option<Held> {
        let Some(router) = Router::find().await else {
            self.progress.send_replace(MappingStatus::default());
            return None;
        };
        let outcome = self.ask_at(router, held.filter(|held| held.router == router), nonces).await;
        let mapped = outcome.as_ref().ok().map(|held| Mapped {
            outside: SocketAddr::V4(held.leased.outside),
            tcp: held.tcp,
            means: held.door.means(),
        });
        let error = outcome.as_ref().err().map(Refused::to_string);
        self.progress.send_replace(MappingStatus { router: Some(router.address), mapped, error });
        outcome.ok()
    }

    async fn ask_at(
        &self,
        router: Router,
        held: Option<Held>,
        nonces: [[u8; 12]; 2],
    ) -> Result<Held, Refused> {
        let outside = held.as_ref().map_or(self.port, |held| held.leased.outside.port());
        let [udp, tcp] = nonces;
        let wish = self.wish(router, Protocol::Udp, outside, udp);
        // A router that was replaced may know another way; one that lost its memory grants it again.
        let before = match &held {
            Some(held) => router.ask(&held.door, &wish).await.ok().map(|leased| (held.door.clone(), leased)),
            None => None,
        };
        let (door, leased) = match before {
            Some(granted) => granted,
            None => router.open(&wish).await?,
        };
        let checked = leased.checked();
        let outside = leased.outside.port();
        let Ok(leased) = checked else {
            router.close(&door, &Wish { outside, ..wish }).await;
            return Err(checked.err().unwrap_or(Refused::Malformed));
        };
        let mut held = Held { router, door, leased, tcp: false };
        if self.tcp {
            let wish = self.wish(router, Protocol::Tcp, outside, tcp);
            // An address means both, so another port is of no use.
            match router.ask(&held.door, &wish).await {
                Ok(leased) if leased.outside == held.leased.outside && leased.seconds > 0 => held.tcp = true,
                Ok(leased) => {
                    router.close(&held.door, &Wish { outside: leased.outside.port(), ..wish }).await
                }
                Err(refused) => tracing::debug!(?refused, "the router lets no TCP in"),
            }
        }
        Ok(held)
    }

    async fn close(&self, held: &Held, [udp, tcp]: [[u8; 12]; 2]) {
        let outside = held.leased.outside.port();
        held.router.close(&held.door, &self.wish(held.router, Protocol::Udp, outside, udp)).await;
        if held.tcp {
            held.router.close(&held.door, &self.wish(held.router, Protocol::Tcp, outside, tcp)).await;
        }
    }

    fn wish(&self, router: Router, protocol: Protocol, outside: u16, nonce: [u8; 12]) -> Wish {
        let seconds = u32::try_from(LEASE.as_secs()).expect("two hours");
        Wish { protocol, own: SocketAddrV4::new(router.own, self.port), outside, seconds, nonce }
    }
}

/// The wish whose answers the workspace's fuzzing makes and reads.
const WISH: Wish = Wish {
    protocol: Protocol::Udp,
    own: SocketAddrV4::new(Ipv4Addr::new(192, 168, 1, 5), 4000),
    outside: 4001,
    seconds: 7200,
    nonce: [7; 12],
};
const ROUTER: Ipv4Addr = Ipv4Addr::new(192, 168, 1, 1);

/// Makes answers as routers do, for the fuzzing of the workspace.
pub(crate) fn packets() -> Vec<Vec<u8>> {
    let outside = Ipv4Addr::new(192, 0, 2, 9);
    let mut granted = pcp::pcp(&WISH);
    granted.splice(1..2, [0x81]);
    granted.splice(44..60, outside.to_ipv6_mapped().octets());
    let address = [&[0, 0x80, 0, 0, 0, 0, 0, 5][..], &outside.octets()].concat();
    let older =
        [&[0, 0x81, 0, 0, 0, 0, 0, 5][..], &4000_u16.to_be_bytes(), &[0x0f, 0xa1, 0, 0, 0x1c, 0x20]].concat();
    vec![granted, address, older]
}

/// Tells whether bytes are one of these answers.
pub(crate) fn is_packet(bytes: &[u8]) -> bool {
    pcp::pcp_answer(bytes, &WISH).is_ok_and(|leased| leased.checked().is_ok())
        || pcp::nat_pmp_address(bytes).is_ok()
        || pcp::nat_pmp_answer(bytes, &WISH).is_ok()
}

/// Makes answers in UPnP as routers do, for the fuzzing of the workspace.
pub(crate) fn texts() -> Vec<Vec<u8>> {
    [
        "HTTP/1.1 200 OK\r\nST: urn:schemas-upnp-org:device:InternetGatewayDevice:1\r\nLOCATION: http://192.168.1.1:5000/d.xml\r\n\r\n",
        "HTTP/1.1 200 OK\r\n\r\n<service><serviceType>urn:schemas-upnp-org:service:WANIPConnection:1</serviceType>\
         <controlURL>/c</controlURL></service>",
        "HTTP/1.0 200 OK\r\n\r\n<NewExternalIPAddress>192.0.2.9</NewExternalIPAddress>",
    ]
    .map(|text| text.as_bytes().to_vec())
    .into()
}

/// Tells whether bytes are one of these answers.
pub(crate) fn is_text(bytes: &[u8]) -> bool {
    let said = |body: &str| igd::service(body, ROUTER, 5000).is_ok() || igd::address(body).is_ok();
    igd::location(bytes, ROUTER).is_ok() || igd::body(bytes).is_ok_and(said)
}

/// For how long a port is asked for.
const LEASE: Duration = Duration::from_secs(7200);
/// The shortest time between two renewals, however short a lease is.
const SHORTEST: Duration = Duration::from_secs(60);
/// The first pause after a router let nothing in; it doubles up to a lease's length.
const RETRY: Duration = Duration::from_secs(60);
/// How long it takes until a new network's addresses are all there.
const SETTLE: Duration = Duration::from_millis(500);
/// How long the closing of ports may hold up the end.
const CLOSING: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    fn leased(outside: &str, seconds: u32) -> Leased {
        Leased { outside: outside.parse().unwrap(), seconds }
    }

    #[test]
    fn a_router_that_lies_is_not_believed() {
        assert!(leased("192.0.2.9:4000", 600).checked().is_ok());
        for (outside, refused) in [
            ("192.168.1.1:4000", Refused::Inner),
            ("10.0.0.1:4000", Refused::Inner),
            ("100.64.0.1:4000", Refused::Inner),
            ("169.254.0.1:4000", Refused::Inner),
            ("127.0.0.1:4000", Refused::Malformed),
            ("0.0.0.0:4000", Refused::Malformed),
            ("224.0.0.1:4000", Refused::Malformed),
            ("255.255.255.255:4000", Refused::Malformed),
            ("192.0.2.9:0", Refused::Malformed),
        ] {
            assert_eq!(leased(outside, 600).checked(), Err(refused), "{outside}");
        }
        assert_eq!(leased("192.0.2.9:4000", 0).checked(), Err(Refused::Malformed), "a lease that is over");
    }

    #[test]
    fn whatever_lease_is_named_it_is_renewed_neither_wildly_nor_never() {
        for seconds in [1, 2, 119, 7200, 86_400, u32::MAX] {
            let again = leased("192.0.2.9:4000", seconds).again();
            assert!(again >= SHORTEST.mul_f64(0.8) && again <= LEASE / 2, "{seconds} s: {again:?}");
        }
        assert!(leased("192.0.2.9:4000", 600).again() <= Duration::from_secs(300));
    }

    #[test]
    fn the_reason_that_tells_most_is_the_one_that_is_shown() {
        use Refused::{Code, Silent, Unknown};
        assert_eq!(Silent.or(Unknown).or(Silent), Unknown);
        assert_eq!(Silent.or(Code(2)).or(Silent).or(Unknown), Code(2));
    }
}
