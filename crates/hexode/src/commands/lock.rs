use crate::{failure::Failure, session::Session};

/// Lock the node: close its tunnels and its vault and drop the keys from memory
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

impl Args {
    pub(crate) async fn run(self, session: Session) -> Result<(), Failure> {
        session.client.lock().await?;
        Ok(())
    }
}
