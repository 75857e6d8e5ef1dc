//! What front ends ask for about files.

use journal::{Content, Offer};
use vault::{ChunkStore, FileRecord, FileState};
use wire::{CircleId, ConversationId, FileId, MessageId};

use super::{
    Access, CircleState, Effect, RequestError,
    files::{Offered, Policy},
    requests::unknown,
};
use crate::{
    api::{self, ApiError, ErrorKind},
    files::{Command, Imported},
};

impl Access<'_, '_> {
    /// Lists the files that were offered, the newest first; of one conversation if one is named.
    pub(crate) fn files(
        &mut self,
        id: CircleId,
        conversation: Option<&str>,
    ) -> Result<Vec<api::File>, RequestError> {
        self.with(id, |access, circle| {
            let only = match conversation {
                Some(called) => Some(circle.find_conversation(called)?.id(&circle.id)),
                None => None,
            };
            let found = access.ctx.tx.offers(circle.row, None, LISTED)?;
            let offers = found.into_iter().filter_map(|(row, record)| circle.offered(row, record));
            let offers = offers.filter(|offered| only.is_none_or(|only| only == offered.conversation));
            Ok(offers.map(|offered| view(circle, &offered)).collect())
        })
    }

    /// Shows the file that a message offers.
    pub(crate) fn file(&mut self, id: CircleId, message: MessageId) -> Result<api::File, RequestError> {
        self.with(id, |access, circle| {
            let offered = access.offer(circle, &message)?;
            Ok(view(circle, &offered))
        })
    }

    /// Does about a file what its person wants.
    pub(crate) fn do_file(
        &mut self,
        id: CircleId,
        message: MessageId,
        act: api::FileAct,
    ) -> Result<api::File, RequestError> {
        self.as_member(id, |access, circle| {
            let offered = access.offer(circle, &message)?;
            let file = offered.offer.file;
            let state = circle.files.records.get(&file).map(|record| record.state);
            let ctx = &mut access.ctx;
            match (act, state) {
                (api::FileAct::Accept, None) => {
                    circle.check_room(ctx.tx, offered.offer.size)?;
                    circle.want(ctx, &offered.offer)?;
                }
                (api::FileAct::Accept, Some(FileState::Paused)) => {
                    circle.set_state(ctx, &file, FileState::Wanted)?;
                }
                (api::FileAct::Accept, Some(_)) => {}
                (api::FileAct::Pause, Some(FileState::Wanted)) => {
                    circle.set_state(ctx, &file, FileState::Paused)?;
                }
                (api::FileAct::Pause, Some(FileState::Paused)) => {}
                (api::FileAct::Pause, _) => {
                    let message = "the file is not being fetched";
                    return Err(ApiError::new(ErrorKind::Conflict, message).into());
                }
                (api::FileAct::Cancel, None) => {}
                (api::FileAct::Cancel, Some(_)) => circle.cancel_file(ctx, &file)?,
            }
            circle.publish_file(ctx, &file)?;
            Ok(view(circle, &offered))
        })
    }

    /// Tells where a file can be taken in for a conversation, and how large it may be.
    pub(crate) fn import_room(
        &mut self,
        id: CircleId,
        request: &api::SendFile,
    ) -> Result<(ChunkStore, u64), RequestError> {
        self.as_member(id, |access, circle| {
            circle.find_conversation(&request.to)?;
            Ok((access.ctx.tx.chunk_store(), circle.room()))
        })
    }

    /// Offers a file that was taken in; `false` if it was here before, so that what was taken in is not needed.
    pub(crate) fn offer_file(
        &mut self,
        id: CircleId,
        to: &str,
        imported: &Imported,
        (name, text): (String, String),
    ) -> Result<(api::Message, bool), RequestError> {
        self.as_member(id, |access, circle| {
            let to = circle.find_conversation(to)?;
            let conversation = circle.journal.open(to);
            circle.conversation_row(&mut access.ctx, conversation)?;
            let FileRecord { file, size, .. } = imported.record;
            let kind = files::media_type(&name).to_owned();
            let content = Content::File(Offer { name, kind, size, file, text });
            content.check().map_err(|error| ApiError::new(ErrorKind::User, error.to_string()))?;
            let known = circle.files.records.get(&file);
            let needed = known.is_none_or(|known| known.state != FileState::Held);
            // All that may refuse comes first: what is kept after it stays, whatever becomes of the answer.
            let room = circle.room().saturating_add(known.map_or(0, |known| known.size));
            if needed && size > room {
                let message = "files have no more room in this circle";
                return Err(ApiError::new(ErrorKind::Config, message).into());
            }
            let message = access.write(circle, conversation, None, &content)?;
            if needed {
                circle.keep_import(access, &imported.record)?;
            }
            Ok((message, needed))
        })
    }

    /// Tells where the chunks of a file are that a message offers, and what to call it.
    pub(crate) fn export_source(
        &mut self,
        id: CircleId,
        message: MessageId,
    ) -> Result<(ChunkStore, FileRecord, String), RequestError> {
        self.with(id, |access, circle| {
            let offered = access.offer(circle, &message)?;
            let record = circle.files.records.get(&offered.offer.file);
            let Some(record) = record.filter(|record| record.state == FileState::Held) else {
                return Err(ApiError::new(ErrorKind::Conflict, "the file is not here yet")
                    .hint("\"hexode files accept\" fetches it, \"hexode files\" shows how far it is")
                    .into());
            };
            Ok((access.ctx.tx.chunk_store(), record.clone(), files::safe_name(&offered.offer.name)))
        })
    }

    /// Takes note that a part of a file cannot be read any more: it is fetched again.
    pub(crate) fn torn_file(&mut self, id: CircleId, file: FileId) -> Result<(), RequestError> {
        self.with(id, |access, circle| Ok(circle.set_state(&mut access.ctx, &file, FileState::Wanted)?))
    }

    pub(crate) fn file_policy(&mut self, id: CircleId) -> Result<api::FilePolicy, RequestError> {
        self.with(id, |_, circle| {
            let Policy { auto, quota } = circle.files.policy;
            Ok(api::FilePolicy { auto, quota, used: circle.used() })
        })
    }

    pub(crate) fn set_file_policy(
        &mut self,
        id: CircleId,
        set: api::SetFilePolicy,
    ) -> Result<api::FilePolicy, RequestError> {
        self.with(id, |access, circle| {
            let policy = &mut circle.files.policy;
            policy.auto = set.auto.unwrap_or(policy.auto);
            policy.quota = set.quota.unwrap_or(policy.quota);
            let kept = wire::encode(&(policy.auto, policy.quota));
            access.ctx.tx.set_setting(&circle.policy_setting(), &kept)?;
            Ok(())
        })?;
        self.file_policy(id)
    }

    /// Finds the offer that a message makes.
    fn offer(&self, circle: &CircleState, message: &MessageId) -> Result<Offered, RequestError> {
        let (row, record) = self.ctx.tx.entry(message)?.ok_or_else(|| unknown("message"))?;
        let offered = circle.offered(row, record);
        let none = || {
            ApiError::new(ErrorKind::NotFound, "that message offers no file")
                .hint("\"hexode files\" lists them")
        };
        Ok(offered.ok_or_else(none)?)
    }
}

impl CircleState {
    /// Erases what is here of a file, but not what others can have from here alone.
    fn cancel_file(&mut self, ctx: &mut super::Ctx<'_, '_>, file: &FileId) -> Result<(), RequestError> {
        let mine = self.offers_of(ctx.tx, file)?.iter().any(|offered| offered.record.author == self.me);
        if mine {
            return Err(ApiError::new(ErrorKind::Conflict, "this device offers the file itself")
                .hint("\"hexode delete\" takes the message back that offers it")
                .into());
        }
        Ok(self.drop_file(ctx, file)?)
    }

    /// Records a file that was taken in, in place of what had come of it.
    fn keep_import(&mut self, access: &mut Access<'_, '_>, record: &FileRecord) -> Result<(), RequestError> {
        let (circle, file) = (self.id, record.file);
        if let Some(FileRecord { place, .. }) = self.files.records.remove(&file) {
            access.ctx.effects.push(Effect::Files(Command::Erase { circle, file, place }));
            self.files.running.remove(&file);
        }
        access.ctx.tx.put_file(self.row, record)?;
        self.files.records.insert(file, record.clone());
        self.files.stale = true;
        Ok(())
    }

    /// Shows the file that a message offers, if it offers one.
    pub(crate) fn offered_in(
        &self,
        conversation: &ConversationId,
        record: &vault::EntryRecord,
        content: Option<&Content>,
    ) -> Option<api::File> {
        Some(self.file_view(conversation, record, content?.offer()?))
    }
}

fn view(circle: &CircleState, offered: &Offered) -> api::File {
    circle.file_view(&offered.conversation, &offered.record, &offered.offer)
}

/// How many offers are listed.
const LISTED: usize = 1000;
