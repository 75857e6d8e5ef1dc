use crypto::{Entropy, SealingKey};
use zeroize::Zeroizing;

use crate::{
    Kdf, Passphrase,
    error::{OpenError, Part},
    kdf::KdfError,
};

/// The file beside the database that holds the master key, wrapped under the passphrase.
///
/// `docs/spec/04-vault.md` has the layout. Every bit counts: a damaged one is told from a wrong passphrase by the
/// checksum, and a changed one (with its checksum made to fit) by the seal, whose context is all that precedes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Header {
    kdf: Kdf,
    salt: [u8; SALT],
    wrapped: [u8; WRAPPED],
}

/// The random 256-bit key from which all others of a vault are derived.
pub(crate) struct MasterKey(Zeroizing<[u8; 32]>);

impl MasterKey {
    pub(crate) fn generate(entropy: &mut dyn Entropy) -> Self {
        let mut key = Zeroizing::new([0; 32]);
        entropy.fill(key.as_mut());
        Self(key)
    }

    /// Returns the key of the database.
    pub(crate) fn database(&self) -> Zeroizing<[u8; 32]> {
        crypto::derive_key(self.0.as_ref(), b"", "hexode/vault/1/database key")
    }

    /// Returns the key under which the keys of encrypted files stand.
    pub(crate) fn blobs(&self) -> Zeroizing<[u8; 32]> {
        crypto::derive_key(self.0.as_ref(), b"", "hexode/vault/1/blob key")
    }
}

impl Header {
    /// Wraps the master key under a passphrase, with a fresh salt.
    pub(crate) fn wrap(
        master: &MasterKey,
        passphrase: &Passphrase,
        kdf: Kdf,
        entropy: &mut dyn Entropy,
    ) -> Result<Self, KdfError> {
        let mut header = Self { kdf, salt: [0; SALT], wrapped: [0; WRAPPED] };
        entropy.fill(&mut header.salt);
        let sealed = header.wrapping_key(passphrase)?.seal(&header.context(), master.0.as_ref());
        header.wrapped = sealed.try_into().expect("sealing adds exactly its overhead");
        Ok(header)
    }

    /// Unwraps the master key.
    pub(crate) fn unwrap(&self, passphrase: &Passphrase) -> Result<MasterKey, OpenError> {
        let key = self.wrapping_key(passphrase).map_err(|error| match error {
            KdfError::OutOfBounds => OpenError::Damaged { what: Part::Header },
            KdfError::OutOfMemory => OpenError::Io(std::io::ErrorKind::OutOfMemory.into()),
        })?;
        let plain = key.open(&self.context(), &self.wrapped).map_err(|_| OpenError::WrongPassphrase)?;
        let plain = Zeroizing::new(plain);
        let master = plain.as_slice().try_into().expect("opening takes off exactly what sealing added");
        Ok(MasterKey(Zeroizing::new(master)))
    }

    /// Returns how the passphrase is stretched.
    pub(crate) fn kdf(&self) -> Kdf {
        self.kdf
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = self.context();
        bytes.extend_from_slice(&self.wrapped);
        with_checksum(&bytes)
    }

    /// Reads a header, and refuses what is damaged, newer than this build, or asks too much of the device.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, OpenError> {
        Self::parse(bytes).ok_or(OpenError::Damaged { what: Part::Header })?
    }

    /// Returns none for damage of any kind.
    fn parse(bytes: &[u8]) -> Option<Result<Self, OpenError>> {
        let (content, sum) = bytes.split_at_checked(bytes.len().checked_sub(CHECKSUM)?)?;
        // Magic, checksum and version stand in the same place in every version to come.
        if sum != checksum(content) {
            return None;
        }
        let rest = content.strip_prefix(&MAGIC)?;
        let (version, rest) = rest.split_first_chunk()?;
        match u16::from_be_bytes(*version) {
            0 => return None,
            VERSION => {}
            found => {
                return Some(Err(OpenError::NewerVersion { found: found.into(), known: VERSION.into() }));
            }
        }
        let (&[id], rest) = rest.split_first_chunk()?;
        let (first, rest) = rest.split_first_chunk()?;
        let (second, rest) = rest.split_first_chunk()?;
        let (third, rest) = rest.split_first_chunk()?;
        let (&salt, rest) = rest.split_first_chunk()?;
        let wrapped = rest.try_into().ok()?;
        let [first, second, third] = [first, second, third].map(|cost| u32::from_be_bytes(*cost));
        let kdf = match (id, second, third) {
            (ARGON2ID, passes, lanes) => Kdf::Argon2id { memory_kib: first, passes, lanes },
            (PBKDF2, 0, 0) => Kdf::Pbkdf2 { rounds: first },
            _ => return None,
        };
        kdf.is_bounded().then_some(Ok(Self { kdf, salt, wrapped }))
    }

    fn wrapping_key(&self, passphrase: &Passphrase) -> Result<SealingKey, KdfError> {
        let stretched = self.kdf.stretch(passphrase, &self.salt)?;
        Ok(SealingKey::new(&crypto::derive_key(
            stretched.as_ref(),
            &self.salt,
            "hexode/vault/1/wrapping key",
        )))
    }

    /// Returns all that precedes the wrapped key.
    fn context(&self) -> Vec<u8> {
        let (id, costs) = match self.kdf {
            Kdf::Argon2id { memory_kib, passes, lanes } => (ARGON2ID, [memory_kib, passes, lanes]),
            Kdf::Pbkdf2 { rounds } => (PBKDF2, [rounds, 0, 0]),
        };
        let mut bytes = Vec::with_capacity(LEN);
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&VERSION.to_be_bytes());
        bytes.push(id);
        for cost in costs {
            bytes.extend_from_slice(&cost.to_be_bytes());
        }
        bytes.extend_from_slice(&self.salt);
        bytes
    }
}

/// Returns a header without its checksum.
pub(crate) fn content(header: &[u8]) -> &[u8] {
    header.get(..header.len().saturating_sub(CHECKSUM)).unwrap_or_default()
}

/// Puts the checksum behind the rest of a header.
pub(crate) fn with_checksum(content: &[u8]) -> Vec<u8> {
    [content, &checksum(content)].concat()
}

fn checksum(content: &[u8]) -> [u8; CHECKSUM] {
    let hash = crypto::hash("hexode/vault/1/header checksum", &[content]);
    *hash.first_chunk().expect("a hash is longer than a checksum")
}

/// The longest header that is read at all, so that later versions have room.
pub(crate) const MAX_LEN: u64 = 4096;
/// The version of the header that this build writes.
pub(crate) const VERSION: u16 = 1;
const LEN: usize = MAGIC.len() + 2 + 1 + 12 + SALT + WRAPPED + CHECKSUM;
const MAGIC: [u8; 8] = *b"hxvault\n";
const ARGON2ID: u8 = 1;
const PBKDF2: u8 = 2;
const SALT: usize = 32;
const WRAPPED: usize = 32 + SealingKey::OVERHEAD;
const CHECKSUM: usize = 16;

#[cfg(test)]
mod tests;
