use std::path::PathBuf;

use clap::{Subcommand, ValueEnum};
use node::api::{Circle, Invitation, InvitationState, Invite, Role};

use crate::{
    commands::export::write_new,
    failure::Failure,
    qr, resolve,
    session::{self, Session},
    table::Table,
    text, time,
};

/// Invite somebody by a link, a QR code or a file that lets one person in, once
///
/// Hand it over by a way that you trust: whoever holds it first is let in.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    act: Option<Act>,

    /// What the newcomer may do
    #[arg(long, value_enum, default_value_t = NewRole::Member)]
    role: NewRole,

    /// For how long it holds: 30m, 24h, 7d
    #[arg(long, value_name = "TIME", default_value = "24h", value_parser = time::parse_span)]
    expires: u64,

    /// Add another device of one's own instead of a new member
    #[arg(long, conflicts_with = "role")]
    own_device: bool,

    /// Write the link to a new file, too
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Act {
    /// List the invitations
    List,
    /// Withdraw an invitation
    Revoke {
        /// Its id, or how that begins
        id: String,
    },
}

/// The roles that can be given by invitation.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum NewRole {
    /// Invites and removes members
    Admin,
    /// Reads, writes, lets invited people in
    Member,
    /// Reads and writes
    Guest,
}

impl From<NewRole> for Role {
    fn from(role: NewRole) -> Self {
        match role {
            NewRole::Admin => Self::Admin,
            NewRole::Member => Self::Member,
            NewRole::Guest => Self::Guest,
        }
    }
}

impl Args {
    pub(crate) async fn run(self, session: Session) -> Result<(), Failure> {
        let circle = session.circle().await?;
        match &self.act {
            None => self.invite(&session, &circle).await,
            Some(Act::List) => list(&session, &circle).await,
            Some(Act::Revoke { id }) => {
                let all = session.client.invitations(circle.id).await?;
                let invitation = resolve::invitation(all, id)?;
                session.client.withdraw(circle.id, invitation.id).await?;
                session.answer(&invitation.id, || {
                    format!("Invitation {} is withdrawn.\n", invitation.id.short())
                })
            }
        }
    }

    async fn invite(&self, session: &Session, circle: &Circle) -> Result<(), Failure> {
        let invite = Invite { role: self.role.into(), valid_s: self.expires, own_device: self.own_device };
        let invitation = session.client.invite(circle.id, &invite).await?;
        let link = invitation.link.as_deref().unwrap_or_default();
        if let Some(path) = &self.file {
            write_new(path, format!("{link}\n").as_bytes())?;
        }
        session.answer(&invitation, || {
            let whom = if invitation.own_device {
                "another device of yours".to_owned()
            } else {
                format!("one person as {}", role_name(invitation.role))
            };
            format!(
                "This lets {whom} into “{}”, once, until {}:\n\n{}\n\n{}Use it there with `hexode join{}`; withdraw it \
                 with `hexode invite revoke {}`.\n",
                session::name(circle),
                time::minute(invitation.expires_ms),
                text::line(link),
                qr::draw(link).map(|code| code + "\n").unwrap_or_default(),
                if invitation.own_device { " --own-device" } else { "" },
                invitation.id.short(),
            )
        })
    }
}

async fn list(session: &Session, circle: &Circle) -> Result<(), Failure> {
    let invitations = session.client.invitations(circle.id).await?;
    session.answer(&invitations, || {
        if invitations.is_empty() {
            return "No invitations.\n".into();
        }
        let mut table = Table::new(&["ID", "STATE", "FOR", "UNTIL", "BY"]);
        for invitation in &invitations {
            table.row([
                invitation.id.short(),
                state(invitation).into(),
                if invitation.own_device {
                    "own device".into()
                } else {
                    role_name(invitation.role).to_owned()
                },
                time::minute(invitation.expires_ms),
                text::line(&invitation.issued_by),
            ]);
        }
        table.text("")
    })
}

fn state(invitation: &Invitation) -> &'static str {
    match invitation.state {
        InvitationState::Open => "open",
        InvitationState::Used => "used",
        InvitationState::Withdrawn => "withdrawn",
        InvitationState::Expired => "expired",
        InvitationState::Void => "void",
    }
}

/// Returns a role's name.
pub(crate) fn role_name(role: Role) -> &'static str {
    match role {
        Role::Founder => "founder",
        Role::Admin => "admin",
        Role::Member => "member",
        Role::Guest => "guest",
    }
}
