//! A member who forwards as docs/spec/03-tunnel.md §11 has it, until he does not.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use bytes::Bytes;
use iroh::{
    Endpoint, EndpointAddr, EndpointId, SecretKey, TransportAddr,
    endpoint::{Connection, QuicTransportConfig, presets},
};
use rustls::crypto::aws_lc_rs;
use tokio::sync::oneshot;
use wire::DeviceId;

use crate::{harness::*, stranger::*};

/// What Mallory does with a packet he is to pass on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mischief {
    None,
    /// Passes on nothing.
    DropAll,
    /// Drops so many of a hundred.
    Drop(u64),
    /// Passes each on three times.
    Repeat,
    /// Passes pairs on in the wrong order.
    Reorder,
    /// Changes a bit of so many of a hundred.
    Corrupt(u64),
    /// Passes each on so much later.
    Delay(Duration),
    /// Passes on all, and twenty packets of his own after each.
    Flood,
}

/// Mallory's device, with a link to two others.
pub(crate) struct Mallory {
    mischief: Arc<Mutex<Mischief>>,
    passed: Arc<AtomicU64>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Mallory {
    /// Goes to both and offers each to forward to the other.
    pub(crate) fn between(seed: u8, one: &Device, other: &Device) -> Self {
        let (key, mischief) = (key(seed), Arc::new(Mutex::new(Mischief::None)));
        let passed = Arc::new(AtomicU64::new(0));
        let (stop, stopped) = oneshot::channel();
        let ends = [one, other].map(|device| (device.id, device.addresses.clone()));
        let (shared, count) = (mischief.clone(), Arc::clone(&passed));
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                tokio::select! {
                    _ = stopped => {}
                    () = stand_between(key, ends, shared, count) => {}
                }
            });
        });
        Self { mischief, passed, stop: Some(stop), thread: Some(thread) }
    }

    pub(crate) fn turn(&self, mischief: Mischief) {
        *self.mischief.lock().unwrap() = mischief;
    }

    /// How many packets he was given.
    pub(crate) fn asked(&self) -> u64 {
        self.passed.load(Ordering::Relaxed)
    }
}

impl Drop for Mallory {
    fn drop(&mut self) {
        self.stop.take();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn stand_between(
    key: crypto::SigningKey,
    ends: [(DeviceId, Vec<std::net::SocketAddr>); 2],
    shared: Arc<Mutex<Mischief>>,
    count: Arc<AtomicU64>,
) {
    let endpoint = Endpoint::builder(presets::Empty)
        .crypto_provider(provider(aws_lc_rs::kx_group::X25519MLKEM768))
        .secret_key(SecretKey::from_bytes(key.danger_seed()))
        .alpns(vec![b"h3".to_vec()])
        .transport_config(QuicTransportConfig::builder().max_concurrent_uni_streams(1u8.into()).build())
        .clear_relay_transports()
        .clear_ip_transports()
        .bind_addr("127.0.0.1:0")
        .unwrap()
        .bind_addr("[::1]:0")
        .unwrap()
        .bind()
        .await
        .unwrap();
    let mut links = Vec::new();
    for (id, addresses) in &ends {
        links.push(link(&endpoint, &key, *id, addresses).await);
    }
    let [(_say, one, _hear), (_say2, other, _hear2)] = <[_; 2]>::try_from(links).ok().unwrap();
    for (at, to) in [(&one, ends[1].0), (&other, ends[0].0)] {
        let mut talk = at.open_uni().await.unwrap();
        write(&mut talk, &wire::encode(&(2u32, vec![to]))).await;
        // Kept open until the end.
        tokio::spawn(async move { talk.stopped().await.map(drop) });
    }
    let (there, back) = (
        pass(&one, &other, ends[0].0, shared.clone(), count.clone()),
        pass(&other, &one, ends[1].0, shared, count),
    );
    tokio::join!(there, back);
}

async fn link(
    endpoint: &Endpoint,
    key: &crypto::SigningKey,
    to: DeviceId,
    addresses: &[std::net::SocketAddr],
) -> (iroh::endpoint::SendStream, Connection, iroh::endpoint::RecvStream) {
    let id = EndpointId::from_bytes(to.as_bytes()).unwrap();
    let address = EndpointAddr::from_parts(id, addresses.iter().copied().map(TransportAddr::Ip));
    let connection = connecting_to(endpoint, key, address, b"h3").await.unwrap();
    let (mut send, mut recv) = connection.open_bi().await.unwrap();
    let secret = exporter(&connection, config(1).circle, INITIATOR);
    write(&mut send, &member_hello(key, &secret)).await;
    read(&mut recv).await.expect("he is a member");
    (send, connection, recv)
}

async fn pass(
    from: &Connection,
    to: &Connection,
    name: DeviceId,
    mischief: Arc<Mutex<Mischief>>,
    count: Arc<AtomicU64>,
) {
    let (mut n, mut kept) = (0_u64, VecDeque::new());
    while let Ok(datagram) = from.read_datagram().await {
        n += 1;
        count.fetch_add(1, Ordering::Relaxed);
        // The course becomes "from", the device the one it came from; halves stay halves.
        let mut passed = datagram.to_vec();
        passed[0] |= 1;
        passed[1..33].copy_from_slice(name.as_bytes());
        let send = |bytes: Vec<u8>| drop(to.send_datagram(Bytes::from(bytes)));
        let what = *mischief.lock().unwrap();
        match what {
            Mischief::None => send(passed),
            Mischief::DropAll => {}
            Mischief::Drop(hundredths) => {
                if !is_hit(n, hundredths) {
                    send(passed);
                }
            }
            Mischief::Repeat => (0..3).for_each(|_| send(passed.clone())),
            Mischief::Reorder => {
                kept.push_front(passed);
                if kept.len() == 2 {
                    kept.drain(..).for_each(send);
                }
            }
            Mischief::Delay(time) => {
                let to = to.clone();
                tokio::spawn(async move {
                    tokio::time::sleep(time).await;
                    drop(to.send_datagram(Bytes::from(passed)));
                });
            }
            Mischief::Corrupt(hundredths) => {
                if is_hit(n, hundredths) {
                    let last = passed.len() - 1;
                    passed[last] ^= 1;
                }
                send(passed);
            }
            Mischief::Flood => {
                let mut own = passed.clone();
                send(passed);
                for byte in own.iter_mut().skip(50) {
                    *byte ^= 0x55;
                }
                (0..20).for_each(|_| send(own.clone()));
            }
        }
    }
}

/// Picks so many of a hundred, spread evenly and the same each time.
fn is_hit(n: u64, hundredths: u64) -> bool {
    n.wrapping_mul(37) % 100 < hundredths
}
