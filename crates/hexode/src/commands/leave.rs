use node::api::Role;

use crate::{failure::Failure, session::Session, text};

/// Leave the circle with this device; what it holds stays readable on it
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Do not ask
    #[arg(long)]
    yes: bool,
}

impl Args {
    pub(crate) async fn run(self, session: Session) -> Result<(), Failure> {
        let circle = session.circle().await?;
        let name = text::line(circle.name.as_deref().unwrap_or("this circle"));
        let members = session.client.members(circle.id).await?;
        let own = members.iter().find(|member| member.me).map_or(1, |member| member.devices.len());
        let mut question = format!("Leave “{name}” with this device? Only an admin can bring it back.");
        if own > 1 {
            question.push_str(&format!(" Your {} stay in it.", text::count(own - 1, "other device")));
        } else if circle.role == Some(Role::Founder) && members.len() > 1 {
            question.push_str(" You are the founder: nobody can take your place but by recovery sheets.");
        }
        if !self.yes && !session.confirm(&question)? {
            return session.answer(&false, || "Nothing was done.\n".into());
        }
        session.client.leave(circle.id).await?;
        session.answer(&circle.id, || format!("This device has left “{name}”.\n"))
    }
}
