//! Lanes, as iroh sees them.

use std::task::{Context, Poll};

use iroh_base::CustomAddr;
use wire::DeviceId;

use super::{End, Tcp};
use crate::custom::Carrier;

impl End {
    /// Writes the end as iroh names it. Such an address never leaves this process.
    pub(crate) fn address(&self) -> CustomAddr {
        let (side, key) = match self {
            Self::To(device) => (TO, device.as_bytes()),
            Self::From(key) => (FROM, key),
        };
        CustomAddr::from_parts(CHANNEL, &[&[side][..], key].concat())
    }

    /// Reads what [`Self::address`] wrote.
    pub(crate) fn read(address: &CustomAddr) -> Option<Self> {
        let (side, key) = address.data().split_first()?;
        let key = <[u8; 32]>::try_from(key).ok()?;
        match *side {
            _ if address.id() != CHANNEL => None,
            TO => Some(Self::To(DeviceId::new(key))),
            FROM => Some(Self::From(key)),
            _ => None,
        }
    }
}

impl Carrier for Tcp {
    fn channel(&self) -> u64 {
        CHANNEL
    }

    fn send(&self, to: &CustomAddr, contents: &[u8], segment: Option<usize>) {
        if let Some(end) = End::read(to) {
            self.send(end, contents, segment);
        }
    }

    fn poll_arrived(
        &self,
        cx: &Context<'_>,
        most: usize,
        room: usize,
        give: &mut dyn FnMut(CustomAddr, &[u8]),
    ) -> Poll<()> {
        self.poll_arrived(cx, most, room, |end, packet| give(end.address(), packet))
    }
}

/// Tells iroh's custom transports apart; the other one leads through members.
const CHANNEL: u64 = 0x6865_786f_7463;
const TO: u8 = 0;
const FROM: u8 = 1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_names_one_end_and_nothing_else_is_one() {
        for end in [End::To(DeviceId::new([3; 32])), End::From([3; 32])] {
            assert_eq!(End::read(&end.address()), Some(end));
            assert_eq!(crate::forward::Through::read(&end.address()), None);
        }
        for no in [&[0; 32][..], &[0; 34], &[2; 33], &[]] {
            assert_eq!(End::read(&CustomAddr::from_parts(CHANNEL, no)), None);
        }
        assert_eq!(End::read(&CustomAddr::from_parts(7, &[0; 33])), None);
    }
}
