//! The programs at both ends of very many connections: each end is a process of its own, since one process has its bound of open files.

use std::{
    io::Write,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::mpsc,
};

use crate::{
    cable,
    child::{self, Child},
};

/// Programs that connect, here, and send when they are told.
pub(crate) struct Clients(Child);

/// A program at the far end that swallows what comes on very many connections and counts it.
pub(crate) struct Sinks {
    child: Child,
    pub(crate) address: String,
    /// Where it takes connections and reads nothing.
    pub(crate) still: String,
}

impl Clients {
    pub(crate) fn start(address: &str) -> Result<Self> {
        Ok(Self(Child::start(&["clients", address])?))
    }

    /// Connects until so many are open, so many at a time as the other end opens.
    pub(crate) async fn connect(&mut self, count: u64, sinks: &mut Sinks) -> Result<()> {
        let mut open = 0;
        while open < count {
            open = (open + AT_ONCE).min(count);
            self.0.ask(&format!("connect {open}")).await?;
            sinks.until(open).await?;
        }
        Ok(())
    }

    /// Lets one connect that nobody counts.
    pub(crate) async fn connect_one(&mut self) -> Result<()> {
        self.0.ask("connect 1").await.map(drop)
    }

    /// Lets all send for so long, from now on.
    pub(crate) async fn flood(&mut self, for_s: Duration) -> Result<()> {
        self.0.ask(&format!("flood {}", for_s.as_millis())).await.map(drop)
    }
}

impl Sinks {
    pub(crate) async fn start(most: u32) -> Result<Self> {
        let mut child = cable::start_far(&["sinks", &most.to_string()])?;
        let line = child.line().await?;
        let (address, still) = line.trim().split_once(' ').context("it did not say where it is")?;
        Ok(Self { address: address.to_owned(), still: still.to_owned(), child })
    }

    /// Waits until so many are open.
    pub(crate) async fn until(&mut self, count: u64) -> Result<()> {
        self.child.ask(&format!("until {count}")).await.map(drop)
    }

    /// Returns how much came on each connection since it was asked last.
    pub(crate) async fn take_counts(&mut self) -> Result<Vec<u64>> {
        let line = self.child.ask("take").await?;
        line.split_whitespace().map(|count| Ok(count.parse()?)).collect()
    }
}

/// The clients' process.
pub(crate) async fn clients(address: SocketAddr) -> Result<()> {
    let mut orders = child::orders();
    let mut all = Vec::new();
    while let Some(line) = orders.recv().await {
        match line.split_once(' ').context("no order")? {
            ("connect", count) => {
                let count: usize = count.parse()?;
                while all.len() < count {
                    all.push(TcpStream::connect(address).await.context("connecting")?);
                }
            }
            ("flood", millis) => {
                let for_s = Duration::from_millis(millis.parse()?);
                all.drain(..).for_each(|client| drop(tokio::spawn(flood(client, for_s))));
            }
            (other, _) => bail!("{other} is no order"),
        }
        say("ok")?;
    }
    Ok(())
}

async fn flood(mut client: TcpStream, for_s: Duration) {
    let block = vec![7; 16 << 10];
    let until = Instant::now() + for_s;
    // Who stands still is waited for no longer than that.
    let writing = async { while Instant::now() < until && client.write_all(&block).await.is_ok() {} };
    let _ = tokio::time::timeout(for_s, writing).await;
}

/// The sinks' process.
pub(crate) async fn sinks(most: usize) -> Result<()> {
    let mut orders: mpsc::UnboundedReceiver<String> = child::orders();
    let (listener, still) =
        (TcpListener::bind("127.0.0.1:0").await?, TcpListener::bind("127.0.0.1:0").await?);
    say(&format!("{} {}", listener.local_addr()?, still.local_addr()?))?;
    let counts: Arc<Vec<_>> = Arc::new((0..most).map(|_| AtomicU64::new(0)).collect());
    let open = Arc::<AtomicU64>::default();
    tokio::spawn(swallow(listener, counts.clone(), open.clone()));
    tokio::spawn(async move {
        let mut unread = Vec::new();
        while let Ok((stream, _)) = still.accept().await {
            unread.push(stream);
        }
    });
    while let Some(line) = orders.recv().await {
        match line.split_once(' ') {
            Some(("until", count)) => {
                let count: u64 = count.parse()?;
                while open.load(Ordering::Relaxed) != count {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
                say("ok")?;
            }
            _ => {
                let taken = counts.iter().map(|count| count.swap(0, Ordering::Relaxed).to_string());
                say(&taken.collect::<Vec<_>>().join(" "))?;
            }
        }
    }
    Ok(())
}

async fn swallow(listener: TcpListener, counts: Arc<Vec<AtomicU64>>, open: Arc<AtomicU64>) {
    for number in 0.. {
        let Ok((mut stream, _)) = listener.accept().await else { continue };
        open.fetch_add(1, Ordering::Relaxed);
        let (counts, open) = (counts.clone(), open.clone());
        tokio::spawn(async move {
            let mut buffer = Vec::with_capacity(16 << 10);
            while let Ok(read @ 1..) = stream.read_buf(&mut buffer).await {
                buffer.clear();
                if let Some(count) = counts.get(number % counts.len()) {
                    count.fetch_add(read as u64, Ordering::Relaxed);
                }
            }
            open.fetch_sub(1, Ordering::Relaxed);
        });
    }
}

fn say(words: &str) -> Result<()> {
    println!("{words}");
    Ok(std::io::stdout().flush()?)
}

/// How many connect at a time.
const AT_ONCE: u64 = 64;
