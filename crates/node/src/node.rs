//! The handle that front ends hold.

mod files;
mod recovery;
mod streams;

use std::sync::atomic::Ordering;

use tokio::sync::{broadcast, oneshot};
use vault::{Passphrase, Tries};
use wire::{CircleId, ConversationId, DeviceId, EntryId, MemberId, MessageId};

use crate::{
    api::{self, ApiError, ErrorKind, Event},
    engine::{Access, Call, Engine, Input, RequestError, Setup},
    error::stopped,
    shell::{Opening, Order, Shell},
};

/// A running node; clones are handles on the same one.
#[derive(Debug, Clone)]
pub struct Node {
    pub(crate) shell: Shell,
}

impl Node {
    pub(crate) fn new(shell: Shell) -> Self {
        Self { shell }
    }

    /// Starts a node, locked. Its tunnels run on the current tokio runtime.
    pub fn start(setup: Setup) -> Result<Self, ApiError> {
        let failed = |error| ApiError::new(ErrorKind::Internal, format!("the engine did not start: {error}"));
        Ok(Self { shell: Shell::start(setup).map_err(failed)? })
    }

    /// Tells whether there is a vault to unlock.
    pub async fn has_vault(&self) -> Result<bool, ApiError> {
        self.look(Engine::has_vault).await
    }

    /// Makes the vault and opens it.
    pub async fn create(&self, passphrase: String) -> Result<(), ApiError> {
        self.open(passphrase, Opening::Create).await.map(drop)
    }

    /// Opens the vault and starts the tunnels of all circles.
    pub async fn unlock(&self, passphrase: String) -> Result<(), ApiError> {
        self.open(passphrase, Opening::Unlock(Tries::All)).await.map(drop)
    }

    /// Opens the vault like [`unlock`](Self::unlock), and tells whether it was this passphrase that opened it: `false` if
    /// it was open before, which proves nothing of the passphrase.
    pub async fn unlock_by(&self, passphrase: String) -> Result<bool, ApiError> {
        self.open(passphrase, Opening::Unlock(Tries::All)).await
    }

    /// Opens the vault like [`unlock_by`](Self::unlock_by) for somebody of whom nothing is known: where tries are counted
    /// he does not get the one after which the vault is destroyed.
    pub async fn unlock_by_stranger(&self, passphrase: String) -> Result<bool, ApiError> {
        self.open(passphrase, Opening::Unlock(Tries::ButTheLast)).await
    }

    async fn open(&self, passphrase: String, how: Opening) -> Result<bool, ApiError> {
        let passphrase = Passphrase::new(&zeroize::Zeroizing::new(passphrase));
        let (answer, opened) = oneshot::channel();
        self.shell.order(Order::Open { passphrase, how, answer });
        opened.await.unwrap_or_else(|_| Err(stopped()))
    }

    /// Closes the vault, ends all tunnels and drops every key.
    pub async fn lock(&self) -> Result<(), ApiError> {
        let (answer, done) = oneshot::channel();
        self.shell.order(Order::Lock(answer));
        done.await.map_err(|_| stopped())
    }

    /// Destroys the vault with all that is in it, open or not: first its keys, then the rest.
    pub async fn wipe(&self) -> Result<(), ApiError> {
        let (answer, done) = oneshot::channel();
        self.shell.order(Order::Wipe(answer));
        done.await.unwrap_or_else(|_| Err(stopped()))
    }

    /// Tells how the vault is guarded.
    pub async fn guard(&self) -> Result<api::Guard, ApiError> {
        self.glance(|access| access.guard()).await
    }

    /// Sets how the vault is guarded.
    pub async fn set_guard(&self, request: api::SetGuard) -> Result<api::Guard, ApiError> {
        self.call(move |access| access.set_guard(&request)).await
    }

    /// Says that the person is there, so that the node does not lock itself.
    pub async fn present(&self) -> Result<(), ApiError> {
        self.call(|_| Ok(())).await
    }

    /// Locks, waits for the tunnels to say good-bye, and ends.
    pub async fn stop(&self) {
        let (answer, done) = oneshot::channel();
        self.shell.order(Order::Stop(answer));
        // An error says that it had stopped already.
        let _ = done.await;
    }

    /// Describes the node.
    pub async fn status(&self) -> Result<api::Status, ApiError> {
        self.look(Engine::status).await
    }

    /// Listens to what happens from now on.
    pub fn events(&self) -> broadcast::Receiver<Event> {
        self.shell.events.subscribe()
    }

    /// Lists the circles.
    pub async fn circles(&self) -> Result<Vec<api::Circle>, ApiError> {
        self.glance(|access| Ok(access.circles_view())).await
    }

    /// Founds a circle.
    pub async fn found(&self, request: api::Found) -> Result<api::Circle, ApiError> {
        self.call(move |access| access.found(&request)).await
    }

    /// Founds a circle with recovery keys, and returns their sheets: the only time that they are shown.
    pub async fn found_recoverable(&self, request: api::FoundRecoverable) -> Result<api::Sheets, ApiError> {
        self.call(move |access| access.found_recoverable(&request)).await
    }

    /// Begins to join a circle; [`Event::Standing`] tells how it ends.
    pub async fn join(&self, request: api::Join) -> Result<api::Circle, ApiError> {
        self.call(move |access| access.join(&request)).await
    }

    /// Shows one circle.
    pub async fn circle(&self, circle: CircleId) -> Result<api::Circle, ApiError> {
        self.glance(move |access| access.circle_view(circle)).await
    }

    /// Lists the members.
    pub async fn members(&self, circle: CircleId) -> Result<Vec<api::Member>, ApiError> {
        self.glance(move |access| access.members(circle)).await
    }

    /// Removes a member with all his devices.
    pub async fn remove_member(&self, circle: CircleId, member: MemberId) -> Result<(), ApiError> {
        self.call(move |access| access.remove_member(circle, member)).await
    }

    /// Removes one device.
    pub async fn remove_device(&self, circle: CircleId, device: DeviceId) -> Result<(), ApiError> {
        self.call(move |access| access.remove_device(circle, device)).await
    }

    /// Lists the devices.
    pub async fn devices(&self, circle: CircleId) -> Result<Vec<api::Device>, ApiError> {
        self.glance(move |access| access.devices(circle)).await
    }

    /// Issues an invitation.
    pub async fn invite(&self, circle: CircleId, request: api::Invite) -> Result<api::Invitation, ApiError> {
        self.call(move |access| access.invite(circle, &request)).await
    }

    /// Lists the invitations.
    pub async fn invitations(&self, circle: CircleId) -> Result<Vec<api::Invitation>, ApiError> {
        self.glance(move |access| access.invitations(circle)).await
    }

    /// Withdraws an invitation.
    pub async fn withdraw(&self, circle: CircleId, invitation: EntryId) -> Result<(), ApiError> {
        self.call(move |access| access.withdraw(circle, invitation)).await
    }

    /// Shows what to compare with the person at another device.
    pub async fn safety_words(
        &self,
        circle: CircleId,
        device: DeviceId,
    ) -> Result<api::SafetyWords, ApiError> {
        self.call(move |access| access.safety_words(circle, device)).await
    }

    /// Records that a device was verified.
    pub async fn verify(
        &self,
        circle: CircleId,
        device: DeviceId,
        request: api::Verify,
    ) -> Result<api::Device, ApiError> {
        self.call(move |access| access.verify(circle, device, &request)).await
    }

    /// Takes a verification back.
    pub async fn unverify(&self, circle: CircleId, device: DeviceId) -> Result<api::Device, ApiError> {
        self.call(move |access| access.unverify(circle, device)).await
    }

    /// Lists the tunnels to all other devices, those that are up and those that are not.
    pub async fn tunnels(&self, circle: CircleId) -> Result<Vec<api::Tunnel>, ApiError> {
        let snapshot = self.glance(move |access| access.snapshot(circle)).await?;
        let snapshot = snapshot.await.unwrap_or_default();
        self.glance(move |access| access.tunnels(circle, &snapshot)).await
    }

    /// Lists the addresses this device has exchanged packets with, in the last day or since it was unlocked.
    pub async fn contacts(&self, circle: CircleId) -> Result<Vec<api::Contact>, ApiError> {
        let snapshot = self.glance(move |access| access.snapshot(circle)).await?;
        let snapshot = snapshot.await.unwrap_or_default();
        self.glance(move |access| access.contacts(circle, &snapshot)).await
    }

    /// Lists the conversations, the one with the newest message first.
    pub async fn conversations(&self, circle: CircleId) -> Result<Vec<api::Conversation>, ApiError> {
        self.glance(move |access| access.conversations(circle)).await
    }

    /// Founds a group.
    pub async fn found_group(
        &self,
        circle: CircleId,
        request: api::NewGroup,
    ) -> Result<api::Conversation, ApiError> {
        self.call(move |access| access.found_group(circle, &request)).await
    }

    /// Sends a message; returns when it is stored durably on this device.
    pub async fn send(&self, circle: CircleId, request: api::Send) -> Result<api::Message, ApiError> {
        let (call, answer) =
            Call::new(move |access: &mut Access<'_, '_>| access.send(circle, &request), true);
        self.shell.order_short(Box::new(call));
        answered(answer).await
    }

    /// Sets how much of this device a member's messages may take.
    pub async fn allow(&self, circle: CircleId, member: MemberId, share: api::Share) -> Result<(), ApiError> {
        self.call(move |access| access.allow(circle, member, share.bytes)).await
    }

    /// Leaves a circle with this device; what it holds stays readable on it.
    pub async fn leave(&self, circle: CircleId) -> Result<(), ApiError> {
        self.call(move |access| access.leave(circle)).await
    }

    /// Gives a member another role; one who was removed comes back in it.
    pub async fn set_role(
        &self,
        circle: CircleId,
        member: MemberId,
        role: api::Role,
    ) -> Result<(), ApiError> {
        self.call(move |access| access.set_role(circle, member, role)).await
    }

    /// Shows who is in a group.
    pub async fn group(&self, circle: CircleId, group: ConversationId) -> Result<api::Group, ApiError> {
        self.glance(move |access| access.group(circle, group)).await
    }

    /// Gives a group another name.
    pub async fn rename_group(
        &self,
        circle: CircleId,
        group: ConversationId,
        request: api::Rename,
    ) -> Result<api::Group, ApiError> {
        self.call(move |access| access.rename_group(circle, group, &request)).await
    }

    /// Brings members into a group.
    pub async fn add_to_group(
        &self,
        circle: CircleId,
        group: ConversationId,
        request: api::AddToGroup,
    ) -> Result<api::Group, ApiError> {
        self.call(move |access| access.add_to_group(circle, group, &request)).await
    }

    /// Takes a member out of a group.
    pub async fn remove_from_group(
        &self,
        circle: CircleId,
        group: ConversationId,
        member: MemberId,
    ) -> Result<api::Group, ApiError> {
        self.call(move |access| access.remove_from_group(circle, group, member)).await
    }

    /// Leaves a group.
    pub async fn leave_group(&self, circle: CircleId, group: ConversationId) -> Result<api::Group, ApiError> {
        self.call(move |access| access.leave_group(circle, group)).await
    }

    /// Shows one message as it is now.
    pub async fn message(&self, circle: CircleId, message: MessageId) -> Result<api::Message, ApiError> {
        self.glance(move |access| access.message(circle, message)).await
    }

    /// Finds messages whose ids begin as a text does, eight characters or more.
    pub async fn find_messages(&self, circle: CircleId, text: String) -> Result<Vec<api::Message>, ApiError> {
        self.call(move |access| access.find_messages(circle, &text)).await
    }

    /// Answers a message.
    pub async fn reply(
        &self,
        circle: CircleId,
        message: MessageId,
        reply: api::Text,
    ) -> Result<api::Message, ApiError> {
        self.call(move |access| access.reply(circle, message, &reply.text)).await
    }

    /// Says a message's text again in another conversation.
    pub async fn forward(
        &self,
        circle: CircleId,
        message: MessageId,
        forward: api::Forward,
    ) -> Result<api::Message, ApiError> {
        self.call(move |access| access.forward(circle, message, &forward.to)).await
    }

    /// Gives one's own message another text.
    pub async fn edit(
        &self,
        circle: CircleId,
        message: MessageId,
        edit: api::Text,
    ) -> Result<api::Message, ApiError> {
        self.call(move |access| access.edit(circle, message, &edit.text)).await?;
        self.message(circle, message).await
    }

    /// Takes one's own message back: its text is erased on every device.
    pub async fn delete(&self, circle: CircleId, message: MessageId) -> Result<api::Message, ApiError> {
        self.call(move |access| access.delete(circle, message)).await?;
        self.message(circle, message).await
    }

    /// Puts one's sign under a message; an empty one takes it away.
    pub async fn react(
        &self,
        circle: CircleId,
        message: MessageId,
        react: api::React,
    ) -> Result<api::Message, ApiError> {
        self.call(move |access| access.react(circle, message, &react.sign)).await?;
        self.message(circle, message).await
    }

    /// Puts a message where all find it, or takes it away from there.
    pub async fn pin(
        &self,
        circle: CircleId,
        message: MessageId,
        pinned: bool,
    ) -> Result<api::Message, ApiError> {
        self.call(move |access| access.pin(circle, message, pinned)).await?;
        self.message(circle, message).await
    }

    /// Lists the messages that were put where all find them.
    pub async fn pins(
        &self,
        circle: CircleId,
        conversation: ConversationId,
    ) -> Result<Vec<api::Message>, ApiError> {
        self.glance(move |access| access.pins(circle, conversation)).await
    }

    /// Sets after what time what is written in a conversation from now on is erased everywhere.
    pub async fn set_expiry(
        &self,
        circle: CircleId,
        conversation: ConversationId,
        expire: api::Expire,
    ) -> Result<(), ApiError> {
        self.call(move |access| access.set_expiry(circle, conversation, expire.after_s)).await
    }

    /// Puts a conversation away, or mutes it, on this device.
    pub async fn keep(
        &self,
        circle: CircleId,
        conversation: ConversationId,
        keep: api::Keep,
    ) -> Result<api::Conversation, ApiError> {
        self.call(move |access| access.keep_conversation(circle, conversation, &keep)).await
    }

    /// Keeps what was written and not sent, on this device.
    pub async fn set_draft(
        &self,
        circle: CircleId,
        conversation: ConversationId,
        draft: api::Draft,
    ) -> Result<(), ApiError> {
        self.call(move |access| access.set_draft(circle, conversation, &draft)).await
    }

    /// Hides a member's messages on this device, or shows them again.
    pub async fn block(&self, circle: CircleId, member: MemberId, blocked: bool) -> Result<(), ApiError> {
        self.call(move |access| access.block(circle, member, blocked)).await
    }

    /// Looks for words in all that is held of a circle.
    pub async fn search(&self, circle: CircleId, query: api::SearchQuery) -> Result<api::Findings, ApiError> {
        while self.call(|access| access.index_part()).await? {}
        let limit = query.limit.unwrap_or(50).clamp(1, 1000) as usize;
        let mut from = query.from.map(|from| i64::try_from(from).unwrap_or(i64::MAX));
        let mut messages = Vec::new();
        loop {
            let (part, room) = (query.clone(), limit - messages.len());
            let (found, next) =
                self.call(move |access| access.search_part(circle, &part, from, room)).await?;
            messages.extend(found);
            from = next;
            if messages.len() >= limit || next.is_none() {
                let next = next.and_then(|next| u64::try_from(next).ok());
                return Ok(api::Findings { messages, next });
            }
        }
    }

    /// Reads a part of a conversation.
    pub async fn page(
        &self,
        circle: CircleId,
        conversation: ConversationId,
        query: api::PageQuery,
    ) -> Result<api::Page, ApiError> {
        self.glance(move |access| access.page(circle, conversation, &query)).await
    }

    /// Finds a conversation by what a person calls it; see [`api::Send::to`].
    pub async fn conversation(&self, circle: CircleId, to: String) -> Result<api::Conversation, ApiError> {
        self.glance(move |access| access.conversation(circle, &to)).await
    }

    /// Marks all that a conversation holds as read.
    pub async fn mark_read(&self, circle: CircleId, conversation: ConversationId) -> Result<(), ApiError> {
        self.glance(move |access| access.mark_read(circle, conversation)).await
    }

    /// Lists the messages this device wrote, of one conversation, from place `from` of its chain on; a bounded part
    /// of them, empty at the end.
    pub async fn own_messages(
        &self,
        circle: CircleId,
        conversation: ConversationId,
        from: u64,
    ) -> Result<Vec<api::Message>, ApiError> {
        self.glance(move |access| access.own_messages(circle, conversation, from, 1000)).await
    }

    /// Lists all messages this device wrote, conversation by conversation, oldest first.
    pub async fn export(&self, circle: CircleId) -> Result<Vec<api::Message>, ApiError> {
        let mut messages = Vec::new();
        for conversation in self.glance(move |access| access.conversation_ids(circle)).await? {
            let mut from = 0;
            loop {
                let part = self.own_messages(circle, conversation, from).await?;
                let Some(last) = part.last() else { break };
                from = last.seq + 1;
                messages.extend(part);
            }
        }
        Ok(messages)
    }

    /// Lists the clients that hold tokens.
    pub async fn tokens(&self) -> Result<Vec<api::Token>, ApiError> {
        self.glance(|access| access.tokens()).await
    }

    /// Issues a token to a program.
    pub async fn issue_token(&self, request: api::NewToken) -> Result<api::IssuedToken, ApiError> {
        self.call(move |access| access.issue_token(&request)).await
    }

    /// Keeps a browser's session, of which the front end made the secret; it holds for 30 days.
    pub async fn keep_session(&self, name: String, secret: String) -> Result<api::Token, ApiError> {
        self.call(move |access| access.keep_session(&name, &secret)).await
    }

    /// Revokes a token.
    pub async fn revoke_token(&self, id: String) -> Result<(), ApiError> {
        self.call(move |access| access.revoke_token(&id)).await
    }

    /// Finds the token of which this is the secret, if there is one that still holds.
    pub async fn token(&self, secret: String) -> Result<Option<api::Token>, ApiError> {
        self.glance(move |access| access.token(&secret)).await
    }

    /// Counts what changes who may ask for what: tokens, locking, unlocking. What [`token`](Self::token) said holds for as
    /// long as this is the same, so that it need not be asked each time.
    pub fn access_count(&self) -> u64 {
        self.shell.access.load(Ordering::Acquire)
    }

    /// Checks what can be checked of this node by itself.
    pub async fn selfcheck(&self) -> Result<Vec<api::Check>, ApiError> {
        self.look(crate::selfcheck::run).await
    }

    /// Asks for something that a person does.
    pub(crate) async fn call<T, F>(&self, act: F) -> Result<T, ApiError>
    where
        T: Send + 'static,
        F: FnOnce(&mut Access<'_, '_>) -> Result<T, RequestError> + Send + 'static,
    {
        self.ask(act, true).await
    }

    /// Asks for something that front ends ask for by themselves, too: it does not keep the node from locking itself.
    pub(crate) async fn glance<T, F>(&self, act: F) -> Result<T, ApiError>
    where
        T: Send + 'static,
        F: FnOnce(&mut Access<'_, '_>) -> Result<T, RequestError> + Send + 'static,
    {
        self.ask(act, false).await
    }

    async fn ask<T, F>(&self, act: F, is_act: bool) -> Result<T, ApiError>
    where
        T: Send + 'static,
        F: FnOnce(&mut Access<'_, '_>) -> Result<T, RequestError> + Send + 'static,
    {
        let (call, answer) = Call::new(act, is_act);
        self.shell.order(Order::Input(Input::Request(Box::new(call))));
        answered(answer).await
    }

    async fn look<T, F>(&self, look: F) -> Result<T, ApiError>
    where
        T: Send + 'static,
        F: FnOnce(&Engine) -> T + Send + 'static,
    {
        let (answer, found) = oneshot::channel();
        self.shell.order(Order::Look(Box::new(move |engine| drop(answer.send(look(engine))))));
        found.await.map_err(|_| stopped())
    }
}

async fn answered<T>(answer: oneshot::Receiver<Result<T, ApiError>>) -> Result<T, ApiError> {
    answer.await.unwrap_or_else(|_| Err(stopped()))
}
