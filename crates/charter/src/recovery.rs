use crypto::{Entropy, SigningKey};
use serde::{Deserialize, Serialize};
use wire::{DecodeError, Name, Signature, limits};

use crate::{Entry, EntryError, PublicKey, Sheet};

/// Keys of which `k` together can replace a lost founder; kept away from all devices.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recovery {
    /// How many must sign: more than half of the keys.
    pub k: u8,
    /// The keys: sorted, none twice, at most [`limits::RECOVERY_KEYS`].
    pub keys: Vec<PublicKey>,
}

/// The founder's place, given to the entry's author by the recovery keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recovering {
    /// One more than that of the recovery before it; the first is 1.
    pub generation: u16,
    /// How the author calls his device.
    pub device: Name,
    /// What stays of the acts of the founder's devices: these entries and all before them. Sorted, none twice, at most 16.
    pub keep: Vec<wire::EntryId>,
    /// The keys that count from now on, if not the same.
    pub next: Option<Recovery>,
    /// The recovery keys' signatures over the entry without them: sorted by key, none twice.
    pub signatures: Vec<Cosignature>,
}

/// What one recovery key signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cosignature {
    /// The key; all signatures can be checked without the set it belongs to.
    pub key: PublicKey,
    /// Its signature.
    pub signature: Signature,
}

impl Recovery {
    /// Draws `n` keys of which `k` count together, and returns their sheets, which are kept nowhere.
    pub fn draw(k: u8, n: u8, entropy: &mut dyn Entropy) -> Result<(Self, Vec<Sheet>), DecodeError> {
        check_numbers(k, usize::from(n))?;
        let sheets: Vec<_> = (0..n).map(|_| Sheet::draw(entropy)).collect();
        let mut keys: Vec<_> = sheets.iter().map(Sheet::public).collect();
        keys.sort();
        let recovery = Self { k, keys };
        recovery.check()?;
        Ok((recovery, sheets))
    }

    /// Tells whether enough of the keys are among some.
    pub fn is_met_by<'a>(&self, keys: impl Iterator<Item = &'a PublicKey>) -> bool {
        let known = keys.filter(|key| self.keys.binary_search(key).is_ok()).count();
        known >= usize::from(self.k)
    }

    pub(crate) fn check(&self) -> Result<(), DecodeError> {
        crate::signed::check_list("recovery keys", &self.keys, limits::RECOVERY_KEYS)?;
        check_numbers(self.k, self.keys.len())
    }
}

impl Recovering {
    pub(crate) fn check(&self) -> Result<(), DecodeError> {
        crate::signed::check_list("kept entries", &self.keep, limits::PARENTS)?;
        let keys: Vec<_> = self.keys().collect();
        crate::signed::check_list("signatures of recovery keys", &keys, limits::RECOVERY_KEYS)?;
        if keys.is_empty() {
            return Err(DecodeError::Invalid("a recovery that no recovery key signed"));
        }
        if self.generation == 0 {
            return Err(DecodeError::Invalid("a recovery without a number"));
        }
        self.next.as_ref().map_or(Ok(()), Recovery::check)
    }

    /// Returns the keys that signed.
    pub fn keys(&self) -> impl Iterator<Item = &PublicKey> {
        self.signatures.iter().map(|by| &by.key)
    }

    pub(crate) fn verify(&self, entry: &Entry) -> Result<(), EntryError> {
        let statement = statement(entry);
        let holds =
            |by: &Cosignature| crypto::verify(by.key.as_bytes(), SIGNATURE, &[&statement], &by.signature.0);
        self.signatures.iter().try_for_each(holds).map_err(|_| EntryError::Recovery)
    }
}

/// Lets recovery keys sign an entry in which their signatures lack.
pub(crate) fn cosign(mut entry: Entry, keys: &[SigningKey]) -> Entry {
    let statement = statement(&entry);
    if let crate::Action::Recover(recovering) = &mut entry.action {
        recovering.signatures = keys
            .iter()
            .map(|key| Cosignature {
                key: PublicKey::new(key.public()),
                signature: Signature(key.sign(SIGNATURE, &[&statement])),
            })
            .collect();
        recovering.signatures.sort_by_key(|by| by.key);
        recovering.signatures.dedup_by_key(|by| by.key);
    }
    entry
}

/// Encodes an entry as the recovery keys sign it: whole, without their signatures.
fn statement(entry: &Entry) -> Vec<u8> {
    let mut entry = entry.clone();
    if let crate::Action::Recover(recovering) = &mut entry.action {
        recovering.signatures.clear();
    }
    wire::encode(&entry)
}

fn check_numbers(k: u8, n: usize) -> Result<(), DecodeError> {
    let k = usize::from(k);
    if k <= n && k * 2 > n {
        Ok(())
    } else {
        Err(DecodeError::Invalid("recovery takes more than half of the keys, and no more than there are"))
    }
}

const SIGNATURE: &str = "hexode/charter/recovery-signature/1";
