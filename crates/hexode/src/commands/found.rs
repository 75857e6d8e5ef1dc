use node::api::{Found, FoundRecoverable};

use super::recovery::{self, Quorum};
use crate::{
    failure::Failure,
    session::{self, Session},
};

/// Found a circle, with oneself as its first member
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The circle's name
    name: String,

    /// Your name in it
    #[arg(long = "as", value_name = "NAME")]
    member: String,

    /// This device's name in it
    #[arg(long, value_name = "NAME", default_value = "device")]
    device: String,

    /// Print sheets that bring the founder back if his devices are lost: how many it takes, of how many
    #[arg(long, value_name = "K/N")]
    recovery: Option<Quorum>,
}

impl Args {
    pub(crate) async fn run(self, session: Session) -> Result<(), Failure> {
        let found = Found { name: self.name, member: self.member, device: self.device };
        if let Some(Quorum(sheets)) = self.recovery {
            let founded = session.client.found_recoverable(&FoundRecoverable { found, sheets }).await?;
            let (name, id) = (session::name(&founded.circle), founded.circle.id.short());
            return session.answer(&founded, || {
                format!("The circle “{name}” is founded ({id}).\n\n{}", recovery::print(&founded))
            });
        }
        let circle = session.client.found(&found).await?;
        session.answer(&circle, || {
            format!(
                "The circle “{}” is founded ({}). Invite somebody with `hexode invite`.\n",
                session::name(&circle),
                circle.id.short()
            )
        })
    }
}
