//! How flows ended, for whoever waits for one of them.

use streams::Reason;
use tokio::sync::watch;

/// How a flow ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// Both programs said their end, or one of them ended and was to be told no more.
    Properly,
    /// It was never open.
    Refused(Reason),
    /// It was open and broke off.
    Broke(Reason),
}

/// By which it is told how a flow ended; let go of without a word, the device ended it.
pub(super) type Tells = watch::Sender<Option<End>>;

/// By which it is heard.
#[derive(Debug, Clone)]
pub(crate) struct Hears(pub(super) watch::Receiver<Option<End>>);

impl Hears {
    /// Waits until the flow is over.
    pub(crate) async fn end(mut self) -> End {
        let told = self.0.wait_for(Option::is_some).await;
        told.ok().and_then(|end| *end).unwrap_or(End::Broke(Reason::Closed))
    }

    /// Tells whether it is.
    pub(super) fn is_over(&self) -> bool {
        self.0.borrow().is_some() || self.0.has_changed().is_err()
    }
}
