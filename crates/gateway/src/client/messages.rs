use hyper::Method;
use node::api::{
    Conversation, Draft, Expire, Findings, Forward, Guard, Keep, Message, React, SearchQuery, SetGuard, Text,
};
use wire::{CircleId, ConversationId, MemberId, MessageId};

use super::{Client, ClientError, calls::segment};

impl Client {
    /// Finds messages whose ids begin as a text does.
    pub async fn find_messages(&self, circle: CircleId, id: &str) -> Result<Vec<Message>, ClientError> {
        self.ask(Method::GET, &format!("/v1/circles/{circle}/messages?id={}", segment(id))).await
    }

    /// Shows one message as it is now.
    pub async fn message(&self, circle: CircleId, message: MessageId) -> Result<Message, ClientError> {
        self.ask(Method::GET, &format!("/v1/circles/{circle}/messages/{message}")).await
    }

    /// Gives one's own message another text.
    pub async fn edit(
        &self,
        circle: CircleId,
        message: MessageId,
        text: &Text,
    ) -> Result<Message, ClientError> {
        self.give(Method::PUT, &format!("/v1/circles/{circle}/messages/{message}"), text).await
    }

    /// Takes one's own message back.
    pub async fn delete(&self, circle: CircleId, message: MessageId) -> Result<Message, ClientError> {
        self.ask(Method::DELETE, &format!("/v1/circles/{circle}/messages/{message}")).await
    }

    /// Answers a message.
    pub async fn reply(
        &self,
        circle: CircleId,
        message: MessageId,
        text: &Text,
    ) -> Result<Message, ClientError> {
        self.give(Method::POST, &format!("/v1/circles/{circle}/messages/{message}/reply"), text).await
    }

    /// Says a message's text again in another conversation.
    pub async fn forward(
        &self,
        circle: CircleId,
        message: MessageId,
        forward: &Forward,
    ) -> Result<Message, ClientError> {
        self.give(Method::POST, &format!("/v1/circles/{circle}/messages/{message}/forward"), forward).await
    }

    /// Puts one's sign under a message.
    pub async fn react(
        &self,
        circle: CircleId,
        message: MessageId,
        react: &React,
    ) -> Result<Message, ClientError> {
        self.give(Method::PUT, &format!("/v1/circles/{circle}/messages/{message}/reaction"), react).await
    }

    /// Takes one's sign under a message away.
    pub async fn unreact(&self, circle: CircleId, message: MessageId) -> Result<Message, ClientError> {
        self.ask(Method::DELETE, &format!("/v1/circles/{circle}/messages/{message}/reaction")).await
    }

    /// Puts a message where all find it, or takes it away from there.
    pub async fn pin(
        &self,
        circle: CircleId,
        message: MessageId,
        pinned: bool,
    ) -> Result<Message, ClientError> {
        let method = if pinned { Method::PUT } else { Method::DELETE };
        self.ask(method, &format!("/v1/circles/{circle}/messages/{message}/pin")).await
    }

    /// Lists the messages that were put where all find them.
    pub async fn pins(
        &self,
        circle: CircleId,
        conversation: ConversationId,
    ) -> Result<Vec<Message>, ClientError> {
        self.ask(Method::GET, &format!("/v1/circles/{circle}/conversations/{conversation}/pins")).await
    }

    /// Looks for words in all that is held of a circle.
    pub async fn search(&self, circle: CircleId, query: &SearchQuery) -> Result<Findings, ClientError> {
        let mut path = format!("/v1/circles/{circle}/search?words={}", segment(&query.words));
        if let Some(conversation) = &query.conversation {
            path.push_str(&format!("&conversation={}", segment(conversation)));
        }
        if let Some(from) = query.from {
            path.push_str(&format!("&from={from}"));
        }
        if let Some(limit) = query.limit {
            path.push_str(&format!("&limit={limit}"));
        }
        self.ask(Method::GET, &path).await
    }

    /// Sets after what time what is written from now on is erased.
    pub async fn set_expiry(
        &self,
        circle: CircleId,
        conversation: ConversationId,
        expire: &Expire,
    ) -> Result<(), ClientError> {
        self.give(Method::PUT, &format!("/v1/circles/{circle}/conversations/{conversation}/expiry"), expire)
            .await
    }

    /// Puts a conversation away or mutes it.
    pub async fn keep(
        &self,
        circle: CircleId,
        conversation: ConversationId,
        keep: &Keep,
    ) -> Result<Conversation, ClientError> {
        self.give(Method::PUT, &format!("/v1/circles/{circle}/conversations/{conversation}/keep"), keep).await
    }

    /// Keeps what was written and not sent.
    pub async fn set_draft(
        &self,
        circle: CircleId,
        conversation: ConversationId,
        draft: &Draft,
    ) -> Result<(), ClientError> {
        self.give(Method::PUT, &format!("/v1/circles/{circle}/conversations/{conversation}/draft"), draft)
            .await
    }

    /// Hides a member's messages on this device, or shows them again.
    pub async fn block(&self, circle: CircleId, member: MemberId, blocked: bool) -> Result<(), ClientError> {
        let method = if blocked { Method::PUT } else { Method::DELETE };
        self.ask(method, &format!("/v1/circles/{circle}/members/{member}/block")).await
    }

    /// Destroys the vault with all that is in it.
    pub async fn wipe(&self) -> Result<(), ClientError> {
        self.ask(Method::POST, "/v1/wipe").await
    }

    /// Tells how the vault is guarded.
    pub async fn guard(&self) -> Result<Guard, ClientError> {
        self.ask(Method::GET, "/v1/guard").await
    }

    /// Sets how the vault is guarded.
    pub async fn set_guard(&self, guard: &SetGuard) -> Result<Guard, ClientError> {
        self.give(Method::PUT, "/v1/guard", guard).await
    }

    /// Says that the person is there.
    pub async fn present(&self) -> Result<(), ClientError> {
        self.ask(Method::POST, "/v1/present").await
    }
}
