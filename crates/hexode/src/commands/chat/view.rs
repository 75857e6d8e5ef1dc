//! Draws the state; changes nothing but what only drawing finds out.

use node::api::{ConversationKind, Tunnel, TunnelState};
use ratatui::{
    Frame,
    layout::{Constraint, Layout, Position, Rect},
    style::{Modifier, Style},
    text::{Line, Span, Text},
    widgets::{Block, Clear, Paragraph},
};
use unicode_width::UnicodeWidthStr;

use super::{
    app::{App, Drawn, Overlay},
    timeline::dim,
    wrap::{cut, wrap},
};
use crate::{
    commands::{
        devices::{verified, vouchers},
        invite::role_name,
        status::whereto,
    },
    session, text, time,
};

pub(super) fn draw(frame: &mut Frame<'_>, app: &mut App) {
    let area = frame.area();
    if area.width < 30 || area.height < 8 {
        frame.render_widget(Paragraph::new("The window is too small: 30 × 8 at least."), area);
        return;
    }
    let list_width = (area.width / 4).clamp(14, 28);
    let [list, right] = Layout::horizontal([Constraint::Length(list_width), Constraint::Min(10)]).areas(area);
    let draft = draft_lines(app, usize::from(right.width).saturating_sub(4));
    let compose = draft.lines.len().clamp(1, 5) as u16 + 2;
    let [head, timeline, compose, foot] = Layout::vertical([
        Constraint::Length(2),
        Constraint::Min(1),
        Constraint::Length(compose),
        Constraint::Length(1),
    ])
    .areas(right);
    draw_list(frame, app, list);
    draw_head(frame, app, head);
    draw_timeline(frame, app, timeline);
    draw_compose(frame, app, &draft, compose);
    draw_foot(frame, app, foot);
    match app.overlay {
        Some(Overlay::Help) => draw_overlay(frame, app, area, "Help", help()),
        Some(Overlay::Members) => draw_overlay(frame, app, area, "Members and devices", members(app)),
        None => {}
    }
}

fn draw_list(frame: &mut Frame<'_>, app: &App, area: Rect) {
    let block = Block::new().borders(ratatui::widgets::Borders::RIGHT).border_style(dim());
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let width = usize::from(inner.width);
    let mut lines = vec![
        Line::styled(cut(&session::name(&app.circle), width), Style::new().add_modifier(Modifier::BOLD)),
        Line::styled("─".repeat(width), dim()),
    ];
    let room = usize::from(inner.height).saturating_sub(lines.len());
    let at = app.conversations.iter().position(|conversation| conversation.id == app.open).unwrap_or(0);
    // The open one stays in sight.
    let skipped = (at + 1).saturating_sub(room);
    for conversation in app.conversations.iter().skip(skipped).take(room) {
        let open = conversation.id == app.open;
        let unread =
            if conversation.unread > 0 { format!(" {}", conversation.unread) } else { String::new() };
        let kind = match conversation.kind {
            ConversationKind::Everyone => "* ",
            ConversationKind::Direct => "  ",
            ConversationKind::Group => "# ",
        };
        let room = width.saturating_sub(kind.width() + unread.width());
        let title = match conversation.kind {
            ConversationKind::Everyone => "everyone".into(),
            _ => cut(&text::line(&conversation.title), room),
        };
        let gap = " ".repeat(room.saturating_sub(title.width()));
        let mut style = Style::new();
        if open {
            style = style.add_modifier(Modifier::REVERSED);
        }
        if conversation.unread > 0 {
            style = style.add_modifier(Modifier::BOLD);
        }
        lines.push(Line::styled(format!("{kind}{title}{gap}{unread}"), style));
    }
    frame.render_widget(Paragraph::new(lines), inner);
}

fn draw_head(frame: &mut Frame<'_>, app: &App, area: Rect) {
    let width = usize::from(area.width).saturating_sub(1);
    let title = app.conversation().map(|conversation| match conversation.kind {
        ConversationKind::Everyone => "everyone".to_owned(),
        _ => text::line(&conversation.title),
    });
    let title = title.unwrap_or_default();
    let facts = facts(app);
    let room = width.saturating_sub(title.width() + 2);
    let line = Line::from(vec![
        Span::styled(format!(" {}", cut(&title, width)), Style::new().add_modifier(Modifier::BOLD)),
        Span::styled(format!("  {}", cut(&facts, room)), dim()),
    ]);
    frame.render_widget(Paragraph::new(vec![line, Line::styled("─".repeat(area.width.into()), dim())]), area);
}

/// Says who reads the open conversation, how many are connected, and whose key was never compared.
fn facts(app: &App) -> String {
    let Some(conversation) = app.conversation() else { return String::new() };
    let others: Vec<_> = app
        .members
        .iter()
        .filter(|member| !member.me && conversation.participants.contains(&member.id))
        .flat_map(|member| &member.devices)
        .collect();
    let connected = others.iter().filter(|device| device.connected).count();
    let unverified = others.iter().filter(|device| device.verified.is_none()).count();
    let verified = match unverified {
        _ if others.is_empty() => "nobody else".to_owned(),
        0 => "all verified".to_owned(),
        _ if others.len() == 1 => "not verified".to_owned(),
        unverified => format!("{unverified} not verified"),
    };
    let devices = if others.len() == 1 { "device" } else { "devices" };
    let warned = if app.circle.trouble.is_some() { "WARNING: see \"hexode status\" · " } else { "" };
    format!("{warned}{connected} of {} {devices} connected · {verified}", others.len())
}

fn draw_timeline(frame: &mut Frame<'_>, app: &mut App, area: Rect) {
    let area = Rect { x: area.x + 1, width: area.width.saturating_sub(2), ..area };
    let height = usize::from(area.height);
    if app.locked {
        app.drawn = Drawn { lines: 0, height, width: area.width.into() };
        let said = "The node is locked. Run `hexode unlock` in another terminal.";
        let said: Vec<_> = wrap(said, area.width.into(), 0).into_iter().map(Line::from).collect();
        frame.render_widget(Paragraph::new(said), area);
        return;
    }
    let lines = app.timeline.lines(area.width.into());
    app.drawn = Drawn { lines: lines.len(), height, width: area.width.into() };
    app.timeline.scroll = app.timeline.scroll.min(lines.len().saturating_sub(height));
    let last = lines.len() - app.timeline.scroll;
    let first = last.saturating_sub(height);
    let shown: Vec<_> = lines.into_iter().skip(first).take(last - first).collect();
    // What is there stands at the bottom, next to where one writes.
    let empty = height.saturating_sub(shown.len()) as u16;
    let area = Rect { y: area.y + empty, height: area.height - empty, ..area };
    frame.render_widget(Paragraph::new(shown), area);
}

/// The draft as it is shown, and where in that the cursor stands.
struct Draft {
    lines: Vec<String>,
    cursor: (usize, usize),
}

fn draft_lines(app: &mut App, width: usize) -> Draft {
    let draft = app.draft();
    let break_up = |text: &str| -> Vec<String> {
        text::lines(text).iter().flat_map(|line| hard_wrap(line, width)).collect()
    };
    let before = break_up(draft.before());
    let lines = break_up(&draft.text());
    let column = before.last().map_or(0, |line| line.width());
    let mut cursor = (before.len().saturating_sub(1), column);
    if column >= width {
        cursor = (cursor.0 + 1, 0);
    }
    Draft { lines, cursor }
}

/// Breaks at the edge and nowhere else, so that the text before the cursor breaks as the whole does.
fn hard_wrap(line: &str, width: usize) -> Vec<String> {
    use unicode_segmentation::UnicodeSegmentation;
    let mut lines = vec![String::new()];
    let mut used = 0;
    for sign in line.graphemes(true) {
        if used + sign.width() > width.max(2) {
            lines.push(String::new());
            used = 0;
        }
        used += sign.width();
        if let Some(last) = lines.last_mut() {
            last.push_str(sign);
        }
    }
    lines
}

fn draw_compose(frame: &mut Frame<'_>, app: &App, draft: &Draft, area: Rect) {
    let mut block = Block::bordered().border_style(dim());
    if let Some(what) = app.writing() {
        block = block.title(cut(&what, usize::from(area.width).saturating_sub(4)));
    }
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let (row, column) = draft.cursor;
    let height = usize::from(inner.height);
    let skipped = (row + 1).saturating_sub(height);
    if draft.lines.iter().all(String::is_empty) && draft.lines.len() == 1 {
        frame.render_widget(Paragraph::new(Line::styled("Write a message", dim())), inner);
    } else {
        let lines = draft.lines.iter().skip(skipped).take(height).map(|line| Line::from(line.as_str()));
        frame.render_widget(Paragraph::new(lines.collect::<Vec<_>>()), inner);
    }
    if app.overlay.is_none() {
        let at = |from: u16, by: usize| from.saturating_add(u16::try_from(by).unwrap_or(u16::MAX));
        frame.set_cursor_position(Position::new(at(inner.x, column), at(inner.y, row - skipped)));
    }
}

fn draw_foot(frame: &mut Frame<'_>, app: &App, area: Rect) {
    let width = usize::from(area.width).saturating_sub(1);
    let line = match &app.notice {
        Some(notice) => Line::styled(
            format!(" {}", cut(&text::line(notice), width)),
            Style::new().add_modifier(Modifier::BOLD),
        ),
        None if app.timeline.scroll > 0 => Line::styled(
            format!(" {}", cut(&format!("{} newer lines below · Esc newest", app.timeline.scroll), width)),
            dim(),
        ),
        None => {
            let keys = "Enter send · Tab next · PgUp older · F2 members · F1 help · Ctrl-C quit";
            let short = "Tab next · PgUp older · F1 help · ^C quit";
            Line::styled(format!(" {}", cut(if keys.width() <= width { keys } else { short }, width)), dim())
        }
    };
    frame.render_widget(Paragraph::new(line), area);
}

fn draw_overlay(frame: &mut Frame<'_>, app: &mut App, area: Rect, title: &str, text: Text<'static>) {
    let width = (text.width() as u16 + 4).clamp(20, area.width.saturating_sub(2));
    let height = (text.lines.len() as u16 + 2).clamp(3, area.height.saturating_sub(2));
    let area = area.centered(Constraint::Length(width), Constraint::Length(height));
    let hidden = (text.lines.len() as u16).saturating_sub(height - 2);
    app.overlay_scroll = app.overlay_scroll.min(hidden);
    let more = if hidden > 0 { " ↑↓ scroll ·" } else { "" };
    let block = Block::bordered().title(format!(" {title} ")).title_bottom(format!("{more} Esc close "));
    frame.render_widget(Clear, area);
    frame.render_widget(Paragraph::new(text).scroll((app.overlay_scroll, 0)).block(block), area);
}

fn help() -> Text<'static> {
    Text::from(
        " Enter           send
 Alt-Enter, ^J   new line
 Tab, Shift-Tab  next, previous conversation
 PgUp, PgDn, ↑↓  scroll; older messages load
 Esc             back to the newest
 F2              members, devices, verification
 ^A ^E ^U ^K ^W  beginning, end, cut before,
                 after, word
 ^C              quit

 * everyone   # a group   3 unread messages
 [waiting]    stored here, on no other device yet
 [delivered]  stored on all devices
 [read]       read on all devices

 F3, F4          choose an older, newer message;
                 then F5 answers it, F6 edits it,
                 F7 puts 👍 under it, F8 twice
                 takes it back for all
 F12 three times destroys all on this device",
    )
}

fn members(app: &App) -> Text<'static> {
    let mut lines = Vec::new();
    for member in &app.members {
        let you = if member.me { " (you)" } else { "" };
        lines.push(Line::styled(
            format!(" {}{you}, {}", text::line(&member.name), role_name(member.role)),
            Style::new().add_modifier(Modifier::BOLD),
        ));
        for device in &member.devices {
            if device.this {
                lines.push(Line::from(format!("   {}: this device", text::line(&device.name))));
                continue;
            }
            let checked = match device.verified {
                Some(_) => format!("verified {}", verified(device)),
                None if device.new_key => "NEW KEY, not verified".to_owned(),
                None if !device.vouched_by.is_empty() => {
                    format!("not verified by you; {} verified it", vouchers(device))
                }
                None => "not verified".to_owned(),
            };
            lines.push(Line::from(format!("   {}: {checked}", text::line(&device.name))));
            if let Some(tunnel) = app.tunnels.iter().find(|tunnel| tunnel.device.id == device.id) {
                lines.push(Line::styled(format!("     {}", tunnel_line(tunnel, &app.tunnels)), dim()));
            }
            if device.verified.is_none() {
                lines.push(Line::styled(
                    // By id: a name is not ours to put into somebody's shell.
                    format!("     hexode verify {}", device.id.short()),
                    dim(),
                ));
            }
        }
    }
    Text::from(lines)
}

fn tunnel_line(tunnel: &Tunnel, tunnels: &[Tunnel]) -> String {
    match (&tunnel.path, tunnel.state) {
        (Some(path), _) => format!(
            "{} {}, {}, {}",
            text::line(&path.channel),
            whereto(path, tunnels),
            time::round_trip(path.round_trip_us),
            text::line(&path.key_exchange)
        ),
        (None, TunnelState::NoAddress) => "not connected: no address is known".into(),
        (None, _) => {
            let why = tunnel.last_error.as_deref().map(|error| format!(": {}", text::line(error)));
            format!("not connected, {}{}", text::count(tunnel.attempts, "attempt"), why.unwrap_or_default())
        }
    }
}
