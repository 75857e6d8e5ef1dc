use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Carries the passphrase that opens the vault; never shown, not even to a debugger's `{:?}`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Passphrase {
    /// The passphrase.
    pub passphrase: String,
}

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passphrase(…)")
    }
}

/// Whether there is a vault and whether it is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Vault {
    /// Whether a vault was created in this home.
    pub exists: bool,
    /// Whether its keys are out of memory.
    pub locked: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_passphrase_is_not_shown() {
        let shown = format!("{:?}", Passphrase { passphrase: "correct horse".into() });
        assert!(!shown.contains("horse"), "{shown}");
    }
}
