//! Two network namespaces of this machine joined by a cable: the nearest to two devices that one machine has.

use std::{
    net::Ipv4Addr,
    process::{Command, ExitCode},
    sync::LazyLock,
};

use anyhow::{Context, Result, ensure};

use crate::child::Child;

/// An end of a cable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Near,
    Far,
}

impl End {
    /// Returns the address of whoever is at this end.
    pub(crate) const fn address(self) -> Ipv4Addr {
        match self {
            Self::Near => Ipv4Addr::new(10, 213, 77, 1),
            Self::Far => Ipv4Addr::new(10, 213, 77, 2),
        }
    }
}

/// Two network namespaces and the cable between them, which counts.
pub(crate) struct Cable {
    names: [String; 2],
}

impl Cable {
    pub(crate) fn new() -> Result<Self> {
        let number = std::process::id();
        let cable = Self { names: ["n", "f"].map(|end| format!("hexode-{number}-{end}")) };
        let [near, far] = &cable.names;
        for name in &cable.names {
            ip(&["netns", "add", name]).context("network namespaces need root")?;
        }
        ip(&["-n", near, "link", "add", CABLE, "type", "veth", "peer", "name", CABLE, "netns", far])?;
        for (name, end) in [(near, End::Near), (far, End::Far)] {
            ip(&["-n", name, "addr", "add", &format!("{}/24", end.address()), "dev", CABLE])?;
            ip(&["-n", name, "link", "set", "lo", "up"])?;
            ip(&["-n", name, "link", "set", CABLE, "up"])?;
        }
        Ok(cable)
    }

    fn name(&self, end: End) -> &str {
        let [near, far] = &self.names;
        match end {
            End::Near => near,
            End::Far => far,
        }
    }

    /// Starts this program at an end, in one of its roles.
    pub(crate) fn start(&self, end: End, words: &[&str]) -> Result<Child> {
        Child::start_as(inside(self.name(end)).arg(std::env::current_exe()?), words)
    }

    /// Counts bytes and packets over the cable, both ways, without the Ethernet header.
    pub(crate) fn count(&self) -> Result<(u64, u64)> {
        let script = ["rx_bytes", "tx_bytes", "rx_packets", "tx_packets"]
            .map(|name| format!("/sys/class/net/{CABLE}/statistics/{name}"))
            .join(" ");
        let output = inside(self.name(End::Near)).args(["sh", "-c", &format!("cat {script}")]).output()?;
        let text = String::from_utf8(output.stdout)?;
        let numbers: Vec<u64> = text.lines().filter_map(|line| line.parse().ok()).collect();
        let [received, sent, packets_in, packets_out] = numbers[..] else {
            anyhow::bail!("the cable does not count");
        };
        let packets = packets_in + packets_out;
        Ok((received + sent - ETHERNET * packets, packets))
    }
}

impl Drop for Cable {
    fn drop(&mut self) {
        for name in &self.names {
            // With the last process in it gone the namespace goes, and the cable with it.
            let _ = ip(&["netns", "delete", name]);
        }
    }
}

/// Runs this program anew, with its words, at the near end of a cable whose far end it is told; nothing if that cannot be, or this is it.
pub(crate) fn run_between() -> Result<Option<ExitCode>> {
    if FAR.is_some() {
        return Ok(None);
    }
    if !rustix::process::geteuid().is_root() {
        eprintln!(
            "both ends are on loopback, where bare iroh is faster than between two devices: as root they get a network each"
        );
        return Ok(None);
    }
    let cable = Cable::new()?;
    let status = inside(cable.name(End::Near))
        .arg(std::env::current_exe()?)
        .args(std::env::args_os().skip(1))
        .env(TOLD, cable.name(End::Far))
        .status()?;
    Ok(Some(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE }))
}

/// Returns where whoever is at this end is reached: at a cable's, or on loopback.
pub(crate) fn address(end: End) -> Ipv4Addr {
    if FAR.is_some() { end.address() } else { Ipv4Addr::LOCALHOST }
}

/// Tells whether there is a cable between this end and the far one.
pub(crate) fn is_there() -> bool {
    FAR.is_some()
}

/// Makes a command that runs at the far end: beyond the cable, or just here.
pub(crate) fn far(program: &str) -> Command {
    match FAR.as_deref() {
        Some(name) => {
            let mut command = inside(name);
            command.arg(program);
            command
        }
        None => Command::new(program),
    }
}

/// Starts this program at the far end, in one of its roles.
pub(crate) fn start_far(words: &[&str]) -> Result<Child> {
    let program = std::env::current_exe()?;
    Child::start_as(&mut far(program.to_str().context("a folder with a strange name")?), words)
}

/// `ip` becomes the program it is to start, so the process is that program's.
fn inside(name: &str) -> Command {
    let mut command = Command::new("ip");
    command.args(["netns", "exec", name]);
    command
}

fn ip(words: &[&str]) -> Result<()> {
    let status = Command::new("ip").args(words).status().context("`ip` did not start: install iproute2")?;
    ensure!(status.success(), "ip {} ended with {status}", words.join(" "));
    Ok(())
}

/// The namespace at the far end, if this runs at the near one.
static FAR: LazyLock<Option<String>> = LazyLock::new(|| std::env::var(TOLD).ok());

const TOLD: &str = "HEXODE_BENCH_FAR";
/// What the cable is called at either end.
pub(crate) const CABLE: &str = "cable";
const ETHERNET: u64 = 14;
