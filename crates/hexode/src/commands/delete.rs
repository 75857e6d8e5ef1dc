use crate::{failure::Failure, resolve::Which, session::Session};

/// Take your own message back: its text is erased on every device that hears of it
///
/// Who has read it has read it, and a device that keeps no rules keeps what it likes.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    which: Which,
}

impl Args {
    pub(crate) async fn run(self, session: Session) -> Result<(), Failure> {
        let (circle, message) = self.which.find(&session).await?;
        let deleted = session.client.delete(circle, message.id).await?;
        session.answer(&deleted, || "It is erased here, and goes on to the others.\n".into())
    }
}
