//! One circle as this device holds it in memory: charter, journal, links, and what others have stored and read.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    time::Duration,
};

use charter::{Charter, Invitation, InvitationState};
use crypto::SigningKey;
use journal::{Chain, Descriptor, Entry, Journal, Membership, SignedRun};
use serde::{Deserialize, Serialize};
use vault::{
    CircleRecord, CircleRow, CircleState as Standing, ConversationRow, OpenError, Part, StoreError, Vault,
};
use wire::{Blob, CircleId, ConversationId, DeviceId, EntryId, Frame, MemberId, Signature};

use super::{
    Ctx, Effect, Setup,
    claims::Claims,
    contacts::Contacts,
    dht,
    ends::Removals,
    files::Files,
    frontiers::Telling,
    link::{ChainKey, Link},
    rekey::Rekey,
    share::Shares,
    streams::Streams,
    talk::{Kept, Talk},
};
use crate::api;

/// A circle this device belongs to, wants to join, or belonged to.
pub(crate) struct CircleState {
    pub(crate) row: CircleRow,
    pub(crate) id: CircleId,
    pub(crate) key: SigningKey,
    pub(crate) me: DeviceId,
    pub(crate) standing: Standing,
    /// The invitation in hand while standing is `Joining`.
    pub(crate) invitation: Option<Invitation>,
    /// The names a newcomer asked for.
    pub(crate) redemption: Vec<u8>,
    pub(crate) charter: Charter,
    pub(crate) journal: Journal,
    pub(crate) conversations: BTreeMap<ConversationId, ConversationRow>,
    /// How far each other device has stored and read each chain, as it said itself.
    pub(crate) receipts: BTreeMap<(ConversationId, DeviceId), BTreeMap<DeviceId, (u64, u64)>>,
    /// How far this device's person has read each chain.
    pub(crate) read: BTreeMap<ChainKey, u64>,
    pub(crate) links: BTreeMap<DeviceId, Link>,
    /// Where this device listens.
    pub(crate) addresses: Vec<SocketAddr>,
    /// Where others may be reached, newest last.
    pub(crate) known: BTreeMap<DeviceId, Vec<SocketAddr>>,
    /// Why a device was not reached last, and after how many attempts.
    pub(crate) unreachable: BTreeMap<DeviceId, (u32, String)>,
    /// The rendezvous secrets this device has been given, by the charter entry since which they hold.
    pub(crate) rendezvous: BTreeMap<EntryId, Signature>,
    /// When hearsay about a device's addresses is heard again.
    pub(crate) hearsay_at: BTreeMap<DeviceId, Duration>,
    /// At which addresses other devices were met.
    pub(crate) contacts: Contacts,
    pub(crate) listen_port: u16,
    pub(crate) trouble: Option<String>,
    /// What was heard of the rendezvous on the DHT.
    pub(crate) dht: dht::Heard,
    /// What the router was heard to let in.
    pub(crate) mapping: Option<api::PortMapping>,

    /// Whom this device has told how far it is.
    pub(crate) telling: Telling,
    /// What was said before is not kept here, as its person chose.
    pub(crate) since_ms: u64,
    /// What is kept in memory of messages.
    pub(crate) talk: Talk,
    /// What others' entries take.
    pub(crate) shares: Shares,
    /// How many entries of this device's own chains others hold that it has lost.
    pub(crate) claims: Claims,
    /// An old copy of the vault was put back, and the person has not yet answered to that.
    pub(crate) put_back: bool,
    /// The use of the recovery sheets whose device this one's person has verified.
    pub(crate) recovery_noticed: Option<EntryId>,
    /// Who was removed by whom, as far as was asked what the removers say of it.
    pub(crate) removals: Removals,
    /// This device's own chain was forked.
    pub(crate) own_fork: bool,
    /// The fresh key that waits until others know of it, and whether one does.
    pub(crate) rekey: Option<Rekey>,
    pub(crate) rekey_known: bool,
    /// What is kept in memory of files.
    pub(crate) files: Files,
    /// What is kept in memory of streams.
    pub(crate) streams: Streams,
    /// Entries this device wrote in this turn, not yet signed and stored.
    pub(crate) written: Vec<Entry>,
    /// Runs that were stored in this turn.
    pub(crate) fresh: Vec<SignedRun>,
    /// Chains of others that moved: when the time comes all links are told how far they are stored here.
    pub(crate) lazy: BTreeSet<ChainKey>,
    /// Chains that were told of last time: when the time comes they are offered to all who seem to lack them.
    pub(crate) offers: BTreeSet<ChainKey>,
    pub(crate) lazy_at: Option<Duration>,
    /// Chains that moved and are told later to those who are far, where readers are many.
    pub(crate) far: BTreeSet<ChainKey>,
    /// Those of them that were told, and are offered next.
    pub(crate) far_offers: BTreeSet<ChainKey>,
    /// When the next of that is due.
    pub(crate) far_at: Option<Duration>,
    /// Receipts of other devices that are not stored yet.
    pub(crate) heard: BTreeSet<(ConversationId, DeviceId, DeviceId)>,
    pub(crate) heard_at: Option<Duration>,
    /// When the time of entries comes that were ahead of this device's clock.
    pub(crate) ahead_at: Option<Duration>,
    /// When the tunnel that did not start is tried again.
    pub(crate) restart_at: Option<Duration>,
}

impl CircleState {
    /// Makes the state of a circle that has just been founded or is to be joined.
    pub(crate) fn new(row: CircleRow, id: CircleId, key: SigningKey, charter: Charter) -> Self {
        let mut journal = Journal::new(id);
        journal.open(Descriptor::Everyone);
        Self {
            row,
            id,
            me: DeviceId::new(key.public()),
            key,
            standing: Standing::Member,
            invitation: None,
            redemption: Vec::new(),
            charter,
            journal,
            conversations: BTreeMap::new(),
            receipts: BTreeMap::new(),
            read: BTreeMap::new(),
            links: BTreeMap::new(),
            addresses: Vec::new(),
            known: BTreeMap::new(),
            unreachable: BTreeMap::new(),
            rendezvous: BTreeMap::new(),
            hearsay_at: BTreeMap::new(),
            contacts: Contacts::default(),
            listen_port: 0,
            trouble: None,
            dht: dht::Heard::default(),
            telling: Telling::default(),
            since_ms: 0,
            mapping: None,
            talk: Talk::default(),
            shares: Shares::default(),
            claims: Claims::default(),
            put_back: false,
            recovery_noticed: None,
            removals: Removals::default(),
            own_fork: false,
            rekey: None,
            rekey_known: false,
            files: Files::default(),
            streams: Streams::default(),
            written: Vec::new(),
            fresh: Vec::new(),
            lazy: BTreeSet::new(),
            offers: BTreeSet::new(),
            lazy_at: None,
            far: BTreeSet::new(),
            far_offers: BTreeSet::new(),
            far_at: None,
            heard: BTreeSet::new(),
            heard_at: None,
            ahead_at: None,
            restart_at: None,
        }
    }

    /// Returns this device's member, once the charter knows it.
    pub(crate) fn my_member(&self) -> Option<MemberId> {
        self.charter.roster().device(&self.me).map(|device| device.member)
    }

    /// Returns the member whose live device this is.
    pub(crate) fn live_member(&self, device: &DeviceId) -> Option<MemberId> {
        match Members(&self.charter).standing(device) {
            journal::Standing::Live(member) => Some(member),
            journal::Standing::Removed(_) | journal::Standing::Unknown => None,
        }
    }

    /// Returns the conversation's row, making it on first use.
    pub(crate) fn conversation_row(
        &mut self,
        ctx: &mut Ctx<'_, '_>,
        id: ConversationId,
    ) -> Result<ConversationRow, StoreError> {
        if let Some(row) = self.conversations.get(&id) {
            return Ok(*row);
        }
        let descriptor = self.journal.descriptor(&id).map(Descriptor::encode).unwrap_or_default();
        let row = ctx.tx.add_conversation(self.row, &id, &descriptor.0)?;
        self.conversations.insert(id, row);
        Ok(row)
    }

    /// Says what to do so that the circle's tunnel runs; nothing if it has no use for one.
    pub(crate) fn start(&self, setup: &Setup) -> Option<Vec<Effect>> {
        // One that was removed may yet hear that the removal is void; one that was refused has nobody to ask.
        if !matches!(self.standing, Standing::Member | Standing::Awaiting | Standing::Removed) {
            return None;
        }
        let bind = if setup.bind.is_empty() {
            ["0.0.0.0", "[::]"].map(|ip| format!("{ip}:{}", self.listen_port)).to_vec()
        } else {
            let with_port = |address: &SocketAddr| match address.port() {
                0 => SocketAddr::new(address.ip(), self.listen_port),
                _ => *address,
            };
            setup.bind.iter().map(|address| with_port(address).to_string()).collect()
        };
        let config = tunnel::Config {
            circle: self.id,
            key: self.key.clone(),
            bind: bind.iter().filter_map(|address| address.parse().ok()).collect(),
            fixed: setup.fixed.clone(),
            // A port that was typed is meant; one that is only remembered may be taken by now.
            port_fallback: setup.bind.iter().all(|address| address.port() == 0),
            lan: setup.lan.then(tunnel::LanConfig::default),
            tcp: setup.tcp,
            mapping: setup.mapping,
            willing: setup.willing,
            dht: self.dht_config(&setup.dht),
            timing: tunnel::Timing::default(),
        };
        let mut effects = vec![Effect::Start(Box::new(config))];
        let commands = self.start_commands();
        effects.extend(commands.into_iter().map(|command| Effect::Tunnel(self.id, command)));
        Some(effects)
    }

    pub(crate) fn handle_mapping(&mut self, status: tunnel::MappingStatus) {
        self.mapping = status.router.map(|router| api::PortMapping {
            router,
            outside: status.mapped.map(|mapped| mapped.outside),
            tcp: status.mapped.is_some_and(|mapped| mapped.tcp),
            means: status.mapped.map(|mapped| mapped.means.to_string()),
            error: status.error,
        });
    }

    fn start_commands(&self) -> Vec<tunnel::Command> {
        if let (Standing::Awaiting, Some(invitation)) = (self.standing, &self.invitation) {
            return vec![self.knock(invitation)];
        }
        let mut commands = vec![tunnel::Command::Allow(self.allowed())];
        let known = self.known.iter().filter(|(device, _)| self.live_member(device).is_some());
        commands.extend(known.map(|(device, addresses)| tunnel::Command::Know {
            device: *device,
            addresses: addresses.clone(),
        }));
        commands.push(tunnel::Command::Invitations(self.knockable()));
        commands.push(self.lan_secrets());
        commands
    }

    /// Lists the devices with which this one has tunnels: of each member the most senior ones, since a member can
    /// add devices to himself without end and each tunnel costs memory.
    pub(crate) fn allowed(&self) -> BTreeSet<DeviceId> {
        let roster = self.charter.roster();
        let of_member = |member: &charter::Member| {
            let mut devices: Vec<_> = member.devices.iter().filter_map(|id| roster.device(id)).collect();
            devices.sort_by_key(|device| (device.level, device.id));
            devices.into_iter().map(|device| device.id).take(TUNNELS_PER_MEMBER).collect::<Vec<_>>()
        };
        roster.members().values().flat_map(of_member).filter(|device| *device != self.me).collect()
    }

    /// Lists the keys of the invitations whose holders are answered: those that are open, and of the others those that
    /// were good for longest, so that whoever comes late is told so.
    pub(crate) fn knockable(&self) -> BTreeSet<[u8; 32]> {
        if self.standing != Standing::Member {
            return BTreeSet::new();
        }
        let mut all: Vec<_> = self.charter.roster().invitations().values().collect();
        all.sort_by_key(|invited| (invited.state != InvitationState::Open, Reverse(invited.expires_ms)));
        all.into_iter().take(KNOCKABLE).map(|invited| *invited.public.as_bytes()).collect()
    }

    /// Lists the charter entries since which a rendezvous secret of its own holds, each with its author: the founding,
    /// every removal.
    pub(crate) fn epochs(&self) -> Vec<(EntryId, DeviceId)> {
        let roster = self.charter.roster();
        let mut removals: Vec<_> =
            roster.removed().values().map(|removed| (removed.at_ms, removed.entry, removed.by)).collect();
        removals.sort_unstable();
        removals.dedup();
        let founding = self.charter.founder().map(|founder| (EntryId::new(*self.id.as_bytes()), founder));
        founding.into_iter().chain(removals.into_iter().map(|(_, entry, by)| (entry, by))).collect()
    }

    /// Makes the secrets under which members find each other on the local network: the current one, then the
    /// one before the last removal.
    ///
    /// Each hashes **all** secrets up to it, so that whoever was removed lacks a part whatever the order of
    /// removals was.
    pub(crate) fn lan_secrets(&self) -> tunnel::Command {
        let held: Vec<_> = self
            .epochs()
            .into_iter()
            .map(|(epoch, _)| epoch)
            .filter(|epoch| self.rendezvous.contains_key(epoch))
            .collect();
        let removed = self.charter.roster().removed();
        let last = held.last().and_then(|last| removed.values().find(|removed| removed.entry == *last));
        let of = |epochs: &[EntryId]| {
            let mut epochs = epochs.to_vec();
            epochs.sort_unstable();
            let mut hasher = crypto::Hasher::new(RENDEZVOUS);
            for secret in epochs.iter().filter_map(|epoch| self.rendezvous.get(epoch)) {
                hasher.part(&secret.0);
            }
            hasher.finish()
        };
        let secrets = match held.split_last() {
            None => Vec::new(),
            Some((_, [])) => vec![of(&held)],
            Some((_, before)) => vec![of(&held), of(before)],
        };
        tunnel::Command::LanSecrets { secrets, since: last.map_or(0, |removed| removed.at_ms / 1000) }
    }

    /// Queues a frame for a device with a link.
    pub(crate) fn send(&self, ctx: &mut Ctx<'_, '_>, device: DeviceId, frame: &Frame) {
        if let Some(link) = self.links.get(&device) {
            let command = tunnel::Command::Send { device, link: link.id, frame: frame.encode() };
            ctx.effects.push(Effect::Tunnel(self.id, command));
        }
    }

    /// Queues a frame for every device with a link but one.
    pub(crate) fn send_all(&self, ctx: &mut Ctx<'_, '_>, but: Option<&DeviceId>, frame: &Frame) {
        for device in self.links.keys().filter(|device| Some(*device) != but) {
            self.send(ctx, *device, frame);
        }
    }

    /// Gives the tunnel a command.
    pub(crate) fn command(&self, ctx: &mut Ctx<'_, '_>, command: tunnel::Command) {
        ctx.effects.push(Effect::Tunnel(self.id, command));
    }

    /// Takes over what is not kept in the vault from the state that a failed turn spoilt.
    pub(crate) fn inherit(&mut self, old: &mut Self, trouble: &str, effects: &mut Vec<Effect>) {
        self.addresses = std::mem::take(&mut old.addresses);
        self.contacts = std::mem::take(&mut old.contacts);
        self.restart_at = old.restart_at;
        self.trouble = Some(trouble.to_owned());
        self.dht = std::mem::take(&mut old.dht);
        self.mapping = old.mapping.take();
        self.inherit_files(&old.files, effects);
        effects.extend(old.links.keys().map(|device| self.close(*device)));
        if let (Standing::Awaiting, Some(invitation)) = (self.standing, &self.invitation) {
            effects.push(Effect::Tunnel(self.id, self.knock(invitation)));
        }
    }

    /// Makes up for an event of the tunnel that a failed turn did not come to.
    pub(crate) fn missed(&mut self, event: tunnel::Event, effects: &mut Vec<Effect>) {
        match event {
            tunnel::Event::Up { device, .. } => effects.push(self.close(device)),
            tunnel::Event::Bound { addresses } => self.addresses = addresses,
            // The rest is about links that are closed, or is tried again by the other side.
            _ => {}
        }
    }

    fn close(&self, device: DeviceId) -> Effect {
        let reason = tunnel::CloseReason::Done;
        Effect::Tunnel(self.id, tunnel::Command::Close { device, reason })
    }

    /// Returns when this circle wants a turn although nothing comes in.
    pub(crate) fn deadline(&self) -> Option<Duration> {
        let lazy = [self.lazy_at, self.far_at, self.telling.at, self.heard_at];
        let timers = [self.ahead_at, self.restart_at, self.talk.expiry_at].into_iter().chain(lazy);
        timers.flatten().min()
    }

    /// Tells whether a device is another member's.
    pub(crate) fn is_of_another(&self, device: &DeviceId) -> bool {
        self.live_member(device).is_some_and(|member| self.my_member().is_some_and(|me| me != member))
    }

    /// Tells whether no link waits for anything that stands in the vault.
    pub(crate) fn owes_nothing(&self) -> bool {
        self.links.values().all(|link| link.owed.is_empty())
    }

    /// Takes note that the tunnel did not start; it is tried again.
    pub(crate) fn tunnel_failed(&mut self, ctx: &mut Ctx<'_, '_>, why: String) {
        tracing::warn!("a tunnel did not start; it is tried again");
        tracing::debug!(why, "why a tunnel did not start");
        self.trouble = Some(why);
        self.restart_at = Some(ctx.time.since_start + RESTART);
        ctx.publish(|| api::Event::Roster { circle: self.id });
    }

    /// Starts the tunnel again if the time has come.
    pub(crate) fn restart_tunnel(&mut self, ctx: &mut Ctx<'_, '_>, setup: &Setup) {
        if self.restart_at.is_some_and(|at| at <= ctx.time.since_start) {
            self.restart_at = None;
            ctx.effects.extend(self.start(setup).into_iter().flatten());
        }
    }
}

/// Answers the journal's question with the charter's roster.
pub(crate) struct Members<'a>(pub(crate) &'a Charter);

impl Membership for Members<'_> {
    fn standing(&self, device: &DeviceId) -> journal::Standing {
        let roster = self.0.roster();
        match (roster.device(device), roster.removed().get(device)) {
            (Some(live), _) => journal::Standing::Live(live.member),
            (None, Some(removed)) => journal::Standing::Removed(removed.member),
            (None, None) => journal::Standing::Unknown,
        }
    }

    fn removal(&self, device: &DeviceId) -> Option<(EntryId, DeviceId)> {
        let removed = self.0.roster().removed().get(device)?;
        (removed.by != *device).then_some((removed.entry, removed.by))
    }

    fn has_removed(&self, by: &DeviceId, entry: &EntryId) -> bool {
        self.0.roster().has_removed(by, entry)
    }
}

/// Reads all circles from the vault.
pub(crate) fn restore_all(vault: &Vault) -> Result<BTreeMap<CircleId, CircleState>, OpenError> {
    let mut circles = BTreeMap::new();
    for record in vault.circles()? {
        circles.insert(record.circle, restore(vault, &record)?);
    }
    Ok(circles)
}

fn restore(vault: &Vault, record: &CircleRecord) -> Result<CircleState, OpenError> {
    let damaged = || OpenError::Damaged { what: Part::Record };
    let entries = vault.charter_entries(record.row).collect::<Result<Vec<_>, _>>()?;
    let charter = Charter::restore(record.circle, entries.into_iter().map(|entry| entry.bytes))
        .map_err(|_| damaged())?;
    let key = SigningKey::from_seed(&record.device_seed);
    let mut state = CircleState::new(record.row, record.circle, key, charter);
    state.standing = record.state;
    state.listen_port = record.listen_port.unwrap_or(0);
    if let Some(pending) = &record.invitation {
        let pending: Pending = wire::decode(&pending.0, wire::limits::FRAME).map_err(|_| damaged())?;
        state.invitation = Some(pending.link.parse().map_err(|_| damaged())?);
        state.redemption = pending.redemption.0;
    }
    let forks: BTreeSet<_> =
        vault.forks(record.row)?.into_iter().map(|fork| (fork.conversation, fork.author)).collect();
    for conversation in vault.conversations(record.row)? {
        let descriptor =
            Descriptor::decode(&conversation.descriptor.0, &record.circle).map_err(|_| damaged())?;
        let id = state.journal.open(descriptor);
        state.conversations.insert(id, conversation.row);
        for act in vault.group_acts(conversation.row)? {
            state.journal.restore_act(&id, &act).map_err(|_| damaged())?;
        }
        let kept = Kept { archived: conversation.archived, muted_until_ms: conversation.muted_until_ms };
        state.talk.kept.insert(id, kept);
        for head in vault.chain_heads(conversation.row)? {
            let forked = forks.contains(&(id, head.author));
            let chain =
                Chain { len: head.seq + 1, head: *head.message.as_bytes(), lamport: head.lamport, forked };
            state.journal.restore(&id, head.author, chain);
        }
        for receipt in vault.receipts(conversation.row)? {
            let chains = state.receipts.entry((id, receipt.device)).or_default();
            chains.insert(receipt.author, (receipt.stored, receipt.read));
        }
        for (author, read) in vault.read_up_to(conversation.row)? {
            state.read.insert((id, author), read);
        }
    }
    state.learn_removals(vault)?;
    // How the chains end is in the vault by now.
    let _ = state.journal.refold(&Members(&state.charter));
    state.restore_history(vault)?;
    state.restore_talk(vault)?;
    state.restore_shares(vault)?;
    state.restore_rekey(vault)?;
    state.restore_recovery(vault)?;
    state.own_fork = forks.iter().any(|(_, author)| *author == state.me);
    state.restore_files(vault)?;
    state.restore_streams(vault)?;
    for known in vault.addresses(record.row)? {
        state.known.entry(known.device).or_default().push(known.address);
    }
    state.rendezvous =
        vault.rendezvous(record.row)?.into_iter().map(|held| (held.epoch, held.secret)).collect();
    state.dht = dht::remembered(vault, &record.circle)?;
    Ok(state)
}

/// What a newcomer keeps until he is let in.
#[derive(Serialize, Deserialize)]
pub(crate) struct Pending {
    pub(crate) link: String,
    pub(crate) redemption: Blob,
}

impl From<Standing> for api::CircleState {
    fn from(standing: Standing) -> Self {
        match standing {
            Standing::Awaiting => Self::Joining,
            Standing::Member => Self::Member,
            Standing::Removed | Standing::Left => Self::Removed,
            Standing::Refused => Self::Refused,
        }
    }
}

/// How long after a tunnel did not start it is tried again: long enough for a port to be given up.
const RESTART: Duration = Duration::from_secs(5);
/// With how many devices of one member there are tunnels at most.
const TUNNELS_PER_MEMBER: usize = 16;
/// Of how many invitations the holders are answered.
const KNOCKABLE: usize = 256;
const RENDEZVOUS: &str = "hexode/node/rendezvous/2";
