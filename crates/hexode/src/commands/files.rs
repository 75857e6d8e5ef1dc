use std::{path::PathBuf, time::Duration};

use clap::Subcommand;
use gateway::client::Client;
use node::api::{File, FileAct, FileJob, FilePolicy, FileState, SaveFile, SendFile, SetFilePolicy};
use tokio::time::sleep;
use wire::CircleId;

use crate::{failure::Failure, resolve, session::Session, size, table::Table, text, time};

/// Send files, list, accept, pause, cancel and save those that were offered
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    act: Option<Act>,
}

#[derive(Debug, Subcommand)]
enum Act {
    /// List the files that were offered, the newest first
    List {
        /// Only those of a conversation
        conversation: Option<String>,
    },
    /// Offer a file in a conversation: it is encrypted on this device first, and goes from device to device
    Send {
        /// `everyone`, a member's name or id, a group's name or id, or a conversation's id
        to: String,
        /// The file
        path: PathBuf,
        /// What to say with it
        #[arg(long, default_value = "")]
        text: String,
        /// What to call it, if not by its own name
        #[arg(long)]
        name: Option<String>,
    },
    /// Fetch a file, or go on fetching it
    #[command(visible_alias = "resume")]
    Accept {
        /// The id of the message that offers it, or how it begins
        message: String,
        /// Wait until all of it is here
        #[arg(long)]
        wait: bool,
    },
    /// Fetch a file later
    Pause {
        /// The id of the message that offers it, or how it begins
        message: String,
    },
    /// Do not fetch a file, and erase what is here of it
    Cancel {
        /// The id of the message that offers it, or how it begins
        message: String,
    },
    /// Show one file: how far it is, from whom, what it waits for
    Show {
        /// The id of the message that offers it, or how it begins
        message: String,
        /// Wait until all of it is here
        #[arg(long)]
        wait: bool,
    },
    /// Put a file into a folder, as plain bytes that everybody can read who reads that folder
    Save {
        /// The id of the message that offers it, or how it begins
        message: String,
        /// A folder, or the path of the new file
        #[arg(default_value = ".")]
        path: PathBuf,
        /// Replace the file that is there
        #[arg(long)]
        overwrite: bool,
    },
    /// Show or set how much room files get, and which come by themselves
    Policy {
        /// Up to which size files of verified devices come without asking, such as 10M; 0 for none
        #[arg(long, value_name = "SIZE", value_parser = size::parse)]
        auto: Option<u64>,
        /// How much all files may take, such as 5G; 0 for as much as the disk has
        #[arg(long, value_name = "SIZE", value_parser = size::parse)]
        quota: Option<u64>,
    },
}

impl Args {
    pub(crate) async fn run(self, session: Session) -> Result<(), Failure> {
        let circle = session.circle().await?.id;
        match self.act.unwrap_or(Act::List { conversation: None }) {
            Act::List { conversation } => {
                let files = session.client.files(circle, conversation.as_deref()).await?;
                session.answer(&files, || list(&files))
            }
            Act::Send { to, path, text, name } => {
                let path = absolute(path)?;
                let job = session.client.send_file(circle, &SendFile { to, path, name, text }).await?;
                let job = finished(&session, job, "taken in").await?;
                session.answer(&job, || {
                    let id = job.message.map(|id| id.short()).unwrap_or_default();
                    format!(
                        "{} ({}) is offered, in message {id}.\n",
                        text::line(&job.name),
                        size::bytes(job.size)
                    )
                })
            }
            Act::Accept { message, wait } => {
                act(&session, circle, &message, Some(FileAct::Accept), wait).await
            }
            Act::Pause { message } => act(&session, circle, &message, Some(FileAct::Pause), false).await,
            Act::Cancel { message } => act(&session, circle, &message, Some(FileAct::Cancel), false).await,
            Act::Show { message, wait } => act(&session, circle, &message, None, wait).await,
            Act::Save { message, path, overwrite } => {
                let message = resolve::message(&session, circle, &message).await?.id;
                let save = SaveFile { path: absolute(path)?, overwrite };
                let job = session.client.save_file(circle, message, &save).await?;
                let job = finished(&session, job, "saved").await?;
                session.answer(&job, || format!("{}\n", text::line(job.path.as_deref().unwrap_or_default())))
            }
            Act::Policy { auto, quota } => {
                let policy = match (auto, quota) {
                    (None, None) => session.client.file_policy(circle).await?,
                    _ => session.client.set_file_policy(circle, &SetFilePolicy { auto, quota }).await?,
                };
                session.answer(&policy, || policy_text(policy))
            }
        }
    }
}

/// Does something about a file, and waits for it if that is wanted.
async fn act(
    session: &Session,
    circle: CircleId,
    message: &str,
    act: Option<FileAct>,
    wait: bool,
) -> Result<(), Failure> {
    let message = resolve::message(session, circle, message).await?.id;
    let mut file = match act {
        Some(act) => session.client.do_file(circle, message, act).await?,
        None => session.client.file(circle, message).await?,
    };
    let mut said = String::new();
    while wait && file.state != FileState::Held {
        if file.state == FileState::Offered || file.state == FileState::Paused {
            let failure = Failure::new(node::api::ErrorKind::Conflict, "nobody fetches the file");
            return Err(failure.hint("`hexode files accept` does"));
        }
        let say = line(&file);
        if say != said {
            session.progress(&say);
            said = say;
        }
        sleep(LOOK).await;
        file = session.client.file(circle, message).await?;
    }
    session.answer(&file, || show(&file))
}

/// Waits for a job and says how it goes.
async fn finished(session: &Session, mut job: FileJob, word: &str) -> Result<FileJob, Failure> {
    let mut said = 0;
    let client: &Client = &session.client;
    for look in 0_u32.. {
        if job.over {
            break;
        }
        sleep(if look < 20 { QUICK } else { LOOK }).await;
        job = client.file_job(job.id).await?;
        let percent = (job.done * 100).checked_div(job.size).unwrap_or(100);
        if !job.over && look >= 20 && percent < 100 && percent >= said + 10 {
            said = percent;
            session.progress(&format!("{percent} % {word}"));
        }
    }
    match job.error {
        Some(error) => Err(Failure::Said(error)),
        None => Ok(job),
    }
}

fn absolute(path: PathBuf) -> Result<String, Failure> {
    let path = std::path::absolute(path)?;
    path.into_os_string().into_string().map_err(|_| Failure::user("the path is not UTF-8"))
}

fn list(files: &[File]) -> String {
    if files.is_empty() {
        return "No files.\n".into();
    }
    let mut table = Table::new(&["ID", "FROM", "NAME", "SIZE", "STATE"]);
    for file in files {
        let from = if file.mine { "you".into() } else { text::line(&file.member_name) };
        table.row([file.message.short(), from, text::line(&file.name), size::bytes(file.size), state(file)]);
    }
    table.text("")
}

/// Says how a file stands, in a few words.
pub(super) fn state(file: &File) -> String {
    match file.state {
        FileState::Held => "here".into(),
        FileState::Fetching => {
            let rate = file.rate.map(|rate| format!(", {}/s", size::bytes(rate))).unwrap_or_default();
            let left =
                file.left_s.map(|left| format!(", {} left", time::span(left.max(1)))).unwrap_or_default();
            format!("{}{rate}{left}", percent(file))
        }
        FileState::Paused if file.held > 0 => format!("paused at {}", percent(file)),
        FileState::Waiting if file.held > 0 => format!("{}, {}", percent(file), text::line(&file.words)),
        _ => text::line(&file.words),
    }
}

fn percent(file: &File) -> String {
    format!("{} %", (file.held * 100).checked_div(file.size).unwrap_or(100))
}

fn line(file: &File) -> String {
    format!("{}: {}", text::line(&file.name), state(file))
}

fn show(file: &File) -> String {
    let mut shown = format!(
        "{}  {}  {}\nfrom {}, {}\n{} of {} here: {}\n",
        text::line(&file.name),
        size::bytes(file.size),
        text::line(&file.kind),
        if file.mine { "you".into() } else { text::line(&file.member_name) },
        time::minute(file.offered_ms),
        size::bytes(file.held),
        size::bytes(file.size),
        state(file),
    );
    for source in &file.sources {
        let name = text::line(&source.name);
        match &source.banned {
            Some(why) => shown.push_str(&format!("{name} {}: not asked any more\n", text::line(why))),
            None => shown.push_str(&format!("{} from {name}\n", size::bytes(source.bytes))),
        }
    }
    shown
}

fn policy_text(policy: FilePolicy) -> String {
    let auto = match policy.auto {
        0 => "No file comes by itself.".into(),
        auto => format!("Files of verified devices come by themselves up to {}.", size::bytes(auto)),
    };
    let quota = match policy.quota {
        0 => "as much as the disk has".into(),
        quota => size::bytes(quota),
    };
    format!("{auto}\nAll files may take {quota}; they take {}.\n", size::bytes(policy.used))
}

/// How often is looked how it goes, and how often at first.
const LOOK: Duration = Duration::from_millis(500);
const QUICK: Duration = Duration::from_millis(20);
