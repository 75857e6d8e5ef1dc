//! Round trip of a 300-byte frame between two devices, each with a thread and a current-thread runtime of its own,
//! against iroh's bare stream in the same run: `cargo bench -p hexode-tunnel --bench echo`.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a measurement, not a program"
)]

use std::{
    collections::BTreeSet,
    net::SocketAddr,
    sync::{Arc, OnceLock, mpsc},
    thread,
    time::{Duration, Instant},
};

use crypto::SigningKey;
use hexode_tunnel::{Command, Config, Event, Timing, Tunnel, Willing};
use iroh::{Endpoint, EndpointAddr, SecretKey, endpoint::presets};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use wire::{CircleId, DeviceId};

const FRAME: usize = 300;
const WARM: usize = 2_000;
const ROUNDS: usize = 20_000;
const RUNS: usize = 5;

fn main() {
    let mut figures: [Vec<[f64; 2]>; 3] = Default::default();
    for _ in 0..RUNS {
        // One after the other in every run, so that what else the machine does hits all alike.
        for (figures, measure) in figures.iter_mut().zip([raw, tunnel, engine]) {
            figures.push(percentiles(measure()));
        }
    }
    println!("{FRAME} B echo, {ROUNDS} rounds, median of {RUNS} interleaved runs (µs)");
    println!("{:<44}{:>9}{:>9}{:>8}", "", "p50", "p99", "ratio");
    let bare = median(&figures[0]);
    let names =
        ["iroh, one bidirectional stream", "tunnel, frames", "tunnel, with an engine thread at both ends"];
    for (name, figures) in names.into_iter().zip(&figures) {
        let [p50, p99] = median(figures);
        println!("{name:<44}{p50:>9.1}{p99:>9.1}{:>8.2}", p50 / bare[0]);
    }
}

fn percentiles(mut times: Vec<Duration>) -> [f64; 2] {
    times.sort();
    [50, 99].map(|percent| times[times.len() * percent / 100].as_secs_f64() * 1e6)
}

fn median(figures: &[[f64; 2]]) -> [f64; 2] {
    [0, 1].map(|at| {
        let mut column: Vec<_> = figures.iter().map(|figures| figures[at]).collect();
        column.sort_by(f64::total_cmp);
        column[column.len() / 2]
    })
}

fn key(seed: u8) -> SigningKey {
    SigningKey::from_seed(&[seed; 32])
}

fn id(seed: u8) -> DeviceId {
    DeviceId::new(key(seed).public())
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

async fn endpoint(seed: u8) -> Endpoint {
    let group = aws_lc_rs::kx_group::X25519MLKEM768;
    Endpoint::builder(presets::Empty)
        .crypto_provider(Arc::new(CryptoProvider { kx_groups: vec![group], ..aws_lc_rs::default_provider() }))
        .secret_key(SecretKey::from_bytes(key(seed).danger_seed()))
        .alpns(vec![b"h3".to_vec()])
        .clear_relay_transports()
        .clear_ip_transports()
        .bind_addr("127.0.0.1:0")
        .unwrap()
        .bind()
        .await
        .unwrap()
}

fn raw() -> Vec<Duration> {
    let (address_in, address) = mpsc::channel();
    let server = thread::spawn(move || {
        runtime().block_on(async {
            let endpoint = endpoint(2).await;
            address_in.send((endpoint.id(), endpoint.bound_sockets())).unwrap();
            let connection = endpoint.accept().await.unwrap().await.unwrap();
            let (mut send, mut recv) = connection.accept_bi().await.unwrap();
            let mut frame = [0; FRAME];
            while recv.read_exact(&mut frame).await.is_ok() {
                send.write_all(&frame).await.unwrap();
            }
            endpoint.close().await;
        });
    });
    let (id, sockets) = address.recv().unwrap();
    let times = runtime().block_on(async {
        let endpoint = endpoint(1).await;
        let to = sockets.into_iter().fold(EndpointAddr::new(id), EndpointAddr::with_ip_addr);
        let connection = endpoint.connect(to, b"h3").await.unwrap();
        let (mut send, mut recv) = connection.open_bi().await.unwrap();
        let mut frame = [7; FRAME];
        let mut times = Vec::new();
        for _ in 0..WARM + ROUNDS {
            let start = Instant::now();
            send.write_all(&frame).await.unwrap();
            recv.read_exact(&mut frame).await.unwrap();
            times.push(start.elapsed());
        }
        endpoint.close().await;
        times.split_off(WARM)
    });
    server.join().unwrap();
    times
}

/// Starts a tunnel on a thread of its own; `sink` gets its events and the tunnel itself.
fn start(seed: u8, sink: impl Fn(&Tunnel, Event) + Send + Sync + 'static) -> (Tunnel, SocketAddr) {
    let (started_in, started) = mpsc::channel();
    thread::spawn(move || {
        runtime().block_on(async {
            let config = Config {
                circle: CircleId::new([9; 32]),
                key: key(seed),
                bind: vec!["127.0.0.1:0".parse().unwrap()],
                port_fallback: false,
                fixed: Vec::new(),
                lan: None,
                willing: Willing::default(),
                tcp: true,
                mapping: false,
                dht: None,
                timing: Timing::default(),
            };
            let handle = Arc::new(OnceLock::<Tunnel>::new());
            let (own, bound) = (handle.clone(), started_in.clone());
            let deliver = move |event| match event {
                Event::Bound { addresses } => drop(bound.send((None, addresses[0]))),
                event => sink(own.get().unwrap(), event),
            };
            let tunnel = Tunnel::start(config, Arc::new(deliver)).await.unwrap();
            handle.set(tunnel.clone()).unwrap();
            started_in.send((Some(tunnel.clone()), ([127, 0, 0, 1], 0).into())).unwrap();
            tunnel.stopped().await;
        });
    });
    let (first, second) = (started.recv().unwrap(), started.recv().unwrap());
    (first.0.or(second.0).unwrap(), first.1.max(second.1))
}

fn meet(ann: &Tunnel, ben: &Tunnel, address: SocketAddr) {
    ben.send(Command::Allow(BTreeSet::from([id(1)])));
    ann.send(Command::Allow(BTreeSet::from([id(2)])));
    ann.send(Command::Know { device: id(2), addresses: vec![address] });
}

fn echo(tunnel: &Tunnel, event: Event) {
    if let Event::Frame { device, link, bytes } = event {
        tunnel.send(Command::Send { device, link, frame: bytes.to_vec() });
    }
}

/// Everything happens in the sinks: what the tunnel itself costs.
fn tunnel() -> Vec<Duration> {
    let (ben, address) = start(2, echo);
    let (times_in, times) = mpsc::channel();
    let state = std::sync::Mutex::new((Instant::now(), Vec::new()));
    let (ann, _) = start(1, move |tunnel, event| {
        let (device, link) = match event {
            Event::Up { device, link, .. } => (device, link),
            Event::Frame { device, link, .. } => {
                let (start, times) = &mut *state.lock().unwrap();
                times.push(start.elapsed());
                if times.len() == WARM + ROUNDS {
                    times_in.send(times.split_off(WARM)).unwrap();
                    return;
                }
                (device, link)
            }
            _ => return,
        };
        state.lock().unwrap().0 = Instant::now();
        tunnel.send(Command::Send { device, link, frame: vec![7; FRAME] });
    });
    meet(&ann, &ben, address);
    let times = times.recv().unwrap();
    ann.send(Command::Shutdown);
    ben.send(Command::Shutdown);
    times
}

/// As in a node: each end's engine is a thread that waits on a queue.
fn engine() -> Vec<Duration> {
    let queued = |seed| {
        let (events_in, events) = mpsc::channel();
        let (tunnel, address) = start(seed, move |_, event| drop(events_in.send(event)));
        (tunnel, address, events)
    };
    let (ben, address, ben_events) = queued(2);
    let (ann, _, ann_events) = queued(1);
    let ben_engine = thread::spawn({
        let ben = ben.clone();
        move || ben_events.into_iter().for_each(|event| echo(&ben, event))
    });
    meet(&ann, &ben, address);
    let mut times = Vec::new();
    let mut start = Instant::now();
    for event in &ann_events {
        let (device, link) = match event {
            Event::Up { device, link, .. } => (device, link),
            Event::Frame { device, link, .. } => {
                times.push(start.elapsed());
                (device, link)
            }
            _ => continue,
        };
        if times.len() == WARM + ROUNDS {
            break;
        }
        start = Instant::now();
        ann.send(Command::Send { device, link, frame: vec![7; FRAME] });
    }
    ann.send(Command::Shutdown);
    ben.send(Command::Shutdown);
    drop((ann, ben));
    ben_engine.join().unwrap();
    times.split_off(WARM)
}
