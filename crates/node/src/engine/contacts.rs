//! With which addresses this device has exchanged packets of late: evidence that there is no server among them.

use std::{collections::BTreeMap, net::SocketAddr};

use vault::StoreError;
use wire::DeviceId;

use super::{Access, CircleState};
use crate::api;

/// The addresses at which other devices were met, in memory only.
#[derive(Debug, Default)]
pub(crate) struct Contacts {
    met: BTreeMap<(DeviceId, SocketAddr), Times>,
}

#[derive(Debug, Clone, Copy)]
struct Times {
    first_ms: u64,
    last_ms: u64,
}

impl Contacts {
    /// Takes note that a tunnel to a device goes, or went until a moment ago, by this address.
    pub(crate) fn note(&mut self, device: DeviceId, address: SocketAddr, now_ms: u64) {
        self.met.retain(|_, times| now_ms.saturating_sub(times.last_ms) <= KEPT_MS);
        if self.met.len() >= MOST && !self.met.contains_key(&(device, address)) {
            let oldest = self.met.iter().min_by_key(|(_, times)| times.last_ms).map(|(key, _)| *key);
            oldest.map(|key| self.met.remove(&key));
        }
        let times = self.met.entry((device, address)).or_insert(Times { first_ms: now_ms, last_ms: now_ms });
        times.last_ms = times.last_ms.max(now_ms);
    }

    /// Takes note that a tunnel ended: until now it went by where the device was last met.
    pub(crate) fn ended(&mut self, device: DeviceId, now_ms: u64) {
        let of_device = self.met.iter_mut().filter(|((whose, _), _)| *whose == device);
        if let Some((_, times)) = of_device.max_by_key(|(_, times)| times.last_ms) {
            times.last_ms = times.last_ms.max(now_ms);
        }
    }
}

impl CircleState {
    /// Shows the addresses of the last day, the newest first.
    pub(crate) fn contacts_view(
        &mut self,
        access: &Access<'_, '_>,
        snapshot: &tunnel::Snapshot,
    ) -> Result<Vec<api::Contact>, StoreError> {
        let now_ms = access.ctx.time.wall_ms;
        for link in &snapshot.links {
            // A tunnel may have moved to another path since it came up.
            if let Some(address) = link.remote.seen() {
                self.contacts.note(link.device, address, now_ms);
            }
        }
        let devices = self.devices_view(access)?;
        let mut shown: Vec<_> = self
            .contacts
            .met
            .iter()
            .filter(|(_, times)| now_ms.saturating_sub(times.last_ms) <= KEPT_MS)
            .map(|((device, address), times)| {
                let known = devices.iter().find(|known| known.id == *device);
                api::Contact {
                    address: *address,
                    device: *device,
                    device_name: known.map_or_else(|| device.short(), |known| known.name.clone()),
                    member_name: self.name_of(device),
                    first_ms: times.first_ms,
                    last_ms: times.last_ms,
                    in_use: snapshot
                        .links
                        .iter()
                        .any(|link| link.device == *device && link.remote.seen() == Some(*address)),
                }
            })
            .collect();
        shown.sort_by_key(|contact| (!contact.in_use, std::cmp::Reverse(contact.last_ms), contact.address));
        Ok(shown)
    }
}

/// For how long a contact is remembered.
const KEPT_MS: u64 = 24 * 3600 * 1000;
/// How many are remembered at most.
const MOST: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn address(port: u16) -> SocketAddr {
        ([127, 0, 0, 1], port).into()
    }

    #[test]
    fn contacts_are_forgotten_after_a_day_and_are_bounded() {
        let (device, mut contacts) = (DeviceId::new([7; 32]), Contacts::default());
        contacts.note(device, address(1), 1000);
        contacts.note(device, address(2), 2000);
        contacts.ended(device, 5000);
        assert_eq!(contacts.met[&(device, address(2))].last_ms, 5000);
        assert_eq!(contacts.met[&(device, address(1))].last_ms, 1000);
        contacts.note(device, address(3), 1001 + KEPT_MS);
        assert!(!contacts.met.contains_key(&(device, address(1))));
        for port in 0..2000 {
            contacts.note(device, address(port), 2000 + KEPT_MS);
        }
        assert_eq!(contacts.met.len(), MOST);
        assert!(contacts.met.contains_key(&(device, address(1999))));
    }
}
