use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use hexode_netlab::{Copy, Device, Lab, Tap, allow_each_other};
use rustls::{
    Side,
    crypto::aws_lc_rs::cipher_suite::TLS13_AES_128_GCM_SHA256,
    quic::{Keys, Version},
};

use crate::Verdict;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// How many connects of each circle.
    #[arg(long, default_value_t = 50)]
    connects: usize,
}

/// Records the first packets of two circles' connects, tries to open them with QUIC's public keys and to tell the circles
/// apart.
pub(crate) fn run(args: &Args) -> Result<Verdict> {
    let circles = [record(args, 9, [1, 2])?, record(args, 8, [3, 4])?];
    let mut named = BTreeSet::new();
    for (circle, (needles, connects)) in circles.iter().enumerate() {
        for connect in connects {
            for (name, needle) in
                needles.iter().chain(WORDS.map(|word| (word.to_owned(), word.as_bytes().to_vec())).iter())
            {
                if connect.all().any(|bytes| contains(bytes, needle)) {
                    named.insert(format!("{name} in circle {circle}"));
                }
            }
        }
    }
    let [(_, one), (_, two)] = &circles;
    let opened = one.iter().chain(two).filter(|connect| !connect.opened.is_empty()).count();
    let (right, features) = classify(one, two);
    let all = one.len() + two.len();
    let repeated = repeated(one, two);
    eprintln!(
        "{all} connects, {opened} opened, {features} features; constant within one circle alone: {repeated:?}; named: {named:?}"
    );
    // By guessing, one in a thousand is right this often: half, and 3.1 standard deviations.
    let guess = all as f64 / 2.0 + 3.1 * (all as f64).sqrt() / 2.0;
    Ok(Verdict {
        figure: format!(
            "{} names, keys or words readable, {opened} opened; the circle told right in {right} of {all}, by guessing up to {guess:.0}",
            named.len()
        ),
        holds: named.is_empty() && opened == 0 && repeated.is_empty() && (right as f64) <= guess,
    })
}

/// What an observer has of one connect.
struct Connect {
    /// The datagrams of the caller before the first answer, and the first answers.
    seen: Vec<Vec<u8>>,
    /// What is inside those that QUIC's public keys open.
    opened: Vec<Vec<u8>>,
}

impl Connect {
    fn of(copies: &[&Copy]) -> Result<Self> {
        let first = copies.first().context("nothing was heard")?;
        let id = id(&first.bytes).context("no long header")?.to_vec();
        let callers = copies.iter().take_while(|copy| copy.from_caller);
        let answers = copies.iter().filter(|copy| !copy.from_caller).take(2);
        let seen: Vec<_> = callers.chain(answers).map(|copy| copy.bytes.clone()).collect();
        let opened: Vec<_> = copies
            .iter()
            .take(seen.len())
            .filter_map(|copy| {
                open(&copy.bytes, &id, if copy.from_caller { Side::Server } else { Side::Client })
            })
            .collect();
        Ok(Self { seen, opened })
    }

    fn all(&self) -> impl Iterator<Item = &[u8]> {
        self.seen.iter().chain(&self.opened).map(Vec::as_slice)
    }

    /// Everything that could differ: how many packets, their lengths, every byte where it stands, and what occurs
    /// anywhere inside.
    fn features(&self) -> BTreeSet<(usize, usize, u32)> {
        let mut features = BTreeSet::from([(0, 0, self.seen.len() as u32)]);
        for (at, bytes) in self.all().enumerate() {
            features.insert((1, at, bytes.len() as u32));
            for (position, byte) in bytes.iter().enumerate() {
                features.insert((2 + at, position, u32::from(*byte)));
            }
            for four in bytes.windows(4) {
                let [a, b, c, d] = *four else { continue };
                features.insert((100, 0, u32::from_be_bytes([a, b, c, d])));
            }
        }
        features
    }
}

type Needles = Vec<(String, Vec<u8>)>;

/// Has a circle's two devices connect again and again, with a tap on the line.
fn record(args: &Args, circle: u8, [first, second]: [u8; 2]) -> Result<(Needles, Vec<Connect>)> {
    let lab = Lab::new();
    let (net, ann_space, ben_space) = (lab.router("net")?, lab.space("ann")?, lab.space("ben")?);
    // The same addresses in both circles: those are not what is to be told apart.
    ann_space.cable("eth", "10.1.0.2/24", &net, "ann", "10.1.0.1/24")?;
    ben_space.cable("eth", "10.2.0.2/24", &net, "ben", "10.2.0.1/24")?;
    ann_space.ip("route add default via 10.1.0.1")?;
    let ann = Device::in_circle(&ann_space, first, circle)?;
    let node = ann.addresses()?.into_iter().find(SocketAddr::is_ipv4).context("no IPv4 address")?;
    let tap = Tap::start(&net, SocketAddr::from(([10, 2, 0, 1], 4000)), node)?;
    let mut connects = Vec::new();
    let mut needles = vec![
        ("the answerer's key".to_owned(), ann.id.as_bytes().to_vec()),
        ("the circle".to_owned(), vec![circle; 32]),
    ];
    for _ in 0..args.connects {
        let ben = Device::in_circle(&ben_space, second, circle)?;
        allow_each_other(&[&ann, &ben]);
        ben.know(ann.id, vec![tap.address]);
        ensure!(ben.until_up(ann.id, LIMIT).is_some(), "no link came up");
        needles.push(("the caller's key".to_owned(), ben.id.as_bytes().to_vec()));
        let heard = tap.heard();
        // What the device that went before left behind is in it, too.
        let first = heard.iter().find(|copy| copy.from_caller && id(&copy.bytes).is_some());
        let caller = first.context("no first packet was heard")?.caller;
        connects.push(Connect::of(&heard.iter().filter(|copy| copy.caller == caller).collect::<Vec<_>>())?);
    }
    needles.dedup();
    Ok((needles, connects))
}

/// Returns the destination of a packet with a long header.
fn id(bytes: &[u8]) -> Option<&[u8]> {
    match bytes {
        [0x80..=0xff, _, _, _, _, length, rest @ ..] => rest.get(..usize::from(*length)),
        _ => None,
    }
}

/// Undoes the protection of an Initial packet, if it has the keys that QUIC makes of the connection id alone (RFC 9001 §5.2).
fn open(datagram: &[u8], first_id: &[u8], reader: Side) -> Option<Vec<u8>> {
    let mut bytes = datagram.to_vec();
    if bytes.first()? & 0xf0 != 0xc0 {
        return None;
    }
    let suite = TLS13_AES_128_GCM_SHA256.tls13()?;
    let keys = Keys::initial(Version::V1, suite, suite.quic?, first_id, reader);
    // Where the packet number is: after version, both ids, token and length.
    let mut at = 5;
    at += 1 + usize::from(*bytes.get(at)?);
    at += 1 + usize::from(*bytes.get(at)?);
    let (token, size) = varint(bytes.get(at..)?)?;
    at += size + token;
    let (length, size) = varint(bytes.get(at..)?)?;
    at += size;
    bytes.truncate(at + length);
    let sample = bytes.get(at + 4..at + 20)?.to_vec();
    let (head, rest) = bytes.split_at_mut(at);
    let (number, _) = rest.split_at_mut(4);
    keys.remote.header.decrypt_in_place(&sample, head.first_mut()?, number).ok()?;
    let length = usize::from(head.first()? & 3) + 1;
    let number = number.iter().take(length).fold(0, |number, byte| number << 8 | u64::from(*byte));
    let (header, payload) = bytes.split_at_mut(at + length);
    keys.remote.packet.decrypt_in_place(number, header, payload).ok().map(<[u8]>::to_vec)
}

fn varint(bytes: &[u8]) -> Option<(usize, usize)> {
    let size = 1 << (bytes.first()? >> 6);
    let value = bytes.get(..size)?.iter().fold(0, |value, byte| value << 8 | usize::from(*byte));
    Some((value & !(3 << (8 * size - 2)), size))
}

/// Tells each connect's circle from all the others, by how often each of its features occurs in either; returns how
/// often that was right, and how many features there are.
fn classify(one: &[Connect], two: &[Connect]) -> (usize, usize) {
    let features = |connects: &[Connect]| connects.iter().map(Connect::features).collect::<Vec<_>>();
    let sides = [features(one), features(two)];
    let mut counts = BTreeMap::<_, [f64; 2]>::new();
    for (side, connects) in sides.iter().enumerate() {
        for feature in connects.iter().flatten() {
            counts.entry(*feature).or_default().iter_mut().skip(side).take(1).for_each(|count| *count += 1.0);
        }
    }
    let mut right = 0;
    for (side, connects) in sides.iter().enumerate() {
        for (at, connect) in connects.iter().enumerate() {
            // Learnt without the one that is asked about, and without one of the other side, so that both count alike.
            let left_out = sides.get(1 - side).and_then(|other| other.get(at));
            let score: f64 = connect
                .iter()
                .filter_map(|feature| Some((feature, counts.get(feature)?)))
                .map(|(feature, [a, b])| {
                    let (own, other) = if side == 0 { (a, b) } else { (b, a) };
                    let twin = left_out.is_some_and(|set| set.contains(feature));
                    // Never sure: one is added to each count.
                    (own.ln()) - (other - f64::from(u8::from(twin)) + 1.0).ln()
                })
                .sum();
            right += usize::from(score > 0.0);
        }
    }
    (right, counts.len())
}

/// Finds what is the same in all connects of one circle and never in the other's.
fn repeated(one: &[Connect], two: &[Connect]) -> BTreeSet<(usize, usize, u32)> {
    let features = |connects: &[Connect]| connects.iter().map(Connect::features).collect::<Vec<_>>();
    let (one, two) = (features(one), features(two));
    let only = |own: &[BTreeSet<_>], other: &[BTreeSet<_>]| -> BTreeSet<_> {
        let always = own.iter().cloned().reduce(|all, next| &all & &next).unwrap_or_default();
        always.into_iter().filter(|feature| !other.iter().any(|set| set.contains(feature))).collect()
    };
    &only(&one, &two) | &only(&two, &one)
}

fn contains(bytes: &[u8], needle: &[u8]) -> bool {
    bytes.windows(needle.len()).any(|part| part == needle)
}

const LIMIT: Duration = Duration::from_secs(20);
/// What would name the program.
const WORDS: [&str; 5] = ["hexode", "Hexode", "iroh", "noq", "n0/"];

#[cfg(test)]
mod tests {
    use super::*;

    /// Connects of random bytes, with some that are always the same.
    fn connects(seed: u64, constant: &[u8]) -> Vec<Connect> {
        let mut state = seed;
        let mut byte = move || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 56) as u8
        };
        let mut one = || {
            let random: Vec<u8> = (0..400).map(|_| byte()).collect();
            Connect { seen: vec![[constant, &random].concat()], opened: vec![random] }
        };
        (0..50).map(|_| one()).collect()
    }

    /// A first packet as any other program sends it, without a word in it.
    fn ordinary(id: &[u8; 8]) -> Vec<u8> {
        let suite = TLS13_AES_128_GCM_SHA256.tls13().unwrap();
        let keys = Keys::initial(Version::V1, suite, suite.quic.unwrap(), id, Side::Client).local;
        let mut packet = [&[0xc3, 0, 0, 0, 1, 8][..], id, &[0, 0, 0x40, 4 + 100 + 16, 0, 0, 0, 0]].concat();
        let mut payload = [0; 100];
        let tag = keys.packet.encrypt_in_place(0, &packet, &mut payload).unwrap();
        let at = packet.len() - 4;
        packet.extend_from_slice(&payload);
        packet.extend_from_slice(tag.as_ref());
        let (head, rest) = packet.split_at_mut(at);
        let (number, rest) = rest.split_at_mut(4);
        keys.header.encrypt_in_place(&rest[..16], &mut head[0], number).unwrap();
        packet
    }

    #[test]
    fn what_quics_public_keys_open_is_opened_and_nothing_else() {
        assert_eq!(open(&ordinary(&[7; 8]), &[7; 8], Side::Server), Some(vec![0; 100]));
        assert_eq!(open(&ordinary(&[7; 8]), &[8; 8], Side::Server), None);
    }

    #[test]
    fn what_differs_between_circles_is_found_and_what_does_not_is_not() {
        let (right, _) = classify(&connects(1, &[0; 12]), &connects(2, &[0; 12]));
        assert!((30..=70).contains(&right), "{right} of 100 by guessing");
        assert!(repeated(&connects(1, &[0; 12]), &connects(2, &[0; 12])).is_empty());
        let (right, _) = classify(&connects(1, &[1; 12]), &connects(2, &[2; 12]));
        assert!(right > 90, "{right} of 100");
        assert!(!repeated(&connects(1, &[1]), &connects(2, &[2])).is_empty(), "a single byte");
    }
}
