//! Asks the kernel whose program is at the other end of a loopback connection: other users of the machine reach it, too.

use std::{
    fs, io,
    net::{IpAddr, SocketAddr},
};

use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType,
    netlink::{self, SocketAddrNetlink},
};

/// Tells whether a connection, given its other end and its own, comes from a program of the user whom this process runs as; others
/// get no byte.
pub async fn is_own(ends: io::Result<(SocketAddr, SocketAddr)>) -> bool {
    let Ok((peer, own)) = ends else { return false };
    let owner = of(peer, own).await;
    let is_own = owner == Some(rustix::process::geteuid().as_raw());
    if owner.is_some() && !is_own {
        tracing::warn!("another user's process was turned away from a loopback port");
    }
    is_own
}

/// Returns the user who opened the connection from `peer` to `own`; none if the kernel does not say.
async fn of(peer: SocketAddr, own: SocketAddr) -> Option<u32> {
    match ask(peer, own) {
        Ok(owner) => owner,
        // Somebody may have forbidden this process such a question. The list of all sockets says the same, slowly: how
        // long it is any user of this machine decides.
        Err(_) => tokio::task::spawn_blocking(move || look_up(peer, own)).await.ok().flatten(),
    }
}

/// Asks for the one socket (sock_diag(7)), which takes as long however many there are.
fn ask(peer: SocketAddr, own: SocketAddr) -> io::Result<Option<u32>> {
    let socket = rustix::net::socket_with(
        AddressFamily::NETLINK,
        SocketType::DGRAM,
        SocketFlags::CLOEXEC,
        Some(netlink::SOCK_DIAG),
    )?;
    let kernel = SocketAddrNetlink::new(0, 0);
    rustix::net::sendto(&socket, &question(peer, own), SendFlags::empty(), &kernel)?;
    let mut answer = [0; 1024];
    // The kernel answers before `sendto` returns.
    let (_, length, sender) = rustix::net::recvfrom(&socket, &mut answer, RecvFlags::DONTWAIT)?;
    if sender.and_then(|sender| SocketAddrNetlink::try_from(sender).ok()) != Some(kernel) {
        return Err(io::ErrorKind::InvalidData.into());
    }
    answered(answer.get(..length).unwrap_or_default(), peer, own)
}

/// Writes the question: a `nlmsghdr` and an `inet_diag_req_v2`.
fn question(peer: SocketAddr, own: SocketAddr) -> Vec<u8> {
    let mut body = vec![family(peer), TCP, 0, 0];
    body.extend(u32::MAX.to_ne_bytes());
    body.extend(ends(peer, own));
    body.extend([0; 4]);
    // Which of several sockets with these ends: there is one.
    body.extend([0xFF; 8]);
    let length = u32::try_from(HEAD + body.len()).expect("a question is short");
    let mut message = length.to_ne_bytes().to_vec();
    message.extend(BY_FAMILY.to_ne_bytes());
    message.extend(REQUEST.to_ne_bytes());
    message.extend([0; 8]);
    message.extend(body);
    message
}

/// Writes the two ends as in `inet_diag_sockid`: the other side's socket has our peer's address as its own.
fn ends(peer: SocketAddr, own: SocketAddr) -> Vec<u8> {
    let octets = |address: SocketAddr| match address.ip() {
        IpAddr::V4(ip) => [ip.octets().as_slice(), &[0; 12]].concat(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    };
    let ports = [peer.port().to_be_bytes(), own.port().to_be_bytes()].concat();
    [ports, octets(peer), octets(own)].concat()
}

/// Reads the answer: an `inet_diag_msg` with the socket, or an error's number.
fn answered(message: &[u8], peer: SocketAddr, own: SocketAddr) -> io::Result<Option<u32>> {
    let number = |at: usize| {
        let bytes = message.get(at..at + 4).and_then(|bytes| <[u8; 4]>::try_from(bytes).ok());
        bytes.ok_or(io::Error::from(io::ErrorKind::InvalidData))
    };
    let kind = message.get(4..6).and_then(|bytes| <[u8; 2]>::try_from(bytes).ok()).map(u16::from_ne_bytes);
    if kind == Some(ERROR) {
        let error = io::Error::from_raw_os_error(i32::from_ne_bytes(number(HEAD)?).saturating_neg());
        return if error.kind() == io::ErrorKind::NotFound { Ok(None) } else { Err(error) };
    }
    // Where there is no connection with these ends, one who listens is named.
    let wanted = ends(peer, own);
    let is_it = kind == Some(BY_FAMILY)
        && message.get(HEAD) == Some(&family(peer))
        && message.get(HEAD + 4..).is_some_and(|rest| rest.starts_with(&wanted));
    let (user, inode) = (u32::from_ne_bytes(number(HEAD + 64)?), u32::from_ne_bytes(number(HEAD + 68)?));
    Ok((is_it && inode != 0).then_some(user))
}

fn family(address: SocketAddr) -> u8 {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    u8::try_from(family.as_raw()).expect("both are small numbers")
}

/// Looks the connection up in the list of all sockets (proc(5)).
fn look_up(peer: SocketAddr, own: SocketAddr) -> Option<u32> {
    let table = if peer.is_ipv4() { "/proc/net/tcp" } else { "/proc/net/tcp6" };
    find(&fs::read_to_string(table).ok()?, peer, own)
}

/// Finds the other side's socket in the list: there our peer's address is the local one.
fn find(table: &str, peer: SocketAddr, own: SocketAddr) -> Option<u32> {
    let (local, remote) = (written(peer), written(own));
    table.lines().skip(1).find_map(|line| {
        let mut words = line.split_ascii_whitespace().skip(1);
        if words.next()? != local || words.next()? != remote {
            return None;
        }
        let (user, inode) = (words.nth(4)?, words.nth(1)?);
        // A socket that its program has closed is listed without a number, and as the superuser's.
        if inode == "0" { None } else { user.parse().ok() }
    })
}

/// Writes an address as the kernel does: each four bytes as one number of this machine, in hexadecimal.
fn written(address: SocketAddr) -> String {
    let octets = match address.ip() {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    };
    let (fours, _) = octets.as_chunks::<4>();
    let ip: String = fours.iter().map(|four| format!("{:08X}", u32::from_ne_bytes(*four))).collect();
    format!("{ip}:{:04X}", address.port())
}

/// How long a `nlmsghdr` is.
const HEAD: usize = 16;
const REQUEST: u16 = 1;
const ERROR: u16 = 2;
/// `SOCK_DIAG_BY_FAMILY`.
const BY_FAMILY: u16 = 20;
const TCP: u8 = 6;

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[tokio::test]
    async fn the_kernel_names_the_owner_of_the_other_end() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let listener = TcpListener::bind(address).unwrap();
            let _client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            let (stream, peer) = listener.accept().unwrap();
            let (own, me) = (stream.local_addr().unwrap(), rustix::process::geteuid().as_raw());
            assert_eq!(of(peer, own).await, Some(me), "{address}");
            assert_eq!(ask(peer, own).unwrap(), Some(me), "{address}");
            assert_eq!(look_up(peer, own), Some(me), "{address}");
        }
    }

    #[test]
    fn who_has_closed_his_end_is_nobody() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let listener = TcpListener::bind(address).unwrap();
            let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            let (stream, peer) = listener.accept().unwrap();
            drop(client);
            let own = stream.local_addr().unwrap();
            // As root, this would be root's otherwise.
            assert_eq!(ask(peer, own).unwrap(), None, "{address}");
            assert_eq!(look_up(peer, own), None, "{address}");
        }
    }

    #[test]
    fn whom_the_kernel_does_not_name_is_nobody() {
        // One who listens is not one who called.
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (peer, own) = (listener.local_addr().unwrap(), "127.0.0.1:2".parse().unwrap());
        assert_eq!(ask(peer, own).unwrap(), None);
        assert_eq!(look_up(peer, own), None);
        let (peer, own) = ("127.0.0.1:1".parse().unwrap(), "127.0.0.1:2".parse().unwrap());
        assert_eq!(look_up(peer, own), None);
        for table in ["", "\n\n", "head\n 0: 0100007F:0001 0100007F:0002", "head\n0: 0100007F:0001"] {
            assert_eq!(find(table, peer, own), None, "{table:?}");
        }
        for message in [&[][..], &[0; 16], &[0; 200], &[2; 18], &[20; 40]] {
            assert!(!matches!(answered(message, peer, own), Ok(Some(_))), "{message:?}");
        }
    }
}
