use std::num::NonZeroU32;

use aws_lc_rs::pbkdf2;
use zeroize::Zeroizing;

/// Stretches a passphrase with PBKDF2-HMAC-SHA-512 (RFC 8018 §5.2), the one such function that FIPS 140-3 approves.
pub fn stretch_pbkdf2(passphrase: &[u8], salt: &[u8], rounds: NonZeroU32) -> Zeroizing<[u8; 32]> {
    let mut out = Zeroizing::new([0; 32]);
    pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA512, rounds, salt, passphrase, out.as_mut());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first 32 bytes of a widely published PBKDF2-HMAC-SHA-512 vector: "password", "salt", 2 rounds.
    #[test]
    fn agrees_with_a_known_vector() {
        let out = stretch_pbkdf2(b"password", b"salt", NonZeroU32::new(2).unwrap());
        let hex: String = out.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, "e1d9c16aa681708a45f5c7c4e215ceb66e011a2e9f0040713f18aefdb866d53c");
    }
}
