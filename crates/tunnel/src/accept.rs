//! Hearing those who come.

use std::{collections::BTreeSet, sync::Arc};

use iroh::{
    Endpoint,
    endpoint::{Connection, Incoming, IncomingAddr, IncomingZeroRttConnection, SendStream},
};
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::timeout,
};
use wire::DeviceId;

use crate::{
    RefuseReason, Timing,
    doorway::Bounds,
    forward::Through,
    framing::Frames,
    gate::Gate,
    greet::{self, Identity},
    hearings::{Entrance, Hearings},
    hello::{Kind, Role, Statement},
    tcp::{End, Tcp},
    transport::{self, code},
};

/// What the hearing needs to know.
#[derive(Clone)]
pub(crate) struct Porter {
    pub(crate) endpoint: Endpoint,
    pub(crate) gate: Arc<Gate>,
    pub(crate) tcp: Arc<Tcp>,
    pub(crate) identity: Arc<Identity>,
    pub(crate) allowed: watch::Receiver<Arc<BTreeSet<DeviceId>>>,
    pub(crate) timing: Timing,
}

/// Someone who comes.
struct Incomer {
    incoming: Incoming,
    /// Who he has to be: the member through whom he comes said so.
    peer: Option<DeviceId>,
}

/// Someone whose hello holds.
pub(crate) enum Heard {
    /// A device that is allowed; its connection is complete, our hello is not sent.
    Member { caller: Caller, connection: Connection, instance: u64, serial: u64 },
    /// A stranger with an invitation's key.
    Newcomer { caller: Caller, waiting: Waiting, invitation: [u8; 32], request: Vec<u8> },
}

/// The part of a caller that outlives the hearing.
pub(crate) struct Caller {
    pub(crate) device: DeviceId,
    pub(crate) key_exchange: &'static str,
    pub(crate) send: SendStream,
    pub(crate) frames: Frames,
}

/// A newcomer's connection before it is known to iroh, which would at once tell it our addresses.
pub(crate) struct Waiting {
    connection: IncomingZeroRttConnection,
    pub(crate) instance: u64,
    pub(crate) serial: u64,
}

/// Hears all who come until the endpoint closes.
pub(crate) async fn listen(porter: Porter, heard: mpsc::UnboundedSender<Heard>) {
    let mut hearings = Hearings::new(Bounds::LINKS);
    loop {
        let incoming = tokio::select! {
            incoming = porter.endpoint.accept() => incoming,
            () = hearings.next() => continue,
        };
        let Some(incoming) = incoming else { return };
        let (address, through) = match incoming.remote_addr() {
            IncomingAddr::Ip(address) => (address.ip(), None),
            IncomingAddr::Custom(address) => {
                let through = Through::read(&address);
                let lane = End::read(&address).and_then(|end| porter.tcp.remote(end));
                match (through, lane) {
                    (Some(through), _) => (through.source(), Some(through)),
                    (None, Some(remote)) => (remote.ip(), None),
                    (None, None) => {
                        incoming.ignore();
                        continue;
                    }
                }
            }
            _ => {
                incoming.ignore();
                continue;
            }
        };
        // Guesses of our own ids pass the gate: only a first packet that proved something opens a connection.
        if !porter.gate.knows(incoming.orig_dst_cid()) {
            incoming.ignore();
            continue;
        }
        match hearings.entrance(address, incoming.remote_addr_validated()) {
            Entrance::Open => {}
            Entrance::Validate => {
                porter.gate.retries(incoming.orig_dst_cid());
                // Fails only for those already validated.
                let _ = incoming.retry();
                continue;
            }
            Entrance::Closed => {
                incoming.ignore();
                continue;
            }
        }
        let caller = Incomer { incoming, peer: through.map(|through| through.peer) };
        let (porter, heard) = (porter.clone(), heard.clone());
        hearings.hear(address, async move {
            if let Some(one) = hear(&porter, caller).await {
                // The shell may be gone; then so is the endpoint.
                let _ = heard.send(one);
            }
        });
    }
}

/// Hears one; all who have no business here see the same close, whatever the cause.
async fn hear(porter: &Porter, Incomer { incoming, peer }: Incomer) -> Option<Heard> {
    // Only a complete handshake shows the connection to iroh, which then tells the other side our addresses:
    // until the hello is checked it stays what iroh calls 0-RTT. No early data is taken.
    let connection = incoming.accept().ok()?.into_0rtt();
    let hearing = timeout(porter.timing.hello, listen_to(porter, &connection)).await.ok().flatten();
    let hearing = hearing.filter(|(caller, _)| peer.is_none_or(|peer| peer == caller.device));
    let Some((caller, statement)) = hearing else {
        connection.close(code::GO_AWAY, b"");
        return None;
    };
    let Statement { instance, serial, kind } = statement;
    match kind {
        Kind::Newcomer { invitation, request, .. } => {
            let waiting = Waiting { connection, instance, serial };
            Some(Heard::Newcomer { caller, waiting, invitation, request: request.0 })
        }
        Kind::Member if porter.allowed.borrow().contains(&caller.device) => {
            let connection = connection.handshake_completed().await.ok()?;
            Some(Heard::Member { caller, connection, instance, serial })
        }
        Kind::Member => {
            connection.close(code::GO_AWAY, b"");
            None
        }
    }
}

async fn listen_to(porter: &Porter, connection: &IncomingZeroRttConnection) -> Option<(Caller, Statement)> {
    let (send, recv) = connection.accept_bi().await.ok()?;
    if recv.is_0rtt() {
        return None;
    }
    let key_exchange = transport::key_exchange(connection)?;
    let device = DeviceId::new(*connection.remote_id().ok()?.as_bytes());
    let mut frames = Frames::new(recv);
    let checked =
        greet::hear(&porter.identity, connection, &device, Role::Initiator, &mut frames).await.ok()?;
    Some((Caller { device, key_exchange, send, frames }, checked.into_statement()))
}

impl Waiting {
    /// Keeps the newcomer until the engine decides, he leaves, or time is up; returns his connection if he is
    /// let in.
    pub(crate) async fn decide(
        &self,
        verdict: oneshot::Receiver<Result<(), RefuseReason>>,
        timing: &Timing,
    ) -> Option<Connection> {
        let decision = tokio::select! {
            decision = timeout(timing.knock, verdict) => decision,
            _ = self.connection.closed() => return None,
        };
        // A late or vanished engine has decided nothing: he may ask again.
        let Ok(Ok(decision)) = decision else {
            self.come_again();
            return None;
        };
        match decision {
            Ok(()) => self.connection.handshake_completed().await.ok(),
            Err(reason) => {
                self.connection.close(code::refusal(reason), b"");
                None
            }
        }
    }

    /// Turns the newcomer away unheard and undecided.
    pub(crate) fn come_again(&self) {
        self.connection.close(code::BYE, b"");
    }
}
