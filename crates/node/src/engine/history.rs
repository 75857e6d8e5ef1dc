//! How far back this device takes what was said, as its person chose when it joined.

use vault::{StoreError, Turn, Vault};

use super::CircleState;

impl CircleState {
    /// Keeps from when on this device takes what was said; all of it, if nothing is chosen.
    pub(crate) fn set_history(
        &mut self,
        tx: &mut Turn<'_>,
        history_s: Option<u64>,
        now_ms: u64,
    ) -> Result<(), StoreError> {
        self.since_ms = history_s.map_or(0, |seconds| now_ms.saturating_sub(seconds.saturating_mul(1000)));
        match self.since_ms {
            0 => tx.remove_setting(&self.setting("history")),
            since_ms => tx.set_setting(&self.setting("history"), &since_ms.to_be_bytes()),
        }
    }

    pub(crate) fn restore_history(&mut self, vault: &Vault) -> Result<(), StoreError> {
        let kept = vault.setting(&self.setting("history"))?;
        let since_ms = kept.and_then(|kept| Some(u64::from_be_bytes(kept.as_slice().try_into().ok()?)));
        self.since_ms = since_ms.unwrap_or(0);
        Ok(())
    }
}
