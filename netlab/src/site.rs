use std::{fmt, net::SocketAddr};

use anyhow::Result;

use crate::{Lab, Space};

/// How a device is connected to the Internet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// An address of its own, IPv4 and IPv6, no firewall.
    Open,
    /// Behind a home router that keeps ports and lets in only answers.
    Home,
    /// The same, and the router was asked to let this port in.
    Mapped,
    /// Behind a translator that takes another port for each address it sends to.
    AddressDependent,
    /// Behind a translator that takes a random port for each conversation.
    Symmetric,
    /// Behind a carrier's translator alone.
    Carrier,
    /// Behind a home router behind a carrier's translator.
    Double,
    /// IPv6 alone, behind a firewall that lets in only answers.
    Ipv6,
    /// Behind a firewall that lets no UDP through, and TCP only outwards.
    NoUdp,
}

impl Kind {
    /// All there are.
    pub const ALL: [Self; 9] = [
        Self::Open,
        Self::Home,
        Self::Mapped,
        Self::AddressDependent,
        Self::Symmetric,
        Self::Carrier,
        Self::Double,
        Self::Ipv6,
        Self::NoUdp,
    ];

    /// Whether whoever looks from outside sees one port, whichever way the device goes.
    pub fn keeps_its_port(self) -> bool {
        !matches!(self, Self::AddressDependent | Self::Symmetric | Self::NoUdp)
    }

    /// Whether packets come in that were not asked for, over UDP and TCP.
    pub fn lets_in(self) -> bool {
        matches!(self, Self::Open | Self::Mapped)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Open => "open",
            Self::Home => "home",
            Self::Mapped => "home, mapped",
            Self::AddressDependent => "address-dep.",
            Self::Symmetric => "symmetric",
            Self::Carrier => "carrier",
            Self::Double => "double",
            Self::Ipv6 => "IPv6 only",
            Self::NoUdp => "no UDP",
        })
    }
}

/// The Internet: a router between sites.
#[derive(Debug)]
pub struct Internet {
    lab: Lab,
    core: Space,
}

/// A device's place in the world, and the routers before it.
#[derive(Debug)]
pub struct Site {
    /// Where the device runs.
    pub space: Space,
    /// The port it must listen on.
    pub port: u16,
    /// Where it is seen from outside, as far as that is the same from everywhere.
    pub outside: Vec<SocketAddr>,
    number: u8,
    // Only kept.
    _routers: Vec<Space>,
}

impl Internet {
    /// Opens an Internet without sites.
    pub fn new() -> Result<Self> {
        let lab = Lab::new();
        let core = lab.router("core")?;
        Ok(Self { lab, core })
    }

    /// Connects a site; each has a number of its own, up to 200.
    pub fn site(&self, number: u8, kind: Kind) -> Result<Site> {
        let (lab, n) = (&self.lab, number);
        let space = lab.space(&format!("d{n}"))?;
        let port = 4000 + u16::from(n);
        let (public, gateway) = (format!("198.18.{n}.2"), format!("198.18.{n}.1"));
        let (public6, gateway6) = (format!("2001:db8:{n}::2"), format!("2001:db8:{n}::1"));
        let outside = |ip: &str| -> Result<SocketAddr> { Ok(SocketAddr::new(ip.parse()?, port)) };
        let mut site = Site { space, port, outside: vec![outside(&public)?], number, _routers: Vec::new() };
        let wan = format!("s{n}");
        match kind {
            Kind::Open | Kind::Ipv6 | Kind::NoUdp => {
                let device = &site.space;
                if kind == Kind::Ipv6 {
                    device.cable(
                        "eth",
                        &format!("{public6}/64"),
                        &self.core,
                        &wan,
                        &format!("{gateway6}/64"),
                    )?;
                    site.outside = vec![outside(&public6)?];
                } else {
                    device.cable(
                        "eth",
                        &format!("{public}/24"),
                        &self.core,
                        &wan,
                        &format!("{gateway}/24"),
                    )?;
                    device.ip(&format!("route add default via {gateway}"))?;
                }
                if kind == Kind::Open {
                    device.address("eth", &format!("{public6}/64"))?;
                    self.core.address(&wan, &format!("{gateway6}/64"))?;
                    site.outside.push(outside(&public6)?);
                }
                if kind != Kind::NoUdp {
                    device.ip(&format!("-6 route add default via {gateway6}"))?;
                }
                match kind {
                    // The firewall stands on the device itself; on the line it makes no difference.
                    Kind::Ipv6 => device.nft(&only_answers("input", "ip6", "eth"))?,
                    Kind::NoUdp => device.nft(&no_udp())?,
                    _ => {}
                }
            }
            Kind::Home | Kind::Mapped | Kind::AddressDependent | Kind::Symmetric | Kind::Carrier => {
                let inside =
                    if kind == Kind::Carrier { format!("100.64.{n}") } else { format!("192.168.{n}") };
                let router = lab.router(&format!("r{n}"))?;
                router.cable("wan", &format!("{public}/24"), &self.core, &wan, &format!("{gateway}/24"))?;
                router.ip(&format!("route add default via {gateway}"))?;
                behind(&site.space, &router, &inside)?;
                router.nft(&translator(kind, &format!("{inside}.2"), port))?;
                site._routers.push(router);
            }
            Kind::Double => {
                let carrier = lab.router(&format!("c{n}"))?;
                carrier.cable("wan", &format!("{public}/24"), &self.core, &wan, &format!("{gateway}/24"))?;
                carrier.ip(&format!("route add default via {gateway}"))?;
                let router = lab.router(&format!("r{n}"))?;
                let between = format!("100.64.{n}");
                router.cable(
                    "wan",
                    &format!("{between}.2/24"),
                    &carrier,
                    "lan",
                    &format!("{between}.1/24"),
                )?;
                router.ip(&format!("route add default via {between}.1"))?;
                behind(&site.space, &router, &format!("192.168.{n}"))?;
                router.nft(&translator(Kind::Home, "", port))?;
                carrier.nft(&translator(Kind::Carrier, "", port))?;
                site._routers.extend([router, carrier]);
            }
        }
        Ok(site)
    }

    /// Starts to count what passes between two sites.
    pub fn count(&self, one: &Site, other: &Site) -> Result<()> {
        let (a, b) = (one.number, other.number);
        self.core.nft(&format!(
            "table inet count {{\n chain passing {{\n type filter hook forward priority 0\n \
             iifname \"s{a}\" oifname \"s{b}\" counter\n }}\n}}\n"
        ))
    }

    /// Tells how many packets have passed from the one to the other.
    pub fn counted(&self) -> Result<u64> {
        self.core.counted("inet count").map(|(packets, _)| packets)
    }
}

fn behind(device: &Space, router: &Space, net: &str) -> Result<()> {
    device.cable("eth", &format!("{net}.2/24"), router, "lan", &format!("{net}.1/24"))?;
    device.ip(&format!("route add default via {net}.1"))
}

/// Drops what comes in on an interface without being an answer, before it can stand in the way of what goes out.
fn only_answers(hook: &str, family: &str, interface: &str) -> String {
    // Neighbours have to find each other before anything can be an answer.
    let neighbours = if family == "ip6" { " meta l4proto icmpv6 accept\n" } else { "" };
    format!(
        "table {family} answers_{hook} {{\n chain arrivals {{\n type filter hook {hook} priority 0\n{neighbours} \
         iifname \"{interface}\" ct state new drop\n }}\n}}\n"
    )
}

fn no_udp() -> String {
    let chain = |hook: &str| {
        format!(" chain no_{hook} {{\n type filter hook {hook} priority 0\n meta l4proto udp drop\n }}\n")
    };
    format!(
        "table inet silent {{\n{}{}}}\n{}",
        chain("input"),
        chain("output"),
        only_answers("input", "ip", "eth")
    )
}

fn translator(kind: Kind, device: &str, port: u16) -> String {
    let out = match kind {
        Kind::AddressDependent => (1..=9)
            .map(|to| {
                format!(
                    " oifname \"wan\" ip daddr 198.18.{to}.0/24 ip protocol udp masquerade to :{}\n",
                    20_000 + to
                )
            })
            .collect(),
        Kind::Symmetric => {
            " oifname \"wan\" ip protocol udp masquerade to :10000-60000 fully-random\n".to_owned()
        }
        _ => " oifname \"wan\" masquerade\n".to_owned(),
    };
    let into = if kind == Kind::Mapped {
        format!(
            " chain into {{\n type nat hook prerouting priority -100\n \
             iifname \"wan\" udp dport {port} dnat to {device}:{port}\n \
             iifname \"wan\" tcp dport {port} dnat to {device}:{port}\n }}\n"
        )
    } else {
        String::new()
    };
    let mut rules = format!(
        "table ip translator {{\n chain out {{\n type nat hook postrouting priority 100\n{out} }}\n{into}}}\n"
    );
    rules += &only_answers("input", "ip", "wan");
    if kind != Kind::Mapped {
        rules += &only_answers("forward", "ip", "wan");
    }
    rules
}
