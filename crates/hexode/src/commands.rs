//! One file a command. A new one is a `mod` line and a line in the list.

use clap::Subcommand;

use crate::{failure::Failure, session::Session};

mod chat;
mod circles;
mod completions;
mod conversations;
mod delete;
mod demo;
mod devices;
mod doctor;
mod down;
mod edit;
mod expire;
mod export;
mod files;
mod forward;
mod found;
mod groups;
mod guard;
mod invite;
mod join;
mod keep;
mod leave;
mod lock;
mod members;
mod open;
mod pin;
mod react;
mod read;
mod recovery;
mod reply;
mod search;
mod selfcheck;
mod send;
mod status;
mod stream;
mod tail;
mod tokens;
mod unlock;
mod up;
mod verify;
mod wipe;

macro_rules! commands {
    ($($(#[$meta:meta])* $name:ident => $module:ident,)*) => {
        /// What can be asked of the program.
        #[derive(Debug, Subcommand)]
        pub(crate) enum Command {
            $($(#[$meta])* $name($module::Args),)*
        }

        impl Command {
            /// Does it.
            pub(crate) async fn run(self, session: Session) -> Result<(), Failure> {
                match self {
                    $(Self::$name(args) => args.run(session).await,)*
                }
            }
        }
    };
}

commands! {
    Demo => demo,
    Up => up,
    Down => down,
    Found => found,
    Invite => invite,
    Join => join,
    #[command(visible_alias = "circle")]
    Circles => circles,
    Members => members,
    Leave => leave,
    Devices => devices,
    Verify => verify,
    Recovery => recovery,
    Groups => groups,
    Conversations => conversations,
    Send => send,
    Read => read,
    Reply => reply,
    Edit => edit,
    Delete => delete,
    React => react,
    Pin => pin,
    Forward => forward,
    Search => search,
    Files => files,
    Stream => stream,
    Expire => expire,
    Keep => keep,
    Tail => tail,
    Chat => chat,
    Open => open,
    Tokens => tokens,
    Status => status,
    Doctor => doctor,
    Lock => lock,
    Unlock => unlock,
    Guard => guard,
    Wipe => wipe,
    Export => export,
    Selfcheck => selfcheck,
    Completions => completions,
}
