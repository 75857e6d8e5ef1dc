//! The multicast sockets of one circle.

use std::{
    collections::BTreeSet,
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::net::UdpSocket;

/// Sockets that hear and speak multicast DNS on every interface but the loopback.
pub(crate) struct Sockets {
    v4: Option<(UdpSocket, BTreeSet<Ipv4Addr>)>,
    v6: Option<(UdpSocket, BTreeSet<u32>)>,
    port: u16,
}

impl Sockets {
    /// Opens them for the interfaces there are now.
    pub(crate) fn open(port: u16) -> io::Result<Self> {
        let (mut v4, mut v6) = (BTreeSet::new(), BTreeSet::new());
        for interface in if_addrs::get_if_addrs()?.into_iter().filter(|interface| !interface.is_loopback()) {
            match (interface.ip(), interface.index) {
                (IpAddr::V4(ip), _) => drop(v4.insert(ip)),
                (IpAddr::V6(_), Some(index)) => drop(v6.insert(index)),
                (IpAddr::V6(_), None) => {}
            }
        }
        let v4 = if v4.is_empty() { None } else { Some((open_v4(port, &mut v4)?, v4)) };
        // A machine without IPv6 has members to find all the same.
        let v6 = if v6.is_empty() { None } else { open_v6(port, &mut v6).ok().map(|socket| (socket, v6)) };
        Ok(Self { v4, v6, port })
    }

    /// Sends a packet on every interface; an interface that is down must not hide the others.
    pub(crate) async fn send(&self, bytes: &[u8]) {
        if let Some((socket, interfaces)) = &self.v4 {
            for interface in interfaces {
                if SockRef::from(socket).set_multicast_if_v4(interface).is_ok() {
                    let _ = socket.send_to(bytes, (GROUP_V4, self.port)).await;
                }
            }
        }
        if let Some((socket, interfaces)) = &self.v6 {
            for interface in interfaces {
                if SockRef::from(socket).set_multicast_if_v6(*interface).is_ok() {
                    let _ = socket.send_to(bytes, (GROUP_V6, self.port)).await;
                }
            }
        }
    }

    /// Receives one packet; does not return while there is none.
    pub(crate) async fn receive(&self, buffer: &mut [u8], buffer_v6: &mut [u8]) -> io::Result<(usize, bool)> {
        tokio::select! {
            received = receive(self.v4.as_ref().map(|(socket, _)| socket), buffer) => Ok((received?, false)),
            received = receive(self.v6.as_ref().map(|(socket, _)| socket), buffer_v6) => Ok((received?, true)),
        }
    }
}

async fn receive(socket: Option<&UdpSocket>, buffer: &mut [u8]) -> io::Result<usize> {
    match socket {
        Some(socket) => socket.recv_from(buffer).await.map(|(length, _)| length),
        None => std::future::pending().await,
    }
}

fn open_v4(port: u16, interfaces: &mut BTreeSet<Ipv4Addr>) -> io::Result<UdpSocket> {
    let socket = shared(Domain::IPV4)?;
    socket.set_multicast_ttl_v4(255)?;
    socket.set_multicast_loop_v4(true)?;
    socket.bind(&SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)).into())?;
    interfaces.retain(|interface| socket.join_multicast_v4(&GROUP_V4, interface).is_ok());
    UdpSocket::from_std(socket.into())
}

fn open_v6(port: u16, interfaces: &mut BTreeSet<u32>) -> io::Result<UdpSocket> {
    let socket = shared(Domain::IPV6)?;
    socket.set_only_v6(true)?;
    socket.set_multicast_hops_v6(255)?;
    socket.set_multicast_loop_v6(true)?;
    socket.bind(&SocketAddr::from((Ipv6Addr::UNSPECIFIED, port)).into())?;
    interfaces.retain(|interface| socket.join_multicast_v6(&GROUP_V6, *interface).is_ok());
    UdpSocket::from_std(socket.into())
}

/// The port is everybody's: the system's own responder and our other circles listen there too.
fn shared(domain: Domain) -> io::Result<Socket> {
    let socket = Socket::new(domain, Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_reuse_address(true)?;
    #[cfg(unix)]
    socket.set_reuse_port(true)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

const GROUP_V4: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 251);
const GROUP_V6: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0xfb);
