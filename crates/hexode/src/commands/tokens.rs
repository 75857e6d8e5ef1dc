use clap::{Subcommand, ValueEnum};
use node::api::{NewToken, Scope, Token};

use crate::{failure::Failure, session::Session, table::Table, text, time};

/// List, issue and revoke tokens: who may use the node over its loopback port
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    act: Option<Act>,
}

#[derive(Debug, Subcommand)]
enum Act {
    /// Issue a token to a program; its secret is shown once
    Issue {
        /// What to call it
        name: String,
        /// How much it may do
        #[arg(long, value_enum, default_value_t = Much::Read)]
        scope: Much,
    },
    /// Revoke a token: its program gets nothing any more
    Revoke {
        /// Its id
        id: String,
    },
}

/// How much a program may do.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Much {
    /// See members, conversations and messages
    Read,
    /// Write messages, too
    Write,
    /// Everything
    Admin,
}

impl Args {
    pub(crate) async fn run(self, session: Session) -> Result<(), Failure> {
        match self.act {
            None => {
                let tokens = session.client.tokens().await?;
                session.answer(&tokens, || table(&tokens))
            }
            Some(Act::Issue { name, scope }) => {
                let scope = match scope {
                    Much::Read => Scope::Read,
                    Much::Write => Scope::Write,
                    Much::Admin => Scope::Admin,
                };
                let issued = session.client.issue_token(&NewToken { name, scope }).await?;
                session.answer(&issued, || {
                    format!(
                        "{}\nThis is shown once. The program sends it as `Authorization: Bearer …`; end it with \
                         `hexode tokens revoke {}`.\n",
                        text::line(&issued.secret),
                        text::line(&issued.token.id)
                    )
                })
            }
            Some(Act::Revoke { id }) => {
                session.client.revoke_token(&id).await?;
                session.answer(&id, || format!("Token {} is revoked.\n", text::line(&id)))
            }
        }
    }
}

fn table(tokens: &[Token]) -> String {
    if tokens.is_empty() {
        return "No tokens.\n".into();
    }
    let mut table = Table::new(&["ID", "NAME", "SCOPE", "SINCE", "UNTIL"]);
    for token in tokens {
        table.row([
            text::line(&token.id),
            text::line(&token.name),
            match token.scope {
                Scope::Read => "read".into(),
                Scope::Write => "write".into(),
                Scope::Admin => "admin".into(),
            },
            time::minute(token.issued_ms),
            token.expires_ms.map(time::minute).unwrap_or_default(),
        ]);
    }
    table.text("")
}
