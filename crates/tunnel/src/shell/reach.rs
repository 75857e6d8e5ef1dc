//! Ways to others through members, and what members say of this device's own address.

use std::{
    collections::BTreeSet,
    net::SocketAddr,
    time::{Duration, Instant},
};

use iroh::Endpoint;
use tokio::sync::watch;
use wire::DeviceId;

use super::Shell;
use crate::{
    BlamedStatus, Event, Fault, Remote,
    forward::{Through, Told, What},
    link::Link,
    own::Witness,
};

impl Shell {
    /// Returns the members through whom a device is dialled, a few of them.
    pub(super) fn forwarders(&mut self, device: &DeviceId) -> Vec<DeviceId> {
        let Some(contact) = self.contacts.get_mut(device) else { return Vec::new() };
        let mut members: Vec<_> = contact.members().iter().copied().collect();
        members.sort_by_key(|member| self.blamed.contains_key(&Through { member: *member, peer: *device }));
        contact.forwarders(&members)
    }

    pub(super) fn handle_told(&mut self, told: Told) {
        // What a link told before it ended is of no use after.
        if !self.links.contains_key(&told.device) {
            return;
        }
        match told.what {
            What::Way { forwarded } => self.handle_way(told.device, forwarded),
            What::Have(devices) => self.handle_have(told.device, &devices),
            What::Lost { member, sent, lost } => {
                self.handle_lost(Through { member, peer: told.device }, sent, lost);
            }
            What::Seen(address) => {
                self.witnesses.hear(Witness::Device(told.device), address, Instant::now());
                self.judge_witnesses();
            }
        }
    }

    fn handle_have(&mut self, member: DeviceId, devices: &BTreeSet<DeviceId>) {
        let now = Instant::now();
        let allowed = self.allowed.borrow().clone();
        for device in allowed.iter() {
            let wanted = self.wants(device);
            let contact = self.contacts.entry(*device).or_default();
            let new = contact.forwarded_by(member, devices.contains(device));
            if !new || !wanted {
                continue;
            }
            // Both ends learn it at once. One of them dials first, so that there are not two handshakes.
            if self.identity.device < *device {
                contact.start_anew(now);
            } else {
                contact.soon(now, SECOND);
            }
        }
    }

    /// Names a member who loses what he should pass on, and goes another way if there is one.
    fn handle_lost(&mut self, through: Through, sent: u64, lost: u64) {
        self.blame(through, Fault::Lost { sent, lost });
        if self.leave(through, BLAMED)
            && let Some(link) = self.links.get_mut(&through.peer)
        {
            link.doubt(true);
            if let Some(contact) = self.contacts.get_mut(&through.peer) {
                contact.start_anew(Instant::now());
            }
        }
    }

    /// Looks for another way than the member through whom a link leads that answers no more. Whether he or the
    /// device is to blame is seen when that is found.
    pub(super) fn doubt_forwarder(&mut self, peer: DeviceId) {
        let remote = self.links.get(&peer).map(Link::remote);
        let Some(Remote::Member(member)) = remote else { return };
        let through = Through { member, peer };
        if self.leave(through, SUSPECTED) {
            self.suspects.insert(peer, member);
        }
    }

    /// Takes note that a link came up, by another way than through whoever was suspected.
    pub(super) fn clear_suspicion(&mut self, peer: DeviceId, remote: Remote) {
        if let Some(member) = self.suspects.remove(&peer)
            && remote != Remote::Member(member)
        {
            let through = Through { member, peer };
            self.blame(through, Fault::Silent);
            self.forwarding.avoid(through, Instant::now() + BLAMED);
        }
    }

    fn blame(&mut self, through: Through, fault: Fault) {
        let now = Instant::now();
        self.blamed.retain(|_, (when, _)| now.saturating_duration_since(*when) < BLAMED);
        self.blamed.insert(through, (now, fault));
    }

    /// Stops using a member's path for a while if there is another way; says whether there is.
    fn leave(&self, through: Through, pause: Duration) -> bool {
        let Some(contact) = self.contacts.get(&through.peer) else { return false };
        let blamed = |member: &DeviceId| {
            *member == through.member
                || self.blamed.contains_key(&Through { member: *member, peer: through.peer })
        };
        let other = contact.members().iter().any(|member| !blamed(member));
        if other {
            self.forwarding.avoid(through, Instant::now() + pause);
        }
        other
    }

    /// Lists the members who failed lately at forwarding.
    pub(super) fn blamed(&self) -> Vec<BlamedStatus> {
        let now = Instant::now();
        let one = |(through, (when, fault)): (&Through, &(Instant, Fault))| BlamedStatus {
            member: through.member,
            peer: through.peer,
            ago: now.saturating_duration_since(*when),
            fault: *fault,
        };
        self.blamed.iter().map(one).filter(|blamed| blamed.ago < BLAMED).collect()
    }

    /// Forgets what a member forwarded and said whose link is gone.
    pub(super) fn member_gone(&mut self, member: &DeviceId) {
        self.witnesses.forget(Witness::Device(*member));
        self.judge_witnesses();
        for contact in self.contacts.values_mut() {
            contact.forwarded_by(*member, false);
        }
    }
}

impl Shell {
    /// Decides anew which addresses of its own this device believes.
    pub(super) fn judge_witnesses(&mut self) {
        if let Some(believed) = self.witnesses.judge(&self.local, Instant::now()) {
            if !believed.is_empty() {
                self.seen_last.clone_from(&believed);
            }
            self.outside.send_replace(believed);
            self.tell_setting();
        }
    }

    /// Tells those who announce this device where it is. What members saw counts on the DHT after their links are gone:
    /// it is for those whom no link reaches.
    fn tell_setting(&self) {
        let local = self.local.clone();
        let outside = self.fixed.iter().chain(&self.seen_last).filter(|address| !local.contains(address));
        let all = outside.chain(&local).copied().collect();
        self.setting.send_if_modified(|setting| {
            let new = setting.local != local || setting.all != all;
            (setting.local, setting.all) = (local, all);
            new
        });
    }

    /// Takes note of where this device listens, as iroh sees it: its own addresses and those it was told.
    pub(super) fn bound(&mut self, mut addresses: Vec<SocketAddr>) {
        let outside = self.outside.borrow().clone();
        let told = |address: &SocketAddr| outside.contains(address) || self.fixed.contains(address);
        // The best come last, and the first is where the port is read that this device listens on.
        addresses.sort_by_key(|address| (told(address), *address));
        let local: Vec<_> = addresses.iter().filter(|address| !told(address)).copied().collect();
        if local != self.local {
            self.local = local;
            // Elsewhere it is seen as another.
            self.witnesses.handle_move(Instant::now());
            self.seen_last = self.outside.borrow().clone();
            self.judge_witnesses();
            self.tell_setting();
            self.ask_links();
        }
        if addresses != self.addresses {
            self.addresses.clone_from(&addresses);
            self.sink.deliver(Event::Bound { addresses });
        }
    }
}

/// Keeps the endpoint's addresses as seen from outside what they are believed to be.
pub(super) async fn keep_told(endpoint: Endpoint, mut believed: watch::Receiver<BTreeSet<SocketAddr>>) {
    let mut told = BTreeSet::new();
    while believed.changed().await.is_ok() {
        let now = believed.borrow_and_update().clone();
        for gone in told.difference(&now) {
            endpoint.remove_external_addr(gone).await;
        }
        for new in now.difference(&told) {
            endpoint.add_external_addr(*new).await;
        }
        told = now;
    }
}

/// For how long a path is not used through a member who is to blame.
const BLAMED: Duration = Duration::from_secs(600);
/// For how long it is not used through one who may be.
const SUSPECTED: Duration = Duration::from_secs(10);
/// How much later the one of two that dials second does so.
pub(super) const SECOND: Duration = Duration::from_millis(700);
