use clap::Subcommand;
use node::api::Member;

use super::invite::role_name;
use crate::{failure::Failure, resolve, session::Session, table::Table, text};

/// List the circle's members, or remove one
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    act: Option<Act>,
}

#[derive(Debug, Subcommand)]
enum Act {
    /// Remove a member with all his devices: he gets nothing any more
    Remove {
        /// His name or id
        member: String,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
}

impl Args {
    pub(crate) async fn run(self, session: Session) -> Result<(), Failure> {
        let circle = session.circle().await?;
        let members = session.client.members(circle.id).await?;
        let Some(Act::Remove { member, yes }) = self.act else {
            return session.answer(&members, || table(&members));
        };
        let member = resolve::member(members, &member)?;
        let name = text::line(&member.name);
        let question = format!(
            "Remove {name} ({}) with {}? This cannot be undone.",
            member.id,
            text::count(member.devices.len(), "device")
        );
        if !yes && !session.confirm(&question)? {
            return session.answer(&false, || "Nothing was done.\n".into());
        }
        session.client.remove_member(circle.id, member.id).await?;
        session.answer(&member.id, || format!("{name} is removed.\n"))
    }
}

fn table(members: &[Member]) -> String {
    let mut table = Table::new(&["ID", "NAME", "ROLE", "DEVICES"]);
    for member in members {
        let devices = member.devices.iter().map(|device| {
            let verified = match &device.verified {
                _ if device.this => "",
                Some(_) => ": verified",
                None => ": not verified",
            };
            text::line(&device.name) + verified
        });
        table.row([
            member.id.short(),
            text::line(&member.name) + if member.me { " (you)" } else { "" },
            role_name(member.role).into(),
            devices.collect::<Vec<_>>().join(", "),
        ]);
    }
    table.text("")
}
