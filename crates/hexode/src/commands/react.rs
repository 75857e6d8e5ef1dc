use node::api::React;

use crate::{failure::Failure, resolve::Which, session::Session};

/// Put a sign under a message
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    which: Which,

    /// The sign; an earlier one of yours gives way to it
    #[arg(required_unless_present = "remove")]
    sign: Option<String>,

    /// Take your sign away
    #[arg(long, conflicts_with = "sign")]
    remove: bool,
}

impl Args {
    pub(crate) async fn run(self, session: Session) -> Result<(), Failure> {
        let (circle, message) = self.which.find(&session).await?;
        let marked = match self.sign {
            Some(sign) => session.client.react(circle, message.id, &React { sign }).await?,
            None => session.client.unreact(circle, message.id).await?,
        };
        session.answer(&marked, String::new)
    }
}
