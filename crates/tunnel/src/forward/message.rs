//! What two ends of a link say about forwarding: packets in datagrams, everything else on a stream. No I/O.

use std::{collections::VecDeque, net::SocketAddr};

use bytes::{BufMut, Bytes, BytesMut};
use serde::{Deserialize, Serialize};
use wire::{DecodeError, DeviceId, limits};

/// Whom the device named in a forwarded packet is to the one that hears of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Course {
    /// The packet is to be passed on to him.
    To,
    /// The packet was passed on from him.
    From,
}

/// One packet of another pair's tunnel, as it travels on a link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Passage {
    pub(crate) course: Course,
    pub(crate) device: DeviceId,
    pub(crate) packet: Bytes,
}

impl Passage {
    /// Lays out the passage in one datagram, or in two if one of `max` bytes cannot hold it; in none if it is too
    /// large for that too, so that whoever looks for the largest packet finds one that goes in one piece.
    ///
    /// It is written to the end of `buffer`, in which those that go together share their memory.
    pub(crate) fn pack(&self, max: usize, number: u8, buffer: &mut BytesMut) -> Packed {
        if self.packet.len() + HEADER <= max {
            return Packed::One(self.lay_out(WHOLE, None, &self.packet, buffer));
        }
        let half = self.packet.len().div_ceil(2);
        if self.packet.len() > LEAST || self.packet.len() < 2 || half + HEADER + 1 > max {
            return Packed::Never;
        }
        let (first, second) = self.packet.split_at_checked(half).unwrap_or((&self.packet, &[]));
        let first = self.lay_out(FIRST, Some(number), first, buffer);
        Packed::Two(first, self.lay_out(SECOND, Some(number), second, buffer))
    }

    /// Returns how much room it takes in a buffer, and where datagrams wait, at most.
    pub(crate) fn room(&self) -> usize {
        self.packet.len() + 2 * (HEADER + 1 + WAITING)
    }

    fn lay_out(&self, part: u8, number: Option<u8>, packet: &[u8], datagram: &mut BytesMut) -> Bytes {
        datagram.reserve(HEADER + 1 + packet.len());
        let course = match self.course {
            Course::To => 0,
            Course::From => 1,
        };
        datagram.put_u8(part << 1 | course);
        datagram.put_slice(self.device.as_bytes());
        if let Some(number) = number {
            datagram.put_u8(number);
        }
        datagram.put_slice(packet);
        datagram.split().freeze()
    }
}

/// A passage as datagrams.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Packed {
    One(Bytes),
    Two(Bytes, Bytes),
    /// It is larger than this link can carry.
    Never,
}

/// Reads passages from datagrams, joining those that came in two.
#[derive(Debug, Default)]
pub(crate) struct Unpacker {
    halves: VecDeque<Half>,
}

#[derive(Debug)]
struct Half {
    passage: Passage,
    number: u8,
    second: bool,
}

impl Unpacker {
    /// Takes a datagram; returns the passage that it is or completes.
    pub(crate) fn take(&mut self, datagram: Bytes) -> Result<Option<Passage>, NotAPassage> {
        let (kind, rest) = datagram.split_first_chunk::<1>().ok_or(NotAPassage)?;
        let (device, _) = rest.split_first_chunk::<32>().ok_or(NotAPassage)?;
        let [kind] = *kind;
        let course = if kind & 1 == 0 { Course::To } else { Course::From };
        let mut passage =
            Passage { course, device: DeviceId::new(*device), packet: datagram.slice(HEADER..) };
        match kind >> 1 {
            WHOLE if passage.packet.is_empty() => Err(NotAPassage),
            WHOLE => Ok(Some(passage)),
            part @ (FIRST | SECOND) => {
                let [number] = *passage.packet.first_chunk::<1>().ok_or(NotAPassage)?;
                passage.packet = passage.packet.slice(1..);
                // Two empty halves would be an empty packet, which whoever it is passed on to takes for garbage.
                if passage.packet.is_empty() || passage.packet.len() > LEAST {
                    return Err(NotAPassage);
                }
                Ok(self.join(Half { passage, number, second: part == SECOND }))
            }
            _ => Err(NotAPassage),
        }
    }

    fn join(&mut self, half: Half) -> Option<Passage> {
        let fits = |other: &Half| {
            other.number == half.number
                && other.second != half.second
                && other.passage.course == half.passage.course
                && other.passage.device == half.passage.device
        };
        let Some(other) = self.halves.iter().position(fits).and_then(|at| self.halves.remove(at)) else {
            if self.halves.len() == HALVES {
                self.halves.pop_front();
            }
            self.halves.push_back(half);
            return None;
        };
        let (first, second) = if half.second { (&other, &half) } else { (&half, &other) };
        let mut packet = BytesMut::with_capacity(2 * LEAST);
        packet.put_slice(&first.passage.packet);
        packet.put_slice(&second.passage.packet);
        Some(Passage { packet: packet.freeze(), ..half.passage })
    }
}

/// The bytes are no passage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NotAPassage;

/// What a link's ends tell each other on a stream of its own, each for its own direction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Notice {
    /// Where the receiver is seen to come from.
    Seen(SocketAddr),
    /// The devices that the sender would reach through the receiver; replaces what it said before.
    Want(Vec<DeviceId>),
    /// Those of the wanted devices to which the sender forwards at this time; replaces what it said before.
    Have(Vec<DeviceId>),
}

impl Notice {
    pub(crate) fn encode(&self) -> Vec<u8> {
        wire::encode(self)
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let notice: Self = wire::decode(bytes, NOTICE)?;
        match &notice {
            Self::Want(devices) | Self::Have(devices) => {
                DecodeError::check_count("wanted devices", devices.len(), limits::FORWARDED)?;
            }
            Self::Seen(_) => {}
        }
        Ok(notice)
    }
}

/// The largest notice, in bytes.
pub(crate) const NOTICE: usize = limits::FORWARDED * 32 + 16;
/// How many bytes come before a packet that goes in one piece.
pub(crate) const HEADER: usize = 33;
/// The size every path must carry (RFC 9000 §14): packets up to it are cut in two rather than dropped.
const LEAST: usize = 1200;
/// What a datagram that waits takes beyond its bytes, and some.
const WAITING: usize = 64;
/// How many halves wait for the other.
const HALVES: usize = 8;
const WHOLE: u8 = 0;
const FIRST: u8 = 1;
const SECOND: u8 = 2;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn passage(length: usize) -> Passage {
        let packet = (0..length).map(|n| n as u8).collect::<Vec<_>>().into();
        Passage { course: Course::To, device: DeviceId::new([7; 32]), packet }
    }

    #[test]
    fn a_packet_goes_in_one_piece_or_two_or_not_at_all() {
        let mut unpacker = Unpacker::default();
        let Packed::One(one) = passage(1200).pack(1233, 0, &mut BytesMut::new()) else { panic!() };
        assert_eq!(unpacker.take(one), Ok(Some(passage(1200))));
        let Packed::Two(first, second) = passage(1199).pack(1165, 9, &mut BytesMut::new()) else { panic!() };
        assert!(first.len() <= 1165 && second.len() <= 1165);
        // The second may come first, and another's half in between.
        let Packed::Two(other, _) = passage(1190).pack(1165, 8, &mut BytesMut::new()) else { panic!() };
        assert_eq!(unpacker.take(second), Ok(None));
        assert_eq!(unpacker.take(other), Ok(None));
        assert_eq!(unpacker.take(first), Ok(Some(passage(1199))));
        assert_eq!(
            passage(1201).pack(1233, 0, &mut BytesMut::new()),
            Packed::Never,
            "a search for a larger packet finds what fits"
        );
        assert_eq!(passage(1200).pack(600, 0, &mut BytesMut::new()), Packed::Never);
    }

    #[test]
    fn halves_without_the_other_take_no_more_than_their_place() {
        let mut unpacker = Unpacker::default();
        for number in 0..=255 {
            let Packed::Two(first, _) = passage(1200).pack(1165, number, &mut BytesMut::new()) else {
                panic!()
            };
            assert_eq!(unpacker.take(first), Ok(None));
        }
        assert_eq!(unpacker.halves.len(), HALVES);
    }

    #[test]
    fn nothing_in_two_halves_is_refused() {
        let mut unpacker = Unpacker::default();
        for part in [FIRST, SECOND] {
            let empty = passage(0).lay_out(part, Some(7), &[], &mut BytesMut::new());
            assert_eq!(unpacker.take(empty), Err(NotAPassage));
        }
        assert!(unpacker.halves.is_empty());
    }

    #[test]
    fn notices_are_read_back_and_bounded() {
        for notice in [
            Notice::Seen("192.0.2.1:9".parse().unwrap()),
            Notice::Want(vec![DeviceId::new([1; 32]); limits::FORWARDED]),
            Notice::Have(Vec::new()),
        ] {
            assert_eq!(Notice::decode(&notice.encode()), Ok(notice));
        }
        let many = Notice::Want(vec![DeviceId::new([1; 32]); limits::FORWARDED + 1]);
        assert!(Notice::decode(&many.encode()).is_err());
    }

    /// Datagrams as they may come from one who tries: almost right, and many of one packet.
    fn datagrams() -> impl Strategy<Value = Vec<Vec<u8>>> {
        let datagram = (0u8..8, 0u8..2, 0u8..2, proptest::collection::vec(any::<u8>(), 0..4)).prop_map(
            |(kind, device, number, packet)| [&[kind][..], &[device; 32], &[number], &packet].concat(),
        );
        proptest::collection::vec(datagram, 0..40)
    }

    proptest! {
        #[test]
        fn what_was_taken_is_taken_by_the_next(datagrams in datagrams(), max in 35usize..80) {
            let (mut here, mut there) = (Unpacker::default(), Unpacker::default());
            let mut buffer = BytesMut::new();
            for (number, datagram) in datagrams.into_iter().enumerate() {
                let Ok(Some(passage)) = here.take(datagram.into()) else { continue };
                let taken = match passage.pack(max, number as u8, &mut buffer) {
                    Packed::One(one) => there.take(one),
                    Packed::Two(first, second) => {
                        prop_assert_eq!(there.take(first), Ok(None));
                        there.take(second)
                    }
                    Packed::Never => continue,
                };
                prop_assert_eq!(taken, Ok(Some(passage)));
            }
        }

        #[test]
        fn any_bytes_are_taken_calmly(datagrams in proptest::collection::vec(
            proptest::collection::vec(any::<u8>(), 0..80), 0..20,
        )) {
            let mut unpacker = Unpacker::default();
            for datagram in datagrams {
                let _ = Notice::decode(&datagram);
                if let Ok(Some(passage)) = unpacker.take(datagram.into()) {
                    prop_assert!(passage.packet.len() <= 2 * LEAST);
                }
            }
        }
    }
}
