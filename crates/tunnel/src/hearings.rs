//! Those who are being heard, as many as the doorway allows.

use std::{net::IpAddr, time::Instant};

use tokio::task::{AbortHandle, JoinSet};

use crate::doorway::{Bounds, Doorway, Verdict};

/// Visitors, each with a task that hears him and says what came of it.
pub(crate) struct Hearings<T> {
    doorway: Doorway<AbortHandle>,
    tasks: JoinSet<(u64, T)>,
}

/// What to do with one who comes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Entrance {
    Open,
    /// Once he has shown that he is where he says.
    Validate,
    Closed,
}

impl<T: Send + 'static> Hearings<T> {
    pub(crate) fn new(bounds: Bounds) -> Self {
        Self { doorway: Doorway::new(bounds), tasks: JoinSet::new() }
    }

    /// Decides about one who comes from `address`, and makes room for him if that is needed.
    pub(crate) fn entrance(&mut self, address: IpAddr, validated: bool) -> Entrance {
        match self.doorway.decide(address, validated, Instant::now()) {
            Verdict::Admit => Entrance::Open,
            Verdict::AdmitFor(other) => {
                other.abort();
                Entrance::Open
            }
            Verdict::Validate => Entrance::Validate,
            Verdict::Ignore => Entrance::Closed,
        }
    }

    /// Starts to hear one for whom the entrance is open.
    pub(crate) fn hear(&mut self, address: IpAddr, hearing: impl Future<Output = T> + Send + 'static) {
        let number = self.doorway.number();
        let task = self.tasks.spawn(async move { (number, hearing.await) });
        self.doorway.enter(number, address, Instant::now(), task);
    }

    /// Waits for the next hearing to end. May be dropped at any time.
    pub(crate) async fn next(&mut self) -> T {
        loop {
            match self.tasks.join_next().await {
                Some(Ok((number, outcome))) => {
                    self.doorway.leave(number);
                    return outcome;
                }
                // Those pushed out have left the doorway already.
                Some(Err(error)) if error.is_cancelled() => {}
                Some(Err(error)) => tracing::error!(%error, "a hearing failed"),
                None => return std::future::pending().await,
            }
        }
    }
}
