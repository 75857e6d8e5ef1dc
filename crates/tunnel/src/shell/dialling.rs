//! Going to those who are allowed.

use std::{net::SocketAddr, time::Instant};

use iroh::endpoint::Connection;
use wire::DeviceId;

use super::Shell;
use crate::{
    DownReason, Event,
    dial::{self, Dialler, Target},
    greet::{GreetError, Greeting},
    link::Link,
    transport::code,
};

/// How far a dial has come.
pub(super) enum Dialled {
    Connected { device: DeviceId, dial: u64, connection: Connection, key_exchange: &'static str },
    Greeted(u64, Box<Greeting>),
    Failed { device: DeviceId, dial: u64, error: GreetError },
}

impl Shell {
    pub(super) fn know(&mut self, device: DeviceId, addresses: &[SocketAddr]) {
        if device == self.identity.device {
            return;
        }
        let contact = self.contacts.entry(device).or_default();
        let new = contact.know(addresses);
        match self.links.contains_key(&device) {
            false if new => contact.start_anew(Instant::now()),
            false => contact.hurry(Instant::now()),
            true if new => self.hurry_search(&device),
            true => {}
        }
    }

    pub(super) fn network_changed(&mut self) {
        let now = Instant::now();
        for (_, contact) in self.contacts.iter_mut().filter(|(device, _)| !self.links.contains_key(*device)) {
            contact.hurry(now);
        }
        self.ask_links();
        // The interfaces may be others although the addresses are the same.
        self.setting.send_modify(|_| {});
        let endpoint = self.endpoint.clone();
        self.tasks.spawn(async move { endpoint.network_change().await });
    }

    /// Whether a device should be dialled as soon as it is due.
    pub(super) fn wants(&self, device: &DeviceId) -> bool {
        self.allowed.borrow().contains(device) && self.links.get(device).is_none_or(Link::is_doubted)
    }

    pub(super) fn dialler(&self) -> Dialler {
        Dialler {
            endpoint: self.endpoint.clone(),
            gate: self.gate.clone(),
            tcp: self.dials_tcp.then(|| self.tcp.clone()),
            timing: self.timing.clone(),
        }
    }

    pub(super) fn dial_due(&mut self) {
        let now = Instant::now();
        let due: Vec<_> = self
            .contacts
            .iter()
            .filter(|(device, contact)| contact.due().is_some_and(|due| due <= now) && self.wants(device))
            .map(|(device, _)| *device)
            .collect();
        for device in due {
            let members = self.forwarders(&device);
            let (dialler, dialled) = (self.dialler(), self.outlets.dialled.clone());
            let Some(contact) = self.contacts.get_mut(&device) else {
                continue;
            };
            let (dial, addresses) = contact.dial();
            let target = Target { device, addresses, members };
            let task = self.tasks.spawn(async move {
                let news = match dialler.connect(&target, None).await {
                    Ok((connection, key_exchange)) => {
                        Dialled::Connected { device, dial, connection, key_exchange }
                    }
                    Err(error) => Dialled::Failed { device, dial, error },
                };
                let _ = dialled.send(news);
            });
            contact.dialled_by(task);
        }
    }

    pub(super) fn handle_dialled(&mut self, news: Dialled) {
        match news {
            Dialled::Connected { device, dial, connection, key_exchange } => {
                // What the serials of hellos mean hangs on this: a device that has a link says no hello.
                let counts = self.contacts.get(&device).is_some_and(|contact| contact.is_dialling(dial));
                if !counts || !self.wants(&device) {
                    connection.close(code::DUPLICATE, b"");
                    self.dial_ended(device, dial);
                    return;
                }
                // That a link was doubted until here decides it.
                self.down(device, code::BYE, DownReason::Lost);
                let serial = self.next_serial();
                let (identity, limit, dialled) =
                    (self.identity.clone(), self.timing.hello, self.outlets.dialled.clone());
                self.tasks.spawn(async move {
                    let news = match dial::greet(identity, &connection, &device, serial, None, limit).await {
                        Ok((checked, send, frames)) => {
                            let greeting =
                                Greeting { device, connection, key_exchange, checked, send, frames };
                            Dialled::Greeted(dial, Box::new(greeting))
                        }
                        Err(error) => Dialled::Failed { device, dial, error },
                    };
                    let _ = dialled.send(news);
                });
            }
            Dialled::Greeted(dial, greeting) => {
                let device = greeting.device;
                self.dial_ended(device, dial);
                if !self.allowed.borrow().contains(&device) {
                    greeting.connection.close(code::GO_AWAY, b"");
                    return;
                }
                let greeted = self.initiated(*greeting);
                self.settle(greeted);
            }
            Dialled::Failed { device, dial, error } => self.handle_failed(device, dial, &error),
        }
    }

    fn dial_ended(&mut self, device: DeviceId, dial: u64) {
        if let Some(contact) = self.contacts.get_mut(&device).filter(|contact| contact.is_dialling(dial)) {
            contact.ended();
        }
    }

    fn handle_failed(&mut self, device: DeviceId, dial: u64, error: &GreetError) {
        let Some(contact) = self.contacts.get_mut(&device).filter(|c| c.is_dialling(dial)) else { return };
        if self.links.get(&device).is_some_and(|link| !link.is_doubted()) {
            contact.ended();
            return;
        }
        let [random] = crypto::Entropy::bytes(&mut crypto::OsEntropy);
        let error = error.to_string();
        let attempts = contact.failed(error.clone(), &self.timing, Instant::now(), random);
        if self.allowed.borrow().contains(&device) && !self.links.contains_key(&device) {
            self.sink.deliver(Event::Unreachable { device, attempts, error });
        }
    }
}
