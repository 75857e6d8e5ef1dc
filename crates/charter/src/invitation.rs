use std::{fmt, net::SocketAddr, str::FromStr};

use crypto::{Entropy, SignatureError, SigningKey};
use data_encoding::BASE64URL_NOPAD;
use serde::{Deserialize, Serialize};
use wire::{CircleId, DeviceId, EntryId, Name, Signature, limits};
use zeroize::{Zeroize, Zeroizing};

use crate::{Admission, PublicKey, signed::Redeeming};

/// What a newcomer is handed: the secret that lets one device in, and where to knock.
///
/// Whoever holds it can use it, once, until it ends or is withdrawn. Its text form is a link
/// ([`to_link`](Self::to_link), [`FromStr`]).
#[derive(Clone, PartialEq, Eq)]
pub struct Invitation {
    circle: CircleId,
    invitation: EntryId,
    secret: Secret,
    expires_ms: u64,
    hints: Vec<Hint>,
}

/// A device that can admit, and where it was last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hint {
    /// The device.
    pub device: DeviceId,
    /// Its addresses, the likeliest first.
    pub addresses: Vec<SocketAddr>,
}

/// A newcomer's request to be let in: the proofs that his device holds the invitation and wants to come in under
/// these names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Redemption(Admission);

impl Invitation {
    /// Makes an invitation whose entry is not written yet.
    pub(crate) fn draft(
        circle: CircleId,
        expires_ms: u64,
        mut hints: Vec<Hint>,
        entropy: &mut dyn Entropy,
    ) -> Self {
        hints.truncate(limits::HINTS);
        hints.iter_mut().for_each(|hint| hint.addresses.truncate(limits::HINT_ADDRESSES));
        let mut secret = Secret([0; 16]);
        entropy.fill(&mut secret.0);
        Self { circle, invitation: EntryId::new([0; 32]), secret, expires_ms, hints }
    }

    pub(crate) fn published(self, invitation: EntryId) -> Self {
        Self { invitation, ..self }
    }

    /// Returns the circle it leads into.
    pub fn circle(&self) -> CircleId {
        self.circle
    }

    /// Returns the entry that announced it.
    pub fn id(&self) -> EntryId {
        self.invitation
    }

    /// Returns when it ends, in milliseconds since 1970.
    pub fn expires_ms(&self) -> u64 {
        self.expires_ms
    }

    /// Returns where to knock.
    pub fn hints(&self) -> &[Hint] {
        &self.hints
    }

    /// Returns its key: the private half of what the invite entry published.
    pub fn key(&self) -> SigningKey {
        let purpose = "hexode/charter/invitation/1";
        SigningKey::from_seed(&crypto::derive_key(&self.secret.0, self.circle.as_bytes(), purpose))
    }

    /// Returns its public key, by which members find the invite entry.
    pub fn public(&self) -> PublicKey {
        PublicKey::new(self.key().public())
    }

    /// Refuses an invitation whose time is over by the newcomer's own clock.
    pub fn check_time(&self, now_ms: u64) -> Result<(), InvitationError> {
        if now_ms > self.expires_ms {
            Err(InvitationError::Expired { expires_ms: self.expires_ms })
        } else {
            Ok(())
        }
    }

    /// Asks to be let in with a device's key, under two names.
    pub fn redeem(&self, device: &SigningKey, member_name: Name, device_name: Name) -> Redemption {
        let id = DeviceId::new(device.public());
        let key = self.key();
        let request = Redeeming::new(self.circle, self.invitation, id, &member_name, &device_name);
        let (redemption, consent) = (request.redemption(&key), request.consent(device));
        Redemption(Admission {
            invitation: self.invitation,
            public: PublicKey::new(key.public()),
            device: id,
            member_name,
            device_name,
            redemption,
            consent,
        })
    }

    /// Proves possession of the invitation in a context that occurs once, as a tunnel's exporter does.
    pub fn prove(&self, context: &[u8]) -> Signature {
        Signature(self.key().sign(PROOF, &[context]))
    }

    /// Writes the invitation as a link.
    pub fn to_link(&self) -> String {
        let content = Content {
            circle: self.circle,
            invitation: self.invitation,
            secret: self.secret.clone(),
            expires_ms: self.expires_ms,
            hints: self.hints.clone(),
        };
        let body = Zeroizing::new(wire::encode(&content));
        let len = u16::try_from(body.len()).expect("hints are few enough for 1 KiB");
        let mut bytes = Zeroizing::new(vec![VERSION]);
        bytes.extend(len.to_be_bytes());
        bytes.extend_from_slice(&body);
        let sum = checksum(&bytes);
        bytes.extend(sum);
        format!("{SCHEME}{}", BASE64URL_NOPAD.encode(&bytes))
    }
}

impl FromStr for Invitation {
    type Err = InvitationError;

    /// Reads a link; blanks and line ends that a mail program put in do no harm.
    fn from_str(text: &str) -> Result<Self, InvitationError> {
        if text.len() > limits::INVITATION * 4 {
            return Err(InvitationError::TooLong);
        }
        let text: Zeroizing<String> = Zeroizing::new(text.chars().filter(|c| !c.is_whitespace()).collect());
        let (scheme, code) = text.split_at_checked(SCHEME.len()).ok_or(InvitationError::NotAnInvitation)?;
        if !scheme.eq_ignore_ascii_case(SCHEME) {
            return Err(InvitationError::NotAnInvitation);
        }
        let bytes = unwrap_code(code)?;
        let (version, body) = bytes.split_first().ok_or(InvitationError::Truncated)?;
        if *version != VERSION {
            return Err(InvitationError::Newer { found: *version });
        }
        let body = body.get(2..body.len().saturating_sub(CHECKSUM)).ok_or(InvitationError::Truncated)?;
        let content: Content =
            wire::decode_canonical(body, limits::INVITATION).map_err(|_| InvitationError::Damaged)?;
        let Content { circle, invitation, secret, expires_ms, hints } = content;
        let many = hints.iter().any(|hint| hint.addresses.len() > limits::HINT_ADDRESSES);
        if hints.len() > limits::HINTS || many {
            return Err(InvitationError::Damaged);
        }
        Ok(Self { circle, invitation, secret, expires_ms, hints })
    }
}

/// Takes off what all versions share: `version (1) ‖ length (2) ‖ body ‖ checksum (4)`, in base64url.
fn unwrap_code(code: &str) -> Result<Zeroizing<Vec<u8>>, InvitationError> {
    let head = code.as_bytes().get(..4).ok_or(InvitationError::Truncated)?;
    let head = BASE64URL_NOPAD.decode(head).map_err(|_| InvitationError::Damaged)?;
    let [_, high, low] = *head else {
        return Err(InvitationError::Damaged);
    };
    let len = 3 + usize::from(u16::from_be_bytes([high, low])) + CHECKSUM;
    match code.len().cmp(&BASE64URL_NOPAD.encode_len(len)) {
        std::cmp::Ordering::Less => return Err(InvitationError::Truncated),
        std::cmp::Ordering::Greater => return Err(InvitationError::Damaged),
        std::cmp::Ordering::Equal => {}
    }
    let bytes = BASE64URL_NOPAD.decode(code.as_bytes()).map_err(|_| InvitationError::Damaged)?;
    let bytes = Zeroizing::new(bytes);
    let (content, sum) = bytes.split_at_checked(len - CHECKSUM).ok_or(InvitationError::Truncated)?;
    if checksum(content) == sum { Ok(bytes) } else { Err(InvitationError::Damaged) }
}

fn checksum(content: &[u8]) -> [u8; CHECKSUM] {
    let [a, b, c, d, ..] = crypto::hash("hexode/charter/link-checksum/1", &[content]);
    [a, b, c, d]
}

impl fmt::Debug for Invitation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Invitation").field("invitation", &self.invitation).finish_non_exhaustive()
    }
}

/// Sixteen bytes, overwritten when they are dropped.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Secret([u8; 16]);

impl Drop for Secret {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

#[derive(Serialize, Deserialize)]
struct Content {
    circle: CircleId,
    invitation: EntryId,
    secret: Secret,
    expires_ms: u64,
    hints: Vec<Hint>,
}

impl Redemption {
    /// Returns the device that wants to come in.
    pub fn device(&self) -> DeviceId {
        self.0.device
    }

    /// Returns the invite entry.
    pub fn invitation(&self) -> EntryId {
        self.0.invitation
    }

    /// Returns the invitation's key.
    pub fn public(&self) -> PublicKey {
        self.0.public
    }

    pub(crate) fn admission(&self) -> &Admission {
        &self.0
    }
}

impl PublicKey {
    /// Checks what [`Invitation::prove`] made in the same context.
    pub fn verify_proof(&self, context: &[u8], proof: &Signature) -> Result<(), SignatureError> {
        crypto::verify(self.as_bytes(), PROOF, &[context], &proof.0)
    }
}

/// Why a text is no invitation that can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvitationError {
    /// The text does not begin as a link of ours does.
    #[error("not an invitation: it should begin with \"{SCHEME}\"")]
    NotAnInvitation,
    /// The end is missing.
    #[error("invitation is incomplete: its end is missing")]
    Truncated,
    /// A character is wrong, or some are too many.
    #[error("invitation is damaged: a character is wrong")]
    Damaged,
    /// The text is far longer than any invitation.
    #[error("not an invitation: too long")]
    TooLong,
    /// A later version made it.
    #[error("invitation from a newer Hexode (format {found}, known up to {VERSION})")]
    Newer {
        /// Its format.
        found: u8,
    },
    /// Its time is over.
    #[error("invitation has expired")]
    Expired {
        /// When it ended, in milliseconds since 1970.
        expires_ms: u64,
    },
}

const SCHEME: &str = "hexode:";
const VERSION: u8 = 1;
const CHECKSUM: usize = 4;
const PROOF: &str = "hexode/charter/invitation-proof/1";

#[cfg(test)]
mod tests;
