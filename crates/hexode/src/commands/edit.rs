use node::api::Text;

use super::send;
use crate::{failure::Failure, resolve, session::Session};

/// Give your own message another text; everybody sees that it was edited
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The message's id, or how it begins; `hexode read --ids` shows it
    message: String,

    /// The new text, at most 64 KiB; `-` reads it from standard input
    #[arg(required = true)]
    text: Vec<String>,
}

impl Args {
    pub(crate) async fn run(self, session: Session) -> Result<(), Failure> {
        let text = send::text(&self.text)?;
        let circle = session.circle().await?.id;
        let message = resolve::message(&session, circle, &self.message).await?;
        let edited = session.client.edit(circle, message.id, &Text { text }).await?;
        session.answer(&edited, String::new)
    }
}
