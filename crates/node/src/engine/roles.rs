//! Leaving a circle, other roles, and coming back after a removal.

use charter::Role;
use vault::StoreError;
use wire::{CircleId, DeviceId, MemberId};

use super::{Access, CircleState, Ctx, RequestError, requests::unknown};
use crate::api::{self, ApiError, ErrorKind};

impl Access<'_, '_> {
    /// Leaves a circle with this device.
    pub(crate) fn leave(&mut self, id: CircleId) -> Result<(), RequestError> {
        self.as_member(id, |access, circle| {
            let now_ms = access.ctx.time.wall_ms;
            let entry = circle.charter.leave(&circle.key, now_ms).map_err(ApiError::from)?;
            Ok(circle.charter_grew(&mut access.ctx, vec![entry], None)?)
        })
    }

    /// Gives a member another role, with all his devices; one who was removed comes back in it.
    pub(crate) fn set_role(
        &mut self,
        id: CircleId,
        member: MemberId,
        role: api::Role,
    ) -> Result<(), RequestError> {
        self.as_member(id, |access, circle| {
            let roster = circle.charter.roster();
            let devices: Vec<DeviceId> = match roster.members().get(&member) {
                Some(member) => member.devices.iter().copied().collect(),
                None => {
                    let removed = roster.removed().values().filter(|removed| removed.member == member);
                    removed.map(|removed| removed.id).collect()
                }
            };
            if devices.is_empty() {
                return Err(unknown("member").into());
            }
            if devices.contains(&circle.me) {
                return Err(ApiError::new(ErrorKind::NotAllowed, "nobody gives himself a role").into());
            }
            // All devices or none.
            let mut charter = circle.charter.clone();
            let (role, now_ms) = (Role::from(role), access.ctx.time.wall_ms);
            let mut entries = Vec::new();
            for device in devices {
                let written = charter.change_role(device, role, &circle.key, now_ms);
                entries.extend(written.map_err(ApiError::from)?);
            }
            circle.charter = charter;
            Ok(circle.charter_grew(&mut access.ctx, entries, None)?)
        })
    }
}

impl CircleState {
    /// Tells whether this device went by itself.
    pub(crate) fn has_left(&self) -> bool {
        self.charter.roster().removed().get(&self.me).is_some_and(|removed| removed.by == self.me)
    }

    /// Removes the devices that have left, if this one may: leaving alone voids nothing that a copy of the key writes,
    /// and the leaver knows every secret by which members find each other until a removal makes a new one.
    pub(crate) fn close_behind(&mut self, ctx: &mut Ctx<'_, '_>) -> Result<(), StoreError> {
        if !self.is_member() {
            return Ok(());
        }
        let left: Vec<_> =
            self.charter.roster().removed().values().filter(|gone| gone.by == gone.id).collect();
        let left: Vec<_> = left.into_iter().map(|gone| gone.id).collect();
        for device in left {
            let now_ms = ctx.time.wall_ms;
            // Who is not senior to him leaves it to those who are.
            if let Ok(entry) = self.charter.remove_device(device, charter::Keep::Seen, &self.key, now_ms) {
                let epoch = entry.id;
                self.charter_grew(ctx, vec![entry], None)?;
                self.draw_rendezvous(ctx, epoch)?;
                self.end_removed(ctx, epoch)?;
            }
        }
        Ok(())
    }
}
