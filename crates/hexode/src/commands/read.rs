use node::api::{Message, PageQuery};

use crate::{failure::Failure, session::Session, text, time};

/// Read a conversation, oldest first, and mark it as read
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// `everyone`, a member's name or id, a group's name or id, or a conversation's id
    #[arg(default_value = "everyone")]
    conversation: String,

    /// How many messages at most
    #[arg(long, value_name = "COUNT", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: u32,

    /// Only messages before this one, by its id
    #[arg(long, value_name = "MESSAGE")]
    before: Option<wire::MessageId>,

    /// Do not mark it as read
    #[arg(long)]
    keep_unread: bool,
}

impl Args {
    pub(crate) async fn run(self, session: Session) -> Result<(), Failure> {
        let circle = session.circle().await?.id;
        let conversation = session.client.conversation(circle, &self.conversation).await?;
        let query = PageQuery { before: self.before, limit: Some(self.limit) };
        let page = session.client.page(circle, conversation.id, &query).await?;
        session.answer(&page, || {
            if page.messages.is_empty() {
                return "No messages.\n".into();
            }
            let older =
                if page.more { "(there are older ones: --before ID or a larger --limit)\n" } else { "" };
            older.to_owned() + &page.messages.iter().map(show).collect::<String>()
        })?;
        if !self.keep_unread && self.before.is_none() {
            session.client.mark_read(circle, conversation.id).await?;
        }
        Ok(())
    }
}

/// Shows a message in one or more lines.
pub(super) fn show(message: &Message) -> String {
    let body = match &message.text {
        Some(body) => text::block(body),
        None => "(a message that this program cannot show)".into(),
    };
    let delivery = if message.mine { format!("  [{}]", delivery(message)) } else { String::new() };
    format!("{} {}: {body}{delivery}\n", time::minute(message.claimed_ms), text::line(&message.member_name))
}

/// Says how far one's own message has come.
pub(super) fn delivery(message: &Message) -> String {
    let of = message.delivery;
    match (of.devices, of.delivered, of.read) {
        (0, ..) => "stored".into(),
        (devices, _, read) if read == devices => "read".into(),
        (devices, _, read) if read > 0 => format!("read on {read} of {devices}"),
        (devices, delivered, _) if delivered == devices => "delivered".into(),
        (_, 0, _) => "waiting".into(),
        (devices, delivered, _) => format!("delivered to {delivered} of {devices}"),
    }
}
