use std::{
    io::Write,
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use iroh::{
    Endpoint, EndpointAddr, EndpointId, RelayMode,
    endpoint::{Connection, QuicTransportConfig, RecvStream, SendStream, presets},
};
use rustls::crypto::aws_lc_rs;

use crate::{
    cable::{self, End},
    child::Child,
};

/// A bare iroh endpoint with the tunnel's provider and key exchange.
pub(crate) async fn bind(at: Ipv4Addr) -> Result<Endpoint> {
    let mut provider = aws_lc_rs::default_provider();
    provider.kx_groups = vec![aws_lc_rs::kx_group::X25519MLKEM768];
    let endpoint = Endpoint::builder(presets::Empty)
        .crypto_provider(Arc::new(provider))
        .alpns(vec![ECHO.to_vec(), SWALLOW.to_vec(), MANY.to_vec()])
        .transport_config(
            QuicTransportConfig::builder().max_concurrent_bidi_streams(20_000_u32.into()).build(),
        )
        .relay_mode(RelayMode::Disabled)
        .clear_ip_transports()
        .bind_addr(SocketAddr::from((at, 0)))?
        .bind()
        .await?;
    Ok(endpoint)
}

/// The other end's process: prints where it is, then echoes or swallows what comes on each connection's stream.
pub(crate) async fn serve(at: Ipv4Addr) -> Result<()> {
    let endpoint = bind(at).await?;
    let address = endpoint.bound_sockets().into_iter().next().context("no socket")?;
    println!("{} {address}", endpoint.id());
    std::io::stdout().flush()?;
    while let Some(incoming) = endpoint.accept().await {
        let connection = incoming.await?;
        let swallow = connection.alpn() == SWALLOW;
        if connection.alpn() == MANY {
            tokio::spawn(count_all(connection));
            continue;
        }
        // It ends with the connection, which the other side closes.
        tokio::spawn(async move {
            let (send, recv) = connection.accept_bi().await?;
            if swallow { swallow_all(send, recv).await } else { echo(send, recv).await }?;
            connection.closed().await;
            Ok::<_, anyhow::Error>(())
        });
    }
    Ok(())
}

async fn echo(mut send: SendStream, mut recv: RecvStream) -> Result<()> {
    while let Some(chunk) = recv.read_chunk(64 << 10).await? {
        send.write_chunk(chunk).await?;
    }
    Ok(())
}

async fn swallow_all(mut send: SendStream, mut recv: RecvStream) -> Result<()> {
    while recv.read_chunk(1 << 20).await?.is_some() {}
    send.write_all(b"k").await?;
    send.finish()?;
    Ok(())
}

/// A bare endpoint here and one in a process of its own.
pub(crate) struct Raw {
    endpoint: Endpoint,
    other: EndpointAddr,
    // Ends with this.
    _child: Child,
}

impl Raw {
    pub(crate) async fn start() -> Result<Self> {
        let mut child = cable::start_far(&["endpoint", "--bind", &cable::address(End::Far).to_string()])?;
        let line = child.line().await?;
        let (id, address) = line.split_once(' ').context("the other end did not say where it is")?;
        let other =
            EndpointAddr::new(id.parse::<EndpointId>()?).with_ip_addr(address.trim().parse::<SocketAddr>()?);
        Ok(Self { endpoint: bind(cable::address(End::Near)).await?, other, _child: child })
    }

    /// Closes the endpoint here and binds another.
    pub(crate) async fn bind_anew(&mut self) -> Result<()> {
        let old = std::mem::replace(&mut self.endpoint, bind(cable::address(End::Near)).await?);
        // It says good-bye in its own time, as it would in a program that goes on.
        tokio::spawn(async move { old.close().await });
        Ok(())
    }

    /// Dials and opens the stream that is echoed.
    pub(crate) async fn echo(&self) -> Result<Echo> {
        let connection = self.endpoint.connect(self.other.clone(), ECHO).await?;
        let (send, recv) = connection.open_bi().await?;
        Ok(Echo { connection, send, recv })
    }

    /// Sends `count` messages of `bytes` bytes on one stream; returns the time until the other end has them all.
    pub(crate) async fn stream(&self, count: u64, bytes: usize) -> Result<Duration> {
        let connection = self.endpoint.connect(self.other.clone(), SWALLOW).await?;
        let (mut send, mut recv) = connection.open_bi().await?;
        let message = vec![7; bytes];
        let started = Instant::now();
        for _ in 0..count {
            send.write_all(&message).await?;
        }
        send.finish()?;
        let answer = recv.read_to_end(1).await?;
        let took = started.elapsed();
        ensure!(answer == b"k", "the other end said something else");
        connection.close(0u32.into(), b"");
        Ok(took)
    }
}

/// Swallows what comes on very many streams, until the first of them ends; then says how much came on each.
async fn count_all(connection: Connection) -> Result<()> {
    let (mut say, mut until) = connection.accept_bi().await?;
    let counts = Arc::new(std::sync::Mutex::new(Vec::<Arc<AtomicU64>>::new()));
    let all = counts.clone();
    let from = connection.clone();
    tokio::spawn(async move {
        while let Ok((_send, mut recv)) = from.accept_bi().await {
            let count = Arc::<AtomicU64>::default();
            all.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(count.clone());
            tokio::spawn(async move {
                while let Ok(Some(chunk)) = recv.read_chunk(1 << 20).await {
                    count.fetch_add(chunk.len() as u64, Ordering::Relaxed);
                }
            });
        }
    });
    while until.read_chunk(1).await?.is_some() {}
    let counts: Vec<_> = {
        let counts = counts.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        counts.iter().map(|count| count.load(Ordering::Relaxed)).collect()
    };
    let line = counts.iter().map(u64::to_string).collect::<Vec<_>>().join(" ");
    say.write_all(line.as_bytes()).await?;
    say.finish()?;
    connection.closed().await;
    Ok(())
}

impl Raw {
    /// Sends on so many streams at a time; returns their rate in MB/s and how even it was (Jain's index).
    pub(crate) async fn many(&self, streams: u32, for_s: Duration) -> Result<(f64, f64)> {
        let connection = self.endpoint.connect(self.other.clone(), MANY).await?;
        let (mut end, mut hear) = connection.open_bi().await?;
        end.write_all(b"m").await?;
        let block = bytes::Bytes::from(vec![7; 16 << 10]);
        let until = Instant::now() + for_s;
        let mut sending = Vec::new();
        for _ in 0..streams {
            let (mut send, recv) = connection.open_bi().await?;
            let block = block.clone();
            sending.push(tokio::spawn(async move {
                while Instant::now() < until && send.write_chunk(block.clone()).await.is_ok() {}
                drop(recv);
                // Kept until the count is taken.
                send
            }));
        }
        tokio::time::sleep_until(until.into()).await;
        end.finish()?;
        let line = String::from_utf8(hear.read_to_end(1 << 20).await?)?;
        let counts: Vec<u64> = line.split(' ').map(str::parse).collect::<Result<_, _>>()?;
        sending.iter().for_each(tokio::task::JoinHandle::abort);
        connection.close(0u32.into(), b"");
        ensure!(counts.len() == streams as usize, "{} of {streams} streams arrived", counts.len());
        let total: u64 = counts.iter().sum();
        Ok((total as f64 / 1e6 / for_s.as_secs_f64(), crate::bars::stream_many::jain(&counts)))
    }

    /// Sends so many bytes from memory to memory on one stream; returns the time until the other end has them all.
    pub(crate) async fn bulk(&self, bytes: u64) -> Result<Duration> {
        let block = bytes::Bytes::from(vec![7; 1 << 20]);
        let connection = self.endpoint.connect(self.other.clone(), SWALLOW).await?;
        let (mut send, mut recv) = connection.open_bi().await?;
        let started = Instant::now();
        for _ in 0..bytes.div_ceil(block.len() as u64) {
            send.write_chunk(block.clone()).await?;
        }
        send.finish()?;
        let answer = recv.read_to_end(1).await?;
        let took = started.elapsed();
        ensure!(answer == b"k", "the other end said something else");
        connection.close(0u32.into(), b"");
        Ok(took)
    }

    /// Returns the other end's process.
    pub(crate) fn other_pid(&self) -> u32 {
        self._child.pid()
    }
}

/// A stream on which each message comes back.
pub(crate) struct Echo {
    connection: Connection,
    send: SendStream,
    recv: RecvStream,
}

impl Echo {
    /// Sends one message and waits for all of it to come back.
    pub(crate) async fn one(&mut self, message: &[u8]) -> Result<Duration> {
        let started = Instant::now();
        self.send.write_all(message).await?;
        let mut got = 0;
        while got < message.len() {
            match self.recv.read_chunk(message.len()).await? {
                Some(chunk) => got += chunk.len(),
                None => bail!("the stream ended"),
            }
        }
        Ok(started.elapsed())
    }

    pub(crate) fn close(self) {
        self.connection.close(0u32.into(), b"");
    }
}

const ECHO: &[u8] = b"bench/echo";
const SWALLOW: &[u8] = b"bench/swallow";
const MANY: &[u8] = b"bench/many";
