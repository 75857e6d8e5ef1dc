//! What is known of getting to another device.

use std::{
    collections::{BTreeSet, VecDeque},
    net::SocketAddr,
    time::{Duration, Instant},
};

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
    /// The number of the dial that is under way.
    dialling: Option<u64>,
    dials: u64,
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
        let soon = now + pause;
        // What was due before had nowhere to go.
        self.next = Some(self.next.filter(|next| *next > now).map_or(soon, |next| next.min(soon)));
    }

    pub(crate) fn members(&self) -> &BTreeSet<DeviceId> {
        &self.members
    }

    /// Forgets failures and dials at the next turn, unless a dial is under way.
    pub(crate) fn hurry(&mut self, now: Instant) {
        self.attempts = 0;
        self.next = Some(now);
    }

    /// Forgets failures and a dial under way, which went to other addresses.
    pub(crate) fn start_anew(&mut self, now: Instant) {
        self.dialling = None;
        self.hurry(now);
    }

    /// When to dial; `None` while that makes no sense.
    pub(crate) fn due(&self) -> Option<Instant> {
        let nowhere = self.addresses.is_empty() && self.members.is_empty();
        if self.dialling.is_some() || nowhere { None } else { self.next }
    }

    /// Starts a dial; returns its number and where to.
    pub(crate) fn dial(&mut self) -> (u64, Vec<SocketAddr>) {
        self.dials += 1;
        self.dialling = Some(self.dials);
        (self.dials, self.addresses.iter().copied().collect())
    }

    /// Whether that dial is still the one that counts.
    pub(crate) fn is_dialling(&self, dial: u64) -> bool {
        self.dialling == Some(dial)
    }

    /// Notes that a dial failed; returns how many have in a row.
    pub(crate) fn failed(&mut self, error: String, timing: &Timing, now: Instant, random: u8) -> u32 {
        self.dialling = None;
        self.attempts = self.attempts.saturating_add(1);
        self.error = Some(error);
        self.next = Some(now + dial::pause(timing, self.attempts, random));
        self.attempts
    }

    /// Notes that a dial ended without harm.
    pub(crate) fn ended(&mut self) {
        self.dialling = None;
    }

    /// Notes that a link is up.
    pub(crate) fn up(&mut self) {
        self.dialling = None;
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

    pub(crate) fn attempts(&self) -> u32 {
        self.attempts
    }

    pub(crate) fn error(&self) -> Option<&String> {
        self.error.as_ref()
    }
}

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
