//! The first frame each way: who is there, bound to this very TLS session.

use iroh::endpoint::{Connection, ConnectionState};
use serde::{Deserialize, Serialize};
use wire::{Blob, CircleId, DeviceId, Signature, limits};

/// The largest hello, in bytes: a newcomer's request and what is around it.
pub(crate) const LIMIT: usize = limits::CHARTER_ENTRY + 512;

/// The end of the connection that speaks. Without it a hello could be turned back on its sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// The one that dialled.
    Initiator = 1,
    /// The one that answered.
    Responder = 2,
}

/// A secret that only the two ends of one TLS session know, for what one of them says in one circle.
#[derive(Clone)]
pub(crate) struct Binding([u8; 32]);

impl Binding {
    /// Takes it from the session (RFC 8446 §7.5); `None` before the handshake is complete.
    pub(crate) fn of<S: ConnectionState>(
        connection: &Connection<S>,
        circle: &CircleId,
        speaker: Role,
    ) -> Option<Self> {
        let mut context = [0; 33];
        let (id, role) = context.split_at_mut(32);
        id.copy_from_slice(circle.as_bytes());
        role.fill(speaker as u8);
        let mut secret = [0; 32];
        connection.export_keying_material(&mut secret, LABEL, &context).ok()?;
        Some(Self(secret))
    }
}

impl Binding {
    /// Makes the binding of no session, for [`crate::fuzzing`].
    pub(crate) const fn fixed() -> Self {
        Self([5; 32])
    }
}

/// What a device says of itself, before it is signed.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Statement {
    /// Drawn when the tunnel started: tells a restarted device from one that merely dials again.
    pub(crate) instance: u64,
    /// Grows with every hello of that instance.
    pub(crate) serial: u64,
    /// In what capacity the device comes.
    pub(crate) kind: Kind,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum Kind {
    /// As one that the roster should name.
    Member,
    /// As one that was invited.
    Newcomer { invitation: [u8; 32], proof: Signature, request: Blob },
}

/// The frame itself. Another version is another variant.
#[derive(Serialize, Deserialize)]
enum Hello {
    V1 { statement: Statement, signature: Signature },
}

impl Kind {
    /// Proves that we hold an invitation's key, in this session and for this device only.
    pub(crate) fn newcomer(knock: &crate::Knock, device: &DeviceId, binding: &Binding) -> Self {
        let proof = knock.invitation.sign(INVITATION, &[&binding.0, device.as_bytes(), &knock.request]);
        Self::Newcomer {
            invitation: knock.invitation.public(),
            proof: Signature(proof),
            request: Blob(knock.request.clone()),
        }
    }
}

/// Signs and encodes a hello.
pub(crate) fn make(key: &crypto::SigningKey, statement: Statement, binding: &Binding) -> Vec<u8> {
    let signature = Signature(key.sign(DEVICE, &[&binding.0, &wire::encode(&statement)]));
    wire::encode(&Hello::V1 { statement, signature })
}

/// A statement whose every signature holds for the device at the other end of the session.
///
/// Only [`check`] makes one.
#[derive(Debug)]
pub(crate) struct Checked(Statement);

impl Checked {
    pub(crate) fn kind(&self) -> &Kind {
        &self.0.kind
    }

    /// Which instance of the device speaks, and its how manyeth hello this is.
    pub(crate) fn number(&self) -> (u64, u64) {
        (self.0.instance, self.0.serial)
    }

    pub(crate) fn into_statement(self) -> Statement {
        self.0
    }
}

/// Decodes a hello and checks that `device` signed it in the session of `binding`.
pub(crate) fn check(bytes: &[u8], device: &DeviceId, binding: &Binding) -> Result<Checked, HelloError> {
    let Hello::V1 { statement, signature } = wire::decode_canonical(bytes, LIMIT)?;
    device
        .verify(DEVICE, &[&binding.0, &wire::encode(&statement)], &signature)
        .map_err(|_| HelloError::Device)?;
    if let Kind::Newcomer { invitation, proof, request } = &statement.kind {
        crypto::verify(invitation, INVITATION, &[&binding.0, device.as_bytes(), &request.0], &proof.0)
            .map_err(|_| HelloError::Invitation)?;
    }
    Ok(Checked(statement))
}

/// Why a hello is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum HelloError {
    /// The bytes are no hello of a version known here.
    #[error("not a hello: {0}")]
    Malformed(#[from] wire::DecodeError),
    /// The device's signature is not over this session in this circle.
    #[error("the device's signature is not over this session")]
    Device,
    /// The invitation's signature is not over this session and device.
    #[error("the invitation's signature is not over this session")]
    Invitation,
}

const LABEL: &[u8] = b"hexode hello 1";
const DEVICE: &str = "hexode hello 1 device";
const INVITATION: &str = "hexode hello 1 invitation";

#[cfg(test)]
mod tests {
    use crypto::SigningKey;
    use proptest::prelude::*;

    use super::*;

    fn id(key: &SigningKey) -> DeviceId {
        DeviceId::new(key.public())
    }

    fn member() -> Statement {
        Statement { instance: 7, serial: 1, kind: Kind::Member }
    }

    #[test]
    fn a_member_is_believed_in_his_own_session_only() {
        let key = SigningKey::from_seed(&[1; 32]);
        let session = Binding([5; 32]);
        let hello = make(&key, member(), &session);
        assert!(check(&hello, &id(&key), &session).is_ok());
        let other = id(&SigningKey::from_seed(&[2; 32]));
        assert!(matches!(check(&hello, &other, &session), Err(HelloError::Device)));
        assert!(matches!(check(&hello, &id(&key), &Binding([6; 32])), Err(HelloError::Device)));
    }

    #[test]
    fn an_invitation_is_believed_of_its_own_device_and_session_only() {
        let (newcomer, thief) = (SigningKey::from_seed(&[1; 32]), SigningKey::from_seed(&[2; 32]));
        let knock = crate::Knock { invitation: SigningKey::from_seed(&[3; 32]), request: b"me".to_vec() };
        let (his, thiefs) = (Binding([5; 32]), Binding([6; 32]));
        let kind = Kind::newcomer(&knock, &id(&newcomer), &his);
        let hello = make(&newcomer, Statement { kind: kind.clone(), ..member() }, &his);
        assert!(check(&hello, &id(&newcomer), &his).is_ok());
        // The thief signs everything anew but for the invitation, whose key he lacks.
        for binding in [&his, &thiefs] {
            let stolen = make(&thief, Statement { kind: kind.clone(), ..member() }, binding);
            assert!(matches!(check(&stolen, &id(&thief), binding), Err(HelloError::Invitation)));
        }
    }

    #[test]
    fn one_changed_bit_is_never_believed() {
        let key = SigningKey::from_seed(&[1; 32]);
        let session = Binding([5; 32]);
        let knock = crate::Knock { invitation: SigningKey::from_seed(&[3; 32]), request: b"me".to_vec() };
        let kind = Kind::newcomer(&knock, &id(&key), &session);
        let hello = make(&key, Statement { kind, ..member() }, &session);
        for at in 0..hello.len() * 8 {
            let mut bad = hello.clone();
            bad[at / 8] ^= 1 << (at % 8);
            assert!(check(&bad, &id(&key), &session).is_err(), "bit {at}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_refused_calmly(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            let key = SigningKey::from_seed(&[1; 32]);
            prop_assert!(check(&bytes, &id(&key), &Binding([5; 32])).is_err());
        }
    }
}
