use std::{
    io::{self, IsTerminal},
    panic, thread,
    time::{Duration, Instant},
};

use node::api::{self, ErrorKind, PageQuery};
use ratatui::{
    DefaultTerminal,
    crossterm::{
        event::{
            self, DisableBracketedPaste, DisableFocusChange, EnableBracketedPaste, EnableFocusChange,
            Event as Input, KeyEventKind,
        },
        execute,
    },
};
use tokio::{sync::mpsc, time::timeout};

use crate::{failure::Failure, session::Session};
use app::{App, Ask};

mod app;
mod input;
mod timeline;
mod view;
mod wrap;

#[cfg(test)]
mod tests;

/// Talk on a full screen; F1 shows the keys
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// With which conversation to begin: `everyone`, a member's or a group's name or id
    #[arg(default_value = "everyone")]
    conversation: String,
}

impl Args {
    pub(crate) async fn run(self, session: Session) -> Result<(), Failure> {
        if !(io::stdin().is_terminal() && io::stdout().is_terminal()) {
            return Err(Failure::user("chat needs a terminal")
                .hint("use `hexode read`, `tail` and `send` in scripts"));
        }
        // Listened to before anything is read, so that nothing falls in between.
        let mut events = session.client.events().await?;
        let circle = session.circle().await?;
        let begin = session.client.conversation(circle.id, &self.conversation).await?;
        let conversations = session.client.conversations(circle.id).await?;
        let mut app = App::new(circle, conversations, begin.id);
        let mut screen = Screen::take()?;
        let mut inputs = listen()?;
        let mut told = None;
        while !app.over {
            // What one answer brings up is asked before the screen is shown.
            loop {
                let asks = app.asks();
                if asks.is_empty() {
                    break;
                }
                for ask in asks {
                    carry_out(&session, &mut app, ask).await;
                }
            }
            if app.present && told.is_none_or(|told: Instant| told.elapsed() > PRESENT) {
                app.present = false;
                told = Some(Instant::now());
                // A node that is gone or locked says so elsewhere.
                let _ = session.client.present().await;
            }
            screen.0.draw(|frame| view::draw(frame, &mut app))?;
            tokio::select! {
                biased;
                input = inputs.recv() => match input {
                    Some(input) => {
                        handle(&mut app, input);
                        // What was typed or pasted in one go is drawn in one go.
                        while let Ok(input) = inputs.try_recv() {
                            handle(&mut app, input);
                        }
                    }
                    None => return Err(Failure::new(ErrorKind::Config, "the terminal is gone")),
                },
                event = events.next() => match event? {
                    Some(event) => {
                        app.handle_event(event);
                        // Of a flood of events each asks for the same.
                        while let Ok(event) = timeout(Duration::ZERO, events.next()).await {
                            event?.into_iter().for_each(|event| app.handle_event(event));
                        }
                    }
                    None => return Err(Failure::new(ErrorKind::Config, "the node ended")),
                },
            }
        }
        end(&session, &mut app).await
    }
}

/// Does what was asked for in the last moment, and keeps what was written and not sent.
async fn end(session: &Session, app: &mut App) -> Result<(), Failure> {
    app.notice = None;
    for ask in app.asks().into_iter().filter(Ask::is_act) {
        carry_out(session, app, ask).await;
    }
    // After this screen nobody would see what failed.
    let failed = app.notice.take();
    app.keep_draft();
    for ask in app.asks().into_iter().filter(Ask::is_act) {
        carry_out(session, app, ask).await;
    }
    match failed {
        Some(message) => Err(Failure::new(ErrorKind::Config, message)
            .hint("a text that could not be sent is kept as a draft, unless the node is gone or locked")),
        None => Ok(()),
    }
}

fn handle(app: &mut App, input: Input) {
    match input {
        Input::Key(key) if key.kind != KeyEventKind::Release => app.handle_key(key),
        Input::Paste(text) => app.handle_paste(&text),
        Input::FocusGained => app.handle_focus(true),
        Input::FocusLost => app.handle_focus(false),
        // A new size is seen at the next drawing.
        _ => {}
    }
}

/// Asks the node and shows the answer.
async fn carry_out(session: &Session, app: &mut App, ask: Ask) {
    if let Err(failure) = try_carry_out(session, app, &ask).await {
        let error = match failure {
            Failure::Said(error) => error,
            Failure::BrokenPipe | Failure::Interrupted => return,
        };
        if error.kind == ErrorKind::Locked {
            app.handle_event(api::Event::Locked);
        }
        app.show_failure(ask, error.message);
    }
}

async fn try_carry_out(session: &Session, app: &mut App, ask: &Ask) -> Result<(), Failure> {
    let (client, circle) = (&session.client, app.circle.id);
    let page = |before, limit| PageQuery { before, limit: Some(limit) };
    match ask {
        Ask::Overview => {
            let members = client.members(circle).await?;
            let tunnels = client.tunnels(circle).await?;
            let conversations = client.conversations(circle).await?;
            app.show_overview(client.circle(circle).await?, conversations, members, tunnels);
        }
        Ask::Open(of) => app.show_open(*of, client.page(circle, *of, &page(None, PAGE)).await?),
        Ask::Newest(of) => {
            let newest = client.page(circle, *of, &page(None, PAGE)).await?;
            let width = app.drawn.width;
            app.show_newest(*of, newest, |timeline| timeline.lines(width).len());
        }
        Ask::Older(of, first) => {
            app.show_older(*of, client.page(circle, *of, &page(Some(*first), PAGE)).await?);
        }
        Ask::Send(to, text) => {
            let send = api::Send { to: to.to_string(), text: text.clone() };
            app.show_sent(&client.send(circle, &send).await?);
        }
        Ask::Reply(_, id, text) => {
            app.show_sent(&client.reply(circle, *id, &api::Text { text: text.clone() }).await?);
        }
        Ask::Edit(_, id, text) => {
            app.show_sent(&client.edit(circle, *id, &api::Text { text: text.clone() }).await?);
        }
        Ask::React(id, Some(sign)) => {
            app.show_sent(&client.react(circle, *id, &api::React { sign: (*sign).to_owned() }).await?);
        }
        Ask::React(id, None) => app.show_sent(&client.unreact(circle, *id).await?),
        Ask::Delete(id) => app.show_sent(&client.delete(circle, *id).await?),
        Ask::Keep(conversation, text) => {
            let draft = api::Draft { text: text.clone(), reply_to: None };
            client.set_draft(circle, *conversation, &draft).await?;
        }
        Ask::Wipe => {
            client.wipe().await?;
            app.over = true;
        }
        Ask::MarkRead(of) => {
            client.mark_read(circle, *of).await?;
            app.show_read(*of);
        }
    }
    Ok(())
}

/// The terminal, taken over until dropped.
struct Screen(DefaultTerminal);

impl Screen {
    fn take() -> Result<Self, Failure> {
        let screen = Self(ratatui::try_init()?);
        execute!(io::stdout(), EnableBracketedPaste, EnableFocusChange)?;
        let report = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            give_back();
            report(info);
        }));
        Ok(screen)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        give_back();
    }
}

fn give_back() {
    // Nothing can be done about a terminal that is gone.
    let _ = execute!(io::stdout(), DisableBracketedPaste, DisableFocusChange);
    ratatui::restore();
}

/// Reads keys on a thread of its own: a terminal cannot be read without blocking in any other portable way.
fn listen() -> Result<mpsc::Receiver<Input>, Failure> {
    let (sender, receiver) = mpsc::channel(256);
    thread::Builder::new().name("keys".into()).spawn(move || {
        while let Ok(input) = event::read() {
            if sender.blocking_send(input).is_err() {
                break;
            }
        }
    })?;
    Ok(receiver)
}

/// How often it is said that somebody is here: often enough for the shortest time after which a node locks itself.
const PRESENT: Duration = Duration::from_secs(10);
/// How many messages are read at a time.
const PAGE: u32 = 100;
