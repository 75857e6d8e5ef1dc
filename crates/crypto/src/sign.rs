use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use zeroize::Zeroizing;

/// An Ed25519 private key.
pub struct SigningKey {
    seed: Zeroizing<[u8; 32]>,
    pair: Ed25519KeyPair,
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SigningKey(…)")
    }
}

impl Clone for SigningKey {
    fn clone(&self) -> Self {
        Self::from_seed(&self.seed)
    }
}

impl SigningKey {
    /// Makes the key that belongs to a 32-byte seed (RFC 8032 §5.1.5).
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).expect("any 32 bytes are an Ed25519 seed");
        Self { seed: Zeroizing::new(*seed), pair }
    }

    /// Returns the seed, for the vault and the tunnel's TLS identity only.
    pub fn danger_seed(&self) -> &[u8; 32] {
        &self.seed
    }

    pub(crate) fn pair(&self) -> &Ed25519KeyPair {
        &self.pair
    }

    /// Returns the public half.
    pub fn public(&self) -> [u8; 32] {
        self.pair.public_key().as_ref().try_into().expect("an Ed25519 public key has 32 bytes")
    }

    /// Signs `parts` under a `domain` that no other kind of statement shares.
    ///
    /// What is signed is the 32-byte [`hash`](crate::hash) of the parts under that domain.
    pub fn sign(&self, domain: &str, parts: &[&[u8]]) -> [u8; 64] {
        let statement = crate::hash(domain, parts);
        self.pair.sign(&statement).as_ref().try_into().expect("an Ed25519 signature has 64 bytes")
    }
}

/// Checks a signature made by [`SigningKey::sign`] with the same domain and parts.
pub fn verify(
    key: &[u8; 32],
    domain: &str,
    parts: &[&[u8]],
    signature: &[u8; 64],
) -> Result<(), SignatureError> {
    let statement = crate::hash(domain, parts);
    UnparsedPublicKey::new(&ED25519, key).verify(&statement, signature).map_err(|_| SignatureError)
}

/// The signature was not made by this key over these bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("signature does not match")]
pub struct SignatureError;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_holds_for_its_key_domain_and_bytes_only() {
        let key = SigningKey::from_seed(&[1; 32]);
        let signature = key.sign("domain", &[b"a", b"b"]);
        assert_eq!(verify(&key.public(), "domain", &[b"a", b"b"], &signature), Ok(()));
        assert_eq!(verify(&key.public(), "other", &[b"a", b"b"], &signature), Err(SignatureError));
        assert_eq!(verify(&key.public(), "domain", &[b"ab"], &signature), Err(SignatureError));
        let other = SigningKey::from_seed(&[2; 32]).public();
        assert_eq!(verify(&other, "domain", &[b"a", b"b"], &signature), Err(SignatureError));
        assert_eq!(verify(&[0; 32], "domain", &[b"a", b"b"], &signature), Err(SignatureError));
    }
}
