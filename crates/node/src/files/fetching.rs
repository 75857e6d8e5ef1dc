//! Collects one file: runs the machine of the crate `files` on real streams and a real disk.

use std::{
    collections::BTreeMap,
    io,
    sync::Arc,
    time::{Duration, Instant},
};

use files::{Answer, AnswerHead, Fault, Fetch, Output, Want, check_chunk};
use tokio::{
    sync::{mpsc, oneshot, watch},
    task::{JoinSet, spawn_blocking},
    time::{sleep, sleep_until},
};
use tunnel::{Class, Inlet, LinkId, Outlet, Stream};
use wire::{DeviceId, Opening};

use super::{Held, Progress, Reach, Report, Turn, progress::Pace};

/// Collects until all is on the disk; what stands in the way on this machine is waited for.
pub(super) async fn run(
    held: Arc<Held>,
    progress: Arc<Progress>,
    reach: watch::Receiver<Reach>,
    started: Instant,
    report: impl Fn(Report) + Clone + Send + Sync + 'static,
) {
    loop {
        let (tell, news) = mpsc::channel(NEWS);
        let (tell_checked, checked) = mpsc::unbounded_channel();
        let mut run = Run {
            held: held.clone(),
            progress: progress.clone(),
            reach: reach.clone(),
            started,
            report: report.clone(),
            streams: BTreeMap::new(),
            serial: 0,
            again: BTreeMap::new(),
            tell,
            tell_checked,
            tasks: JoinSet::new(),
            unsynced: 0,
        };
        let trouble = match run.collect(news, checked).await {
            Ok(()) => return report(held.report(Turn::Whole)),
            Err(error) => error,
        };
        drop(run);
        tracing::debug!(error = %trouble, "a file cannot be stored");
        progress.set_trouble(Some(words(&trouble)));
        report(held.report(Turn::Moved));
        sleep(TROUBLED).await;
        progress.set_trouble(None);
    }
}

struct Run<R> {
    held: Arc<Held>,
    progress: Arc<Progress>,
    reach: watch::Receiver<Reach>,
    started: Instant,
    report: R,
    streams: BTreeMap<DeviceId, Talk>,
    serial: u64,
    /// Devices that had nothing, or let go.
    again: BTreeMap<DeviceId, Rest>,
    tell: mpsc::Sender<News>,
    tell_checked: mpsc::UnboundedSender<Checked>,
    tasks: JoinSet<()>,
    /// How many bytes were written since the disk was last told to keep them.
    unsynced: u64,
}

/// A stream with a device, or the opening of one.
struct Talk {
    serial: u64,
    link: LinkId,
    ask: Option<mpsc::UnboundedSender<Want>>,
}

/// A device that is left alone for a while, on the link on which it had nothing: a new one is a new chance.
struct Rest {
    link: LinkId,
    until: Instant,
    pause: Duration,
}

/// What happened with a device's stream.
struct News {
    device: DeviceId,
    serial: u64,
    what: What,
}

enum What {
    Open(Stream),
    Answer(Answer, Vec<u8>),
    Nonsense,
    Over,
}

/// What became of a chunk that came.
struct Checked {
    device: DeviceId,
    index: u64,
    len: u64,
    /// Whether it was right; an error if it could not be stored.
    outcome: io::Result<bool>,
}

impl<R: Fn(Report)> Run<R> {
    /// Collects all that lacks; an error says why nothing can be stored.
    async fn collect(
        &mut self,
        mut news: mpsc::Receiver<News>,
        mut checked: mpsc::UnboundedReceiver<Checked>,
    ) -> io::Result<()> {
        let mut fetch = self.begin().await?;
        self.progress.set_held(self.held.bytes(fetch.held()));
        let mut pace = Pace::new(Instant::now(), self.progress.held());
        (self.report)(self.held.report(Turn::Moved));
        self.meet(&mut fetch);
        let mut looked = Instant::now();
        loop {
            while let Some(output) = fetch.poll_output() {
                if self.carry_out(output)? {
                    self.tasks.abort_all();
                    let held = self.held.clone();
                    blocking(move || held.chunks.sync()).await?;
                    self.progress.set_held(self.held.shape.size());
                    return Ok(());
                }
            }
            let timer = [
                fetch.poll_timeout().map(|at| self.started + at),
                self.again.values().map(|rest| rest.until).min(),
            ];
            let timer = timer.into_iter().flatten().min();
            let waits = fetch.waits();
            if self.progress.set_waits(waits) {
                (self.report)(self.held.report(Turn::Moved));
            }
            tokio::select! {
                Some(Checked { device, index, len, outcome }) = checked.recv() => {
                    let right = outcome?;
                    if right {
                        self.held.put(index);
                        self.progress.set_held(self.progress.held() + len);
                        self.progress.came(device, len);
                        self.keep_safe(len);
                    }
                    let now = self.now();
                    fetch.handle_checked(device, index, right, now);
                }
                Some(news) = news.recv() => self.handle_news(&mut fetch, news),
                changed = self.reach.changed() => {
                    if changed.is_err() {
                        // The shell lets go of it: this task is about to be ended.
                        std::future::pending::<()>().await;
                    }
                    self.meet(&mut fetch);
                }
                () = until(timer) => {
                    let now = self.now();
                    fetch.handle_timeout(now);
                    self.meet(&mut fetch);
                }
                () = sleep(LOOK), if !waits => {}
            }
            let now = Instant::now();
            if now >= looked + LOOK {
                looked = now;
                pace.look(now, self.progress.held(), &self.progress);
                (self.report)(self.held.report(Turn::Moved));
            }
        }
    }

    /// Looks what is here, and begins with that.
    async fn begin(&self) -> io::Result<Fetch> {
        let held = self.held.clone();
        blocking(move || {
            let map = held.scan()?;
            let mut fetch = Fetch::new(held.circle, held.file, held.shape.size(), map)
                .map_err(|_| io::ErrorKind::InvalidData)?;
            // A list that is not there, or not the right one, is asked for again.
            if let Some(top) = held.read(Want::Top)?
                && fetch.recall(Want::Top, &top).is_ok()
            {
                let lacking: Vec<_> = fetch.lacking_parts().collect();
                for part in lacking.into_iter().take(RECALLED) {
                    if let Some(list) = held.read(Want::Part(part))? {
                        // As above.
                        let _ = fetch.recall(Want::Part(part), &list);
                    }
                }
            }
            Ok(fetch)
        })
        .await
    }

    /// Opens streams with those who can be asked, and forgets those who cannot.
    fn meet(&mut self, fetch: &mut Fetch) {
        let Reach { tunnel, holders } = self.reach.borrow_and_update().clone();
        let gone: Vec<_> = self
            .streams
            .iter()
            .filter(|(device, talk)| holders.get(device) != Some(&talk.link))
            .map(|(device, _)| *device)
            .collect();
        for device in gone {
            self.streams.remove(&device);
            fetch.handle_gone(&device, self.now());
        }
        let Some(tunnel) = tunnel else { return };
        let now = Instant::now();
        self.again.retain(|device, rest| holders.get(device) == Some(&rest.link));
        for (device, link) in holders {
            let rests = self.again.get(&device).is_some_and(|rest| rest.until > now);
            if rests || fetch.is_banned(&device) || self.streams.contains_key(&device) {
                continue;
            }
            if let Some(rest) = self.again.get_mut(&device) {
                // Not due again before this attempt has come to something.
                rest.until = now + LONGEST;
            }
            self.serial += 1;
            let serial = self.serial;
            self.streams.insert(device, Talk { serial, link, ask: None });
            let (answer, opened) = oneshot::channel();
            let opening = Opening::File(self.held.file).encode();
            tunnel.send(tunnel::Command::Open { device, link, class: Class::File, opening, answer });
            let tell = self.tell.clone();
            self.tasks.spawn(async move {
                let what = opened.await.map_or(What::Over, What::Open);
                // Nobody listens any more when all is over.
                let _ = tell.send(News { device, serial, what }).await;
            });
        }
    }

    fn handle_news(&mut self, fetch: &mut Fetch, News { device, serial, what }: News) {
        let now = self.now();
        let Some(talk) = self.streams.get_mut(&device).filter(|talk| talk.serial == serial) else { return };
        match what {
            What::Open(Stream { outlet, inlet, .. }) => {
                let (ask, wants) = mpsc::unbounded_channel();
                talk.ask = Some(ask);
                self.tasks.spawn(write(outlet, wants));
                self.tasks.spawn(read(inlet, device, serial, self.tell.clone()));
                fetch.handle_holder(device, now);
            }
            What::Answer(answer, bytes) => {
                if matches!(answer, Answer::Wanted(_)) {
                    self.again.remove(&device);
                }
                fetch.handle_answer(device, answer, bytes, now);
            }
            What::Nonsense => fetch.handle_nonsense(device, now),
            What::Over => {
                self.rest(device);
                fetch.handle_gone(&device, now);
            }
        }
    }

    /// Carries out what the machine says; `true` when all is held.
    fn carry_out(&mut self, output: Output) -> io::Result<bool> {
        match output {
            Output::Ask { holder, want } => {
                if let Some(ask) = self.streams.get(&holder).and_then(|talk| talk.ask.as_ref()) {
                    // A writer that has ended is followed by the reader, which says so.
                    let _ = ask.send(want);
                }
            }
            Output::Check { holder, index, expected, bytes } => {
                let (held, tell) = (self.held.clone(), self.tell_checked.clone());
                spawn_blocking(move || {
                    let len = bytes.len() as u64;
                    let outcome = match check_chunk(&held.circle, expected, bytes) {
                        Ok(verified) => held.chunks.write_chunk(index, verified.into_bytes()).map(|()| true),
                        Err(_) => Ok(false),
                    };
                    // Nobody listens any more when all is over.
                    let _ = tell.send(Checked { device: holder, index, len, outcome });
                });
            }
            Output::Keep { list, bytes } => self.held.keep(list, bytes)?,
            Output::Drop { holder, fault } => {
                self.rest(holder);
                if fault != Fault::HoldsNothing {
                    tracing::warn!(device = ?holder, %fault, "a device is not asked for a file any more");
                    self.progress.banned(holder, fault);
                    self.again.remove(&holder);
                }
            }
            Output::Done => return Ok(true),
        }
        Ok(false)
    }

    /// Lets go of a device's stream; it is asked again after a while, each time a longer one.
    fn rest(&mut self, device: DeviceId) {
        let Some(Talk { link, .. }) = self.streams.remove(&device) else { return };
        let pause = self.again.get(&device).map_or(FIRST, |rest| (rest.pause * 2).min(LONGEST));
        self.again.insert(device, Rest { link, until: Instant::now() + pause, pause });
    }

    /// Lets the disk keep what was written, now and then, so that the end is not one long wait.
    fn keep_safe(&mut self, written: u64) {
        self.unsynced += written;
        if self.unsynced >= SYNC {
            self.unsynced = 0;
            let held = self.held.clone();
            // Whether it holds is asked at the end.
            spawn_blocking(move || drop(held.chunks.sync()));
        }
    }

    fn now(&self) -> Duration {
        self.started.elapsed()
    }
}

/// Writes questions as they come.
async fn write(mut outlet: Outlet, mut wants: mpsc::UnboundedReceiver<Want>) {
    while let Some(want) = wants.recv().await {
        if outlet.write(want.encode().to_vec().into()).await.is_err() {
            return;
        }
    }
}

/// Reads answers, no faster than they are taken.
async fn read(mut inlet: Inlet, device: DeviceId, serial: u64, tell: mpsc::Sender<News>) {
    loop {
        let what = next(&mut inlet).await;
        let last = !matches!(what, What::Answer(..));
        if tell.send(News { device, serial, what }).await.is_err() || last {
            return;
        }
    }
}

async fn next(inlet: &mut Inlet) -> What {
    let mut head = [0; AnswerHead::LEN];
    match inlet.read(&mut head).await {
        Ok(true) => {}
        Ok(false) | Err(_) => return What::Over,
    }
    let Ok(AnswerHead { answer, len }) = AnswerHead::decode(&head) else { return What::Nonsense };
    // Room for what sealing adds, so that nothing is copied.
    let mut bytes = Vec::with_capacity(len + crypto::SealingKey::OVERHEAD);
    match inlet.read_onto(&mut bytes, len).await {
        Ok(true) => What::Answer(answer, bytes),
        Ok(false) if len > 0 => What::Over,
        Ok(false) => What::Answer(answer, bytes),
        Err(_) => What::Over,
    }
}

async fn until(timer: Option<Instant>) {
    match timer {
        Some(at) => sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}

/// Does what waits for a disk on a thread that may.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    spawn_blocking(work).await.unwrap_or_else(|_| Err(io::ErrorKind::Other.into()))
}

/// Says what stands in the way.
pub(super) fn words(error: &io::Error) -> String {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    match error.kind() {
        StorageFull | QuotaExceeded | FileTooLarge => "the disk is full".into(),
        _ => format!("the disk does not take it: {error}"),
    }
}

/// How many answers wait to be looked at before streams are read no further.
const NEWS: usize = 4;
/// How often it is looked how it goes.
const LOOK: Duration = Duration::from_millis(500);
/// How long is waited when nothing can be stored.
const TROUBLED: Duration = Duration::from_secs(30);
/// After what time a device that had nothing, or let go, is asked again at first, and at last.
const FIRST: Duration = Duration::from_secs(2);
const LONGEST: Duration = Duration::from_secs(300);
/// After how many bytes the disk is told to keep what was written.
const SYNC: u64 = 64 << 20;
/// Of how many parts, of which something lacks, the lists are read at once; the others are asked for.
const RECALLED: usize = 64;
