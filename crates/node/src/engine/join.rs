//! How a newcomer is let in, and what follows when the charter grows.

use charter::{Accepted, CommandError, Invitation, InvitationState, PublicKey, Redemption};
use tunnel::{CloseReason, LinkId, RefuseReason};
use vault::{CircleState as Standing, StoreError};
use wire::{Blob, DeviceId, Frame, limits};

use super::{CircleState, Ctx, sync::cut};
use crate::api;

impl CircleState {
    /// Makes the newcomer's request to be let in.
    pub(crate) fn knock(&self, invitation: &Invitation) -> tunnel::Command {
        let hints = invitation.hints().iter().map(|hint| (hint.device, hint.addresses.clone()));
        let knock = tunnel::Knock { invitation: invitation.key(), request: self.redemption.clone() };
        tunnel::Command::Knock { hints: hints.collect(), knock }
    }

    /// Decides over a stranger who proved that he holds an invitation's key.
    pub(crate) fn handle_knock(
        &mut self,
        ctx: &mut Ctx<'_, '_>,
        link: LinkId,
        device: DeviceId,
        invitation: [u8; 32],
        request: &[u8],
    ) -> Result<(), StoreError> {
        match self.judge_knock(ctx, device, invitation, request) {
            Ok(admitted) => {
                self.charter_grew(ctx, admitted.into_iter().collect(), None)?;
                self.command(ctx, tunnel::Command::Welcome { link });
            }
            Err(reason) => {
                tracing::info!(?reason, "a newcomer was turned away");
                self.command(ctx, tunnel::Command::Refuse { link, reason });
            }
        }
        Ok(())
    }

    /// Admits the newcomer in the charter; nothing is left to do if he was admitted before.
    fn judge_knock(
        &mut self,
        ctx: &Ctx<'_, '_>,
        device: DeviceId,
        invitation: [u8; 32],
        request: &[u8],
    ) -> Result<Option<Accepted>, RefuseReason> {
        if self.standing != Standing::Member {
            return Err(RefuseReason::Unknown);
        }
        let redemption =
            wire::decode::<Redemption>(request, limits::CHARTER_ENTRY).map_err(|_| RefuseReason::Unknown)?;
        // The entry is looked up by its id: a key can stand in the entries of several authors.
        let issued = self.charter.roster().invitations().get(&redemption.invitation());
        let issued = issued.filter(|issued| issued.public == PublicKey::new(invitation));
        let issued = issued.ok_or(RefuseReason::Unknown)?;
        // He may knock again if the line broke between his admission and his hearing of it.
        if let InvitationState::Used { device: admitted, .. } = issued.state
            && admitted == device
            && self.live_member(&device).is_some()
        {
            return Ok(None);
        }
        match issued.state {
            InvitationState::Open if ctx.time.wall_ms <= issued.expires_ms => {}
            InvitationState::Open => return Err(RefuseReason::Expired),
            InvitationState::Used { .. } => return Err(RefuseReason::Used),
            InvitationState::Withdrawn { .. } => return Err(RefuseReason::Revoked),
            _ => return Err(RefuseReason::Unknown),
        }
        if redemption.device() != device {
            return Err(RefuseReason::Denied);
        }
        match self.charter.admit(&redemption, &self.key, ctx.time.wall_ms) {
            Ok(accepted) => Ok(Some(accepted)),
            // That this device may not let him in is no reason for him to stop asking: another may.
            Err(
                error @ (CommandError::AdmitterNotSenior { .. }
                | CommandError::NotSenior
                | CommandError::NotAllowed { .. }),
            ) => {
                tracing::info!(%error, "an admission is left to others");
                Err(RefuseReason::Unknown)
            }
            Err(error) => {
                tracing::warn!(%error, "an admission was not possible");
                Err(RefuseReason::Denied)
            }
        }
    }

    /// Takes note that the knock was refused.
    pub(crate) fn handle_refused(
        &mut self,
        ctx: &mut Ctx<'_, '_>,
        reason: RefuseReason,
    ) -> Result<(), StoreError> {
        self.trouble = Some(
            match reason {
                RefuseReason::Unknown => "the invitation is not known in this circle",
                RefuseReason::Expired => "the invitation has expired",
                RefuseReason::Used => "the invitation has been used",
                RefuseReason::Revoked => "the invitation was withdrawn",
                RefuseReason::Denied => "the device that answered may not let in by this invitation",
            }
            .to_owned(),
        );
        self.stand(ctx, Standing::Refused)?;
        self.command(ctx, tunnel::Command::Shutdown);
        Ok(())
    }

    /// Checks, once a device has told its whole charter, whether this newcomer is in it.
    ///
    /// The charter's founding entry hashes to the circle named in the invitation, so what it says is the
    /// circle's word, whoever brought it. A device that is not itself a member's has nothing to say.
    pub(crate) fn is_let_in(&mut self, ctx: &mut Ctx<'_, '_>, by: DeviceId) -> Result<bool, StoreError> {
        if self.live_member(&self.me).is_some() && self.live_member(&by).is_some() {
            self.invitation = None;
            self.redemption.clear();
            self.stand(ctx, Standing::Member)?;
            self.learn_removals(ctx.tx)?;
            self.command(ctx, tunnel::Command::Allow(self.allowed()));
            self.command(ctx, tunnel::Command::Invitations(self.knockable()));
            return Ok(true);
        }
        self.trouble = Some("a device answered that is not a member's".to_owned());
        self.command(ctx, tunnel::Command::Close { device: by, reason: CloseReason::Misbehaved });
        if let Some(invitation) = &self.invitation {
            self.command(ctx, self.knock(invitation));
        }
        Ok(false)
    }

    /// Stores charter entries that are new here, passes them on, and draws the consequences.
    pub(crate) fn charter_grew(
        &mut self,
        ctx: &mut Ctx<'_, '_>,
        fresh: Vec<Accepted>,
        from: Option<DeviceId>,
    ) -> Result<(), StoreError> {
        if fresh.is_empty() {
            return Ok(());
        }
        for entry in &fresh {
            ctx.tx.add_charter_entry(self.row, &entry.id, &entry.blob.0)?;
        }
        if !matches!(self.standing, Standing::Member | Standing::Removed) {
            return Ok(());
        }
        let entries: Vec<Blob> = fresh.into_iter().map(|entry| entry.blob).collect();
        let parts = cut(entries, limits::FRAME / 2, |entry| entry.0.len() + 8);
        let frames: Vec<_> = parts.into_iter().map(|part| Frame::CharterEntries(part).encode()).collect();
        let allowed = self.allowed();
        for (device, link) in &self.links {
            let (device, link) = (*device, link.id);
            if !allowed.contains(&device) {
                // He learns that he was removed, and nothing that was still on its way to him.
                let frames = if from == Some(device) { Vec::new() } else { frames.clone() };
                self.command(ctx, tunnel::Command::Part { device, link, frames });
            } else if from != Some(device) {
                for frame in frames.iter().cloned() {
                    self.command(ctx, tunnel::Command::Send { device, link, frame });
                }
            }
        }
        self.roster_changed(ctx)
    }

    /// Draws the consequences of a changed roster: who has a tunnel, who is sent what, where this device stands.
    fn roster_changed(&mut self, ctx: &mut Ctx<'_, '_>) -> Result<(), StoreError> {
        ctx.publish(|| api::Event::Roster { circle: self.id });
        // Where this device stands follows from the roster each time: a removal can turn out to be void, and then
        // those who never heard of it go on as before. Until then nothing but the charter is heard or said.
        let standing = match self.live_member(&self.me) {
            Some(_) => Standing::Member,
            None => Standing::Removed,
        };
        if standing != self.standing {
            self.stand(ctx, standing)?;
        }
        let allowed = self.allowed();
        self.links.retain(|device, _| allowed.contains(device));
        self.files.stale = true;
        self.streams.stale = true;
        self.command(ctx, tunnel::Command::Allow(allowed));
        self.command(ctx, tunnel::Command::Invitations(self.knockable()));
        self.command(ctx, self.lan_secrets());
        self.refold_groups(ctx)?;
        let devices: Vec<_> = self.links.keys().copied().collect();
        for device in devices {
            self.introduce_once(ctx, device);
            let Some(link) = self.links.get_mut(&device) else {
                continue;
            };
            if std::mem::take(&mut link.acts_refused) {
                self.tell_groups(ctx, device);
            }
        }
        // Entries that were refused under the old charter are asked for again under the new one.
        self.ask_refused(ctx);
        self.close_behind(ctx)
    }

    /// Asks everybody again for the conversations of which entries were refused.
    pub(crate) fn ask_refused(&mut self, ctx: &mut Ctx<'_, '_>) {
        let devices: Vec<_> = self.links.keys().copied().collect();
        for device in devices {
            let refused = self.links.get_mut(&device).map(|link| std::mem::take(&mut link.refused));
            for conversation in refused.unwrap_or_default() {
                let held = self.journal.frontier(&conversation).into_iter().collect();
                self.send(ctx, device, &Frame::Frontier(held, false));
            }
        }
    }

    fn stand(&mut self, ctx: &mut Ctx<'_, '_>, standing: Standing) -> Result<(), StoreError> {
        self.standing = standing;
        self.streams.stale = true;
        ctx.tx.set_circle_state(self.row, standing)?;
        ctx.publish(|| api::Event::Standing { circle: self.id, state: standing.into() });
        Ok(())
    }
}
