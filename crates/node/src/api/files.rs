//! Files: what is offered, how far it has come, and what a person does about it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use wire::{ConversationId, DeviceId, FileId, MessageId};

use super::ApiError;

/// A file that was offered in a conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct File {
    /// The message that offers it.
    #[schema(value_type = String)]
    pub message: MessageId,
    /// In which conversation.
    #[schema(value_type = String)]
    pub conversation: ConversationId,
    /// The file: the same wherever the same bytes are offered in this circle.
    #[schema(value_type = String)]
    pub id: FileId,
    /// A name under which it can be put into any folder.
    pub name: String,
    /// What sort of thing it is, as a media type; what its author says, or an empty text.
    pub kind: String,
    /// Its size in bytes.
    pub size: u64,
    /// Whose device offers it.
    pub member_name: String,
    /// Whether one's own device offers it.
    pub mine: bool,
    /// When it was offered, as its author's clock had it.
    pub offered_ms: u64,
    /// How it stands on this device.
    pub state: FileState,
    /// How many bytes of it are here, verified and stored.
    pub held: u64,
    /// How many bytes come in a second at present.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<u64>,
    /// How many seconds it takes at that rate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left_s: Option<u64>,
    /// How many bytes of it this device gave to others since it was unlocked.
    #[serde(default)]
    pub given: u64,
    /// How it stands, in words.
    pub words: String,
    /// Devices that gave something of it since it was last begun.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<FileSource>,
}

/// How a file stands on this device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum FileState {
    /// It is offered; nothing of it is fetched until somebody accepts it.
    Offered,
    /// It is wanted, and nobody who has more of it is connected.
    Waiting,
    /// It is coming.
    Fetching,
    /// It is wanted later.
    Paused,
    /// All of it is here.
    Held,
}

/// A device that a file came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FileSource {
    /// The device.
    #[schema(value_type = String)]
    pub device: DeviceId,
    /// Whose and which.
    pub name: String,
    /// How many bytes it gave.
    pub bytes: u64,
    /// Why it is asked no more for this file, if so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub banned: Option<String>,
}

/// Offers a file of this machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SendFile {
    /// To whom: `everyone`, a member's name or id, a group's name or id, or a conversation's id.
    pub to: String,
    /// The file's path, from the root.
    pub path: String,
    /// What to call it; by default the path's last part.
    #[serde(default)]
    pub name: Option<String>,
    /// What to say with it.
    #[serde(default)]
    pub text: String,
}

/// Puts a file into a folder, as plain bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SaveFile {
    /// A folder, or the path of the new file, from the root.
    pub path: String,
    /// Whether a file that is there is replaced. Otherwise, in a folder, another name is found; and a path is refused.
    #[serde(default)]
    pub overwrite: bool,
}

/// What to do about a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum FileAct {
    /// Fetch it, or go on fetching it.
    Accept,
    /// Fetch it later.
    Pause,
    /// Do not fetch it, and erase what is here of it.
    Cancel,
}

/// What to do about a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DoFile {
    /// What.
    pub act: FileAct,
}

/// A file that is being taken in or put out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FileJob {
    /// Its number while the node runs.
    pub id: u64,
    /// The file's name.
    pub name: String,
    /// How many bytes there are to do.
    pub size: u64,
    /// How many of them are done.
    pub done: u64,
    /// Whether it is over, well or not.
    pub over: bool,
    /// The message that offers the file, once it was taken in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub message: Option<MessageId>,
    /// Where it was put, once it is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<ApiError>,
}

/// How much room files get in a circle, and which come by themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FilePolicy {
    /// Up to how many bytes a file of a verified device is fetched without asking.
    pub auto: u64,
    /// How many bytes of files are kept at most; 0 for as many as the disk takes.
    pub quota: u64,
    /// How many bytes of files are kept or being fetched.
    pub used: u64,
}

/// Sets how much room files get in a circle; what is left out stays as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetFilePolicy {
    /// As in [`FilePolicy`].
    #[serde(default)]
    pub auto: Option<u64>,
    /// As in [`FilePolicy`].
    #[serde(default)]
    pub quota: Option<u64>,
}
