//! Finds what a person means by a name or an id, and never guesses between two.

use node::api::{Circle, Conversation, ConversationKind, Device, ErrorKind, Invitation, Member, Message};
use wire::CircleId;

use crate::{
    failure::Failure,
    session::{self, Session},
    text,
};

/// Finds a circle by its name or id.
pub(crate) fn circle(all: Vec<Circle>, called: &str) -> Result<Circle, Failure> {
    let found = all.into_iter().filter(|circle| {
        circle.name.as_deref().is_some_and(|name| same(name, called)) || is_id(&circle.id.to_string(), called)
    });
    one("circle", called, found.collect(), |circle| format!("{} is {}", circle.id, session::name(circle)))
        .map_err(|failure| failure.hint("`hexode circles` lists them"))
}

/// Finds a member by his name or id.
pub(crate) fn member(all: Vec<Member>, called: &str) -> Result<Member, Failure> {
    let found =
        all.into_iter().filter(|member| same(&member.name, called) || is_id(&member.id.to_string(), called));
    one("member", called, found.collect(), |member| {
        let devices: Vec<_> = member.devices.iter().map(|device| text::line(&device.name)).collect();
        format!("{} with {}", member.id, devices.join(", "))
    })
    .map_err(|failure| failure.hint("`hexode members` lists them"))
}

/// Finds a device by its id, its name, its member's name if he has no other, or `MEMBER/DEVICE`.
pub(crate) fn device(all: Vec<Device>, called: &str) -> Result<Device, Failure> {
    let found = all.into_iter().filter(|device| {
        is_id(&device.id.to_string(), called)
            || same(&device.name, called)
            || same(&device.member_name, called)
            || called
                .split_once('/')
                .is_some_and(|(member, name)| same(&device.member_name, member) && same(&device.name, name))
    });
    one("device", called, found.collect(), |device| {
        format!("{} is {}/{}", device.id, text::line(&device.member_name), text::line(&device.name))
    })
    .map_err(|failure| failure.hint("`hexode devices` lists them"))
}

/// Finds a group by its name or id.
pub(crate) fn group(all: Vec<Conversation>, called: &str) -> Result<Conversation, Failure> {
    let found = all.into_iter().filter(|conversation| {
        conversation.kind == ConversationKind::Group
            && (same(&conversation.title, called) || is_id(&conversation.id.to_string(), called))
    });
    one("group", called, found.collect(), |group| format!("{} is {}", group.id, text::line(&group.title)))
        .map_err(|failure| failure.hint("`hexode groups` lists them"))
}

/// Finds an invitation by its id.
pub(crate) fn invitation(all: Vec<Invitation>, called: &str) -> Result<Invitation, Failure> {
    let found = all.into_iter().filter(|invitation| is_id(&invitation.id.to_string(), called));
    one("invitation", called, found.collect(), |invitation| invitation.id.to_string())
        .map_err(|failure| failure.hint("`hexode invite list` lists them"))
}

/// Names a message on the command line.
#[derive(Debug, clap::Args)]
pub(crate) struct Which {
    /// The message's id, or how it begins; `hexode read --ids` shows it
    message: String,
}

impl Which {
    /// Finds it, and the circle in which it was said.
    pub(crate) async fn find(&self, session: &Session) -> Result<(CircleId, Message), Failure> {
        let circle = session.circle().await?.id;
        Ok((circle, message(session, circle, &self.message).await?))
    }
}

/// Finds a message by its id or how that begins.
pub(crate) async fn message(session: &Session, circle: CircleId, called: &str) -> Result<Message, Failure> {
    let found = session.client.find_messages(circle, called).await?;
    one("message", called, found, |message| message.id.to_string())
        .map_err(|failure| failure.hint("`hexode read --ids` shows how they begin"))
}

fn one<T>(what: &str, called: &str, mut found: Vec<T>, show: impl Fn(&T) -> String) -> Result<T, Failure> {
    match (found.pop(), found.is_empty()) {
        (Some(only), true) => Ok(only),
        (None, _) => Err(Failure::not_found(format!("no {what} is called “{}”", text::line(called)))),
        (Some(last), false) => {
            found.push(last);
            let choice: Vec<_> = found.iter().map(|each| format!("\n{}", show(each))).collect();
            let message = format!("{} {what}s are called “{}”", found.len(), text::line(called));
            Err(Failure::new(ErrorKind::Conflict, message)
                .hint(format!("give the id instead:{}", choice.concat())))
        }
    }
}

/// Tells whether two names are the same for a person who types one: capitals do not count.
fn same(name: &str, called: &str) -> bool {
    name.to_lowercase() == called.trim().to_lowercase()
}

/// Tells whether `called` is the id or its beginning, as lists show it.
fn is_id(id: &str, called: &str) -> bool {
    called.len() >= SHORT && id.get(..called.len()).is_some_and(|start| start.eq_ignore_ascii_case(called))
}

const SHORT: usize = 8;

#[cfg(test)]
mod tests;
