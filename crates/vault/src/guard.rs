//! What stands between a vault and somebody who tries passphrases: a count of wrong ones, and a passphrase that empties it.

use std::path::Path;

use crypto::{Entropy, OsEntropy};
use zeroize::Zeroizing;

use crate::{
    Kdf, Options, Passphrase, Vault,
    error::{CreateError, OpenError, WipeError},
    files::Files,
    header::{self, Header, MasterKey},
    kdf::KdfError,
    vault::read_header,
};

/// The file beside the header that is written also while the vault is locked.
///
/// It has a wrapped key in it whether there is a duress passphrase or not: without one the key is wrapped under a
/// passphrase that nobody knows, and nobody can tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Guard {
    /// After how many wrong passphrases in a row the vault is destroyed; 0 for never.
    limit: u32,
    /// How many there have been.
    wrong: u32,
    duress: Header,
}

/// Which of the counted tries may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tries {
    /// All of them.
    All,
    /// All but the one after which the vault is destroyed: whoever may not touch the folder shall not destroy it.
    ButTheLast,
}

/// What came of a passphrase.
#[derive(Debug)]
pub enum Unlocked {
    /// It was the vault's.
    Opened(Vault),
    /// It was the one that empties the vault: what was in it is destroyed, and this is a new one under that passphrase.
    Emptied(Vault),
}

impl Vault {
    /// Opens the vault in a folder for whoever gave a passphrase: one try, counted before it is made.
    ///
    /// [`open`](Self::open) is the same without a guard.
    pub fn unlock(
        dir: &Path,
        passphrase: &Passphrase,
        options: Options,
        tries: Tries,
    ) -> Result<Unlocked, OpenError> {
        let files = Files::find(dir)?.ok_or(OpenError::Missing)?;
        let header = read_header(&files)?;
        let mut guard = match Guard::read(&files)? {
            Some(guard) => guard,
            // One from before there were guards, or one whose guard somebody took away.
            None => Guard::without_duress(header.kdf(), 0, &mut OsEntropy)?,
        };
        if guard.is_exhausted() {
            destroy(files)?;
            return Err(OpenError::Destroyed);
        }
        if tries == Tries::ButTheLast && guard.limit > 0 && guard.wrong.saturating_add(1) >= guard.limit {
            return Err(OpenError::LastTry);
        }
        // A process that is killed while it tries has tried.
        guard.wrong = guard.wrong.saturating_add(1);
        guard.write(&files)?;
        match header.unwrap(passphrase) {
            Ok(_) => {
                guard.wrong = 0;
                guard.write(&files)?;
                drop(files);
                Self::open(dir, passphrase, options).map(Unlocked::Opened)
            }
            Err(OpenError::WrongPassphrase) if guard.duress.unwrap(passphrase).is_ok() => {
                destroy(files)?;
                let vault = Self::create(dir, passphrase, options).map_err(OpenError::from)?;
                Ok(Unlocked::Emptied(vault))
            }
            Err(OpenError::WrongPassphrase) if guard.is_exhausted() => {
                destroy(files)?;
                Err(OpenError::Destroyed)
            }
            Err(OpenError::WrongPassphrase) if guard.limit > 0 => {
                Err(OpenError::WrongPassphraseOf { left: guard.limit - guard.wrong })
            }
            Err(error) => Err(error),
        }
    }

    /// Returns after how many wrong passphrases in a row the vault is destroyed, if ever.
    pub fn tries(&self) -> Result<Option<u32>, OpenError> {
        let guard = Guard::read(&self.files)?;
        Ok(guard.map(|guard| guard.limit).filter(|limit| *limit > 0))
    }

    /// Sets after how many wrong passphrases in a row the vault is destroyed (never, if none), and a passphrase that
    /// empties it (none, if none). Whether there is one cannot be asked.
    ///
    /// The passphrase of the vault must be given again.
    pub fn set_guard(
        &self,
        passphrase: &Passphrase,
        limit: Option<u32>,
        duress: Option<&Passphrase>,
    ) -> Result<(), OpenError> {
        let header = read_header(&self.files)?;
        header.unwrap(passphrase)?;
        let limit = limit.unwrap_or(0);
        let guard = match duress {
            None => Guard::without_duress(header.kdf(), limit, &mut OsEntropy)?,
            Some(duress) => {
                duress.check_strength()?;
                if header.unwrap(duress).is_ok() {
                    return Err(OpenError::SamePassphrase);
                }
                Guard::new(header.kdf(), limit, duress, &mut OsEntropy)?
            }
        };
        guard.write(&self.files)
    }
}

impl Guard {
    fn new(kdf: Kdf, limit: u32, duress: &Passphrase, entropy: &mut dyn Entropy) -> Result<Self, OpenError> {
        // The key is of no use: that it opens is the answer.
        let duress = Header::wrap(&MasterKey::generate(entropy), duress, kdf, entropy).map_err(kdf_error)?;
        Ok(Self { limit, wrong: 0, duress })
    }

    pub(crate) fn without_duress(kdf: Kdf, limit: u32, entropy: &mut dyn Entropy) -> Result<Self, OpenError> {
        let mut nobody_knows = Zeroizing::new([0; 32]);
        entropy.fill(nobody_knows.as_mut());
        let text: Zeroizing<String> =
            Zeroizing::new(nobody_knows.iter().map(|byte| format!("{byte:02x}")).collect());
        Self::new(kdf, limit, &Passphrase::new(&text), entropy)
    }

    fn is_exhausted(&self) -> bool {
        self.limit > 0 && self.wrong >= self.limit
    }

    /// Reads the guard; one that is not whole counts as none.
    fn read(files: &Files) -> Result<Option<Self>, OpenError> {
        Ok(files.read_guard(header::MAX_LEN)?.and_then(|bytes| Self::decode(&bytes)))
    }

    pub(crate) fn write(&self, files: &Files) -> Result<(), OpenError> {
        Ok(files.write_guard(&self.encode())?)
    }

    fn encode(&self) -> Vec<u8> {
        let numbers = [MAGIC.as_slice(), &self.limit.to_be_bytes(), &self.wrong.to_be_bytes()].concat();
        [numbers, self.duress.encode()].concat()
    }

    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let rest = bytes.strip_prefix(&MAGIC)?;
        let (limit, rest) = rest.split_first_chunk()?;
        let (wrong, rest) = rest.split_first_chunk()?;
        let (limit, wrong) = (u32::from_be_bytes(*limit), u32::from_be_bytes(*wrong));
        Some(Self { limit, wrong, duress: Header::decode(rest).ok()? })
    }
}

/// Destroys the keys first, then the rest.
fn destroy(files: Files) -> Result<(), OpenError> {
    files.destroy_header(&mut OsEntropy)?;
    Ok(files.remove_all()?)
}

fn kdf_error(error: KdfError) -> OpenError {
    error.into()
}

impl From<CreateError> for OpenError {
    fn from(error: CreateError) -> Self {
        match error {
            CreateError::AlreadyExists | CreateError::InUse => Self::InUse,
            CreateError::WeakPassphrase(weak) => Self::WeakPassphrase(weak),
            CreateError::CostOutOfBounds => Self::CostOutOfBounds,
            CreateError::DiskFull => Self::DiskFull,
            CreateError::Io(error) => Self::Io(error),
            CreateError::Database(error) => Self::Database(error),
        }
    }
}

impl From<WipeError> for OpenError {
    fn from(error: WipeError) -> Self {
        match error {
            WipeError::InUse => Self::InUse,
            WipeError::Io(error) => error.into(),
        }
    }
}

const MAGIC: [u8; 10] = *b"hxguard\n\0\x01";
