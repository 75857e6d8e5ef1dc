use node::api::{Circle, Path, PortMapping, Rendezvous, Tunnel, TunnelState};
use serde::Serialize;

use super::{
    circles::{state, you},
    devices::{full_name, verified},
};
use crate::{
    failure::Failure,
    session::{self, Session},
    table::Table,
    text, time,
};

/// Show how the node stands and who is connected how
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

/// The node, and its circles with their tunnels.
#[derive(Debug, Serialize)]
struct Shown {
    version: String,
    locked: bool,
    started_ms: u64,
    circles: Vec<CircleShown>,
}

#[derive(Debug, Serialize)]
struct CircleShown {
    #[serde(flatten)]
    circle: Circle,
    tunnels: Vec<Tunnel>,
}

impl Args {
    pub(crate) async fn run(self, session: Session) -> Result<(), Failure> {
        let status = session.client.status().await?;
        let mut circles = Vec::new();
        if !status.locked {
            for circle in session.circles().await? {
                let tunnels = session.client.tunnels(circle.id).await?;
                circles.push(CircleShown { circle, tunnels });
            }
        }
        let shown =
            Shown { version: status.version, locked: status.locked, started_ms: status.started_ms, circles };
        session.answer(&shown, || show(&shown))
    }
}

fn show(shown: &Shown) -> String {
    let lock = if shown.locked { "locked; `hexode unlock` opens it" } else { "unlocked" };
    let mut text = format!(
        "Hexode {} runs since {}, {lock}.\n",
        text::line(&shown.version),
        time::minute(shown.started_ms)
    );
    for CircleShown { circle, tunnels } in &shown.circles {
        text.push_str(&show_circle(circle));
        if !tunnels.is_empty() {
            text.push('\n');
            text.push_str(&show_tunnels(tunnels));
        }
    }
    if shown.circles.is_empty() && !shown.locked {
        text.push_str("This device belongs to no circle.\n");
    }
    text
}

fn show_circle(circle: &Circle) -> String {
    let addresses: Vec<_> = circle.addresses.iter().map(ToString::to_string).collect();
    let mut shown = format!("\n{} ({}): {}", session::name(circle), circle.id.short(), state(circle));
    if circle.member_name.is_some() {
        shown.push_str(&format!(
            "; you are {}\n  {}, {}, {} connected, {} unread, roster {}",
            you(circle),
            text::count(circle.members, "member"),
            text::count(circle.devices, "device"),
            circle.connected,
            circle.unread,
            text::line(&circle.roster_digest.chars().take(8).collect::<String>()),
        ));
    }
    shown.push('\n');
    if !addresses.is_empty() {
        shown.push_str(&format!("  reachable at {}\n", addresses.join(", ")));
    }
    if let Some(mapping) = &circle.mapping {
        shown.push_str(&show_mapping(mapping));
    }
    if let Some(rendezvous) = &circle.rendezvous {
        shown.push_str(&show_rendezvous(rendezvous));
    }
    if let Some(trouble) = &circle.trouble {
        shown.push_str(&format!("  trouble: {}\n", text::block(trouble)));
    }
    shown
}

fn show_mapping(mapping: &PortMapping) -> String {
    let PortMapping { router, outside, tcp, means, error } = mapping;
    let kept = match (outside, means, error) {
        (Some(outside), Some(means), _) => {
            format!("lets in {outside}, {}, asked by {means}", if *tcp { "UDP and TCP" } else { "UDP alone" })
        }
        (_, _, Some(error)) => format!("lets nothing in: {error}"),
        _ => "is being asked".into(),
    };
    format!("  router {router}: {}\n", text::line(&kept))
}

fn show_rendezvous(rendezvous: &Rendezvous) -> String {
    let told = match rendezvous.told_ms {
        Some(told) => {
            format!("told at {}, kept by {}", time::minute(told), text::count(rendezvous.kept_by, "node"))
        }
        None if rendezvous.nodes == 0 => {
            "no node of it is known; `hexode up --dht-bootstrap` names one".into()
        }
        None => "nobody keeps where this device is".into(),
    };
    let looked = match rendezvous.looked {
        0 => String::new(),
        looked => format!(", looked {}, found {}", text::count(looked, "time"), rendezvous.found),
    };
    format!("  DHT: {told}{looked}\n")
}

fn show_tunnels(tunnels: &[Tunnel]) -> String {
    let mut table = Table::new(&[
        "DEVICE",
        "TUNNEL",
        "CHANNEL",
        "PATH",
        "ROUND TRIP",
        "KEY EXCHANGE",
        "VERIFIED",
        "SINCE",
    ]);
    let mut why = String::new();
    for tunnel in tunnels {
        let name = full_name(&tunnel.device);
        let mut row = vec![name.clone(), tunnel_state(tunnel.state).into()];
        match &tunnel.path {
            Some(path) => row.extend([
                text::line(&path.channel),
                whereto(path, tunnels),
                time::round_trip(path.round_trip_us),
                text::line(&path.key_exchange),
            ]),
            None => row.extend(["-"; 4].map(str::to_owned)),
        }
        row.push(verified(&tunnel.device).split(',').next().unwrap_or_default().to_owned());
        row.push(tunnel.path.as_ref().map_or_else(|| "-".into(), |path| time::minute(path.since_ms)));
        table.row(row);
        if tunnel.state != TunnelState::Up {
            why.push_str(&reason(&name, tunnel));
        }
    }
    table.text("  ") + &why
}

/// Says where a path leads: to an address, or through a member's device.
pub(super) fn whereto(path: &Path, tunnels: &[Tunnel]) -> String {
    let forwarder = path.via.and_then(|via| tunnels.iter().find(|tunnel| tunnel.device.id == via));
    match (&path.remote, forwarder) {
        (Some(address), _) => address.to_string(),
        (None, Some(tunnel)) => format!("through {}", full_name(&tunnel.device)),
        (None, None) => "through a member".into(),
    }
}

/// Says why a tunnel is not up.
fn reason(name: &str, tunnel: &Tunnel) -> String {
    let addresses: Vec<_> = tunnel.addresses.iter().map(ToString::to_string).collect();
    let mut said = match tunnel.state {
        TunnelState::NoAddress => format!("  {name}: no address is known"),
        _ => format!("  {name}: {} at {}", text::count(tunnel.attempts, "attempt"), addresses.join(", ")),
    };
    if let Some(error) = &tunnel.last_error {
        said.push_str(&format!("; {}", text::line(error)));
    }
    said + "\n"
}

fn tunnel_state(state: TunnelState) -> &'static str {
    match state {
        TunnelState::Up => "up",
        TunnelState::Dialling => "dialling",
        TunnelState::NoAddress => "no address",
    }
}
