//! What is said to a router in PCP (RFC 6887) and, where that is unknown, NAT-PMP (RFC 6886). Decides only; no I/O.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddrV4};

use super::{Leased, Protocol, Refused};

/// What a router is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Wish {
    pub(super) protocol: Protocol,
    /// The device's own address, as the router knows it, and the port it listens on.
    pub(super) own: SocketAddrV4,
    /// The port that is wished for outside.
    pub(super) outside: u16,
    /// For how many seconds; 0 to have it no more.
    pub(super) seconds: u32,
    /// What tells the answer from another's.
    pub(super) nonce: [u8; 12],
}

/// Writes a wish in PCP.
pub(super) fn pcp(wish: &Wish) -> Vec<u8> {
    let mut packet = vec![PCP, MAP, 0, 0];
    packet.extend(wish.seconds.to_be_bytes());
    packet.extend(wish.own.ip().to_ipv6_mapped().octets());
    packet.extend(wish.nonce);
    packet.extend([number(wish.protocol), 0, 0, 0]);
    packet.extend(wish.own.port().to_be_bytes());
    packet.extend(wish.outside.to_be_bytes());
    packet.extend(Ipv4Addr::UNSPECIFIED.to_ipv6_mapped().octets());
    packet
}

/// Reads the answer to a wish in PCP.
pub(super) fn pcp_answer(packet: &[u8], wish: &Wish) -> Result<Leased, Refused> {
    let [version, code, _, result, ..] = packet else { return Err(Refused::Malformed) };
    if *version != PCP {
        // So says a router that knows the older protocol alone (RFC 6887 §9).
        return Err(if *version == NAT_PMP { Refused::Unknown } else { Refused::Malformed });
    }
    if packet.len() > LONGEST || *code != MAP | ANSWER {
        return Err(Refused::Malformed);
    }
    match *result {
        0 => {}
        1 => return Err(Refused::Unknown),
        result => return Err(Refused::Code(result.into())),
    }
    let seconds = u32::from_be_bytes(part(packet, 4)?);
    let (nonce, [protocol]) = (part::<12>(packet, 24)?, part::<1>(packet, 36)?);
    let inside = u16::from_be_bytes(part(packet, 40)?);
    if nonce != wish.nonce || protocol != number(wish.protocol) || inside != wish.own.port() {
        return Err(Refused::Malformed);
    }
    let outside = u16::from_be_bytes(part(packet, 42)?);
    let address = Ipv6Addr::from(part::<16>(packet, 44)?).to_ipv4_mapped().ok_or(Refused::Malformed)?;
    Ok(Leased { outside: SocketAddrV4::new(address, outside), seconds })
}

/// Writes a wish in NAT-PMP.
pub(super) fn nat_pmp(wish: &Wish) -> Vec<u8> {
    let mut packet = vec![NAT_PMP, operation(wish.protocol), 0, 0];
    packet.extend(wish.own.port().to_be_bytes());
    packet.extend(wish.outside.to_be_bytes());
    packet.extend(wish.seconds.to_be_bytes());
    packet
}

/// The question for the router's outer address in NAT-PMP.
pub(super) const ADDRESS: [u8; 2] = [NAT_PMP, 0];

/// Reads the answer to [`ADDRESS`].
pub(super) fn nat_pmp_address(packet: &[u8]) -> Result<Ipv4Addr, Refused> {
    success(packet, 0, 12)?;
    Ok(Ipv4Addr::from(part::<4>(packet, 8)?))
}

/// Reads the answer to a wish in NAT-PMP: the port, and for how many seconds.
pub(super) fn nat_pmp_answer(packet: &[u8], wish: &Wish) -> Result<(u16, u32), Refused> {
    success(packet, operation(wish.protocol), 16)?;
    if u16::from_be_bytes(part(packet, 8)?) != wish.own.port() {
        return Err(Refused::Malformed);
    }
    Ok((u16::from_be_bytes(part(packet, 10)?), u32::from_be_bytes(part(packet, 12)?)))
}

/// Checks the head of an answer in NAT-PMP.
fn success(packet: &[u8], operation: u8, length: usize) -> Result<(), Refused> {
    let [NAT_PMP, code, high, low, ..] = packet else { return Err(Refused::Malformed) };
    if *code != operation | ANSWER {
        return Err(Refused::Malformed);
    }
    match u16::from_be_bytes([*high, *low]) {
        0 if packet.len() == length => Ok(()),
        0 => Err(Refused::Malformed),
        1 => Err(Refused::Unknown),
        result => Err(Refused::Code(result)),
    }
}

fn part<const N: usize>(packet: &[u8], at: usize) -> Result<[u8; N], Refused> {
    packet.get(at..).and_then(|rest| rest.first_chunk()).copied().ok_or(Refused::Malformed)
}

/// A protocol's number (IANA).
fn number(protocol: Protocol) -> u8 {
    match protocol {
        Protocol::Udp => 17,
        Protocol::Tcp => 6,
    }
}

/// What NAT-PMP calls a wish for a protocol.
fn operation(protocol: Protocol) -> u8 {
    match protocol {
        Protocol::Udp => 1,
        Protocol::Tcp => 2,
    }
}

const PCP: u8 = 2;
const NAT_PMP: u8 = 0;
/// The operation MAP.
const MAP: u8 = 1;
/// Marks an answer, in both.
const ANSWER: u8 = 0x80;
/// The longest packet (RFC 6887 §7).
pub(super) const LONGEST: usize = 1100;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn wish(protocol: Protocol) -> Wish {
        Wish {
            protocol,
            own: "192.168.1.5:4000".parse().unwrap(),
            outside: 4001,
            seconds: 7200,
            nonce: *b"abcdefghijkl",
        }
    }

    /// What a router answers that grants a wish.
    fn granted(wish: &Wish, outside: SocketAddrV4, seconds: u32) -> Vec<u8> {
        let mut packet = pcp(wish);
        packet[1] |= ANSWER;
        packet[4..8].copy_from_slice(&seconds.to_be_bytes());
        packet[8..24].fill(0);
        packet[42..44].copy_from_slice(&outside.port().to_be_bytes());
        packet[44..60].copy_from_slice(&outside.ip().to_ipv6_mapped().octets());
        packet
    }

    #[test]
    fn a_wish_is_written_as_the_standards_have_it() {
        let udp = pcp(&wish(Protocol::Udp));
        assert_eq!(udp.len(), 60);
        assert_eq!(udp[..8], [2, 1, 0, 0, 0, 0, 0x1c, 0x20]);
        assert_eq!(udp[18..24], [0xff, 0xff, 192, 168, 1, 5]);
        assert_eq!(udp[24..44], *b"abcdefghijkl\x11\0\0\0\x0f\xa0\x0f\xa1");
        assert_eq!(pcp(&wish(Protocol::Tcp))[36], 6);
        assert_eq!(nat_pmp(&wish(Protocol::Tcp)), *b"\0\x02\0\0\x0f\xa0\x0f\xa1\0\0\x1c\x20");
    }

    #[test]
    fn what_is_granted_is_read_and_what_answers_something_else_is_not() {
        let (wish, outside) = (wish(Protocol::Udp), "192.0.2.9:4001".parse().unwrap());
        let good = granted(&wish, outside, 600);
        assert_eq!(pcp_answer(&good, &wish), Ok(Leased { outside, seconds: 600 }));
        // Options may follow, up to a packet's length.
        assert!(pcp_answer(&[&good[..], &[0; 1040]].concat(), &wish).is_ok());
        assert_eq!(pcp_answer(&[&good[..], &[0; 1044]].concat(), &wish), Err(Refused::Malformed));
        for (at, value) in [(0, 3), (1, 1), (24, b'z'), (36, 6), (40, 1), (54, 0)] {
            let mut other = good.clone();
            other[at] = value;
            assert_eq!(pcp_answer(&other, &wish), Err(Refused::Malformed), "{at}");
        }
        for length in 0..60 {
            assert!(pcp_answer(&good[..length], &wish).is_err());
        }
        let refused = |result| [&good[..3], &[result], &good[4..]].concat();
        assert_eq!(pcp_answer(&refused(8), &wish), Err(Refused::Code(8)));
        assert_eq!(pcp_answer(&refused(1), &wish), Err(Refused::Unknown));
        assert_eq!(
            pcp_answer(&[0, 128, 0, 1, 0, 0, 0, 0], &wish),
            Err(Refused::Unknown),
            "the older protocol"
        );
    }

    #[test]
    fn the_older_protocol_is_read_as_well() {
        let wish = wish(Protocol::Udp);
        assert_eq!(nat_pmp_address(b"\0\x80\0\0\0\0\0\x05\xc0\0\x02\x09"), Ok("192.0.2.9".parse().unwrap()));
        let good = *b"\0\x81\0\0\0\0\0\x05\x0f\xa0\x0f\xa2\0\0\x02\x58";
        assert_eq!(nat_pmp_answer(&good, &wish), Ok((4002, 600)));
        assert_eq!(nat_pmp_answer(&good[..15], &wish), Err(Refused::Malformed));
        assert_eq!(nat_pmp_answer(&[&good[..], &[0]].concat(), &wish), Err(Refused::Malformed));
        assert_eq!(nat_pmp_answer(b"\0\x81\0\x02\0\0\0\x05", &wish), Err(Refused::Code(2)));
        assert_eq!(
            nat_pmp_answer(b"\0\x82\0\0\0\0\0\x05\x0f\xa0\x0f\xa2\0\0\x02\x58", &wish),
            Err(Refused::Malformed)
        );
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_calmly(bytes in proptest::collection::vec(any::<u8>(), 0..1200)) {
            let wish = wish(Protocol::Udp);
            let _ = (pcp_answer(&bytes, &wish), nat_pmp_answer(&bytes, &wish), nat_pmp_address(&bytes));
        }
    }
}
