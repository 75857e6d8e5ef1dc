//! Asks the kernel whose program is at the other end of a loopback connection.

use std::{
    fs,
    net::{IpAddr, SocketAddr},
};

/// Returns the user who opened the connection from `peer` to `own`; none if the kernel does not say.
pub(super) fn of(peer: SocketAddr, own: SocketAddr) -> Option<u32> {
    find(&fs::read_to_string("/proc/net/tcp").ok()?, peer, own)
}

/// Finds the other side's socket in the kernel's table (proc(5)): there our peer's address is the local one.
fn find(table: &str, peer: SocketAddr, own: SocketAddr) -> Option<u32> {
    let (local, remote) = (written(peer)?, written(own)?);
    table.lines().skip(1).find_map(|line| {
        let mut words = line.split_ascii_whitespace().skip(1);
        if words.next()? != local || words.next()? != remote {
            return None;
        }
        words.nth(4)?.parse().ok()
    })
}

/// Writes an address as the kernel does: the four bytes as one number of this machine, in hexadecimal.
fn written(address: SocketAddr) -> Option<String> {
    let IpAddr::V4(ip) = address.ip() else { return None };
    Some(format!("{:08X}:{:04X}", u32::from_ne_bytes(ip.octets()), address.port()))
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn the_kernel_names_the_owner_of_the_other_end() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let _client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (stream, peer) = listener.accept().unwrap();
        assert_eq!(of(peer, stream.local_addr().unwrap()), Some(rustix::process::geteuid().as_raw()));
    }

    #[test]
    fn whom_the_kernel_does_not_name_is_nobody() {
        let peer = "127.0.0.1:1".parse().unwrap();
        assert_eq!(of(peer, "127.0.0.1:2".parse().unwrap()), None);
        for table in ["", "\n\n", "head\n 0: 0100007F:0001 0100007F:0002", "head\n0: 0100007F:0001"] {
            assert_eq!(find(table, peer, "127.0.0.1:2".parse().unwrap()), None, "{table:?}");
        }
    }
}
