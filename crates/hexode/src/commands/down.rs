use crate::{failure::Failure, session::Session};

/// Ask the running node to close its tunnels and its vault and to end
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

impl Args {
    pub(crate) async fn run(self, session: Session) -> Result<(), Failure> {
        session.client.stop().await?;
        Ok(())
    }
}
