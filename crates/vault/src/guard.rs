//! What stands between a vault and somebody who tries passphrases: a count of wrong ones, and a passphrase that empties it.

use std::path::Path;

use crypto::{Entropy, OsEntropy};
use zeroize::Zeroizing;

use crate::{
    Kdf, Options, Passphrase, Vault,
    error::{CreateError, OpenError, WipeError},
    files::Files,
    header::{self, Header, MasterKey},
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
        if files.is_destroyed()? {
            // Somebody pulled the plug.
            destroy(files)?;
            return Err(OpenError::Destroyed);
        }
        let header = read_header(&files)?;
        let mut guard = Guard::read(&files)?;
        // What is too short for any vault is a slip, not a try.
        let counts = passphrase.check_strength().is_ok();
        if let Some(guard) = guard.as_mut().filter(|guard| counts && guard.limit > 0) {
            if tries == Tries::ButTheLast && guard.wrong.saturating_add(1) >= guard.limit {
                return Err(OpenError::LastTry);
            }
            // A process that is killed while it tries has tried. What cannot be counted is not tried.
            guard.write_wrong(&files, guard.wrong.saturating_add(1))?;
        }
        let found = match header.unwrap(passphrase) {
            Err(OpenError::WrongPassphrase) => {
                match guard.as_ref().map(|guard| guard.duress.unwrap(passphrase)) {
                    None | Some(Err(OpenError::WrongPassphrase)) => Ok(Tried::Wrong),
                    Some(Ok(_)) => Ok(Tried::Duress),
                    Some(Err(error)) => Err(error),
                }
            }
            Ok(master) => Ok(Tried::Right(master)),
            Err(error) => Err(error),
        };
        let guard = guard.as_mut().filter(|guard| guard.limit > 0);
        match (found, guard) {
            (Ok(Tried::Right(master)), guard) => {
                if let Some(guard) = guard.filter(|guard| guard.wrong > 0) {
                    guard.write_wrong(&files, 0)?;
                }
                Self::open_with(files, &master, options).map(Unlocked::Opened)
            }
            (Ok(Tried::Duress), _) => {
                destroy(files)?;
                let vault = Self::create(dir, passphrase, options).map_err(OpenError::from)?;
                Ok(Unlocked::Emptied(vault))
            }
            (Ok(Tried::Wrong), None) => Err(OpenError::WrongPassphrase),
            (Ok(Tried::Wrong), Some(guard)) if counts && guard.is_exhausted() => {
                destroy(files)?;
                Err(OpenError::Destroyed)
            }
            (Ok(Tried::Wrong), Some(guard)) => {
                Err(OpenError::WrongPassphraseOf { left: guard.limit.saturating_sub(guard.wrong).max(1) })
            }
            // It was not found out whether the passphrase is wrong.
            (Err(error), guard) => {
                if let Some(guard) = guard.filter(|_| counts) {
                    guard.write_wrong(&files, guard.wrong.saturating_sub(1))?;
                }
                Err(error)
            }
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

/// What a passphrase turned out to be.
enum Tried {
    Right(MasterKey),
    Duress,
    Wrong,
}

impl Guard {
    fn new(kdf: Kdf, limit: u32, duress: &Passphrase, entropy: &mut dyn Entropy) -> Result<Self, OpenError> {
        // The key is of no use: that it opens is the answer.
        let duress = Header::wrap(&MasterKey::generate(entropy), duress, kdf, entropy)?;
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

    /// Counts so many wrong passphrases, durably.
    fn write_wrong(&mut self, files: &Files, wrong: u32) -> Result<(), OpenError> {
        self.wrong = wrong;
        self.write(files)
    }

    /// Tells whether a passphrase is the one that empties the vault.
    pub(crate) fn is_duress(files: &Files, passphrase: &Passphrase) -> Result<bool, OpenError> {
        match Self::read(files)?.map(|guard| guard.duress.unwrap(passphrase)) {
            None | Some(Err(OpenError::WrongPassphrase)) => Ok(false),
            Some(Ok(_)) => Ok(true),
            Some(Err(error)) => Err(error),
        }
    }

    pub(crate) fn write(&self, files: &Files) -> Result<(), OpenError> {
        Ok(files.write_guard(&self.encode())?)
    }

    fn encode(&self) -> Vec<u8> {
        let numbers = [MAGIC.as_slice(), &self.limit.to_be_bytes(), &self.wrong.to_be_bytes()].concat();
        [numbers.as_slice(), &checksum(&numbers), &self.duress.encode()].concat()
    }

    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let (numbers, rest) = bytes.split_at_checked(NUMBERS)?;
        let (sum, rest) = rest.split_first_chunk()?;
        // A bit that flipped in the count would destroy the vault.
        if *sum != checksum(numbers) {
            return None;
        }
        let numbers = numbers.strip_prefix(&MAGIC)?;
        let (limit, numbers) = numbers.split_first_chunk()?;
        let wrong = numbers.try_into().ok()?;
        let (limit, wrong) = (u32::from_be_bytes(*limit), u32::from_be_bytes(wrong));
        Some(Self { limit, wrong, duress: Header::decode(rest).ok()? })
    }
}

fn checksum(numbers: &[u8]) -> [u8; CHECKSUM] {
    let hash = crypto::hash("hexode/vault/1/guard checksum", &[numbers]);
    *hash.first_chunk().expect("a hash is longer than a checksum")
}

/// Destroys the keys first, then the rest.
fn destroy(files: Files) -> Result<(), OpenError> {
    files.destroy_header(&mut OsEntropy)?;
    Ok(files.remove_all()?)
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
/// The magic, the limit and the count.
const NUMBERS: usize = MAGIC.len() + 4 + 4;
const CHECKSUM: usize = 16;
