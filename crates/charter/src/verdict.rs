use serde::Serialize;
use wire::EntryId;

use crate::rights::Act;

/// Whether an entry counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Valid,
    Void(VoidReason),
}

impl Verdict {
    pub(crate) fn is_valid(self) -> bool {
        self == Self::Valid
    }
}

/// Why an entry does not count. It stays in the charter and can be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum VoidReason {
    /// The author's role does not allow it.
    NotAllowed(Act),
    /// The author is not senior to what he acts on.
    NotSenior,
    /// There was nothing of this name that the author knew.
    NoSuchTarget,
    /// The admitter's clock was past the invitation's end.
    Expired,
    /// The author knew that the invitation had been used.
    UsedBefore {
        /// The earlier admission.
        by: EntryId,
    },
    /// The author's own grant is void.
    GrantVoid {
        /// The entry that issued it.
        grant: EntryId,
    },
    /// Somebody more senior had removed the author, or the inviter, and had not seen this entry.
    Removed {
        /// The removal.
        by: EntryId,
    },
    /// The author knew that he, or the inviter, had left.
    Left {
        /// His leaving.
        by: EntryId,
    },
    /// The invitation is void.
    InvitationVoid {
        /// The invite entry.
        invitation: EntryId,
    },
    /// The invitation had been withdrawn.
    Withdrawn {
        /// The withdrawal.
        by: EntryId,
    },
    /// The invitation was used twice at a time, and the other admission prevails.
    UsedElsewhere {
        /// The other admission.
        by: EntryId,
    },
    /// The recovery keys were used again, and that use prevails.
    RecoveredElsewhere {
        /// The other use.
        by: EntryId,
    },
    /// The circle had recovery keys already, or none that it says come next.
    RecoveryKnown,
}

impl VoidReason {
    /// Returns the entry that made this one void, if it was one.
    pub fn by(self) -> Option<EntryId> {
        match self {
            Self::NotAllowed(_)
            | Self::NotSenior
            | Self::NoSuchTarget
            | Self::Expired
            | Self::RecoveryKnown => None,
            Self::UsedBefore { by }
            | Self::Removed { by }
            | Self::Left { by }
            | Self::Withdrawn { by }
            | Self::UsedElsewhere { by }
            | Self::RecoveredElsewhere { by }
            | Self::GrantVoid { grant: by }
            | Self::InvitationVoid { invitation: by } => Some(by),
        }
    }
}
