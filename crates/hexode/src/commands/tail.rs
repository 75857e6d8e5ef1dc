use std::collections::BTreeMap;

use node::api::{CircleState, ErrorKind, Event, FileState};
use wire::ConversationId;

use super::read;
use crate::{failure::Failure, session::Session, text};

/// Show messages as they come, until Ctrl-C; marks nothing as read
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

impl Args {
    pub(crate) async fn run(self, session: Session) -> Result<(), Failure> {
        let mut events = session.client.events().await?;
        let circle = session.circle().await?;
        session.progress("Listening; Ctrl-C ends it.");
        let mut titles = Titles::default();
        while let Some(event) = events.next().await? {
            if of_circle(&event).is_some_and(|of| of != circle.id) {
                continue;
            }
            if session.json {
                session.print_json(&event)?;
                continue;
            }
            let note = match event {
                Event::Message { message, .. } => {
                    let title = titles.of(&session, circle.id, message.conversation).await?;
                    session.print(&format!("[{title}] {}", read::show(&message, false)))?;
                    continue;
                }
                Event::Changed { message, .. } => {
                    let title = titles.of(&session, circle.id, message.conversation).await?;
                    session.print(&format!("[{title}] changed: {}", read::show(&message, false)))?;
                    continue;
                }
                Event::Roster { .. } => {
                    titles = Titles::default();
                    continue;
                }
                Event::Fork { author, .. } => format!(
                    "device {} wrote two histories: it was copied or broken into, trust it no more",
                    author.short()
                ),
                Event::Standing { state: CircleState::Removed, .. } => {
                    "this device was removed from the circle: nothing new comes".into()
                }
                Event::Missed { count } => {
                    format!("{count} events were missed: `hexode read` shows everything")
                }
                Event::File { file, .. } if file.state == FileState::Held => {
                    format!("{} is here", text::line(&file.name))
                }
                Event::Locked => "the node was locked".into(),
                Event::Unlocked => "the node was unlocked".into(),
                Event::Receipt { .. }
                | Event::Conversation { .. }
                | Event::File { .. }
                | Event::Standing { .. }
                | Event::Streams { .. }
                | Event::Tunnel { .. }
                | Event::Tokens => continue,
            };
            session.print(&format!("({note})\n"))?;
        }
        Err(Failure::new(ErrorKind::Config, "the node ended"))
    }
}

/// What conversations are called, looked up when one is first met.
#[derive(Debug, Default)]
struct Titles(BTreeMap<ConversationId, String>);

impl Titles {
    async fn of(
        &mut self,
        session: &Session,
        circle: wire::CircleId,
        conversation: ConversationId,
    ) -> Result<String, Failure> {
        if let Some(title) = self.0.get(&conversation) {
            return Ok(title.clone());
        }
        let found = session.client.conversation(circle, &conversation.to_string()).await?;
        let title = text::line(&found.title);
        self.0.insert(conversation, title.clone());
        Ok(title)
    }
}

/// Returns the circle an event is about; none for those about the node.
fn of_circle(event: &Event) -> Option<wire::CircleId> {
    match event {
        Event::Message { circle, .. }
        | Event::Changed { circle, .. }
        | Event::Conversation { circle, .. }
        | Event::File { circle, .. }
        | Event::Receipt { circle, .. }
        | Event::Roster { circle }
        | Event::Standing { circle, .. }
        | Event::Streams { circle }
        | Event::Tunnel { circle, .. }
        | Event::Fork { circle, .. } => Some(*circle),
        Event::Locked | Event::Unlocked | Event::Missed { .. } | Event::Tokens => None,
    }
}
