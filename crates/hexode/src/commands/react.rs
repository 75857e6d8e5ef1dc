use node::api::React;

use crate::{failure::Failure, resolve, session::Session};

/// Put a sign under a message
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The message's id, or how it begins; `hexode read --ids` shows it
    message: String,

    /// The sign; an earlier one of yours gives way to it
    #[arg(required_unless_present = "remove")]
    sign: Option<String>,

    /// Take your sign away
    #[arg(long, conflicts_with = "sign")]
    remove: bool,
}

impl Args {
    pub(crate) async fn run(self, session: Session) -> Result<(), Failure> {
        let circle = session.circle().await?.id;
        let message = resolve::message(&session, circle, &self.message).await?;
        let marked = match self.sign {
            Some(sign) => session.client.react(circle, message.id, &React { sign }).await?,
            None => session.client.unreact(circle, message.id).await?,
        };
        session.answer(&marked, String::new)
    }
}
