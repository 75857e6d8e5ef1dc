use aws_lc_rs::{
    agreement::{self, PrivateKey, UnparsedPublicKey, X25519},
    digest,
};
use curve25519_dalek::edwards::CompressedEdwardsY;
use zeroize::Zeroizing;

use crate::SigningKey;

/// Agrees on a secret that only the holders of two signing keys can compute.
///
/// Both keys are taken to X25519 as RFC 8032 and RFC 7748 relate the two curves. `None` if the other half is no public
/// key, or one that would make the secret known to all. The secret is the same at every time: it may identify, and
/// must never protect what is said.
pub fn agree_static(own: &SigningKey, other: &[u8; 32]) -> Option<Zeroizing<[u8; 32]>> {
    // A change of coordinates of a public key; nothing secret passes here.
    let public = CompressedEdwardsY(*other).decompress()?.to_montgomery();
    // The scalar is the first half of the seed's hash (RFC 8032 §5.1.5); X25519 clamps it (RFC 7748 §5).
    let hash = digest::digest(&digest::SHA512, own.danger_seed());
    let scalar = Zeroizing::new(<[u8; 32]>::try_from(hash.as_ref().get(..32)?).ok()?);
    let private = PrivateKey::from_private_key(&X25519, scalar.as_ref()).ok()?;
    let public = UnparsedPublicKey::new(&X25519, public.as_bytes());
    agreement::agree(&private, public, (), |secret| {
        <[u8; 32]>::try_from(secret).map(Zeroizing::new).map_err(|_| ())
    })
    .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(seed: u8) -> SigningKey {
        SigningKey::from_seed(&[seed; 32])
    }

    #[test]
    fn both_ends_agree_and_no_third_does() {
        let (ann, ben, cara) = (key(1), key(2), key(3));
        let secret = agree_static(&ann, &ben.public()).unwrap();
        assert_eq!(*secret, *agree_static(&ben, &ann.public()).unwrap());
        assert_ne!(*secret, *agree_static(&cara, &ann.public()).unwrap());
        assert_ne!(*secret, *agree_static(&cara, &ben.public()).unwrap());
    }

    #[test]
    fn what_is_no_key_and_what_makes_no_secret_is_refused() {
        // The point of order one, one of order two, one of order four, and no point at all.
        let mut one = [0; 32];
        one[0] = 1;
        let mut two = [0xff; 32];
        (two[0], two[31]) = (0xec, 0x7f);
        let mut none = [0; 32];
        none[0] = 2;
        for bad in [one, two, [0; 32], none] {
            assert!(agree_static(&key(1), &bad).is_none(), "{bad:?}");
        }
    }

    /// Computed from the formulae of RFC 7748 and RFC 8032 by other means.
    #[test]
    fn the_secret_is_that_of_the_two_curves_known_relation() {
        let secret = agree_static(&key(1), &key(2).public()).unwrap();
        assert_eq!(data(secret.as_ref()), "4181d7302557342bdb6d061c4b1eebea828ecb625c3368b7111680793307220b");
    }

    fn data(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}
