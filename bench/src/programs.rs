//! The programs that streams are joined with: one that echoes, one that swallows and says how much it was.

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    thread,
};

use anyhow::{Context, Result};

use crate::{cable, child::Child};

/// How much an echo has.
pub(crate) const ECHO: usize = 300;

/// Both, at the far end.
pub(crate) struct Programs {
    pub(crate) swallows: String,
    pub(crate) echoes: String,
    // Ends with this.
    _child: Child,
}

impl Programs {
    pub(crate) async fn start() -> Result<Self> {
        let mut child = cable::start_far(&["programs"])?;
        let line = child.line().await?;
        let (swallows, echoes) = line.trim().split_once(' ').context("they did not say where they are")?;
        Ok(Self { swallows: swallows.to_owned(), echoes: echoes.to_owned(), _child: child })
    }
}

/// The other end's process: says where they listen, until nobody listens to it.
pub(crate) fn serve() -> Result<()> {
    println!("{} {}", swallowing()?, echoing()?);
    std::io::stdout().flush()?;
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

/// Starts one that swallows what comes on each connection, and then says how much it was; returns where.
fn swallowing() -> Result<String> {
    each(|mut stream| {
        let (mut buffer, mut all) = (vec![0; 256 << 10], 0_u64);
        while let Ok(read @ 1..) = stream.read(&mut buffer) {
            all += read as u64;
        }
        // The one who waits sees that it is missing.
        let _ = stream.write_all(all.to_string().as_bytes());
    })
}

/// Starts one that echoes; returns where.
pub(crate) fn echoing() -> Result<String> {
    each(|mut stream| {
        let _ = stream.set_nodelay(true);
        let mut heard = [0; ECHO];
        while stream.read_exact(&mut heard).is_ok() && stream.write_all(&heard).is_ok() {}
    })
}

fn each(serve: impl Fn(TcpStream) + Copy + Send + 'static) -> Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?.to_string();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || serve(stream));
        }
    });
    Ok(address)
}
