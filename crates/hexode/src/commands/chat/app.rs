//! What the screen knows and what each key and event does to it. Draws nothing, asks nobody: what is to be
//! asked comes out as [`Ask`]s, what was found comes in through the `show_*` methods.

use std::collections::BTreeMap;

use node::api::{Circle, Conversation, Event, Member, Message, Page, Tunnel};
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use wire::{ConversationId, MessageId};

use super::{input::Input, timeline::Timeline};

/// Something to ask the node.
///
/// Each names the conversation it is about: by the time it is asked, the person may have opened another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Ask {
    /// Circle, conversations, members and tunnels.
    Overview,
    /// The newest part of a conversation that was opened.
    Open(ConversationId),
    /// The newest part of it again, to merge with what is shown.
    Newest(ConversationId),
    /// The part before a message.
    Older(ConversationId, MessageId),
    /// Send a text.
    Send(ConversationId, String),
    /// Answer a message.
    Reply(ConversationId, MessageId, String),
    /// Give one's own message another text.
    Edit(ConversationId, MessageId, String),
    /// Put a sign under a message, or take it away.
    React(MessageId, Option<&'static str>),
    /// Take one's own message back.
    Delete(MessageId),
    /// Keep what was written and not sent.
    Keep(ConversationId, String),
    /// Mark a conversation as read.
    MarkRead(ConversationId),
    /// Destroy the vault.
    Wipe,
}

impl Ask {
    /// Tells whether it changes something, and does not only bring up what is shown.
    pub(super) fn is_act(&self) -> bool {
        !matches!(self, Self::Overview | Self::Open(_) | Self::Newest(_) | Self::Older(..))
    }
}

/// What lies over the timeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Overlay {
    Help,
    Members,
}

/// What is done with the draft when it is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Purpose {
    /// It is a new message.
    New,
    /// It answers a message of somebody.
    Reply(MessageId, String),
    /// It is another text for a message.
    Edit(MessageId),
}

/// The whole state of the screen.
#[derive(Debug)]
pub(super) struct App {
    pub(super) circle: Circle,
    pub(super) conversations: Vec<Conversation>,
    pub(super) open: ConversationId,
    pub(super) timeline: Timeline,
    pub(super) members: Vec<Member>,
    pub(super) tunnels: Vec<Tunnel>,
    pub(super) drafts: BTreeMap<ConversationId, Input>,
    pub(super) overlay: Option<Overlay>,
    /// How far the overlay is scrolled down.
    pub(super) overlay_scroll: u16,
    /// What went wrong or is worth knowing, until the next key.
    pub(super) notice: Option<String>,
    pub(super) locked: bool,
    pub(super) over: bool,
    /// Whether somebody pressed a key since it was last said that he is here.
    pub(super) present: bool,
    /// What is done with the draft when it is sent.
    purpose: Purpose,
    /// What was being written before an edit took its place.
    aside: String,
    /// The message that is taken back at the next press.
    doomed: Option<MessageId>,
    /// How often in a row the key was pressed that destroys the vault.
    wipe: u8,
    /// Whether the terminal is what the person looks at, as far as it tells.
    focused: bool,
    loading: bool,
    /// How many lines the timeline has and shows, as last drawn.
    pub(super) drawn: Drawn,
    asks: Vec<Ask>,
}

/// What only drawing finds out.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Drawn {
    pub(super) lines: usize,
    pub(super) height: usize,
    pub(super) width: usize,
}

impl App {
    pub(super) fn new(circle: Circle, conversations: Vec<Conversation>, open: ConversationId) -> Self {
        Self {
            circle,
            conversations,
            open,
            timeline: Timeline::default(),
            members: Vec::new(),
            tunnels: Vec::new(),
            drafts: BTreeMap::new(),
            overlay: None,
            overlay_scroll: 0,
            notice: None,
            locked: false,
            over: false,
            present: false,
            purpose: Purpose::New,
            aside: String::new(),
            doomed: None,
            wipe: 0,
            focused: true,
            loading: true,
            drawn: Drawn::default(),
            asks: vec![Ask::Overview, Ask::Open(open)],
        }
    }

    /// Takes what is to be asked, each thing once.
    pub(super) fn asks(&mut self) -> Vec<Ask> {
        let mut asks: Vec<Ask> = Vec::new();
        for ask in self.asks.drain(..) {
            if let Ask::Keep(of, _) = &ask {
                // Of one conversation's drafts the last one counts.
                asks.retain(|asked| !matches!(asked, Ask::Keep(other, _) if other == of));
            }
            if !asks.contains(&ask) || matches!(ask, Ask::Send(..) | Ask::Reply(..)) {
                asks.push(ask);
            }
        }
        asks
    }

    pub(super) fn conversation(&self) -> Option<&Conversation> {
        self.conversations.iter().find(|conversation| conversation.id == self.open)
    }

    pub(super) fn draft(&mut self) -> &mut Input {
        self.drafts.entry(self.open).or_default()
    }

    pub(super) fn handle_event(&mut self, event: Event) {
        match event {
            Event::Changed { circle, message } if circle == self.circle.id => {
                self.timeline.replace(message);
            }
            Event::Conversation { circle, conversation } if circle == self.circle.id => {
                self.asks.push(Ask::Overview);
                if conversation == self.open {
                    self.asks.push(Ask::Newest(self.open));
                }
            }
            Event::Message { circle, message } if circle == self.circle.id => {
                self.asks.push(Ask::Overview);
                if message.conversation == self.open {
                    self.asks.push(Ask::Newest(self.open));
                }
            }
            Event::Receipt { circle, conversation, .. }
                if circle == self.circle.id && conversation == self.open =>
            {
                self.asks.push(Ask::Newest(self.open));
            }
            Event::Roster { circle } | Event::Standing { circle, .. } | Event::Tunnel { circle, .. }
                if circle == self.circle.id =>
            {
                self.asks.push(Ask::Overview);
            }
            Event::Fork { circle, author } if circle == self.circle.id => {
                self.notice = Some(format!(
                    "device {} wrote two histories: it was copied or broken into, trust it no more",
                    author.short()
                ));
            }
            Event::Locked => {
                self.locked = true;
                // What a locked node does not tell is not kept on the screen either.
                self.timeline = Timeline::default();
                self.conversations.clear();
                self.members.clear();
                self.tunnels.clear();
                self.overlay = None;
            }
            Event::Unlocked | Event::Missed { .. } => {
                self.locked = false;
                self.notice = None;
                self.asks.extend([Ask::Overview, Ask::Open(self.open)]);
            }
            _ => {}
        }
    }

    pub(super) fn handle_focus(&mut self, focused: bool) {
        self.focused = focused;
        self.mark_read();
    }

    pub(super) fn handle_paste(&mut self, text: &str) {
        self.draft().insert(text);
    }

    pub(super) fn handle_key(&mut self, key: KeyEvent) {
        self.notice = None;
        if key.code == KeyCode::F(12) {
            self.press_wipe();
            return;
        }
        self.wipe = 0;
        self.doomed = self.doomed.filter(|_| key.code == KeyCode::F(8));
        self.present = true;
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        let alt = key.modifiers.contains(KeyModifiers::ALT);
        match key.code {
            KeyCode::Char('c' | 'q') if control => self.over = true,
            KeyCode::F(1) => self.toggle(Overlay::Help),
            KeyCode::F(2) => self.toggle(Overlay::Members),
            KeyCode::F(3) => self.timeline.choose(true),
            KeyCode::F(4) => self.timeline.choose(false),
            KeyCode::F(key @ 5..=8) => self.act(key),
            _ if self.overlay.is_some() => self.handle_overlay_key(key.code),
            KeyCode::Char('?') if self.draft().is_empty() => self.toggle(Overlay::Help),
            KeyCode::Tab => self.switch(1),
            KeyCode::BackTab => self.switch(-1),
            KeyCode::Char('n') if control => self.switch(1),
            KeyCode::Char('p') if control => self.switch(-1),
            KeyCode::Down if alt => self.switch(1),
            KeyCode::Up if alt => self.switch(-1),
            KeyCode::PageUp => self.scroll(self.drawn.height.saturating_sub(1).max(1) as isize),
            KeyCode::PageDown => self.scroll(-(self.drawn.height.saturating_sub(1).max(1) as isize)),
            KeyCode::Up => self.scroll(1),
            KeyCode::Down => self.scroll(-1),
            KeyCode::Esc if self.timeline.chosen.is_some() || self.purpose != Purpose::New => {
                self.timeline.chosen = None;
                self.drop_purpose();
            }
            KeyCode::Esc => self.scroll(-(self.timeline.scroll as isize)),
            KeyCode::Enter if alt => self.draft().insert("\n"),
            KeyCode::Char('j') if control => self.draft().insert("\n"),
            KeyCode::Enter => self.send(),
            _ => self.edit(key.code, control, alt),
        }
    }

    /// Destroys the vault at the third press in a row: quick enough to do, hard to do by mistake.
    fn press_wipe(&mut self) {
        self.wipe += 1;
        if self.wipe < WIPE {
            let left = WIPE - self.wipe;
            self.notice = Some(format!("F12 {left} more in a row destroys all that is on this device"));
        } else {
            self.wipe = 0;
            self.asks.push(Ask::Wipe);
        }
    }

    fn edit(&mut self, code: KeyCode, control: bool, alt: bool) {
        let draft = self.draft();
        match code {
            KeyCode::Left if control || alt => draft.word_back(),
            KeyCode::Right if control || alt => draft.word_forward(),
            KeyCode::Left => draft.back(),
            KeyCode::Right => draft.forward(),
            KeyCode::Home => draft.home(),
            KeyCode::End => draft.end(),
            KeyCode::Backspace if alt => draft.cut_word(),
            KeyCode::Backspace => draft.backspace(),
            KeyCode::Delete => draft.delete(),
            KeyCode::Char(c) if control => match c {
                'a' => draft.home(),
                'e' => draft.end(),
                'b' => draft.back(),
                'f' => draft.forward(),
                'd' => draft.delete(),
                'h' => draft.backspace(),
                'w' => draft.cut_word(),
                'u' => draft.cut_before(),
                'k' => draft.cut_after(),
                _ => {}
            },
            KeyCode::Char('b') if alt => draft.word_back(),
            KeyCode::Char('f') if alt => draft.word_forward(),
            KeyCode::Char(c) if !alt => draft.insert(c.encode_utf8(&mut [0; 4])),
            _ => {}
        }
    }

    fn handle_overlay_key(&mut self, code: KeyCode) {
        match code {
            KeyCode::Up => self.overlay_scroll = self.overlay_scroll.saturating_sub(1),
            KeyCode::Down => self.overlay_scroll = self.overlay_scroll.saturating_add(1),
            KeyCode::PageUp => self.overlay_scroll = self.overlay_scroll.saturating_sub(10),
            KeyCode::PageDown => self.overlay_scroll = self.overlay_scroll.saturating_add(10),
            _ => self.overlay = None,
        }
    }

    fn toggle(&mut self, overlay: Overlay) {
        self.overlay_scroll = 0;
        self.overlay = if self.overlay == Some(overlay) { None } else { Some(overlay) };
        if overlay == Overlay::Members {
            self.asks.push(Ask::Overview);
        }
    }

    fn send(&mut self) {
        if self.locked {
            self.notice = Some("the node is locked: run `hexode unlock` in another terminal".into());
        } else if !self.draft().text().trim().is_empty() {
            let text = self.draft().take();
            self.timeline.scroll = 0;
            self.timeline.first_unread = None;
            self.timeline.chosen = None;
            self.asks.push(match &self.purpose {
                Purpose::New => Ask::Send(self.open, text),
                Purpose::Reply(id, _) => Ask::Reply(self.open, *id, text),
                Purpose::Edit(id) => Ask::Edit(self.open, *id, text),
            });
            self.drop_purpose();
        }
    }

    /// Writes another text for a message; what was being written waits.
    fn begin_edit(&mut self, id: MessageId, text: &str) {
        self.drop_purpose();
        self.aside = self.draft().take();
        self.draft().insert(text);
        self.purpose = Purpose::Edit(id);
    }

    /// Goes back to writing a new message, from an edit to the one that waits.
    fn drop_purpose(&mut self) {
        if let Purpose::Edit(_) = std::mem::replace(&mut self.purpose, Purpose::New) {
            let aside = std::mem::take(&mut self.aside);
            let draft = self.draft();
            draft.take();
            draft.insert(&aside);
        }
    }

    /// Does something with the message that was chosen.
    fn act(&mut self, key: u8) {
        let Some(message) = self.timeline.chosen() else {
            self.notice = Some("F3 chooses a message".into());
            return;
        };
        let (id, mine) = (message.id, message.mine);
        let doomed = self.doomed.take();
        match key {
            5 => {
                let name = crate::text::line(&message.member_name);
                self.drop_purpose();
                self.purpose = Purpose::Reply(id, name);
            }
            6 | 8 if !mine => self.notice = Some("only its author does that".into()),
            6 => {
                let text = message.text.clone().unwrap_or_default();
                self.begin_edit(id, &text);
            }
            7 => {
                let marked = message.reactions.iter().any(|reaction| reaction.mine);
                self.asks.push(Ask::React(id, (!marked).then_some(THUMB)));
            }
            _ if doomed == Some(id) => self.asks.push(Ask::Delete(id)),
            _ => {
                self.doomed = Some(id);
                self.notice = Some("F8 again takes it back for all".into());
            }
        }
    }

    /// Says what the draft will be, if no new message.
    pub(super) fn writing(&self) -> Option<String> {
        match &self.purpose {
            Purpose::New => None,
            Purpose::Reply(_, name) => Some(format!(" Answer to {name} · Esc drops that ")),
            Purpose::Edit(_) => Some(" Edit · Esc drops that ".into()),
        }
    }

    /// Keeps the draft of the open conversation where it is found again.
    pub(super) fn keep_draft(&mut self) {
        self.drop_purpose();
        let text = self.drafts.get(&self.open).map(Input::text).unwrap_or_default();
        let kept = self.conversation().and_then(|conversation| conversation.draft.as_ref());
        if kept.map_or("", |draft| draft.text.as_str()) != text {
            self.asks.push(Ask::Keep(self.open, text));
        }
    }

    /// Opens the next conversation, or the one before.
    fn switch(&mut self, step: isize) {
        let count = self.conversations.len();
        let at = self.conversations.iter().position(|conversation| conversation.id == self.open);
        let to = (at.unwrap_or(0) + count).saturating_add_signed(step) % count.max(1);
        if let Some(conversation) = self.conversations.get(to)
            && conversation.id != self.open
        {
            let next = conversation.id;
            self.keep_draft();
            self.open = next;
            self.timeline = Timeline::default();
            self.loading = true;
            self.asks.push(Ask::Open(next));
        }
    }

    /// Moves the window by some lines, up if positive; loads older messages when it comes near the first one.
    pub(super) fn scroll(&mut self, lines: isize) {
        let most = self.drawn.lines.saturating_sub(self.drawn.height);
        self.timeline.scroll = self.timeline.scroll.saturating_add_signed(lines).min(most);
        let above = most - self.timeline.scroll;
        if above < self.drawn.height.max(10)
            && self.timeline.more
            && !self.loading
            && let Some(first) = self.timeline.messages.first()
        {
            self.loading = true;
            self.asks.push(Ask::Older(self.open, first.id));
        }
        self.mark_read();
    }

    /// Reports as read what the person has before his eyes.
    fn mark_read(&mut self) {
        let unread = self.conversation().is_some_and(|conversation| conversation.unread > 0);
        if unread && self.focused && !self.loading && self.timeline.scroll == 0 && self.overlay.is_none() {
            self.asks.push(Ask::MarkRead(self.open));
        }
    }

    pub(super) fn show_overview(
        &mut self,
        circle: Circle,
        conversations: Vec<Conversation>,
        members: Vec<Member>,
        tunnels: Vec<Tunnel>,
    ) {
        self.circle = circle;
        for conversation in &conversations {
            if let Some(draft) = &conversation.draft
                && !self.drafts.contains_key(&conversation.id)
            {
                self.drafts.entry(conversation.id).or_default().insert(&draft.text);
            }
        }
        self.conversations = conversations;
        self.members = members;
        self.tunnels = tunnels;
        self.locked = false;
        if self.conversation().is_none() {
            self.switch(0);
        }
        self.mark_read();
    }

    pub(super) fn show_open(&mut self, of: ConversationId, page: Page) {
        if of == self.open {
            let unread = self.conversation().map_or(0, |conversation| conversation.unread);
            self.timeline = Timeline::new(page, unread);
            self.loading = false;
            self.mark_read();
        }
    }

    pub(super) fn show_newest(&mut self, of: ConversationId, page: Page, lines: impl Fn(&Timeline) -> usize) {
        if of != self.open {
            return;
        }
        let before = lines(&self.timeline);
        self.timeline.newest(page);
        if self.timeline.scroll > 0 {
            // Who reads old messages keeps them before his eyes.
            let grown = lines(&self.timeline).saturating_sub(before);
            self.timeline.scroll += grown;
        }
        self.mark_read();
    }

    pub(super) fn show_older(&mut self, of: ConversationId, page: Page) {
        if of == self.open {
            self.timeline.older(page);
            self.loading = false;
        }
    }

    pub(super) fn show_sent(&mut self, message: &Message) {
        if message.conversation == self.open {
            self.asks.push(Ask::Newest(self.open));
        }
    }

    pub(super) fn show_read(&mut self, of: ConversationId) {
        for conversation in self.conversations.iter_mut().filter(|conversation| conversation.id == of) {
            conversation.unread = 0;
        }
    }

    /// Says what went wrong; a text that could not be sent comes back into the draft, and is what it was to be.
    pub(super) fn show_failure(&mut self, ask: Ask, message: String) {
        self.notice = Some(message);
        match ask {
            Ask::Open(of) | Ask::Older(of, _) if of == self.open => self.loading = false,
            Ask::Send(of, text) | Ask::Reply(of, _, text) | Ask::Edit(of, _, text) if of != self.open => {
                self.take_back_aside(of, &text);
            }
            Ask::Send(_, text) => self.take_back(&text),
            Ask::Reply(_, id, text) => {
                self.take_back(&text);
                let to = self.timeline.messages.iter().find(|message| message.id == id);
                let name = to.map_or_else(String::new, |message| crate::text::line(&message.member_name));
                self.purpose = Purpose::Reply(id, name);
            }
            Ask::Edit(_, id, text) => self.begin_edit(id, &text),
            _ => {}
        }
    }

    fn take_back(&mut self, text: &str) {
        self.drop_purpose();
        let draft = self.draft();
        draft.home();
        draft.insert(text);
    }

    /// Puts a text back into the draft of a conversation that is not open, where alone it may go from there.
    fn take_back_aside(&mut self, of: ConversationId, text: &str) {
        let draft = self.drafts.entry(of).or_default();
        draft.home();
        draft.insert(text);
        self.asks.push(Ask::Keep(of, draft.text()));
        let title = self.conversations.iter().find(|conversation| conversation.id == of);
        if let (Some(title), Some(notice)) = (title, &mut self.notice) {
            *notice = format!("not sent to {}: {notice}", crate::text::line(&title.title));
        }
    }
}

/// How often in a row the key is pressed that destroys the vault.
const WIPE: u8 = 3;

/// What F7 puts under a message.
const THUMB: &str = "👍";
