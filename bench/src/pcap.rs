//! Reads what tcpdump wrote: classic pcap, Ethernet frames, IPv4 and IPv6, UDP and TCP.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use anyhow::{Context, Result, bail, ensure};

/// One packet: from where to where, and all its bytes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Packet<'a> {
    pub(crate) from: SocketAddr,
    pub(crate) to: SocketAddr,
    pub(crate) kind: Kind,
    pub(crate) bytes: &'a [u8],
}

/// What carries a packet's payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Udp,
    Tcp,
    /// What a system says of packets that did not arrive; has no ports.
    Icmp,
    Other,
}

/// Reads all packets; one that is not understood is an error, since nothing could be said of it.
pub(crate) fn packets(file: &[u8]) -> Result<Vec<Packet<'_>>> {
    let word = |bytes: &[u8], at: usize| -> Result<u32> {
        let four = bytes.get(at..at + 4).context("the capture is cut")?;
        Ok(u32::from_le_bytes(four.try_into()?))
    };
    ensure!(word(file, 0)? == MAGIC, "not a capture of this machine's tcpdump");
    ensure!(word(file, 20)? == ETHERNET, "the capture is not of Ethernet frames");
    let (mut at, mut packets) = (24, Vec::new());
    while at < file.len() {
        let header = file.get(at..at + 16).context("the capture is cut")?;
        let (captured, sent) = (word(header, 8)?, word(header, 12)?);
        ensure!(captured == sent, "a packet of {sent} bytes was captured only in part");
        let end = at + 16 + usize::try_from(captured)?;
        let frame = file.get(at + 16..end).context("the capture is cut")?;
        packets.push(packet(frame)?);
        at = end;
    }
    Ok(packets)
}

fn packet(frame: &[u8]) -> Result<Packet<'_>> {
    let kind = frame.get(12..14).context("a frame without a kind")?;
    let ip = frame.get(14..).unwrap_or_default();
    let (from, to, protocol, rest): (IpAddr, IpAddr, u8, &[u8]) = match kind {
        [0x08, 0x00] => {
            let header = ip.first_chunk::<20>().context("a short IPv4 packet")?;
            let [first, .., a, b, c, d, e, f, g, h] = *header;
            let length = usize::from(first & 15) * 4;
            let rest = ip.get(length..).context("a short IPv4 packet")?;
            (Ipv4Addr::new(a, b, c, d).into(), Ipv4Addr::new(e, f, g, h).into(), header[9], rest)
        }
        [0x86, 0xdd] => {
            let header = ip.first_chunk::<40>().context("a short IPv6 packet")?;
            let address = |at: usize| -> Result<Ipv6Addr> {
                Ok(Ipv6Addr::from(<[u8; 16]>::try_from(header.get(at..at + 16).context("cut")?)?))
            };
            (address(8)?.into(), address(24)?.into(), header[6], ip.get(40..).unwrap_or_default())
        }
        other => bail!("a frame of kind {other:02x?}"),
    };
    let ports = |rest: &[u8]| match rest {
        [a, b, c, d, ..] => Ok((u16::from_be_bytes([*a, *b]), u16::from_be_bytes([*c, *d]))),
        _ => bail!("a packet without ports"),
    };
    let (source, destination) = match protocol {
        TCP | UDP => ports(rest)?,
        // The others have none.
        _ => (0, 0),
    };
    Ok(Packet {
        from: SocketAddr::new(from, source),
        to: SocketAddr::new(to, destination),
        kind: match protocol {
            UDP => Kind::Udp,
            TCP => Kind::Tcp,
            ICMP | ICMP_V6 => Kind::Icmp,
            _ => Kind::Other,
        },
        bytes: frame,
    })
}

const MAGIC: u32 = 0xa1b2_c3d4;
const ETHERNET: u32 = 1;
const ICMP: u8 = 1;
pub(crate) const TCP: u8 = 6;
pub(crate) const UDP: u8 = 17;
const ICMP_V6: u8 = 58;

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Writes a capture of packets with ports, as tcpdump would: what is behind the ports is as UDP has it.
    pub(crate) fn capture(protocol: u8, packets: &[(SocketAddr, SocketAddr, &[u8])]) -> Vec<u8> {
        let mut file = Vec::new();
        for word in [MAGIC, 0x0004_0002, 0, 0, 262_144, ETHERNET] {
            file.extend(word.to_le_bytes());
        }
        for (from, to, payload) in packets {
            let udp_len = u16::try_from(payload.len() + 8).unwrap();
            let mut frame = vec![0; 12];
            match (from.ip(), to.ip()) {
                (IpAddr::V4(a), IpAddr::V4(b)) => {
                    frame.extend([0x08, 0x00, 0x45, 0]);
                    frame.extend((udp_len + 20).to_be_bytes());
                    frame.extend([0, 0, 0, 0, 64, protocol, 0, 0]);
                    frame.extend(a.octets());
                    frame.extend(b.octets());
                }
                (IpAddr::V6(a), IpAddr::V6(b)) => {
                    frame.extend([0x86, 0xdd, 0x60, 0, 0, 0]);
                    frame.extend(udp_len.to_be_bytes());
                    frame.extend([protocol, 64]);
                    frame.extend(a.octets());
                    frame.extend(b.octets());
                }
                _ => panic!("both of one family"),
            }
            for number in [from.port(), to.port(), udp_len, 0] {
                frame.extend(number.to_be_bytes());
            }
            frame.extend(*payload);
            let length = u32::try_from(frame.len()).unwrap();
            for word in [0, 0, length, length] {
                file.extend(u32::to_le_bytes(word));
            }
            file.extend(frame);
        }
        file
    }

    #[test]
    fn addresses_and_payloads_are_those_that_were_sent() {
        let sent =
            [("127.0.0.1:4001", "127.0.0.2:4002", &b"one"[..]), ("[::1]:4003", "[::1]:4004", &b"two"[..])]
                .map(|(from, to, payload)| (from.parse().unwrap(), to.parse().unwrap(), payload));
        let file = capture(UDP, &sent);
        let read = packets(&file).unwrap();
        assert_eq!(read.len(), 2);
        for (packet, (from, to, payload)) in read.iter().zip(sent) {
            assert_eq!((packet.from, packet.to, packet.kind), (from, to, Kind::Udp));
            assert!(packet.bytes.ends_with(payload));
        }
    }

    #[test]
    fn what_cannot_be_read_whole_is_an_error() {
        let file =
            capture(UDP, &[("127.0.0.1:1".parse().unwrap(), "127.0.0.1:2".parse().unwrap(), b"payload")]);
        for cut in 0..file.len() {
            // A capture that ends after its header holds no packets.
            assert_eq!(packets(&file[..cut]).is_ok(), cut == 24, "cut at {cut}");
        }
        let mut alien = file.clone();
        alien[24 + 16 + 12] = 0x88;
        assert!(packets(&alien).is_err(), "neither IPv4 nor IPv6");
    }
}
