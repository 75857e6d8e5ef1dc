use super::read;
use crate::{failure::Failure, resolve, session::Session};

/// Put a message where all find it, take it away from there, or list those that are there
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The message's id, or how it begins; `hexode read --ids` shows it
    #[arg(required_unless_present = "list")]
    message: Option<String>,

    /// Take it away from there
    #[arg(long)]
    remove: bool,

    /// List those of a conversation
    #[arg(long, value_name = "CONVERSATION", conflicts_with_all = ["message", "remove"])]
    list: Option<String>,
}

impl Args {
    pub(crate) async fn run(self, session: Session) -> Result<(), Failure> {
        let circle = session.circle().await?.id;
        if let Some(message) = &self.message {
            let message = resolve::message(&session, circle, message).await?;
            let pinned = session.client.pin(circle, message.id, !self.remove).await?;
            return session.answer(&pinned, String::new);
        }
        let called = self.list.as_deref().unwrap_or("everyone");
        let conversation = session.client.conversation(circle, called).await?;
        let pins = session.client.pins(circle, conversation.id).await?;
        session.answer(&pins, || match pins.as_slice() {
            [] => "Nothing is pinned.\n".into(),
            pins => pins.iter().map(|message| read::show(message, true)).collect(),
        })
    }
}
