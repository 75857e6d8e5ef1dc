use clap::Subcommand;
use node::api::{Member, SetRole, Share};

use super::{
    devices::vouchers,
    invite::{NewRole, role_name},
};
use crate::{failure::Failure, resolve, session::Session, table::Table, text};

/// List the circle's members, remove one, give one another role
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
    /// Set how much of this device a member's messages may take
    Allow {
        /// His name or id
        member: String,
        /// In MiB, of all that has come, erased or not [512 unless set]
        mib: u64,
    },
    /// Give a member another role; one who was removed comes back in it, by his id
    Role {
        /// His name or id
        member: String,
        /// What he becomes
        #[arg(value_enum)]
        role: NewRole,
    },
}

impl Args {
    pub(crate) async fn run(self, session: Session) -> Result<(), Failure> {
        let circle = session.circle().await?;
        let members = session.client.members(circle.id).await?;
        let (member, yes) = match self.act {
            None => return session.answer(&members, || table(&members)),
            Some(Act::Remove { member, yes }) => (member, yes),
            Some(Act::Allow { member, mib }) => {
                let member = resolve::member(members, &member)?;
                let share = Share { bytes: mib.saturating_mul(1 << 20) };
                session.client.allow(circle.id, member.id, &share).await?;
                let name = text::line(&member.name);
                return session.answer(&member.id, || format!("{name} may take {mib} MiB of this device.\n"));
            }
            Some(Act::Role { member, role }) => {
                // The list has only who is in the circle: somebody who was removed is named by his whole id.
                let id = match member.parse() {
                    Ok(id) => id,
                    Err(_) => resolve::member(members, &member)?.id,
                };
                session.client.set_role(circle.id, id, &SetRole { role: role.into() }).await?;
                let members = session.client.members(circle.id).await?;
                return session.answer(&members, || table(&members));
            }
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
                _ if device.this => String::new(),
                Some(_) => ": verified".into(),
                None if device.new_key => ": NEW KEY, not verified".into(),
                None if !device.vouched_by.is_empty() => {
                    format!(": not verified by you; {} verified it", vouchers(device))
                }
                None => ": not verified".into(),
            };
            text::line(&device.name) + &verified
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
