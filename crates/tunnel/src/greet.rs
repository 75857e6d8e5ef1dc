//! What is common to both ends of a connection before its link is up.

use std::sync::Arc;

use iroh::endpoint::{Connection, ConnectionError, ConnectionState, RecvStream, SendStream};
use wire::{CircleId, DeviceId};

use crate::{
    RefuseReason,
    framing::{FrameError, Frames},
    hello::{self, Binding, Checked, HelloError, Role},
    transport::code,
};

/// Who we are, for all that greet in our name.
#[derive(Debug)]
pub(crate) struct Identity {
    pub(crate) circle: CircleId,
    pub(crate) device: DeviceId,
    pub(crate) key: crypto::SigningKey,
    /// Drawn at start, told in every hello.
    pub(crate) instance: u64,
}

impl Identity {
    /// Makes our hello for one connection; `None` if its handshake is not complete.
    pub(crate) fn hello<S: ConnectionState>(
        &self,
        connection: &Connection<S>,
        role: Role,
        serial: u64,
        knock: Option<&crate::Knock>,
    ) -> Option<Vec<u8>> {
        let binding = Binding::of(connection, &self.circle, role)?;
        let kind = match knock {
            None => hello::Kind::Member,
            Some(knock) => hello::Kind::newcomer(knock, &self.device, &binding),
        };
        let statement = hello::Statement { instance: self.instance, serial, kind };
        Some(hello::make(&self.key, statement, &binding))
    }
}

/// A connection that we dialled and on which both hellos hold.
pub(crate) struct Greeting {
    pub(crate) device: DeviceId,
    pub(crate) connection: Connection,
    pub(crate) key_exchange: &'static str,
    pub(crate) checked: Checked,
    pub(crate) send: SendStream,
    pub(crate) frames: Frames,
}

/// Reads the other side's hello and checks it.
pub(crate) async fn hear<S: ConnectionState>(
    identity: &Identity,
    connection: &Connection<S>,
    device: &DeviceId,
    role: Role,
    frames: &mut Frames,
) -> Result<Checked, GreetError> {
    let length = frames.length(hello::LIMIT).await?.ok_or(FrameError::Cut)?;
    let bytes = frames.body(length).await?;
    let binding = Binding::of(connection, &identity.circle, role).ok_or(GreetError::Session)?;
    Ok(hello::check(&bytes, device, &binding)?)
}

/// As the one that dialled: says our hello on a new stream and waits for the answer.
pub(crate) async fn open<S: ConnectionState>(
    identity: Arc<Identity>,
    connection: &Connection<S>,
    device: &DeviceId,
    serial: u64,
    knock: Option<&crate::Knock>,
) -> Result<(Checked, SendStream, Frames), GreetError> {
    let ours = identity.hello(connection, Role::Initiator, serial, knock).ok_or(GreetError::Session)?;
    let (mut send, recv): (SendStream, RecvStream) = connection.open_bi().await?;
    let mut chunks = crate::framing::pack([ours].into_iter());
    send.write_all_chunks(&mut chunks).await.map_err(|_| GreetError::Lost)?;
    let mut frames = Frames::new(recv);
    let checked = hear(&identity, connection, device, Role::Responder, &mut frames).await?;
    match checked.kind() {
        hello::Kind::Member => Ok((checked, send, frames)),
        hello::Kind::Newcomer { .. } => Err(GreetError::Kind),
    }
}

/// Why two devices did not come to a link. The texts are for people who ask why a device is not reached.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum GreetError {
    /// No address is known.
    #[error("no address known")]
    NoAddress,
    /// The device's id is no key that TLS could check.
    #[error("the device's id is not a key")]
    BadId,
    /// Nothing came back in time.
    #[error("no answer")]
    TimedOut,
    /// There is someone, but not this device, or he takes no such key exchange.
    #[error("someone else answers there, or one without X25519MLKEM768")]
    Handshake,
    /// The TLS session was agreed otherwise than with X25519MLKEM768.
    #[error("the key exchange is not X25519MLKEM768")]
    KeyExchange,
    /// The session gave no binding.
    #[error("the handshake is not complete")]
    Session,
    /// The hello does not hold.
    #[error(transparent)]
    Hello(#[from] HelloError),
    /// The answer to our hello is a newcomer's.
    #[error("a newcomer answered")]
    Kind,
    /// The other side closed, and this is all it says.
    #[error("turned away")]
    Refused(RefuseReason),
    /// The other side prefers another link that is just coming up.
    #[error("another link is coming up")]
    Duplicate,
    /// The connection was lost on the way.
    #[error("the connection was lost")]
    Lost,
}

impl From<FrameError> for GreetError {
    fn from(error: FrameError) -> Self {
        match error {
            FrameError::Gone(iroh::endpoint::ReadError::ConnectionLost(error)) => error.into(),
            _ => Self::Lost,
        }
    }
}

impl From<ConnectionError> for GreetError {
    fn from(error: ConnectionError) -> Self {
        match error {
            ConnectionError::ApplicationClosed(close) if close.error_code == code::DUPLICATE => {
                Self::Duplicate
            }
            ConnectionError::ApplicationClosed(close) => {
                code::refused(close.error_code).map_or(Self::Lost, Self::Refused)
            }
            ConnectionError::TimedOut => Self::TimedOut,
            ConnectionError::TransportError(_) | ConnectionError::ConnectionClosed(_) => Self::Handshake,
            _ => Self::Lost,
        }
    }
}
