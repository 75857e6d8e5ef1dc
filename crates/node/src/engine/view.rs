//! What front ends are shown of a circle.

use charter::{InvitationState, Role};
use journal::Descriptor;
use vault::{CircleState as Standing, StoreError, VerificationMethod};
use wire::{ConversationId, DeviceId, MemberId};

use super::{Access, CircleState};
use crate::api;

impl CircleState {
    /// Shows the circle at a glance.
    pub(crate) fn view(&self) -> api::Circle {
        let roster = self.charter.roster();
        let device = roster.device(&self.me);
        let member = device.and_then(|device| roster.members().get(&device.member));
        api::Circle {
            id: self.id,
            name: roster.circle_name().map(ToString::to_string),
            state: self.standing.into(),
            device: self.me,
            member: device.map(|device| device.member),
            member_name: member.map(|member| member.name.to_string()),
            role: device.map(|device| device.role.into()),
            members: count(roster.members().len()),
            devices: count(roster.devices().len()),
            connected: count(self.links.len()),
            unread: self.journal.conversations().map(|(id, _)| self.unread(&id)).sum(),
            roster_digest: hex(&roster.digest()),
            addresses: self.addresses.clone(),
            trouble: self
                .trouble
                .clone()
                .or_else(|| self.recovery_trouble())
                .or_else(|| self.new_keys_trouble())
                .or_else(|| self.put_back_trouble())
                .or_else(|| self.share_trouble()),
            rendezvous: self.dht_view(),
            mapping: self.mapping.clone(),
        }
    }

    /// Shows all members with their devices, the most senior first.
    pub(crate) fn members_view(&self, access: &Access<'_, '_>) -> Result<Vec<api::Member>, StoreError> {
        let devices = self.devices_view(access)?;
        let roster = self.charter.roster();
        let mut members: Vec<_> = roster
            .members()
            .values()
            .map(|member| api::Member {
                id: member.id,
                name: member.name.to_string(),
                role: member.role.into(),
                me: Some(member.id) == self.my_member(),
                blocked: self.talk.blocked.contains(&member.id),
                taken: self.taken_by(&member.id),
                full: self.is_full(&member.id),
                devices: devices.iter().filter(|device| device.member == member.id).cloned().collect(),
            })
            .collect();
        members.sort_by_key(|member| (seniority(member.role), member.name.clone(), member.id));
        Ok(members)
    }

    /// Shows all live devices.
    pub(crate) fn devices_view(&self, access: &Access<'_, '_>) -> Result<Vec<api::Device>, StoreError> {
        let verified = access.ctx.tx.verifications(self.row)?;
        let compared = self.compared_keys();
        let roster = self.charter.roster();
        let mut devices: Vec<_> = roster
            .devices()
            .values()
            .map(|device| {
                let name = roster.members().get(&device.member).map(|member| member.name.to_string());
                let record = verified.iter().find(|record| record.device == device.id);
                api::Device {
                    id: device.id,
                    name: device.name.to_string(),
                    member: device.member,
                    member_name: name.unwrap_or_default(),
                    role: device.role.into(),
                    this: device.id == self.me,
                    since_ms: device.since_ms,
                    verified: self.verified_view(&device.id, record),
                    vouched_by: self.vouched_by(&device.id),
                    new_key: self.has_new_key(device, &compared),
                    connected: self.links.contains_key(&device.id),
                }
            })
            .collect();
        devices.sort_by(|a, b| (&a.member_name, &a.name, a.id).cmp(&(&b.member_name, &b.name, b.id)));
        Ok(devices)
    }

    /// Shows the tunnels to all other devices.
    pub(crate) fn tunnels_view(
        &self,
        access: &Access<'_, '_>,
        snapshot: &tunnel::Snapshot,
    ) -> Result<Vec<api::Tunnel>, StoreError> {
        let others = self.devices_view(access)?.into_iter().filter(|device| !device.this);
        Ok(others
            .map(|device| {
                let link = snapshot.links.iter().find(|link| link.device == device.id);
                let tried = snapshot.unreachable.iter().find(|tried| tried.device == device.id);
                let addresses = self.known.get(&device.id).cloned().unwrap_or_default();
                let state = match link {
                    Some(_) => api::TunnelState::Up,
                    None if addresses.is_empty() && tried.is_none_or(|tried| tried.through.is_empty()) => {
                        api::TunnelState::NoAddress
                    }
                    None => api::TunnelState::Dialling,
                };
                api::Tunnel {
                    state,
                    path: link.map(|link| path_view(link, access.ctx.time.wall_ms)),
                    addresses,
                    attempts: tried.map_or(0, |tried| tried.attempts),
                    last_error: tried.and_then(|tried| tried.error.clone()),
                    reach: Some(reach_view(&device.id, snapshot, access.ctx.time.wall_ms)),
                    device,
                }
            })
            .collect())
    }

    /// Returns what this device signs when its person has verified another device.
    pub(crate) fn verification_statement(
        &self,
        device: &DeviceId,
        method: api::VerifyMethod,
        at_ms: u64,
    ) -> Vec<u8> {
        wire::encode(&(self.id, device, method, at_ms))
    }

    /// Shows the invitations, open ones first.
    pub(crate) fn invitations_view(
        &self,
        access: &Access<'_, '_>,
    ) -> Result<Vec<api::Invitation>, StoreError> {
        let issued = access.ctx.tx.issued_invitations(self.row)?;
        let roster = self.charter.roster();
        let mut shown: Vec<_> = roster
            .invitations()
            .values()
            .map(|invitation| {
                let state = match invitation.state {
                    InvitationState::Open if access.ctx.time.wall_ms > invitation.expires_ms => {
                        api::InvitationState::Expired
                    }
                    InvitationState::Open => api::InvitationState::Open,
                    InvitationState::Used { .. } => api::InvitationState::Used,
                    InvitationState::Withdrawn { .. } => api::InvitationState::Withdrawn,
                    _ => api::InvitationState::Void,
                };
                let link = issued.iter().find(|issued| issued.entry == invitation.id);
                let link = link.and_then(|issued| String::from_utf8(issued.link.0.clone()).ok());
                api::Invitation {
                    id: invitation.id,
                    role: invitation.role.into(),
                    own_device: invitation.for_member.is_some(),
                    expires_ms: invitation.expires_ms,
                    state,
                    issued_by: self.name_of(&invitation.by),
                    link: link.filter(|_| state == api::InvitationState::Open),
                }
            })
            .collect();
        shown.sort_by_key(|invitation| {
            (invitation.state != api::InvitationState::Open, invitation.expires_ms)
        });
        Ok(shown)
    }

    /// Returns the name of the member whose device this is or was.
    pub(crate) fn name_of(&self, device: &DeviceId) -> String {
        let roster = self.charter.roster();
        match (roster.member_of(device), roster.removed().get(device)) {
            (Some(member), _) => member.name.to_string(),
            (None, Some(removed)) => self.member_name(&removed.member),
            (None, None) => device.short(),
        }
    }

    pub(crate) fn member_name(&self, member: &MemberId) -> String {
        let roster = self.charter.roster();
        let live = roster.members().get(member).map(|member| &member.name);
        let former = || roster.removed().values().find(|removed| removed.member == *member);
        let name = live.or_else(|| former().map(|removed| &removed.member_name));
        name.map_or_else(|| member.short(), ToString::to_string)
    }

    /// Shows one conversation.
    pub(crate) fn conversation_view(
        &self,
        access: &Access<'_, '_>,
        id: ConversationId,
    ) -> Result<Option<api::Conversation>, StoreError> {
        let Some(descriptor) = self.journal.descriptor(&id) else {
            return Ok(None);
        };
        let roster = self.charter.roster();
        let participants: Vec<_> =
            roster.members().keys().filter(|member| self.journal.includes(&id, member)).copied().collect();
        let (kind, title) = match descriptor {
            Descriptor::Everyone => (
                api::ConversationKind::Everyone,
                roster.circle_name().map(ToString::to_string).unwrap_or_default(),
            ),
            Descriptor::Direct(one, other) => {
                let other = if Some(*one) == self.member_of(&self.me) { other } else { one };
                (api::ConversationKind::Direct, self.member_name(other))
            }
            Descriptor::Group(_) => (api::ConversationKind::Group, self.group_name(&id)),
        };
        let (mut last, mut draft) = (None, None);
        if let Some(row) = self.conversations.get(&id) {
            let now_ms = access.ctx.time.wall_ms;
            let newest = access.ctx.tx.timeline_before(*row, None, 1)?.pop();
            last = newest.map(|record| self.show(access.ctx.tx, now_ms, id, &record)).transpose()?;
            draft = access.ctx.tx.draft(*row)?;
        }
        let kept = self.talk.kept.get(&id).copied().unwrap_or_default();
        let other = match descriptor {
            Descriptor::Direct(one, other) if Some(*one) == self.member_of(&self.me) => Some(other),
            Descriptor::Direct(one, _) => Some(one),
            Descriptor::Everyone | Descriptor::Group(_) => None,
        };
        Ok(Some(api::Conversation {
            id,
            kind,
            title,
            participants,
            messages: self
                .journal
                .chains(&id)
                .map(|(author, chain)| chain.len - self.talk.beside_from(&(id, author), 0).min(chain.len))
                .sum(),
            unread: self.unread(&id),
            last,
            history_digest: hex(&self.history_digest(&id)),
            archived: kept.archived,
            muted_until_ms: Some(kept.muted_until_ms).filter(|until_ms| *until_ms > access.ctx.time.wall_ms),
            blocked: other.is_some_and(|other| self.talk.blocked.contains(other)),
            expires_after_s: self.expires_after_s(&id),
            draft: draft.map(|draft| api::Draft { text: draft.text, reply_to: draft.reply }),
            forked: self
                .journal
                .chains(&id)
                .filter(|(_, chain)| chain.forked)
                .map(|(author, _)| author)
                .collect(),
        }))
    }

    /// Hashes the heads of all chains, which commit to the whole history and so to its order.
    fn history_digest(&self, id: &ConversationId) -> [u8; 32] {
        let mut hasher = crypto::Hasher::new(HISTORY);
        hasher.part(id.as_bytes());
        for (author, chain) in self.journal.chains(id).filter(|(_, chain)| chain.len > 0) {
            hasher.part(author.as_bytes());
            hasher.part(&chain.len.to_be_bytes());
            hasher.part(&chain.head);
        }
        hasher.finish()
    }

    fn unread(&self, id: &ConversationId) -> u64 {
        let me = self.my_member();
        self.journal
            .chains(id)
            .filter(|(author, _)| self.charter.roster().device(author).map(|device| device.member) != me)
            .filter(|(author, _)| {
                self.member_of(author).is_none_or(|member| !self.talk.blocked.contains(&member))
            })
            .map(|(author, chain)| {
                let read = self.read.get(&(*id, author)).copied().unwrap_or(0).min(chain.len);
                (chain.len - read).saturating_sub(self.talk.beside_from(&(*id, author), read))
            })
            .sum()
    }
}

fn path_view(link: &tunnel::LinkStatus, now_ms: u64) -> api::Path {
    let micros = |time: std::time::Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
    api::Path {
        channel: channel(link.class).to_owned(),
        remote: link.remote.seen(),
        via: link.remote.member(),
        round_trip_us: micros(link.round_trip),
        key_exchange: link.key_exchange.to_owned(),
        cipher: link.cipher.to_owned(),
        since_ms: now_ms.saturating_sub(micros(link.up_for) / 1000),
        dialled: link.initiated,
        received: link.received,
        sent: link.sent,
    }
}

fn reach_view(device: &DeviceId, snapshot: &tunnel::Snapshot, now_ms: u64) -> api::Reach {
    let micros = |time: std::time::Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
    let at_ms = |ago: std::time::Duration| now_ms.saturating_sub(micros(ago) / 1000);
    let link = snapshot.links.iter().find(|link| link.device == *device);
    let paths = link.into_iter().flat_map(|link| &link.paths).map(|path| api::OpenPath {
        channel: channel(path.class).to_owned(),
        remote: path.remote.seen(),
        via: path.remote.member(),
        used: path.used,
        round_trip_us: micros(path.round_trip),
        sent: path.sent,
        lost: path.lost,
        mtu: path.mtu,
    });
    let tried = snapshot.unreachable.iter().find(|tried| tried.device == *device);
    let blamed = snapshot.blamed.iter().filter(|blamed| blamed.peer == *device);
    let failures = blamed.map(|blamed| {
        let (sent, lost) = match blamed.fault {
            tunnel::Fault::Silent => (None, None),
            tunnel::Fault::Lost { sent, lost } => (Some(sent), Some(lost)),
        };
        api::ForwardingFailure { via: blamed.member, at_ms: at_ms(blamed.ago), sent, lost }
    });
    let forwarded = snapshot.forwarded.iter().filter_map(|forwarded| {
        let with = match forwarded.pair {
            (one, other) if one == *device => other,
            (one, other) if other == *device => one,
            _ => return None,
        };
        Some(api::Forwarded {
            with,
            since_ms: at_ms(forwarded.since),
            last_ms: at_ms(forwarded.last),
            bytes: forwarded.bytes,
            dropped: forwarded.dropped,
        })
    });
    api::Reach {
        paths: paths.collect(),
        offers: tried.map(|tried| tried.through.clone()).unwrap_or_default(),
        failures: failures.collect(),
        forwarded: forwarded.collect(),
    }
}

fn channel(class: tunnel::ChannelClass) -> &'static str {
    match class {
        tunnel::ChannelClass::Loopback => "loopback",
        tunnel::ChannelClass::Lan => "lan",
        tunnel::ChannelClass::Internet => "internet",
        tunnel::ChannelClass::Tcp => "tcp",
        tunnel::ChannelClass::Member => "member",
    }
}

pub(crate) fn count(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn seniority(role: api::Role) -> u8 {
    match role {
        api::Role::Founder => 0,
        api::Role::Admin => 1,
        api::Role::Member => 2,
        api::Role::Guest => 3,
    }
}

impl From<VerificationMethod> for api::VerifyMethod {
    fn from(method: VerificationMethod) -> Self {
        match method {
            VerificationMethod::Words => Self::Words,
            VerificationMethod::QrCode => Self::Qr,
        }
    }
}

impl From<Role> for api::Role {
    fn from(role: Role) -> Self {
        match role {
            Role::Founder => Self::Founder,
            Role::Admin => Self::Admin,
            Role::Member => Self::Member,
            Role::Guest => Self::Guest,
        }
    }
}

impl From<api::Role> for Role {
    fn from(role: api::Role) -> Self {
        match role {
            api::Role::Founder => Self::Founder,
            api::Role::Admin => Self::Admin,
            api::Role::Member => Self::Member,
            api::Role::Guest => Self::Guest,
        }
    }
}

impl CircleState {
    /// Tells whether this device may still write: it is in the circle.
    pub(crate) fn is_member(&self) -> bool {
        self.standing == Standing::Member
    }
}

pub(crate) const VERIFICATION: &str = "hexode/node/verification/1";
const HISTORY: &str = "hexode/node/history/1";
