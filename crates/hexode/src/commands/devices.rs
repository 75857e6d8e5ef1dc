use clap::Subcommand;
use node::api::{Device, VerifyMethod};

use super::invite::role_name;
use crate::{failure::Failure, resolve, session::Session, table::Table, text, time};

/// List the circle's devices, or remove one
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    act: Option<Act>,
}

#[derive(Debug, Subcommand)]
enum Act {
    /// Remove a device, for instance one that was lost: it gets nothing any more
    Remove {
        /// Its name, id, or MEMBER/DEVICE
        device: String,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
}

impl Args {
    pub(crate) async fn run(self, session: Session) -> Result<(), Failure> {
        let circle = session.circle().await?;
        let devices = session.client.devices(circle.id).await?;
        let Some(Act::Remove { device, yes }) = self.act else {
            return session.answer(&devices, || table(&devices));
        };
        let device = resolve::device(devices, &device)?;
        let name = full_name(&device);
        let question = format!("Remove {name} ({})? This cannot be undone.", device.id);
        if !yes && !session.confirm(&question)? {
            return session.answer(&false, || "Nothing was done.\n".into());
        }
        session.client.remove_device(circle.id, device.id).await?;
        session.answer(&device.id, || format!("{name} is removed.\n"))
    }
}

fn table(devices: &[Device]) -> String {
    let mut table = Table::new(&["ID", "DEVICE", "ROLE", "SINCE", "VERIFIED", "CONNECTED"]);
    for device in devices {
        table.row([
            device.id.short(),
            full_name(device) + if device.this { " (this)" } else { "" },
            role_name(device.role).into(),
            time::minute(device.since_ms),
            verified(device),
            if device.connected {
                "yes".into()
            } else if device.this {
                String::new()
            } else {
                "no".to_owned()
            },
        ]);
    }
    table.text("")
}

/// Names a device with its owner.
pub(super) fn full_name(device: &Device) -> String {
    format!("{}/{}", text::line(&device.member_name), text::line(&device.name))
}

/// Names the members who vouch for a device.
pub(super) fn vouchers(device: &Device) -> String {
    device.vouched_by.iter().map(|name| text::line(name)).collect::<Vec<_>>().join(", ")
}

/// Says whether and how a device's key was compared.
pub(super) fn verified(device: &Device) -> String {
    match &device.verified {
        _ if device.this => String::new(),
        None if device.new_key => "NO: NEW KEY".into(),
        None if !device.vouched_by.is_empty() => format!("no; {} verified it", vouchers(device)),
        None => "no".into(),
        Some(verified) => {
            let how = match verified.method {
                VerifyMethod::Words => "by words",
                VerifyMethod::Emoji => "by signs",
                VerifyMethod::Qr => "by code",
                VerifyMethod::Accepted => "accepted",
            };
            let by = verified.by.as_deref().map(|by| format!(" on {}", text::line(by))).unwrap_or_default();
            format!("{how}{by}, {}", time::minute(verified.at_ms))
        }
    }
}
