//! Turns every room's errors into words for a person, in this one place.

use charter::{CommandError, InvitationError};
use journal::{ContentError, GroupError, WriteError};
use vault::{CreateError, OpenError, StoreError, WipeError};
use wire::NameError;

use crate::api::{ApiError, ErrorKind};

impl ApiError {
    /// Makes an error without a hint.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), hint: None }
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

pub(crate) fn locked() -> ApiError {
    ApiError::new(ErrorKind::Locked, "the node is locked").hint("run \"hexode unlock\"")
}

pub(crate) fn stopped() -> ApiError {
    ApiError::new(ErrorKind::Internal, "the node has stopped")
}

pub(crate) fn from_create(error: &CreateError) -> ApiError {
    let message = error.to_string();
    match error {
        CreateError::AlreadyExists => ApiError::new(ErrorKind::Conflict, message).hint("unlock it instead"),
        CreateError::WeakPassphrase(_) => ApiError::new(ErrorKind::User, message).hint(PASSPHRASE),
        CreateError::InUse => ApiError::new(ErrorKind::Conflict, message).hint(IN_USE),
        CreateError::DiskFull => ApiError::new(ErrorKind::Config, message).hint(DISK_FULL),
        _ => ApiError::new(ErrorKind::Config, message),
    }
}

pub(crate) fn from_open(error: &OpenError) -> ApiError {
    let message = error.to_string();
    match error {
        OpenError::Missing => ApiError::new(ErrorKind::NotFound, message)
            .hint("run \"hexode up\" in a terminal: it makes a vault on first use"),
        OpenError::WrongPassphrase => {
            ApiError::new(ErrorKind::User, message).hint("try again; capitals and spaces count")
        }
        OpenError::WrongPassphraseOf { .. } => ApiError::new(ErrorKind::User, message)
            .hint("think before you try again; capitals and spaces count"),
        OpenError::LastTry => ApiError::new(ErrorKind::NotAllowed, message)
            .hint("it is kept for who is let in already: run \"hexode unlock\" or \"hexode open\""),
        OpenError::Destroyed => ApiError::new(ErrorKind::NotFound, message)
            .hint("nothing can be brought back; join your circles anew as another device"),
        OpenError::SamePassphrase => ApiError::new(ErrorKind::User, message).hint("choose another one"),
        OpenError::WeakPassphrase(_) => ApiError::new(ErrorKind::User, message).hint(PASSPHRASE),
        OpenError::InUse => ApiError::new(ErrorKind::Conflict, message).hint(IN_USE),
        OpenError::NewerVersion { .. } => {
            ApiError::new(ErrorKind::Config, message).hint("use the newer Hexode that wrote it")
        }
        OpenError::Damaged { .. } => ApiError::new(ErrorKind::Config, message).hint(DAMAGED),
        OpenError::DiskFull => ApiError::new(ErrorKind::Config, message).hint(DISK_FULL),
        _ => ApiError::new(ErrorKind::Config, message),
    }
}

pub(crate) fn from_wipe(error: &WipeError) -> ApiError {
    let message = error.to_string();
    match error {
        WipeError::InUse => ApiError::new(ErrorKind::Conflict, message).hint(IN_USE),
        _ => ApiError::new(ErrorKind::Config, message).hint("the keys go first: what is left cannot be read"),
    }
}

pub(crate) fn from_store(error: &StoreError) -> ApiError {
    let message = error.to_string();
    match error {
        StoreError::DiskFull => ApiError::new(ErrorKind::Config, message).hint(DISK_FULL),
        StoreError::Damaged { .. } => ApiError::new(ErrorKind::Config, message).hint(DAMAGED),
        StoreError::Io(_) => ApiError::new(ErrorKind::Config, message),
        _ => ApiError::new(ErrorKind::Internal, message),
    }
}

const PASSPHRASE: &str = "six random words make a good passphrase";
const IN_USE: &str = "another node runs on this home: end it, or give another --home";
const DISK_FULL: &str = "free some space and try again; nothing that was stored is lost";
const DAMAGED: &str = "join the circle anew as another device: what this one writes with an older copy of its folder put \
                       back, others take for a forgery";

impl From<NameError> for ApiError {
    fn from(error: NameError) -> Self {
        Self::new(ErrorKind::User, error.to_string())
    }
}

impl From<WriteError> for ApiError {
    fn from(error: WriteError) -> Self {
        let message = error.to_string();
        match error {
            WriteError::Content(ContentError::TextTooLong { .. }) => {
                Self::new(ErrorKind::User, message).hint("cut the text in two, each at most 64 KiB")
            }
            WriteError::Content(_) => Self::new(ErrorKind::User, message),
            WriteError::UnknownConversation => Self::new(ErrorKind::NotFound, message),
            WriteError::Forked => Self::new(ErrorKind::Conflict, message)
                .hint("an old copy of this vault was used; add this device anew and remove the old one"),
            WriteError::NotInGroup => Self::new(ErrorKind::NotAllowed, "you are not in this group any more")
                .hint("what it said until then stays readable; a member can add you again"),
            _ => Self::new(ErrorKind::Internal, message),
        }
    }
}

impl From<GroupError> for ApiError {
    fn from(error: GroupError) -> Self {
        let message = error.to_string();
        match error {
            GroupError::NoSuchGroup | GroupError::NoSuchMember => {
                Self::new(ErrorKind::NotFound, message).hint("\"hexode groups show\" lists who is in a group")
            }
            GroupError::NotInGroup => Self::new(ErrorKind::NotAllowed, message),
            GroupError::NotSenior => Self::new(ErrorKind::NotAllowed, message)
                .hint("only somebody nearer to the founder can: \"hexode groups show\" tells who"),
            GroupError::TooMany => Self::new(ErrorKind::User, message),
            _ => Self::new(ErrorKind::Conflict, message).hint("found a new group"),
        }
    }
}

impl From<CommandError> for ApiError {
    fn from(error: CommandError) -> Self {
        Self::new(ErrorKind::NotAllowed, error.to_string())
    }
}

impl From<InvitationError> for ApiError {
    fn from(error: InvitationError) -> Self {
        Self::new(ErrorKind::User, error.to_string())
            .hint("ask for a new invitation, or copy the whole link again")
    }
}
