//! What others say of this device's own chains: that they hold more of one than it does itself.
//!
//! It is so when an old copy of the vault was put back, and then nothing may be written before what was forgotten is here
//! again: it would fork the chain. But anybody can say it, so a word alone holds up writing for a moment, once, and only
//! entries that this device's own key signed show that it is true.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use wire::{ConversationId, DeviceId};

/// What is said, and by whom.
#[derive(Debug, Default)]
pub(crate) struct Claims {
    open: BTreeMap<(ConversationId, DeviceId), Claim>,
    /// Who said so and delivered nothing: his word holds up nothing more.
    empty: BTreeSet<DeviceId>,
}

#[derive(Debug, Clone, Copy)]
struct Claim {
    /// How many entries there are said to be.
    len: u64,
    /// Until when they are waited for.
    until: Duration,
}

impl Claims {
    /// Takes note that a device says it holds so many entries of one of this device's own chains.
    pub(crate) fn heard(&mut self, conversation: ConversationId, device: DeviceId, len: u64, now: Duration) {
        self.drop_late(now);
        if self.empty.contains(&device) {
            return;
        }
        let claim = self.open.entry((conversation, device)).or_insert(Claim { len, until: now + PATIENCE });
        claim.len = claim.len.max(len);
    }

    /// Takes note that a device brought entries of one of this device's own chains, of which it holds `held` now.
    pub(crate) fn delivered(
        &mut self,
        conversation: ConversationId,
        device: DeviceId,
        held: u64,
        now: Duration,
    ) {
        self.empty.remove(&device);
        self.open.retain(|(of, _), claim| *of != conversation || claim.len > held);
        if let Some(claim) = self.open.get_mut(&(conversation, device)) {
            claim.until = now + PATIENCE;
        }
    }

    /// Tells whether entries are waited for beyond those that are held.
    pub(crate) fn waits(&self, conversation: &ConversationId, held: u64, now: Duration) -> bool {
        let mut of_it = self.open.iter().filter(|((of, _), _)| of == conversation);
        of_it.any(|(_, claim)| claim.len > held && now < claim.until)
    }

    /// Forgets all of it: this device goes on with other chains.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    fn drop_late(&mut self, now: Duration) {
        let Self { open, empty } = self;
        open.retain(|(_, device), claim| {
            let waits = now < claim.until;
            if !waits {
                empty.insert(*device);
            }
            waits
        });
    }
}

/// For how long an entry is waited for: on a slow way a frame of them takes so long.
const PATIENCE: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: ConversationId = ConversationId::new([7; 32]);
    const ANN: DeviceId = DeviceId::new([1; 32]);
    const EVE: DeviceId = DeviceId::new([2; 32]);

    fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn what_is_delivered_is_waited_for_and_what_is_not_only_once() {
        let mut claims = Claims::default();
        claims.heard(HERE, ANN, 100, s(0));
        assert!(claims.waits(&HERE, 10, s(1)));
        assert!(!claims.waits(&ConversationId::new([8; 32]), 0, s(1)), "one conversation holds up no other");
        claims.delivered(HERE, ANN, 50, s(50));
        assert!(claims.waits(&HERE, 50, s(100)), "who delivers may take long");
        claims.delivered(HERE, ANN, 100, s(100));
        assert!(!claims.waits(&HERE, 100, s(100)));

        claims.heard(HERE, EVE, u64::MAX, s(200));
        assert!(claims.waits(&HERE, 100, s(259)));
        assert!(!claims.waits(&HERE, 100, s(260)));
        claims.heard(HERE, EVE, u64::MAX, s(300));
        assert!(!claims.waits(&HERE, 100, s(300)), "nobody holds up writing again by a word that was empty");
        claims.heard(HERE, ANN, 101, s(300));
        assert!(claims.waits(&HERE, 100, s(300)), "the others are still believed");
    }

    #[test]
    fn what_comes_from_one_settles_what_others_said() {
        let mut claims = Claims::default();
        claims.heard(HERE, ANN, 20, s(0));
        claims.heard(HERE, EVE, 20, s(0));
        claims.delivered(HERE, ANN, 20, s(1));
        assert!(!claims.waits(&HERE, 20, s(1)));
        claims.heard(HERE, EVE, 30, s(61));
        assert!(claims.waits(&HERE, 20, s(61)), "who was served by another said nothing empty");
    }
}
