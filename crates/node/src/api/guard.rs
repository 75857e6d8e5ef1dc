//! What guards the vault while its person is away or under duress.

use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How the vault is guarded. Whether there is a duress passphrase cannot be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Guard {
    /// After how many seconds in which the person does nothing the node locks itself; absent for never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lock_after_s: Option<u64>,
    /// After how many wrong passphrases in a row the vault is destroyed; absent for never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tries: Option<u32>,
}

/// Sets how the vault is guarded: all of it, what is absent is off from now on.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetGuard {
    /// The passphrase of the vault.
    pub passphrase: String,
    /// After how many seconds in which the person does nothing the node locks itself: 30 seconds to 30 days.
    #[serde(default)]
    pub lock_after_s: Option<u64>,
    /// After how many wrong passphrases in a row the vault is destroyed, three or more.
    #[serde(default)]
    pub tries: Option<u32>,
    /// A passphrase that destroys what is in the vault and opens an empty one.
    #[serde(default)]
    pub duress: Option<String>,
}

impl fmt::Debug for SetGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SetGuard")
            .field("lock_after_s", &self.lock_after_s)
            .field("tries", &self.tries)
            .finish_non_exhaustive()
    }
}
