use node::api::Forward;

use crate::{failure::Failure, resolve::Which, session::Session};

/// Say a message's text again in another conversation, without saying whose it was
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    which: Which,

    /// `everyone`, a member's name or id, a group's name or id, or a conversation's id
    to: String,
}

impl Args {
    pub(crate) async fn run(self, session: Session) -> Result<(), Failure> {
        let (circle, message) = self.which.find(&session).await?;
        let said = session.client.forward(circle, message.id, &Forward { to: self.to }).await?;
        session.answer(&said, String::new)
    }
}
