//! What a protocol of others fixes: no domain, no length, their hash.

use aws_lc_rs::{
    digest,
    signature::{ED25519, UnparsedPublicKey},
};

use crate::{SignatureError, SigningKey};

/// Hashes `parts`, one after the other, with SHA-1, as other people's protocols name things.
///
/// Good for finding a place, for nothing else: nobody may rely on it against an attacker.
pub fn danger_sha1(parts: &[&[u8]]) -> [u8; 20] {
    let mut context = digest::Context::new(&digest::SHA1_FOR_LEGACY_USE_ONLY);
    for part in parts {
        context.update(part);
    }
    context.finish().as_ref().try_into().expect("SHA-1 has 20 bytes")
}

impl SigningKey {
    /// Signs bytes as they are, as other people's protocols want it.
    ///
    /// Only for keys made for such a protocol: without a domain one statement may be taken for another.
    pub fn danger_sign_bare(&self, message: &[u8]) -> [u8; 64] {
        self.pair().sign(message).as_ref().try_into().expect("an Ed25519 signature has 64 bytes")
    }
}

/// Checks a signature made by [`SigningKey::danger_sign_bare`] or by another program.
pub fn danger_verify_bare(
    key: &[u8; 32],
    message: &[u8],
    signature: &[u8; 64],
) -> Result<(), SignatureError> {
    UnparsedPublicKey::new(&ED25519, key).verify(message, signature).map_err(|_| SignatureError)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads hexadecimal digits.
    fn hex(digits: &str) -> Vec<u8> {
        let digit = |byte: &u8| char::from(*byte).to_digit(16).unwrap() as u8;
        digits.as_bytes().chunks(2).map(|pair| digit(&pair[0]) << 4 | digit(&pair[1])).collect()
    }

    #[test]
    fn sha_1_is_that_of_fips_180() {
        assert_eq!(danger_sha1(&[b"a", b"bc"])[..], hex("a9993e364706816aba3e25717850c26c9cd0d89d"));
    }

    #[test]
    fn bare_signatures_are_those_of_rfc_8032() {
        // §7.1, test 2.
        let seed = hex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb");
        let key = SigningKey::from_seed(&seed.try_into().unwrap());
        let signature = key.danger_sign_bare(&[0x72]);
        assert_eq!(signature[..8], hex("92a009a9f0d4cab8"));
        assert_eq!(danger_verify_bare(&key.public(), &[0x72], &signature), Ok(()));
        assert_eq!(danger_verify_bare(&key.public(), &[0x73], &signature), Err(SignatureError));
        assert_eq!(danger_verify_bare(&[0; 32], &[0x72], &signature), Err(SignatureError));
    }
}
