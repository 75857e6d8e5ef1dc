use crate::{failure::Failure, session::Session};

/// Destroy this device's vault with all that is in it, at once and for good
///
/// Its keys go first, so that what a disk still holds cannot be read. Needs no passphrase. A running node does the same on
/// SIGUSR1, and `hexode chat` on F12 pressed three times in a row. The others keep what they have, and this
/// device stays in their circles until somebody removes it.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Do it without being asked
    #[arg(long)]
    yes: bool,
}

impl Args {
    pub(crate) async fn run(self, session: Session) -> Result<(), Failure> {
        if !self.yes
            && !session.confirm("Destroy all that is on this device? Nothing can be brought back.")?
        {
            return Ok(());
        }
        session.client.wipe().await?;
        session.progress("The vault is destroyed.");
        Ok(())
    }
}
