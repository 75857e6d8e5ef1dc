//! Which link there is to each device.

use std::time::{Duration, Instant};

use wire::DeviceId;

use super::Shell;
use crate::{
    CloseReason, DownReason, LinkId, Remote,
    greet::Greeting,
    hello::Role,
    link::{self, Greeted, Link, News, Place, Turn},
    transport::code,
};

impl Shell {
    /// Closes a link whose outbox is full.
    pub(super) fn overrun(&mut self, device: DeviceId, link: LinkId) {
        if self.links.get(&device).is_some_and(|to| to.id == link) {
            self.down(device, code::OVERRUN, DownReason::Overrun);
        }
    }

    pub(super) fn part(&mut self, device: DeviceId, link: LinkId, frames: Vec<Vec<u8>>) {
        if self.links.get(&device).is_some_and(|up| up.id == link)
            && let Some(link) = self.take(device)
        {
            self.tasks.spawn(link.part(frames, &self.sink));
        }
    }

    pub(super) fn close(&mut self, device: DeviceId, reason: CloseReason) {
        match reason {
            CloseReason::Done => self.down(device, code::BYE, DownReason::ByEngine),
            CloseReason::Misbehaved => {
                self.down(device, code::GARBAGE, DownReason::ByEngine);
                if let Some(contact) = self.contacts.get_mut(&device) {
                    contact.rest(&self.timing, Instant::now());
                }
            }
        }
    }

    pub(super) fn initiated(&mut self, greeting: Greeting) -> Greeted {
        let Greeting { device, connection, key_exchange, checked, send, frames } = greeting;
        let (instance, serial) = checked.number();
        let id = self.next_link();
        Greeted { id, device, initiated: true, instance, serial, connection, key_exchange, send, frames }
    }

    /// Brings a link up, or closes it in favour of the one that is.
    pub(super) fn settle(&mut self, new: Greeted) {
        let device = new.device;
        if let Some(old) = self.links.get(&device) {
            if !self.prefers(&new, old) {
                new.connection.close(code::DUPLICATE, b"");
                return;
            }
            self.down(device, code::DUPLICATE, DownReason::Replaced);
        }
        // The one that answers says its hello only now: until here the caller has learnt nothing.
        let first = if new.initiated {
            None
        } else {
            let serial = self.next_serial();
            let hello = self.identity.hello(&new.connection, Role::Responder, serial, None);
            if hello.is_none() {
                new.connection.close(code::GO_AWAY, b"");
                return;
            }
            hello
        };
        // Both ends listen where they dial from, so what reached us can be dialled.
        let contact = self.contacts.entry(device).or_default();
        let remote = link::remote(&new.connection, &self.tcp);
        if let Remote::Address(address) = remote {
            contact.know(&[address]);
        }
        contact.up();
        self.clear_suspicion(device, remote);
        let place = Place {
            sink: &self.sink,
            outboxes: &self.outboxes,
            news: &self.outlets.links,
            forwarding: &self.forwarding,
            told: &self.outlets.told,
            tcp: &self.tcp,
        };
        let link = Link::start(new, first, &place);
        self.links.insert(device, link);
    }

    /// Decides between two links to one device, the same way at both ends.
    ///
    /// A device that has a link says no hello on a new one. So a hello said after that of the link we have, or by
    /// a restarted device, means that the other side has lost that link: the new one stays. Otherwise both dialled
    /// at once, and the one dialled by the smaller id stays.
    fn prefers(&self, new: &Greeted, old: &Link) -> bool {
        // A device that doubts its link has said a hello all the same, which the other side takes for better.
        if new.instance != old.instance
            || (!new.initiated && new.serial > old.serial)
            || (new.initiated && old.is_doubted())
        {
            return true;
        }
        let dialler = |initiated| {
            if initiated { self.identity.device } else { new.device }
        };
        new.initiated == old.initiated || dialler(new.initiated) < dialler(old.initiated)
    }

    /// Asks on every link whether it survived a change of the network.
    pub(super) fn ask_links(&mut self) {
        self.links.values().for_each(Link::ask);
        self.hurry_searches();
    }

    pub(super) fn handle_link(&mut self, news: &News) {
        let Some(link) = self.links.get_mut(&news.device).filter(|link| link.id == news.link) else {
            return;
        };
        match news.turn {
            Turn::Doubted => {
                link.doubt(true);
                self.doubt_forwarder(news.device);
                // Another connection is made ready while this one may yet come back.
                if let Some(contact) = self.contacts.get_mut(&news.device) {
                    contact.start_anew(Instant::now());
                }
            }
            Turn::Trusted => link.doubt(false),
            Turn::Ended(reason) => {
                let code = if reason == DownReason::Garbage { code::GARBAGE } else { code::BYE };
                self.down(news.device, code, reason);
            }
        }
    }

    pub(super) fn down(&mut self, device: DeviceId, code: iroh::endpoint::VarInt, reason: DownReason) {
        if let Some(link) = self.take(device) {
            link.close(code, reason, &self.sink);
        }
    }

    /// Takes a link out; when the device is dialled again depends on how long the link lasted.
    fn take(&mut self, device: DeviceId) -> Option<Link> {
        let link = self.links.remove(&device)?;
        self.searches.remove(&device);
        self.member_gone(&device);
        if let Some(contact) = self.contacts.get_mut(&device) {
            let [random] = crypto::Entropy::bytes(&mut crypto::OsEntropy);
            contact.down(link.since.elapsed() >= LASTED, &self.timing, Instant::now(), random);
        }
        Some(link)
    }
}

/// How long a link must have been up for its end to be no failure.
const LASTED: Duration = Duration::from_secs(10);
