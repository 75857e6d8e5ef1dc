use crate::{failure::Failure, passphrase::Source, session::Session};

/// Unlock the node; makes the vault if there is none yet
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    passphrase: Source,
}

impl Args {
    pub(crate) async fn run(self, session: Session) -> Result<(), Failure> {
        let vault = session.client.vault().await?;
        match (vault.exists, vault.locked) {
            (true, false) => {}
            (true, true) => session.client.unlock(self.passphrase.ask()?).await?,
            (false, _) => session.client.create(self.passphrase.choose()?).await?,
        }
        Ok(())
    }
}
