//! What a role allows. Seniority, which the fold checks besides, decides against whom.

use crate::Role;

/// What a device may want to do in a circle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Act {
    /// Write in conversations.
    Speak,
    /// Invite somebody else.
    Invite,
    /// Invite and admit another device of one's own.
    LinkDevice,
    /// Admit a newcomer whom somebody invited.
    Admit,
    /// End somebody else's invitation.
    Withdraw,
    /// Give another role.
    ChangeRole,
    /// Remove somebody else.
    Remove,
    /// Remove a younger device of one's own, or leave.
    RemoveOwn,
    /// Name the circle.
    NameCircle,
    /// Name oneself and one's device.
    NameOwn,
}

/// Tells whether a role allows an act.
pub fn allowed(role: Role, act: Act) -> bool {
    let row = TABLE.iter().find(|(listed, _)| *listed == act).map(|(_, row)| row);
    let [founder, admin, member, guest] = row.copied().unwrap_or([NO; 4]);
    match role {
        Role::Founder => founder,
        Role::Admin => admin,
        Role::Member => member,
        Role::Guest => guest,
    }
}

const YES: bool = true;
const NO: bool = false;

#[rustfmt::skip]
const TABLE: [(Act, [bool; 4]); 10] = [
    //                 founder admin member guest
    (Act::Speak,      [YES,    YES,  YES,   YES]),
    (Act::Invite,     [YES,    YES,  NO,    NO]),
    (Act::LinkDevice, [YES,    YES,  YES,   YES]),
    (Act::Admit,      [YES,    YES,  YES,   NO]),
    (Act::Withdraw,   [YES,    YES,  NO,    NO]),
    (Act::ChangeRole, [YES,    YES,  NO,    NO]),
    (Act::Remove,     [YES,    YES,  NO,    NO]),
    (Act::RemoveOwn,  [YES,    YES,  YES,   YES]),
    (Act::NameCircle, [YES,    YES,  NO,    NO]),
    (Act::NameOwn,    [YES,    YES,  YES,   YES]),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_more_senior_may_whatever_the_more_junior_may() {
        for (act, _) in TABLE {
            for pair in [Role::Founder, Role::Admin, Role::Member, Role::Guest].windows(2) {
                assert!(allowed(pair[0], act) || !allowed(pair[1], act), "{act:?}");
            }
        }
        assert!(allowed(Role::Member, Act::Admit) && !allowed(Role::Guest, Act::Admit));
        assert!(allowed(Role::Admin, Act::Invite) && !allowed(Role::Member, Act::Invite));
    }
}
