use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

use node::api::{Circle, CircleState, ErrorKind, Event, Join};

use crate::{
    failure::Failure,
    session::{self, Session},
    text, time,
};

/// Join a circle by an invitation, and wait until a member lets you in
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The invitation's link, or `-` to read it from standard input
    #[arg(required_unless_present = "file")]
    link: Option<String>,

    /// Read the link from a file
    #[arg(long, value_name = "FILE", conflicts_with = "link")]
    file: Option<PathBuf>,

    /// Your name in the circle
    #[arg(long = "as", value_name = "NAME", required_unless_present = "own_device")]
    member: Option<String>,

    /// The invitation adds a device to those you have in the circle, where you have a name already
    #[arg(long, conflicts_with = "member")]
    own_device: bool,

    /// This device's name in it
    #[arg(long, value_name = "NAME", default_value = "device")]
    device: String,

    /// How far back this device takes what was said: 7d, 52w; all of it by default. Headers come in any case
    #[arg(long, value_name = "TIME", value_parser = time::parse_span)]
    history: Option<u64>,

    /// Return at once; the node goes on in the background
    #[arg(long)]
    no_wait: bool,
}

impl Args {
    pub(crate) async fn run(self, session: Session) -> Result<(), Failure> {
        let mut events = session.client.events().await?;
        let join = Join {
            invitation: self.invitation()?,
            // Of an own device the circle takes the member's name; but there must be one to take no notice of.
            member: self.member.unwrap_or_else(|| self.device.clone()),
            device: self.device,
            history_s: self.history,
        };
        let mut circle = session.client.join(&join).await?;
        if self.no_wait {
            return tell(&session, &circle);
        }

        let mut said = None;
        session
            .progress("Looking for a member who is online and lets you in; Ctrl-C leaves that to the node.");
        while circle.state == CircleState::Joining {
            if circle.trouble != said {
                said.clone_from(&circle.trouble);
                session.progress(&text::block(circle.trouble.as_deref().unwrap_or("Reached a member.")));
            }
            match events.next().await? {
                Some(Event::Tunnel { circle: which, .. } | Event::Standing { circle: which, .. })
                    if which != circle.id => {}
                Some(
                    Event::Standing { .. }
                    | Event::Tunnel { .. }
                    | Event::Roster { .. }
                    | Event::Missed { .. },
                ) => {
                    circle = session.client.circle(circle.id).await?;
                }
                Some(_) => {}
                None => {
                    return Err(Failure::new(ErrorKind::Config, "the node ended before anybody let you in")
                        .hint("it goes on joining when it runs again"));
                }
            }
        }
        tell(&session, &circle)
    }

    fn invitation(&self) -> Result<String, Failure> {
        let text = match (&self.file, self.link.as_deref()) {
            (Some(path), _) => {
                File::open(path).and_then(read).map_err(|error| Failure::file("read", path, &error))?
            }
            (None, Some("-")) => read(io::stdin().lock())
                .map_err(|error| Failure::file("read", Path::new("standard input"), &error))?,
            (None, link) => link.unwrap_or_default().to_owned(),
        };
        Ok(text.trim().to_owned())
    }
}

fn tell(session: &Session, circle: &Circle) -> Result<(), Failure> {
    match circle.state {
        CircleState::Joining | CircleState::Member => session.answer(circle, || match circle.state {
            CircleState::Joining => {
                "The node looks for a member who lets you in; see `hexode circles`.\n".into()
            }
            _ => format!(
                "You are in: “{}”, {}. Compare safety words with `hexode verify`.\n",
                session::name(circle),
                text::count(circle.members, "member")
            ),
        }),
        CircleState::Refused | CircleState::Removed => {
            let why = circle.trouble.as_deref().map(text::line).unwrap_or_default();
            let message = if why.is_empty() {
                "the invitation was refused".to_owned()
            } else {
                format!("the invitation was refused: {why}")
            };
            Err(Failure::new(ErrorKind::Peer, message).hint("ask for a new one"))
        }
    }
}

fn read(from: impl Read) -> io::Result<String> {
    let mut text = String::new();
    from.take(LINK_BYTES).read_to_string(&mut text)?;
    Ok(text)
}

/// More than the longest link takes, less than a file given by mistake.
const LINK_BYTES: u64 = 16 << 10;
