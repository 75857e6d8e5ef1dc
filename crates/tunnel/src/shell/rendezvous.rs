//! Looking on the DHT for those who cannot be reached.

use std::{net::SocketAddr, time::Instant};

use tokio::sync::watch;

use super::Shell;
use crate::{Event, dht};

/// What the loop knows of the rendezvous on the DHT.
pub(super) struct Meeting {
    /// How it stands; `None` if it is switched off.
    progress: Option<watch::Receiver<dht::Progress>>,
    sought: watch::Sender<std::collections::BTreeSet<wire::DeviceId>>,
    remembered: Option<Instant>,
}

impl Meeting {
    pub(super) fn new() -> Self {
        Self { progress: None, sought: watch::Sender::default(), remembered: None }
    }

    /// Returns once something is new; never if it is switched off.
    pub(super) async fn changed(&mut self) {
        if let Some(progress) = &mut self.progress
            && progress.changed().await.is_ok()
        {
            return;
        }
        std::future::pending().await
    }

    /// Takes what is new, with the nodes to be remembered if it is time to.
    fn take(&mut self) -> Option<(dht::DhtStatus, Option<Vec<SocketAddr>>)> {
        let dht::Progress { status, nodes } = self.progress.as_mut()?.borrow_and_update().clone();
        let early = self.remembered.is_some_and(|last| last.elapsed() < dht::REMEMBER);
        let nodes = Some(nodes).filter(|nodes| !nodes.is_empty() && !early);
        if nodes.is_some() {
            self.remembered = Some(Instant::now());
        }
        Some((status, nodes))
    }
}

impl Shell {
    /// Starts the rendezvous, if it is wanted.
    pub(super) fn start_dht(&mut self) {
        let Some(config) = self.dht.take() else { return };
        let (progress, receiver) = watch::channel(dht::Progress::default());
        self.meeting.progress = Some(receiver);
        let rendezvous = dht::Rendezvous {
            key: self.identity.key.clone(),
            config,
            own: self.endpoint.bound_sockets().iter().map(SocketAddr::ip).collect(),
            settings: self.setting.subscribe(),
            sought: self.meeting.sought.subscribe(),
            found: self.outlets.found.clone(),
            progress,
        };
        self.tasks.spawn(rendezvous.run());
    }

    /// Has those looked for whom no dial reaches.
    pub(super) fn seek(&self) {
        if self.meeting.progress.is_none() {
            return;
        }
        let lost = self.contacts.iter().filter(|(device, contact)| {
            (contact.attempts() > 0 || contact.addresses() == 0) && self.wants(device)
        });
        let lost = lost.map(|(device, _)| *device).collect();
        self.meeting.sought.send_if_modified(|sought| {
            let differs = *sought != lost;
            *sought = lost;
            differs
        });
    }

    pub(super) fn handle_meeting(&mut self) {
        if let Some((status, nodes)) = self.meeting.take() {
            self.sink.deliver(Event::Dht { status, nodes });
        }
    }
}
