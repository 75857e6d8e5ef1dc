//! A flow that is open: what one end says is sealed record by record and goes to the other, both ways at a time.

use std::{io, sync::atomic::Ordering};

use bytes::Bytes;
use streams::{Class, Kind, Reason, Sealer, Side, Unsealer, record_len};
use tokio::{
    select,
    sync::{Notify, Semaphore},
    time::{Duration, sleep},
    try_join,
};
use tunnel::{Broken, Inlet, Outlet, Stream};
use wire::{CircleId, Flow, Opening};

use super::{
    desk::{Place, Taken},
    local::{From, Local, To},
};

/// The two halves of a flow, with the keys of its directions.
pub(super) struct Wire {
    pub(super) says: Says,
    pub(super) hears: Hears,
}

/// What this end says.
pub(super) struct Says {
    pub(super) outlet: Outlet,
    sealer: Sealer,
}

/// What the other end says.
pub(super) struct Hears {
    pub(super) inlet: Inlet,
    unsealer: Unsealer,
}

impl Wire {
    /// Takes the keys of a stream; nothing if its link is gone.
    pub(super) fn new(circle: &CircleId, flow: &Flow, side: Side, stream: Stream) -> Option<Self> {
        let Stream { outlet, inlet, session } = stream;
        let secret = session.secret(EXPORT, circle.as_bytes())?;
        let opening = Opening::Flow(flow.clone()).encode();
        let other = match side {
            Side::Opener => Side::Offerer,
            Side::Offerer => Side::Opener,
        };
        let number = session.stream();
        let sealer = Sealer::new(&secret, number, &opening, side);
        let unsealer = Unsealer::new(&secret, number, &opening, other);
        Some(Self { says: Says { outlet, sealer }, hears: Hears { inlet, unsealer } })
    }

    pub(super) fn set_class(&self, class: Class) {
        self.says.outlet.set_class(match class {
            Class::Voice => tunnel::Class::Voice,
            Class::Message => tunnel::Class::Message,
            Class::File => tunnel::Class::File,
            Class::Bulk => tunnel::Class::Bulk,
        });
    }

    /// Lets go of both halves, and says why.
    pub(super) fn reset(&mut self, reason: Reason) {
        let code = RESET + u32::from(reason.code());
        self.says.outlet.reset(code);
        self.hears.inlet.stop(code);
    }
}

impl Says {
    /// Says one record that is short.
    pub(super) async fn say(&mut self, kind: Kind, bytes: &[u8]) -> Result<(), Reason> {
        let mut record = Sealer::record(bytes.len());
        record.extend_from_slice(bytes);
        self.send(kind, record).await
    }

    /// Says a record that was begun with [`Sealer::record`].
    pub(super) async fn send(&mut self, kind: Kind, mut record: Vec<u8>) -> Result<(), Reason> {
        self.sealer.seal(kind, &mut record).map_err(|_| Reason::Garbage)?;
        self.outlet.write(Bytes::from(record)).await.map_err(reason_of)
    }
}

impl Hears {
    /// Hears the next record; an end that was not said is a reset.
    pub(super) async fn hear(&mut self) -> Result<(Kind, Vec<u8>), Reason> {
        let mut head = [0; Sealer::HEAD];
        if !self.inlet.read(&mut head).await.map_err(reason_of)? {
            return Err(Reason::Reset);
        }
        let len = record_len(head).map_err(|_| Reason::Garbage)?;
        let mut sealed = Vec::with_capacity(len);
        if !self.inlet.read_onto(&mut sealed, len).await.map_err(reason_of)? {
            return Err(Reason::Reset);
        }
        let kind = self.unsealer.open(&mut sealed).map_err(|_| Reason::Garbage)?;
        Ok((kind, sealed))
    }
}

/// Moves bytes until both ends have said their end, or one breaks it off.
pub(super) async fn join(mut local: Local, mut wire: Wire, place: Taken) -> Result<(), Reason> {
    let unwanted = wire.says.outlet.unwanted();
    let (mut cut, place) = (place.1, &place.0);
    let outcome = {
        let (says, hears) = (&mut wire.says, &mut wire.hears);
        let Local { from, to } = &mut local;
        let ended = Notify::new();
        let both = async {
            let out = async {
                select! {
                    biased;
                    told = tell(from, says, place) => told?,
                    code = unwanted => return left(code),
                }
                select! {
                    biased;
                    () = ended.notified() => Ok(()),
                    // What is still said to a command that has ended is said to nobody.
                    () = from.gone() => Err(Over::Properly),
                }
            };
            let into = async {
                pass(hears, to, place).await?;
                ended.notify_one();
                Ok(())
            };
            try_join!(out, into).map(drop)
        };
        select! {
            biased;
            reason = &mut cut => Err(Over::By(reason.unwrap_or(Reason::Closed))),
            done = both => done,
        }
    };
    match outcome {
        Ok(()) => Ok(()),
        Err(Over::Properly) => {
            wire.hears.inlet.stop(DONE);
            Ok(())
        }
        Err(Over::By(reason)) => {
            wire.reset(reason);
            local.reset();
            Err(reason)
        }
    }
}

/// How a flow is over before both ends have said so.
enum Over {
    /// Nobody is there any more to be told anything.
    Properly,
    /// It broke off.
    By(Reason),
}

impl std::convert::From<Reason> for Over {
    fn from(reason: Reason) -> Self {
        Self::By(reason)
    }
}

/// Says what it means that the other end wants no more: what it still says is heard all the same.
fn left(code: Option<u64>) -> Result<(), Over> {
    match code {
        Some(code) if code == u64::from(DONE) => Ok(()),
        Some(code) => Err(Over::By(reason_of(Broken::Let(code)))),
        None => Err(Over::By(Reason::Lost)),
    }
}

/// Tells the other end what the program here says.
async fn tell(from: &mut From, says: &mut Says, place: &Place) -> Result<(), Reason> {
    // Little is taken while little comes: of many flows most are at rest.
    let mut room = REST;
    loop {
        let mut record = Sealer::record(room);
        let read = from.read(&mut record, room).await.map_err(|error| of_program(&error))?;
        if read == 0 {
            says.say(Kind::End, &[]).await?;
            says.outlet.finish();
            return Ok(());
        }
        room = if read == room {
            (room * 4).min(BULK)
        } else if read < room / 4 {
            REST.max(room / 4)
        } else {
            room
        };
        place.keep_rate(1, read).await;
        place.count.sent.fetch_add(read as u64, Ordering::Relaxed);
        says.send(Kind::Data, record).await?;
    }
}

/// Tells the program here what the other end says.
async fn pass(hears: &mut Hears, to: &mut To, place: &Place) -> Result<(), Reason> {
    loop {
        match hears.hear().await? {
            (Kind::Data, bytes) => {
                place.keep_rate(0, bytes.len()).await;
                place.count.received.fetch_add(bytes.len() as u64, Ordering::Relaxed);
                write(to, &bytes, &place.still).await?;
            }
            (Kind::End, _) => {
                // Nothing follows; a half that is let go of before its end would look unwanted.
                if hears.inlet.read(&mut [0]).await.map_err(reason_of)? {
                    return Err(Reason::Garbage);
                }
                return to.end().await.map_err(|error| of_program(&error));
            }
            _ => return Err(Reason::Garbage),
        }
    }
}

/// Writes, and waits for a reader who stands still as long as few others do.
async fn write(to: &mut To, mut bytes: &[u8], still: &Semaphore) -> Result<(), Reason> {
    while !bytes.is_empty() {
        let writing = to.write(bytes);
        tokio::pin!(writing);
        let written = select! {
            biased;
            written = &mut writing => written,
            () = sleep(STANDS) => {
                let _place = still.try_acquire().map_err(|_| Reason::Stalled)?;
                writing.await
            }
        };
        match written {
            Ok(0) => return Err(Reason::Reset),
            Ok(written) => bytes = bytes.get(written..).unwrap_or_default(),
            Err(error) => return Err(of_program(&error)),
        }
    }
    Ok(())
}

fn of_program(error: &io::Error) -> Reason {
    tracing::debug!(kind = %error.kind(), "a program broke off its end of a flow");
    Reason::Reset
}

/// Says why a half of a stream is over.
pub(super) fn reason_of(broken: Broken) -> Reason {
    match broken {
        Broken::Let(code) => {
            let code = code.checked_sub(u64::from(RESET)).and_then(|code| u8::try_from(code).ok());
            code.map_or(Reason::Reset, Reason::of_code)
        }
        Broken::Cut => Reason::Reset,
        Broken::Lost => Reason::Lost,
    }
}

/// The label under which the session gives the secret of its flows.
const EXPORT: &[u8] = b"hexode streams 1";
/// The code by which an end is let go of because nobody is there any more; and the one to which a reason's is added.
const DONE: u32 = 0;
const RESET: u32 = 0x300;
/// How many bytes are read at a time from a program that says little, and from one that says much.
const REST: usize = 1 << 10;
const BULK: usize = 60 << 10;
/// After how long a reader who takes nothing stands still.
const STANDS: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use tokio::{io::AsyncReadExt, net::UnixStream};

    use super::*;

    #[tokio::test]
    async fn who_is_slow_does_not_stand_still() {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        // As little as the system lets a connection hold, so that each part that is taken makes room for the next.
        rustix::net::sockopt::set_socket_send_buffer_size(&ours, 1).unwrap();
        let Local { mut to, .. } = Local::unix(ours);
        let (bytes, nobody) = (vec![7; 40 << 10], Semaphore::new(0));
        let read = async {
            let mut part = vec![0; 2 << 10];
            for _ in 0..bytes.len() / part.len() {
                sleep(STANDS / 12).await;
                theirs.read_exact(&mut part).await.unwrap();
            }
        };
        let (written, ()) = tokio::join!(write(&mut to, &bytes, &nobody), read);
        assert_eq!(written, Ok(()));
        assert_eq!(write(&mut to, &bytes, &nobody).await, Err(Reason::Stalled));
    }
}
