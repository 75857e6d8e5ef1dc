//! The way of entries through a turn: signed and stored first, then offered to whoever lacks them.

use std::{collections::BTreeSet, time::Duration};

use journal::{SignedRun, seal_runs};
use vault::{CircleState as Standing, ConversationRow, EntryRecord, StoreError};
use wire::{Blob, ConversationId, DeviceId, Frame, RawEntry, Receipt, Run, limits};

use super::{CircleState, Ctx, Effect, change::due, link::ChainKey};
use crate::api;

impl Ctx<'_, '_> {
    /// Adds an event if anyone listens.
    pub(crate) fn publish(&mut self, event: impl FnOnce() -> api::Event) {
        if self.watched {
            self.effects.push(Effect::Publish(Box::new(event())));
        }
    }
}

impl CircleState {
    /// Ends the turn for this circle: stores what was written, and queues what others are owed.
    pub(crate) fn finish_turn(&mut self, ctx: &mut Ctx<'_, '_>) -> Result<(), StoreError> {
        for run in seal_runs(std::mem::take(&mut self.written), &self.key) {
            self.store_run(ctx, run.clone())?;
            self.fresh.push(run);
        }
        self.settle_ends(ctx)?;
        if self.lazy_at.is_some_and(|at| at <= ctx.time.since_start) {
            self.offer_lazily(ctx);
        }
        if self.far_at.is_some_and(|at| at <= ctx.time.since_start) {
            self.offer_to_all(ctx);
        }
        self.tell_more(ctx);
        if self.heard_at.is_some_and(|at| at <= ctx.time.since_start) {
            self.keep_receipts(ctx.tx)?;
        }
        if self.ahead_at.is_some_and(|at| at <= ctx.time.since_start) {
            self.ask_ahead(ctx);
        }
        self.expire(ctx)?;
        self.keep_shares(ctx)?;
        self.settle_files(ctx)?;
        self.settle_streams(ctx);
        let devices: Vec<_> = self.links.keys().copied().collect();
        devices.iter().for_each(|device| self.answer_charter(ctx, *device));
        if self.standing == Standing::Member {
            if std::mem::take(&mut self.talk.lacks) {
                devices.iter().try_for_each(|device| self.ask_bodies(ctx, *device))?;
            }
            for device in devices {
                self.ask_again(ctx, device);
                self.answer_wanted(ctx, device)?;
                self.fill(ctx, device)?;
                self.report(ctx, device);
            }
        }
        self.fresh.clear();
        Ok(())
    }

    /// Stores a run and tells front ends; one's own is owed to every link, another's is offered after a while.
    pub(crate) fn store_run(&mut self, ctx: &mut Ctx<'_, '_>, run: SignedRun) -> Result<(), StoreError> {
        let Some(first) = run.entries.first() else {
            return Ok(());
        };
        let (conversation, author) = (first.header.conversation, first.header.author);
        let row = self.conversation_row(ctx, conversation)?;
        let last = run.entries.len() - 1;
        for (at, entry) in run.entries.iter().enumerate() {
            self.store_entry(ctx, row, entry, (at == last).then_some(run.signature))?;
        }
        let below = self.below(&conversation, author);
        if author == self.me && below.is_none() {
            let devices: Vec<_> = self.links.keys().copied().collect();
            devices.into_iter().for_each(|device| self.owe(device, conversation));
            return Ok(());
        }
        below.into_iter().flatten().for_each(|device| self.owe(device, conversation));
        self.lazy.insert((conversation, author));
        self.lazy_at = self.lazy_at.or(Some(ctx.time.since_start + LAZY));
        Ok(())
    }

    /// Names the devices to which this one passes an author's entries on at once; nothing where readers are so few that the
    /// author sends to all of them.
    fn below(&self, conversation: &ConversationId, author: DeviceId) -> Option<Vec<DeviceId>> {
        let readers = self.many_readers(conversation)?;
        Some(journal::passes_to(author, self.me, readers.into_iter(), |device| {
            self.links.contains_key(device)
        }))
    }

    /// Names the devices that are told soon how far an author's chain has come here: the author, whoever passes it on to
    /// this one or gets it from it, and one's own. Nothing where readers are few: then all are.
    fn near(&self, conversation: &ConversationId, author: DeviceId) -> Option<BTreeSet<DeviceId>> {
        let readers = self.many_readers(conversation)?;
        let mut near: BTreeSet<_> = self.below(conversation, author)?.into_iter().collect();
        let linked = |device: &DeviceId| self.links.contains_key(device);
        near.extend(journal::gets_from(author, self.me, readers.into_iter(), linked));
        near.insert(author);
        let me = self.my_member();
        near.extend(self.links.keys().copied().filter(|device| self.live_member(device) == me));
        Some(near)
    }

    /// Lists the devices that read a conversation, if they are many.
    fn many_readers(&self, conversation: &ConversationId) -> Option<Vec<DeviceId>> {
        let devices = self.charter.roster().devices();
        if devices.len() <= journal::FEW {
            return None;
        }
        let reads = |device: &&charter::Device| self.journal.includes(conversation, &device.member);
        let readers: Vec<_> = devices.values().filter(reads).map(|device| device.id).collect();
        (readers.len() > journal::FEW).then_some(readers)
    }

    /// Notes which chains of a conversation the device at the other end of a link may lack entries of.
    pub(crate) fn owe(&mut self, device: DeviceId, conversation: ConversationId) {
        let Some(member) = self.live_member(&device) else {
            return;
        };
        let Some(link) = self.links.get_mut(&device) else {
            return;
        };
        if !self.journal.includes(&conversation, &member) {
            return;
        }
        for (author, chain) in self.journal.chains(&conversation) {
            if chain.len > link.next(&(conversation, author)) {
                link.owed.insert((conversation, author));
            }
        }
    }

    /// Tells everyone who reads a conversation that it is there, before the first entry.
    pub(crate) fn announce(&mut self, ctx: &mut Ctx<'_, '_>, conversation: ConversationId) {
        let readers: Vec<_> = self
            .links
            .iter()
            .filter(|(_, link)| link.introduced && !link.announced.contains(&conversation))
            .filter(|(device, _)| {
                let member = self.live_member(device);
                member.is_some_and(|member| self.journal.includes(&conversation, &member))
            })
            .map(|(device, _)| *device)
            .collect();
        for device in readers {
            let held = self.journal.frontier(&conversation).into_iter().collect();
            self.send(ctx, device, &Frame::Frontier(held, false));
            if let Some(link) = self.links.get_mut(&device) {
                link.announced.insert(conversation);
            }
        }
    }

    /// Tells every link how far this device has come, and offers what came from others a while later, to those who
    /// have not said by then that they hold it: whoever is not connected to the author gets his entries this way,
    /// and whoever is gets them once.
    fn offer_lazily(&mut self, ctx: &Ctx<'_, '_>) {
        let devices: Vec<_> = self.links.keys().copied().collect();
        for (conversation, author) in std::mem::take(&mut self.offers) {
            let near = self.near(&conversation, author);
            if near.is_some() {
                self.far.insert((conversation, author));
                self.far_at = self.far_at.or(Some(ctx.time.since_start + FAR));
            }
            let to = devices.iter().filter(|device| near.as_ref().is_none_or(|near| near.contains(device)));
            to.for_each(|device| self.owe(*device, conversation));
        }
        self.offers = std::mem::take(&mut self.lazy);
        let offers: Vec<_> = self.offers.iter().copied().collect();
        // How far one's own chain has come here is no news to anybody.
        for chain in offers.into_iter().filter(|(_, author)| *author != self.me) {
            let near = self.near(&chain.0, chain.1);
            for (device, link) in &mut self.links {
                if near.as_ref().is_none_or(|near| near.contains(device)) {
                    link.unreported.insert(chain);
                }
            }
        }
        self.lazy_at = (!self.offers.is_empty()).then(|| ctx.time.since_start + LAZY);
    }

    /// Does for all links, much later, what [`offer_lazily`](Self::offer_lazily) does for those that are near, where readers
    /// are many: one report a while to each instead of one for each message, and nobody is left out for good.
    fn offer_to_all(&mut self, ctx: &Ctx<'_, '_>) {
        let devices: Vec<_> = self.links.keys().copied().collect();
        for (conversation, _) in std::mem::take(&mut self.far_offers) {
            devices.iter().for_each(|device| self.owe(*device, conversation));
        }
        self.far_offers = std::mem::take(&mut self.far);
        for chain in self.far_offers.iter().filter(|(_, author)| *author != self.me) {
            for link in self.links.values_mut() {
                link.unreported.insert(*chain);
            }
        }
        self.far_at = (!self.far_offers.is_empty()).then(|| ctx.time.since_start + FAR);
    }

    /// Tells a device from where on it is to send the conversations in which something is missing, once a turn
    /// however many of its entries did not fit.
    fn ask_again(&mut self, ctx: &mut Ctx<'_, '_>, device: DeviceId) {
        let gaps = self.links.get_mut(&device).map(|link| std::mem::take(&mut link.gaps)).unwrap_or_default();
        for conversation in gaps {
            let held = self.journal.frontier(&conversation).into_iter().collect();
            self.send(ctx, device, &Frame::Frontier(held, false));
        }
    }

    /// Takes note that entries came whose time has not come, by this device's clock.
    pub(crate) fn note_ahead(
        &mut self,
        ctx: &Ctx<'_, '_>,
        device: DeviceId,
        conversation: ConversationId,
        from_ms: u64,
    ) {
        if let Some(link) = self.links.get_mut(&device) {
            let known = link.ahead.entry(conversation).or_insert(from_ms);
            *known = from_ms.min(*known);
            let at = due(ctx, from_ms);
            self.ahead_at = Some(self.ahead_at.map_or(at, |known| known.min(at)));
        }
    }

    /// Asks again for what was ahead of this device's clock and is not any more.
    fn ask_ahead(&mut self, ctx: &Ctx<'_, '_>) {
        for link in self.links.values_mut() {
            let come = |from_ms: &u64| *from_ms <= ctx.time.wall_ms;
            link.gaps.extend(link.ahead.iter().filter(|(_, from_ms)| come(from_ms)).map(|(id, _)| *id));
            link.ahead.retain(|_, from_ms| !come(from_ms));
        }
        // A clock that is set meanwhile is looked at again after a while.
        let next = self.links.values().flat_map(|link| link.ahead.values()).min();
        self.ahead_at = next.map(|from_ms| due(ctx, *from_ms));
    }

    /// Queues entries for a device until it has all or enough are under way.
    fn fill(&mut self, ctx: &mut Ctx<'_, '_>, device: DeviceId) -> Result<(), StoreError> {
        loop {
            let Some(link) = self.links.get_mut(&device) else {
                return Ok(());
            };
            if !link.has_room() {
                return Ok(());
            }
            let Some(chain) = link.owed.first().copied() else {
                return Ok(());
            };
            let (conversation, author) = chain;
            let next = link.next(&chain);
            let mut runs = self.runs_from(ctx, chain, next)?;
            self.withhold(device, &conversation, &mut runs);
            let Some(link) = self.links.get_mut(&device) else {
                return Ok(());
            };
            if runs.is_empty() {
                link.owed.remove(&chain);
                continue;
            }
            if link.announced.insert(conversation) {
                let held = self.journal.frontier(&conversation).into_iter().collect();
                self.send(ctx, device, &Frame::Frontier(held, false));
            }
            let sent: usize = runs.iter().map(|run| run.entries.len()).sum();
            let len = next + sent as u64;
            let frame = Frame::Entries(runs).encode();
            let Some(link) = self.links.get_mut(&device) else {
                return Ok(());
            };
            link.sending(chain, len, frame.len());
            let is_forked = link.forks.contains(&chain);
            if is_forked {
                link.told(chain, u64::MAX);
            }
            if is_forked || len >= self.journal.len(&conversation, &author) {
                link.owed.remove(&chain);
            }
            let command = tunnel::Command::Send { device, link: link.id, frame };
            ctx.effects.push(Effect::Tunnel(self.id, command));
        }
    }

    /// Returns runs of a chain from `next` on, about [`FRAME_TARGET`] bytes of them; empty at its end.
    fn runs_from(
        &self,
        ctx: &Ctx<'_, '_>,
        (conversation, author): ChainKey,
        next: u64,
    ) -> Result<Vec<Run>, StoreError> {
        if next >= self.journal.len(&conversation, &author) {
            return Ok(Vec::new());
        }
        // What was stored in this very turn need not be read back.
        let here = |run: &&SignedRun| {
            let first = run.entries.first().map(|entry| &entry.header);
            first.is_some_and(|first| {
                (first.conversation, first.author, first.seq) == (conversation, author, next)
            })
        };
        if let Some(run) = self.fresh.iter().find(here) {
            return Ok(vec![run.to_wire()]);
        }
        let Some(row) = self.conversations.get(&conversation) else {
            return Ok(Vec::new());
        };
        let entries =
            ctx.tx.entries_from(*row, &author, next, 2 * limits::RUN, limits::RUN_WEIGHT + limits::BODY)?;
        let runs = regroup(entries);
        if runs.is_empty() { self.bare_run(ctx, *row, author, next) } else { Ok(runs) }
    }

    /// Returns what stands under the first signature from `next` on without its bodies, which are too heavy for one
    /// run: they came by themselves, and are asked for that way.
    fn bare_run(
        &self,
        ctx: &Ctx<'_, '_>,
        row: ConversationRow,
        author: DeviceId,
        next: u64,
    ) -> Result<Vec<Run>, StoreError> {
        let mut entries = Vec::new();
        while entries.len() < limits::RUN {
            let from = next + entries.len() as u64;
            let part = ctx.tx.entries_from(row, &author, from, limits::RUN, limits::RUN_WEIGHT)?;
            if part.is_empty() {
                break;
            }
            for EntryRecord { header, signature, .. } in part {
                entries.push(RawEntry { header, body: None });
                if let Some(signature) = signature {
                    return Ok(vec![Run { entries, signature }]);
                }
            }
        }
        Ok(Vec::new())
    }

    /// Tells the device at the other end what is stored and read here of the chains that moved.
    fn report(&mut self, ctx: &mut Ctx<'_, '_>, device: DeviceId) {
        let Some(member) = self.live_member(&device) else {
            return;
        };
        let Some(link) = self.links.get_mut(&device) else {
            return;
        };
        if !link.frontier_known || (link.unreported.is_empty() && link.taken == link.taken_told) {
            return;
        }
        let moved = std::mem::take(&mut link.unreported);
        link.taken_told = link.taken;
        let taken = link.taken;
        let readable =
            moved.into_iter().filter(|(conversation, _)| self.journal.includes(conversation, &member));
        let receipts: Vec<_> = readable
            .map(|(conversation, author)| Receipt {
                conversation,
                author,
                stored: self.journal.len(&conversation, &author),
                read: self.read.get(&(conversation, author)).copied().unwrap_or(0),
            })
            .collect();
        let parts: Vec<_> = receipts.chunks(limits::FRONTIER).map(<[_]>::to_vec).collect();
        if parts.is_empty() {
            self.send(ctx, device, &Frame::Receipts(taken, Vec::new()));
        }
        for part in parts {
            self.send(ctx, device, &Frame::Receipts(taken, part));
        }
    }
}

/// Puts stored entries together as runs that end where a signature is held, as long as the bounds allow.
fn regroup(entries: Vec<EntryRecord>) -> Vec<Run> {
    let mut runs = Vec::new();
    let (mut open, mut weight, mut total) = (Vec::new(), 0, 0);
    let mut signed: Option<(usize, wire::Signature)> = None;
    let mut close = |open: &mut Vec<RawEntry>, signed: &mut Option<(usize, wire::Signature)>| {
        let Some((len, signature)) = signed.take() else {
            return false;
        };
        let rest = open.split_off(len);
        runs.push(Run { entries: std::mem::replace(open, rest), signature });
        true
    };
    for entry in entries {
        let heavy = entry.header.0.len() + entry.body.as_ref().map_or(0, |body: &Blob| body.0.len()) + 16;
        if open.len() == limits::RUN || weight + heavy + 72 > limits::RUN_WEIGHT {
            let closed = close(&mut open, &mut signed);
            weight = open
                .iter()
                .map(|raw: &RawEntry| {
                    raw.header.0.len() + raw.body.as_ref().map_or(0, |body| body.0.len()) + 16
                })
                .sum();
            if !closed || total >= FRAME_TARGET {
                break;
            }
        }
        weight += heavy;
        total += heavy;
        open.push(RawEntry { header: entry.header, body: entry.body });
        if let Some(signature) = entry.signature {
            signed = Some((open.len(), signature));
            if total >= FRAME_TARGET {
                break;
            }
        }
    }
    close(&mut open, &mut signed);
    runs
}

/// How many bytes of entries go into one frame.
const FRAME_TARGET: usize = 128 << 10;

/// How long a device waits before it offers another's entries to those who may have them from him directly.
const LAZY: Duration = Duration::from_millis(500);

/// How long it waits before it tells and offers those who are far from it, where readers are many.
const FAR: Duration = Duration::from_secs(8);
