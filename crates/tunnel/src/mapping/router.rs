//! Talking with the router: it alone is asked, and what it says is bounded.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddrV4},
    time::Duration,
};

use netwatch::interfaces::HomeRouter;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, UdpSocket},
    time::{Instant, timeout, timeout_at},
};

use super::{
    Leased, Means, Protocol, Refused,
    igd::{self, Call, Service},
    pcp::{self, Wish},
};

/// The default gateway, and this device's own address towards it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Router {
    pub(super) address: Ipv4Addr,
    pub(super) own: Ipv4Addr,
}

/// By what means a router grants ports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Door {
    Pcp,
    NatPmp,
    Upnp(Service),
}

impl Door {
    pub(super) fn means(&self) -> Means {
        match self {
            Self::Pcp => Means::Pcp,
            Self::NatPmp => Means::NatPmp,
            Self::Upnp(_) => Means::Upnp,
        }
    }
}

impl Router {
    /// Finds the default gateway, if there is one with an IPv4 address that can be a router's for whom is behind it.
    pub(super) async fn find() -> Option<Self> {
        // Asks the system, which may take its time.
        let router = tokio::task::spawn_blocking(HomeRouter::new).await.ok()??;
        match (router.gateway, router.my_ip) {
            (IpAddr::V4(address), Some(IpAddr::V4(own))) => Self { address, own }.checked(),
            _ => None,
        }
    }

    /// Whoever has an address of the whole world needs no port let in.
    fn checked(self) -> Option<Self> {
        let inside = |ip: Ipv4Addr| ip.is_private() || super::is_shared(ip);
        (inside(self.own) && self.address != self.own && !self.address.is_unspecified()).then_some(self)
    }

    /// Asks for a port by the first means that grants it.
    pub(super) async fn open(&self, wish: &Wish) -> Result<(Door, Leased), Refused> {
        let mut why = Refused::Silent;
        for door in [Door::Pcp, Door::NatPmp] {
            match self.ask(&door, wish).await {
                Ok(leased) => return Ok((door, leased)),
                Err(refused) => why = why.or(refused),
            }
        }
        let upnp = async {
            let door = Door::Upnp(self.discover().await?);
            let leased = self.ask(&door, wish).await?;
            Ok((door, leased))
        };
        upnp.await.map_err(|refused| why.or(refused))
    }

    /// Asks for a port by one means.
    pub(super) async fn ask(&self, door: &Door, wish: &Wish) -> Result<Leased, Refused> {
        match door {
            Door::Pcp => pcp::pcp_answer(&self.exchange(PCP, &pcp::pcp(wish)).await?, wish),
            Door::NatPmp => {
                let outside = self.exchange(PCP, &pcp::ADDRESS).await?;
                let outside = pcp::nat_pmp_address(&outside)?;
                let answer = self.exchange(PCP, &pcp::nat_pmp(wish)).await?;
                let (port, seconds) = pcp::nat_pmp_answer(&answer, wish)?;
                Ok(Leased { outside: SocketAddrV4::new(outside, port), seconds })
            }
            Door::Upnp(service) => self.add(service, wish).await,
        }
    }

    /// Has a port closed again; that it was not heard costs the rest of the lease.
    pub(super) async fn close(&self, door: &Door, wish: &Wish) {
        let wish = Wish { seconds: 0, ..*wish };
        let asked = async {
            match door {
                Door::Pcp => self.exchange(PCP, &pcp::pcp(&wish)).await.map(drop),
                Door::NatPmp => {
                    // None outside: so it is said in this protocol (RFC 6886 §3.4).
                    self.exchange(PCP, &pcp::nat_pmp(&Wish { outside: 0, ..wish })).await.map(drop)
                }
                Door::Upnp(service) => {
                    let call = Call::Delete { protocol: wish.protocol, outside: wish.outside };
                    self.call(service, &call).await.map(drop)
                }
            }
        };
        if let Err(refused) = asked.await {
            tracing::debug!(?refused, "a port was not closed");
        }
    }

    async fn add(&self, service: &Service, wish: &Wish) -> Result<Leased, Refused> {
        let Wish { protocol, own, outside, seconds, .. } = *wish;
        let mut outside = outside;
        for _ in 0..CONFLICTS {
            match self.call(service, &Call::Add { protocol, outside, own, seconds }).await {
                Ok(_) => {
                    let address = igd::address(igd::body(&self.call(service, &Call::Address).await?)?)?;
                    return Ok(Leased { outside: SocketAddrV4::new(address, outside), seconds });
                }
                // Another device has that port; one for UDP has to be the one for TCP, too.
                Err(Refused::Code(CONFLICT)) if protocol == Protocol::Udp => {
                    let random = u16::from_be_bytes(crypto::Entropy::bytes(&mut crypto::OsEntropy));
                    outside = random | DYNAMIC;
                }
                Err(refused) => return Err(refused),
            }
        }
        Err(Refused::Code(CONFLICT))
    }

    async fn call(&self, service: &Service, call: &Call) -> Result<Vec<u8>, Refused> {
        let answer = self.fetch(service.place.port, &service.call(self.address, call)).await?;
        igd::body(&answer)?;
        Ok(answer)
    }

    /// Finds the service for ports in UPnP.
    async fn discover(&self) -> Result<Service, Refused> {
        let place = igd::location(&self.search().await?, self.address)?;
        let description = self.fetch(place.port, &igd::get(self.address, &place)).await?;
        igd::service(igd::body(&description)?, self.address, place.port)
    }

    async fn search(&self) -> Result<Vec<u8>, Refused> {
        let socket = self.socket().await?;
        let mut buffer = vec![0; pcp::LONGEST + 1];
        for _ in 0..SEARCHES {
            socket.send_to(igd::search(self.address).as_bytes(), (self.address, SSDP)).await?;
            let end = Instant::now() + SEARCH;
            while let Ok(received) = timeout_at(end, socket.recv_from(&mut buffer)).await {
                let (length, from) = received?;
                // It may answer from another port; nobody else may.
                if from.ip() == IpAddr::V4(self.address) {
                    return Ok(buffer.get(..length).unwrap_or_default().to_vec());
                }
            }
        }
        Err(Refused::Silent)
    }

    /// Sends a packet until it is answered, a few times.
    async fn exchange(&self, port: u16, packet: &[u8]) -> Result<Vec<u8>, Refused> {
        let socket = self.socket().await?;
        // What comes from elsewhere is not taken.
        socket.connect((self.address, port)).await?;
        let mut buffer = vec![0; pcp::LONGEST + 1];
        for wait in WAITS {
            socket.send(packet).await?;
            if let Ok(length) = timeout(wait, socket.recv(&mut buffer)).await {
                return Ok(buffer.get(..length?).unwrap_or_default().to_vec());
            }
        }
        Err(Refused::Silent)
    }

    /// Says something over TCP, and hears all of the answer, up to a bound.
    async fn fetch(&self, port: u16, request: &str) -> Result<Vec<u8>, Refused> {
        let talk = async {
            let socket = TcpSocket::new_v4()?;
            socket.bind(SocketAddrV4::new(self.own, 0).into())?;
            let mut stream = socket.connect(SocketAddrV4::new(self.address, port).into()).await?;
            stream.write_all(request.as_bytes()).await?;
            let mut answer = Vec::new();
            stream.take(LARGEST + 1).read_to_end(&mut answer).await?;
            Ok::<_, io::Error>(answer)
        };
        let answer = timeout(FETCH, talk).await.map_err(|_| Refused::Silent)??;
        if answer.len() as u64 > LARGEST { Err(Refused::Malformed) } else { Ok(answer) }
    }

    async fn socket(&self) -> io::Result<UdpSocket> {
        UdpSocket::bind((self.own, 0)).await
    }
}

/// Where routers listen (RFC 6887 §19, RFC 6886 §3.1).
const PCP: u16 = 5351;
/// Where devices are searched for in UPnP.
const SSDP: u16 = 1900;
/// How long an answer is waited for, each time longer.
const WAITS: [Duration; 3] = [Duration::from_millis(250), Duration::from_millis(500), Duration::from_secs(1)];
const SEARCHES: usize = 2;
const SEARCH: Duration = Duration::from_millis(1500);
/// How long an answer over TCP may take, and how long it may be.
const FETCH: Duration = Duration::from_secs(3);
const LARGEST: u64 = 64 << 10;
/// How many ports are tried that others may have.
const CONFLICTS: usize = 4;
/// UPnP's word for that.
const CONFLICT: u16 = 718;
/// The first of the ports that belong to nobody.
const DYNAMIC: u16 = 0xc000;
