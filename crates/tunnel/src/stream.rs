//! Streams of their own beside a link's frames: whoever opens one says what for, and both ends write as they like.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use iroh::endpoint::{Connection, RecvStream, SendStream};
use tokio::{sync::oneshot, time::timeout};
use wire::limits;

use crate::{
    framing::{self, Frames},
    link::Activity,
};

/// How urgent what is sent is. On one link the more urgent always goes first; what is as urgent takes turns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// As the link's frames.
    Message,
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
}

/// The end of a stream into which is written. Dropped, it is finished: what was written still goes out.
pub struct Outlet {
    send: SendStream,
    activity: Arc<Activity>,
}

/// The end of a stream from which is read. Dropped, it tells the other end to stop.
pub struct Inlet {
    recv: RecvStream,
    /// What came with the opening.
    rest: Bytes,
}

/// The stream ended early: one of its ends let go of it, or the link is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the stream ended early")]
pub struct Broken;

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
            return Err(Broken);
        }
        // Whether anybody answers is felt on the link as a whole.
        self.activity.note_said();
        self.send.write_chunk(bytes).await.map_err(|_| Broken)
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
            let Some(free) = buffer.get_mut(at..) else { return Err(Broken) };
            if !self.rest.is_empty() {
                let taken = self.rest.split_to(self.rest.len().min(free.len()));
                for (to, from) in free.iter_mut().zip(&taken) {
                    *to = *from;
                }
                at += taken.len();
                continue;
            }
            match self.recv.read(free).await.map_err(|_| Broken)? {
                Some(count) => at += count,
                None if at == 0 => return Ok(false),
                None => return Err(Broken),
            }
        }
        Ok(true)
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
        let outlet = Outlet { send, activity };
        outlet.set_class(class);
        // Whoever asked may want it no more: it ends at once.
        drop(answer.send(Stream { outlet, inlet: Inlet { recv, rest: Bytes::new() } }));
    }
}

/// Hears what a stream is for that the other end opened; nothing if it does not say so in time.
pub(crate) async fn hear(
    send: SendStream,
    recv: RecvStream,
    activity: Arc<Activity>,
) -> Option<(Vec<u8>, Stream)> {
    let mut frames = Frames::new(recv);
    let opening = timeout(OPENING, async {
        let length = frames.length(limits::OPENING).await.ok()??;
        frames.body(length).await.ok()
    });
    let opening = opening.await.ok()??;
    let (recv, rest) = frames.into_rest();
    Some((opening, Stream { outlet: Outlet { send, activity }, inlet: Inlet { recv, rest } }))
}

/// How many streams the other end of a link may have open at a time.
pub(crate) const STREAMS: u32 = 64;
/// How long it may take to say what a stream is for.
const OPENING: Duration = Duration::from_secs(5);
