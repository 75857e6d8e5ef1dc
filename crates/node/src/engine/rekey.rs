//! An old copy of this device's vault was put back: others hold more of its chains than it does, or something else.
//!
//! As long as it has written nothing since, it gets back from others what it had written, and until then writes nothing
//! where they said that they hold more and go on to deliver it. If it has, its chain is forked and its key worth nothing: it admits a fresh key of
//! its own, and once another device holds that admission, gives up the old one and goes on under the new.

use std::time::Duration;

use charter::{Newcomer, Terms};
use crypto::SigningKey;
use serde::{Deserialize, Serialize};
use vault::{StoreError, Turn, Vault};
use wire::{ConversationId, DeviceId};
use zeroize::Zeroizing;

use super::{CircleState, Ctx, Setup};
use crate::api::{self, ApiError, ErrorKind};

/// A fresh key that waits until others know of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Rekey {
    seed: [u8; 32],
}

impl CircleState {
    /// Reads what is kept of a vault that was put back.
    pub(crate) fn restore_rekey(&mut self, vault: &Vault) -> Result<(), StoreError> {
        let kept = vault.setting(&self.setting("rekey"))?.map(Zeroizing::new);
        self.rekey = kept.and_then(|kept| wire::decode(&kept, wire::limits::FRAME).ok());
        self.put_back = vault.setting(&self.setting("put-back"))?.is_some();
        Ok(())
    }

    /// Refuses to write where entries of this device's own are on their way back.
    pub(crate) fn check_remembered(
        &self,
        conversation: &ConversationId,
        now: Duration,
    ) -> Result<(), ApiError> {
        if !self.claims.waits(conversation, self.journal.len(conversation, &self.me), now) {
            return Ok(());
        }
        let message =
            "this device is still getting back what it wrote before an old copy of its data was put back";
        Err(ApiError::new(ErrorKind::Conflict, message).hint("try again in a minute"))
    }

    /// Takes note that this device's own chain was forked.
    pub(crate) fn forked_myself(&mut self, ctx: &mut Ctx<'_, '_>) -> Result<(), StoreError> {
        self.own_fork = true;
        self.tell_put_back(ctx)
    }

    /// Takes note that an old copy was put back: another device had entries that only this one can have signed.
    pub(crate) fn tell_put_back(&mut self, ctx: &mut Ctx<'_, '_>) -> Result<(), StoreError> {
        if !std::mem::replace(&mut self.put_back, true) {
            tracing::warn!("an old copy of the vault was put back");
            ctx.tx.set_setting(&self.setting("put-back"), &[1])?;
            ctx.publish(|| api::Event::Roster { circle: self.id });
        }
        Ok(())
    }

    /// Forgets that an old copy was put back, once the person has compared words with somebody again.
    pub(crate) fn put_back_noticed(&mut self, tx: &mut Turn<'_>) -> Result<(), StoreError> {
        if std::mem::take(&mut self.put_back) {
            tx.remove_setting(&self.setting("put-back"))?;
        }
        Ok(())
    }

    /// Says in words that an old copy was put back.
    pub(crate) fn put_back_trouble(&self) -> Option<String> {
        self.put_back.then(|| {
            "an old copy of this device's data was put back: what it had written comes back from others, and if it wrote \
             something else meanwhile it goes on under a new key; compare safety words again with \"hexode verify\""
                .to_owned()
        })
    }

    /// Takes note that another device has told its whole frontier. It does so only when it has stored all of the charter that
    /// this one told it on the link, the admission of a fresh key among it: links from before that are ended.
    pub(crate) fn heard_of_rekey(&mut self) {
        self.rekey_known = self.rekey.is_some();
    }

    /// Takes the next step to a fresh key, if this device's own chain was forked.
    pub(crate) fn rekey_step(&mut self, ctx: &mut Ctx<'_, '_>, setup: &Setup) -> Result<(), StoreError> {
        if !self.is_member() {
            return Ok(());
        }
        if self.rekey.is_none() {
            // The charter comes first: what it says must not be forked as well.
            let met = self.links.values().any(|link| link.charter_known);
            return if self.own_fork && met { self.begin_rekey(ctx) } else { Ok(()) };
        }
        if std::mem::take(&mut self.rekey_known) { self.finish_rekey(ctx, setup) } else { Ok(()) }
    }

    /// Admits a fresh key as another device of this one's member.
    fn begin_rekey(&mut self, ctx: &mut Ctx<'_, '_>) -> Result<(), StoreError> {
        self.own_fork = false;
        let (roster, now_ms) = (self.charter.roster(), ctx.time.wall_ms);
        let names = roster.device(&self.me).zip(roster.member_of(&self.me));
        let Some((device, member)) = names.map(|(device, member)| (device.name.clone(), member.name.clone()))
        else {
            return Ok(());
        };
        let mut seed = Zeroizing::new([0; 32]);
        ctx.entropy.fill(&mut *seed);
        let fresh = SigningKey::from_seed(&seed);
        let mut charter = self.charter.clone();
        let terms = Terms { newcomer: Newcomer::OwnDevice, expires_ms: now_ms.saturating_add(INVITED_MS) };
        let admitted = charter.invite(terms, Vec::new(), &self.key, now_ms, ctx.entropy).and_then(
            |(invite, invitation)| {
                let redemption = invitation.redeem(&fresh, member, device);
                let admission = charter.admit(&redemption, &self.key, now_ms)?;
                Ok((invite, admission))
            },
        );
        let (invite, admission) = match admitted {
            Ok(both) => both,
            Err(error) => {
                tracing::warn!(%error, "there is no fresh key");
                return Ok(());
            }
        };
        self.charter = charter;
        let rekey = Rekey { seed: *seed };
        let kept = Zeroizing::new(wire::encode(&rekey));
        ctx.tx.set_setting(&self.setting("rekey"), &kept)?;
        self.rekey = Some(rekey);
        self.charter_grew(ctx, vec![invite, admission], None)?;
        // What is heard from here on is heard on new links, which begin with the whole charter.
        let linked: Vec<_> = self.links.keys().copied().collect();
        for device in linked {
            self.unlink(ctx, device);
            self.command(ctx, tunnel::Command::Close { device, reason: tunnel::CloseReason::Done });
        }
        Ok(())
    }

    /// Gives up the old key and goes on under the fresh one, which another device knows.
    fn finish_rekey(&mut self, ctx: &mut Ctx<'_, '_>, setup: &Setup) -> Result<(), StoreError> {
        let Some(rekey) = self.rekey.take() else { return Ok(()) };
        let fresh = SigningKey::from_seed(&rekey.seed);
        let left = self.charter.leave(&self.key, ctx.time.wall_ms);
        ctx.tx.set_device_seed(self.row, &rekey.seed)?;
        ctx.tx.remove_setting(&self.setting("rekey"))?;
        self.key = fresh;
        self.me = DeviceId::new(self.key.public());
        self.claims.clear();
        if let Ok(left) = left {
            self.charter_grew(ctx, vec![left], None)?;
        }
        let linked: Vec<_> = self.links.keys().copied().collect();
        for device in linked {
            self.unlink(ctx, device);
        }
        self.command(ctx, tunnel::Command::Shutdown);
        ctx.effects.extend(self.start(setup).into_iter().flatten());
        tracing::warn!("this device goes on under a fresh key");
        ctx.publish(|| api::Event::Roster { circle: self.id });
        Ok(())
    }

    pub(crate) fn setting(&self, what: &str) -> String {
        format!("{what}/{}", self.id)
    }
}

impl Drop for Rekey {
    fn drop(&mut self) {
        zeroize::Zeroize::zeroize(&mut self.seed);
    }
}

/// For how long the invitation to itself holds: it is used in the same turn.
const INVITED_MS: u64 = 60_000;
