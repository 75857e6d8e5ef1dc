//! What is known of getting to another device.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    net::SocketAddr,
    time::{Duration, Instant},
};

use tokio::task::AbortHandle;
use wire::{DeviceId, limits};

use crate::{Timing, dial};

/// A device that may have a link, as far as dialling goes. No I/O, no clock.
#[derive(Debug, Default)]
pub(crate) struct Contact {
    /// Oldest first.
    addresses: VecDeque<SocketAddr>,
    /// The members who forward to it.
    members: BTreeSet<DeviceId>,
    attempts: u32,
    error: Option<String>,
    next: Option<Instant>,
    /// The dial that is under way.
    dialling: Option<Dial>,
    dials: u64,
    /// How many dials went through each member since the last link, and through none of those that there were.
    tried: BTreeMap<Option<DeviceId>, u64>,
    /// Whether the next dial does not wait for the end of the one under way.
    anew: bool,
    /// When the next dial is due that was hastened and is not yet made.
    hastened: Option<Instant>,
    /// When all haste is made up for.
    rested: Option<Instant>,
}

/// A dial under way; ends when it is dropped, unless it has come as far as the hello.
#[derive(Debug)]
struct Dial {
    number: u64,
    task: Option<AbortHandle>,
}

impl Drop for Dial {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

impl Contact {
    /// Adds addresses; returns whether one was new.
    pub(crate) fn know(&mut self, addresses: &[SocketAddr]) -> bool {
        let mut new = false;
        for address in addresses {
            if let Some(at) = self.addresses.iter().position(|known| known == address) {
                self.addresses.remove(at);
            } else {
                new = true;
            }
            self.addresses.push_back(*address);
            if self.addresses.len() > limits::ADDRESSES {
                self.addresses.pop_front();
            }
        }
        new
    }

    /// Takes note of whether a member forwards to it; returns whether that is new and good.
    pub(crate) fn forwarded_by(&mut self, member: DeviceId, forwards: bool) -> bool {
        if forwards {
            return self.members.insert(member);
        }
        self.members.remove(&member);
        false
    }

    /// Dials within `pause`, unless a dial is under way.
    pub(crate) fn soon(&mut self, now: Instant, pause: Duration) {
        let soon = self.hasten(now).max(now + pause);
        // What was due before had nowhere to go.
        self.next = Some(self.next.filter(|next| *next > now).map_or(soon, |next| next.min(soon)));
    }

    pub(crate) fn members(&self) -> &BTreeSet<DeviceId> {
        &self.members
    }

    /// Picks those of the members, best first, through whom the next dial goes.
    ///
    /// Whose copy of a first packet arrives first has the handshake in his hands. So a dial goes through a few at a time
    /// only if none of them was tried; after that the addresses alone have a turn, and each member alone, whatever anybody says
    /// meanwhile.
    pub(crate) fn forwarders(&mut self, members: &[DeviceId]) -> Vec<DeviceId> {
        let tried = |who: Option<DeviceId>| self.tried.get(&who).copied().unwrap_or_default();
        let new = members.iter().copied().filter(|member| tried(Some(*member)) == 0);
        let mut chosen: Vec<_> = new.take(FORWARDERS).collect();
        if chosen.is_empty() {
            let alone = (!self.addresses.is_empty()).then_some(None);
            let turns = members.iter().copied().map(Some).chain(alone);
            chosen = turns.min_by_key(|who| tried(*who)).flatten().into_iter().collect();
        }
        if !members.is_empty() {
            let whom: Vec<_> = chosen.iter().copied().map(Some).collect();
            for who in if whom.is_empty() { vec![None] } else { whom } {
                *self.tried.entry(who).or_default() += 1;
            }
        }
        chosen
    }

    /// Forgets failures and dials as soon as may be, unless a dial is under way.
    pub(crate) fn hurry(&mut self, now: Instant) {
        self.attempts = 0;
        if self.dialling.is_none() {
            self.next = Some(self.hasten(now));
        }
    }

    /// Forgets failures and ends a dial under way, which went to other addresses, as soon as the next may be made.
    pub(crate) fn start_anew(&mut self, now: Instant) {
        self.attempts = 0;
        let at = self.hasten(now);
        self.next = Some(at);
        self.anew = at > now;
        if !self.anew {
            self.dialling = None;
        }
    }

    /// Returns when the next dial may be made that is hastened. Haste is mostly made by what others say, and a dial
    /// sends packets to addresses that others name.
    fn hasten(&mut self, now: Instant) -> Instant {
        if let Some(promised) = self.hastened {
            return promised;
        }
        let rested = self.rested.map_or(now, |rested| rested.max(now));
        let at = now + rested.saturating_duration_since(now).saturating_sub(HASTE * (BURST - 1));
        self.rested = Some(rested + HASTE);
        self.hastened = Some(at);
        at
    }

    /// When to dial; `None` while that makes no sense.
    pub(crate) fn due(&self) -> Option<Instant> {
        let nowhere = self.addresses.is_empty() && self.members.is_empty();
        let busy = self.dialling.is_some() && !self.anew;
        if busy || nowhere { None } else { self.next }
    }

    /// Starts a dial; returns its number and where to.
    pub(crate) fn dial(&mut self) -> (u64, Vec<SocketAddr>) {
        self.dials += 1;
        (self.anew, self.hastened) = (false, None);
        self.dialling = Some(Dial { number: self.dials, task: None });
        (self.dials, self.whereabouts().collect())
    }

    /// Takes note of what carries out the dial that was started last.
    pub(crate) fn dialled_by(&mut self, task: AbortHandle) {
        if let Some(dial) = &mut self.dialling {
            dial.task = Some(task);
        }
    }

    /// Whether that dial is still the one that counts.
    pub(crate) fn is_dialling(&self, dial: u64) -> bool {
        self.dialling.as_ref().is_some_and(|dialling| dialling.number == dial)
    }

    /// Notes that a dial failed; returns how many have in a row.
    pub(crate) fn failed(&mut self, error: String, timing: &Timing, now: Instant, random: u8) -> u32 {
        self.dialling = None;
        self.attempts = self.attempts.saturating_add(1);
        self.error = Some(error);
        if !std::mem::take(&mut self.anew) {
            self.next = Some(now + dial::pause(timing, self.attempts, random));
        }
        self.attempts
    }

    /// Notes that a dial ended without harm.
    pub(crate) fn ended(&mut self) {
        self.dialling = None;
    }

    /// Notes that a link is up.
    pub(crate) fn up(&mut self) {
        self.dialling = None;
        self.tried.clear();
        (self.anew, self.hastened) = (false, None);
        self.error = None;
        self.next = None;
    }

    /// Notes that a link went down; one that did not last counts as a failure, so that two devices that cannot
    /// agree do not dial each other without end.
    pub(crate) fn down(&mut self, lasted: bool, timing: &Timing, now: Instant, random: u8) {
        self.attempts = if lasted { 1 } else { self.attempts.saturating_add(1) };
        self.next = Some(now + dial::pause(timing, self.attempts, random));
    }

    /// Puts the next dial as far off as any.
    pub(crate) fn rest(&mut self, timing: &Timing, now: Instant) {
        self.next = Some(now + timing.retry_last);
    }

    pub(crate) fn addresses(&self) -> usize {
        self.addresses.len()
    }

    pub(crate) fn whereabouts(&self) -> impl Iterator<Item = SocketAddr> {
        self.addresses.iter().copied()
    }

    pub(crate) fn attempts(&self) -> u32 {
        self.attempts
    }

    pub(crate) fn error(&self) -> Option<&String> {
        self.error.as_ref()
    }
}

/// Through how many members a device is dialled at once.
const FORWARDERS: usize = 3;
/// How often a dial is hastened at most, and how often in a row.
const HASTE: Duration = Duration::from_secs(1);
const BURST: u32 = 3;

#[cfg(test)]
mod tests {
    use super::*;

    fn address(port: u16) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], port))
    }

    #[test]
    fn keeps_the_newest_addresses_and_sees_what_is_new() {
        let mut contact = Contact::default();
        assert!(contact.know(&[address(1), address(2)]));
        assert!(!contact.know(&[address(1)]));
        assert!(contact.know(&(100..115).map(address).collect::<Vec<_>>()));
        let (_, dialled) = contact.dial();
        assert_eq!(dialled.len(), limits::ADDRESSES);
        assert_eq!(dialled[0], address(1), "the older of the first two was the one not confirmed");
    }

    #[test]
    fn a_forwarder_makes_it_worth_dialling_the_second_a_little_later() {
        let (mut contact, now) = (Contact::default(), Instant::now());
        let later = now + Duration::from_secs(1);
        contact.hurry(now);
        assert!(contact.forwarded_by(DeviceId::new([1; 32]), true));
        contact.soon(later, Duration::from_millis(700));
        assert_eq!(contact.due(), Some(later + Duration::from_millis(700)));
        assert!(!contact.forwarded_by(DeviceId::new([1; 32]), true), "known");
        contact.forwarded_by(DeviceId::new([1; 32]), false);
        assert_eq!(contact.due(), None);
    }

    #[tokio::test]
    async fn a_dial_that_is_overtaken_ends() {
        let (mut contact, now) = (Contact::default(), Instant::now());
        let dial = |contact: &mut Contact| {
            contact.dial();
            let task = tokio::spawn(std::future::pending::<()>());
            contact.dialled_by(task.abort_handle());
            task
        };
        let overtaken = dial(&mut contact);
        contact.start_anew(now);
        assert!(overtaken.await.unwrap_err().is_cancelled());
        let forgotten = dial(&mut contact);
        drop(contact);
        assert!(forgotten.await.unwrap_err().is_cancelled());
    }

    #[test]
    fn whatever_others_say_dials_are_started_three_times_at_once_and_then_once_a_second() {
        let (mut contact, start) = (Contact::default(), Instant::now());
        contact.know(&[address(1)]);
        let mut dials = Vec::new();
        for ms in (0..10_000).step_by(40) {
            let now = start + Duration::from_millis(ms);
            contact.start_anew(now);
            if contact.due().is_some_and(|due| due <= now) {
                contact.dial();
                dials.push(ms);
            }
        }
        assert_eq!(dials.len(), 3 + 9, "{dials:?}");
        let later = start + Duration::from_secs(60);
        contact.start_anew(later);
        contact.dial();
        contact.start_anew(later);
        assert_eq!(contact.due(), Some(later), "who has been patient may be hasty again");
    }

    #[test]
    fn a_forwarder_who_comes_and_goes_hastens_no_more_dials_than_others_do() {
        let (mut contact, start) = (Contact::default(), Instant::now());
        let mut dials = 0;
        for ms in (0..10_000).step_by(40) {
            let now = start + Duration::from_millis(ms);
            contact.forwarded_by(DeviceId::new([1; 32]), ms % 80 == 0);
            contact.soon(now, Duration::ZERO);
            if contact.due().is_some_and(|due| due <= now) {
                contact.dial();
                contact.ended();
                dials += 1;
            }
        }
        assert!((9..=3 + 9).contains(&dials), "{dials}");
    }

    #[test]
    fn each_forwarder_has_a_turn_alone_and_so_have_the_addresses() {
        let (mut contact, now) = (Contact::default(), Instant::now());
        let members: Vec<_> = (1..=5).map(|n| DeviceId::new([n; 32])).collect();
        let dial = |contact: &mut Contact, members: &[DeviceId]| {
            let through = contact.forwarders(members);
            contact.dial();
            // What the first of them says without end.
            contact.forwarded_by(DeviceId::new([1; 32]), false);
            contact.forwarded_by(DeviceId::new([1; 32]), true);
            contact.start_anew(now);
            through
        };
        assert_eq!(dial(&mut contact, &members), members[..3]);
        assert_eq!(dial(&mut contact, &members), members[3..]);
        for n in (0..5).chain(0..5) {
            assert_eq!(dial(&mut contact, &members), [members[n]], "there is no address");
        }
        contact.know(&[address(1)]);
        assert!(dial(&mut contact, &members).is_empty());
        let new = DeviceId::new([9; 32]);
        assert_eq!(dial(&mut contact, &[&members[..], &[new]].concat()), [new], "who was never tried");
        contact.up();
        assert_eq!(dial(&mut contact, &members), members[..3]);
        assert!(contact.forwarders(&[]).is_empty());
    }

    #[test]
    fn is_dialled_when_due_and_only_once_at_a_time() {
        let (mut contact, timing, now) = (Contact::default(), Timing::default(), Instant::now());
        contact.hurry(now);
        assert_eq!(contact.due(), None, "no address");
        contact.know(&[address(1)]);
        assert_eq!(contact.due(), Some(now));
        let (dial, _) = contact.dial();
        assert_eq!(contact.due(), None, "being dialled");
        contact.hurry(now);
        assert!(
            contact.is_dialling(dial) && contact.due().is_none(),
            "one dial to the same addresses is enough"
        );
        contact.start_anew(now);
        assert!(!contact.is_dialling(dial) && contact.due() == Some(now));
        contact.dial();
        assert_eq!(contact.failed("no answer".into(), &timing, now, 128), 1);
        assert_eq!(contact.due(), Some(now + Duration::from_millis(250)));
        contact.up();
        assert_eq!(contact.due(), None, "linked");
        for _ in 0..8 {
            contact.down(false, &timing, now, 128);
        }
        assert!(
            contact.due() > Some(now + Duration::from_secs(30)),
            "links that do not last are not dialled wildly"
        );
        contact.down(true, &timing, now, 128);
        assert_eq!(contact.due(), Some(now + Duration::from_millis(250)));
    }
}
