//! Turns every error into a line that says what is wrong, one that says what to do, and an exit code.

use std::{
    io::{self, Write},
    process::ExitCode,
};

use gateway::{DoorError, WebError, client::ClientError};
use node::api::{ApiError, ErrorKind};

use crate::text;

/// Why a command did not do what it was asked.
#[derive(Debug)]
pub(crate) enum Failure {
    /// There is something to say.
    Said(ApiError),
    /// Whoever read the output has had enough.
    BrokenPipe,
    /// The person gave up when he was asked.
    Interrupted,
}

impl Failure {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self::Said(ApiError { kind, message: message.into(), hint: None })
    }

    /// Says that the request cannot be right.
    pub(crate) fn user(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::User, message)
    }

    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::NotFound, message)
    }

    /// Says what about a file went wrong.
    pub(crate) fn file(what: &str, path: &std::path::Path, error: &io::Error) -> Self {
        Self::new(ErrorKind::Config, format!("cannot {what} {}: {error}", path.display()))
    }

    /// Adds what to do about it, unless something is said already.
    pub(crate) fn hint(self, hint: impl Into<String>) -> Self {
        match self {
            Self::Said(error) => {
                Self::Said(ApiError { hint: error.hint.or_else(|| Some(hint.into())), ..error })
            }
            silent => silent,
        }
    }

    /// Tells the failure on standard error and returns the exit code.
    pub(crate) fn report(self, json: bool) -> ExitCode {
        let error = match self {
            Self::Said(error) => error,
            Self::BrokenPipe => return ExitCode::SUCCESS,
            // As shells report a process that Ctrl-C ended.
            Self::Interrupted => return ExitCode::from(130),
        };
        let mut stderr = io::stderr().lock();
        // If even standard error is closed, the exit code still tells.
        let _ = if json {
            writeln!(stderr, "{}", text::json(&error))
        } else {
            let hint = error.hint.iter().map(|hint| format!("Hint: {}\n", text::block(hint)));
            write!(stderr, "Error: {}\n{}", text::block(&error.message), hint.collect::<String>())
        };
        ExitCode::from(exit_code(error.kind))
    }
}

fn exit_code(kind: ErrorKind) -> u8 {
    match kind {
        ErrorKind::Internal => 1,
        ErrorKind::User => 2,
        ErrorKind::NotFound => 3,
        ErrorKind::Conflict => 4,
        ErrorKind::NotAllowed => 5,
        ErrorKind::Locked => 6,
        ErrorKind::Config => 7,
        ErrorKind::Peer => 8,
    }
}

/// Prints help and version; says what is wrong with the arguments in the same form as all other errors.
pub(crate) fn from_clap(error: &clap::Error) -> Result<(), Failure> {
    if !error.use_stderr() {
        error.print()?;
        return Ok(());
    }
    if error.kind() == clap::error::ErrorKind::MissingSubcommand {
        return Err(Failure::user("no command is given").hint("`hexode --help` lists them"));
    }
    let rendered = error.render().to_string();
    let said = rendered.strip_prefix("error: ").unwrap_or(&rendered);
    let (message, rest) = said.split_once("\n\n").unwrap_or((said, ""));
    let hint = rest.split("\n\n").filter(|part| !part.starts_with("For more information"));
    let hint = hint.map(|part| part.trim().trim_start_matches("tip: ")).collect::<Vec<_>>().join("\n");
    let failure = Failure::user(message.trim());
    Err(if hint.is_empty() { failure.hint("try --help") } else { failure.hint(hint) })
}

impl From<ApiError> for Failure {
    fn from(error: ApiError) -> Self {
        Self::Said(error)
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        Self::Said(error.into())
    }
}

impl From<WebError> for Failure {
    fn from(error: WebError) -> Self {
        Self::Said(error.into())
    }
}

impl From<DoorError> for Failure {
    fn from(error: DoorError) -> Self {
        Self::Said(error.into())
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::BrokenPipe,
            _ => Self::new(ErrorKind::Config, error.to_string()),
        }
    }
}
