//! Answers a device that asks for chunks, in the order of its questions.

use std::{
    future::pending,
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use files::{Answer, AnswerHead, Want};
use tokio::{
    sync::mpsc,
    task::{JoinHandle, spawn_blocking},
    time::{Duration, sleep},
};
use tunnel::{Broken, Class, Inlet, Outlet, Stream};

use super::{Held, Report, Turn};

/// A question, and the reading of its answer.
type Question = (Want, Reading);
type Reading = JoinHandle<io::Result<Option<Vec<u8>>>>;

/// Answers until the other side has no more questions, or something is not there.
pub(super) async fn run(held: Arc<Held>, stream: Stream, given: Arc<AtomicU64>, report: impl Fn(Report)) {
    let Stream { outlet, inlet, .. } = stream;
    outlet.set_class(Class::File);
    // As many answers are read ahead as one asker has questions open, and no more.
    let (ask, questions) = mpsc::channel(AHEAD);
    let was_whole = held.is_whole();
    tokio::select! {
        // Ends when all was answered and no more can come, or when the other side is gone.
        _ = answer(held.clone(), outlet, questions, &given) => {}
        () = async { hear(held.clone(), inlet, ask).await; pending().await } => {}
    }
    if was_whole && !held.is_whole() {
        report(held.report(Turn::Torn));
    }
}

/// Takes questions and begins to read what they want, until the asker says no more.
async fn hear(held: Arc<Held>, mut inlet: Inlet, ask: mpsc::Sender<Question>) {
    let mut question = [0; Want::LEN];
    let mut ahead = Ahead::default();
    while let Ok(true) = inlet.read(&mut question).await {
        let Ok(want) = Want::decode(&question) else { break };
        let reading = ahead.take(&held, want);
        if ask.send((want, reading)).await.is_err() {
            return;
        }
    }
}

/// What is read before it is asked for: of an asker who asks in order, the next chunk, so that he need not wait for the disk.
#[derive(Default)]
struct Ahead {
    asked: Option<u64>,
    next: Option<(u64, Reading)>,
}

impl Ahead {
    /// Begins to read what somebody wants, or takes what is being read.
    fn take(&mut self, held: &Arc<Held>, want: Want) -> Reading {
        let read = |want| {
            let held = held.clone();
            spawn_blocking(move || held.read(want))
        };
        let Want::Chunk(index) = want else { return read(want) };
        let in_order = index.checked_sub(1).is_some_and(|before| self.asked == Some(before));
        let reading = match self.next.take() {
            Some((next, reading)) if next == index => reading,
            _ => read(want),
        };
        self.asked = Some(index);
        self.next = index
            .checked_add(1)
            .filter(|next| in_order && held.has(*next))
            .map(|next| (next, read(Want::Chunk(next))));
        reading
    }
}

async fn answer(
    held: Arc<Held>,
    mut outlet: Outlet,
    mut questions: mpsc::Receiver<Question>,
    given: &AtomicU64,
) -> Result<(), Broken> {
    let mut grown = held.grown.subscribe();
    loop {
        grown.mark_unchanged();
        say(&mut outlet, Answer::Map, held.encoded_map()).await?;
        loop {
            tokio::select! {
                biased;
                question = questions.recv() => {
                    let Some((want, reading)) = question else { return Ok(()) };
                    let Ok(Ok(Some(bytes))) = reading.await else {
                        return say(&mut outlet, Answer::Not, Vec::new()).await;
                    };
                    let len = bytes.len() as u64;
                    say(&mut outlet, Answer::Wanted(want), bytes).await?;
                    given.fetch_add(len, Ordering::Relaxed);
                }
                // Told now and then, not chunk by chunk.
                true = changed(&mut grown) => break,
            }
        }
    }
}

async fn changed(grown: &mut tokio::sync::watch::Receiver<u64>) -> bool {
    sleep(TELL).await;
    grown.changed().await.is_ok()
}

async fn say(outlet: &mut Outlet, answer: Answer, bytes: Vec<u8>) -> Result<(), Broken> {
    let head = AnswerHead { answer, len: bytes.len() };
    outlet.write(head.encode().to_vec().into()).await?;
    if bytes.is_empty() { Ok(()) } else { outlet.write(bytes.into()).await }
}

/// How many answers are read before they can be written.
const AHEAD: usize = 2;
/// How long what has come is gathered before it is told.
const TELL: Duration = Duration::from_secs(1);
