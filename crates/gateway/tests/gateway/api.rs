//! Every route through the typed client, against a real node.

use crate::house::{House, PASSPHRASE};
use hexode_gateway::{Vault, client::ClientError};
use node::api::{
    Absence, ApiError, ConversationKind, Draft, ErrorKind, Event, Expire, Forward, Found, InvitationState,
    Invite, Keep, PageQuery, React, Role, SearchQuery, Send, Text, TunnelState,
};

fn kind(error: ClientError) -> ErrorKind {
    match error {
        ClientError::Refused(error) => error.kind,
        error => panic!("{error:?}"),
    }
}

fn send(to: &str, text: &str) -> Send {
    Send { to: to.into(), text: text.into() }
}

#[tokio::test]
async fn a_locked_node_tells_nothing_but_that_it_is_locked() {
    let house = House::new().await;
    let client = &house.client;
    assert_eq!(client.vault().await.unwrap(), Vault { exists: false, locked: true });
    assert_eq!(kind(client.circles().await.unwrap_err()), ErrorKind::Locked);

    client.create(PASSPHRASE.into()).await.unwrap();
    assert_eq!(client.vault().await.unwrap(), Vault { exists: true, locked: false });
    assert_eq!(kind(client.create(PASSPHRASE.into()).await.unwrap_err()), ErrorKind::Conflict);
    let found = Found { name: "Friends".into(), member: "Ann".into(), device: "laptop".into() };
    let circle = client.found(&found).await.unwrap();
    client.send(circle.id, &send("everyone", "before")).await.unwrap();

    let mut events = client.events().await.unwrap();
    client.lock().await.unwrap();
    // What was still to be told of the time before comes first.
    while events.next().await.unwrap().unwrap() != Event::Locked {}
    let status = client.status().await.unwrap();
    assert!(status.locked && status.circles.is_empty());
    assert_eq!(kind(client.circle(circle.id).await.unwrap_err()), ErrorKind::Locked);
    assert_eq!(kind(client.send(circle.id, &send("everyone", "x")).await.unwrap_err()), ErrorKind::Locked);

    let error = client.unlock("not the passphrase".into()).await.unwrap_err();
    assert!(matches!(error, ClientError::Refused(ApiError { kind: ErrorKind::User, .. })), "{error:?}");
    client.unlock(PASSPHRASE.into()).await.unwrap();
    assert_eq!(events.next().await.unwrap(), Some(Event::Unlocked));
    let everyone = client.conversation(circle.id, "everyone").await.unwrap();
    assert_eq!(everyone.messages, 1);
}

#[tokio::test]
async fn one_device_founds_invites_and_talks_to_itself() {
    let house = House::open().await;
    let client = &house.client;
    let mut events = client.events().await.unwrap();
    let found = Found { name: "Friends".into(), member: "Ann".into(), device: "laptop".into() };
    let circle = client.found(&found).await.unwrap();
    assert_eq!(client.circles().await.unwrap().len(), 1);
    assert_eq!(client.circle(circle.id).await.unwrap().id, circle.id);
    let members = client.members(circle.id).await.unwrap();
    assert_eq!((members[0].name.as_str(), members[0].role, members[0].me), ("Ann", Role::Founder, true));
    assert!(client.devices(circle.id).await.unwrap().iter().any(|device| device.this));
    assert!(client.tunnels(circle.id).await.unwrap().iter().all(|tunnel| tunnel.state != TunnelState::Up));

    let invite = Invite { role: Role::Member, valid_s: 3600, own_device: false };
    let invitation = client.invite(circle.id, &invite).await.unwrap();
    assert!(invitation.link.is_some());
    client.withdraw(circle.id, invitation.id).await.unwrap();
    let invitations = client.invitations(circle.id).await.unwrap();
    assert_eq!(invitations.len(), 1);
    assert_eq!(invitations[0].state, InvitationState::Withdrawn);

    let first = client.send(circle.id, &send("everyone", "one\nline two ✓ \u{1b}[0m")).await.unwrap();
    let last = client.send(circle.id, &send("everyone", "two")).await.unwrap();
    let heard = loop {
        match events.next().await.unwrap().unwrap() {
            Event::Message { message, .. } if message.id == last.id => break message,
            _ => {}
        }
    };
    assert_eq!(heard.text.as_deref(), Some("two"));

    let conversations = client.conversations(circle.id).await.unwrap();
    let everyone =
        conversations.iter().find(|conversation| conversation.kind == ConversationKind::Everyone).unwrap();
    let page = |before, limit| PageQuery { before, limit };
    let newest = client.page(circle.id, everyone.id, &page(None, Some(1))).await.unwrap();
    assert_eq!((newest.messages.len(), newest.messages[0].id, newest.more), (1, last.id, true));
    let older = client.page(circle.id, everyone.id, &page(Some(last.id), None)).await.unwrap();
    assert_eq!(older.messages[0].text, first.text);
    assert!(!older.more);
    client.mark_read(circle.id, everyone.id).await.unwrap();

    let exported = client.own_messages(circle.id, everyone.id, 0).await.unwrap();
    assert_eq!(exported.iter().map(|message| message.id).collect::<Vec<_>>(), [first.id, last.id]);
    assert!(client.selfcheck().await.unwrap().iter().all(|check| check.holds));
}

#[tokio::test]
async fn a_message_is_answered_corrected_marked_found_and_taken_back() {
    let house = House::open().await;
    let client = &house.client;
    let found = Found { name: "Friends".into(), member: "Ann".into(), device: "laptop".into() };
    let circle = client.found(&found).await.unwrap().id;
    let said = client.send(circle, &send("everyone", "The beans are up")).await.unwrap();
    assert_eq!(said.progress.unwrap().words, "stored");
    let mut events = client.events().await.unwrap();
    let text = |text: &str| Text { text: text.into() };

    let edited = client.edit(circle, said.id, &text("The peas are up")).await.unwrap();
    assert_eq!(edited.text.as_deref(), Some("The peas are up"));
    assert!(edited.edited_ms.is_some());
    let heard = loop {
        if let Event::Changed { message, .. } = events.next().await.unwrap().unwrap() {
            break message;
        }
    };
    assert_eq!(heard, edited);
    let marked = client.react(circle, said.id, &React { sign: "🌱".into() }).await.unwrap();
    assert_eq!((marked.reactions[0].sign.as_str(), marked.reactions[0].mine), ("🌱", true));
    assert!(client.unreact(circle, said.id).await.unwrap().reactions.is_empty());
    assert!(client.pin(circle, said.id, true).await.unwrap().pinned);
    let everyone = client.conversation(circle, "everyone").await.unwrap().id;
    assert_eq!(client.pins(circle, everyone).await.unwrap()[0].id, said.id);
    assert!(!client.pin(circle, said.id, false).await.unwrap().pinned);
    let answer = client.reply(circle, said.id, &text("all of them, @Ann?")).await.unwrap();
    assert_eq!(answer.reply_to.unwrap().text.as_deref(), Some("The peas are up"));
    assert!(answer.mentions_me);
    let note = client.forward(circle, said.id, &Forward { to: "Ann".into() }).await.unwrap();
    assert!(note.forwarded && note.conversation != everyone);

    let id = said.id.to_string();
    assert_eq!(client.find_messages(circle, id.get(..8).unwrap()).await.unwrap()[0].id, said.id);
    assert_eq!(kind(client.find_messages(circle, "?").await.unwrap_err()), ErrorKind::User);
    let query = |words: &str| SearchQuery { words: words.into(), ..SearchQuery::default() };
    let found = client.search(circle, &query("peas & up")).await.unwrap();
    assert_eq!(found.messages.iter().map(|message| message.id).collect::<Vec<_>>(), [note.id, said.id]);
    assert!(client.search(circle, &query("beans")).await.unwrap().messages.is_empty());

    let gone = client.delete(circle, said.id).await.unwrap();
    assert_eq!((gone.text, gone.absent), (None, Some(Absence::Deleted)));
    assert_eq!(kind(client.edit(circle, said.id, &text("x")).await.unwrap_err()), ErrorKind::Conflict);
    let answer = client.message(circle, answer.id).await.unwrap();
    assert_eq!(answer.reply_to.unwrap().text, None);

    let draft = Draft { text: "not yet".into(), reply_to: Some(answer.id) };
    client.set_draft(circle, everyone, &draft).await.unwrap();
    client.set_expiry(circle, everyone, &Expire { after_s: 3600 }).await.unwrap();
    let keep = Keep { archived: Some(true), muted_until_ms: Some(u64::MAX) };
    let kept = client.keep(circle, everyone, &keep).await.unwrap();
    assert_eq!((kept.archived, kept.draft, kept.expires_after_s), (true, Some(draft), Some(3600)));
    let me = client.members(circle).await.unwrap()[0].id;
    assert_eq!(kind(client.block(circle, me, true).await.unwrap_err()), ErrorKind::User);
}

#[tokio::test]
async fn names_with_every_sign_reach_the_node() {
    let house = House::open().await;
    let client = &house.client;
    let found = Found { name: "Friends".into(), member: "Ann".into(), device: "laptop".into() };
    let circle = client.found(&found).await.unwrap();
    for name in ["a/b", "50% off?", "..", "#1 & co", "王小明 ☂", "a//b"] {
        let ClientError::Refused(error) = client.conversation(circle.id, name).await.unwrap_err() else {
            panic!("{name}");
        };
        // That the address is found shows in what is not.
        assert_eq!(
            (error.kind, error.message.as_str()),
            (ErrorKind::NotFound, "no such conversation"),
            "{name}"
        );
    }
    let by_id = client.conversations(circle.id).await.unwrap()[0].id;
    assert_eq!(client.conversation(circle.id, &by_id.to_string()).await.unwrap().id, by_id);
    assert_eq!(client.conversation(circle.id, " EVERYONE ").await.unwrap().id, by_id);
}
