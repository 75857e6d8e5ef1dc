use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};

use crate::SealError;

/// An AES-256-GCM key for one sequence of records, the same at both ends: a record's nonce is its place in the sequence.
///
/// A key is for one direction of one sequence only. What was left out, repeated or moved does not open.
pub struct SequenceKey {
    key: LessSafeKey,
    next: u64,
}

impl std::fmt::Debug for SequenceKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SequenceKey(… at {})", self.next)
    }
}

impl SequenceKey {
    /// Makes the key of a sequence that begins.
    pub fn new(key: &[u8; 32]) -> Self {
        let key = UnboundKey::new(&AES_256_GCM, key).expect("AES-256 takes 32 bytes");
        Self { key: LessSafeKey::new(key), next: 0 }
    }

    /// Encrypts the next record, which stands in `bytes` from `from` on, where it stands, and puts its tag behind it.
    pub fn seal_next(&mut self, from: usize, bytes: &mut Vec<u8>) {
        let nonce = self.nonce();
        let plain = bytes.get_mut(from..).unwrap_or_default();
        let tag = self.key.seal_in_place_separate_tag(nonce, Aad::empty(), plain);
        let tag = tag.expect("AES-GCM seals anything shorter than 64 GiB");
        bytes.extend_from_slice(tag.as_ref());
    }

    /// Decrypts the next record where it stands; only the plain bytes are left. After an error nothing of the sequence opens.
    pub fn open_next(&mut self, bytes: &mut Vec<u8>) -> Result<(), SealError> {
        let nonce = self.nonce();
        let plain = self.key.open_in_place(nonce, Aad::empty(), bytes).map_err(|_| SealError)?;
        let len = plain.len();
        bytes.truncate(len);
        Ok(())
    }

    fn nonce(&mut self) -> Nonce {
        let mut nonce = [0; 12];
        for (to, from) in nonce.iter_mut().skip(4).zip(self.next.to_be_bytes()) {
            *to = from;
        }
        self.next = self.next.checked_add(1).expect("nobody lives to see 2⁶⁴ records");
        Nonce::assume_unique_for_key(nonce)
    }

    /// How many bytes sealing adds.
    pub const OVERHEAD: usize = 16;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_open_in_their_order_only_and_under_their_key_only() {
        let (mut ours, mut theirs) = (SequenceKey::new(&[7; 32]), SequenceKey::new(&[7; 32]));
        let mut sealed = Vec::new();
        for text in ["one", "two", "three"] {
            let mut record = [b"head", text.as_bytes()].concat();
            ours.seal_next(4, &mut record);
            assert_eq!(record.len(), 4 + text.len() + SequenceKey::OVERHEAD);
            sealed.push(record.split_off(4));
        }
        let mut first = sealed[0].clone();
        theirs.open_next(&mut first).unwrap();
        assert_eq!(first, b"one");
        assert_eq!(theirs.open_next(&mut sealed[2].clone()), Err(SealError), "one is left out");
        let mut again = SequenceKey::new(&[7; 32]);
        again.open_next(&mut sealed[0].clone()).unwrap();
        assert_eq!(again.open_next(&mut sealed[0].clone()), Err(SealError), "one is repeated");
        assert_eq!(SequenceKey::new(&[8; 32]).open_next(&mut sealed[0].clone()), Err(SealError));
        for at in 0..sealed[0].len() {
            let mut bad = sealed[0].clone();
            bad[at] ^= 1;
            assert_eq!(SequenceKey::new(&[7; 32]).open_next(&mut bad), Err(SealError), "byte {at}");
            let mut cut = sealed[0][..at].to_vec();
            assert_eq!(SequenceKey::new(&[7; 32]).open_next(&mut cut), Err(SealError), "cut at {at}");
        }
    }
}
