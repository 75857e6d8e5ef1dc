//! What a command works with: the home folder, the way to the node, the chosen circle, the output.

use std::{
    env,
    io::{self, BufRead, IsTerminal, Write},
    path::PathBuf,
};

use gateway::client::Client;
use node::api::{Circle, CircleState};
use serde::Serialize;
use tracing_subscriber::{filter::LevelFilter, layer::SubscriberExt, util::SubscriberInitExt};

use crate::{cli::Global, failure::Failure, resolve, text};

/// One call of the program.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) home: PathBuf,
    pub(crate) json: bool,
    pub(crate) client: Client,
    circle: Option<String>,
}

impl Session {
    pub(crate) fn new(global: Global) -> Result<Self, Failure> {
        let home = match global.home {
            Some(home) => std::path::absolute(home)?,
            None => default_home()?,
        };
        let client = Client::new(&home);
        Ok(Self { home, json: global.json, client, circle: global.circle })
    }

    /// Returns the circle that is meant.
    pub(crate) async fn circle(&self) -> Result<Circle, Failure> {
        let circles = self.client.circles().await?;
        if let Some(called) = &self.circle {
            return resolve::circle(circles, called);
        }
        let (live, over): (Vec<_>, Vec<_>) = circles
            .into_iter()
            .partition(|circle| matches!(circle.state, CircleState::Member | CircleState::Joining));
        let mut choice = if live.is_empty() { over } else { live };
        match (choice.pop(), choice.is_empty()) {
            (Some(circle), true) => Ok(circle),
            (None, _) => Err(Failure::not_found("this device belongs to no circle")
                .hint("found one with `hexode found`, or join one with `hexode join`")),
            (Some(last), false) => {
                choice.push(last);
                let mut names: Vec<_> = choice.iter().map(name).collect();
                names.sort();
                Err(Failure::user("this device belongs to several circles")
                    .hint(format!("choose one with --circle: {}", names.join(", "))))
            }
        }
    }

    /// Returns the circles that are meant: the chosen one, or all.
    pub(crate) async fn circles(&self) -> Result<Vec<Circle>, Failure> {
        match self.circle {
            Some(_) => Ok(vec![self.circle().await?]),
            None => Ok(self.client.circles().await?),
        }
    }

    /// Prints a text as it is; what came from other people must have gone through [`text`] before.
    pub(crate) fn print(&self, shown: &str) -> Result<(), Failure> {
        let mut stdout = io::stdout().lock();
        stdout.write_all(shown.as_bytes())?;
        stdout.flush()?;
        Ok(())
    }

    /// Prints a value as one line of JSON.
    pub(crate) fn print_json(&self, value: &impl Serialize) -> Result<(), Failure> {
        self.print(&(text::json(value) + "\n"))
    }

    /// Prints a value as JSON if that is wanted, and in words otherwise.
    pub(crate) fn answer(
        &self,
        value: &impl Serialize,
        words: impl FnOnce() -> String,
    ) -> Result<(), Failure> {
        if self.json { self.print_json(value) } else { self.print(&words()) }
    }

    /// Tells how a long wait goes; not part of the output.
    pub(crate) fn progress(&self, shown: &str) {
        if !self.json {
            let _ = writeln!(io::stderr(), "{shown}");
        }
    }

    /// Asks a person; without one, `--yes` must have said it already.
    pub(crate) fn confirm(&self, question: &str) -> Result<bool, Failure> {
        if !io::stdin().is_terminal() {
            return Err(Failure::user("nobody is there to confirm it").hint("add --yes if you mean it"));
        }
        let mut stderr = io::stderr().lock();
        write!(stderr, "{question} [y/N] ")?;
        stderr.flush()?;
        let mut answer = String::new();
        io::stdin().lock().read_line(&mut answer)?;
        Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
    }
}

/// Returns what to call a circle: its name, or the beginning of its id until it has one.
pub(crate) fn name(circle: &Circle) -> String {
    circle.name.as_deref().map_or_else(|| circle.id.short(), text::line)
}

/// Lets the program's own messages through to standard error, more of them the more often `-v` is said.
pub(crate) fn log(verbose: u8) {
    let level = match verbose {
        0 => LevelFilter::WARN,
        1 => LevelFilter::INFO,
        2 => LevelFilter::DEBUG,
        _ => LevelFilter::TRACE,
    };
    let ours = tracing_subscriber::filter::Targets::new().with_target("hexode", level);
    let lines = tracing_subscriber::fmt::layer().with_writer(io::stderr).with_ansi(false);
    tracing_subscriber::registry().with(ours).with(lines).init();
}

fn default_home() -> Result<PathBuf, Failure> {
    let data = env::var_os("XDG_DATA_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let data = data.or_else(|| env::home_dir().map(|home| home.join(".local/share")));
    let Some(data) = data else {
        return Err(Failure::new(node::api::ErrorKind::Config, "no home folder is known")
            .hint("give one with --home"));
    };
    Ok(data.join("hexode"))
}
