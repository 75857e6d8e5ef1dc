use node::api::Expire;

use crate::{failure::Failure, session::Session, text, time};

/// Let what is written in a conversation from now on disappear everywhere after a while
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// `everyone`, a member's name or id, a group's name or id, or a conversation's id
    conversation: String,

    /// After what time, counted from the moment when each was written: 30m, 24h, 7d, or `never`
    #[arg(value_name = "TIME", value_parser = span)]
    after: u64,
}

impl Args {
    pub(crate) async fn run(self, session: Session) -> Result<(), Failure> {
        let circle = session.circle().await?.id;
        let conversation = session.client.conversation(circle, &self.conversation).await?;
        session.client.set_expiry(circle, conversation.id, &Expire { after_s: self.after }).await?;
        let conversation = session.client.conversation(circle, &conversation.id.to_string()).await?;
        session.answer(&conversation, || match self.after {
            0 => format!("What is written to “{}” from now on stays.\n", text::line(&conversation.title)),
            after_s => format!(
                "What is written to “{}” from now on is erased everywhere after {}.\n",
                text::line(&conversation.title),
                time::span(after_s)
            ),
        })
    }
}

fn span(text: &str) -> Result<u64, String> {
    if text == "never" { Ok(0) } else { time::parse_span(text).map_err(|error| format!("{error}, or never")) }
}
