//! What is offered, and to whom.

use std::{collections::BTreeSet, fmt};

use charter::Role;
use serde::{Deserialize, Serialize};
use wire::{Flow, FlowKind, MemberId, Word, bounded, limits};

use crate::Reason;

/// A stream that a device offers to members of its circle.
///
/// All of it stands on the device that offers. What whoever opens it says chooses among offers and nothing else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offer {
    /// Its name, one to a device and circle.
    pub name: Word,
    /// With what flows are joined.
    pub target: Target,
    /// The label that whoever opens it has to name as well.
    pub label: Option<Word>,
    /// How urgent what goes on it is.
    pub class: Class,
    /// How many bytes a second all its flows carry each way; 0 for no bound.
    pub rate: u64,
    /// How many flows are open at a time.
    pub flows: u32,
    /// Who may open flows.
    pub grants: Grants,
}

/// With what a flow is joined, on the device that offers.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Target {
    /// A connection to a host and port.
    Tcp(String),
    /// Datagrams to and from a host and port.
    Udp(String),
    /// A connection to a Unix socket.
    Unix(String),
    /// The input and output of a command, started for each flow.
    Exec(String),
}

/// Targets name hosts, paths and commands, which belong in no log.
impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tcp(_) => "Tcp(…)",
            Self::Udp(_) => "Udp(…)",
            Self::Unix(_) => "Unix(…)",
            Self::Exec(_) => "Exec(…)",
        })
    }
}

impl Target {
    /// Tells what goes on flows to it.
    pub const fn kind(&self) -> FlowKind {
        match self {
            Self::Udp(_) => FlowKind::Datagrams,
            Self::Tcp(_) | Self::Unix(_) | Self::Exec(_) => FlowKind::Bytes,
        }
    }
}

/// How urgent what goes on a flow is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Class {
    /// Before everything: a voice, a hand on a machine.
    Voice,
    /// As messages.
    Message,
    /// Behind messages and mail, with files.
    File,
    /// All that can wait.
    Bulk,
}

impl Class {
    /// Returns the number by which the one that offers tells it.
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// Reads what [`code`](Self::code) says.
    pub const fn of_code(code: u8) -> Option<Self> {
        match code {
            0 => Some(Self::Voice),
            1 => Some(Self::Message),
            2 => Some(Self::File),
            3 => Some(Self::Bulk),
            _ => None,
        }
    }
}

/// Who may open flows to an offer.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Grants {
    /// These members, with all their devices.
    pub members: BTreeSet<MemberId>,
    /// Devices of this role or a more senior one.
    pub role: Option<Role>,
}

impl Grants {
    /// Tells whether a live device may open flows.
    pub fn admit(&self, member: &MemberId, role: Role) -> bool {
        self.members.contains(member) || self.role.is_some_and(|least| role <= least)
    }
}

/// The rules of one device in one circle, whatever its offers say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rules {
    /// Whether there are streams at all.
    pub on: bool,
    /// If any: only these labels, and none without one.
    pub labels: BTreeSet<Word>,
}

impl Default for Rules {
    fn default() -> Self {
        Self { on: true, labels: BTreeSet::new() }
    }
}

impl Rules {
    /// Tells why there is no flow under a label.
    pub fn check(&self, label: Option<&Word>) -> Result<(), Reason> {
        if !self.on {
            return Err(Reason::Off);
        }
        let listed = self.labels.is_empty() || label.is_some_and(|label| self.labels.contains(label));
        if listed { Ok(()) } else { Err(Reason::Label) }
    }
}

/// All that a device offers in a circle, as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Offered {
    /// The rules for all offers.
    pub rules: Rules,
    /// The offers, of different names; at most [`limits::OFFERS`].
    #[serde(deserialize_with = "bounded::list::<_, _, { limits::OFFERS }>")]
    pub offers: Vec<Offer>,
}

impl Offered {
    /// The largest encoding, in bytes.
    pub const MOST: usize = 4 << 20;
    /// What holds where it is not known what was kept: nothing may be opened, not even what one was granted.
    pub const CLOSED: Self = Self { rules: Rules { on: false, labels: BTreeSet::new() }, offers: Vec::new() };

    /// Returns the offer of a name.
    pub fn named(&self, name: &Word) -> Option<&Offer> {
        self.offers.iter().find(|offer| offer.name == *name)
    }
}

impl Offer {
    /// Decides whether a live device may open a flow, by all that can be decided without the target.
    ///
    /// Who is not granted it learns no more than one who asks for what is not there.
    pub fn admit(&self, flow: &Flow, rules: &Rules, member: &MemberId, role: Role) -> Result<(), Reason> {
        if !self.grants.admit(member, role) {
            return Err(Reason::Unknown);
        }
        if self.label != flow.label {
            return Err(Reason::Label);
        }
        rules.check(self.label.as_ref())?;
        if self.target.kind() != flow.kind {
            return Err(Reason::Kind);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(text: &str) -> Word {
        text.parse().unwrap()
    }

    fn offer() -> Offer {
        Offer {
            name: word("db"),
            target: Target::Tcp("localhost:5432".into()),
            label: Some(word("beans")),
            class: Class::Message,
            rate: 0,
            flows: 256,
            grants: Grants { members: [MemberId::new([1; 32])].into(), role: Some(Role::Admin) },
        }
    }

    fn flow() -> Flow {
        Flow { offer: word("db"), label: Some(word("beans")), kind: FlowKind::Bytes }
    }

    #[test]
    fn members_and_roles_are_granted_and_nobody_else_learns_of_it() {
        let (named, other) = (MemberId::new([1; 32]), MemberId::new([2; 32]));
        let rules = Rules::default();
        let admit = |member, role| offer().admit(&flow(), &rules, member, role);
        assert_eq!(admit(&named, Role::Guest), Ok(()));
        assert_eq!(admit(&other, Role::Admin), Ok(()));
        assert_eq!(admit(&other, Role::Founder), Ok(()));
        assert_eq!(admit(&other, Role::Member), Err(Reason::Unknown));
        let mut wrong = flow();
        wrong.label = None;
        assert_eq!(offer().admit(&wrong, &rules, &other, Role::Member), Err(Reason::Unknown));
    }

    #[test]
    fn labels_kinds_and_rules_have_to_agree() {
        let named = MemberId::new([1; 32]);
        let admit = |flow: &Flow, rules: &Rules| offer().admit(flow, rules, &named, Role::Member);
        let listed = |labels: &[&str]| Rules { on: true, labels: labels.iter().map(|l| word(l)).collect() };
        assert_eq!(admit(&flow(), &listed(&["beans"])), Ok(()));
        assert_eq!(admit(&flow(), &listed(&["peas"])), Err(Reason::Label));
        assert_eq!(admit(&flow(), &Rules { on: false, labels: BTreeSet::new() }), Err(Reason::Off));
        for label in [None, Some(word("Beans"))] {
            assert_eq!(admit(&Flow { label, ..flow() }, &Rules::default()), Err(Reason::Label));
        }
        let datagrams = Flow { kind: FlowKind::Datagrams, ..flow() };
        assert_eq!(admit(&datagrams, &Rules::default()), Err(Reason::Kind));
        assert_eq!(listed(&["beans"]).check(None), Err(Reason::Label));
    }

    #[test]
    fn an_offer_is_kept_as_it_is() {
        let offered = Offered { rules: Rules::default(), offers: vec![offer()] };
        let kept = wire::encode(&offered);
        assert_eq!(wire::decode::<Offered>(&kept, Offered::MOST), Ok(offered.clone()));
        assert_eq!(offered.named(&word("db")), Some(&offer()));
        assert_eq!(offered.named(&word("dba")), None);
        for class in [Class::Voice, Class::Message, Class::File, Class::Bulk] {
            assert_eq!(Class::of_code(class.code()), Some(class));
        }
        assert_eq!(Class::of_code(4), None);
    }

    #[test]
    fn more_offers_than_there_may_be_are_not_read() {
        let kept = |count| wire::encode(&Offered { rules: Rules::default(), offers: vec![offer(); count] });
        let read = |count| wire::decode::<Offered>(&kept(count), Offered::MOST).is_ok();
        assert!(read(limits::OFFERS));
        assert!(!read(limits::OFFERS + 1));
    }
}
