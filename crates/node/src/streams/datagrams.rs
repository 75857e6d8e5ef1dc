//! Flows of datagrams: each is a record of its own. What finds no room is dropped, as on every way that datagrams take.

use std::{
    collections::BTreeMap,
    io,
    net::SocketAddr,
    sync::{Arc, atomic::Ordering},
};

use streams::{Kind, Reason, Sealer};
use tokio::{
    net::UdpSocket,
    select,
    sync::mpsc,
    time::{Duration, Instant, sleep_until, timeout},
    try_join,
};

use super::{
    desk::{Place, Post, Taken},
    flow::{Hears, Says, Wire},
    listening::{self, Purpose},
    local::REACH,
};

/// Where datagrams come from and go to, on this machine.
enum Datagrams {
    /// A socket of the flow's own, joined with the target.
    Target(UdpSocket),
    /// One program of those that share a socket.
    Program(mpsc::Receiver<Vec<u8>>, Arc<UdpSocket>, SocketAddr),
}

/// Joins a socket with what an offer names. Nothing of it comes from another device.
pub(super) async fn reach(address: &str) -> Result<UdpSocket, Reason> {
    let reaching = async {
        let mut last = io::Error::from(io::ErrorKind::NotFound);
        for address in tokio::net::lookup_host(address).await? {
            let any = if address.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
            let socket = UdpSocket::bind(any).await?;
            match socket.connect(address).await {
                Ok(()) => return Ok(socket),
                Err(error) => last = error,
            }
        }
        Err(last)
    };
    match timeout(REACH, reaching).await {
        Ok(Ok(socket)) => Ok(socket),
        Ok(Err(_)) => Err(Reason::Refused),
        Err(_) => Err(Reason::Silent),
    }
}

/// Moves datagrams between an offer's target and the one that opened the flow.
pub(super) async fn join_target(socket: UdpSocket, wire: Wire, place: Taken) -> Result<(), Reason> {
    join(Datagrams::Target(socket), wire, place).await
}

async fn join(mut ends: Datagrams, mut wire: Wire, place: Taken) -> Result<(), Reason> {
    let unwanted = wire.says.outlet.unwanted();
    let moved = std::sync::Mutex::new(Instant::now());
    let (mut cut, place) = (place.1, &place.0);
    let outcome = {
        let (says, hears) = (&mut wire.says, &mut wire.hears);
        let both = async {
            match &mut ends {
                Datagrams::Target(socket) => {
                    let socket = &*socket;
                    let out = tell_target(socket, says, place, &moved);
                    try_join!(out, pass(hears, socket, None, place, &moved)).map(drop)
                }
                Datagrams::Program(from, socket, to) => {
                    let out = tell_program(from, says, place, &moved);
                    try_join!(out, pass(hears, socket, Some(*to), place, &moved)).map(drop)
                }
            }
        };
        select! {
            biased;
            reason = &mut cut => Err(reason.unwrap_or(Reason::Closed)),
            done = both => done,
            _ = unwanted => Ok(()),
            () = idle(&moved) => Ok(()),
        }
    };
    match outcome {
        Ok(()) => {
            // Datagrams have no end of their own: the flow's is said when nothing has moved for long.
            let _ = timeout(SAY, wire.says.say(Kind::End, &[])).await;
            wire.says.outlet.finish();
            wire.hears.inlet.stop(0);
            Ok(())
        }
        Err(reason) => {
            wire.reset(reason);
            Err(reason)
        }
    }
}

async fn tell_target(
    socket: &UdpSocket,
    says: &mut Says,
    place: &Place,
    moved: &std::sync::Mutex<Instant>,
) -> Result<(), Reason> {
    loop {
        if socket.readable().await.is_err() {
            return Err(Reason::Reset);
        }
        let mut record = Sealer::record(LARGEST);
        // An error is of one that was refused, or a wake-up for nothing: the next one may come.
        let Ok(read) = socket.try_recv_buf(&mut record) else { continue };
        // What is longer than a record carries was no datagram of UDP.
        place.keep_rate(1, read).await;
        record.shrink_to(Sealer::HEAD + read + SLACK);
        says.send(Kind::Datagram, record).await?;
        place.count.sent.fetch_add(read as u64, Ordering::Relaxed);
        note(moved);
    }
}

async fn tell_program(
    from: &mut mpsc::Receiver<Vec<u8>>,
    says: &mut Says,
    place: &Place,
    moved: &std::sync::Mutex<Instant>,
) -> Result<(), Reason> {
    while let Some(bytes) = from.recv().await {
        place.keep_rate(1, bytes.len()).await;
        says.say(Kind::Datagram, &bytes).await?;
        place.count.sent.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        note(moved);
    }
    Err(Reason::Closed)
}

async fn pass(
    hears: &mut Hears,
    socket: &UdpSocket,
    to: Option<SocketAddr>,
    place: &Place,
    moved: &std::sync::Mutex<Instant>,
) -> Result<(), Reason> {
    loop {
        match hears.hear().await? {
            (Kind::Datagram, bytes) => {
                place.keep_rate(0, bytes.len()).await;
                // What a socket does not take is lost, as datagrams are.
                let _ = match to {
                    None => socket.send(&bytes).await,
                    Some(to) => socket.send_to(&bytes, to).await,
                };
                place.count.received.fetch_add(bytes.len() as u64, Ordering::Relaxed);
                note(moved);
            }
            (Kind::End, _) => return std::future::pending().await,
            _ => return Err(Reason::Garbage),
        }
    }
}

fn note(moved: &std::sync::Mutex<Instant>) {
    *moved.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Instant::now();
}

async fn idle(moved: &std::sync::Mutex<Instant>) {
    loop {
        let since = *moved.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if since.elapsed() >= IDLE {
            return;
        }
        sleep_until(since + IDLE).await;
    }
}

/// Opens a flow for each program that sends datagrams to a socket.
pub(super) async fn listen(post: &Post, id: u64, socket: UdpSocket, purpose: &Arc<Purpose>) {
    let socket = Arc::new(socket);
    let mut programs: BTreeMap<SocketAddr, mpsc::Sender<Vec<u8>>> = BTreeMap::new();
    let mut buffer = vec![0; LARGEST];
    loop {
        let Ok((read, from)) = socket.recv_from(&mut buffer).await else { continue };
        let Some(bytes) = buffer.get(..read).map(<[u8]>::to_vec) else { continue };
        if programs.get(&from).is_none_or(mpsc::Sender::is_closed) {
            programs.retain(|_, program| !program.is_closed());
            if programs.len() >= PROGRAMS {
                continue;
            }
            let (program, queue) = mpsc::channel(QUEUE);
            programs.insert(from, program);
            let (post, purpose, socket) = (post.clone(), purpose.clone(), socket.clone());
            tokio::spawn(async move {
                let opened = listening::open(&post, &purpose).await;
                post.note_listener(id, opened.as_ref().err().copied());
                let Ok((wire, device)) = opened else { return };
                let place = post.take_place((purpose.circle, device), &purpose.flow, None);
                if let Ok(place) = place
                    && let Err(reason) = join(Datagrams::Program(queue, socket, from), wire, place).await
                {
                    tracing::debug!(reason = reason.word(), "a flow ended early");
                }
            });
        }
        if let Some(program) = programs.get(&from) {
            // What finds no room is dropped.
            let _ = program.try_send(bytes);
        }
    }
}

/// The largest datagram of UDP.
const LARGEST: usize = 65_507;
/// How many bytes a record needs beside what it carries.
const SLACK: usize = 32;
/// How many programs share one socket, and how many datagrams of each wait to be sent.
const PROGRAMS: usize = 256;
const QUEUE: usize = 64;
/// How long an end may take to be said.
const SAY: Duration = Duration::from_secs(1);
/// After how long without a datagram a flow ends.
const IDLE: Duration = Duration::from_secs(120);
