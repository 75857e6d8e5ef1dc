use std::sync::Arc;

use tokio::sync::mpsc;

use crate::{BindError, Command, Config, EventSink, outbox::Outboxes};

/// A handle on a running tunnel; clones are handles on the same one.
///
/// Dropping the last handle shuts the tunnel down.
#[derive(Debug, Clone)]
pub struct Tunnel {
    commands: mpsc::UnboundedSender<Command>,
    outboxes: Arc<Outboxes>,
}

impl Tunnel {
    /// Starts to listen and to deliver events, on the tokio runtime this is awaited on.
    ///
    /// That runtime has to be driven for as long as the tunnel lives. The first event is
    /// [`Event::Bound`](crate::Event::Bound).
    pub async fn start(config: Config, sink: Arc<dyn EventSink>) -> Result<Self, BindError> {
        let (commands, queue) = mpsc::unbounded_channel();
        let outboxes = Arc::default();
        crate::shell::start(config, sink, queue, Arc::clone(&outboxes)).await?;
        Ok(Self { commands, outboxes })
    }

    /// Queues a command, from any thread; never waits. Returns `false` once the tunnel has stopped.
    pub fn send(&self, command: Command) -> bool {
        match command {
            // Straight to the one that writes: whoever decides about links need not look at each frame.
            Command::Send { device, link, frame } => match self.outboxes.push((device, link), frame) {
                Ok(()) => !self.commands.is_closed(),
                Err(frame) => self.commands.send(Command::Send { device, link, frame }).is_ok(),
            },
            command => self.commands.send(command).is_ok(),
        }
    }

    /// Waits until the tunnel has stopped, after [`Command::Shutdown`].
    pub async fn stopped(&self) {
        self.commands.closed().await;
    }
}
