//! What comes of asking the router for a port.

use std::time::Instant;

use tokio::{
    sync::{oneshot, watch},
    task::JoinHandle,
};

use super::Shell;
use crate::{Event, MappingStatus, mapping::Mapper, own::Witness};

/// The loop's side of the one task that asks the router.
pub(super) struct Mapping {
    /// How it stands; `None` if it is switched off.
    progress: Option<watch::Receiver<MappingStatus>>,
    running: Option<(oneshot::Sender<()>, JoinHandle<()>)>,
}

impl Mapping {
    /// Returns what is new, once something is; never if it is switched off.
    pub(super) async fn changed(&mut self) -> MappingStatus {
        if let Some(progress) = &mut self.progress
            && progress.changed().await.is_ok()
        {
            return progress.borrow_and_update().clone();
        }
        std::future::pending().await
    }

    /// Has the ports closed, and waits for that.
    pub(super) async fn stop(self) {
        if let Some((stop, task)) = self.running {
            // It may have ended by itself.
            let _ = stop.send(());
            let _ = task.await;
        }
    }
}

impl Shell {
    /// Starts to ask the router, if that is wanted and this device listens where a router could be.
    pub(super) fn start_mapping(&self) -> Mapping {
        let port = self
            .endpoint
            .bound_sockets()
            .into_iter()
            .find(|address| address.is_ipv4() && !address.ip().is_loopback());
        let Some(port) = port.map(|address| address.port()).filter(|_| self.maps) else {
            return Mapping { progress: None, running: None };
        };
        let (progress, receiver) = watch::channel(MappingStatus::default());
        let tcp = self.listeners.iter().any(|listener| listener.is_ipv4() && listener.port() == port);
        let mapper = Mapper { port, tcp, settings: self.setting.subscribe(), progress };
        let (stop, stopped) = oneshot::channel();
        // Not among the other tasks: it has a last thing to do when they have ended.
        let task = tokio::spawn(mapper.run(stopped));
        Mapping { progress: Some(receiver), running: Some((stop, task)) }
    }

    pub(super) fn handle_mapping(&mut self, status: MappingStatus) {
        match status.mapped.map(|mapped| mapped.outside) {
            Some(outside) => self.witnesses.hear(Witness::Router, outside, Instant::now()),
            None => self.witnesses.forget(Witness::Router),
        }
        self.judge_witnesses();
        self.sink.deliver(Event::Mapping(status));
    }
}
