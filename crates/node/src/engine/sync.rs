//! What two devices say to each other when they meet and after: charter first, then conversations.

use std::{collections::BTreeMap, net::SocketAddr, time::Duration};

use charter::EntryError;
use journal::{Descriptor, Membership, RunError, Vouched};
use tunnel::{CloseReason, LinkId};
use vault::{
    AddressRecord, AddressSource, CircleState as Standing, ConversationRow, ReceiptRecord, StoreError, Vault,
};
use wire::{
    Blob, ChainHead, ConversationFrontier, ConversationId, DeviceAddresses, DeviceId, Frame, MessageId,
    Receipt, Run, Scope, limits,
};

use super::{
    CircleState, Ctx, Early,
    circle::Members,
    link::{ChainKey, Link},
};
use crate::api;

impl CircleState {
    /// Takes one event of this circle's tunnel.
    pub(crate) fn handle_tunnel(
        &mut self,
        mut ctx: Ctx<'_, '_>,
        event: tunnel::Event,
        early: &Early,
    ) -> Result<(), StoreError> {
        let ctx = &mut ctx;
        match event {
            tunnel::Event::Bound { addresses } => self.handle_bound(ctx, addresses),
            tunnel::Event::Up { device, link, remote, .. } => {
                if let Some(address) = remote.seen() {
                    self.contacts.note(device, address, ctx.time.wall_ms);
                }
                self.handle_up(ctx, device, link)
            }
            tunnel::Event::Down { device, link, reason } => {
                self.contacts.ended(device, ctx.time.wall_ms);
                if reason == tunnel::DownReason::Refused {
                    // He may be the only one who knows yet, and this device is told no more than that.
                    let who = self.name_of(&device);
                    self.trouble = Some(format!("{who} says that this device does not belong to the circle"));
                }
                if self.links.get(&device).is_some_and(|up| up.id == link) {
                    self.unlink(ctx, device);
                }
                Ok(())
            }
            tunnel::Event::Frame { device, link, bytes } => {
                if self.links.get(&device).is_none_or(|up| up.id != link) {
                    return Ok(());
                }
                match Frame::decode(&bytes) {
                    Ok(frame) => self.handle_frame(ctx, device, frame, early),
                    Err(_) => {
                        self.misbehaved(ctx, device, "a frame that does not decode");
                        Ok(())
                    }
                }
            }
            tunnel::Event::Knocked { link, device, invitation, request } => {
                self.handle_knock(ctx, link, device, invitation, &request)
            }
            tunnel::Event::Stream { device, link, opening, stream } => {
                self.handle_stream(ctx, (device, link), &opening, stream)
            }
            tunnel::Event::Refused { reason } => self.handle_refused(ctx, reason),
            tunnel::Event::Dht { status, nodes } => self.handle_dht(ctx, &status, nodes),
            tunnel::Event::Mapping(status) => {
                self.handle_mapping(status);
                Ok(())
            }
            tunnel::Event::Unreachable { device, attempts, error } => {
                self.unreachable.insert(device, (attempts, error));
                Ok(())
            }
        }
    }

    fn handle_bound(&mut self, ctx: &mut Ctx<'_, '_>, addresses: Vec<SocketAddr>) -> Result<(), StoreError> {
        self.addresses = addresses;
        self.trouble = None;
        if let Some(port) = self.addresses.first().map(SocketAddr::port)
            && port != self.listen_port
        {
            self.listen_port = port;
            ctx.tx.set_listen_port(self.row, port)?;
        }
        let own = DeviceAddresses { device: self.me, addresses: self.own_addresses() };
        self.send_all(ctx, None, &Frame::Addresses(vec![own]));
        ctx.publish(|| api::Event::Roster { circle: self.id });
        Ok(())
    }

    fn handle_up(&mut self, ctx: &mut Ctx<'_, '_>, device: DeviceId, link: LinkId) -> Result<(), StoreError> {
        // Who was removed between the tunnel's decision and now is told nothing.
        if self.standing == Standing::Member && self.live_member(&device).is_none() {
            self.command(ctx, tunnel::Command::Close { device, reason: CloseReason::Done });
            return Ok(());
        }
        self.links.insert(device, Link::new(link));
        self.streams.stale = true;
        self.trouble = None;
        self.unreachable.remove(&device);
        self.send(ctx, device, &Frame::CharterHave(self.charter.have()));
        ctx.publish(|| api::Event::Tunnel { circle: self.id, device, up: true });
        Ok(())
    }

    fn handle_frame(
        &mut self,
        ctx: &mut Ctx<'_, '_>,
        device: DeviceId,
        frame: Frame,
        early: &Early,
    ) -> Result<(), StoreError> {
        match frame {
            Frame::CharterHave(ids) => {
                if let Some(link) = self.links.get_mut(&device) {
                    link.charter_wanted = Some(ids);
                }
                Ok(())
            }
            Frame::CharterMore => self.handle_charter_more(ctx, device),
            Frame::CharterEntries(entries) => self.handle_charter(ctx, device, entries),
            Frame::CharterDone => self.handle_charter_done(ctx, device),
            // Everything else is between members: until both sides know that of each other it is not heard.
            _ if self.standing != Standing::Member || self.live_member(&device).is_none() => Ok(()),
            // The charter comes first: under it is decided what may be said, and to whom.
            Frame::Frontier(..)
            | Frame::Entries(_)
            | Frame::Receipts(..)
            | Frame::Wanted(_)
            | Frame::Bodies(..)
            | Frame::GroupHave(_)
            | Frame::GroupActs(..)
                if self.links.get(&device).is_none_or(|link| !link.charter_known) =>
            {
                self.misbehaved(ctx, device, "conversations before the charter");
                Ok(())
            }
            Frame::Frontier(conversations, last) => self.handle_frontier(ctx, device, conversations, last),
            Frame::Entries(runs) => self.handle_entries(ctx, device, runs, early),
            Frame::Receipts(taken, receipts) => self.handle_receipts(ctx, device, taken, &receipts),
            Frame::Rendezvous(epoch, secret) => self.handle_rendezvous(ctx, epoch, secret),
            Frame::Addresses(addresses) => self.handle_addresses(ctx, device, addresses),
            Frame::Wanted(places) => {
                self.handle_wanted(device, places);
                Ok(())
            }
            Frame::Bodies(looked, bodies) => self.handle_bodies(ctx, device, looked, bodies),
            Frame::GroupHave(have) => {
                self.handle_group_have(ctx, device, &have);
                Ok(())
            }
            Frame::GroupActs(descriptor, acts) => self.handle_group_acts(ctx, device, &descriptor, &acts),
        }
    }

    /// Answers what a device last said it holds of the charter: once a turn, however often it asked, and in
    /// parts, so that neither a long charter nor a rude question queues more than a part.
    pub(crate) fn answer_charter(&mut self, ctx: &mut Ctx<'_, '_>, device: DeviceId) {
        let Some(ids) = self.links.get_mut(&device).and_then(|link| link.charter_wanted.take()) else {
            return;
        };
        // A newcomer has nothing to tell, and what he tells is not yet known to be this circle's.
        // Who was removed tells what he knows: by it the removal may be seen to be void.
        let mut missing = match self.standing {
            Standing::Member | Standing::Removed => self.charter.missing_for(&ids),
            _ => Vec::new(),
        };
        let mut room = CHARTER_PART;
        let fits = missing.iter().take_while(|entry| {
            let fits = room > 0;
            room = room.saturating_sub(entry.0.len());
            fits
        });
        let count = fits.count();
        let whole = count == missing.len();
        missing.truncate(count);
        for part in cut(missing, limits::FRAME / 2, |entry| entry.0.len() + 8) {
            self.send(ctx, device, &Frame::CharterEntries(part));
        }
        self.send(ctx, device, if whole { &Frame::CharterDone } else { &Frame::CharterMore });
        if whole && let Some(link) = self.links.get_mut(&device) {
            link.charter_told = true;
        }
        self.introduce_once(ctx, device);
    }

    /// Asks for the rest of the charter, as long as there is progress; with none the rest is not for this device.
    fn handle_charter_more(&mut self, ctx: &mut Ctx<'_, '_>, device: DeviceId) -> Result<(), StoreError> {
        let have = self.charter.have();
        let Some(link) = self.links.get_mut(&device) else { return Ok(()) };
        if link.charter_said == have {
            return self.handle_charter_done(ctx, device);
        }
        link.charter_said.clone_from(&have);
        self.send(ctx, device, &Frame::CharterHave(have));
        Ok(())
    }

    fn handle_charter(
        &mut self,
        ctx: &mut Ctx<'_, '_>,
        device: DeviceId,
        entries: Vec<Blob>,
    ) -> Result<(), StoreError> {
        let mut fresh = Vec::new();
        for entry in entries {
            match self.charter.handle_entry(entry) {
                Ok(accepted) => fresh.extend(accepted),
                Err(error) if is_fault(&error) => {
                    self.misbehaved(ctx, device, "a charter entry that is not one");
                    break;
                }
                Err(error) => tracing::debug!(%error, "charter entry not taken"),
            }
        }
        // Asked once at a time: whoever has what is not taken here would send it again and again.
        if self.charter.lacks_parents()
            && let Some(link) = self.links.get_mut(&device)
            && !std::mem::replace(&mut link.charter_asked, true)
        {
            self.send(ctx, device, &Frame::CharterHave(self.charter.have()));
        }
        self.charter_grew(ctx, fresh, Some(device))
    }

    fn handle_charter_done(&mut self, ctx: &mut Ctx<'_, '_>, device: DeviceId) -> Result<(), StoreError> {
        if self.standing == Standing::Awaiting && !self.is_let_in(ctx, device)? {
            return Ok(());
        }
        if let Some(link) = self.links.get_mut(&device) {
            link.charter_known = true;
            link.charter_asked = false;
        }
        self.introduce_once(ctx, device);
        Ok(())
    }

    /// Introduces this device on a link whose other end is a member's, once each has told the other its charter.
    pub(crate) fn introduce_once(&mut self, ctx: &mut Ctx<'_, '_>, device: DeviceId) {
        let member = self.live_member(&device).is_some();
        if let Some(link) = self.links.get_mut(&device)
            && member
            && link.charter_known
            && link.charter_told
            && !std::mem::replace(&mut link.introduced, true)
        {
            self.introduce(ctx, device);
        }
    }

    /// Tells a member's device, once its charter is known, all that it needs: secrets, addresses, frontier.
    fn introduce(&mut self, ctx: &mut Ctx<'_, '_>, device: DeviceId) {
        for (epoch, secret) in &self.rendezvous {
            self.send(ctx, device, &Frame::Rendezvous(*epoch, *secret));
        }
        let own = DeviceAddresses { device: self.me, addresses: self.own_addresses() };
        let linked =
            self.known.iter().filter(|(known, _)| **known != device && self.links.contains_key(known));
        let others =
            linked.map(|(device, known)| DeviceAddresses { device: *device, addresses: newest(known) });
        let all = std::iter::once(own).chain(others).take(limits::FRONTIER).collect();
        self.send(ctx, device, &Frame::Addresses(all));
        self.tell_groups(ctx, device);
        self.tell_frontier(ctx, device);
    }

    fn handle_frontier(
        &mut self,
        ctx: &mut Ctx<'_, '_>,
        device: DeviceId,
        conversations: Vec<ConversationFrontier>,
        last: bool,
    ) -> Result<(), StoreError> {
        let (Some(me), Some(member)) = (self.my_member(), self.live_member(&device)) else {
            return Ok(());
        };
        for frontier in conversations {
            let Ok(descriptor) = Descriptor::decode(&frontier.descriptor.0, &self.id) else {
                self.misbehaved(ctx, device, "a conversation that is not one");
                return Ok(());
            };
            let id = descriptor.id(&self.id);
            let shared = match self.journal.descriptor(&id) {
                Some(_) => self.journal.includes(&id, &me) && self.journal.includes(&id, &member),
                None => descriptor.includes(&me) && descriptor.includes(&member),
            };
            if !shared || !self.bears_out(&descriptor) || !self.journal.has_room_for(&descriptor) {
                continue;
            }
            let id = self.journal.open(descriptor);
            let row = self.conversation_row(ctx, id)?;
            if let Some(link) = self.links.get_mut(&device) {
                self.journal.chains(&id).for_each(|(author, _)| link.told((id, author), 0));
            }
            for head in &frontier.chains {
                self.handle_head(ctx, device, row, id, head)?;
            }
            self.owe(device, id);
        }
        if last {
            self.heard_of_rekey();
        }
        if last && let Some(link) = self.links.get_mut(&device) {
            link.frontier_known = true;
            self.files.stale = true;
            self.streams.stale = true;
            let readable: Vec<_> = self.journal.readable_by(member).collect();
            readable.into_iter().for_each(|id| self.owe(device, id));
            self.ask_bodies(ctx, device)?;
        }
        Ok(())
    }

    /// Tells whether the charter knows those whom a conversation is between.
    fn bears_out(&self, descriptor: &Descriptor) -> bool {
        let roster = self.charter.roster();
        let known = |member| {
            roster.members().contains_key(member)
                || roster.removed().values().any(|gone| gone.member == *member)
        };
        match descriptor {
            Descriptor::Direct(one, other) => known(one) && known(other),
            Descriptor::Everyone | Descriptor::Group(_) => descriptor.stands(&Members(&self.charter)),
        }
    }

    /// Takes note of how far the other side holds one chain.
    fn handle_head(
        &mut self,
        ctx: &mut Ctx<'_, '_>,
        device: DeviceId,
        row: ConversationRow,
        conversation: ConversationId,
        head: &ChainHead,
    ) -> Result<(), StoreError> {
        let chain = (conversation, head.author);
        // What is kept of a link is bounded by the roster: authors nobody knows are passed over.
        if Members(&self.charter).standing(&head.author) == journal::Standing::Unknown {
            return Ok(());
        }
        let held = self.journal.len(&conversation, &head.author);
        if head.author == self.me && head.seq >= held {
            self.claims.heard(conversation, device, head.seq.saturating_add(1), ctx.time.since_start);
        }
        let same = head.seq >= held
            || message_at(ctx.tx, row, &head.author, head.seq)? == Some(MessageId::new(head.hash));
        let len = head.seq.saturating_add(1);
        if let Some(link) = self.links.get_mut(&device) {
            link.told(chain, if same { len } else { head.seq });
            link.unreported.insert(chain);
            // Where the two histories differ the author forked his chain, and the other side may not know it.
            if !same {
                link.forks.insert(chain);
            }
        }
        if same && held > 0 {
            self.note_receipt(ctx, device, chain, len.min(held), 0)?;
        }
        Ok(())
    }

    fn handle_entries(
        &mut self,
        ctx: &mut Ctx<'_, '_>,
        device: DeviceId,
        runs: Vec<Run>,
        early: &Early,
    ) -> Result<(), StoreError> {
        for run in runs {
            if !self.links.contains_key(&device) {
                return Ok(());
            }
            self.handle_run(ctx, device, run, early)?;
        }
        if let Some(link) = self.links.get_mut(&device) {
            link.taken += 1;
        }
        Ok(())
    }

    fn handle_run(
        &mut self,
        ctx: &mut Ctx<'_, '_>,
        device: DeviceId,
        run: Run,
        early: &Early,
    ) -> Result<(), StoreError> {
        let Some(((conversation, author), start)) = chain_of(&run) else {
            self.misbehaved(ctx, device, "an entry that is not one");
            return Ok(());
        };
        if !self.has_share(ctx, &author) {
            if let Some(link) = self.links.get_mut(&device) {
                link.refused.insert(conversation);
            }
            return Ok(());
        }
        self.open_implied(conversation, device);
        let row = self.conversations.get(&conversation).copied();
        let held_at = |seq| {
            let found = row.map(|row| message_at(ctx.tx, row, &author, seq));
            found.and_then(Result::ok).flatten()
        };
        let unvouched = Vouched::default();
        let vouched = early.vouched().unwrap_or(&unvouched);
        let (members, now_ms) = (Members(&self.charter), ctx.time.wall_ms);
        let placed = self.journal.handle_vouched_run(run, vouched, &device, &members, now_ms, held_at);
        let chain: ChainKey = (conversation, author);
        match placed {
            Ok(placed) => {
                let len = self.journal.len(&conversation, &author);
                if author == self.me {
                    self.claims.delivered(conversation, device, len, ctx.time.since_start);
                    self.tell_put_back(ctx)?;
                }
                self.count_share(&placed.run);
                self.store_run(ctx, placed.run)?;
                self.telling.came_at = Some(ctx.time.since_start);
                if let Some(link) = self.links.get_mut(&device) {
                    link.holds(chain, len);
                    link.unreported.insert(chain);
                }
                // Who wrote it has it; if not, he hears of it by the receipt, and says from where on he lacks it.
                if let Some(link) = self.links.get_mut(&author) {
                    link.holds(chain, len);
                }
            }
            Err(RunError::Known) => {
                if let Some(link) = self.links.get_mut(&device) {
                    link.unreported.insert(chain);
                }
            }
            Err(RunError::Gap { .. }) => {
                if let Some(link) = self.links.get_mut(&device) {
                    link.gaps.insert(conversation);
                }
            }
            Err(RunError::Forked(fork)) => {
                let row = self.conversation_row(ctx, conversation)?;
                let proof = wire::encode(&fork.other.proof());
                ctx.tx.add_fork(row, &fork.author, fork.seq, fork.held.as_bytes(), &proof)?;
                tracing::warn!("a chain was forked");
                tracing::debug!(author = ?fork.author, "whose chain was forked");
                ctx.publish(|| api::Event::Fork { circle: self.id, author: fork.author });
                self.distrust(ctx, conversation, &fork.author);
                if fork.author == self.me {
                    self.forked_myself(ctx)?;
                }
                self.prove_fork(device, chain, fork.seq);
            }
            // Why else would entries come that are held here?
            Err(RunError::ForkKnown) if start < self.journal.len(&conversation, &author) => {
                self.prove_fork(device, chain, start);
            }
            Err(RunError::Ahead { from_ms, .. }) => self.note_ahead(ctx, device, conversation, from_ms),
            Err(RunError::AuthorMayNot | RunError::Ended) => {
                if let Some(link) = self.links.get_mut(&device) {
                    link.refused.insert(conversation);
                }
            }
            // One that is not known cannot be asked for again, and anyone can make up a name for one.
            Err(RunError::ForkKnown | RunError::SenderMayNot | RunError::UnknownConversation) => {}
            Err(error) => {
                tracing::warn!(%error, "a run was refused");
                self.misbehaved(ctx, device, "entries that are not what they claim");
            }
        }
        Ok(())
    }

    /// Opens a conversation that both sides know without being told: everyone's, and their direct one.
    fn open_implied(&mut self, conversation: ConversationId, device: DeviceId) {
        if self.journal.descriptor(&conversation).is_some() {
            return;
        }
        if let (Some(me), Some(member)) = (self.my_member(), self.live_member(&device)) {
            let direct = Descriptor::direct(me, member);
            if direct.id(&self.id) == conversation {
                self.journal.open(direct);
            }
        }
    }

    /// Sends this device's entries of a forked chain, from a place that both ends hold on: the other side has its half
    /// of the proof, this is ours. Once a link, or two that know of a fork would tell each other for ever.
    fn prove_fork(&mut self, device: DeviceId, chain: ChainKey, from: u64) {
        if let Some(link) = self.links.get_mut(&device)
            && link.forks.insert(chain)
        {
            link.told(chain, from);
            link.owed.insert(chain);
        }
    }

    fn handle_receipts(
        &mut self,
        ctx: &mut Ctx<'_, '_>,
        device: DeviceId,
        taken: u64,
        receipts: &[Receipt],
    ) -> Result<(), StoreError> {
        if let Some(link) = self.links.get_mut(&device) {
            link.acknowledged(taken);
        }
        let Some(member) = self.live_member(&device) else {
            return Ok(());
        };
        let mine = self.my_member() == Some(member);
        for receipt in receipts {
            let (conversation, author) = (receipt.conversation, receipt.author);
            let held = self.journal.len(&conversation, &author);
            if !self.journal.includes(&conversation, &member) {
                continue;
            }
            // It counts the entries of another history.
            if self.links.get(&device).is_some_and(|link| link.forks.contains(&(conversation, author))) {
                continue;
            }
            if author == self.me && receipt.stored > held {
                self.claims.heard(conversation, device, receipt.stored, ctx.time.since_start);
                if let Some(link) = self.links.get_mut(&device) {
                    link.gaps.insert(conversation);
                }
            }
            if held == 0 {
                continue;
            }
            // A device can say it has more than this one holds; what is not held is not noted.
            let (stored, read) = (receipt.stored.min(held), receipt.read.min(held));
            if let Some(link) = self.links.get_mut(&device) {
                link.holds((conversation, author), stored);
            }
            self.note_receipt(ctx, device, (conversation, author), stored, read)?;
            if mine {
                self.note_read(ctx, (conversation, author), read)?;
            }
        }
        Ok(())
    }

    /// Takes note of what a device says it has stored and read, if it is more than before.
    ///
    /// It is what another device has stored, and says again on every link: so it is shown at once and stored a
    /// little later, with others. A crash in between forgets it until the next link.
    fn note_receipt(
        &mut self,
        ctx: &mut Ctx<'_, '_>,
        device: DeviceId,
        (conversation, author): ChainKey,
        stored: u64,
        read: u64,
    ) -> Result<(), StoreError> {
        self.conversation_row(ctx, conversation)?;
        let chains = self.receipts.entry((conversation, device)).or_default();
        let known = chains.entry(author).or_default();
        let new = (known.0.max(stored), known.1.max(read));
        if *known == new {
            return Ok(());
        }
        *known = new;
        self.heard.insert((conversation, device, author));
        self.heard_at = self.heard_at.or(Some(ctx.time.since_start + KEEP));
        ctx.publish(|| api::Event::Receipt {
            circle: self.id,
            conversation,
            device,
            author,
            stored: new.0,
            read: new.1,
        });
        Ok(())
    }

    /// Stores the receipts that were heard since the last time.
    pub(crate) fn keep_receipts(&mut self, tx: &mut vault::Turn<'_>) -> Result<(), StoreError> {
        self.heard_at = None;
        for (conversation, device, author) in std::mem::take(&mut self.heard) {
            let chains = self.receipts.get(&(conversation, device));
            let told = chains.and_then(|chains| chains.get(&author)).copied();
            if let (Some(row), Some((stored, read))) = (self.conversations.get(&conversation), told) {
                tx.set_receipt(*row, &ReceiptRecord { device, author, stored, read })?;
            }
        }
        Ok(())
    }

    /// Keeps how far the person has read a chain, if it is further than before.
    pub(crate) fn note_read(
        &mut self,
        ctx: &mut Ctx<'_, '_>,
        chain: ChainKey,
        read: u64,
    ) -> Result<(), StoreError> {
        let known = self.read.entry(chain).or_default();
        if read <= *known {
            return Ok(());
        }
        *known = read;
        let row = self.conversation_row(ctx, chain.0)?;
        ctx.tx.set_read(row, &chain.1, read)?;
        for link in self.links.values_mut() {
            link.unreported.insert(chain);
        }
        Ok(())
    }

    fn handle_addresses(
        &mut self,
        ctx: &mut Ctx<'_, '_>,
        from: DeviceId,
        told: Vec<DeviceAddresses>,
    ) -> Result<(), StoreError> {
        let mut news = Vec::new();
        // One word a device counts: the last.
        let told: BTreeMap<_, _> = told.into_iter().map(|told| (told.device, told.addresses)).collect();
        for (device, mut addresses) in told {
            let own = device == from;
            addresses.retain(|address| self.is_worth_dialling(address));
            if device == self.me || self.live_member(&device).is_none() || addresses.is_empty() {
                continue;
            }
            // What a device says of itself stands. What others say is only added, where nothing better is known,
            // and seldom: a member must not make this device dial whatever he likes as often as he likes.
            if !own && (self.links.contains_key(&device) || !self.is_hearsay_due(ctx, device)) {
                continue;
            }
            let known = self.known.entry(device).or_default();
            let before = known.clone();
            if own {
                known.clone_from(&addresses);
            } else {
                known.retain(|address| !addresses.contains(address));
                known.splice(0..0, addresses);
                let surplus = known.len().saturating_sub(limits::ADDRESSES);
                known.drain(..surplus);
            }
            if *known == before {
                continue;
            }
            let known = known.clone();
            ctx.tx.remove_addresses(self.row, &device)?;
            for (at, address) in known.iter().enumerate() {
                let noted_ms = ctx.time.wall_ms.saturating_sub(at as u64);
                let source = AddressSource::Announced;
                let record = AddressRecord { device, address: *address, source, noted_ms, last_ok_ms: None };
                ctx.tx.set_address(self.row, &record)?;
            }
            if own {
                news.push(DeviceAddresses { device, addresses: newest(&known) });
            }
            self.command(ctx, tunnel::Command::Know { device, addresses: known });
        }
        if !news.is_empty() {
            self.send_all(ctx, Some(&from), &Frame::Addresses(news));
        }
        Ok(())
    }

    /// Tells whether an address that was told could be another device's: no group of machines, no placeholder,
    /// and this very machine only if this device itself is to be found there.
    fn is_worth_dialling(&self, address: &SocketAddr) -> bool {
        match Scope::of(address) {
            // Which interface is meant, the address does not say.
            Scope::Nowhere | Scope::Interface => false,
            Scope::Machine => self.addresses.iter().any(|own| own.ip().is_loopback()),
            Scope::Network | Scope::World => true,
        }
    }

    /// Tells whether hearsay about a device's addresses is heard again already; if so, the next is a while off.
    fn is_hearsay_due(&mut self, ctx: &Ctx<'_, '_>, device: DeviceId) -> bool {
        let now = ctx.time.since_start;
        let due = self.hearsay_at.get(&device).is_none_or(|at| *at <= now);
        if due {
            self.hearsay_at.insert(device, now + HEARSAY);
        }
        due
    }

    /// Returns the addresses this device tells others of itself.
    pub(crate) fn own_addresses(&self) -> Vec<SocketAddr> {
        newest(&self.addresses)
    }

    /// Closes the link to a device that broke the rules; what it sent after that is not looked at.
    pub(crate) fn misbehaved(&mut self, ctx: &mut Ctx<'_, '_>, device: DeviceId, how: &'static str) {
        tracing::warn!(how, "a link is closed");
        tracing::debug!(?device, "whose link is closed");
        self.unlink(ctx, device);
        self.command(ctx, tunnel::Command::Close { device, reason: CloseReason::Misbehaved });
    }

    /// Forgets a link: nobody asks anything of that device any more.
    pub(super) fn unlink(&mut self, ctx: &mut Ctx<'_, '_>, device: DeviceId) {
        if self.links.remove(&device).is_some() {
            self.files.stale = true;
            self.streams.stale = true;
            ctx.publish(|| api::Event::Tunnel { circle: self.id, device, up: false });
        }
    }
}

/// Returns whose chain a run is of, and where in it the run starts.
fn chain_of(run: &Run) -> Option<(ChainKey, u64)> {
    let first = run.entries.first()?;
    let entry = journal::Entry::decode(wire::RawEntry { header: first.header.clone(), body: None }).ok()?;
    Some(((entry.header.conversation, entry.header.author), entry.header.seq))
}

/// Tells whether a charter entry could not have come from a device that keeps the rules.
fn is_fault(error: &EntryError) -> bool {
    !matches!(
        error,
        EntryError::Newer { .. } | EntryError::ChainTooLong | EntryError::Full | EntryError::NoRoomToWait
    )
}

/// Returns the id of the entry that is stored at one place of a chain.
fn message_at(
    vault: &Vault,
    conversation: ConversationRow,
    author: &DeviceId,
    seq: u64,
) -> Result<Option<MessageId>, StoreError> {
    let entry = vault.entries_from(conversation, author, seq, 1, 0)?.pop();
    Ok(entry.filter(|entry| entry.seq == seq).map(|entry| entry.message))
}

fn newest(addresses: &[SocketAddr]) -> Vec<SocketAddr> {
    let surplus = addresses.len().saturating_sub(limits::ADDRESSES);
    addresses.iter().skip(surplus).copied().collect()
}

/// Cuts a list into parts of at most `limit` by `weight`; an item heavier than that stands alone.
pub(crate) fn cut<T>(items: Vec<T>, limit: usize, weight: impl Fn(&T) -> usize) -> Vec<Vec<T>> {
    let mut parts: Vec<Vec<T>> = Vec::new();
    let mut room = 0;
    for item in items {
        let heavy = weight(&item);
        match parts.last_mut() {
            Some(part) if heavy <= room => {
                room -= heavy;
                part.push(item);
            }
            _ => {
                room = limit.saturating_sub(heavy);
                parts.push(vec![item]);
            }
        }
    }
    parts
}

/// How many bytes of charter answer one question.
const CHARTER_PART: usize = 2 << 20;
/// How long after hearsay about a device's addresses the next is heard.
const HEARSAY: Duration = Duration::from_secs(10);
/// How long a receipt is shown at most before it is stored.
const KEEP: Duration = Duration::from_millis(250);
