use aws_lc_rs::aead::{AES_256_GCM, Aad, Nonce, RandomizedNonceKey};

/// An AES-256-GCM key that chooses its own random nonces.
///
/// Sealed bytes are `nonce (12) ‖ ciphertext ‖ tag (16)`. One key seals at most 2³² times (SP 800-38D §8.3).
pub struct SealingKey(RandomizedNonceKey);

impl std::fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SealingKey(…)")
    }
}

impl SealingKey {
    /// Makes a key from 32 secret bytes.
    pub fn new(key: &[u8; 32]) -> Self {
        Self(RandomizedNonceKey::new(&AES_256_GCM, key).expect("AES-256 takes 32 bytes"))
    }

    /// Encrypts `plain`; `context` is authenticated with it and must be given again to open.
    pub fn seal(&self, context: &[u8], plain: &[u8]) -> Vec<u8> {
        let mut body = Vec::with_capacity(plain.len() + Self::OVERHEAD);
        body.extend_from_slice(plain);
        let nonce = self
            .0
            .seal_in_place_append_tag(Aad::from(context), &mut body)
            .expect("AES-GCM seals anything shorter than 64 GiB");
        let mut sealed = Vec::with_capacity(body.len() + NONCE);
        sealed.extend_from_slice(nonce.as_ref());
        sealed.append(&mut body);
        sealed
    }

    /// Decrypts what [`seal`](Self::seal) made under the same key and context.
    pub fn open(&self, context: &[u8], sealed: &[u8]) -> Result<Vec<u8>, SealError> {
        let (nonce, body) = sealed.split_at_checked(NONCE).ok_or(SealError)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| SealError)?;
        let mut body = body.to_vec();
        let plain = self.0.open_in_place(nonce, Aad::from(context), &mut body).map_err(|_| SealError)?;
        let len = plain.len();
        body.truncate(len);
        Ok(body)
    }

    /// Encrypts bytes where they stand, and puts tag and nonce behind them: `ciphertext ‖ tag (16) ‖ nonce (12)`.
    pub fn seal_appending(&self, context: &[u8], bytes: &mut Vec<u8>) {
        let nonce = self
            .0
            .seal_in_place_append_tag(Aad::from(context), bytes)
            .expect("AES-GCM seals anything shorter than 64 GiB");
        bytes.extend_from_slice(nonce.as_ref());
    }

    /// Decrypts where it stands what [`seal_appending`](Self::seal_appending) made under the same key and context; only the plain bytes
    /// are left. What does not open is left altered.
    pub fn open_appended(&self, context: &[u8], bytes: &mut Vec<u8>) -> Result<(), SealError> {
        let end = bytes.len().checked_sub(NONCE).ok_or(SealError)?;
        let (body, nonce) = bytes.split_at_mut_checked(end).ok_or(SealError)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| SealError)?;
        let plain = self.0.open_in_place(nonce, Aad::from(context), body).map_err(|_| SealError)?;
        let len = plain.len();
        bytes.truncate(len);
        Ok(())
    }

    /// How many bytes a nonce has.
    pub const NONCE: usize = NONCE;
    /// How many bytes sealing adds.
    pub const OVERHEAD: usize = NONCE + 16;
}

/// The bytes were not sealed under this key and context, or were altered since.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("sealed bytes do not open: wrong key or altered")]
pub struct SealError;

const NONCE: usize = 12;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_where_it_stands_opens_in_the_same_context_only() {
        let key = SealingKey::new(&[7; 32]);
        let mut sealed = b"plain".to_vec();
        key.seal_appending(b"context", &mut sealed);
        assert_eq!(sealed.len(), 5 + SealingKey::OVERHEAD);
        assert_eq!(key.open_appended(b"other", &mut sealed.clone()), Err(SealError));
        for at in 0..sealed.len() {
            let mut bad = sealed.clone();
            bad[at] ^= 1;
            assert_eq!(key.open_appended(b"context", &mut bad), Err(SealError), "byte {at}");
            assert_eq!(
                key.open_appended(b"context", &mut sealed[..at].to_vec()),
                Err(SealError),
                "cut at {at}"
            );
        }
        key.open_appended(b"context", &mut sealed).unwrap();
        assert_eq!(sealed, b"plain");
    }

    #[test]
    fn opens_only_what_it_sealed_in_the_same_context() {
        let key = SealingKey::new(&[7; 32]);
        let sealed = key.seal(b"context", b"plain");
        assert_eq!(sealed.len(), 5 + SealingKey::OVERHEAD);
        assert_eq!(key.open(b"context", &sealed).unwrap(), b"plain");
        assert_eq!(key.open(b"other", &sealed), Err(SealError));
        assert_eq!(SealingKey::new(&[8; 32]).open(b"context", &sealed), Err(SealError));
        for at in 0..sealed.len() {
            let mut bad = sealed.clone();
            bad[at] ^= 1;
            assert_eq!(key.open(b"context", &bad), Err(SealError), "byte {at}");
            assert_eq!(key.open(b"context", &sealed[..at]), Err(SealError), "cut at {at}");
        }
    }
}
