use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use crate::{
    needles::Needles,
    pcap::{self, Kind},
    process,
    verdict::{Row, Verdict},
};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The program whose demo is captured.
    hexode: PathBuf,
}

/// What the demo reports of itself: one or more JSON objects.
#[derive(Debug, Default, Deserialize)]
struct Report {
    /// Names and texts that occur nowhere else.
    #[serde(default)]
    canaries: Vec<String>,
    /// Device keys and circle ids, in hexadecimal or base32.
    #[serde(default)]
    keys: Vec<String>,
    /// Where the devices listened.
    #[serde(default)]
    addresses: Vec<SocketAddr>,
}

/// Runs the demo in a network namespace of its own, captures every packet in it, and looks at all of them.
pub(crate) fn run(args: &Args) -> Result<Verdict> {
    let folder = process::folder()?;
    let (file, reported) = (folder.path().join("packets.pcap"), folder.path().join("report.json"));
    record(args, &file, &reported)?;
    let report = Report::read(&fs::read_to_string(&reported).context("the demo wrote no report")?)?;
    ensure!(!report.canaries.is_empty() && !report.keys.is_empty(), "the demo reported nothing to look for");
    let bytes = fs::read(&file)?;
    let findings = Findings::of(&bytes, &report)?;
    eprintln!(
        "{} packets, {} B; {} canaries and {} keys looked for in all forms",
        findings.packets,
        bytes.len(),
        report.canaries.len(),
        report.keys.len()
    );
    for (way, count) in &findings.strangers {
        eprintln!("not between devices: {way}, {count} packets");
    }
    for hit in &findings.readable {
        eprintln!("readable in a packet: {hit}");
    }
    Ok(Verdict {
        figure: format!(
            "{} packets: {} to others than the devices, {} readable names, keys, ids or texts",
            findings.packets,
            findings.strangers.values().sum::<u64>(),
            findings.readable.len()
        ),
        holds: findings.packets > 100 && findings.strangers.is_empty() && findings.readable.is_empty(),
        rows: vec![Row::new("packets looked at", "", findings.packets as f64, None)],
    })
}

impl Report {
    fn read(text: &str) -> Result<Self> {
        let mut all = Self::default();
        for part in serde_json::Deserializer::from_str(text).into_iter() {
            let part: Self = part.context("the demo's report")?;
            all.canaries.extend(part.canaries);
            all.keys.extend(part.keys);
            all.addresses.extend(part.addresses);
        }
        Ok(all)
    }

    fn needles(&self) -> Result<Needles> {
        let mut needles = Needles::new();
        for text in &self.canaries {
            needles.text(text, text);
        }
        for key in &self.keys {
            let upper = key.to_ascii_uppercase();
            let bytes = data_encoding::HEXUPPER
                .decode(upper.as_bytes())
                .or_else(|_| data_encoding::BASE32_NOPAD.decode(upper.as_bytes()))
                .with_context(|| format!("\"{key}\" is neither hexadecimal nor base32"))?;
            needles.bytes(key, &bytes);
            needles.text(key, key);
        }
        Ok(needles)
    }
}

/// What is wrong with a capture.
#[derive(Debug)]
struct Findings {
    packets: usize,
    /// Packets that do not go from a device to a device.
    strangers: BTreeMap<String, u64>,
    readable: BTreeSet<String>,
}

impl Findings {
    fn of(capture: &[u8], report: &Report) -> Result<Self> {
        let packets = pcap::packets(capture)?;
        let devices: BTreeSet<_> = report.addresses.iter().copied().collect();
        // Where the report names no addresses, devices are what lives on this machine's loopback.
        let is_device = |address: &SocketAddr| match devices.is_empty() {
            true => address.ip().is_loopback(),
            false => devices.contains(address),
        };
        let is_machine = |address: &SocketAddr| match devices.is_empty() {
            true => address.ip().is_loopback(),
            false => devices.iter().any(|device| device.ip() == address.ip()),
        };
        let (mut strangers, mut hits) = (BTreeMap::<String, u64>::new(), Vec::new());
        let needles = report.needles()?;
        for packet in &packets {
            let between_devices = match packet.kind {
                Kind::Udp => is_device(&packet.from) && is_device(&packet.to),
                // Whoever opens a lane does it from a port of the moment, towards one at which a device listens.
                Kind::Tcp => {
                    (is_device(&packet.from) && is_machine(&packet.to))
                        || (is_machine(&packet.from) && is_device(&packet.to))
                }
                // A device that was killed is answered for by its system.
                Kind::Icmp => is_machine(&packet.from) && is_machine(&packet.to),
                Kind::Other => false,
            };
            if !between_devices {
                let way = format!("{} → {} ({:?})", packet.from, packet.to, packet.kind);
                *strangers.entry(way).or_default() += 1;
            }
            needles.find("a packet", packet.bytes, &mut hits);
        }
        let readable = hits.into_iter().map(|hit| format!("{} ({})", hit.what, hit.form)).collect();
        Ok(Self { packets: packets.len(), strangers, readable })
    }
}

/// Records every packet on the loopback of a fresh namespace while the demo runs in it.
fn record(args: &Args, file: &Path, reported: &Path) -> Result<()> {
    let space = Namespace::new()?;
    let mut tcpdump = space
        .command("tcpdump")
        .args(["-i", "lo", "-U", "-Z", "root", "-s", "0", "-B", "65536", "-w"])
        .arg(file)
        .stderr(Stdio::piped())
        .spawn()
        .context("tcpdump did not start")?;
    let mut words = BufReader::new(tcpdump.stderr.take().context("no way to hear tcpdump")?).lines();
    let listens = words.by_ref().map_while(Result::ok).any(|line| line.contains("listening on"));
    ensure!(listens, "tcpdump does not listen");
    let demo = space
        .command(&args.hexode.display().to_string())
        .args(["demo", "--report"])
        .arg(reported)
        .stdout(Stdio::from(std::io::stderr()))
        .status()
        .context("the demo did not start")?;
    let interrupt = Command::new("kill").args(["-INT", &tcpdump.id().to_string()]).status()?;
    ensure!(interrupt.success(), "tcpdump could not be told to end");
    let last: Vec<String> = words.map_while(Result::ok).collect();
    let ended = tcpdump.wait()?;
    ensure!(demo.success(), "the demo ended with {demo}");
    ensure!(ended.success(), "tcpdump ended with {ended}");
    let dropped = last.iter().find(|line| line.contains("dropped by kernel"));
    ensure!(dropped.is_some_and(|line| line.starts_with("0 ")), "packets were missed: {dropped:?}");
    Ok(())
}

struct Namespace(String);

impl Namespace {
    fn new() -> Result<Self> {
        let space = Self(format!("hexode-{}-demo", std::process::id()));
        let made = Command::new("ip").args(["netns", "add", &space.0]).status()?;
        ensure!(made.success(), "network namespaces need root");
        let up = space.command("ip").args(["link", "set", "lo", "up"]).status()?;
        ensure!(up.success(), "the namespace's loopback did not come up");
        Ok(space)
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.0, program]);
        command
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        // What is left of it goes with its last process.
        let _ = Command::new("ip").args(["netns", "delete", &self.0]).status();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pcap::{TCP, UDP, tests::capture};

    fn report() -> Report {
        let key = data_encoding::HEXLOWER.encode(&[0xab; 32]);
        let line = format!(
            r#"{{"canaries": ["Wilhelmina"]}}{}{{"keys": ["{key}"], "addresses": ["127.0.0.1:1000", "127.0.0.1:2000"]}}"#,
            "\n"
        );
        Report::read(&line).unwrap()
    }

    fn findings(to: &str, payload: &[u8]) -> (usize, usize) {
        of(UDP, "127.0.0.1:1000", to, payload)
    }

    fn of(protocol: u8, from: &str, to: &str, payload: &[u8]) -> (usize, usize) {
        let file = capture(protocol, &[(from.parse().unwrap(), to.parse().unwrap(), payload)]);
        let findings = Findings::of(&file, &report()).unwrap();
        (findings.strangers.len(), findings.readable.len())
    }

    #[test]
    fn each_fault_of_a_capture_is_found() {
        let device = "127.0.0.1:2000";
        assert_eq!(findings(device, &[0x55; 300]), (0, 0));
        assert_eq!(findings(device, b"Dear Wilhelmina,"), (0, 1), "a name");
        assert_eq!(findings(device, &[&b"x"[..], &[0xab; 32]].concat()), (0, 1), "a key");
        assert_eq!(findings("127.0.0.1:2001", b"hm"), (1, 0), "another port");
        assert_eq!(findings("8.8.8.8:53", b"hm"), (1, 0), "another machine");
        let lane = |from, to| of(TCP, from, to, b"hm").0;
        assert_eq!((lane("127.0.0.1:999", device), lane(device, "127.0.0.1:999")), (0, 0), "a lane");
        assert_eq!(lane("127.0.0.1:999", "127.0.0.1:998"), 1, "between programs that are no devices");
        assert_eq!(lane(device, "8.8.8.8:443"), 1, "a lane to another machine");
        assert_eq!(of(TCP, device, "127.0.0.1:999", b"Dear Wilhelmina,").1, 1, "a name on a lane");
        let base32 = data_encoding::BASE32_NOPAD.encode(&[0xab; 32]);
        assert!(findings(device, base32.as_bytes()).1 > 0, "a key in base32");
    }
}
