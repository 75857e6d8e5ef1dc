//! One file a measurement.

pub(crate) mod canary;
pub(crate) mod capture;
pub(crate) mod catch_up;
pub(crate) mod dht;
pub(crate) mod dial;
pub(crate) mod file;
pub(crate) mod file_kill;
pub(crate) mod idle;
pub(crate) mod kill;
pub(crate) mod round_trip;
pub(crate) mod squeeze;
pub(crate) mod stream;
pub(crate) mod stream_many;
pub(crate) mod throughput;

use anyhow::{Context, Result, bail};
use wire::{CircleId, DeviceId};

use crate::{
    cable::{self, End},
    child::Child,
    host::{Host, PASSPHRASE},
    node_role::{Answer, Order},
    process::{self, Folder},
};

/// Ann's node in this process and Ben's in another, with a tunnel between them.
pub(crate) struct Pair {
    pub(crate) ann: Host,
    pub(crate) ben: Child,
    pub(crate) circle: CircleId,
    pub(crate) anns: DeviceId,
    pub(crate) bens: DeviceId,
    // Dropped last: the folder outlives the nodes.
    _folder: Folder,
}

impl Pair {
    pub(crate) async fn start() -> Result<Self> {
        let folder = process::folder()?;
        let ann = Host::start(&folder.path().join("ann"), cable::address(End::Near), false)?;
        let circle = ann.found("Measure", "Ann", PASSPHRASE).await?;
        let anns = ann.node.circle(circle).await.map_err(crate::host::plain)?.device;
        let home = folder.path().join("ben");
        let bind = cable::address(End::Far).to_string();
        let home = home.to_str().context("a folder with a strange name")?;
        let mut ben = cable::start_far(&["node", home, "--bind", &bind])?;
        let join = Order::join(ann.invite(circle).await?, "Ben");
        let Answer::Circle { device: bens, .. } = ben.order(&join).await? else {
            bail!("Ben did not say who he is");
        };
        ann.wait(|seen| seen.up.contains(&bens).then_some(())).await?;
        Ok(Self { ann, ben, circle, anns, bens, _folder: folder })
    }

    /// Ends both nodes as a person would.
    pub(crate) async fn stop(mut self) -> Result<()> {
        self.ben.order(&Order::Stop).await?;
        self.ann.node.stop().await;
        Ok(())
    }
}
