//! Files, as a front end would ask a node for them.

use std::{
    fs::File,
    io::{BufWriter, Read, Write},
    path::Path,
    time::Duration,
};

use anyhow::{Context, Result, anyhow, ensure};
use node::{Node, api};
use tokio::time::sleep;
use wire::{CircleId, MessageId};

use crate::host::plain;

/// Writes a file of bytes that cannot be packed.
pub(crate) fn make(path: &Path, len: u64) -> Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    let mut block = [0; 1 << 16];
    crypto::Entropy::fill(&mut crypto::OsEntropy, &mut block);
    for number in 0..len.div_ceil(block.len() as u64) {
        for (to, from) in block.iter_mut().zip(number.to_be_bytes()) {
            *to = from;
        }
        let room = usize::try_from(len - number * block.len() as u64).unwrap_or(usize::MAX);
        file.write_all(block.get(..room.min(block.len())).context("within the block")?)?;
    }
    Ok(file.into_inner().map_err(|error| anyhow!("{error}"))?.sync_all()?)
}

/// Tells whether two files hold the same.
pub(crate) fn are_same(one: &Path, other: &Path) -> Result<bool> {
    let hash = |path: &Path| {
        let (mut file, mut hasher) = (File::open(path)?, crypto::Hasher::new("bench/file"));
        let mut block = vec![0; 1 << 20];
        loop {
            let read = file.read(&mut block)?;
            if read == 0 {
                return Ok::<_, anyhow::Error>(hasher.finish());
            }
            hasher.part(block.get(..read).context("within the block")?);
        }
    };
    Ok(hash(one)? == hash(other)?)
}

/// Takes a file in and offers it; returns when the offer is durable.
pub(crate) async fn send(node: &Node, circle: CircleId, to: String, path: &Path) -> Result<api::File> {
    let path = path.to_str().context("a folder with a strange name")?.to_owned();
    let request = api::SendFile { to, path, name: None, text: String::new() };
    let job = over(node, node.send_file(circle, request).await.map_err(plain)?).await?;
    node.file(circle, job.message.context("a job without its message")?).await.map_err(plain)
}

/// Puts a file out.
pub(crate) async fn save(node: &Node, circle: CircleId, message: MessageId, path: &Path) -> Result<()> {
    let path = path.to_str().context("a folder with a strange name")?.to_owned();
    let request = api::SaveFile { path, overwrite: false };
    over(node, node.save_file(circle, message, request).await.map_err(plain)?).await.map(drop)
}

/// Waits until a message offers a file, and begins to fetch it.
pub(crate) async fn accept(node: &Node, circle: CircleId, message: MessageId) -> Result<()> {
    let mut events = node.events();
    while node.file(circle, message).await.is_err() {
        // One that was missed is followed by others.
        let _ = events.recv().await;
    }
    node.do_file(circle, message, api::FileAct::Accept).await.map_err(plain).map(drop)
}

/// Waits until a file is durable here.
pub(crate) async fn held(node: &Node, circle: CircleId, message: MessageId) -> Result<api::File> {
    let mut events = node.events();
    loop {
        let file = node.file(circle, message).await.map_err(plain)?;
        if file.state == api::FileState::Held {
            return Ok(file);
        }
        let _ = events.recv().await;
    }
}

async fn over(node: &Node, mut job: api::FileJob) -> Result<api::FileJob> {
    while !job.over {
        sleep(Duration::from_millis(2)).await;
        job = node.file_job(job.id).await.map_err(plain)?;
    }
    match &job.error {
        Some(error) => Err(plain(error.clone())),
        None => {
            ensure!(job.done == job.size, "a job that says less than it did");
            Ok(job)
        }
    }
}
