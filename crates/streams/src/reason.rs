/// Why a flow was not opened, or ended before its end was said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
#[non_exhaustive]
pub enum Reason {
    /// Nothing of that name is offered to this device; whether to others is not said.
    #[error("nothing of that name is offered to this device")]
    Unknown,
    /// The two ends name different labels.
    #[error("the labels differ")]
    Label,
    /// One end has bytes and the other datagrams.
    #[error("one end has bytes and the other datagrams")]
    Kind,
    /// As many flows are open as there may be.
    #[error("too many flows are open")]
    Busy,
    /// Streams are switched off.
    #[error("streams are switched off")]
    Off,
    /// The target is there and refuses, or is not there.
    #[error("the target refuses")]
    Refused,
    /// The target does not answer in time.
    #[error("the target does not answer")]
    Silent,
    /// One of the programs at the ends broke its connection off.
    #[error("reset by the program at the other end")]
    Reset,
    /// The right to it was taken back, or the offer.
    #[error("the grant was revoked")]
    Revoked,
    /// It stood still for long, with many others.
    #[error("its reader stands still")]
    Stalled,
    /// What came is no record of this flow.
    #[error("what came is no record")]
    Garbage,
    /// The link is gone.
    #[error("the link is gone")]
    Lost,
    /// The device locked, or stopped listening.
    #[error("the device ended it")]
    Closed,
}

impl Reason {
    /// Returns the number by which it is told.
    pub const fn code(self) -> u8 {
        match self {
            Self::Unknown => 1,
            Self::Label => 2,
            Self::Kind => 3,
            Self::Busy => 4,
            Self::Off => 5,
            Self::Refused => 6,
            Self::Silent => 7,
            Self::Reset => 8,
            Self::Revoked => 9,
            Self::Stalled => 10,
            Self::Garbage => 11,
            Self::Lost => 12,
            Self::Closed => 13,
        }
    }

    /// Reads what [`code`](Self::code) says; what is not known is taken for a reset.
    pub fn of_code(code: u8) -> Self {
        Self::ALL.into_iter().find(|reason| reason.code() == code).unwrap_or(Self::Reset)
    }

    /// Returns the word by which front ends call it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Label => "label",
            Self::Kind => "kind",
            Self::Busy => "busy",
            Self::Off => "off",
            Self::Refused => "refused",
            Self::Silent => "silent",
            Self::Reset => "reset",
            Self::Revoked => "revoked",
            Self::Stalled => "stalled",
            Self::Garbage => "garbage",
            Self::Lost => "lost",
            Self::Closed => "closed",
        }
    }

    /// All there are.
    pub const ALL: [Self; 13] = [
        Self::Unknown,
        Self::Label,
        Self::Kind,
        Self::Busy,
        Self::Off,
        Self::Refused,
        Self::Silent,
        Self::Reset,
        Self::Revoked,
        Self::Stalled,
        Self::Garbage,
        Self::Lost,
        Self::Closed,
    ];
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_is_read_back_and_an_unknown_one_is_a_reset() {
        for reason in Reason::ALL {
            assert_eq!(Reason::of_code(reason.code()), reason);
        }
        assert_eq!(Reason::of_code(0), Reason::Reset);
        assert_eq!(Reason::of_code(200), Reason::Reset);
    }
}
