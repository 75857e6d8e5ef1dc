use node::api::Found;

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
}

impl Args {
    pub(crate) async fn run(self, session: Session) -> Result<(), Failure> {
        let found = Found { name: self.name, member: self.member, device: self.device };
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
