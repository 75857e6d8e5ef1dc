use std::{
    fs::OpenOptions,
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use clap::ValueEnum;
use node::api::{Conversation, Message, PageQuery};

use super::read;
use crate::{
    failure::Failure,
    session::{self, Session},
    text, time,
};

/// Write out messages, readable by anybody: what this device has written, or all that it holds
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// JSON lines, or text
    #[arg(long, value_enum, default_value_t = Format::Jsonl)]
    format: Format,

    /// All messages of all conversations, with what became of them, and not only what this device has written
    #[arg(long)]
    all: bool,

    /// Write to a new file that only you can read, instead of to standard output
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    /// One message in JSON a line, as the API has it
    Jsonl,
    /// One message a line or more, as people read it
    Text,
}

impl Args {
    pub(crate) async fn run(self, session: Session) -> Result<(), Failure> {
        let circle = session.circle().await?;
        let conversations = session.client.conversations(circle.id).await?;
        let mut out: Box<dyn Write> = match &self.output {
            Some(path) => Box::new(create_new(path)?),
            None => Box::new(io::stdout().lock()),
        };
        let mut count = 0_u64;
        for conversation in &conversations {
            if self.all {
                for message in all(&session, circle.id, conversation).await? {
                    count += 1;
                    writeln!(out, "{}", self.format.write_any(conversation, &message))?;
                }
                continue;
            }
            let mut from = 0;
            loop {
                let part = session.client.own_messages(circle.id, conversation.id, from).await?;
                let Some(last) = part.last() else { break };
                from = last.seq + 1;
                for message in &part {
                    count += 1;
                    writeln!(out, "{}", self.format.write(conversation, message))?;
                }
            }
        }
        out.flush()?;
        drop(out);
        if let Some(path) = &self.output {
            session.progress(&format!(
                "{count} messages of “{}” are in {}. The file is not encrypted.",
                session::name(&circle),
                path.display()
            ));
        }
        Ok(())
    }
}

/// Reads a whole conversation, oldest first.
async fn all(
    session: &Session,
    circle: wire::CircleId,
    conversation: &Conversation,
) -> Result<Vec<Message>, Failure> {
    let (mut parts, mut before) = (Vec::new(), None);
    loop {
        let query = PageQuery { before, limit: Some(1000) };
        let page = session.client.page(circle, conversation.id, &query).await?;
        before = page.messages.first().map(|first| first.id);
        parts.push(page.messages);
        if !page.more {
            return Ok(parts.into_iter().rev().flatten().collect());
        }
    }
}

impl Format {
    /// Writes a message by anybody.
    fn write_any(self, conversation: &Conversation, message: &Message) -> String {
        match self {
            Self::Jsonl => text::json(message),
            Self::Text => {
                format!("[{}] {}", text::line(&conversation.title), read::show(message, false).trim_end())
            }
        }
    }

    fn write(self, conversation: &Conversation, message: &Message) -> String {
        match self {
            Self::Jsonl => text::json(message),
            Self::Text => format!(
                "{} to {}: {}",
                time::minute(message.claimed_ms),
                text::line(&conversation.title),
                text::block(message.text.as_deref().unwrap_or("(erased)"))
            ),
        }
    }
}

/// Writes a file that only its owner can read, and overwrites none.
pub(super) fn write_new(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    create_new(path)?.write_all(bytes).map_err(|error| Failure::file("write", path, &error))
}

fn create_new(path: &Path) -> Result<impl Write + use<>, Failure> {
    let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    match made {
        Ok(file) => Ok(io::BufWriter::new(file)),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            Err(Failure::file("write", path, &error)
                .hint("choose a name that is not taken: nothing is overwritten"))
        }
        Err(error) => Err(Failure::file("write", path, &error)),
    }
}
