use aws_lc_rs::{digest, hkdf, hmac};
use zeroize::Zeroizing;

/// Hashes `parts` with SHA-256 under a `domain` that no other use of the hash shares.
///
/// The domain and every part are preceded by their length (64-bit, big-endian), so that no two lists of
/// parts give the same input.
pub fn hash(domain: &str, parts: &[&[u8]]) -> [u8; 32] {
    let mut hasher = Hasher::new(domain);
    for part in parts {
        hasher.part(part);
    }
    hasher.finish()
}

/// A SHA-256 hash under way, for parts that are not all at hand.
#[derive(Debug, Clone)]
pub struct Hasher(Context);

#[derive(Clone)]
struct Context(digest::Context);

impl std::fmt::Debug for Context {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SHA-256")
    }
}

impl Hasher {
    /// Starts a hash under `domain`.
    pub fn new(domain: &str) -> Self {
        let mut hasher = Self(Context(digest::Context::new(&digest::SHA256)));
        hasher.part(domain.as_bytes());
        hasher
    }

    /// Adds one part, preceded by its length.
    pub fn part(&mut self, part: &[u8]) {
        self.0.0.update(&(part.len() as u64).to_be_bytes());
        self.0.0.update(part);
    }

    /// Returns the hash.
    pub fn finish(self) -> [u8; 32] {
        array(self.0.0.finish().as_ref())
    }
}

/// Computes HMAC-SHA-256 over `parts`, each preceded by its length.
pub fn mac(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    let mut context = hmac::Context::with_key(&key);
    for part in parts {
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part);
    }
    array(context.sign().as_ref())
}

/// Compares a tag with what it should be, in a time that tells nothing of where they differ.
pub fn is_tag(tag: &[u8], expected: &[u8]) -> bool {
    aws_lc_rs::constant_time::verify_slices_are_equal(tag, expected).is_ok()
}

/// Derives a 32-byte key from `secret` for one `purpose` (HKDF-SHA-256, the purpose as `info`).
pub fn derive_key(secret: &[u8], salt: &[u8], purpose: &str) -> Zeroizing<[u8; 32]> {
    let mut out = Zeroizing::new([0; 32]);
    hkdf::Salt::new(hkdf::HKDF_SHA256, salt)
        .extract(secret)
        .expand(&[purpose.as_bytes()], hkdf::HKDF_SHA256)
        .and_then(|okm| okm.fill(out.as_mut()))
        .expect("32 bytes are less than the 255 blocks that HKDF allows");
    out
}

fn array(bytes: &[u8]) -> [u8; 32] {
    bytes.try_into().expect("SHA-256 has 32 bytes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_cannot_be_moved_across_their_borders() {
        assert_ne!(hash("d", &[b"ab", b"c"]), hash("d", &[b"a", b"bc"]));
        assert_ne!(hash("d", &[b"ab"]), hash("da", &[b"b"]));
        assert_ne!(mac(b"k", &[b"ab", b"c"]), mac(b"k", &[b"a", b"bc"]));
    }

    #[test]
    fn a_tag_is_the_expected_one_or_none() {
        assert!(is_tag(&[1, 2, 3], &[1, 2, 3]));
        assert!(!is_tag(&[1, 2, 4], &[1, 2, 3]) && !is_tag(&[1, 2], &[1, 2, 3]));
    }

    #[test]
    fn purposes_give_unrelated_keys() {
        assert_ne!(*derive_key(b"secret", b"", "a"), *derive_key(b"secret", b"", "b"));
        assert_eq!(*derive_key(b"secret", b"s", "a"), *derive_key(b"secret", b"s", "a"));
    }
}
