use node::api::{Circle, OpenPath, Tunnel, TunnelState};
use serde::Serialize;
use wire::DeviceId;

use super::devices::full_name;
use crate::{
    failure::Failure,
    session::{self, Session},
    table::Table,
    text, time,
};

/// Show every way to every device, what was tried, and what would help
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

#[derive(Debug, Serialize)]
struct CircleShown {
    #[serde(flatten)]
    circle: Circle,
    devices: Vec<Diagnosis>,
}

/// What is known of the ways to one device.
#[derive(Debug, Serialize)]
struct Diagnosis {
    #[serde(flatten)]
    tunnel: Tunnel,
    /// What would help, in words.
    advice: Vec<String>,
}

impl Args {
    pub(crate) async fn run(self, session: Session) -> Result<(), Failure> {
        let mut shown = Vec::new();
        for circle in session.circles().await? {
            let tunnels = session.client.tunnels(circle.id).await?;
            let devices = tunnels
                .iter()
                .map(|tunnel| Diagnosis { tunnel: tunnel.clone(), advice: advice(tunnel, &tunnels) })
                .collect();
            shown.push(CircleShown { circle, devices });
        }
        session.answer(&shown, || shown.iter().map(show).collect())
    }
}

fn show(CircleShown { circle, devices }: &CircleShown) -> String {
    let mut shown = format!("{}:\n", session::name(circle));
    if devices.is_empty() {
        shown.push_str("  no other device\n");
    }
    for device in devices {
        shown.push_str(&diagnosis(device, devices));
    }
    shown
}

fn diagnosis(Diagnosis { tunnel, advice }: &Diagnosis, all: &[Diagnosis]) -> String {
    let reach = tunnel.reach.clone().unwrap_or_default();
    let mut shown = format!("\n  {}: {}\n", full_name(&tunnel.device), standing(tunnel));
    if !reach.paths.is_empty() {
        let mut table = Table::new(&["CHANNEL", "PATH", "ROUND TRIP", "LOST", "LARGEST PACKET", ""]);
        for path in &reach.paths {
            table.row([
                text::line(&path.channel),
                whereto(path, all),
                time::round_trip(path.round_trip_us),
                format!("{} of {}", path.lost, path.sent),
                format!("{} B", path.mtu),
                if path.used { "in use".into() } else { String::new() },
            ]);
        }
        shown.push_str(&table.text("    "));
    }
    if tunnel.state != TunnelState::Up {
        let at: Vec<_> = tunnel.addresses.iter().map(ToString::to_string).collect();
        if !at.is_empty() {
            shown.push_str(&format!("    tried at {}\n", at.join(", ")));
        }
        let offers: Vec<_> = reach.offers.iter().map(|via| name(via, all)).collect();
        if !offers.is_empty() {
            shown.push_str(&format!("    tried through {}\n", offers.join(", ")));
        }
    }
    for failure in &reach.failures {
        let what = match (failure.lost, failure.sent) {
            (Some(lost), Some(sent)) => format!("lost {lost} of {sent} packets"),
            _ => "passed nothing on".into(),
        };
        let when = time::minute(failure.at_ms);
        shown.push_str(&format!("    {} {what} at {when}\n", name(&failure.via, all)));
    }
    for forwarded in &reach.forwarded {
        shown.push_str(&format!(
            "    this device forwards between it and {}: {} KiB since {}, {} dropped\n",
            name(&forwarded.with, all),
            forwarded.bytes / 1024,
            time::minute(forwarded.since_ms),
            text::count(forwarded.dropped, "packet"),
        ));
    }
    for line in advice {
        shown.push_str(&format!("    Hint: {}\n", text::line(line)));
    }
    shown
}

fn standing(tunnel: &Tunnel) -> String {
    match (&tunnel.path, tunnel.state) {
        (Some(path), _) => format!("connected since {}", time::minute(path.since_ms)),
        (None, TunnelState::NoAddress) => "not reached: no address is known".into(),
        (None, _) => {
            let why = tunnel.last_error.as_deref().map(|error| format!("; {}", text::line(error)));
            format!("not reached, {}{}", text::count(tunnel.attempts, "attempt"), why.unwrap_or_default())
        }
    }
}

fn whereto(path: &OpenPath, all: &[Diagnosis]) -> String {
    match (&path.remote, &path.via) {
        (Some(address), _) => address.to_string(),
        (None, Some(via)) => format!("through {}", name(via, all)),
        (None, None) => "-".into(),
    }
}

fn name(device: &DeviceId, all: &[Diagnosis]) -> String {
    let known = all.iter().find(|known| known.tunnel.device.id == *device);
    known.map_or_else(|| device.short(), |known| full_name(&known.tunnel.device))
}

/// Says what a person can do about a way that is missing or bad.
fn advice(tunnel: &Tunnel, all: &[Tunnel]) -> Vec<String> {
    let reach = tunnel.reach.clone().unwrap_or_default();
    let others = all.iter().filter(|other| other.state == TunnelState::Up).count();
    let mut advice = Vec::new();
    match (&tunnel.path, tunnel.state) {
        (Some(path), _) if path.via.is_some() => advice.push(
            "both sides let nothing in that they did not ask for: IPv6, or a port that one router passes on \
             (then `hexode up --address`), makes a direct way"
                .into(),
        ),
        (Some(path), _) if path.channel == "tcp" => advice.push(
            "UDP does not get through between the two, so all goes over TCP, where one lost packet holds up the rest: \
             a firewall that lets UDP out gives a better way"
                .into(),
        ),
        (Some(_), _) => {}
        (None, TunnelState::NoAddress) => advice.push(
            "somebody who is connected has to know it; a new invitation for a device that moved does it, too".into(),
        ),
        (None, _) if others == 0 => {
            advice.push("no device is connected: look at this machine's own network first".into());
        }
        (None, _) if reach.offers.is_empty() => advice.push(
            "it is switched off, or none of the connected devices reaches it either: one that both reach would \
             forward"
                .into(),
        ),
        (None, _) => {}
    }
    let lossy = |path: &&OpenPath| path.used && path.sent >= 100 && path.lost * 20 > path.sent;
    if let Some(path) = reach.paths.iter().find(lossy) {
        let percent = path.lost * 100 / path.sent.max(1);
        advice.push(format!("{percent} of 100 packets are lost on the way: another line would be faster"));
    }
    advice
}
