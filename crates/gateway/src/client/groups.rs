use hyper::Method;
use node::api::{AddToGroup, Group, Rename, SetRole, Share};
use wire::{CircleId, ConversationId, MemberId};

use super::{Client, ClientError};

impl Client {
    /// Sets how much of this device a member's messages may take.
    pub async fn allow(&self, circle: CircleId, member: MemberId, share: &Share) -> Result<(), ClientError> {
        self.give(Method::PUT, &format!("/v1/circles/{circle}/members/{member}/share"), share).await
    }

    /// Leaves a circle with this device.
    pub async fn leave(&self, circle: CircleId) -> Result<(), ClientError> {
        self.ask(Method::POST, &format!("/v1/circles/{circle}/leave")).await
    }

    /// Gives a member another role; one who was removed comes back in it.
    pub async fn set_role(
        &self,
        circle: CircleId,
        member: MemberId,
        role: &SetRole,
    ) -> Result<(), ClientError> {
        self.give(Method::PUT, &format!("/v1/circles/{circle}/members/{member}/role"), role).await
    }

    /// Shows who is in a group.
    pub async fn group(&self, circle: CircleId, group: ConversationId) -> Result<Group, ClientError> {
        self.ask(Method::GET, &path(circle, group)).await
    }

    /// Gives a group another name.
    pub async fn rename_group(
        &self,
        circle: CircleId,
        group: ConversationId,
        rename: &Rename,
    ) -> Result<Group, ClientError> {
        self.give(Method::PUT, &path(circle, group), rename).await
    }

    /// Leaves a group.
    pub async fn leave_group(&self, circle: CircleId, group: ConversationId) -> Result<Group, ClientError> {
        self.ask(Method::DELETE, &path(circle, group)).await
    }

    /// Brings members into a group.
    pub async fn add_to_group(
        &self,
        circle: CircleId,
        group: ConversationId,
        add: &AddToGroup,
    ) -> Result<Group, ClientError> {
        self.give(Method::POST, &format!("{}/members", path(circle, group)), add).await
    }

    /// Takes a member out of a group.
    pub async fn remove_from_group(
        &self,
        circle: CircleId,
        group: ConversationId,
        member: MemberId,
    ) -> Result<Group, ClientError> {
        self.ask(Method::DELETE, &format!("{}/members/{member}", path(circle, group))).await
    }
}

fn path(circle: CircleId, group: ConversationId) -> String {
    format!("/v1/circles/{circle}/conversations/{group}/group")
}
