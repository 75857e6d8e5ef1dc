//! What share of this device each member's entries may take: nobody fills it without its person's word.

use std::collections::{BTreeMap, BTreeSet};

use journal::SignedRun;
use vault::{StoreError, Vault};
use wire::{CircleId, DeviceId, MemberId};

use super::{Access, CircleState, Ctx, RequestError, requests::unknown};
use crate::api::{self, ApiError, ErrorKind};

/// What the entries of others take.
#[derive(Debug, Default)]
pub(crate) struct Shares {
    taken: BTreeMap<DeviceId, u64>,
    /// Taken and not stored yet.
    fresh: BTreeMap<DeviceId, u64>,
    allowed: BTreeMap<MemberId, u64>,
    /// Members of whom something was not taken, since their share is full.
    full: BTreeSet<MemberId>,
}

impl CircleState {
    pub(crate) fn restore_shares(&mut self, vault: &Vault) -> Result<(), StoreError> {
        self.shares.taken = vault.taken(self.row)?.into_iter().collect();
        self.shares.allowed = vault.allowances(self.row)?.into_iter().collect();
        Ok(())
    }

    /// Returns how many bytes a member's entries have taken here.
    pub(crate) fn taken_by(&self, member: &MemberId) -> u64 {
        // Of all his devices: what one wrote that is gone from the circle is still here.
        let his = |device: &DeviceId| self.member_of(device).as_ref() == Some(member);
        self.shares.taken.iter().filter(|(device, _)| his(device)).map(|(_, bytes)| bytes).sum()
    }

    /// Returns how many bytes a member's entries may take here.
    pub(crate) fn allowed_to(&self, member: &MemberId) -> u64 {
        self.shares.allowed.get(member).copied().unwrap_or(SHARE)
    }

    /// Tells whether something of a member was not taken, since his share is full.
    pub(crate) fn is_full(&self, member: &MemberId) -> bool {
        self.shares.full.contains(member)
    }

    /// Tells whether there is room for more of a device's entries; if not, the person is told once.
    pub(crate) fn has_share(&mut self, ctx: &mut Ctx<'_, '_>, author: &DeviceId) -> bool {
        let Some(member) = self.member_of(author) else { return true };
        if Some(member) == self.my_member() || self.taken_by(&member) < self.allowed_to(&member) {
            return true;
        }
        if self.shares.full.insert(member) {
            tracing::warn!("a member has filled his share of this device");
            ctx.publish(|| api::Event::Roster { circle: self.id });
        }
        false
    }

    /// Counts what a run of another device takes.
    pub(crate) fn count_share(&mut self, run: &SignedRun) {
        let Some(author) = run.entries.first().map(|entry| entry.header.author) else { return };
        let weight = |entry: &journal::Entry| {
            let body = entry.body.as_ref().map_or(0, |body| body.0.len());
            (entry.header_bytes.0.len() + body) as u64 + OVERHEAD
        };
        self.count_bytes(&author, run.entries.iter().map(weight).sum());
    }

    /// Counts what something of a device takes.
    pub(crate) fn count_bytes(&mut self, author: &DeviceId, bytes: u64) {
        if self.member_of(author) == self.my_member() {
            return;
        }
        let author = *author;
        *self.shares.taken.entry(author).or_default() += bytes;
        *self.shares.fresh.entry(author).or_default() += bytes;
    }

    /// Stores what was counted, once it is worth a write; a crash before that forgets so much.
    pub(crate) fn keep_shares(&mut self, ctx: &mut Ctx<'_, '_>) -> Result<(), StoreError> {
        if self.shares.fresh.values().sum::<u64>() < WORTH {
            return Ok(());
        }
        for (author, bytes) in std::mem::take(&mut self.shares.fresh) {
            ctx.tx.add_taken(self.row, &author, bytes)?;
        }
        Ok(())
    }

    /// Says in words whose share is full.
    pub(crate) fn share_trouble(&self) -> Option<String> {
        let member = self.shares.full.first()?;
        let (name, mib) = (self.member_name(member), self.allowed_to(member) >> 20);
        Some(format!(
            "{name} has filled the share of {mib} MiB: nothing more by {name} is taken; \"hexode members allow\" gives more"
        ))
    }
}

impl Access<'_, '_> {
    /// Sets how many bytes of this device a member's entries may take.
    pub(crate) fn allow(&mut self, id: CircleId, member: MemberId, bytes: u64) -> Result<(), RequestError> {
        self.with(id, |access, circle| {
            let ctx = &mut access.ctx;
            if !circle.charter.roster().members().contains_key(&member) {
                return Err(unknown("member").into());
            }
            if bytes > MOST {
                return Err(ApiError::new(ErrorKind::User, "a share has at most 1 TiB").into());
            }
            ctx.tx.set_allowance(circle.row, &member, bytes)?;
            circle.shares.allowed.insert(member, bytes);
            circle.shares.full.remove(&member);
            ctx.publish(|| api::Event::Roster { circle: id });
            circle.ask_refused(ctx);
            Ok(())
        })
    }
}

/// What a member's entries may take, unless the person says otherwise.
const SHARE: u64 = 512 << 20;
/// How many bytes are counted before the count is stored.
const WORTH: u64 = 16 << 10;
/// The largest share.
const MOST: u64 = 1 << 40;
/// What an entry takes beside its header and body: its row, its places in the indexes, its signature.
const OVERHEAD: u64 = 256;
