//! The founder's place: the sheets that bring him back, and what all are told when they were used.

use charter::{CommandError, Recovery, Sheet};
use vault::{CircleState as Standing, StoreError, Turn, Vault};
use wire::{CircleId, DeviceId, EntryId};

use super::{Access, CircleState, RequestError, requests::name};
use crate::api::{self, ApiError, ErrorKind};

impl Access<'_, '_> {
    /// Founds a circle with recovery keys, and returns their sheets.
    pub(crate) fn found_recoverable(
        &mut self,
        request: &api::FoundRecoverable,
    ) -> Result<api::Sheets, RequestError> {
        let (recovery, sheets) = self.draw_sheets(request.sheets)?;
        let circle = self.found_with(&request.found, Some(recovery.clone()))?;
        Ok(shown(circle, &recovery, &sheets))
    }

    /// Shows a circle's recovery keys and their uses.
    pub(crate) fn recovery(&mut self, id: CircleId) -> Result<api::Recovery, RequestError> {
        self.with(id, |_, circle| Ok(circle.recovery_view()))
    }

    /// Gives a circle without recovery keys some.
    pub(crate) fn make_sheets(
        &mut self,
        id: CircleId,
        request: api::NewSheets,
    ) -> Result<api::Sheets, RequestError> {
        let (recovery, sheets) = self.draw_sheets(request)?;
        self.as_member(id, |access, circle| {
            let now_ms = access.ctx.time.wall_ms;
            let entry =
                circle.charter.set_recovery(recovery.clone(), &circle.key, now_ms).map_err(refused)?;
            circle.charter_grew(&mut access.ctx, vec![entry], None)?;
            Ok(shown(circle.view(), &recovery, &sheets))
        })
    }

    /// Says which sheet of the circle's somebody has.
    pub(crate) fn check_sheet(&mut self, id: CircleId, words: &str) -> Result<u8, RequestError> {
        let sheet = read(words, 1)?;
        self.with(id, |_, circle| {
            let place = circle.charter.sheet_place(&sheet).map_err(refused)?;
            Ok(u8::try_from(place).unwrap_or(u8::MAX))
        })
    }

    /// Puts this device in the founder's place.
    pub(crate) fn use_sheets(
        &mut self,
        id: CircleId,
        request: &api::UseSheets,
    ) -> Result<api::Sheets, RequestError> {
        let given = request.sheets.iter().enumerate().map(|(at, words)| read(words, at + 1));
        let given: Vec<Sheet> = given.collect::<Result<_, _>>()?;
        let drawn = request.renew.map(|renew| self.draw_sheets(renew)).transpose()?;
        let (next, sheets) = drawn.map_or((None, Vec::new()), |(next, sheets)| (Some(next), sheets));
        self.with(id, |access, circle| {
            if !matches!(circle.standing, Standing::Member | Standing::Removed) {
                let message = "this device knows nothing of the circle yet";
                let hint = "let somebody invite it first, as a guest or member: the sheets then make it the founder's";
                return Err(ApiError::new(ErrorKind::NotAllowed, message).hint(hint).into());
            }
            let roster = circle.charter.roster();
            let device = roster.device(&circle.me).map(|device| device.name.clone());
            let device = device.or_else(|| roster.removed().get(&circle.me).map(|gone| gone.name.clone()));
            let device = device.map_or_else(|| name("device", "device"), Ok)?;
            let now_ms = access.ctx.time.wall_ms;
            let entry =
                circle.charter.recover(&given, next, device, &circle.key, now_ms).map_err(refused)?;
            access.after_removal(circle, entry)?;
            // It reads other conversations than before: all that both ends said of them on a link is over.
            let linked: Vec<_> = circle.links.keys().copied().collect();
            for device in linked {
                let reason = tunnel::CloseReason::Done;
                circle.command(&mut access.ctx, tunnel::Command::Close { device, reason });
            }
            let recovery = circle.charter.roster().recovery().cloned();
            let recovery = recovery.ok_or_else(|| refused(CommandError::NoRecovery))?;
            Ok(shown(circle.view(), &recovery, &sheets))
        })
    }

    fn draw_sheets(&mut self, wanted: api::NewSheets) -> Result<(Recovery, Vec<Sheet>), RequestError> {
        Recovery::draw(wanted.needed, wanted.of, self.ctx.entropy).map_err(|_| {
            let message = "the founder comes back by more than half of the sheets, of 16 at most";
            ApiError::new(ErrorKind::User, message)
                .hint("2 of 3 is usual: one may burn, and one may be stolen")
                .into()
        })
    }
}

impl CircleState {
    /// Reads which use of the sheets this device's person has noticed.
    pub(crate) fn restore_recovery(&mut self, vault: &Vault) -> Result<(), StoreError> {
        let kept = vault.setting(&self.setting(NOTICED))?;
        self.recovery_noticed = kept.and_then(|kept| wire::decode(&kept, 64).ok());
        Ok(())
    }

    /// Says in words that the founder's place was taken with the sheets, until its person was verified.
    pub(crate) fn recovery_trouble(&self) -> Option<String> {
        let used = self.charter.roster().recovered().last()?;
        if self.has_noticed(&used.entry, &used.device) {
            return None;
        }
        let who = self.name_of(&used.device);
        Some(format!(
            "the recovery sheets were used: another device stands in the founder's place as {who}, and the founder's other \
             devices were removed; compare safety words with \"hexode verify\" before you trust it, and if it is not {who}, \
             whoever has enough sheets can take the place back"
        ))
    }

    /// Takes note that the person has verified who stands in the founder's place.
    pub(crate) fn recovery_verified(
        &mut self,
        tx: &mut Turn<'_>,
        device: &DeviceId,
    ) -> Result<(), StoreError> {
        let used = self.charter.roster().recovered().last().filter(|used| used.device == *device).copied();
        let Some(used) = used else { return Ok(()) };
        self.recovery_noticed = Some(used.entry);
        tx.set_setting(&self.setting(NOTICED), &wire::encode(&used.entry))
    }

    /// Tells whether this device's person need not be told of a use of the sheets.
    fn has_noticed(&self, entry: &EntryId, device: &DeviceId) -> bool {
        *device == self.me || self.recovery_noticed == Some(*entry)
    }

    fn recovery_view(&self) -> api::Recovery {
        let roster = self.charter.roster();
        let uses = roster.recovered().iter().map(|used| {
            let device = roster.device(&used.device).map(|device| device.name.to_string());
            let device =
                device.or_else(|| roster.removed().get(&used.device).map(|gone| gone.name.to_string()));
            api::RecoveryUse {
                entry: used.entry,
                device: used.device,
                name: format!("{}/{}", self.member_name(&used.member), device.unwrap_or_default()),
                at_ms: used.at_ms,
                noticed: self.has_noticed(&used.entry, &used.device),
            }
        });
        api::Recovery {
            needed: roster.recovery().map_or(0, |recovery| recovery.k),
            of: roster.recovery().map_or(0, |recovery| u8::try_from(recovery.keys.len()).unwrap_or(u8::MAX)),
            uses: uses.collect(),
        }
    }
}

fn read(words: &str, number: usize) -> Result<Sheet, ApiError> {
    words.parse().map_err(|error: charter::SheetError| {
        ApiError::new(ErrorKind::User, format!("sheet {number}: {error}"))
            .hint("type the sixteen words in the order of their numbers; four letters of each are enough")
    })
}

fn refused(error: CommandError) -> ApiError {
    let api = ApiError::from(error.clone());
    match error {
        CommandError::RecoveryKnown => {
            api.hint("\"hexode recovery use --renew K/N\" replaces them, with enough of the sheets there are")
        }
        CommandError::NoRecovery => api.hint("its founder makes some with \"hexode recovery make\""),
        CommandError::NotSenior => api.hint("only the founding device can"),
        CommandError::ForeignSheet => api.hint("it is of another circle, or was replaced by newer ones"),
        CommandError::TooFewSheets { .. } => api.hint("one sheet counts once"),
        _ => api,
    }
}

fn shown(circle: api::Circle, recovery: &Recovery, sheets: &[Sheet]) -> api::Sheets {
    let mut sheets: Vec<_> = sheets
        .iter()
        .map(|sheet| {
            // Their numbers are those of their keys in the charter, so that a sheet tells which it is.
            let place = recovery.keys.binary_search(&sheet.public()).map_or(0, |at| at + 1);
            api::Sheet { number: u8::try_from(place).unwrap_or(u8::MAX), words: sheet.to_words().to_string() }
        })
        .collect();
    sheets.sort_by_key(|sheet| sheet.number);
    api::Sheets { circle, needed: recovery.k, sheets }
}

const NOTICED: &str = "recovery-noticed";
