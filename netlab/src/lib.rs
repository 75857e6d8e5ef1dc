//! Networks out of Linux network namespaces: cables, routers, translators of addresses, firewalls.
//!
//! Dev only; needs root and the programs `ip` and `nft`. Nothing in here reaches beyond the namespaces that it
//! made, and they go with the [`Lab`].
//!
//! # Example
//! ```no_run
//! # fn main() -> anyhow::Result<()> {
//! let lab = hexode_netlab::Lab::new();
//! let (ann, ben) = (lab.space("ann")?, lab.space("ben")?);
//! ann.cable("eth", "10.0.0.1/24", &ben, "eth", "10.0.0.2/24")?;
//! let device = hexode_netlab::Device::start(&ann, 1)?;
//! # Ok(())
//! # }
//! ```

mod device;
mod line;
mod site;
mod space;
mod tap;

pub use device::{Device, Flow, allow_each_other, id};
pub use line::Line;
pub use site::{Internet, Kind, Site};
pub use space::{Door, Lab, Space};
pub use tap::{Copy, Tap};
