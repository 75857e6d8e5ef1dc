use std::{
    fs::OpenOptions,
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use clap::ValueEnum;
use node::api::{Conversation, Message};

use crate::{
    failure::Failure,
    session::{self, Session},
    text, time,
};

/// Write out the messages that this device has written, readable by anybody
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// JSON lines, or text
    #[arg(long, value_enum, default_value_t = Format::Jsonl)]
    format: Format,

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

impl Format {
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
