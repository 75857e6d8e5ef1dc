//! Which packets are looked at at all: those of known callers and of connections that there are.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    fmt,
    hash::{BuildHasher, RandomState},
    net::{IpAddr, SocketAddr},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};

use crypto::{Entropy, OsEntropy};
use iroh::endpoint::PacketGate;
use noq_proto::{ConnectionId, ConnectionIdGenerator, InvalidCid, crypto::ServerConfig};
use wire::DeviceId;
use zeroize::Zeroizing;

use crate::{
    greet::Identity,
    initial::{Answering, InitialSecret, KeyInput},
    pass::{self, InnerKeys, OuterKey, Pass, Purpose},
};

/// Stands before the endpoint of one circle: what does not pass here gets no answer, not one byte.
pub(crate) struct Gate {
    identity: Arc<Identity>,
    outer: OuterKey,
    ids: OwnIds,
    state: Mutex<State>,
    last_stamp: AtomicU64,
}

/// What a gate remembers. No I/O, no clock.
#[derive(Default)]
struct State {
    devices: BTreeMap<[u8; 32], Caller>,
    invitations: BTreeMap<[u8; 32], Caller>,
    /// Passes that were let in a moment ago: a first packet may have to come twice.
    fresh: BTreeMap<Pass, Fresh>,
    /// By the ids that Retry named, what goes into the keys of the packets that come to them.
    retried: BTreeMap<[u8; OWN], (InitialSecret, Instant)>,
    patience: Patience,
}

/// A pass that was let in.
struct Fresh {
    from: SocketAddr,
    at: Instant,
    secret: InitialSecret,
    /// Whether its sender was asked to show that he is where he says.
    retried: bool,
}

struct Caller {
    keys: InnerKeys,
    highest: u64,
    /// Stamps that were used, oldest first.
    used: VecDeque<u64>,
    /// When the latest passes were let in, and from where the last.
    lately: VecDeque<Instant>,
    from: Option<IpAddr>,
}

/// How many callers' keys may still be tried in vain.
///
/// Whoever was a member once can make the outer part of a pass, and an observer has recordings: each such pass costs as
/// many trials as there are callers.
struct Patience {
    trials: u64,
    since: Option<Instant>,
}

impl Gate {
    pub(crate) fn new(identity: Arc<Identity>) -> Self {
        Self {
            outer: OuterKey::of(&identity.circle, &identity.device),
            identity,
            ids: OwnIds::default(),
            state: Mutex::default(),
            last_stamp: AtomicU64::new(0),
        }
    }

    /// Lets in the first packets of these devices and of no others.
    pub(crate) fn allow(&self, devices: &BTreeSet<DeviceId>) {
        let keys = devices.iter().map(|device| *device.as_bytes()).collect();
        self.replace(|state| &mut state.devices, &keys);
    }

    /// Lets in the first packets of whoever holds one of these invitations, and of no others.
    pub(crate) fn invite(&self, invitations: &BTreeSet<[u8; 32]>) {
        self.replace(|state| &mut state.invitations, invitations);
    }

    fn replace(&self, of: impl Fn(&mut State) -> &mut BTreeMap<[u8; 32], Caller>, keys: &BTreeSet<[u8; 32]>) {
        let known: BTreeSet<_> = of(&mut self.lock()).keys().copied().collect();
        // Agreeing takes its time, and the lock is one that packets wait for.
        let new: Vec<_> = keys
            .difference(&known)
            .filter_map(|caller| {
                let Identity { key, circle, device, .. } = &*self.identity;
                let keys = InnerKeys::between(key, caller, circle, caller, device)?;
                Some((*caller, Caller::new(keys)))
            })
            .collect();
        let mut state = self.lock();
        let callers = of(&mut state);
        callers.retain(|caller, _| keys.contains(caller));
        callers.extend(new);
    }

    /// Makes a pass to a device, as a member or with an invitation; `None` if its id is no key.
    pub(crate) fn pass(
        &self,
        purpose: Purpose,
        to: &DeviceId,
        invitation: Option<&crypto::SigningKey>,
    ) -> Option<Pass> {
        Some(self.seal(&self.keys(to, invitation)?, purpose, to))
    }

    /// Makes what it takes to call a device: a pass, and what goes into the keys of the first packets.
    pub(crate) fn call(
        &self,
        to: &DeviceId,
        invitation: Option<&crypto::SigningKey>,
    ) -> Option<(Pass, InitialSecret)> {
        let keys = self.keys(to, invitation)?;
        Some((self.seal(&keys, Purpose::Link, to), keys.initial().clone()))
    }

    fn keys(&self, to: &DeviceId, invitation: Option<&crypto::SigningKey>) -> Option<InnerKeys> {
        let own = invitation.unwrap_or(&self.identity.key);
        InnerKeys::between(own, to.as_bytes(), &self.identity.circle, &own.public(), to)
    }

    fn seal(&self, keys: &InnerKeys, purpose: Purpose, to: &DeviceId) -> Pass {
        keys.of(purpose).seal(&OuterKey::of(&self.identity.circle, to), self.stamp())
    }

    /// Returns the time, later than ever before.
    fn stamp(&self) -> u64 {
        let time = clock();
        let next = |last: u64| Some(time.max(last + 1));
        let last = self.last_stamp.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next);
        time.max(last.unwrap_or_default() + 1)
    }

    /// Tells whether a connection began with a pass that was let in.
    pub(crate) fn knows(&self, first: ConnectionId) -> bool {
        <Pass>::try_from(&first[..]).is_ok_and(|pass| self.lock().fresh.contains_key(&pass))
    }

    /// Notes that the sender of a pass is sent a Retry: his next first packet goes to an id of our own.
    pub(crate) fn retries(&self, first: ConnectionId) {
        if let Ok(pass) = <Pass>::try_from(&first[..])
            && let Some(fresh) = self.lock().fresh.get_mut(&pass)
        {
            fresh.retried = true;
        }
    }

    /// Takes the pass with which a lane begins; returns the key of whoever made it.
    pub(crate) fn admits_lane(&self, pass: &Pass, from: IpAddr) -> Option<[u8; 32]> {
        let taken = self.lock().takes(&self.outer, (Purpose::Lane, pass), from, (clock(), Instant::now()));
        taken.map(|(key, _)| key)
    }

    /// Whether passes made with this key are let in.
    pub(crate) fn expects(&self, key: &[u8; 32]) -> bool {
        let state = self.lock();
        state.devices.contains_key(key) || state.invitations.contains_key(key)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Microseconds since 1970, as this machine has it.
fn clock() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Gate")
    }
}

impl PacketGate for Gate {
    fn admits(&self, from: SocketAddr, datagram: &[u8]) -> bool {
        match look(datagram) {
            Look::Own { id, first } => {
                let made = self.ids.made(id);
                if made && first {
                    self.lock().comes_after_retry(id, from, Instant::now());
                }
                made
            }
            Look::Pass { pass, first } => {
                let mut state = self.lock();
                let now = Instant::now();
                state.repeats(&pass, from, now)
                    || (first && state.admits(&self.outer, &pass, from, clock(), now))
            }
            Look::Foreign => false,
        }
    }

    fn connection_ids(&self) -> Box<dyn ConnectionIdGenerator> {
        Box::new(self.ids.clone())
    }

    fn server_crypto(self: Arc<Self>, crypto: Arc<dyn ServerConfig>) -> Arc<dyn ServerConfig> {
        Arc::new(Answering::new(crypto, self))
    }
}

impl KeyInput for Gate {
    fn key_input(&self, id: &ConnectionId) -> Option<Zeroizing<Vec<u8>>> {
        let state = self.lock();
        let secret = match (<Pass>::try_from(&id[..]), <[u8; OWN]>::try_from(&id[..])) {
            (Ok(pass), _) => &state.fresh.get(&pass)?.secret,
            (_, Ok(own)) => &state.retried.get(&own)?.0,
            _ => return None,
        };
        secret.key_input(id)
    }
}

/// What a datagram's first bytes say it is.
#[derive(Debug, PartialEq, Eq)]
enum Look<'a> {
    /// Something for a connection id as we make them; `first` if a connection may begin with it, after a Retry.
    Own { id: &'a [u8], first: bool },
    /// Something for a connection id that may be a pass; `first` if a connection may begin with it.
    Pass { pass: Pass, first: bool },
    /// Nothing for us.
    Foreign,
}

fn look(datagram: &[u8]) -> Look<'_> {
    match datagram {
        // A short header (RFC 9000 §17.3).
        [0x40..=0x7f, rest @ ..] => match rest.get(..OWN) {
            Some(id) => Look::Own { id, first: false },
            None => Look::Foreign,
        },
        // A long header of version 1 (§17.2). Retry has no business at a server, nor anything but it without us having
        // asked: what comes to us for our own id is checked as that.
        [kind @ 0xc0..=0xff, 0, 0, 0, 1, length, rest @ ..] => {
            let Some(id) = rest.get(..usize::from(*length)) else { return Look::Foreign };
            let first = kind & 0x30 == 0 && datagram.len() >= FIRST;
            match <Pass>::try_from(id) {
                Ok(pass) => Look::Pass { pass, first },
                Err(_) if id.len() == OWN => Look::Own { id, first },
                Err(_) => Look::Foreign,
            }
        }
        _ => Look::Foreign,
    }
}

impl State {
    /// Whether this first packet was let in a moment ago, from the same place.
    fn repeats(&self, pass: &Pass, from: SocketAddr, now: Instant) -> bool {
        self.fresh
            .get(pass)
            .is_some_and(|fresh| fresh.from == from && now.saturating_duration_since(fresh.at) < REPEAT)
    }

    /// Notes whose first packet goes to an id of our own, if he was sent a Retry there.
    fn comes_after_retry(&mut self, id: &[u8], from: SocketAddr, now: Instant) {
        let asked = self.fresh.values().filter(|fresh| fresh.retried && fresh.from == from);
        let asked = asked.max_by_key(|fresh| fresh.at).map(|fresh| fresh.secret.clone());
        self.retried.retain(|_, (_, at)| now.saturating_duration_since(*at) < REPEAT);
        if let (Some(secret), Ok(id)) = (asked, id.try_into())
            && self.retried.len() < RETRIED
        {
            self.retried.insert(id, (secret, now));
        }
    }

    /// Lets in a pass that a known caller made and never used before.
    fn admits(&mut self, outer: &OuterKey, pass: &Pass, from: SocketAddr, time: u64, now: Instant) -> bool {
        let taken = self.takes(outer, (Purpose::Link, pass), from.ip(), (time, now));
        let Some((_, secret)) = taken else { return false };
        self.fresh.retain(|_, fresh| now.saturating_duration_since(fresh.at) < REPEAT);
        self.fresh.insert(*pass, Fresh { from, at: now, secret, retried: false });
        true
    }

    /// Takes a pass that a known caller made and never used before; returns his key, and what goes into those of his first
    /// packets.
    fn takes(
        &mut self,
        outer: &OuterKey,
        (purpose, pass): (Purpose, &Pass),
        from: IpAddr,
        (time, now): (u64, Instant),
    ) -> Option<([u8; 32], InitialSecret)> {
        let body = outer.open(pass)?;
        let from = from.to_canonical();
        let mut trials = 0;
        let mut made_by = |(key, caller): (&[u8; 32], &mut Caller)| {
            trials += 1;
            let stamp = caller.keys.of(purpose).open(&body)?;
            // A recording must not cost the caller his place among those who may come.
            let takes = caller.uses(stamp, time) && caller.may_come(now);
            caller.from = if takes && is_real(from) { Some(from) } else { caller.from };
            Some(takes.then(|| (*key, caller.keys.initial().clone())))
        };
        // Whoever came from there is found at once, whatever others make the gate do.
        let near = |caller: &Caller| caller.from == Some(from);
        let callers = self.devices.iter_mut().chain(&mut self.invitations);
        let mut taken = callers.filter(|(_, caller)| near(caller)).find_map(&mut made_by);
        if taken.is_none() && self.patience.is_left(now) {
            let callers = self.devices.iter_mut().chain(&mut self.invitations);
            taken = callers.filter(|(_, caller)| !near(caller)).find_map(&mut made_by);
        }
        let taken = taken.flatten();
        if taken.is_none() {
            self.patience.spend(trials);
        }
        taken
    }
}

/// Whether that is an address, not what iroh calls a way through a member or a lane, in a network of its own.
fn is_real(address: IpAddr) -> bool {
    !matches!(address, IpAddr::V6(ip) if ip.segments()[..3] == [0xfd15, 0x070a, 0x510b])
}

impl Caller {
    fn new(keys: InnerKeys) -> Self {
        Self { keys, highest: 0, used: VecDeque::new(), lately: VecDeque::new(), from: None }
    }

    /// Notes that he comes; `false` if he comes too often.
    fn may_come(&mut self, now: Instant) -> bool {
        self.lately.retain(|at| now.saturating_duration_since(*at) < REPEAT);
        let may = self.lately.len() < OFTEN;
        if may {
            self.lately.push_back(now);
        }
        may
    }

    /// Notes that a stamp is used; `false` if it was before, or may have been.
    ///
    /// Stamps are times by the caller's clock. One later than all before was not used. One that is not, after his clock
    /// was set back or from a dial that was overtaken, is believed if it is of this hour by our clock and not among
    /// those remembered.
    fn uses(&mut self, stamp: u64, time: u64) -> bool {
        let remembered = |used: &VecDeque<u64>| {
            used.contains(&stamp)
                || used.len() == USED && used.iter().min().is_some_and(|oldest| stamp < *oldest)
        };
        if stamp <= self.highest && (stamp.abs_diff(time) > HOUR || remembered(&self.used)) {
            return false;
        }
        self.highest = self.highest.max(stamp);
        if self.used.len() == USED {
            self.used.pop_front();
        }
        self.used.push_back(stamp);
        true
    }
}

impl Default for Patience {
    fn default() -> Self {
        Self { trials: TRIALS, since: None }
    }
}

impl Patience {
    fn is_left(&mut self, now: Instant) -> bool {
        let since = *self.since.get_or_insert(now);
        let waited = now.saturating_duration_since(since);
        let new = u64::try_from(waited.as_micros()).unwrap_or(u64::MAX).saturating_mul(TRIALS) / 1_000_000;
        if new > 0 {
            self.trials = self.trials.saturating_add(new).min(TRIALS);
            self.since = Some(now);
        }
        self.trials > 0
    }

    fn spend(&mut self, trials: u64) {
        self.trials = self.trials.saturating_sub(trials);
    }
}

/// Connection ids that we made, told from others at no cost. Whoever guesses one meets a connection's encryption.
#[derive(Debug, Clone, Default)]
struct OwnIds(RandomState);

impl OwnIds {
    fn made(&self, id: &[u8]) -> bool {
        let Some((nonce, check)) = id.split_first_chunk::<4>() else { return false };
        self.check(*nonce)[..] == *check
    }

    fn check(&self, nonce: [u8; 4]) -> [u8; 4] {
        let [a, b, c, d, ..] = self.0.hash_one(nonce).to_be_bytes();
        [a, b, c, d]
    }
}

impl ConnectionIdGenerator for OwnIds {
    fn generate_cid(&mut self) -> ConnectionId {
        let nonce: [u8; 4] = OsEntropy.bytes();
        ConnectionId::new(&[nonce, self.check(nonce)].concat())
    }

    fn validate(&self, id: ConnectionId) -> Result<(), InvalidCid> {
        if self.made(&id) { Ok(()) } else { Err(InvalidCid) }
    }

    fn cid_len(&self) -> usize {
        OWN
    }

    fn cid_lifetime(&self) -> Option<Duration> {
        None
    }
}

/// How long our own connection ids are.
const OWN: usize = 8;
/// No first packet is shorter (RFC 9000 §14.1).
const FIRST: usize = 1200;
/// How long a first packet may be repeated. A handshake that takes longer has failed.
const REPEAT: Duration = Duration::from_secs(10);
/// How many first packets of one caller are let in within that time.
const OFTEN: usize = 24;
/// How many first packets after a Retry are remembered for as long.
const RETRIED: usize = 256;
/// How many trials in vain there are in a second, and at once: some two hundredths of a processor.
const TRIALS: u64 = 16_000;
/// How many used stamps of a caller are remembered.
const USED: usize = 32;
const HOUR: u64 = 3600 * 1_000_000;

// What tells that the longest id is that of a pass.
const _: () = assert!(pass::LENGTH != OWN);

#[cfg(test)]
mod tests {
    use wire::CircleId;

    use super::*;

    const NOON: u64 = 1_800_000_000_000_000;

    fn key(seed: u8) -> crypto::SigningKey {
        crypto::SigningKey::from_seed(&[seed; 32])
    }

    fn identity(seed: u8) -> Arc<Identity> {
        let key = key(seed);
        let device = DeviceId::new(key.public());
        Arc::new(Identity { circle: CircleId::new([9; 32]), device, key, instance: 0 })
    }

    fn gate(seed: u8) -> Gate {
        Gate::new(identity(seed))
    }

    fn from(port: u16) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, 1], port))
    }

    fn packet(kind: u8, id: &[u8], length: usize) -> Vec<u8> {
        let mut packet = [&[kind, 0, 0, 0, 1, id.len() as u8][..], id].concat();
        packet.resize(length, 0);
        packet
    }

    fn first(id: &[u8]) -> Vec<u8> {
        packet(0xc0, id, 1200)
    }

    /// A pass for a link from one to another, as a member or with an invitation.
    fn made(from: &Gate, to: &Gate, invitation: Option<&crypto::SigningKey>) -> Pass {
        from.pass(Purpose::Link, &to.identity.device, invitation).unwrap()
    }

    #[test]
    fn a_pass_of_a_lane_opens_no_connection_and_that_of_a_connection_no_lane() {
        let (ann, ben) = (gate(1), gate(2));
        ann.allow(&[ben.identity.device].into());
        let link = made(&ben, &ann, None);
        let lane = ben.pass(Purpose::Lane, &ann.identity.device, None).unwrap();
        // An observer's copy comes before the one that it was made for.
        assert_eq!(ann.admits_lane(&link, from(7).ip()), None);
        assert!(!ann.admits(from(7), &first(&lane)));
        assert!(ann.admits(from(1), &first(&link)));
        assert_eq!(ann.admits_lane(&lane, from(1).ip()), Some(*ben.identity.device.as_bytes()));
    }

    #[test]
    fn a_member_gets_in_and_nobody_else() {
        let (ann, ben, cara) = (gate(1), gate(2), gate(3));
        ann.allow(&[ben.identity.device].into());
        let pass = made(&ben, &ann, None);
        assert!(ann.admits(from(1), &first(&pass)) && ann.knows(ConnectionId::new(&pass)));
        assert!(!ann.admits(from(1), &first(&made(&cara, &ann, None))));
        assert!(!ann.admits(from(1), &first(&made(&ben, &cara, None))));
        ann.allow(&BTreeSet::new());
        assert!(!ann.admits(from(1), &first(&made(&ben, &ann, None))));
    }

    #[test]
    fn an_invitation_opens_until_it_is_withdrawn() {
        let (ann, ben, invitation) = (gate(1), gate(2), key(50));
        let knock = || first(&made(&ben, &ann, Some(&invitation)));
        assert!(!ann.admits(from(1), &knock()));
        ann.invite(&[invitation.public()].into());
        assert!(ann.admits(from(1), &knock()));
        ann.invite(&BTreeSet::new());
        assert!(!ann.admits(from(1), &knock()));
    }

    #[test]
    fn a_first_packet_may_come_again_from_where_it_came_but_not_from_elsewhere() {
        let (ann, ben) = (gate(1), gate(2));
        ann.allow(&[ben.identity.device].into());
        let packet = first(&made(&ben, &ann, None));
        assert!(ann.admits(from(1), &packet));
        assert!(ann.admits(from(1), &packet), "it was lost on the way to QUIC");
        assert!(!ann.admits(from(2), &packet));
    }

    #[test]
    fn a_recorded_first_packet_is_never_let_in_again() {
        let mut state = State::default();
        let ann = gate(1);
        let inner = |own, other| {
            let (caller, answerer) = (key(2).public(), ann.identity.device);
            InnerKeys::between(&key(own), &key(other).public(), &ann.identity.circle, &caller, &answerer)
                .unwrap()
        };
        state.devices.insert([2; 32], Caller::new(inner(1, 2)));
        let now = Instant::now();
        let pass = inner(2, 1).of(Purpose::Link).seal(&ann.outer, NOON);
        assert!(state.admits(&ann.outer, &pass, from(1), NOON, now));
        let later = now + 2 * REPEAT;
        assert!(!state.repeats(&pass, from(1), later));
        for time in [NOON, NOON + HOUR / 2, NOON + 2 * HOUR] {
            assert!(!state.admits(&ann.outer, &pass, from(1), time, later));
        }
    }

    #[test]
    fn recordings_do_not_shut_out_the_member_they_are_of() {
        let (ann, ben) = (gate(1), gate(2));
        ann.allow(&[ben.identity.device].into());
        let pass = || made(&ben, &ann, None);
        let recorded = first(&pass());
        assert!(ann.admits(from(1), &recorded));
        for port in 2..1000 {
            assert!(!ann.admits(from(port), &recorded));
        }
        assert!(ann.admits(from(1), &first(&pass())));
    }

    #[test]
    fn clocks_may_be_wrong_and_be_set_right() {
        let (circle, device) = (CircleId::new([9; 32]), DeviceId::new([1; 32]));
        let inner = InnerKeys::between(&key(1), &key(2).public(), &circle, &[2; 32], &device);
        let mut caller = Caller::new(inner.unwrap());
        let year = 365 * 24 * HOUR;
        assert!(caller.uses(NOON - year, NOON), "years behind");
        assert!(caller.uses(NOON - year + 1, NOON));
        assert!(!caller.uses(NOON - year, NOON), "again");
        assert!(caller.uses(NOON + year, NOON), "years ahead");
        assert!(caller.uses(NOON, NOON), "set right");
        assert!(!caller.uses(NOON, NOON), "again");
        assert!(!caller.uses(NOON - 2 * HOUR, NOON), "what may be an old record");
        for n in 1..=USED as u64 {
            assert!(caller.uses(NOON + n, NOON));
        }
        assert!(!caller.uses(NOON, NOON), "forgotten, but older than all that are remembered");
    }

    #[test]
    fn a_member_who_comes_without_end_is_heard_seldom_and_the_others_as_ever() {
        let (ann, ben, cara) = (gate(1), gate(2), gate(3));
        ann.allow(&[ben.identity.device, cara.identity.device].into());
        let come = |who: &Gate| ann.admits(from(1), &first(&made(who, &ann, None)));
        assert_eq!((0..1000).filter(|_| come(&ben)).count(), OFTEN);
        assert!(come(&cara) && ann.lock().fresh.len() == OFTEN + 1);
    }

    #[test]
    fn one_who_was_a_member_makes_the_gate_work_little_and_keeps_no_other_out() {
        let (ann, ben, cara, old) = (gate(1), gate(2), gate(3), gate(4));
        let members = [2, 3].into_iter().chain(5..105);
        ann.allow(&members.map(|n| DeviceId::new(key(n).public())).collect());
        let pass = |who: &Gate| made(who, &ann, None);
        let (mut state, start) = (ann.lock(), Instant::now());
        let (home, away) = (from(1).ip(), IpAddr::from([198, 51, 100, 7]));
        let mut comes = |who: &Gate, from, now| {
            let taken = state.takes(&ann.outer, (Purpose::Link, &pass(who)), from, (clock(), now)).is_some();
            (taken, state.patience.trials)
        };
        assert!(comes(&ben, home, start).0);
        // The one who was a member has as many good outer parts as he likes.
        let spent = (0..10_000).take_while(|_| comes(&old, away, start).1 > 0).count();
        assert_eq!(spent, 16_000 / 102, "each costs as many trials as there are callers");
        assert!(!comes(&cara, home, start).0, "there is no telling her from him");
        assert!(comes(&ben, home, start).0, "where he was before, he is known at once");
        let member = "fd15:70a:510b:3::1".parse().unwrap();
        assert!(!comes(&ben, member, start).0, "what stands for a member is no place of his");
        let later = start + Duration::from_millis(50);
        assert!(comes(&cara, home, later).0);
        assert!(comes(&ben, member, later).0, "through a member");
        let tried = (0..1000).filter(|_| comes(&old, away, later).1 > 0).count();
        assert!(tried < 10, "{tried} in a twentieth of a second");
        assert!(comes(&ben, home, later).0, "where he was before he came through a member");
    }

    #[test]
    fn the_keys_of_first_packets_are_the_callers_own_and_go_with_him_through_a_retry() {
        let (ann, ben, cara) = (gate(1), gate(2), gate(3));
        ann.allow(&[ben.identity.device, cara.identity.device].into());
        let call = |who: &Gate, port| {
            let (pass, secret) = who.call(&ann.identity.device, None).unwrap();
            assert!(ann.key_input(&ConnectionId::new(&pass)).is_none(), "before it came");
            assert!(ann.admits(from(port), &first(&pass)));
            (ConnectionId::new(&pass), secret)
        };
        let (bens, bens_secret) = call(&ben, 1);
        let (caras, caras_secret) = call(&cara, 2);
        assert_eq!(ann.key_input(&bens), bens_secret.key_input(&bens));
        assert_eq!(ann.key_input(&caras), caras_secret.key_input(&caras));
        assert_ne!(bens_secret.key_input(&bens), caras_secret.key_input(&bens));
        let own = ann.connection_ids().generate_cid();
        assert!(ann.admits(from(1), &first(&own)) && ann.key_input(&own).is_none(), "no Retry was sent");
        ann.retries(bens);
        assert!(ann.admits(from(2), &first(&own)) && ann.key_input(&own).is_none(), "from elsewhere");
        assert!(ann.admits(from(1), &first(&own)));
        assert_eq!(ann.key_input(&own), bens_secret.key_input(&own));
    }

    #[test]
    fn nothing_else_is_looked_at() {
        let (ann, ben) = (gate(1), gate(2));
        ann.allow(&[ben.identity.device].into());
        let pass = made(&ben, &ann, None);
        assert!(!ann.admits(from(1), &first(&pass)[..1199]), "too short to be answered safely");
        assert!(
            !ann.admits(from(1), &packet(0xe0, &pass, 1200)),
            "a later packet of a connection there is not"
        );
        let mut other_version = first(&pass);
        other_version[4] = 2;
        assert!(!ann.admits(from(1), &other_version));
        for length in 0..=255 {
            assert!(!ann.admits(from(1), &first(&vec![7; length])), "{length}");
        }
        for cut in 0..30 {
            assert!(!ann.admits(from(1), &first(&pass)[..cut]));
        }
        assert!(!ann.admits(from(1), &[0x40; 1200]) && !ann.admits(from(1), &[0x40]));
        let own = ann.connection_ids().generate_cid();
        assert!(ann.admits(from(1), &[&[0x41][..], &own, &[9; 30]].concat()));
        assert!(ann.admits(from(1), &first(&own)), "QUIC decides about these, and the porter");
        assert!(!ann.knows(own) && !ben.admits(from(1), &first(&own)));
    }
}
