//! What the first packet of a connection proves: that it was made by a device or an invitation we know.
//!
//! A pass is the connection id to which a caller sends his first packet: twenty bytes that look random to all others.

use crypto::SigningKey;
use wire::{CircleId, DeviceId};
use zeroize::Zeroizing;

use crate::initial::InitialSecret;

/// A connection id that proves who made it.
pub(crate) type Pass = [u8; LENGTH];

/// What all who know the answerer's device can compute: sorts out strangers at the cost of one MAC.
pub(crate) struct OuterKey(Zeroizing<[u8; 32]>);

/// What only one caller and one answerer can compute, for one purpose.
pub(crate) struct InnerKey(Zeroizing<[u8; 32]>);

/// What one caller makes his passes for one answerer with.
pub(crate) struct InnerKeys {
    link: InnerKey,
    lane: InnerKey,
    initial: InitialSecret,
}

/// What a pass opens, and nothing besides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// A connection over UDP, or through a lane or a member.
    Link,
    /// A lane.
    Lane,
}

impl OuterKey {
    pub(crate) fn of(circle: &CircleId, answerer: &DeviceId) -> Self {
        Self(crypto::derive_key(answerer.as_bytes(), circle.as_bytes(), "hexode pass 1 outer"))
    }

    fn tag(&self, body: &[u8; BODY]) -> [u8; TAG] {
        first(crypto::mac(self.0.as_ref(), &[body]))
    }

    /// Takes off the outer part, if it holds.
    pub(crate) fn open(&self, pass: &Pass) -> Option<[u8; BODY]> {
        let (body, tag) = pass.split_first_chunk::<BODY>()?;
        crypto::is_tag(&self.tag(body), tag).then_some(*body)
    }
}

impl InnerKeys {
    /// Derives them from either side; `None` if `other` is no key. `caller` is a device's or an invitation's key.
    pub(crate) fn between(
        own: &SigningKey,
        other: &[u8; 32],
        circle: &CircleId,
        caller: &[u8; 32],
        answerer: &DeviceId,
    ) -> Option<Self> {
        let secret = crypto::agree_static(own, other)?;
        let salt = [&circle.as_bytes()[..], caller, answerer.as_bytes()].concat();
        let key = |purpose| crypto::derive_key(secret.as_ref(), &salt, purpose);
        Some(Self {
            link: InnerKey(key("hexode pass 1 inner")),
            lane: InnerKey(key("hexode lane 1 inner")),
            initial: InitialSecret::new(key("hexode initial 1")),
        })
    }

    /// Returns what goes into the keys of the caller's first packets.
    pub(crate) fn initial(&self) -> &InitialSecret {
        &self.initial
    }

    /// Returns the key for one purpose.
    pub(crate) fn of(&self, purpose: Purpose) -> &InnerKey {
        match purpose {
            Purpose::Link => &self.link,
            Purpose::Lane => &self.lane,
        }
    }
}

impl InnerKey {
    /// Makes the pass for one dial. `stamp` must never be used twice.
    pub(crate) fn seal(&self, outer: &OuterKey, stamp: u64) -> Pass {
        let proof = self.proof(stamp);
        let masked = (stamp ^ self.mask(proof)).to_be_bytes();
        let mut body = [0; BODY];
        let (left, right) = body.split_at_mut(HALF);
        left.copy_from_slice(&masked);
        right.copy_from_slice(&proof);
        let mut pass = [0; LENGTH];
        let (left, right) = pass.split_at_mut(BODY);
        left.copy_from_slice(&body);
        right.copy_from_slice(&outer.tag(&body));
        pass
    }

    /// Returns the stamp of a pass that was made with this key.
    pub(crate) fn open(&self, body: &[u8; BODY]) -> Option<u64> {
        let (masked, rest) = body.split_first_chunk::<HALF>()?;
        let proof = *rest.first_chunk::<HALF>()?;
        let stamp = u64::from_be_bytes(*masked) ^ self.mask(proof);
        crypto::is_tag(&self.proof(stamp), &proof).then_some(stamp)
    }

    fn proof(&self, stamp: u64) -> [u8; HALF] {
        first(crypto::mac(self.0.as_ref(), &[b"proof", &stamp.to_be_bytes()]))
    }

    fn mask(&self, proof: [u8; HALF]) -> u64 {
        u64::from_be_bytes(first(crypto::mac(self.0.as_ref(), &[b"mask", &proof])))
    }
}

fn first<const N: usize>(bytes: [u8; 32]) -> [u8; N] {
    let mut out = [0; N];
    out.iter_mut().zip(bytes).for_each(|(to, from)| *to = from);
    out
}

/// The longest connection id that QUIC allows.
pub(crate) const LENGTH: usize = 20;
const BODY: usize = 16;
const HALF: usize = 8;
const TAG: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    fn key(seed: u8) -> SigningKey {
        SigningKey::from_seed(&[seed; 32])
    }

    fn id(seed: u8) -> DeviceId {
        DeviceId::new(key(seed).public())
    }

    /// The keys of passes from one to another, as `own` of them derives them.
    fn inner_keys(own: u8, other: u8, circle: u8, caller: u8, answerer: u8) -> InnerKeys {
        let circle = CircleId::new([circle; 32]);
        InnerKeys::between(&key(own), &key(other).public(), &circle, &key(caller).public(), &id(answerer))
            .unwrap()
    }

    fn inner(own: u8, other: u8, circle: u8, caller: u8, answerer: u8) -> InnerKey {
        inner_keys(own, other, circle, caller, answerer).link
    }

    #[test]
    fn a_pass_holds_between_its_two_ends_in_its_circle_and_direction_only() {
        let outer = OuterKey::of(&CircleId::new([9; 32]), &id(2));
        let pass = inner(1, 2, 9, 1, 2).seal(&outer, 77);
        let body = outer.open(&pass).unwrap();
        assert_eq!(inner(2, 1, 9, 1, 2).open(&body), Some(77));
        for other in [inner(2, 1, 8, 1, 2), inner(2, 1, 9, 2, 1), inner(2, 3, 9, 3, 2), inner(3, 1, 9, 1, 3)]
        {
            assert_eq!(other.open(&body), None);
        }
        assert!(OuterKey::of(&CircleId::new([9; 32]), &id(1)).open(&pass).is_none());
        assert!(OuterKey::of(&CircleId::new([8; 32]), &id(2)).open(&pass).is_none());
    }

    #[test]
    fn a_pass_holds_for_its_purpose_only() {
        let (outer, keys) = (OuterKey::of(&CircleId::new([9; 32]), &id(2)), inner_keys(1, 2, 9, 1, 2));
        for (one, other) in [(Purpose::Link, Purpose::Lane), (Purpose::Lane, Purpose::Link)] {
            let body = outer.open(&keys.of(one).seal(&outer, 77)).unwrap();
            assert_eq!((keys.of(one).open(&body), keys.of(other).open(&body)), (Some(77), None));
        }
    }

    /// Tries the vectors under `vectors/pass`, both ways.
    #[test]
    fn pass_vectors_hold() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../vectors/pass");
        let (outer, mut accepted, mut refused) = (OuterKey::of(&CircleId::new([9; 32]), &id(2)), 0, 0);
        for file in std::fs::read_dir(folder).unwrap() {
            let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
            let (head, body) = text.split_once("\n\n").unwrap();
            let field = |name: &str| head.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            let stamp: u64 = field("stamp: ").parse().unwrap();
            let bytes = data_encoding::HEXLOWER.decode(body.trim().as_bytes()).unwrap();
            let pass = Pass::try_from(bytes).unwrap();
            let purpose = match field("purpose: ") {
                "link" => Purpose::Link,
                "lane" => Purpose::Lane,
                other => panic!("{other}"),
            };
            let keys = [inner_keys(2, 1, 9, 1, 2), inner_keys(1, 2, 9, 1, 2)];
            let [theirs, ours] = [keys[0].of(purpose), keys[1].of(purpose)];
            let opened = outer.open(&pass).and_then(|body| theirs.open(&body));
            match field("expect: ") {
                "accepted" => {
                    assert_eq!(opened, Some(stamp), "{text}");
                    assert_eq!(ours.seal(&outer, stamp), pass, "{text}");
                    accepted += 1;
                }
                _ => {
                    assert_eq!(opened, None, "{text}");
                    refused += 1;
                }
            }
        }
        assert!(accepted > 0 && refused > 0, "{accepted} accepted, {refused} refused");
    }

    #[test]
    fn no_byte_of_a_pass_can_be_changed() {
        let (outer, inner) = (OuterKey::of(&CircleId::new([9; 32]), &id(2)), inner(1, 2, 9, 1, 2));
        let pass = inner.seal(&outer, 77);
        for at in 0..LENGTH {
            let mut forged = pass;
            forged[at] ^= 1;
            assert!(outer.open(&forged).is_none_or(|body| inner.open(&body).is_none()));
        }
    }

    #[test]
    fn passes_of_one_pair_have_nothing_in_common() {
        let (outer, inner) = (OuterKey::of(&CircleId::new([9; 32]), &id(2)), inner(1, 2, 9, 1, 2));
        let passes: Vec<_> = (1000..1100).map(|stamp| inner.seal(&outer, stamp)).collect();
        for at in 0..LENGTH {
            let values: std::collections::BTreeSet<_> = passes.iter().map(|pass| pass[at]).collect();
            assert!(values.len() > 60, "byte {at} takes {} values in a hundred passes", values.len());
        }
    }
}
