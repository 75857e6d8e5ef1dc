//! What front ends ask for, carried out inside a turn.

use std::{collections::BTreeSet, time::Duration};

use charter::{Charter, FoundingTerms, Hint, Invitation, Keep, Newcomer, Terms};
use crypto::SigningKey;
use journal::{Content, Descriptor, Post};
use tokio::sync::oneshot;
use vault::{CircleState as Standing, EntryKind, IssuedInvitation, NewCircle, TimelinePosition};
use wire::{CircleId, ConversationId, DeviceId, EntryId, MemberId, Name};

use super::{Access, CircleState, Effect, RequestError, circle::Pending, view::hex};
use crate::api::{self, ApiError, ErrorKind};

impl Access<'_, '_> {
    pub(crate) fn circle(&mut self, id: CircleId) -> Result<&mut CircleState, ApiError> {
        self.circles
            .get_mut(&id)
            .ok_or_else(|| ApiError::new(ErrorKind::NotFound, "no such circle on this device"))
    }

    /// Runs `act` on a circle taken out of the map, so that it and the rest of the turn can be used together.
    pub(super) fn with<T>(
        &mut self,
        id: CircleId,
        act: impl FnOnce(&mut Self, &mut CircleState) -> Result<T, RequestError>,
    ) -> Result<T, RequestError> {
        self.circle(id)?;
        let Some(mut circle) = self.circles.remove(&id) else {
            return Err(unknown("circle").into());
        };
        let outcome = act(self, &mut circle);
        self.circles.insert(id, circle);
        outcome
    }

    /// Like [`with`](Self::with), for what only a member's device can do.
    pub(super) fn as_member<T>(
        &mut self,
        id: CircleId,
        act: impl FnOnce(&mut Self, &mut CircleState) -> Result<T, RequestError>,
    ) -> Result<T, RequestError> {
        self.with(id, |access, circle| {
            if !circle.is_member() {
                let message = match circle.standing {
                    Standing::Awaiting => "this device has not been let into the circle yet",
                    Standing::Removed if circle.has_left() => "this device has left the circle",
                    Standing::Removed => "this device was removed from the circle",
                    _ => "this device was not let into the circle",
                };
                return Err(ApiError::new(ErrorKind::NotAllowed, message).into());
            }
            act(access, circle)
        })
    }

    pub(crate) fn circles_view(&self) -> Vec<api::Circle> {
        self.circles.values().map(CircleState::view).collect()
    }

    pub(crate) fn found(&mut self, request: &api::Found) -> Result<api::Circle, RequestError> {
        self.found_with(request, None)
    }

    pub(super) fn found_with(
        &mut self,
        request: &api::Found,
        recovery: Option<charter::Recovery>,
    ) -> Result<api::Circle, RequestError> {
        let terms = FoundingTerms {
            circle: name("circle", &request.name)?,
            founder: name("member", &request.member)?,
            device: name("device", &request.device)?,
            recovery,
        };
        let mut seed = [0; 32];
        self.ctx.entropy.fill(&mut seed);
        let key = SigningKey::from_seed(&seed);
        let (charter, founding) =
            Charter::found(&terms, &key, self.ctx.time.wall_ms, self.ctx.entropy).map_err(ApiError::from)?;
        let id = charter.circle();
        let row = self.ctx.tx.add_circle(&NewCircle {
            circle: id,
            device_seed: &seed,
            label: &request.name,
            created_ms: self.ctx.time.wall_ms,
            state: Standing::Member,
            invitation: None,
        })?;
        self.ctx.tx.add_charter_entry(row, &founding.id, &founding.blob.0)?;
        let mut circle = CircleState::new(row, id, key, charter);
        circle.draw_rendezvous(&mut self.ctx, founding.id)?;
        self.add(circle)
    }

    fn add(&mut self, circle: CircleState) -> Result<api::Circle, RequestError> {
        let view = circle.view();
        self.ctx.effects.extend(circle.start(self.setup).into_iter().flatten());
        self.circles.insert(circle.id, circle);
        Ok(view)
    }

    pub(crate) fn join(&mut self, request: &api::Join) -> Result<api::Circle, RequestError> {
        let invitation: Invitation = request.invitation.trim().parse().map_err(ApiError::from)?;
        invitation.check_time(self.ctx.time.wall_ms).map_err(ApiError::from)?;
        if let Some(circle) = self.circles.get(&invitation.circle()) {
            if matches!(circle.standing, Standing::Member | Standing::Awaiting) {
                let message = "this device already belongs to that circle or is joining it";
                return Err(ApiError::new(ErrorKind::Conflict, message).into());
            }
            if circle.standing != Standing::Refused {
                let message = "this device belonged to that circle before";
                let hint = "join from a fresh home: a removed device's key is not used again";
                return Err(ApiError::new(ErrorKind::Conflict, message).hint(hint).into());
            }
        }
        let (member, device) = (name("member", &request.member)?, name("device", &request.device)?);
        let mut seed = [0; 32];
        self.ctx.entropy.fill(&mut seed);
        let key = SigningKey::from_seed(&seed);
        let redemption = wire::encode(&invitation.redeem(&key, member, device));
        // An attempt that was refused makes way for this one, with a fresh key.
        if let Some(refused) = self.circles.remove(&invitation.circle()) {
            self.ctx.tx.remove_circle(refused.row)?;
        }
        let pending = Pending { link: invitation.to_link(), redemption: redemption.clone().into() };
        let row = self.ctx.tx.add_circle(&NewCircle {
            circle: invitation.circle(),
            device_seed: &seed,
            label: "",
            created_ms: self.ctx.time.wall_ms,
            state: Standing::Awaiting,
            invitation: Some(&wire::encode(&pending)),
        })?;
        let mut circle =
            CircleState::new(row, invitation.circle(), key, Charter::awaiting(invitation.circle()));
        circle.standing = Standing::Awaiting;
        circle.set_history(self.ctx.tx, request.history_s, self.ctx.time.wall_ms)?;
        circle.invitation = Some(invitation);
        circle.redemption = redemption;
        self.add(circle)
    }

    pub(crate) fn circle_view(&mut self, id: CircleId) -> Result<api::Circle, RequestError> {
        Ok(self.circle(id)?.view())
    }

    pub(crate) fn members(&mut self, id: CircleId) -> Result<Vec<api::Member>, RequestError> {
        self.with(id, |access, circle| Ok(circle.members_view(access)?))
    }

    pub(crate) fn devices(&mut self, id: CircleId) -> Result<Vec<api::Device>, RequestError> {
        self.with(id, |access, circle| Ok(circle.devices_view(access)?))
    }

    pub(crate) fn remove_member(&mut self, id: CircleId, member: MemberId) -> Result<(), RequestError> {
        self.as_member(id, |access, circle| {
            let entry = circle
                .charter
                .remove_member(member, Keep::Seen, &circle.key, access.ctx.time.wall_ms)
                .map_err(ApiError::from)?;
            access.after_removal(circle, entry)?;
            Ok(circle.remove_from_groups(&mut access.ctx, member)?)
        })
    }

    pub(crate) fn remove_device(&mut self, id: CircleId, device: DeviceId) -> Result<(), RequestError> {
        self.as_member(id, |access, circle| {
            let entry = circle
                .charter
                .remove_device(device, Keep::Seen, &circle.key, access.ctx.time.wall_ms)
                .map_err(ApiError::from)?;
            access.after_removal(circle, entry)
        })
    }

    /// Stores a removal and turns the rendezvous secret over, so that whoever left cannot find the rest.
    pub(super) fn after_removal(
        &mut self,
        circle: &mut CircleState,
        entry: charter::Accepted,
    ) -> Result<(), RequestError> {
        let epoch = entry.id;
        circle.charter_grew(&mut self.ctx, vec![entry], None)?;
        if circle.is_member() {
            circle.draw_rendezvous(&mut self.ctx, epoch)?;
            circle.end_removed(&mut self.ctx, epoch)?;
        }
        Ok(())
    }

    pub(crate) fn invite(
        &mut self,
        id: CircleId,
        request: &api::Invite,
    ) -> Result<api::Invitation, RequestError> {
        self.as_member(id, |access, circle| {
            let now_ms = access.ctx.time.wall_ms;
            if request.valid_s == 0 || request.valid_s > LONGEST_INVITATION.as_secs() {
                let message = "an invitation holds for between one second and one year";
                return Err(ApiError::new(ErrorKind::User, message).into());
            }
            let expires_ms = now_ms.saturating_add(request.valid_s.saturating_mul(1000));
            let newcomer =
                if request.own_device { Newcomer::OwnDevice } else { Newcomer::Other(request.role.into()) };
            let (terms, hints) = (Terms { newcomer, expires_ms }, circle.hints(newcomer));
            let (entry, invitation) = circle
                .charter
                .invite(terms, hints, &circle.key, now_ms, access.ctx.entropy)
                .map_err(ApiError::from)?;
            let (entry_id, link) = (entry.id, invitation.to_link());
            let issued =
                IssuedInvitation { entry: entry_id, link: link.into_bytes().into(), issued_ms: now_ms };
            access.ctx.tx.add_issued_invitation(circle.row, &issued)?;
            circle.charter_grew(&mut access.ctx, vec![entry], None)?;
            let shown = circle.invitations_view(access)?.into_iter().find(|shown| shown.id == entry_id);
            Ok(shown.ok_or_else(|| unknown("invitation"))?)
        })
    }

    pub(crate) fn invitations(&mut self, id: CircleId) -> Result<Vec<api::Invitation>, RequestError> {
        self.with(id, |access, circle| Ok(circle.invitations_view(access)?))
    }

    pub(crate) fn withdraw(&mut self, id: CircleId, invitation: EntryId) -> Result<(), RequestError> {
        self.as_member(id, |access, circle| {
            if !circle.charter.roster().invitations().contains_key(&invitation) {
                return Err(unknown("invitation").into());
            }
            let entry = circle
                .charter
                .withdraw(invitation, &circle.key, access.ctx.time.wall_ms)
                .map_err(ApiError::from)?;
            Ok(circle.charter_grew(&mut access.ctx, vec![entry], None)?)
        })
    }

    pub(crate) fn safety_words(
        &mut self,
        id: CircleId,
        device: DeviceId,
    ) -> Result<api::SafetyWords, RequestError> {
        self.with(id, |access, circle| {
            let device = access.device(circle, device)?;
            let digest = circle.safety_digest(&device.id);
            let signs = crate::emoji::emoji(&digest).into_iter();
            let emoji =
                signs.map(|(sign, name)| api::Sign { sign: sign.into(), name: name.into() }).collect();
            let words = crate::words::words(&digest);
            Ok(api::SafetyWords { words, emoji, code: code(&digest), device })
        })
    }

    pub(crate) fn verify(
        &mut self,
        id: CircleId,
        device: DeviceId,
        request: &api::Verify,
    ) -> Result<api::Device, RequestError> {
        self.as_member(id, |access, circle| {
            let device = access.device(circle, device)?;
            if request.method == api::VerifyMethod::Qr {
                let read = request.code.as_deref().unwrap_or_default().trim();
                if read != code(&circle.safety_digest(&device.id)) {
                    let message = "the code does not match: the other screen shows another device or circle";
                    let hint = "compare again; if it stays different, someone may sit in between";
                    return Err(ApiError::new(ErrorKind::Peer, message).hint(hint).into());
                }
            }
            let now_ms = access.ctx.time.wall_ms;
            let method = Some(request.method.into());
            let entry =
                circle.charter.verify(device.id, method, &circle.key, now_ms).map_err(ApiError::from)?;
            circle.charter_grew(&mut access.ctx, vec![entry], None)?;
            if request.method != api::VerifyMethod::Accepted {
                circle.put_back_noticed(access.ctx.tx)?;
                circle.recovery_verified(access.ctx.tx, &device.id)?;
            }
            access.device(circle, device.id)
        })
    }

    pub(crate) fn unverify(&mut self, id: CircleId, device: DeviceId) -> Result<api::Device, RequestError> {
        self.as_member(id, |access, circle| {
            let device = access.device(circle, device)?;
            access.ctx.tx.remove_verification(circle.row, &device.id)?;
            let now_ms = access.ctx.time.wall_ms;
            let entry =
                circle.charter.verify(device.id, None, &circle.key, now_ms).map_err(ApiError::from)?;
            circle.charter_grew(&mut access.ctx, vec![entry], None)?;
            access.device(circle, device.id)
        })
    }

    fn device(&self, circle: &CircleState, device: DeviceId) -> Result<api::Device, RequestError> {
        let found = circle.devices_view(self)?.into_iter().find(|shown| shown.id == device);
        Ok(found.ok_or_else(|| unknown("device"))?)
    }

    pub(crate) fn conversations(&mut self, id: CircleId) -> Result<Vec<api::Conversation>, RequestError> {
        self.with(id, |access, circle| {
            let mut shown = Vec::new();
            for (conversation, _) in circle.journal.conversations() {
                shown.extend(circle.conversation_view(access, conversation)?);
            }
            shown.sort_by_key(|conversation| {
                (std::cmp::Reverse(conversation.last.as_ref().map(|last| last.stored_ms)), conversation.id)
            });
            Ok(shown)
        })
    }

    pub(crate) fn found_group(
        &mut self,
        id: CircleId,
        request: &api::NewGroup,
    ) -> Result<api::Conversation, RequestError> {
        self.as_member(id, |access, circle| {
            let name = name("group", &request.name)?;
            let me = circle.my_member().ok_or_else(|| unknown("member"))?;
            let mut members = BTreeSet::from([me]);
            for member in &request.members {
                members.insert(circle.find_member(member)?);
            }
            if members.len() < 2 {
                return Err(ApiError::new(ErrorKind::User, "a group needs at least one other member").into());
            }
            if members.len() > wire::limits::GROUP {
                let message = format!("a group has at most {} members", wire::limits::GROUP);
                return Err(ApiError::new(ErrorKind::User, message).into());
            }
            let group = Descriptor::group(&circle.id, name, me, members, &circle.key, access.ctx.entropy);
            let conversation = circle.journal.open(group);
            circle.conversation_row(&mut access.ctx, conversation)?;
            circle.announce(&mut access.ctx, conversation);
            let shown = circle.conversation_view(access, conversation)?;
            Ok(shown.ok_or_else(|| unknown("conversation"))?)
        })
    }

    pub(crate) fn send(&mut self, id: CircleId, request: &api::Send) -> Result<api::Message, RequestError> {
        self.as_member(id, |access, circle| {
            let to = circle.find_conversation(&request.to)?;
            let conversation = circle.journal.open(to);
            circle.conversation_row(&mut access.ctx, conversation)?;
            let mentions = circle.mentions(&conversation, &request.text);
            let text = request.text.clone();
            let content = match mentions.is_empty() {
                true => Content::Text(text),
                false => Content::Post(Post { text, mentions, ..Post::default() }),
            };
            access.write(circle, conversation, None, &content)
        })
    }

    pub(crate) fn page(
        &mut self,
        id: CircleId,
        conversation: ConversationId,
        query: &api::PageQuery,
    ) -> Result<api::Page, RequestError> {
        self.with(id, |access, circle| {
            if circle.journal.descriptor(&conversation).is_none() {
                return Err(unknown("conversation").into());
            }
            let limit = query.limit.unwrap_or(50).clamp(1, 1000) as usize;
            let Some(row) = circle.conversations.get(&conversation).copied() else {
                return Ok(api::Page { messages: Vec::new(), more: false });
            };
            let before = match query.before {
                None => None,
                Some(before) => {
                    let found = access.ctx.tx.entry(&before)?.filter(|(of, _)| *of == row);
                    let (_, record) = found.ok_or_else(|| unknown("message"))?;
                    Some(TimelinePosition::from(&record))
                }
            };
            let mut records = access.ctx.tx.timeline_before(row, before, limit + 1)?;
            let more = records.len() > limit;
            if more {
                records.remove(0);
            }
            let now_ms = access.ctx.time.wall_ms;
            let show = |record| circle.show(access.ctx.tx, now_ms, conversation, record);
            Ok(api::Page { messages: records.iter().map(show).collect::<Result<_, _>>()?, more })
        })
    }

    pub(crate) fn conversation(&mut self, id: CircleId, to: &str) -> Result<api::Conversation, RequestError> {
        self.with(id, |access, circle| {
            let descriptor = circle.find_conversation(to)?;
            let conversation = circle.journal.open(descriptor);
            let shown = circle.conversation_view(access, conversation)?;
            Ok(shown.ok_or_else(|| unknown("conversation"))?)
        })
    }

    pub(crate) fn mark_read(
        &mut self,
        id: CircleId,
        conversation: ConversationId,
    ) -> Result<(), RequestError> {
        self.with(id, |access, circle| {
            if circle.journal.descriptor(&conversation).is_none() {
                return Err(unknown("conversation").into());
            }
            let chains: Vec<_> = circle.journal.chains(&conversation).collect();
            for (author, chain) in chains {
                if author != circle.me {
                    circle.note_read(&mut access.ctx, (conversation, author), chain.len)?;
                }
            }
            Ok(())
        })
    }

    /// Returns the messages this member wrote, of all conversations, after `after`, at most `limit`.
    pub(crate) fn own_messages(
        &mut self,
        id: CircleId,
        conversation: ConversationId,
        from: u64,
        limit: usize,
    ) -> Result<Vec<api::Message>, RequestError> {
        self.with(id, |access, circle| {
            let Some(row) = circle.conversations.get(&conversation) else {
                return Ok(Vec::new());
            };
            let (mut from, now_ms) = (from, access.ctx.time.wall_ms);
            loop {
                let records = access.ctx.tx.entries_from(*row, &circle.me, from, limit, EXPORT_BYTES)?;
                let Some(last) = records.last() else { return Ok(Vec::new()) };
                from = last.seq + 1;
                let messages = records.iter().filter(|record| record.kind == EntryKind::Message);
                let show = |record| circle.show(access.ctx.tx, now_ms, conversation, record);
                let shown = messages.map(show).collect::<Result<Vec<_>, _>>()?;
                if !shown.is_empty() {
                    return Ok(shown);
                }
            }
        })
    }

    /// Asks the tunnel how its links are.
    pub(crate) fn snapshot(
        &mut self,
        id: CircleId,
    ) -> Result<oneshot::Receiver<tunnel::Snapshot>, RequestError> {
        self.circle(id)?;
        let (answer, snapshot) = oneshot::channel();
        self.ctx.effects.push(Effect::Tunnel(id, tunnel::Command::Snapshot(answer)));
        Ok(snapshot)
    }

    pub(crate) fn tunnels(
        &mut self,
        id: CircleId,
        snapshot: &tunnel::Snapshot,
    ) -> Result<Vec<api::Tunnel>, RequestError> {
        self.with(id, |access, circle| Ok(circle.tunnels_view(access, snapshot)?))
    }

    pub(crate) fn contacts(
        &mut self,
        id: CircleId,
        snapshot: &tunnel::Snapshot,
    ) -> Result<Vec<api::Contact>, RequestError> {
        self.with(id, |access, circle| Ok(circle.contacts_view(access, snapshot)?))
    }

    pub(crate) fn conversation_ids(&mut self, id: CircleId) -> Result<Vec<ConversationId>, RequestError> {
        Ok(self.circle(id)?.conversations.keys().copied().collect())
    }
}

impl CircleState {
    /// Lists where a newcomer may find a device that can let him in: this one, those with a link, then others.
    fn hints(&self, newcomer: Newcomer) -> Vec<Hint> {
        let roster = self.charter.roster();
        let admits = |device: &&charter::Device| match newcomer {
            Newcomer::OwnDevice => Some(device.member) == self.my_member(),
            // Whoever lets in must be as senior as who comes in; see the charter's rules of admission.
            Newcomer::Other(role) => device.role <= role && device.role != charter::Role::Guest,
        };
        let mut hints: Vec<_> = roster
            .devices()
            .values()
            .filter(admits)
            .map(|device| {
                let known =
                    if device.id == self.me { Some(&self.addresses) } else { self.known.get(&device.id) };
                let addresses = known.into_iter().flatten().rev().take(HINT_ADDRESSES).copied().collect();
                Hint { device: device.id, addresses }
            })
            .filter(|hint: &Hint| !hint.addresses.is_empty())
            .collect();
        hints.sort_by_key(|hint| {
            (hint.device != self.me, !self.links.contains_key(&hint.device), hint.device)
        });
        hints.truncate(HINTS);
        hints
    }

    /// Hashes the circle and both devices' keys, the same from both sides.
    fn safety_digest(&self, other: &DeviceId) -> [u8; 32] {
        let (low, high) = (self.me.min(*other), self.me.max(*other));
        crypto::hash(SAFETY, &[self.id.as_bytes(), low.as_bytes(), high.as_bytes()])
    }

    /// Finds a member by id, or by name if only one bears it.
    pub(super) fn find_member(&self, text: &str) -> Result<MemberId, ApiError> {
        let members = self.charter.roster().members();
        if let Ok(id) = text.parse::<MemberId>()
            && members.contains_key(&id)
        {
            return Ok(id);
        }
        let wanted = text.trim().to_lowercase();
        let named: Vec<_> =
            members.values().filter(|member| member.name.as_str().to_lowercase() == wanted).collect();
        match named.as_slice() {
            [one] => Ok(one.id),
            [] => Err(unknown("member").hint("\"hexode members\" lists them")),
            several => Err(ambiguous(several.iter().map(|member| member.id.to_string()))),
        }
    }

    /// Finds what a conversation is called by: `everyone`, an id, a group's name, a member's name.
    pub(super) fn find_conversation(&self, text: &str) -> Result<Descriptor, ApiError> {
        let text = text.trim();
        if text.eq_ignore_ascii_case("everyone") {
            return Ok(Descriptor::Everyone);
        }
        if let Ok(id) = text.parse::<ConversationId>()
            && let Some(descriptor) = self.journal.descriptor(&id)
        {
            return Ok(descriptor.clone());
        }
        let wanted = text.to_lowercase();
        let groups: Vec<_> = self
            .journal
            .conversations()
            .filter(|(id, descriptor)| {
                matches!(descriptor, Descriptor::Group(_)) && self.group_name(id).to_lowercase() == wanted
            })
            .collect();
        let member = self.find_member(text);
        match (groups.as_slice(), member) {
            ([], Ok(member)) => {
                // What a removed device holds stays readable.
                let me = self.member_of(&self.me).ok_or_else(|| unknown("member"))?;
                Ok(Descriptor::direct(me, member))
            }
            ([], Err(error)) if error.kind == ErrorKind::NotFound => {
                Err(unknown("conversation").hint("\"hexode conversations\" and \"hexode members\" list them"))
            }
            ([], Err(error)) => Err(error),
            ([(_, one)], Err(error)) if error.kind == ErrorKind::NotFound => Ok((*one).clone()),
            (several, _) => Err(ambiguous(several.iter().map(|(id, _)| id.to_string()))),
        }
    }
}

pub(super) fn name(what: &str, text: &str) -> Result<Name, ApiError> {
    text.parse().map_err(|error| ApiError::new(ErrorKind::User, format!("{what}: {error}")))
}

pub(super) fn unknown(what: &str) -> ApiError {
    ApiError::new(ErrorKind::NotFound, format!("no such {what}"))
}

fn ambiguous(ids: impl Iterator<Item = String>) -> ApiError {
    let ids: Vec<_> = ids.collect();
    ApiError::new(ErrorKind::User, "several bear that name")
        .hint(format!("use one of the ids {}", ids.join(", ")))
}

fn code(digest: &[u8; 32]) -> String {
    format!("hexode-verify:{}", hex(digest))
}

const SAFETY: &str = "hexode/node/safety/1";
const LONGEST_INVITATION: Duration = Duration::from_secs(366 * 24 * 3600);
/// How many devices an invitation names, and how many addresses of each: what a QR code holds with ease.
const HINTS: usize = 4;
const HINT_ADDRESSES: usize = 3;
/// How many bytes of one's own messages are read at once for an export.
const EXPORT_BYTES: usize = 1 << 20;
