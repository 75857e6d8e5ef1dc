//! Files of a circle: which are offered, which are wanted, who may have them, who can be asked for them.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use crypto::Entropy;
use journal::Offer;
use tunnel::{LinkId, Stream};
use vault::{
    CircleState as Standing, ConversationRow, EntryRecord, FilePlace, FileRecord, FileState, Gone,
    StoreError, Vault,
};
use wire::{ConversationId, DeviceId, FileId, Opening};
use zeroize::Zeroizing;

use super::{CircleState, Ctx, Effect, talk::content_of};
use crate::{
    api::{self, ApiError, ErrorKind},
    files::{Command, Progress, Report, Turn, has_room},
};

/// What is kept in memory of a circle's files.
#[derive(Debug, Default)]
pub(crate) struct Files {
    /// Files of which chunks are here.
    pub(super) records: BTreeMap<FileId, FileRecord>,
    /// Files that are being collected.
    pub(super) running: BTreeMap<FileId, Running>,
    /// How much was here of files that are collected no longer, when they were last.
    pub(super) halted: BTreeMap<FileId, u64>,
    /// How many bytes of each were given to others.
    pub(super) given: BTreeMap<FileId, Arc<AtomicU64>>,
    /// Files of which an offer went: when the turn ends it is looked whether there is another.
    pub(super) dropped: BTreeSet<FileId>,
    /// Whether something changed that says who is asked for what.
    pub(super) stale: bool,
    pub(super) policy: Policy,
}

/// A file that is being collected.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) progress: Arc<Progress>,
    /// Whom the shell was last told to ask.
    told: BTreeMap<DeviceId, LinkId>,
}

/// Which files come by themselves, and how much room they all get.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Policy {
    pub(super) auto: u64,
    /// 0 for no bound.
    pub(super) quota: u64,
}

impl Default for Policy {
    fn default() -> Self {
        Self { auto: AUTO, quota: 0 }
    }
}

/// A message that offers a file, as it is stored.
pub(super) struct Offered {
    pub(super) conversation: ConversationId,
    pub(super) record: EntryRecord,
    pub(super) offer: Offer,
}

impl CircleState {
    /// Reads what is kept in memory of files from the vault.
    pub(crate) fn restore_files(&mut self, vault: &Vault) -> Result<(), StoreError> {
        for record in vault.files(self.row)? {
            // A crash may have come between the erasing of the last offer and this.
            self.files.dropped.insert(record.file);
            self.files.records.insert(record.file, record);
        }
        if let Some(bytes) = vault.setting(&self.policy_setting())?
            && let Ok((auto, quota)) = wire::decode(&bytes, 32)
        {
            self.files.policy = Policy { auto, quota };
        }
        self.files.stale = !self.files.records.is_empty();
        Ok(())
    }

    /// Lists where chunks of files are.
    pub(crate) fn file_places(&self) -> impl Iterator<Item = FilePlace> {
        self.files.records.values().map(|record| record.place)
    }

    /// Takes over what runs from the state that a failed turn spoilt.
    pub(super) fn inherit_files(&mut self, old: &Files, effects: &mut Vec<Effect>) {
        // What was begun or told in that turn never came to the shell: all begins anew.
        for file in old.running.keys() {
            effects.push(Effect::Files(Command::Stop { circle: self.id, file: *file }));
        }
        self.files.stale = true;
    }

    /// Takes note of a message that offers a file, and accepts it if that is the rule.
    pub(super) fn note_offer(
        &mut self,
        ctx: &mut Ctx<'_, '_>,
        row: ConversationRow,
        record: &EntryRecord,
    ) -> Result<(), StoreError> {
        let content = content_of(record);
        let Some(offer) = content.as_ref().and_then(journal::Content::offer) else { return Ok(()) };
        ctx.tx.add_offer(self.row, (row, &record.author, record.seq), &offer.file)?;
        self.files.stale = true;
        let fits = || {
            let all = self.used().saturating_add(offer.size);
            all <= AUTO_ALL && self.check_room(ctx.tx, offer.size).is_ok()
        };
        if offer.size > self.files.policy.auto
            || self.files.records.contains_key(&offer.file)
            || !self.trusts(ctx.tx, &record.author)?
            || !fits()
        {
            return Ok(());
        }
        self.want(ctx, offer)
    }

    /// Takes note that a message offers nothing any more.
    pub(super) fn forget_offer(&mut self, offer: &Offer) {
        self.files.dropped.insert(offer.file);
        self.files.stale = true;
    }

    /// Ends the turn for files: what nobody offers any more is erased, what is wanted is asked for.
    pub(super) fn settle_files(&mut self, ctx: &mut Ctx<'_, '_>) -> Result<(), StoreError> {
        for file in std::mem::take(&mut self.files.dropped) {
            if self.files.records.contains_key(&file) && ctx.tx.offered_in(self.row, &file)?.is_empty() {
                self.drop_file(ctx, &file)?;
            }
        }
        if !std::mem::take(&mut self.files.stale) {
            return Ok(());
        }
        let mut wanted = Vec::new();
        if self.standing == Standing::Member {
            for record in self.files.records.values().filter(|record| record.state == FileState::Wanted) {
                wanted.push((record.clone(), self.holders(ctx.tx, &record.file)?));
            }
        }
        // First those that somebody has who can be asked, and of those the ones that are under way.
        wanted.sort_by_key(|(record, holders)| {
            (holders.is_empty(), !self.files.running.contains_key(&record.file))
        });
        wanted.truncate(AT_ONCE);
        let has_turn = |file: &FileId| wanted.iter().any(|(record, _)| record.file == *file);
        let over: Vec<_> = self.files.running.keys().filter(|file| !has_turn(file)).copied().collect();
        for file in over {
            self.stop_file(ctx, &file);
        }
        for (record, holders) in wanted {
            let file = record.file;
            let circle = self.id;
            let running = self.files.running.entry(file).or_insert_with(|| {
                let progress = Arc::new(Progress::default());
                let command = Command::Fetch { circle, record, progress: progress.clone() };
                ctx.effects.push(Effect::Files(command));
                Running { progress, told: BTreeMap::new() }
            });
            if running.told != holders {
                running.told.clone_from(&holders);
                ctx.effects.push(Effect::Files(Command::Ask { circle, file, holders }));
            }
        }
        Ok(())
    }

    /// Takes what became of a file.
    pub(super) fn handle_report(&mut self, ctx: &mut Ctx<'_, '_>, report: Report) -> Result<(), StoreError> {
        let Report { file, place, turn } = report;
        // What is told of chunks that were erased meanwhile is of no interest.
        if self.files.records.get(&file).is_none_or(|record| record.place != place) {
            return Ok(());
        }
        match turn {
            Turn::Moved => {}
            Turn::Whole => {
                self.set_state(ctx, &file, FileState::Held)?;
                self.files.running.remove(&file);
            }
            Turn::Torn => self.set_state(ctx, &file, FileState::Wanted)?,
        }
        self.publish_file(ctx, &file)
    }

    /// Answers a device that opened a stream, if it may have what it asks for.
    pub(super) fn handle_stream(
        &mut self,
        ctx: &mut Ctx<'_, '_>,
        (device, link): (DeviceId, LinkId),
        opening: &[u8],
        stream: Stream,
    ) -> Result<(), StoreError> {
        // A stream that is dropped ends without an answer, which says: nothing here for you.
        if self.standing != Standing::Member || self.links.get(&device).is_none_or(|up| up.id != link) {
            return Ok(());
        }
        let file = match Opening::decode(opening) {
            Ok(Opening::File(file)) => file,
            Ok(Opening::Flow(flow)) => {
                self.handle_flow(ctx, (device, link), flow, stream);
                return Ok(());
            }
            Err(_) => return Ok(()),
        };
        let Some(record) = self.files.records.get(&file) else { return Ok(()) };
        if self.may_have(ctx.tx, &file)?.contains(&device) {
            let (circle, record) = (self.id, record.clone());
            let given = self.files.given.entry(file).or_default().clone();
            ctx.effects.push(Effect::Files(Command::Serve { circle, record, device, stream, given }));
        }
        Ok(())
    }

    /// Records that a file is wanted; it is asked for when the turn ends.
    pub(super) fn want(&mut self, ctx: &mut Ctx<'_, '_>, offer: &Offer) -> Result<(), StoreError> {
        let mut key = Zeroizing::new([0; 32]);
        ctx.entropy.fill(key.as_mut());
        let place = FilePlace(Entropy::bytes(&mut &mut *ctx.entropy));
        let record = FileRecord { file: offer.file, size: offer.size, key, place, state: FileState::Wanted };
        ctx.tx.put_file(self.row, &record)?;
        self.files.records.insert(offer.file, record);
        self.files.stale = true;
        self.publish_file(ctx, &offer.file)
    }

    pub(super) fn set_state(
        &mut self,
        ctx: &mut Ctx<'_, '_>,
        file: &FileId,
        state: FileState,
    ) -> Result<(), StoreError> {
        if let Some(record) = self.files.records.get_mut(file) {
            record.state = state;
            ctx.tx.set_file_state(self.row, file, state)?;
            self.files.stale = true;
        }
        Ok(())
    }

    /// Erases what is here of a file.
    pub(super) fn drop_file(&mut self, ctx: &mut Ctx<'_, '_>, file: &FileId) -> Result<(), StoreError> {
        let Some(record) = self.files.records.remove(file) else { return Ok(()) };
        self.files.running.remove(file);
        self.files.halted.remove(file);
        self.files.given.remove(file);
        ctx.tx.remove_file(self.row, file)?;
        let (circle, file, place) = (self.id, *file, record.place);
        ctx.effects.push(Effect::Files(Command::Erase { circle, file, place }));
        self.files.stale = true;
        Ok(())
    }

    fn stop_file(&mut self, ctx: &mut Ctx<'_, '_>, file: &FileId) {
        if let Some(running) = self.files.running.remove(file) {
            self.files.halted.insert(*file, running.progress.held());
            ctx.effects.push(Effect::Files(Command::Stop { circle: self.id, file: *file }));
        }
    }

    /// Lists the messages that offer a file and still say so.
    pub(super) fn offers_of(&self, vault: &Vault, file: &FileId) -> Result<Vec<Offered>, StoreError> {
        let found = vault.offers(self.row, Some(file), OFFERS)?;
        Ok(found.into_iter().filter_map(|(row, record)| self.offered(row, record)).collect())
    }

    pub(super) fn offered(&self, row: ConversationRow, record: EntryRecord) -> Option<Offered> {
        let conversation = self.conversation_of(row)?;
        let offer = content_of(&record)?.offer().cloned()?;
        (record.gone == Gone::Not).then_some(Offered { conversation, record, offer })
    }

    /// Lists the live devices that may read an offer of a file.
    fn may_have(&self, vault: &Vault, file: &FileId) -> Result<BTreeSet<DeviceId>, StoreError> {
        let offered = vault.offered_in(self.row, file)?;
        let offers = offered.iter().filter_map(|(row, last)| Some((self.conversation_of(*row)?, *last)));
        let offers: Vec<_> = offers.collect();
        let may_read = |device: &DeviceId| {
            let member = self.live_member(device);
            member.is_some_and(|member| {
                offers.iter().any(|(conversation, last)| {
                    self.journal.includes(conversation, &member)
                        && *last > self.journal.withheld_until(conversation, &member)
                })
            })
        };
        Ok(self.links.keys().filter(|device| may_read(device)).copied().collect())
    }

    /// Lists the devices that can be asked for a file: whoever may read an offer of it may hold it.
    fn holders(&self, vault: &Vault, file: &FileId) -> Result<BTreeMap<DeviceId, LinkId>, StoreError> {
        let readers = self.may_have(vault, file)?;
        let linked =
            self.links.iter().filter(|(device, link)| link.frontier_known && readers.contains(device));
        Ok(linked.map(|(device, link)| (*device, link.id)).collect())
    }

    /// Tells whether files of a device come by themselves: it is one's own, or its key was compared.
    fn trusts(&self, vault: &Vault, device: &DeviceId) -> Result<bool, StoreError> {
        let member = self.member_of(device);
        if member.is_some() && member == self.my_member() {
            return Ok(true);
        }
        let records = vault.verifications(self.row)?;
        let record = records.iter().find(|record| record.device == *device);
        Ok(self.verified_view(device, record).is_some())
    }

    /// Returns how many bytes of files may still be taken on.
    pub(super) fn room(&self) -> u64 {
        match self.files.policy.quota {
            0 => u64::MAX,
            quota => quota.saturating_sub(self.used()),
        }
    }

    /// Returns how many bytes are still to come of files that are wanted.
    fn coming(&self) -> u64 {
        let wanted = self.files.records.values().filter(|record| record.state == FileState::Wanted);
        wanted.fold(0, |sum, record| {
            let running = self.files.running.get(&record.file).map(|running| running.progress.held());
            let here = running.or_else(|| self.files.halted.get(&record.file).copied()).unwrap_or(0);
            sum.saturating_add(record.size.saturating_sub(here))
        })
    }

    /// Returns how many bytes files take here, or will when they have come.
    pub(super) fn used(&self) -> u64 {
        self.files.records.values().fold(0, |sum, record| sum.saturating_add(record.size))
    }

    pub(super) fn policy_setting(&self) -> String {
        format!("files/policy/{}", self.id)
    }

    pub(super) fn publish_file(&self, ctx: &mut Ctx<'_, '_>, file: &FileId) -> Result<(), StoreError> {
        if !ctx.watched {
            return Ok(());
        }
        for offered in self.offers_of(ctx.tx, file)? {
            let file = self.file_view(&offered.conversation, &offered.record, &offered.offer);
            ctx.publish(|| api::Event::File { circle: self.id, file });
        }
        Ok(())
    }

    /// Shows a file that a message offers.
    pub(crate) fn file_view(
        &self,
        conversation: &ConversationId,
        record: &EntryRecord,
        offer: &Offer,
    ) -> api::File {
        let kept = self.files.records.get(&offer.file);
        let running = self.files.running.get(&offer.file).map(|running| &running.progress);
        let waits = running.is_none_or(|progress| progress.waits());
        let state = match kept.map(|record| record.state) {
            None => api::FileState::Offered,
            Some(FileState::Held) => api::FileState::Held,
            Some(FileState::Paused) => api::FileState::Paused,
            Some(FileState::Wanted) if waits => api::FileState::Waiting,
            Some(FileState::Wanted) => api::FileState::Fetching,
        };
        let held = match state {
            api::FileState::Held => offer.size,
            _ => running.map_or_else(
                || self.files.halted.get(&offer.file).copied().unwrap_or(0),
                |progress| progress.held(),
            ),
        };
        let rate = running.and_then(|progress| progress.rate()).filter(|_| state == api::FileState::Fetching);
        let trouble = running.and_then(|progress| progress.trouble());
        let sources = running.map(|progress| progress.sources()).unwrap_or_default();
        let words = trouble.unwrap_or_else(|| match state {
            api::FileState::Offered => "offered".into(),
            api::FileState::Waiting => self.waiting_for(&record.author),
            api::FileState::Fetching => "coming".into(),
            api::FileState::Paused => "paused".into(),
            api::FileState::Held => "here".into(),
        });
        api::File {
            message: record.message,
            conversation: *conversation,
            id: offer.file,
            name: files::safe_name(&offer.name),
            kind: offer.kind.clone(),
            size: offer.size,
            member_name: self.name_of(&record.author),
            mine: record.author == self.me,
            offered_ms: record.claimed_ms,
            state,
            held,
            rate,
            left_s: rate.map(|rate| (offer.size.saturating_sub(held)).div_ceil(rate.max(1))),
            given: self.files.given.get(&offer.file).map_or(0, |given| given.load(Ordering::Relaxed)),
            words,
            sources: sources
                .into_iter()
                .map(|(device, source)| api::FileSource {
                    device,
                    name: self.device_name(&device),
                    bytes: source.bytes,
                    banned: source.fault.map(|fault| fault.to_string()),
                })
                .collect(),
        }
    }

    /// Says who would have to come for a file to come on.
    fn waiting_for(&self, author: &DeviceId) -> String {
        if *author == self.me {
            return "waiting for somebody who has it".into();
        }
        let name = self.device_name(author);
        if self.links.contains_key(author) {
            format!("waiting: neither {name} nor anybody else who is connected has more of it")
        } else {
            format!("waiting for {name}")
        }
    }

    /// Returns whose and which device it is.
    fn device_name(&self, device: &DeviceId) -> String {
        let member = self.name_of(device);
        match self.charter.roster().device(device) {
            Some(known) => format!("{member}/{}", known.name),
            None => member,
        }
    }

    /// Checks that a file can be taken on.
    pub(super) fn check_room(&self, vault: &Vault, size: u64) -> Result<(), ApiError> {
        if size > self.room() {
            let message = "files have no more room in this circle";
            return Err(ApiError::new(ErrorKind::Config, message).hint(
                "\"hexode files policy --quota\" gives them more; \"hexode files cancel\" erases one",
            ));
        }
        if !has_room(&vault.chunk_store(), size.saturating_add(self.coming())) {
            return Err(ApiError::new(ErrorKind::Config, "the disk has no room for it")
                .hint("free some space and try again"));
        }
        Ok(())
    }
}

/// Up to how many bytes a file of a verified device comes by itself, until the person says otherwise.
const AUTO: u64 = 16 << 20;
/// Up to how many bytes of files here, in all, more come by themselves.
const AUTO_ALL: u64 = 4 << 30;
/// How many files are collected at a time.
const AT_ONCE: usize = 4;
/// How many offers of one file are looked at.
const OFFERS: usize = 64;
