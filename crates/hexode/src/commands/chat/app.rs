//! What the screen knows and what each key and event does to it. Draws nothing, asks nobody: what is to be
//! asked comes out as [`Ask`]s, what was found comes in through the `show_*` methods.

use std::collections::BTreeMap;

use node::api::{Circle, Conversation, Event, Member, Message, Page, Tunnel};
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use wire::{ConversationId, MessageId};

use super::{input::Input, timeline::Timeline};

/// Something to ask the node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Ask {
    /// Circle, conversations, members and tunnels.
    Overview,
    /// The newest part of the open conversation, from the beginning of the screen's life on it.
    Open,
    /// The newest part of it again, to merge with what is shown.
    Newest,
    /// The part before a message.
    Older(MessageId),
    /// Send the text to the open conversation.
    Send(String),
    /// Mark the open conversation as read.
    MarkRead,
}

/// What lies over the timeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Overlay {
    Help,
    Members,
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
            focused: true,
            loading: true,
            drawn: Drawn::default(),
            asks: vec![Ask::Overview, Ask::Open],
        }
    }

    /// Takes what is to be asked, each thing once.
    pub(super) fn asks(&mut self) -> Vec<Ask> {
        let mut asks: Vec<Ask> = Vec::new();
        for ask in self.asks.drain(..) {
            if !asks.contains(&ask) || matches!(ask, Ask::Send(_)) {
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
                    self.asks.push(Ask::Newest);
                }
            }
            Event::Message { circle, message } if circle == self.circle.id => {
                self.asks.push(Ask::Overview);
                if message.conversation == self.open {
                    self.asks.push(Ask::Newest);
                }
            }
            Event::Receipt { circle, conversation, .. }
                if circle == self.circle.id && conversation == self.open =>
            {
                self.asks.push(Ask::Newest);
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
                self.asks.extend([Ask::Overview, Ask::Open]);
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
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        let alt = key.modifiers.contains(KeyModifiers::ALT);
        match key.code {
            KeyCode::Char('c' | 'q') if control => self.over = true,
            KeyCode::F(1) => self.toggle(Overlay::Help),
            KeyCode::F(2) => self.toggle(Overlay::Members),
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
            KeyCode::Esc => self.scroll(-(self.timeline.scroll as isize)),
            KeyCode::Enter if alt => self.draft().insert("\n"),
            KeyCode::Char('j') if control => self.draft().insert("\n"),
            KeyCode::Enter => self.send(),
            _ => self.edit(key.code, control, alt),
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
            self.asks.push(Ask::Send(text));
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
            self.open = conversation.id;
            self.timeline = Timeline::default();
            self.loading = true;
            self.asks.push(Ask::Open);
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
            self.asks.push(Ask::Older(first.id));
        }
        self.mark_read();
    }

    /// Reports as read what the person has before his eyes.
    fn mark_read(&mut self) {
        let unread = self.conversation().is_some_and(|conversation| conversation.unread > 0);
        if unread && self.focused && !self.loading && self.timeline.scroll == 0 && self.overlay.is_none() {
            self.asks.push(Ask::MarkRead);
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
        self.conversations = conversations;
        self.members = members;
        self.tunnels = tunnels;
        self.locked = false;
        if self.conversation().is_none() {
            self.switch(0);
        }
        self.mark_read();
    }

    pub(super) fn show_open(&mut self, page: Page) {
        let unread = self.conversation().map_or(0, |conversation| conversation.unread);
        self.timeline = Timeline::new(page, unread);
        self.loading = false;
        self.mark_read();
    }

    pub(super) fn show_newest(&mut self, page: Page, lines: impl Fn(&Timeline) -> usize) {
        let before = lines(&self.timeline);
        self.timeline.newest(page);
        if self.timeline.scroll > 0 {
            // Who reads old messages keeps them before his eyes.
            let grown = lines(&self.timeline).saturating_sub(before);
            self.timeline.scroll += grown;
        }
        self.mark_read();
    }

    pub(super) fn show_older(&mut self, page: Page) {
        self.timeline.older(page);
        self.loading = false;
    }

    pub(super) fn show_sent(&mut self, message: &Message) {
        if message.conversation == self.open {
            self.asks.push(Ask::Newest);
        }
    }

    pub(super) fn show_read(&mut self) {
        let open = self.open;
        for conversation in self.conversations.iter_mut().filter(|conversation| conversation.id == open) {
            conversation.unread = 0;
        }
    }

    /// Says what went wrong; a text that could not be sent comes back into the draft.
    pub(super) fn show_failure(&mut self, ask: Ask, message: String) {
        self.loading = false;
        self.notice = Some(message);
        if let Ask::Send(text) = ask {
            let draft = self.draft();
            draft.home();
            draft.insert(&text);
        }
    }
}
