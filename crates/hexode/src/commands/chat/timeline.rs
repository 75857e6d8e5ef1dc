use std::collections::BTreeSet;

use node::api::{Absence, Message, Page};
use ratatui::{
    style::{Color, Modifier, Style},
    text::{Line, Span},
};
use unicode_width::UnicodeWidthStr;
use wire::{MemberId, MessageId};

use super::wrap::wrap;
use crate::{
    commands::read::{absence, delivery, marks, offer, quoted},
    text, time,
};

/// The part of a conversation that is loaded, and where in it the window stands.
#[derive(Debug, Default)]
pub(super) struct Timeline {
    pub(super) messages: Vec<Message>,
    /// Whether there are older ones.
    pub(super) more: bool,
    /// How many lines the window is away from the newest one.
    pub(super) scroll: usize,
    /// The message that was chosen to do something with.
    pub(super) chosen: Option<MessageId>,
    /// The first message that was unread when the conversation was opened.
    pub(super) first_unread: Option<MessageId>,
}

impl Timeline {
    /// Begins with the newest part.
    pub(super) fn new(page: Page, unread: u64) -> Self {
        let unread = usize::try_from(unread).unwrap_or(usize::MAX);
        let by_others = page.messages.iter().rev().filter(|message| !message.mine);
        let first_unread = by_others.take(unread).last().map(|message| message.id);
        Self { messages: page.messages, more: page.more, scroll: 0, chosen: None, first_unread }
    }

    /// Puts an older part before what is there.
    pub(super) fn older(&mut self, page: Page) {
        self.more = page.more;
        let known: BTreeSet<_> = self.messages.iter().map(|message| message.id).collect();
        self.messages.splice(0..0, page.messages.into_iter().filter(|message| !known.contains(&message.id)));
    }

    /// Takes the newest part anew: what came, and how far one's own messages have come since.
    ///
    /// The order is the conversation's own: a message that comes late may belong between others.
    pub(super) fn newest(&mut self, page: Page) {
        let Some(first) = page.messages.first() else { return };
        if let Some(at) = self.messages.iter().position(|message| message.id == first.id) {
            self.messages.truncate(at);
        } else {
            // So much came that the parts do not touch: what lies between is loaded when somebody looks for it.
            self.messages.clear();
            self.more = page.more;
        }
        self.messages.extend(page.messages);
        if self.messages.len() > KEPT && self.scroll == 0 {
            self.messages.drain(..self.messages.len() - KEPT);
            self.more = true;
        }
    }

    /// Takes a message anew that is not what it was.
    pub(super) fn replace(&mut self, message: Message) {
        if let Some(shown) = self.messages.iter_mut().find(|shown| shown.id == message.id) {
            *shown = message;
        }
    }

    /// Chooses an older message, or a newer one.
    pub(super) fn choose(&mut self, older: bool) {
        let at = self.messages.iter().position(|message| Some(message.id) == self.chosen);
        let to = match (at, older) {
            (Some(at), true) => at.saturating_sub(1),
            (Some(at), false) if at + 1 < self.messages.len() => at + 1,
            (Some(_), false) => {
                self.chosen = None;
                return;
            }
            (None, _) => self.messages.len().saturating_sub(1),
        };
        self.chosen = self.messages.get(to).map(|message| message.id);
    }

    /// Returns the message that was chosen.
    pub(super) fn chosen(&self) -> Option<&Message> {
        self.messages.iter().find(|message| Some(message.id) == self.chosen)
    }

    /// Lays the messages out in lines of `width` columns.
    pub(super) fn lines(&self, width: usize) -> Vec<Line<'static>> {
        let mut lines = Vec::new();
        if !self.more {
            lines.push(rule("the beginning", width));
        }
        let mut day = String::new();
        for message in &self.messages {
            let today = time::day(message.claimed_ms);
            if today != day {
                lines.push(rule(&today, width));
                day = today;
            }
            if self.first_unread == Some(message.id) {
                lines.push(rule("new", width));
            }
            let first = lines.len();
            lay_out(message, width, &mut lines);
            if self.chosen == Some(message.id) {
                for line in lines.iter_mut().skip(first) {
                    line.style = line.style.add_modifier(Modifier::REVERSED);
                }
            }
        }
        lines
    }
}

fn lay_out(message: &Message, width: usize, lines: &mut Vec<Line<'static>>) {
    let clock = time::clock(message.claimed_ms);
    let indent = clock.width() + 1;
    let name = if message.mine { "You".into() } else { text::line(&message.member_name) };
    let mut spans = vec![
        Span::styled(format!("{clock} "), dim()),
        Span::styled(name.clone(), author(message)),
        Span::raw(": "),
    ];
    let mut body = match &message.text {
        Some(body) => text::lines(body),
        None => vec![absence(message).into()],
    };
    if let Some(file) = &message.file {
        body.push(offer(file, ""));
        body.retain(|line| !line.is_empty());
    }
    if let Some(quote) = &message.reply_to {
        body.insert(0, format!("↳ {}", quoted(quote)));
    }
    if let Some(last) = body.last_mut() {
        last.push_str(&marks(message));
    }
    let state = if message.mine && message.absent != Some(Absence::Deleted) {
        format!("  [{}]", delivery(message))
    } else {
        String::new()
    };
    let rest = width.saturating_sub(indent);
    // The first line begins behind the name.
    let mut taken = name.width() + 2;
    let mut used = 0;
    for (at, part) in body.iter().enumerate() {
        for (nth, line) in wrap(part, rest, taken).into_iter().enumerate() {
            if (at, nth) != (0, 0) {
                lines.push(Line::from(std::mem::take(&mut spans)));
                spans.push(Span::raw(" ".repeat(indent)));
            }
            used = taken + line.width();
            taken = 0;
            spans.push(Span::raw(line));
        }
    }
    if used + state.width() > rest {
        lines.push(Line::from(std::mem::take(&mut spans)));
        spans = vec![Span::raw(" ".repeat(indent.saturating_sub(2)))];
    }
    spans.push(Span::styled(state, dim()));
    lines.push(Line::from(spans));
}

/// A line across with a word in it.
fn rule(word: &str, width: usize) -> Line<'static> {
    let rest = width.saturating_sub(word.width() + 2);
    let line = format!("{} {word} {}", "─".repeat(rest / 2), "─".repeat(rest - rest / 2));
    Line::styled(line, dim())
}

/// The colour of an author: his own as long as he is a member, the same in all conversations.
fn author(message: &Message) -> Style {
    let colour = message.member.map_or(Color::Reset, colour);
    Style::new().fg(colour).add_modifier(Modifier::BOLD)
}

fn colour(member: MemberId) -> Color {
    let [first, ..] = *member.as_bytes();
    match first % 5 {
        0 => Color::Cyan,
        1 => Color::Green,
        2 => Color::Magenta,
        3 => Color::Blue,
        _ => Color::Yellow,
    }
}

pub(super) fn dim() -> Style {
    Style::new().add_modifier(Modifier::DIM)
}

/// How many messages stay loaded while nobody looks at old ones.
const KEPT: usize = 2000;
