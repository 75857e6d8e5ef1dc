use std::{
    io::{self, Read},
    path::Path,
};

use node::api;
use wire::CircleId;

use crate::{failure::Failure, resolve::Which, session::Session};

/// Send a message: it is stored on this device and goes out from there by itself
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// `everyone`, a member's name or id, a group's name or id, or a conversation's id
    to: String,

    /// The text, at most 64 KiB; `-` reads it from standard input
    #[arg(required = true)]
    text: Vec<String>,
}

impl Args {
    pub(crate) async fn run(self, session: Session) -> Result<(), Failure> {
        let text = text(&self.text)?;
        let circle = session.circle().await?;
        let message = session.client.send(circle.id, &api::Send { to: self.to, text }).await?;
        if session.json { session.print_json(&message) } else { Ok(()) }
    }
}

/// What is to be said about a message that is there, or in its place.
#[derive(Debug, clap::Args)]
pub(super) struct Rewrite {
    #[command(flatten)]
    which: Which,

    /// The text, at most 64 KiB; `-` reads it from standard input
    #[arg(required = true)]
    text: Vec<String>,
}

impl Rewrite {
    /// Reads the text first: it is wrong without a node, too.
    pub(super) async fn find(
        &self,
        session: &Session,
    ) -> Result<(CircleId, api::Message, api::Text), Failure> {
        let text = text(&self.text)?;
        let (circle, message) = self.which.find(session).await?;
        Ok((circle, message, api::Text { text }))
    }
}

/// Puts a text together from words on the command line, or reads it.
pub(super) fn text(words: &[String]) -> Result<String, Failure> {
    match words {
        [dash] if dash == "-" => read(),
        words => Ok(words.join(" ")),
    }
}

/// Reads the text, and one byte more than is allowed, so that too long a one is refused and not cut.
fn read() -> Result<String, Failure> {
    let mut text = String::new();
    let most = wire::limits::TEXT as u64 + 2;
    io::stdin()
        .lock()
        .take(most)
        .read_to_string(&mut text)
        .map_err(|error| Failure::file("read", Path::new("standard input"), &error))?;
    if text.ends_with('\n') {
        text.pop();
    }
    Ok(text)
}
