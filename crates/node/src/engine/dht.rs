//! Whether members are looked for on the DHT, and what is remembered of it.

use std::net::SocketAddr;

use vault::{StoreError, Vault};
use wire::CircleId;

use super::{CircleState, Ctx, Dht};
use crate::api;

/// What a circle has heard of its rendezvous on the DHT.
#[derive(Debug, Clone, Default)]
pub(crate) struct Heard {
    /// Nodes that answered, for the next start.
    pub(crate) nodes: Vec<SocketAddr>,
    status: Option<api::Rendezvous>,
}

/// Brings together what is wanted now and what the vault remembers, which from then on is that.
pub(crate) fn settle(vault: &mut Vault, wanted: Dht) -> Result<Dht, StoreError> {
    let kept: Option<Vec<SocketAddr>> = vault.setting(SWITCH)?.and_then(|bytes| addresses(&bytes));
    let named = match wanted {
        Dht::Remembered => return Ok(kept.map_or(Dht::Off, |bootstrap| Dht::On { bootstrap })),
        Dht::On { bootstrap } if bootstrap.is_empty() => Some(kept.clone().unwrap_or_default()),
        Dht::On { bootstrap } => Some(bootstrap),
        Dht::Off => None,
    };
    if named != kept {
        let mut turn = vault.begin()?;
        match &named {
            Some(bootstrap) => turn.set_setting(SWITCH, &wire::encode(bootstrap))?,
            None => turn.remove_setting(SWITCH)?,
        }
        turn.commit()?;
    }
    Ok(named.map_or(Dht::Off, |bootstrap| Dht::On { bootstrap }))
}

/// Reads the nodes that a circle remembers.
pub(crate) fn remembered(vault: &Vault, circle: &CircleId) -> Result<Heard, StoreError> {
    let nodes = vault.setting(&nodes_of(circle))?.and_then(|bytes| addresses(&bytes));
    Ok(Heard { nodes: nodes.unwrap_or_default(), status: None })
}

impl CircleState {
    pub(crate) fn dht_config(&self, dht: &Dht) -> Option<tunnel::dht::DhtConfig> {
        let Dht::On { bootstrap } = dht else { return None };
        Some(tunnel::dht::DhtConfig {
            bootstrap: bootstrap.clone(),
            remembered: self.dht.nodes.clone(),
            timing: tunnel::dht::DhtTiming::default(),
        })
    }

    pub(crate) fn handle_dht(
        &mut self,
        ctx: &mut Ctx<'_, '_>,
        status: &tunnel::dht::DhtStatus,
        nodes: Option<Vec<SocketAddr>>,
    ) -> Result<(), StoreError> {
        if let Some(nodes) = nodes {
            ctx.tx.set_setting(&nodes_of(&self.id), &wire::encode(&nodes))?;
            self.dht.nodes = nodes;
        }
        let before = self.dht.status.take();
        let told = before.as_ref().map_or(0, |before| before.told);
        let told_ms = before.and_then(|before| before.told_ms);
        self.dht.status = Some(api::Rendezvous {
            nodes: count(status.nodes),
            kept_by: count(status.kept_by),
            told: status.told,
            told_ms: if status.told == told { told_ms } else { Some(ctx.time.wall_ms) },
            looked: status.looked,
            found: status.found,
        });
        Ok(())
    }

    pub(crate) fn dht_view(&self) -> Option<api::Rendezvous> {
        self.dht.status.clone()
    }
}

fn nodes_of(circle: &CircleId) -> String {
    format!("dht-nodes/{circle}")
}

fn addresses(bytes: &[u8]) -> Option<Vec<SocketAddr>> {
    wire::decode(bytes, LONGEST).ok()
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// Whether it is on: the addresses to begin with, if it is.
const SWITCH: &str = "dht";
/// How long a list of addresses may be.
const LONGEST: usize = 16 << 10;

#[cfg(test)]
mod tests {
    use vault::{Kdf, Options, Passphrase};

    use super::*;

    #[test]
    fn the_switch_is_remembered_with_the_addresses_named() {
        let folder = tempfile::tempdir().unwrap();
        let kdf = Some(Kdf::Argon2id { memory_kib: 64, passes: 1, lanes: 1 });
        let options = Options { kdf, ..Options::default() };
        let mut vault =
            Vault::create(folder.path(), &Passphrase::new("correct horse battery staple"), options).unwrap();
        let mut settled = |wanted: Dht| settle(&mut vault, wanted).unwrap();
        let on = |addresses: &[&str]| Dht::On {
            bootstrap: addresses.iter().map(|address| address.parse().unwrap()).collect(),
        };
        assert_eq!(settled(Dht::Remembered), Dht::Off, "off by default");
        assert_eq!(settled(on(&["192.0.2.1:1"])), on(&["192.0.2.1:1"]));
        assert_eq!(settled(Dht::Remembered), on(&["192.0.2.1:1"]));
        assert_eq!(settled(on(&[])), on(&["192.0.2.1:1"]));
        assert_eq!(settled(on(&["192.0.2.2:2"])), on(&["192.0.2.2:2"]));
        assert_eq!(settled(Dht::Off), Dht::Off);
        assert_eq!(settled(Dht::Remembered), Dht::Off);
    }
}
