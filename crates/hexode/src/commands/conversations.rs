use node::api::{Conversation, ConversationKind};

use crate::{failure::Failure, session::Session, table::Table, text, time};

/// List the circle's conversations
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

impl Args {
    pub(crate) async fn run(self, session: Session) -> Result<(), Failure> {
        let circle = session.circle().await?;
        let conversations = session.client.conversations(circle.id).await?;
        session.answer(&conversations, || {
            let mut table = Table::new(&["ID", "WITH", "KIND", "MESSAGES", "UNREAD", "LAST"]);
            for conversation in &conversations {
                let last = conversation.last.as_ref().map(|last| time::minute(last.claimed_ms));
                table.row([
                    conversation.id.short(),
                    text::line(&conversation.title),
                    kind(conversation).into(),
                    conversation.messages.to_string(),
                    conversation.unread.to_string(),
                    last.unwrap_or_default(),
                ]);
            }
            table.text("")
        })
    }
}

fn kind(conversation: &Conversation) -> &'static str {
    match conversation.kind {
        ConversationKind::Everyone => "everyone",
        ConversationKind::Direct => "direct",
        ConversationKind::Group => "group",
    }
}
