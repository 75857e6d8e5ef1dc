//! Streams of their own beside a link's frames: whoever opens one says what for, and both ends write as they like.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use bytes::{BufMut, Bytes};
use iroh::endpoint::{Connection, ReadError, RecvStream, SendStream, VarInt, WriteError};
use tokio::{io::AsyncReadExt, sync::oneshot, time::timeout};
use wire::limits;
use zeroize::Zeroizing;

use crate::{
    framing::{self, Frames},
    link::Activity,
    transport,
};

/// How urgent what is sent is. On one link the more urgent always goes first; what is as urgent takes turns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// Before the link's frames, too: what is of no use if it comes late.
    Voice = -1,
    /// As the link's frames.
    Message = 0,
    /// Mail that nobody waits for at this moment.
    Mail,
    /// Files that somebody wants.
    File,
    /// All that can wait.
    Bulk,
}

/// A stream between two devices of a circle, from its opening on. Ends with its link at the latest.
#[derive(Debug)]
pub struct Stream {
    /// What this end says.
    pub outlet: Outlet,
    /// What the other end says.
    pub inlet: Inlet,
    /// In what session it is.
    pub session: Session,
}

/// The session that a stream is in, and its place there.
pub struct Session {
    /// Boxed, since streams are handed from hand to hand.
    connection: Box<Connection>,
    stream: u64,
}

/// The end of a stream into which is written. Dropped, it is finished: what was written still goes out.
pub struct Outlet {
    send: SendStream,
    activity: Arc<Activity>,
    _place: Option<Arc<()>>,
}

/// The end of a stream from which is read. Dropped, it tells the other end to stop.
pub struct Inlet {
    recv: RecvStream,
    /// What came with the opening.
    rest: Bytes,
    _place: Option<Arc<()>>,
}

/// The stream ended early.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// The other end let go of it, and said this.
    #[error("the other end let go of the stream: {0}")]
    Let(u64),
    /// It ended inside of what was to be read.
    #[error("the stream ended early")]
    Cut,
    /// The link is gone.
    #[error("the link is gone")]
    Lost,
}

impl From<ReadError> for Broken {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Reset(code) => Self::Let(code.into_inner()),
            _ => Self::Lost,
        }
    }
}

impl From<io::Error> for Broken {
    fn from(error: io::Error) -> Self {
        let known = error.get_ref().and_then(|error| error.downcast_ref::<ReadError>());
        known.map_or(Self::Lost, |error| error.clone().into())
    }
}

impl From<WriteError> for Broken {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::Stopped(code) => Self::Let(code.into_inner()),
            _ => Self::Lost,
        }
    }
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Session(stream {})", self.stream)
    }
}

impl Session {
    /// Returns the stream's number, which no other stream of the session has, the same at both ends.
    pub const fn stream(&self) -> u64 {
        self.stream
    }

    /// Takes a secret for one purpose from the session (RFC 8446 §7.5), the same at both ends and for every stream of it;
    /// `None` if the link is gone.
    pub fn secret(&self, label: &[u8], context: &[u8]) -> Option<Zeroizing<[u8; 32]>> {
        let mut secret = Zeroizing::new([0; 32]);
        self.connection.export_keying_material(secret.as_mut(), label, context).ok()?;
        Some(secret)
    }
}

impl std::fmt::Debug for Outlet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Outlet({})", self.send.id())
    }
}

impl std::fmt::Debug for Inlet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Inlet({})", self.recv.id())
    }
}

impl Outlet {
    /// Says how urgent what is written is, from here on.
    pub fn set_class(&self, class: Class) {
        // Fails only for a stream that is over.
        let _ = self.send.set_priority(-(class as i32));
    }

    /// Writes all of it, as the other end takes it.
    pub async fn write(&mut self, bytes: Bytes) -> Result<(), Broken> {
        // A link that is parted ends a moment later; until then whoever is at its other end gets no more.
        if self.activity.is_parting() {
            return Err(Broken::Lost);
        }
        // Whether anybody answers is felt on the link as a whole.
        self.activity.note_said();
        Ok(self.send.write_chunk(bytes).await?)
    }

    /// Says that this is all; what was written still goes out.
    pub fn finish(&mut self) {
        // Fails only for a stream that is over.
        let _ = self.send.finish();
    }

    /// Lets go of the stream at once: what has not arrived never does, and the other end hears `code`.
    pub fn reset(&mut self, code: u32) {
        // Fails only for a stream that is over.
        let _ = self.send.reset(VarInt::from_u32(code));
    }

    /// Waits until the other end wants no more, and returns what it says; `None` once all has arrived or the link is gone.
    pub fn unwanted(&self) -> impl Future<Output = Option<u64>> + Send + use<> {
        let stopped = self.send.stopped();
        async move { stopped.await.ok().flatten().map(VarInt::into_inner) }
    }

    /// Waits until the other end has let go of the stream, or the link is gone.
    pub async fn stopped(&self) {
        let _ = self.send.stopped().await;
    }
}

impl Inlet {
    /// Fills `buffer`; `false` if the stream ended properly before its first byte.
    pub async fn read(&mut self, buffer: &mut [u8]) -> Result<bool, Broken> {
        let mut at = 0;
        while at < buffer.len() {
            let Some(free) = buffer.get_mut(at..) else { return Err(Broken::Cut) };
            if !self.rest.is_empty() {
                let taken = self.rest.split_to(self.rest.len().min(free.len()));
                for (to, from) in free.iter_mut().zip(&taken) {
                    *to = *from;
                }
                at += taken.len();
                continue;
            }
            match self.recv.read(free).await? {
                Some(count) => at += count,
                None if at == 0 => return Ok(false),
                None => return Err(Broken::Cut),
            }
        }
        Ok(true)
    }

    /// Appends `count` bytes; `false` if the stream ended properly before the first of them.
    pub async fn read_onto(&mut self, buffer: &mut Vec<u8>, count: usize) -> Result<bool, Broken> {
        let mut left = count;
        let taken = self.rest.split_to(self.rest.len().min(left));
        buffer.extend_from_slice(&taken);
        left -= taken.len();
        while left > 0 {
            // Into room that nobody has to clear before.
            match self.recv.read_buf(&mut (&mut *buffer).limit(left)).await {
                Ok(0) if left == count => return Ok(false),
                Ok(0) => return Err(Broken::Cut),
                Ok(read) => left -= read,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(true)
    }

    /// Wants no more, and says why.
    pub fn stop(&mut self, code: u32) {
        // Fails only for a stream that is over.
        let _ = self.recv.stop(VarInt::from_u32(code));
    }
}

/// Opens a stream, as soon as the other end has room for one more, and says what for.
pub(crate) async fn open(
    connection: Connection,
    activity: Arc<Activity>,
    (class, opening): (Class, Vec<u8>),
    answer: oneshot::Sender<Stream>,
) {
    let Ok((mut send, recv)) = connection.open_bi().await else { return };
    activity.note_said();
    let mut chunks = framing::pack([opening].into_iter());
    if send.write_all_chunks(&mut chunks).await.is_ok() {
        let session = Session { connection: Box::new(connection), stream: number(&send) };
        let outlet = Outlet { send, activity, _place: None };
        outlet.set_class(class);
        // Whoever asked may want it no more: it ends at once.
        drop(answer.send(Stream {
            outlet,
            inlet: Inlet { recv, rest: Bytes::new(), _place: None },
            session,
        }));
    }
}

/// Hears what a stream is for that the other end opened; nothing if it does not say so in time.
pub(crate) async fn hear(
    connection: Connection,
    (send, recv): (SendStream, RecvStream),
    activity: Arc<Activity>,
    room: &Room,
) -> Option<(Vec<u8>, Stream)> {
    let mut frames = Frames::new(recv);
    let opening = timeout(OPENING, async {
        let length = frames.length(limits::OPENING).await.ok()??;
        frames.body(length).await.ok()
    });
    let opening = opening.await.ok()??;
    let (recv, rest) = frames.into_rest();
    let place = Some(room.take(&connection));
    let session = Session { connection: Box::new(connection), stream: number(&send) };
    let outlet = Outlet { send, activity, _place: place.clone() };
    Some((opening, Stream { outlet, inlet: Inlet { recv, rest, _place: place }, session }))
}

/// The streams in use that the other end of a link opened. The room for more, and for what they all bring, grows with them, so that
/// a link without any costs little and holds little of who says nothing.
#[derive(Debug, Default)]
pub(crate) struct Room {
    /// Held by both halves of each.
    used: Arc<()>,
    /// The most there have been.
    most: AtomicU32,
}

impl Room {
    fn take(&self, connection: &Connection) -> Arc<()> {
        let place = self.used.clone();
        // One of all is the room's own, and this one will be two.
        let used = u32::try_from(Arc::strong_count(&self.used) / 2).unwrap_or(u32::MAX);
        let most = self.most.fetch_max(used, Ordering::Relaxed);
        if used > most {
            transport::grow(connection, most, used);
        }
        place
    }
}

/// A stream's number as QUIC has it (RFC 9000 §2.1).
fn number(send: &SendStream) -> u64 {
    VarInt::from(send.id()).into_inner()
}

/// How long it may take to say what a stream is for.
const OPENING: Duration = Duration::from_secs(5);
