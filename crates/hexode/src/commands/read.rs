use node::api::{Absence, Message, PageQuery, Progress, Quote, Step};

use crate::{failure::Failure, session::Session, size, text, time};

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

    /// Show how each message's id begins: by it others answer, edit, delete, react, pin
    #[arg(long)]
    ids: bool,

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
            older.to_owned()
                + &page.messages.iter().map(|message| show(message, self.ids)).collect::<String>()
        })?;
        if !self.keep_unread && self.before.is_none() {
            session.client.mark_read(circle, conversation.id).await?;
        }
        Ok(())
    }
}

/// Shows a message in one or more lines.
pub(super) fn show(message: &Message, with_id: bool) -> String {
    let id = if with_id { format!("{} ", message.id.short()) } else { String::new() };
    let quote = message.reply_to.as_ref().map(|quote| format!("[to {}] ", quoted(quote))).unwrap_or_default();
    let body = message.text.as_deref().map_or_else(|| absence(message).into(), text::block);
    let body = message.file.as_ref().map_or(body.clone(), |file| offer(file, &body));
    let delivery = if message.mine && message.absent != Some(Absence::Deleted) {
        format!("  [{}]", delivery(message))
    } else {
        String::new()
    };
    let (clock, name) = (time::minute(message.claimed_ms), text::line(&message.member_name));
    format!("{id}{clock} {name}: {quote}{body}{}{delivery}\n", marks(message))
}

/// Says what file is offered, and what is said with it.
pub(super) fn offer(file: &node::api::File, said: &str) -> String {
    let offered =
        format!("[{}, {}: {}]", text::line(&file.name), size::bytes(file.size), super::files::state(file));
    if said.is_empty() { offered } else { format!("{said} {offered}") }
}

/// Says which message is answered.
pub(super) fn quoted(quote: &Quote) -> String {
    match (&quote.text, quote.member_name.as_str()) {
        (Some(said), name) => format!("{}: {}", text::line(name), text::line(said)),
        (None, "") => "a message that is not here".into(),
        (None, name) => format!("a message of {} that is gone", text::line(name)),
    }
}

/// Says why there is no text.
pub(super) fn absence(message: &Message) -> &'static str {
    match message.absent {
        Some(Absence::Deleted) => "(deleted)",
        Some(Absence::Expired) => "(its time is over)",
        Some(Absence::Lacking) => "(not here yet: whoever passed it on did not have it)",
        Some(Absence::Blocked) => "(hidden: its author is blocked)",
        Some(Absence::Before) => "(said before you came to the group)",
        Some(Absence::Void) => "(void: its author had been taken out before)",
        Some(Absence::Unknown) | None => "(a message that this program cannot show)",
    }
}

/// Lists what else there is to a message: marks, signs, warnings.
pub(super) fn marks(message: &Message) -> String {
    let mut marks = String::new();
    let ahead =
        message.clock_ahead_ms.map(|ms| format!("its author's clock is {} ahead", time::span(ms / 1000)));
    for (holds, mark) in [
        (message.edited_ms.is_some(), "edited"),
        (message.forwarded, "forwarded"),
        (message.pinned, "pinned"),
        (message.mentions_me, "names you"),
        (message.forked, "DO NOT TRUST: this device wrote two histories"),
        (ahead.is_some(), ahead.as_deref().unwrap_or_default()),
    ] {
        if holds {
            marks.push_str(&format!(" ({mark})"));
        }
    }
    if let Some(at_ms) = message.expires_ms {
        marks.push_str(&format!(" (until {})", time::minute(at_ms)));
    }
    for reaction in &message.reactions {
        let names: Vec<_> = reaction.names.iter().map(|name| text::line(name)).collect();
        marks.push_str(&format!("  {} {}", text::line(&reaction.sign), names.join(", ")));
    }
    marks
}

/// Says how far one's own message has come.
pub(super) fn delivery(message: &Message) -> String {
    if let Some(Progress { step: Step::Sent | Step::Failed, words, .. }) = &message.progress {
        return words.clone();
    }
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
