//! What an idle link costs: UDP bytes at one of its ends, both directions, and turns of its runtime.
//! `cargo bench -p hexode-tunnel --bench idle -- SECONDS` (300 if not given).

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a measurement, not a program")]

use std::{
    collections::BTreeSet,
    sync::{Arc, mpsc},
    thread,
    time::Duration,
};

use crypto::SigningKey;
use hexode_tunnel::{Command, Config, Event, LinkStatus, Timing, Tunnel, Willing};
use tokio::sync::oneshot;
use wire::{CircleId, DeviceId};

fn main() {
    let seconds: u64 = std::env::args().filter_map(|argument| argument.parse().ok()).next().unwrap_or(300);
    let (ann, ann_events) = start(1);
    let (ben, ben_events) = start(2);
    ann.send(Command::Allow(BTreeSet::from([id(2)])));
    ben.send(Command::Allow(BTreeSet::from([id(1)])));
    let addresses = wait(&ben_events, |event| match event {
        Event::Bound { addresses } => Some(addresses),
        _ => None,
    });
    ann.send(Command::Know { device: id(2), addresses });
    wait(&ann_events, |event| matches!(event, Event::Up { .. }).then_some(()));
    // The handshake's last words and the search for the path's packet size.
    thread::sleep(Duration::from_secs(10));
    let (before, switches) = (status(&ann), switches());
    thread::sleep(Duration::from_secs(seconds));
    let (after, switched) = (status(&ann), self::switches() - switches);
    let (sent, received) = (after.sent - before.sent, after.received - before.received);
    let day = |amount: u64| amount as f64 * 86_400.0 / seconds as f64;
    println!("idle for {seconds} s: {sent} B sent, {received} B received (UDP payload)");
    println!("wake-ups of both ends together: {:.2}/s", switched as f64 / seconds as f64);
    println!(
        "UDP payload per day and contact, both directions: {:.3} MiB",
        day(sent + received) / f64::from(1 << 20)
    );
}

fn key(seed: u8) -> SigningKey {
    SigningKey::from_seed(&[seed; 32])
}

fn id(seed: u8) -> DeviceId {
    DeviceId::new(key(seed).public())
}

fn start(seed: u8) -> (Tunnel, mpsc::Receiver<Event>) {
    let (events_in, events) = mpsc::channel();
    let (started_in, started) = mpsc::channel();
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
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
            let sink = Arc::new(move |event| drop(events_in.send(event)));
            let tunnel = Tunnel::start(config, sink).await.unwrap();
            started_in.send(tunnel.clone()).unwrap();
            tunnel.stopped().await;
        });
    });
    (started.recv().unwrap(), events)
}

fn wait<T>(events: &mpsc::Receiver<Event>, fits: impl Fn(Event) -> Option<T>) -> T {
    loop {
        if let Some(found) = fits(events.recv_timeout(Duration::from_secs(20)).unwrap()) {
            return found;
        }
    }
}

fn status(tunnel: &Tunnel) -> LinkStatus {
    let (answer, snapshot) = oneshot::channel();
    tunnel.send(Command::Snapshot(answer));
    snapshot.blocking_recv().unwrap().links.remove(0)
}

/// How often threads of this process gave up the processor to wait.
fn switches() -> u64 {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    let status =
        tasks.map(|task| std::fs::read_to_string(task.unwrap().path().join("status")).unwrap_or_default());
    let count = |status: String| {
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("voluntary_ctxt_switches:").map(str::trim).map(str::to_owned));
        line.and_then(|count| count.parse::<u64>().ok()).unwrap_or(0)
    };
    status.map(count).sum()
}
