use clap::Subcommand;
use node::api::Keep;

use crate::{failure::Failure, resolve, session::Session, text, time};

/// Mute, archive or block on this device; nobody else is told
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    act: Act,
}

#[derive(Debug, Subcommand)]
enum Act {
    /// Want no notice of a conversation
    Mute {
        /// `everyone`, a member's name or id, a group's name or id, or a conversation's id
        conversation: String,
        /// For how long: 30m, 24h, 7d; for ever if absent
        #[arg(value_name = "TIME", value_parser = time::parse_span)]
        time: Option<u64>,
    },
    /// Want notice of a conversation again
    Unmute {
        /// `everyone`, a member's name or id, a group's name or id, or a conversation's id
        conversation: String,
    },
    /// Put a conversation away
    Archive {
        /// `everyone`, a member's name or id, a group's name or id, or a conversation's id
        conversation: String,
    },
    /// Take a conversation out again
    Unarchive {
        /// `everyone`, a member's name or id, a group's name or id, or a conversation's id
        conversation: String,
    },
    /// Hide a member's messages
    Block {
        /// His name or id
        member: String,
    },
    /// Show a member's messages again
    Unblock {
        /// His name or id
        member: String,
    },
}

impl Args {
    pub(crate) async fn run(self, session: Session) -> Result<(), Failure> {
        let circle = session.circle().await?.id;
        let (called, keep) = match self.act {
            Act::Mute { conversation, time } => {
                let until_ms =
                    time.map_or(u64::MAX, |s| time::now_ms().saturating_add(s.saturating_mul(1000)));
                (conversation, Keep { muted_until_ms: Some(until_ms), archived: None })
            }
            Act::Unmute { conversation } => (conversation, Keep { muted_until_ms: Some(0), archived: None }),
            Act::Archive { conversation } => {
                (conversation, Keep { archived: Some(true), muted_until_ms: None })
            }
            Act::Unarchive { conversation } => {
                (conversation, Keep { archived: Some(false), muted_until_ms: None })
            }
            Act::Block { member } => return block(&session, circle, &member, true).await,
            Act::Unblock { member } => return block(&session, circle, &member, false).await,
        };
        let conversation = session.client.conversation(circle, &called).await?;
        let kept = session.client.keep(circle, conversation.id, &keep).await?;
        session.answer(&kept, || {
            let muted = if kept.muted_until_ms.is_some() { "muted" } else { "not muted" };
            let archived = if kept.archived { "put away" } else { "in sight" };
            format!("“{}” is {archived} and {muted}.\n", text::line(&kept.title))
        })
    }
}

async fn block(
    session: &Session,
    circle: wire::CircleId,
    called: &str,
    blocked: bool,
) -> Result<(), Failure> {
    let member = resolve::member(session.client.members(circle).await?, called)?;
    session.client.block(circle, member.id, blocked).await?;
    let members = session.client.members(circle).await?;
    let member = resolve::member(members, &member.id.to_string())?;
    session.answer(&member, || {
        let what = if member.blocked { "hidden on this device" } else { "shown" };
        format!("Messages of {} are {what}.\n", text::line(&member.name))
    })
}
