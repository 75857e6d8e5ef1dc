//! Asking to be let in, as a newcomer.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use iroh::endpoint::{Connection, SendStream};
use tokio::{sync::mpsc, task::JoinSet, time::sleep};
use wire::DeviceId;

use crate::{
    Knock, RefuseReason,
    dial::{self, Dialler, Target},
    framing::Frames,
    greet::{GreetError, Greeting, Identity},
    hello::Checked,
};

/// How a newcomer's knocking goes.
pub(crate) enum Knocking {
    /// A device let us in: the link can come up.
    Admitted(Box<Greeting>),
    /// We were turned away for good.
    Refused(RefuseReason),
    /// One of the hinted devices was not reached.
    Unreachable { device: DeviceId, attempts: u32, error: GreetError },
}

/// What a newcomer goes out with.
pub(crate) struct Newcomer {
    pub(crate) dialler: Dialler,
    pub(crate) identity: Arc<Identity>,
    pub(crate) serial: Arc<AtomicU64>,
    pub(crate) hints: Vec<(DeviceId, Vec<SocketAddr>)>,
    pub(crate) knock: Knock,
}

/// Knocks at the hinted devices until one lets us in or all have said no.
pub(crate) async fn run(newcomer: Newcomer, news: mpsc::UnboundedSender<Knocking>) {
    let mut attempts = 0u32;
    loop {
        attempts = attempts.saturating_add(1);
        if let Some(end) = round(&newcomer, attempts, &news).await {
            let _ = news.send(end);
            return;
        }
        let [random] = crypto::Entropy::bytes(&mut crypto::OsEntropy);
        sleep(dial::pause(&newcomer.dialler.timing, attempts, random)).await;
    }
}

/// Dials all hinted devices at once, so that those asleep cost no time, but knocks at one after the other, so
/// that only one admits us.
async fn round(
    newcomer: &Newcomer,
    attempts: u32,
    news: &mpsc::UnboundedSender<Knocking>,
) -> Option<Knocking> {
    let mut dials = JoinSet::new();
    for (device, addresses) in newcomer.hints.clone() {
        let (dialler, invitation) = (newcomer.dialler.clone(), newcomer.knock.invitation.clone());
        let target = Target { device, addresses, members: Vec::new() };
        dials.spawn(async move { (device, dialler.connect(&target, Some(&invitation)).await) });
    }
    let mut refused = 0;
    while let Some(dialled) = dials.join_next().await {
        let Ok((device, outcome)) = dialled else { continue };
        let error = match outcome {
            Ok((connection, key_exchange)) => match knock(newcomer, &connection, &device).await {
                Ok((checked, send, frames)) => {
                    let greeting = Greeting { device, connection, key_exchange, checked, send, frames };
                    return Some(Knocking::Admitted(Box::new(greeting)));
                }
                Err(error) => error,
            },
            Err(error) => error,
        };
        match error {
            // This device may only not have heard of the invitation yet; the others may have.
            GreetError::Refused(RefuseReason::Unknown) => refused += 1,
            GreetError::Refused(reason) => return Some(Knocking::Refused(reason)),
            error => {
                let _ = news.send(Knocking::Unreachable { device, attempts, error });
            }
        }
    }
    (refused == newcomer.hints.len()).then_some(Knocking::Refused(RefuseReason::Unknown))
}

async fn knock(
    newcomer: &Newcomer,
    connection: &Connection,
    device: &DeviceId,
) -> Result<(Checked, SendStream, Frames), GreetError> {
    let serial = newcomer.serial.fetch_add(1, Ordering::Relaxed);
    let identity = newcomer.identity.clone();
    dial::greet(identity, connection, device, serial, Some(&newcomer.knock), newcomer.dialler.timing.knock)
        .await
}
