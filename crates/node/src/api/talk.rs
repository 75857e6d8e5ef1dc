//! What can be said and asked of messages and conversations beside sending and reading.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use wire::{MemberId, MessageId};

use super::Message;

/// Why a message has no text to show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Absence {
    /// Its author took it back; it is erased.
    Deleted,
    /// Its time was over; it is erased.
    Expired,
    /// It has not come yet: whoever brought its place did not have it.
    Lacking,
    /// Its author is blocked on this device.
    Blocked,
    /// It is of a kind that this program does not know.
    Unknown,
    /// It was said before this person came to the group.
    Before,
    /// It counts for nothing: its author had been taken out before.
    Void,
}

/// The message that another one answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Quote {
    /// The message.
    #[schema(value_type = String)]
    pub id: MessageId,
    /// Its author's name; empty if it is not held here.
    pub member_name: String,
    /// How its text begins; absent when there is none to show.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

/// A sign under a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Reaction {
    /// The sign.
    pub sign: String,
    /// Who put it there.
    #[schema(value_type = Vec<String>)]
    pub members: Vec<MemberId>,
    /// Their names.
    pub names: Vec<String>,
    /// Whether one is oneself.
    pub mine: bool,
}

/// How far one's own message has come, in words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Progress {
    /// The step.
    pub step: Step,
    /// To how many of the devices it is on its way, or was.
    pub sent: u32,
    /// The step for a person: `read on 1 of 3 devices`.
    pub words: String,
    /// What to do about it, if it fails.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// How far one's own message has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    /// It will come no further.
    Failed,
    /// It is stored on this device alone.
    Stored,
    /// It was sent to a device that has not said yet that it is stored there.
    Sent,
    /// It is stored on another device.
    Delivered,
    /// It was read on another device.
    Read,
}

/// A text: an answer, or what a message is to say from now on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Text {
    /// The text, at most 64 KiB. `@` and a participant's name mentions him.
    pub text: String,
}

/// Puts a sign under a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct React {
    /// The sign, at most 32 bytes; an earlier one of oneself gives way to it.
    pub sign: String,
}

/// Says a message's text again in another conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Forward {
    /// To whom: as in sending.
    pub to: String,
}

/// Sets after what time the messages of a conversation are erased everywhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Expire {
    /// After how many seconds, counted from the moment when each was written; 0 for never. Holds for what is written
    /// from now on.
    pub after_s: u64,
}

/// What this device keeps about a conversation for its person alone. What is absent stays as it is.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Keep {
    /// Whether it is put away.
    #[serde(default)]
    pub archived: Option<bool>,
    /// Until when there is to be no notice of it; 0 to be told again, the greatest number for ever.
    #[serde(default)]
    pub muted_until_ms: Option<u64>,
}

/// What was written and not sent.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Draft {
    /// The text so far; empty to forget it.
    pub text: String,
    /// The message it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub reply_to: Option<MessageId>,
}

/// Looks for words in all that is held of a circle.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SearchQuery {
    /// The words; all of them must stand in a message, the last may be the beginning of one.
    pub words: String,
    /// Only in this conversation; as in sending.
    #[serde(default)]
    pub conversation: Option<String>,
    /// Where an earlier answer said that it goes on.
    #[serde(default)]
    pub from: Option<u64>,
    /// How many at most; 50 if absent, 1,000 at most.
    #[serde(default)]
    pub limit: Option<u32>,
}

/// Messages in which the words stand, those that came last first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Findings {
    /// The messages.
    pub messages: Vec<Message>,
    /// Where to go on, if there may be more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<u64>,
}
