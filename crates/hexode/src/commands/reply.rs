use super::send::Rewrite;
use crate::{failure::Failure, session::Session};

/// Answer a message, in its conversation
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    rewrite: Rewrite,
}

impl Args {
    pub(crate) async fn run(self, session: Session) -> Result<(), Failure> {
        let (circle, message, text) = self.rewrite.find(&session).await?;
        session.answer(&session.client.reply(circle, message.id, &text).await?, String::new)
    }
}
