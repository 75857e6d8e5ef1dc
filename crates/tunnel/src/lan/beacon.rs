//! When to announce and to ask, and what to make of what is heard.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{
    sync::{mpsc, watch},
    time::sleep_until,
};
use wire::DeviceId;

use super::{
    packet::{self, Packet},
    secret::{self, Names},
    socket::Sockets,
};
use crate::{
    LanConfig,
    whereabouts::{Finding, Setting, Whereabouts, random, unix_now, worth_telling},
};

/// The one task that announces a circle's device on the local network and listens for the others.
pub(crate) struct Beacon {
    pub(crate) device: DeviceId,
    pub(crate) config: LanConfig,
    pub(crate) settings: watch::Receiver<Setting>,
    pub(crate) allowed: watch::Receiver<Arc<BTreeSet<DeviceId>>>,
    pub(crate) found: mpsc::Sender<Finding>,
}

impl Beacon {
    /// Runs until the shell is gone.
    pub(crate) async fn run(mut self) {
        let mut heard = BTreeMap::new();
        loop {
            let setting = self.settings.borrow_and_update().clone();
            let addresses = worth_telling(&setting.local);
            if setting.secrets.is_empty() || addresses.is_empty() {
                if self.settings.changed().await.is_err() {
                    return;
                }
                continue;
            }
            match Sockets::open(self.config.port) {
                Ok(sockets) => {
                    if self.listen(&sockets, &setting.secrets, &addresses, &mut heard).await.is_err() {
                        return;
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, "no discovery on the local network until it changes");
                    if self.settings.changed().await.is_err() {
                        return;
                    }
                }
            }
        }
    }

    /// Announces and listens until the settings change; an error says that nobody needs it any more.
    async fn listen(
        &mut self,
        sockets: &Sockets,
        secrets: &[[u8; 32]],
        addresses: &[SocketAddr],
        heard: &mut BTreeMap<DeviceId, u64>,
    ) -> Result<(), watch::error::RecvError> {
        let mut names = Circle::new(secrets, unix_now());
        let (mut buffer, mut buffer_v6) = ([0; packet::LIMIT + 1], [0; packet::LIMIT + 1]);
        let mut next = Instant::now() + random(START);
        let (mut ask, mut last) = (true, None::<Instant>);
        loop {
            tokio::select! {
                changed = self.settings.changed() => return changed,
                () = sleep_until(next.into()) => {
                    names.turn(secrets, unix_now());
                    let service = names.current();
                    if std::mem::take(&mut ask) {
                        sockets.send(&packet::query(service.service())).await;
                    }
                    let at = unix_now();
                    let whereabouts = Whereabouts { device: self.device, at, addresses: addresses.to_vec() };
                    sockets.send(&service.announce(&whereabouts)).await;
                    last = Some(Instant::now());
                    next = Instant::now() + self.config.announce_every.mul_f64(0.8) + random(self.config.announce_every.mul_f64(0.4));
                }
                received = sockets.receive(&mut buffer, &mut buffer_v6) => {
                    let Ok((length, v6)) = received else { continue };
                    let buffer = if v6 { &buffer_v6 } else { &buffer };
                    let Some(Ok(packet)) = buffer.get(..length).map(packet::decode) else { continue };
                    names.turn(secrets, unix_now());
                    match packet {
                        Packet::Query(asked) if names.is_asked(&asked) => {
                            let soonest = last.map_or_else(Instant::now, |last| (last + QUIET).max(Instant::now()));
                            next = next.min(soonest + ANSWER + random(ANSWER));
                        }
                        Packet::Query(_) => {}
                        Packet::Announcement { service, token, sealed } => {
                            if let Some(found) = names.open(&service, &token, &sealed) {
                                self.found(found, heard).await;
                            }
                        }
                    }
                }
            }
        }
    }

    async fn found(&self, found: Whereabouts, heard: &mut BTreeMap<DeviceId, u64>) {
        let Whereabouts { device, at, addresses } = found;
        let allowed = self.allowed.borrow().clone();
        heard.retain(|device, _| allowed.contains(device));
        if device == self.device || !allowed.contains(&device) {
            return;
        }
        // A time far ahead would make all that this device says later old news.
        if at > unix_now() + AHEAD {
            return;
        }
        // What was said before, or is said again by one who recorded it, is old news.
        let last = heard.entry(device).or_insert(0);
        if at > *last {
            *last = at;
            // The shell is gone when this fails; the task ends with it.
            let _ = self.found.send(Finding { device, addresses: worth_telling(&addresses) }).await;
        }
    }
}

/// The names of one circle around now.
struct Circle {
    names: Vec<[Names; 3]>,
    period: Option<u64>,
}

impl Circle {
    fn new(secrets: &[[u8; 32]], now: u64) -> Self {
        let mut circle = Self { names: Vec::new(), period: None };
        circle.turn(secrets, now);
        circle
    }

    /// Derives the names anew when a period has passed.
    fn turn(&mut self, secrets: &[[u8; 32]], now: u64) {
        let period = secrets.first().map(|secret| secret::period(secret, now));
        if period != self.period || self.names.is_empty() {
            self.period = period;
            self.names = secrets.iter().take(SECRETS).map(|secret| Names::around(secret, now)).collect();
        }
    }

    fn all(&self) -> impl Iterator<Item = &Names> {
        self.names.iter().flatten()
    }

    fn current(&self) -> &Names {
        self.all().next().expect("the beacon sleeps while there is no secret")
    }

    /// Tells whether somebody asks who holds the current secret: others could not read the answer, and whoever was
    /// removed last still knows the one before.
    fn is_asked(&self, asked: &[String]) -> bool {
        let current = self.names.first().into_iter().flatten();
        current.into_iter().any(|names| asked.iter().any(|asked| asked == names.service()))
    }

    fn open(&self, service: &str, token: &str, sealed: &[u8]) -> Option<Whereabouts> {
        self.all().find_map(|names| names.open(service, token, sealed))
    }
}

/// By how many seconds another device's clock may be ahead: the slack of one period.
const AHEAD: u64 = 86_400;

/// Within what time a circle begins to speak, so that two on one device do not begin together.
const START: Duration = Duration::from_secs(2);
/// After what time a question is answered at the earliest, and how much that varies.
const ANSWER: Duration = Duration::from_millis(20);
/// How long there is silence after an announcement, whatever is asked.
const QUIET: Duration = Duration::from_secs(10);
/// How many secrets are in use at once.
const SECRETS: usize = 2;
