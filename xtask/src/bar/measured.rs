use anyhow::{Context, Result};
use serde_json::Value;

use super::{Bar, Verdict, verdict};
use crate::shell::{self, cargo};

pub(crate) const ROUND_TRIP: Bar = Bar {
    name: "round-trip",
    what: "a message of 300 B, durable at both ends, until its receipt is back",
    limit: "p50 at most 3 bare iroh echoes + 2 commits of the same run",
    run: || measure(&["round-trip"]),
};

pub(crate) const THROUGHPUT: Bar = Bar {
    name: "throughput",
    what: "messages of 300 B one way, signed and durable at both ends, both ends on this machine",
    limit: "at least 10,000/s, memory flat",
    run: || measure(&["throughput"]),
};

pub(crate) const CATCH_UP: Bar = Bar {
    name: "catch-up",
    what: "100,000 messages that were written while a device was away",
    limit: "all there within 10 s, at most 150 MiB on either side",
    run: || measure(&["catch-up"]),
};

pub(crate) const IDLE: Bar = Bar {
    name: "idle",
    what: "a node that only keeps its tunnels, with 10 and with 100 contacts; needs root",
    limit: "with 10: at most 25 MiB resident, 0.1 % of a core, 1 MiB a day per contact",
    run: || measure(&["idle"]),
};

pub(crate) const KILL: Bar = Bar {
    name: "kill",
    what: "SIGKILL at random points, 200 times, while three nodes write to each other",
    limit: "0 lost, 0 doubled, 0 forked, 1 order",
    run: || measure(&["kill"]),
};

pub(crate) const FILE: Bar = Bar {
    name: "file",
    what: "1 GiB from node to node, sealed on both disks, verified, durable at the end; beside bare iroh from memory to memory; between two networks as root",
    limit: "at least 0.75 × bare, at most 4 CPU-s per GB for both ends and 100 MiB",
    run: || measure(&["file"]),
};

pub(crate) const FILE_KILL: Bar = Bar {
    name: "file-kill",
    what: "SIGKILL of either side at 100 random points of a transfer of 1 GiB",
    limit: "bit-exact, at most 1 MiB sent again each time",
    run: || measure(&["file-kill"]),
};

pub(crate) const STREAM: Bar = Bar {
    name: "stream",
    what: "1 GiB from program to program over one data stream; beside bare iroh from memory to memory and ssh -L; needs openssh, between two networks as root",
    limit: "at least 0.8 × bare, faster than ssh -L",
    run: || {
        shell::need("/usr/sbin/sshd", "openssh-server")?;
        shell::need("ssh", "openssh-client")?;
        measure(&["stream"])
    },
};

pub(crate) const STREAM_ECHO: Bar = Bar {
    name: "stream-echo",
    what: "echoes of 300 B from program to program over an open data stream, beside a bare iroh stream's; between two networks as root",
    limit: "p50 at most 1.5 × bare",
    run: || measure(&["stream-echo"]),
};

pub(crate) const STREAM_MANY: Bar = Bar {
    name: "stream-many",
    what: "10,000 open data streams: their memory at either end; all sending, beside bare iroh with as many; between two networks as root",
    limit: "at most 20 KiB each, at least 0.9 × bare, Jain at least 0.95",
    run: || measure(&["stream-many"]),
};

pub(crate) const SQUEEZE_MESSAGE: Bar = Bar {
    name: "squeeze-message",
    what: "messages, durable at the other end, while a file and 100 bulk streams want more than the 2 Mbit/s there are; needs root",
    limit: "p95 at most 250 ms",
    run: || measure(&["squeeze-message"]),
};

pub(crate) const CANARY: Bar = Bar {
    name: "canary",
    what: "names, texts, passphrase and invitation, looked for in all files of two nodes and their core dumps",
    limit: "0 hits, 0 core dumps",
    run: || measure(&["canary"]),
};

pub(crate) const CAPTURE: Bar = Bar {
    name: "capture",
    what: "every packet of the demo; needs root and tcpdump",
    limit: "none to others than the devices, nothing of the circle readable",
    run: || {
        let hexode = shell::hexode()?;
        measure(&["capture", hexode.to_str().context("a target folder with a strange name")?])
    },
};

pub(crate) const ROAMING: Bar = Bar {
    name: "roaming",
    what: "100 forced changes of address, interface and translator under a tunnel with 50 packets/s; needs root",
    limit: "at least 99 survive; gap p95 at most 300 ms with a second path, 1.5 s without",
    run: || verdict(&run("hexode-netlab", &["roaming"])?),
};

pub(crate) const SILENT: Bar = Bar {
    name: "silent",
    what: "10⁶ random, replayed and altered packets at a node's port while members talk; needs root",
    limit: "0 bytes answered, memory flat, members' p99 at most 2 × undisturbed, a member comes back at his first try",
    run: || verdict(&run("hexode-netlab", &["silent"])?),
};

pub(crate) const FIRST_PACKETS: Bar = Bar {
    name: "first-packets",
    what: "what the first packets of 2 circles × 50 connects tell an observer; needs root",
    limit: "no name, key or word; a classifier tells the circle no better than by guessing",
    run: || verdict(&run("hexode-netlab", &["first-packets"])?),
};

pub(crate) const FORWARD: Bar = Bar {
    name: "forward",
    what: "two members behind translators who learn that they may talk, with a reachable third between them; needs root",
    limit: "first byte through him within 1 s, direct at most 2 s later where it can be, no frame lost or out of order",
    run: || verdict(&run("hexode-netlab", &["forward"])?),
};

pub(crate) const FORWARD_COST: Bar = Bar {
    name: "forward-cost",
    what: "64 MiB through a member, against 64 MiB into and out of his own tunnel; needs root",
    limit: "at least half as fast by his processor's time, at most 2 ms added to the round trip",
    run: || verdict(&run("hexode-netlab", &["forward-cost"])?),
};

pub(crate) const NAT: Bar = Bar {
    name: "nat",
    what: "two members behind each pair of networks, with and without a third; writes docs/reach.md; needs root",
    limit: "with a reachable third 99 % met within 3 s, direct wherever it can be; alone all that can",
    run: || {
        let table = shell::root().join("docs/reach.md");
        verdict(&run(
            "hexode-netlab",
            &["nat", "--write", table.to_str().context("a folder with a strange name")?],
        )?)
    },
};

pub(crate) const DHT: Bar = Bar {
    name: "dht",
    what: "two members whose addresses all changed find each other on a local DHT; what its records tell an observer",
    limit: "at most 60 s; a month's records share no more than chance has it",
    run: || verdict(&report(&["dht"])?),
};

/// Builds the bench in release and runs one measurement; what it says on the way goes to this terminal.
fn measure(words: &[&str]) -> Result<Verdict> {
    verdict(&report(words)?)
}

/// Runs one measurement and returns all that it found.
pub(crate) fn report(words: &[&str]) -> Result<Value> {
    run("hexode-bench", words)
}

fn run(package: &str, words: &[&str]) -> Result<Value> {
    shell::run(&mut cargo(&format!("build --locked --release --package {package}")))?;
    let program = shell::target()?.join("release").join(package);
    let said = shell::capture(shell::command(program).args(words))?;
    let last = said.lines().last().context("the bench said nothing")?;
    serde_json::from_str(last).context("the bench's last line is no verdict")
}
