//! What can be said and asked of groups.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use wire::{ConversationId, MemberId};

/// A group and who is in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Group {
    /// Its conversation.
    #[schema(value_type = String)]
    pub id: ConversationId,
    /// What it is called.
    pub name: String,
    /// Whether one is in it oneself.
    pub member: bool,
    /// Who is in it, the most senior first.
    pub members: Vec<Participant>,
    /// Who was in it.
    pub gone: Vec<Former>,
    /// How many acts do not count, since their author had been removed by somebody more senior who had not seen them.
    pub void: u32,
}

/// A member of a group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Participant {
    /// The member.
    #[schema(value_type = String)]
    pub id: MemberId,
    /// His name.
    pub name: String,
    /// Whether one is it oneself.
    pub me: bool,
    /// How far he is from the group's founder: 0 the founder, 1 whom he brought in, 2 whom those brought in. Whoever has
    /// the smaller number can remove whoever has the greater.
    pub level: u16,
    /// Whether he gets what was said before he came.
    pub history: bool,
    /// Whether one can remove him oneself.
    pub removable: bool,
}

/// A former member of a group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Former {
    /// The member.
    #[schema(value_type = String)]
    pub id: MemberId,
    /// His name.
    pub name: String,
    /// Whether he left by himself.
    pub left: bool,
    /// Who removed him; himself, if he left.
    pub by: String,
}

/// Gives a member another role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetRole {
    /// The role; a member who was removed comes back in it.
    pub role: super::Role,
}

/// Sets how much of this device a member's messages may take.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Share {
    /// In bytes, of all that has come, erased or not; at most 1 TiB. 512 MiB unless set.
    pub bytes: u64,
}

/// Gives something another name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Rename {
    /// The name.
    pub name: String,
}

/// Brings members into a group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AddToGroup {
    /// Who comes in, each by id or by name.
    pub members: Vec<String>,
    /// Whether they get what was said before.
    pub history: bool,
}
