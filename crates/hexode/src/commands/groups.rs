use clap::Subcommand;
use node::api::{AddToGroup, Conversation, ConversationKind, Group, NewGroup, Rename};

use crate::{failure::Failure, resolve, session::Session, table::Table, text};

/// List the groups, found one, change who is in it
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    act: Option<Act>,
}

#[derive(Debug, Subcommand)]
enum Act {
    /// Found a group of some of the circle's members
    Create {
        /// The group's name
        name: String,
        /// The other members, by name or id
        #[arg(required = true)]
        members: Vec<String>,
    },
    /// Give a group another name, for all who are in it
    Rename {
        /// The group, by name or id
        group: String,
        /// Its new name
        name: String,
    },
    /// Bring members of the circle into a group
    Add {
        /// The group, by name or id
        group: String,
        /// Who comes in, by name or id
        #[arg(required = true)]
        members: Vec<String>,
        /// Do not give them what was said before
        #[arg(long)]
        no_history: bool,
    },
    /// Take a member out of a group: he gets nothing of it any more
    Remove {
        /// The group, by name or id
        group: String,
        /// Who goes, by name or id
        member: String,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
    /// Leave a group
    Leave {
        /// The group, by name or id
        group: String,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
    /// Show who is in a group
    Show {
        /// The group, by name or id
        group: String,
    },
}

impl Args {
    pub(crate) async fn run(self, session: Session) -> Result<(), Failure> {
        let circle = session.circle().await?.id;
        let client = &session.client;
        let group = match self.act {
            None => {
                let mut all = client.conversations(circle).await?;
                all.retain(|conversation| conversation.kind == ConversationKind::Group);
                return session.answer(&all, || table(&all));
            }
            Some(Act::Create { name, members }) => {
                let group = client.found_group(circle, &NewGroup { name, members }).await?;
                return session.answer(&group, || {
                    let members = text::count(group.participants.len(), "member");
                    format!("The group “{}” has {members}.\n", text::line(&group.title))
                });
            }
            Some(Act::Show { group }) => {
                client.group(circle, resolve::group(client.conversations(circle).await?, &group)?.id).await?
            }
            Some(Act::Rename { group, name }) => {
                let id = resolve::group(client.conversations(circle).await?, &group)?.id;
                client.rename_group(circle, id, &Rename { name }).await?
            }
            Some(Act::Add { group, members, no_history }) => {
                let id = resolve::group(client.conversations(circle).await?, &group)?.id;
                client.add_to_group(circle, id, &AddToGroup { members, history: !no_history }).await?
            }
            Some(Act::Remove { group, member, yes }) => {
                let group = resolve::group(client.conversations(circle).await?, &group)?;
                let member = resolve::member(client.members(circle).await?, &member)?;
                let (name, title) = (text::line(&member.name), text::line(&group.title));
                if !yes && !session.confirm(&format!("Take {name} out of “{title}”?"))? {
                    return session.answer(&false, || "Nothing was done.\n".into());
                }
                client.remove_from_group(circle, group.id, member.id).await?
            }
            Some(Act::Leave { group, yes }) => {
                let group = resolve::group(client.conversations(circle).await?, &group)?;
                let title = text::line(&group.title);
                let question = format!("Leave “{title}”? Only somebody who is in it can bring you back.");
                if !yes && !session.confirm(&question)? {
                    return session.answer(&false, || "Nothing was done.\n".into());
                }
                client.leave_group(circle, group.id).await?
            }
        };
        session.answer(&group, || show(&group))
    }
}

fn table(groups: &[Conversation]) -> String {
    let mut table = Table::new(&["ID", "GROUP", "MEMBERS", "MESSAGES", "UNREAD"]);
    for group in groups {
        table.row([
            group.id.short(),
            text::line(&group.title),
            group.participants.len().to_string(),
            group.messages.to_string(),
            group.unread.to_string(),
        ]);
    }
    table.text("")
}

fn show(group: &Group) -> String {
    let mut out = format!("{}\n", text::line(&group.name));
    let mut table = Table::new(&["MEMBER", "PLACE", "HISTORY"]);
    for member in &group.members {
        table.row([
            text::line(&member.name) + if member.me { " (you)" } else { "" },
            match member.level {
                0 => "founder".into(),
                level => level.to_string(),
            },
            if member.history { "all".into() } else { "since then".to_owned() },
        ]);
    }
    out.push_str(&table.text(""));
    for former in &group.gone {
        let name = text::line(&former.name);
        out.push_str(&match former.left {
            true => format!("{name} left.\n"),
            false => format!("{name} was taken out by {}.\n", text::line(&former.by)),
        });
    }
    if !group.member {
        out.push_str("You are not in this group any more.\n");
    }
    out
}
