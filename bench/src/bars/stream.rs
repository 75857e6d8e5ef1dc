use std::{
    io::{Read, Write},
    net::{Ipv4Addr, TcpListener, TcpStream},
    process::{Child as Process, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use node::api;

use super::Pair;
use crate::{
    cable::{self, End},
    endpoint::Raw,
    host::plain,
    node_role::Order,
    process::{self, Folder},
    programs::{self, Programs},
    samples::Samples,
    verdict::{Row, Verdict},
};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// How large what is sent is, in MiB.
    #[arg(long, default_value_t = 1024)]
    mib: u64,
    /// How often each is measured, in turns.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
}

#[derive(Debug, clap::Args)]
pub(crate) struct EchoArgs {
    /// How many echoes.
    #[arg(long, default_value_t = 5000)]
    echoes: u64,
}

/// Sends bytes from a program through Ann's listener, the tunnel and Ben's offer to a program that swallows them: two connections over
/// loopback and one stream of the tunnel. Beside it bare iroh from memory to memory, and `ssh -L`.
pub(crate) async fn run(args: &Args) -> Result<Verdict> {
    let size = args.mib << 20;
    let mut pair = Pair::start().await?;
    let raw = Raw::start().await?;
    let programs = Programs::start().await?;
    let address = joined(&mut pair, &programs.swallows).await?;
    let ssh = Ssh::start(&programs.swallows)?;
    let (mut ours, mut bare, mut shell) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..args.rounds {
        bare.push(rate(size, raw.bulk(size).await?));
        ours.push(rate(size, send(&address, size).await?));
        shell.push(rate(size, send(&ssh.address, size).await?));
        eprintln!(
            "bare iroh {:.0} MB/s · stream {:.0} MB/s · ssh -L {:.0} MB/s",
            last(&bare),
            last(&ours),
            last(&shell)
        );
    }
    drop(ssh);
    pair.stop().await?;
    let (ours, bare, shell) = (median(ours), median(bare), median(shell));
    Ok(Verdict {
        figure: format!("{:.2} × bare iroh, {:.2} × ssh -L ({ours:.0} MB/s)", ours / bare, ours / shell),
        holds: ours >= 0.8 * bare && ours > shell,
        rows: vec![
            Row::new("stream", "MB/s", ours, Some(bare)),
            Row::new("stream beside ssh -L", "MB/s", ours, Some(shell)),
        ],
    })
}

/// Echoes 300 bytes over one open stream, from a program to a program, beside a bare iroh stream's echo.
pub(crate) async fn echo(args: &EchoArgs) -> Result<Verdict> {
    let mut pair = Pair::start().await?;
    let raw = Raw::start().await?;
    let mut bare = raw.echo().await?;
    let programs = Programs::start().await?;
    let address = joined(&mut pair, &programs.echoes).await?;
    let mut client = TcpStream::connect(&address)?;
    client.set_nodelay(true)?;
    let message = [7; BYTES];
    // What a program of this end's takes by itself.
    let mut direct = TcpStream::connect(programs::echoing()?)?;
    direct.set_nodelay(true)?;
    let (mut ours, mut peers, mut loopback) = (Samples::default(), Samples::default(), Samples::default());
    for number in 0..args.echoes + WARM_UP {
        // On a thread of its own, as a program has: this one's node must run meanwhile.
        let (took, back) = tokio::task::spawn_blocking(move || (one(&mut client, &message), client)).await?;
        client = back;
        let peer = bare.one(&message).await?;
        let (bottom, back) =
            tokio::task::spawn_blocking(move || (one(&mut direct, &message), direct)).await?;
        direct = back;
        if number >= WARM_UP {
            ours.push(took?);
            peers.push(peer);
            loopback.push(bottom?);
        }
    }
    bare.close();
    pair.stop().await?;
    eprintln!("echo over a stream: {ours}");
    eprintln!("bare iroh echo:     {peers}");
    eprintln!("loopback alone:     {loopback}");
    let (ours, peer) = (ours.percentile(50), peers.percentile(50));
    Ok(Verdict {
        figure: format!("p50 {ours:.0} µs = {:.2} × bare iroh ({peer:.0} µs)", ours / peer),
        holds: ours <= 1.5 * peer,
        rows: vec![Row::new("echo p50", "µs", ours, Some(peer))],
    })
}

fn one(client: &mut TcpStream, message: &[u8; BYTES]) -> Result<Duration> {
    let started = Instant::now();
    client.write_all(message)?;
    client.read_exact(&mut [0; BYTES])?;
    Ok(started.elapsed())
}

/// Lets Ben offer Ann a target, and Ann listen for it; returns where.
async fn joined(pair: &mut Pair, target: &str) -> Result<String> {
    let (name, to, target) = ("beans".into(), "Ann".into(), target.into());
    let order =
        Order::OfferStream { name, to, target, udp: false, class: api::StreamClass::File, flows: 256 };
    pair.ben.order(&order).await?;
    let open = api::OpenStream { stream: "Ben/beans".into(), ..api::OpenStream::default() };
    Ok(pair.ann.node.open_stream(pair.circle, open).await.map_err(plain)?.address)
}

/// Sends so much to an address and waits for the answer to all of it.
async fn send(address: &str, size: u64) -> Result<Duration> {
    let address = address.to_owned();
    let sending = tokio::task::spawn_blocking(move || {
        let mut client = TcpStream::connect(address)?;
        let block = vec![7; 256 << 10];
        let started = Instant::now();
        let mut left = size;
        while left > 0 {
            let part = usize::try_from(left)?.min(block.len());
            client.write_all(block.get(..part).unwrap_or_default())?;
            left -= part as u64;
        }
        client.shutdown(std::net::Shutdown::Write)?;
        let mut answer = Vec::new();
        client.read_to_end(&mut answer)?;
        ensure!(answer == size.to_string().into_bytes(), "it did not all arrive");
        Ok(started.elapsed())
    });
    sending.await?
}

/// A server of SSH of its own at the far end, and a client that forwards a port through it.
struct Ssh {
    address: String,
    server: Process,
    client: Process,
    _folder: Folder,
}

impl Ssh {
    fn start(target: &str) -> Result<Self> {
        let folder = process::folder()?;
        let at = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
        for key in ["host", "own"] {
            let made = Command::new("ssh-keygen")
                .args(["-q", "-t", "ed25519", "-N", "", "-f", &at(key)])
                .status()
                .context("ssh-keygen is not there: install openssh-client")?;
            ensure!(made.success(), "ssh-keygen made no key");
        }
        std::fs::copy(at("own.pub"), at("keys"))?;
        let (port, forwarded, there) = (free()?, free()?, cable::address(End::Far));
        let config = format!(
            "Port {port}\nListenAddress {there}\nHostKey {}\nAuthorizedKeysFile {}\nStrictModes no\nUsePAM no\nPidFile none\n\
             PermitRootLogin prohibit-password\nPasswordAuthentication no\n",
            at("host"),
            at("keys")
        );
        std::fs::write(at("config"), config)?;
        // The folder that it separates privileges in; one that is there is as good.
        let _ = std::fs::create_dir_all("/run/sshd");
        let server = cable::far("/usr/sbin/sshd")
            .args(["-D", "-e", "-f", &at("config")])
            .stderr(Stdio::null())
            .spawn()
            .context("sshd is not there: install openssh-server")?;
        wait((there, port))?;
        let client = Command::new("ssh")
            .args(["-N", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"])
            .args(["-o", "ExitOnForwardFailure=yes", "-o", "LogLevel=ERROR", "-c", "aes256-gcm@openssh.com"])
            .args(["-i", &at("own"), "-p", &port.to_string()])
            .args(["-L", &format!("127.0.0.1:{forwarded}:{target}")])
            .arg(there.to_string())
            .stdin(Stdio::null())
            .spawn()?;
        let started = Self { address: format!("127.0.0.1:{forwarded}"), server, client, _folder: folder };
        wait((Ipv4Addr::LOCALHOST, forwarded))?;
        Ok(started)
    }
}

impl Drop for Ssh {
    fn drop(&mut self) {
        for process in [&mut self.client, &mut self.server] {
            // Both fail only for a process that has ended.
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

fn free() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// Waits until somebody listens.
fn wait(at: (Ipv4Addr, u16)) -> Result<()> {
    for _ in 0..200 {
        if TcpStream::connect(at).is_ok() {
            return Ok(());
        }
        thread::sleep(Duration::from_millis(50));
    }
    bail!("nobody listens at {at:?}")
}

fn rate(size: u64, took: Duration) -> f64 {
    size as f64 / 1e6 / took.as_secs_f64()
}

fn last(rates: &[f64]) -> f64 {
    rates.last().copied().unwrap_or(f64::NAN)
}

fn median(mut rates: Vec<f64>) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates.get(rates.len() / 2).copied().unwrap_or(f64::NAN)
}

const BYTES: usize = programs::ECHO;
const WARM_UP: u64 = 500;
