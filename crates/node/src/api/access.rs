//! Which programs may ask a node for what, apart from those that come through the socket in the home folder.

use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How much a client may do; each scope holds those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    /// Sees members, conversations and messages, and hears events.
    Read,
    /// Writes messages and marks them as read, too.
    Write,
    /// Everything: invitations, members, circles, other clients' tokens.
    Admin,
}

/// A client that may use the node over the loopback port.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Token {
    /// What it is called by when it is revoked: 16 hexadecimal digits, not secret.
    pub id: String,
    /// What the person called it.
    pub name: String,
    /// How much it may do.
    pub scope: Scope,
    /// Whether it is a browser's session, made by a one-time link or by unlocking.
    pub browser: bool,
    /// When it was issued.
    pub issued_ms: u64,
    /// When it ends by itself, if it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_ms: Option<u64>,
}

/// Asks for a token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewToken {
    /// What to call it: 1 to 64 characters.
    pub name: String,
    /// How much it may do.
    pub scope: Scope,
}

/// A token with its secret, which is shown this once: the vault keeps its hash only.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct IssuedToken {
    /// The token.
    pub token: Token,
    /// What the client sends as `Authorization: Bearer SECRET`.
    pub secret: String,
}

impl fmt::Debug for IssuedToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IssuedToken({:?}, …)", self.token)
    }
}

/// A link that opens the page in one browser, once.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OpenLink {
    /// The page's address with the one-time secret behind `#`, where no server and no log gets to see it.
    pub url: String,
    /// Until when it can be used.
    pub expires_ms: u64,
}

impl fmt::Debug for OpenLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OpenLink(until {})", self.expires_ms)
    }
}

/// Trades a one-time link's secret for a session.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Ticket {
    /// What stood behind `#open=`.
    pub ticket: String,
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ticket(…)")
    }
}
