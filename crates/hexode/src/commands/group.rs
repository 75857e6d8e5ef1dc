use node::api::NewGroup;

use crate::{failure::Failure, session::Session, text};

/// Found a group of some of the circle's members
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The group's name
    name: String,

    /// The other members, by name or id
    #[arg(required = true)]
    members: Vec<String>,
}

impl Args {
    pub(crate) async fn run(self, session: Session) -> Result<(), Failure> {
        let circle = session.circle().await?;
        let group = NewGroup { name: self.name, members: self.members };
        let group = session.client.found_group(circle.id, &group).await?;
        session.answer(&group, || {
            format!(
                "The group “{}” has {}.\n",
                text::line(&group.title),
                text::count(group.participants.len(), "member")
            )
        })
    }
}
