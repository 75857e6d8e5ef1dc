use node::api::Text;

use super::send;
use crate::{failure::Failure, resolve, session::Session};

/// Answer a message, in its conversation
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The message's id, or how it begins; `hexode read --ids` shows it
    message: String,

    /// The text, at most 64 KiB; `-` reads it from standard input
    #[arg(required = true)]
    text: Vec<String>,
}

impl Args {
    pub(crate) async fn run(self, session: Session) -> Result<(), Failure> {
        let text = send::text(&self.text)?;
        let circle = session.circle().await?.id;
        let message = resolve::message(&session, circle, &self.message).await?;
        let answer = session.client.reply(circle, message.id, &Text { text }).await?;
        session.answer(&answer, String::new)
    }
}
