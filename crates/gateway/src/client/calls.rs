use hyper::Method;
use node::api::{
    Check, Circle, Contact, Conversation, Device, Found, Invitation, Invite, IssuedToken, Join, Member,
    Message, NewGroup, NewToken, OpenLink, Page, PageQuery, SafetyWords, Send, Status, Token, Tunnel, Verify,
};
use wire::{CircleId, ConversationId, DeviceId, EntryId, MemberId};

use super::{Client, ClientError, Events};
use crate::passphrase::{Passphrase, Vault};

impl Client {
    /// Tells how the node stands.
    pub async fn status(&self) -> Result<Status, ClientError> {
        self.ask(Method::GET, "/v1/status").await
    }

    /// Begins to listen; everything that happens after this returns is heard.
    pub async fn events(&self) -> Result<Events, ClientError> {
        Ok(Events::new(self.request(Method::GET, "/v1/events", "".into()).await?))
    }

    /// Lets the node check itself.
    pub async fn selfcheck(&self) -> Result<Vec<Check>, ClientError> {
        self.ask(Method::GET, "/v1/selfcheck").await
    }

    /// Asks the node to end.
    pub async fn stop(&self) -> Result<(), ClientError> {
        self.ask(Method::POST, "/v1/stop").await
    }

    /// Tells whether there is a vault and whether it is open.
    pub async fn vault(&self) -> Result<Vault, ClientError> {
        self.ask(Method::GET, "/v1/vault").await
    }

    /// Creates the vault and leaves it open.
    pub async fn create(&self, passphrase: String) -> Result<(), ClientError> {
        self.give(Method::POST, "/v1/vault", &Passphrase { passphrase }).await
    }

    /// Opens the vault.
    pub async fn unlock(&self, passphrase: String) -> Result<(), ClientError> {
        self.give(Method::POST, "/v1/unlock", &Passphrase { passphrase }).await
    }

    /// Closes the vault.
    pub async fn lock(&self) -> Result<(), ClientError> {
        self.ask(Method::POST, "/v1/lock").await
    }

    /// Makes a link that opens the page, once.
    pub async fn open_link(&self) -> Result<OpenLink, ClientError> {
        self.ask(Method::POST, "/v1/web/link").await
    }

    /// Lists the clients that may use the loopback port.
    pub async fn tokens(&self) -> Result<Vec<Token>, ClientError> {
        self.ask(Method::GET, "/v1/tokens").await
    }

    /// Issues a token.
    pub async fn issue_token(&self, token: &NewToken) -> Result<IssuedToken, ClientError> {
        self.give(Method::POST, "/v1/tokens", token).await
    }

    /// Revokes a token.
    pub async fn revoke_token(&self, id: &str) -> Result<(), ClientError> {
        self.ask(Method::DELETE, &format!("/v1/tokens/{}", segment(id))).await
    }

    /// Lists the circles.
    pub async fn circles(&self) -> Result<Vec<Circle>, ClientError> {
        self.ask(Method::GET, "/v1/circles").await
    }

    /// Founds a circle.
    pub async fn found(&self, found: &Found) -> Result<Circle, ClientError> {
        self.give(Method::POST, "/v1/circles", found).await
    }

    /// Begins to join a circle.
    pub async fn join(&self, join: &Join) -> Result<Circle, ClientError> {
        self.give(Method::POST, "/v1/join", join).await
    }

    /// Shows a circle.
    pub async fn circle(&self, circle: CircleId) -> Result<Circle, ClientError> {
        self.ask(Method::GET, &format!("/v1/circles/{circle}")).await
    }

    /// Lists the addresses a circle's tunnels went to of late.
    pub async fn contacts(&self, circle: CircleId) -> Result<Vec<Contact>, ClientError> {
        self.ask(Method::GET, &format!("/v1/circles/{circle}/contacts")).await
    }

    /// Lists a circle's invitations.
    pub async fn invitations(&self, circle: CircleId) -> Result<Vec<Invitation>, ClientError> {
        self.ask(Method::GET, &format!("/v1/circles/{circle}/invitations")).await
    }

    /// Issues an invitation.
    pub async fn invite(&self, circle: CircleId, invite: &Invite) -> Result<Invitation, ClientError> {
        self.give(Method::POST, &format!("/v1/circles/{circle}/invitations"), invite).await
    }

    /// Withdraws an invitation.
    pub async fn withdraw(&self, circle: CircleId, invitation: EntryId) -> Result<(), ClientError> {
        self.ask(Method::DELETE, &format!("/v1/circles/{circle}/invitations/{invitation}")).await
    }

    /// Lists the tunnels to the other devices.
    pub async fn tunnels(&self, circle: CircleId) -> Result<Vec<Tunnel>, ClientError> {
        self.ask(Method::GET, &format!("/v1/circles/{circle}/tunnels")).await
    }

    /// Lists the members.
    pub async fn members(&self, circle: CircleId) -> Result<Vec<Member>, ClientError> {
        self.ask(Method::GET, &format!("/v1/circles/{circle}/members")).await
    }

    /// Removes a member.
    pub async fn remove_member(&self, circle: CircleId, member: MemberId) -> Result<(), ClientError> {
        self.ask(Method::DELETE, &format!("/v1/circles/{circle}/members/{member}")).await
    }

    /// Lists the devices.
    pub async fn devices(&self, circle: CircleId) -> Result<Vec<Device>, ClientError> {
        self.ask(Method::GET, &format!("/v1/circles/{circle}/devices")).await
    }

    /// Removes a device.
    pub async fn remove_device(&self, circle: CircleId, device: DeviceId) -> Result<(), ClientError> {
        self.ask(Method::DELETE, &format!("/v1/circles/{circle}/devices/{device}")).await
    }

    /// Returns the words and the code to compare with another device.
    pub async fn safety_words(&self, circle: CircleId, device: DeviceId) -> Result<SafetyWords, ClientError> {
        self.ask(Method::GET, &format!("/v1/circles/{circle}/devices/{device}/safety-words")).await
    }

    /// Records that they were compared.
    pub async fn verify(
        &self,
        circle: CircleId,
        device: DeviceId,
        verify: &Verify,
    ) -> Result<Device, ClientError> {
        self.give(Method::PUT, &format!("/v1/circles/{circle}/devices/{device}/verification"), verify).await
    }

    /// Takes that record back.
    pub async fn unverify(&self, circle: CircleId, device: DeviceId) -> Result<Device, ClientError> {
        self.ask(Method::DELETE, &format!("/v1/circles/{circle}/devices/{device}/verification")).await
    }

    /// Lists the conversations.
    pub async fn conversations(&self, circle: CircleId) -> Result<Vec<Conversation>, ClientError> {
        self.ask(Method::GET, &format!("/v1/circles/{circle}/conversations")).await
    }

    /// Founds a group.
    pub async fn found_group(&self, circle: CircleId, group: &NewGroup) -> Result<Conversation, ClientError> {
        self.give(Method::POST, &format!("/v1/circles/{circle}/conversations"), group).await
    }

    /// Finds a conversation by what a person calls it: as [`Send::to`].
    pub async fn conversation(&self, circle: CircleId, called: &str) -> Result<Conversation, ClientError> {
        self.ask(Method::GET, &format!("/v1/circles/{circle}/conversations/{}", segment(called))).await
    }

    /// Reads a part of a conversation.
    pub async fn page(
        &self,
        circle: CircleId,
        conversation: ConversationId,
        query: &PageQuery,
    ) -> Result<Page, ClientError> {
        let mut path = format!("/v1/circles/{circle}/conversations/{conversation}/messages");
        let before = query.before.map(|before| format!("before={before}"));
        let limit = query.limit.map(|limit| format!("limit={limit}"));
        for (at, pair) in [before, limit].into_iter().flatten().enumerate() {
            path.push(if at == 0 { '?' } else { '&' });
            path.push_str(&pair);
        }
        self.ask(Method::GET, &path).await
    }

    /// Reads what this device wrote in a conversation, from a place in its chain on; empty after the last.
    pub async fn own_messages(
        &self,
        circle: CircleId,
        conversation: ConversationId,
        from: u64,
    ) -> Result<Vec<Message>, ClientError> {
        let path = format!("/v1/circles/{circle}/conversations/{conversation}/own?from={from}");
        self.ask(Method::GET, &path).await
    }

    /// Marks all that is stored of a conversation as read.
    pub async fn mark_read(&self, circle: CircleId, conversation: ConversationId) -> Result<(), ClientError> {
        self.ask(Method::POST, &format!("/v1/circles/{circle}/conversations/{conversation}/read")).await
    }

    /// Sends a message; returns once it is stored durably on this device.
    pub async fn send(&self, circle: CircleId, send: &Send) -> Result<Message, ClientError> {
        self.give(Method::POST, &format!("/v1/circles/{circle}/messages"), send).await
    }
}

/// Writes a text as one segment of an address (RFC 3986 §2.1).
pub(super) fn segment(text: &str) -> String {
    let mut written = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_~".contains(&byte) {
            written.push(char::from(byte));
        } else {
            written.push_str(&format!("%{byte:02X}"));
        }
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_one_segment() {
        assert_eq!(segment("Ann-1"), "Ann-1");
        assert_eq!(segment("../a b?c#d%é"), "%2E%2E%2Fa%20b%3Fc%23d%25%C3%A9");
    }
}
