use std::num::NonZeroU32;

use argon2::{Algorithm, Argon2, Block, Params, Version};
use zeroize::{Zeroize, Zeroizing};

use crate::Passphrase;

/// How a passphrase is made expensive to guess.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kdf {
    /// Argon2id (RFC 9106): costs memory as well as time.
    Argon2id {
        /// Memory, in KiB.
        memory_kib: u32,
        /// Passes over it.
        passes: u32,
        /// Lanes; more than one helps only whoever has as many cores.
        lanes: u32,
    },
    /// PBKDF2-HMAC-SHA-512 (RFC 8018): the only one that FIPS 140-3 approves.
    Pbkdf2 {
        /// Rounds.
        rounds: u32,
    },
}

impl Kdf {
    /// The default: 64 MiB, three passes, one lane (RFC 9106 §4, second recommendation, in one lane).
    pub const ARGON2ID: Self = Self::Argon2id { memory_kib: 64 << 10, passes: 3, lanes: 1 };
    /// The default where FIPS 140-3 rules: 600,000 rounds.
    pub const PBKDF2: Self = Self::Pbkdf2 { rounds: 600_000 };

    /// Tells whether the cost is within what a header may ask of the device that reads it.
    pub(crate) fn is_bounded(&self) -> bool {
        match *self {
            Self::Argon2id { memory_kib, passes, lanes } => {
                (1..=MAX_LANES).contains(&lanes)
                    && (1..=MAX_PASSES).contains(&passes)
                    && (8 * lanes..=MAX_MEMORY_KIB).contains(&memory_kib)
            }
            Self::Pbkdf2 { rounds } => (MIN_ROUNDS..=MAX_ROUNDS).contains(&rounds),
        }
    }

    /// Derives 32 bytes from a passphrase.
    ///
    /// The memory is erased and, being far larger than what an allocator keeps, handed back to the system.
    pub(crate) fn stretch(
        &self,
        passphrase: &Passphrase,
        salt: &[u8],
    ) -> Result<Zeroizing<[u8; 32]>, KdfError> {
        if !self.is_bounded() {
            return Err(KdfError::OutOfBounds);
        }
        match *self {
            Self::Argon2id { memory_kib, passes, lanes } => {
                let params =
                    Params::new(memory_kib, passes, lanes, Some(32)).map_err(|_| KdfError::OutOfBounds)?;
                let mut memory = Vec::new();
                memory.try_reserve_exact(params.block_count()).map_err(|_| KdfError::OutOfMemory)?;
                memory.resize(params.block_count(), Block::new());
                let mut out = Zeroizing::new([0; 32]);
                let done = Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
                    .hash_password_into_with_memory(passphrase.as_bytes(), salt, out.as_mut(), &mut memory);
                memory.zeroize();
                done.map_err(|_| KdfError::OutOfBounds)?;
                Ok(out)
            }
            Self::Pbkdf2 { rounds } => {
                let rounds = NonZeroU32::new(rounds).ok_or(KdfError::OutOfBounds)?;
                Ok(crypto::stretch_pbkdf2(passphrase.as_bytes(), salt, rounds))
            }
        }
    }
}

/// Why a passphrase could not be stretched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum KdfError {
    /// The cost is beyond what this module lends itself to.
    #[error("key derivation cost out of bounds")]
    OutOfBounds,
    /// The system has not so much memory.
    #[error("not enough memory for key derivation")]
    OutOfMemory,
}

/// Bounds on what a header may ask: a tampered one can slow a device down for seconds, not bring it down.
const MAX_MEMORY_KIB: u32 = 512 << 10;
const MAX_PASSES: u32 = 32;
const MAX_LANES: u32 = 16;
const MIN_ROUNDS: u32 = 1_000;
const MAX_ROUNDS: u32 = 10_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passphrase_salt_and_every_cost_count() {
        let stretch = |kdf: Kdf, text: &str, salt: &[u8]| *kdf.stretch(&Passphrase::new(text), salt).unwrap();
        let argon = |memory_kib, passes, lanes| Kdf::Argon2id { memory_kib, passes, lanes };
        let all = [
            stretch(argon(64, 1, 1), "one passphrase", &[1; 32]),
            stretch(argon(64, 1, 1), "two passphrase", &[1; 32]),
            stretch(argon(64, 1, 1), "one passphrase", &[2; 32]),
            stretch(argon(65, 1, 1), "one passphrase", &[1; 32]),
            stretch(argon(64, 2, 1), "one passphrase", &[1; 32]),
            stretch(argon(64, 1, 2), "one passphrase", &[1; 32]),
            stretch(Kdf::Pbkdf2 { rounds: 1000 }, "one passphrase", &[1; 32]),
            stretch(Kdf::Pbkdf2 { rounds: 1001 }, "one passphrase", &[1; 32]),
        ];
        for (at, one) in all.iter().enumerate() {
            assert!(!all[at + 1..].contains(one), "case {at} gives what another gives");
        }
    }

    #[test]
    fn costs_that_would_bring_a_device_down_are_refused_at_once() {
        for kdf in [
            Kdf::Argon2id { memory_kib: 1 << 30, passes: 3, lanes: 1 },
            Kdf::Argon2id { memory_kib: 64, passes: u32::MAX, lanes: 1 },
            Kdf::Argon2id { memory_kib: 64, passes: 1, lanes: 0 },
            Kdf::Argon2id { memory_kib: 64, passes: 0, lanes: 1 },
            Kdf::Argon2id { memory_kib: 7, passes: 1, lanes: 1 },
            Kdf::Pbkdf2 { rounds: u32::MAX },
            Kdf::Pbkdf2 { rounds: 0 },
        ] {
            let refused = kdf.stretch(&Passphrase::new("any passphrase"), &[0; 32]).map(drop);
            assert_eq!(refused, Err(KdfError::OutOfBounds), "{kdf:?}");
        }
        assert!(Kdf::ARGON2ID.is_bounded() && Kdf::PBKDF2.is_bounded());
    }
}
