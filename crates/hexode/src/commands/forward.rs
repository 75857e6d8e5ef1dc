use node::api::Forward;

use crate::{failure::Failure, resolve, session::Session};

/// Say a message's text again in another conversation, without saying whose it was
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The message's id, or how it begins; `hexode read --ids` shows it
    message: String,

    /// `everyone`, a member's name or id, a group's name or id, or a conversation's id
    to: String,
}

impl Args {
    pub(crate) async fn run(self, session: Session) -> Result<(), Failure> {
        let circle = session.circle().await?.id;
        let message = resolve::message(&session, circle, &self.message).await?;
        let said = session.client.forward(circle, message.id, &Forward { to: self.to }).await?;
        session.answer(&said, String::new)
    }
}
