//! Those who come, newcomers among them, and our own knocking.

use std::net::SocketAddr;

use iroh::endpoint::Connection;
use tokio::sync::oneshot;
use wire::DeviceId;

use super::Shell;
use crate::{
    Event, Knock, LinkId, RefuseReason,
    accept::{Caller, Heard, Waiting},
    knock::{self, Knocking, Newcomer},
    link::Greeted,
    transport::code,
};

/// What became of a newcomer who waited.
pub(super) struct Decided {
    link: LinkId,
    admitted: Option<(Caller, Connection, u64, u64)>,
}

impl Shell {
    pub(super) fn handle_heard(&mut self, heard: Heard) {
        match heard {
            Heard::Member { caller, connection, instance, serial } => {
                // The roster may have changed since he was heard.
                if self.allowed.borrow().contains(&caller.device) {
                    let id = self.next_link();
                    self.settle(answered(id, caller, connection, instance, serial));
                } else {
                    connection.close(code::GO_AWAY, b"");
                }
            }
            Heard::Newcomer { caller, waiting, invitation, request } => {
                if self.waiting.len() < WAITING {
                    self.keep_waiting(caller, waiting, invitation, request);
                } else {
                    waiting.come_again();
                }
            }
        }
    }

    fn keep_waiting(&mut self, caller: Caller, waiting: Waiting, invitation: [u8; 32], request: Vec<u8>) {
        let (link, device) = (self.next_link(), caller.device);
        let (verdict, decision) = oneshot::channel();
        self.waiting.insert(link, verdict);
        let (timing, decided) = (self.timing.clone(), self.outlets.decided.clone());
        self.tasks.spawn(async move {
            let connection = waiting.decide(decision, &timing).await;
            let admitted =
                connection.map(|connection| (caller, connection, waiting.instance, waiting.serial));
            let _ = decided.send(Decided { link, admitted });
        });
        self.sink.deliver(Event::Knocked { link, device, invitation, request });
    }

    pub(super) fn decide(&mut self, link: LinkId, verdict: Result<(), RefuseReason>) {
        if let Some(waiting) = self.waiting.remove(&link) {
            // The newcomer may have gone in this very moment.
            let _ = waiting.send(verdict);
        }
    }

    pub(super) fn handle_decided(&mut self, decided: Decided) {
        self.waiting.remove(&decided.link);
        let Some((caller, connection, instance, serial)) = decided.admitted else { return };
        // He may have been removed again since he was welcomed.
        if self.allowed.borrow().contains(&caller.device) {
            self.settle(answered(decided.link, caller, connection, instance, serial));
        } else {
            connection.close(code::GO_AWAY, b"");
        }
    }

    pub(super) fn knock(&mut self, hints: Vec<(DeviceId, Vec<SocketAddr>)>, knock: Knock) {
        if let Some(task) = self.knocking.take() {
            task.abort();
        }
        if hints.is_empty() {
            return;
        }
        for (device, addresses) in &hints {
            // Dialled from here on should the roster name them.
            self.contacts.entry(*device).or_default().know(addresses);
        }
        let newcomer = Newcomer {
            dialler: self.dialler(),
            identity: self.identity.clone(),
            serial: self.serial.clone(),
            hints,
            knock,
        };
        self.knocking = Some(self.tasks.spawn(knock::run(newcomer, self.outlets.knocking.clone())));
    }

    pub(super) fn handle_knocking(&mut self, news: Knocking) {
        if self.knocking.is_none() {
            return;
        }
        match news {
            Knocking::Admitted(greeting) => {
                self.knocking = None;
                let greeted = self.initiated(*greeting);
                self.settle(greeted);
            }
            Knocking::Refused(reason) => {
                self.knocking = None;
                self.sink.deliver(Event::Refused { reason });
            }
            Knocking::Unreachable { device, attempts, error } => {
                self.sink.deliver(Event::Unreachable { device, attempts, error: error.to_string() });
            }
        }
    }
}

fn answered(id: LinkId, caller: Caller, connection: Connection, instance: u64, serial: u64) -> Greeted {
    let Caller { device, key_exchange, send, frames } = caller;
    Greeted { id, device, initiated: false, instance, serial, connection, key_exchange, send, frames }
}

/// How many newcomers may wait for the engine.
const WAITING: usize = 16;
