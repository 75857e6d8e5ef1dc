//! The screen without a node: what keys and events ask for, and what is drawn in windows of two sizes.

use node::api::{
    CircleState, Conversation, ConversationKind, Delivery, Device, Event, Member, Message, Page, Role,
    Tunnel, TunnelState, Verified, VerifyMethod,
};
use ratatui::{
    Terminal,
    backend::TestBackend,
    crossterm::event::{KeyCode, KeyEvent, KeyModifiers},
};
use wire::{CircleId, ConversationId, DeviceId, MemberId, MessageId};

use super::{
    app::{App, Ask},
    view,
};

/// Noon, on a day that is the same in all but the outermost time zones.
const NOON: u64 = 1_795_435_200_000;
const EVERYONE: ConversationId = ConversationId::new([9; 32]);
const BEN: ConversationId = ConversationId::new([1; 32]);
const NAMES: [&str; 3] = ["Ann", "Ben", "王小明"];

fn device(of: u8) -> Device {
    Device {
        id: DeviceId::new([of; 32]),
        name: "phone".into(),
        member: MemberId::new([of; 32]),
        member_name: NAMES[usize::from(of)].into(),
        role: Role::Member,
        this: of == 0,
        since_ms: NOON,
        verified: (of == 1).then_some(Verified { at_ms: NOON, method: VerifyMethod::Words, by: None }),
        vouched_by: Vec::new(),
        new_key: false,
        connected: of == 1,
    }
}

fn conversation(id: u8, kind: ConversationKind, title: &str, unread: u64) -> Conversation {
    Conversation {
        id: ConversationId::new([id; 32]),
        kind,
        title: title.into(),
        participants: (0..3).map(|of| MemberId::new([of; 32])).collect(),
        messages: 0,
        unread,
        last: None,
        history_digest: String::new(),
        archived: false,
        muted_until_ms: None,
        blocked: false,
        expires_after_s: None,
        draft: None,
        forked: Vec::new(),
    }
}

fn message(seq: u64, by: u8, text: &str, delivered: u32) -> Message {
    let mut id = [0; 32];
    id[..8].copy_from_slice(&seq.to_be_bytes());
    Message {
        id: MessageId::new(id),
        conversation: ConversationId::new([9; 32]),
        author: DeviceId::new([by; 32]),
        member: Some(MemberId::new([by; 32])),
        member_name: NAMES[usize::from(by)].into(),
        mine: by == 0,
        seq,
        lamport: seq,
        claimed_ms: NOON + seq * 1000,
        stored_ms: NOON,
        text: Some(text.into()),
        file: None,
        delivery: Delivery { devices: 2, delivered, read: 0 },
        absent: None,
        reply_to: None,
        edited_ms: None,
        mentions: Vec::new(),
        mentions_me: false,
        reactions: Vec::new(),
        pinned: false,
        forwarded: false,
        expires_ms: None,
        progress: None,
        forked: false,
        clock_ahead_ms: None,
    }
}

fn circle() -> node::api::Circle {
    node::api::Circle {
        id: CircleId::new([7; 32]),
        name: Some("Friends".into()),
        state: CircleState::Member,
        device: DeviceId::new([0; 32]),
        member: Some(MemberId::new([0; 32])),
        member_name: Some("Ann".into()),
        role: Some(Role::Founder),
        members: 3,
        devices: 3,
        connected: 1,
        unread: 2,
        roster_digest: String::new(),
        addresses: Vec::new(),
        trouble: None,
        rendezvous: None,
        mapping: None,
    }
}

fn tunnel(of: u8) -> Tunnel {
    Tunnel {
        device: device(of),
        state: TunnelState::Dialling,
        path: None,
        addresses: vec!["192.0.2.1:4000".parse().unwrap()],
        attempts: 4,
        last_error: Some("timed out".into()),
        reach: None,
    }
}

/// A screen on which three people have talked, two messages unread.
fn app() -> App {
    let conversations = vec![
        conversation(9, ConversationKind::Everyone, "Friends", 2),
        conversation(1, ConversationKind::Direct, "Ben", 0),
        conversation(2, ConversationKind::Group, "Friday dinner at the river", 12),
    ];
    let members = (0..3).map(|of| Member {
        id: MemberId::new([of; 32]),
        name: NAMES[usize::from(of)].into(),
        role: if of == 0 { Role::Founder } else { Role::Member },
        me: of == 0,
        blocked: false,
        taken: 0,
        full: false,
        devices: vec![device(of)],
    });
    let mut app = App::new(circle(), conversations.clone(), EVERYONE);
    assert_eq!(app.asks(), [Ask::Overview, Ask::Open(EVERYONE)]);
    app.show_overview(circle(), conversations, members.collect(), vec![tunnel(1), tunnel(2)]);
    app.show_open(
        EVERYONE,
        Page {
            messages: vec![
                message(
                    0,
                    0,
                    "Hello everyone, this is long enough to be set in several lines, in every window.",
                    2,
                ),
                message(1, 1, "one\ntwo", 0),
                message(2, 0, "short", 1),
                message(3, 1, "evil \u{1b}[31m red \u{202e}txt.exe", 0),
                message(4, 2, "你好，世界：這是一條很長的訊息，每個字佔兩個欄位，所以要換行。 👩‍👩‍👧", 0),
            ],
            more: false,
        },
    );
    app
}

fn screen(app: &mut App, width: u16, height: u16) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| view::draw(frame, app)).unwrap();
    terminal.backend().to_string()
}

fn press(app: &mut App, code: KeyCode) {
    app.handle_key(KeyEvent::new(code, KeyModifiers::NONE));
}

fn write(app: &mut App, text: &str) {
    text.chars().for_each(|c| press(app, KeyCode::Char(c)));
}

macro_rules! assert_shows {
    ($screen:expr, @$expected:literal) => {
        insta::with_settings!({ filters => vec![(r"\d\d:\d\d", "HH:MM")] }, {
            insta::assert_snapshot!($screen, @$expected);
        });
    };
}

#[test]
fn what_is_wrong_with_the_circle_is_said_before_all_else() {
    let mut app = app();
    assert!(!screen(&mut app, 80, 24).contains("WARNING"));
    app.circle.trouble = Some("the recovery sheets were used".into());
    assert!(screen(&mut app, 80, 24).contains("WARNING: see \"hexode status\""));
}

#[test]
fn conversations_messages_and_the_draft_stand_side_by_side() {
    let mut app = app();
    write(&mut app, "a draft");
    assert_shows!(screen(&mut app, 80, 24), @r##"
    "Friends            │ everyone  1 of 2 devices connected · 1 not verified        "
    "───────────────────│────────────────────────────────────────────────────────────"
    "* everyone        2│                                                            "
    "  Ben              │                                                            "
    "# Friday dinner… 12│                                                            "
    "                   │                                                            "
    "                   │                                                            "
    "                   │                                                            "
    "                   │                                                            "
    "                   │ ───────────────────── the beginning ────────────────────── "
    "                   │ ─────────────────── Monday, 2026-11-23 ─────────────────── "
    "                   │ HH:MM You: Hello everyone, this is long enough to be set   "
    "                   │       in several lines, in every window.  [delivered]      "
    "                   │ HH:MM Ben: one                                             "
    "                   │       two                                                  "
    "                   │ HH:MM You: short  [delivered to 1 of 2]                    "
    "                   │ ────────────────────────── new ─────────────────────────── "
    "                   │ HH:MM Ben: evil ␛[31m red �txt.exe                         "
    "                   │ HH:MM 王小明: 你好，世界：這是一條很長的訊息，每個字佔兩個 " Hidden by multi-width symbols: [(28, " "), (30, " "), (32, " "), (36, " "), (38, " "), (40, " "), (42, " "), (44, " "), (46, " "), (48, " "), (50, " "), (52, " "), (54, " "), (56, " "), (58, " "), (60, " "), (62, " "), (64, " "), (66, " "), (68, " "), (70, " "), (72, " "), (74, " "), (76, " "), (78, " ")]
    "                   │       欄位，所以要換行。 👩‍👩‍👧                                " Hidden by multi-width symbols: [(28, " "), (30, " "), (32, " "), (34, " "), (36, " "), (38, " "), (40, " "), (42, " "), (44, " "), (47, " ")]
    "                   │┌──────────────────────────────────────────────────────────┐"
    "                   ││a draft                                                   │"
    "                   │└──────────────────────────────────────────────────────────┘"
    "                   │ Tab next · PgUp older · F1 help · ^C quit                  "
    "##);
    assert_shows!(screen(&mut app, 60, 16), @r##"
    "Friends       │ everyone  1 of 2 devices connected · 1 not …"
    "──────────────│─────────────────────────────────────────────"
    "* everyone   2│ HH:MM You: Hello everyone, this is long     "
    "  Ben         │       enough to be set in several lines, in "
    "# Friday d… 12│       every window.  [delivered]            "
    "              │ HH:MM Ben: one                              "
    "              │       two                                   "
    "              │ HH:MM You: short  [delivered to 1 of 2]     "
    "              │ ─────────────────── new ─────────────────── "
    "              │ HH:MM Ben: evil ␛[31m red �txt.exe          "
    "              │ HH:MM 王小明: 你好，世界：這是一條很長的訊  " Hidden by multi-width symbols: [(23, " "), (25, " "), (27, " "), (31, " "), (33, " "), (35, " "), (37, " "), (39, " "), (41, " "), (43, " "), (45, " "), (47, " "), (49, " "), (51, " "), (53, " "), (55, " "), (57, " ")]
    "              │       息，每個字佔兩個欄位，所以要換行。 👩‍👩‍👧 " Hidden by multi-width symbols: [(23, " "), (25, " "), (27, " "), (29, " "), (31, " "), (33, " "), (35, " "), (37, " "), (39, " "), (41, " "), (43, " "), (45, " "), (47, " "), (49, " "), (51, " "), (53, " "), (55, " "), (58, " ")]
    "              │┌───────────────────────────────────────────┐"
    "              ││a draft                                    │"
    "              │└───────────────────────────────────────────┘"
    "              │ Tab next · PgUp older · F1 help · ^C quit   "
    "##);
}

#[test]
fn a_chosen_message_is_answered_edited_marked_and_taken_back() {
    let mut app = app();
    app.asks();
    let asks = |app: &mut App| -> Vec<Ask> {
        app.asks().into_iter().filter(|ask| *ask != Ask::MarkRead(EVERYONE)).collect()
    };
    press(&mut app, KeyCode::F(5));
    assert_eq!(app.notice.as_deref(), Some("F3 chooses a message"));
    let theirs = app.timeline.messages.iter().rfind(|message| !message.mine).unwrap().clone();
    let mine = app.timeline.messages.iter().rfind(|message| message.mine).unwrap().clone();
    let choose = |app: &mut App, id| {
        press(app, KeyCode::Esc);
        while app.timeline.chosen != Some(id) {
            press(app, KeyCode::F(3));
        }
    };
    choose(&mut app, theirs.id);
    press(&mut app, KeyCode::F(5));
    write(&mut app, "yes");
    assert!(screen(&mut app, 60, 16).contains("Answer to"));
    press(&mut app, KeyCode::Enter);
    choose(&mut app, theirs.id);
    press(&mut app, KeyCode::F(7));
    press(&mut app, KeyCode::F(6));
    assert_eq!(app.notice.as_deref(), Some("only its author does that"));
    assert_eq!(
        asks(&mut app),
        [Ask::Reply(EVERYONE, theirs.id, "yes".into()), Ask::React(theirs.id, Some("👍"))]
    );

    choose(&mut app, mine.id);
    press(&mut app, KeyCode::F(6));
    write(&mut app, "!");
    press(&mut app, KeyCode::Enter);
    let text = format!("{}!", mine.text.unwrap());
    assert_eq!(asks(&mut app), [Ask::Edit(EVERYONE, mine.id, text)]);
    choose(&mut app, mine.id);
    press(&mut app, KeyCode::F(8));
    press(&mut app, KeyCode::F(4));
    press(&mut app, KeyCode::F(3));
    press(&mut app, KeyCode::F(8));
    assert!(asks(&mut app).is_empty(), "one press in a row takes nothing back");
    press(&mut app, KeyCode::F(8));
    assert_eq!(asks(&mut app), [Ask::Delete(mine.id)]);
}

#[test]
fn what_could_not_be_sent_is_still_what_it_was_to_be() {
    let mut app = app();
    let theirs = app.timeline.messages.iter().rfind(|message| !message.mine).unwrap().clone();
    let mine = app.timeline.messages.iter().rfind(|message| message.mine).unwrap().clone();
    let choose = |app: &mut App, id| {
        while app.timeline.chosen != Some(id) {
            press(app, KeyCode::F(3));
        }
    };
    let said = |app: &mut App| -> Ask {
        app.asks();
        press(app, KeyCode::Enter);
        app.asks().into_iter().find(|ask| *ask != Ask::MarkRead(EVERYONE)).unwrap()
    };
    write(&mut app, "a draft");
    choose(&mut app, mine.id);
    press(&mut app, KeyCode::F(6));
    write(&mut app, "!");
    let edit = Ask::Edit(EVERYONE, mine.id, format!("{}!", mine.text.unwrap()));
    assert_eq!(said(&mut app), edit);
    assert_eq!(app.draft().text(), "a draft");
    app.show_failure(edit.clone(), "the disk is full".into());
    assert_eq!(said(&mut app), edit, "not a message of its own");
    assert_eq!(app.draft().text(), "a draft");

    // Whoever leaves an edit leaves its text, too.
    for leave in [KeyCode::Esc, KeyCode::Tab] {
        choose(&mut app, mine.id);
        press(&mut app, KeyCode::F(6));
        press(&mut app, leave);
        if leave == KeyCode::Tab {
            press(&mut app, KeyCode::BackTab);
        }
        assert_eq!(app.draft().text(), "a draft", "{leave:?}");
    }
    while !app.draft().is_empty() {
        press(&mut app, KeyCode::Backspace);
    }
    app.show_failure(Ask::Reply(EVERYONE, theirs.id, "yes".into()), "the disk is full".into());
    assert!(screen(&mut app, 60, 16).contains("Answer to"));
    assert_eq!(said(&mut app), Ask::Reply(EVERYONE, theirs.id, "yes".into()));
}

#[test]
fn only_three_presses_in_a_row_destroy_everything() {
    let mut app = app();
    app.asks();
    press(&mut app, KeyCode::F(12));
    press(&mut app, KeyCode::F(12));
    write(&mut app, "x");
    press(&mut app, KeyCode::F(12));
    press(&mut app, KeyCode::F(12));
    assert!(!app.asks().contains(&Ask::Wipe));
    press(&mut app, KeyCode::F(12));
    assert_eq!(app.asks(), [Ask::Wipe]);
}

#[test]
fn help_and_members_lie_over_it() {
    let mut app = app();
    press(&mut app, KeyCode::Char('?'));
    assert_shows!(screen(&mut app, 60, 16), @r##"
    "Friends       │ everyone  1 of 2 devices connected · 1 not …"
    "────┌ Help ─────────────────────────────────────────────┐───"
    "* ev│ Enter           send                              │   "
    "  Be│ Alt-Enter, ^J   new line                          │in "
    "# Fr│ Tab, Shift-Tab  next, previous conversation       │   "
    "    │ PgUp, PgDn, ↑↓  scroll; older messages load       │   "
    "    │ Esc             back to the newest                │   "
    "    │ F2              members, devices, verification    │   "
    "    │ ^A ^E ^U ^K ^W  beginning, end, cut before,       │── "
    "    │                 after, word                       │   "
    "    │ ^C              quit                              │   "
    "    │                                                   │👩‍👩‍👧 " Hidden by multi-width symbols: [(58, " ")]
    "    │ * everyone   # a group   3 unread messages        │──┐"
    "    │ [waiting]    stored here, on no other device yet  │  │"
    "    └ ↑↓ scroll · Esc close ────────────────────────────┘──┘"
    "              │ Tab next · PgUp older · F1 help · ^C quit   "
    "##);
    press(&mut app, KeyCode::Esc);
    press(&mut app, KeyCode::F(2));
    assert_shows!(screen(&mut app, 80, 24), @r##"
    "Friends            │ everyone  1 of 2 devices connected · 1 not verified        "
    "───────────────────│────────────────────────────────────────────────────────────"
    "* everyone        2│                                                            "
    "  Ben              │                                                            "
    "# Friday dinner… 12│                                                            "
    "                   │                                                            "
    "                   │                                                            "
    "                ┌ Members and devices ──────────────────────────┐               "
    "                │ Ann (you), founder                            │               "
    "                │   phone: this device                          │────────────── "
    "                │ Ben, member                                   │────────────── "
    "                │   phone: verified by words, 2026-11-23 HH:MM  │gh to be set   "
    "                │     not connected, 4 attempts: timed out      │elivered]      "
    "                │ 王小明, member                                │               " Hidden by multi-width symbols: [(19, " "), (21, " "), (23, " ")]
    "                │   phone: not verified                         │               "
    "                │     not connected, 4 attempts: timed out      │               "
    "                │     hexode verify aibaeaqc                    │────────────── "
    "                └ Esc close ────────────────────────────────────┘               "
    "                   │ HH:MM 王小明: 你好，世界：這是一條很長的訊息，每個字佔兩個 " Hidden by multi-width symbols: [(28, " "), (30, " "), (32, " "), (36, " "), (38, " "), (40, " "), (42, " "), (44, " "), (46, " "), (48, " "), (50, " "), (52, " "), (54, " "), (56, " "), (58, " "), (60, " "), (62, " "), (64, " "), (66, " "), (68, " "), (70, " "), (72, " "), (74, " "), (76, " "), (78, " ")]
    "                   │       欄位，所以要換行。 👩‍👩‍👧                                " Hidden by multi-width symbols: [(28, " "), (30, " "), (32, " "), (34, " "), (36, " "), (38, " "), (40, " "), (42, " "), (44, " "), (47, " ")]
    "                   │┌──────────────────────────────────────────────────────────┐"
    "                   ││Write a message                                           │"
    "                   │└──────────────────────────────────────────────────────────┘"
    "                   │ Tab next · PgUp older · F1 help · ^C quit                  "
    "##);
}

#[test]
fn every_window_is_drawn_whatever_its_size() {
    let mut app = app();
    app.handle_paste(&"words and 你好 and\nlines ".repeat(40));
    for overlay in [KeyCode::Null, KeyCode::F(1), KeyCode::F(2)] {
        press(&mut app, overlay);
        for (width, height) in [(1, 1), (30, 8), (31, 9), (40, 10), (300, 5), (20, 100), (300, 100)] {
            screen(&mut app, width, height);
        }
    }
}

#[test]
fn what_is_shown_to_the_end_is_read() {
    let mut app = app();
    assert_eq!(app.asks(), [Ask::MarkRead(EVERYONE)]);
    app.show_read(EVERYONE);
    assert_eq!(app.conversations[0].unread, 0);
    app.handle_focus(true);
    assert_eq!(app.asks(), []);

    // Not while nobody looks.
    app.handle_focus(false);
    app.conversations[0].unread = 1;
    app.show_newest(EVERYONE, Page { messages: vec![message(5, 1, "psst", 0)], more: false }, |_| 0);
    assert_eq!(app.asks(), []);
    app.handle_focus(true);
    assert_eq!(app.asks(), [Ask::MarkRead(EVERYONE)]);
}

#[test]
fn a_text_is_sent_and_comes_back_if_it_could_not_be() {
    let mut app = app();
    app.asks();
    write(&mut app, " ");
    press(&mut app, KeyCode::Enter);
    assert_eq!(app.asks(), [], "nothing but space is no message");
    write(&mut app, "hi");
    app.handle_key(KeyEvent::new(KeyCode::Enter, KeyModifiers::ALT));
    write(&mut app, "Ben");
    press(&mut app, KeyCode::Enter);
    assert_eq!(app.asks(), [Ask::Send(EVERYONE, " hi\nBen".into())]);
    write(&mut app, " and more");
    app.show_failure(Ask::Send(EVERYONE, " hi\nBen".into()), "the disk is full".into());
    assert_eq!(app.draft().text(), " hi\nBen and more");
    assert!(screen(&mut app, 80, 24).contains("the disk is full"));
}

#[test]
fn what_was_said_goes_where_it_was_said_whatever_is_opened_in_the_same_breath() {
    let mut app = app();
    app.show_read(EVERYONE);
    app.asks();
    write(&mut app, "for everyone");
    press(&mut app, KeyCode::Enter);
    press(&mut app, KeyCode::Tab);
    write(&mut app, "for Ben");
    press(&mut app, KeyCode::Enter);
    let asks = app.asks();
    let said = [Ask::Send(EVERYONE, "for everyone".into()), Ask::Send(BEN, "for Ben".into())];
    assert_eq!(asks, [said[0].clone(), Ask::Open(BEN), said[1].clone()]);

    // What could not be sent waits where it belongs, in the vault, too, and nowhere else.
    app.show_failure(said[0].clone(), "the disk is full".into());
    assert_eq!(app.notice.as_deref(), Some("not sent to Friends: the disk is full"));
    assert_eq!(app.draft().text(), "");
    assert_eq!(app.asks(), [Ask::Keep(EVERYONE, "for everyone".into())]);
    press(&mut app, KeyCode::BackTab);
    assert_eq!(app.draft().text(), "for everyone");

    // So does an answer, and another text for a message.
    press(&mut app, KeyCode::Tab);
    app.asks();
    let id = message(1, 1, "", 0).id;
    for ask in [Ask::Reply(EVERYONE, id, "yes, ".into()), Ask::Edit(EVERYONE, id, "no, ".into())] {
        app.show_failure(ask, "the disk is full".into());
    }
    assert_eq!((app.draft().text().as_str(), app.writing()), ("", None));
    assert_eq!(app.asks(), [Ask::Keep(EVERYONE, "no, yes, for everyone".into())]);
}

#[test]
fn what_comes_for_another_conversation_is_not_shown_in_the_open_one() {
    let mut app = app();
    app.show_read(EVERYONE);
    app.conversations[1].unread = 1;
    press(&mut app, KeyCode::Tab);
    app.asks();
    let page = || Page { messages: vec![message(7, 1, "stray", 0)], more: true };
    app.show_newest(EVERYONE, page(), |_| 0);
    app.show_older(EVERYONE, page());
    app.show_open(EVERYONE, page());
    app.show_failure(Ask::Open(EVERYONE), "gone".into());
    assert!(app.timeline.messages.is_empty());
    app.handle_focus(true);
    assert_eq!(app.asks(), [], "nothing is read before it is shown");
    app.show_open(BEN, Page { messages: Vec::new(), more: false });
    assert_eq!(app.asks(), [Ask::MarkRead(BEN)]);
    app.show_read(EVERYONE);
    assert_eq!(app.conversations[1].unread, 1);
}

#[test]
fn a_locked_node_leaves_nothing_on_the_screen() {
    let mut app = app();
    write(&mut app, "a draft");
    app.handle_event(Event::Locked);
    let shown = screen(&mut app, 80, 24);
    assert!(shown.contains("hexode unlock") && shown.contains("a draft"), "{shown}");
    for gone in ["Ben", "Friday", "several lines", "evil"] {
        assert!(!shown.contains(gone), "{gone}: {shown}");
    }
    press(&mut app, KeyCode::Enter);
    app.asks();
    assert_eq!(app.draft().text(), "a draft");
    app.handle_event(Event::Unlocked);
    assert_eq!(app.asks(), [Ask::Overview, Ask::Open(EVERYONE)]);
}

#[test]
fn each_conversation_keeps_its_draft() {
    let mut app = app();
    app.asks();
    write(&mut app, "for everyone");
    press(&mut app, KeyCode::Tab);
    // It is kept in the vault, too.
    let kept = Ask::Keep(EVERYONE, "for everyone".into());
    assert_eq!((app.draft().text().as_str(), app.asks()), ("", vec![kept, Ask::Open(BEN)]));
    press(&mut app, KeyCode::BackTab);
    press(&mut app, KeyCode::BackTab);
    assert_eq!(app.open, ConversationId::new([2; 32]));
    press(&mut app, KeyCode::Tab);
    assert_eq!(app.draft().text(), "for everyone");
}

#[test]
fn old_messages_load_on_the_way_up_and_stay_before_the_eyes() {
    let mut app = app();
    let part = |from: u64| (from..from + 100).map(|seq| message(seq, 1, "text", 0)).collect();
    app.show_open(EVERYONE, Page { messages: part(200), more: true });
    screen(&mut app, 60, 16);
    app.asks();
    for _ in 0..20 {
        press(&mut app, KeyCode::PageUp);
    }
    let first = app.timeline.messages[0].id;
    assert_eq!(app.asks(), [Ask::Older(EVERYONE, first)], "asked once, however often the key is pressed");
    let before = screen(&mut app, 60, 16);
    app.show_older(EVERYONE, Page { messages: part(100), more: false });
    assert_eq!(app.timeline.messages.len(), 200);
    // What was at the top is at the top, without the rule above the first of a day.
    let rows = |screen: &str| screen.lines().skip(3).take(8).map(str::to_owned).collect::<Vec<_>>();
    let seen = screen(&mut app, 60, 16);
    assert_eq!(rows(&before)[1..], rows(&seen)[1..]);

    let newest = (250..301).map(|seq| message(seq, 1, "text", 0)).collect();
    let lines = |timeline: &super::timeline::Timeline| timeline.lines(40).len();
    app.show_newest(EVERYONE, Page { messages: newest, more: true }, lines);
    assert_eq!(rows(&screen(&mut app, 60, 16)), rows(&seen));
    press(&mut app, KeyCode::Esc);
    assert_eq!(app.timeline.scroll, 0);
    assert_eq!(app.timeline.messages.len(), 201);
}
