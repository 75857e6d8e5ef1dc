//! The other side, built from iroh and the specification alone, so that it can break every rule.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use crypto::SigningKey;
use hexode_tunnel::fuzzing::{Answering, Calling, KeyInput};
use iroh::{
    Endpoint, EndpointAddr, EndpointId, SecretKey,
    endpoint::{
        Builder, ConnectOptions, Connection, ConnectionError, PacketGate, RecvStream, SendStream, presets,
    },
};
use noq_proto::crypto::{ClientConfig, ServerConfig};
use rustls::crypto::{CryptoProvider, SupportedKxGroup, aws_lc_rs};
use wire::{Blob, CircleId, DeviceId, Signature};

use crate::harness::Device;

pub(crate) const GO_AWAY: u32 = 0x101;
pub(crate) const INITIATOR: u8 = 1;
pub(crate) const RESPONDER: u8 = 2;

pub(crate) fn run<T>(test: impl Future<Output = T>) -> T {
    // A worker of its own, so that a test may wait for a device's events in between.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(crate::harness::LIMIT, test).await.expect("in time") })
}

pub(crate) fn provider(group: &'static dyn SupportedKxGroup) -> Arc<CryptoProvider> {
    Arc::new(CryptoProvider { kx_groups: vec![group], ..aws_lc_rs::default_provider() })
}

/// Lets all in, and has the keys of first packets of one caller.
impl PacketGate for Input {
    fn admits(&self, _: SocketAddr, _: &[u8]) -> bool {
        true
    }

    fn connection_ids(&self) -> Box<dyn noq_proto::ConnectionIdGenerator> {
        Box::new(noq_proto::RandomConnectionIdGenerator::new(8))
    }

    fn server_crypto(self: Arc<Self>, crypto: Arc<dyn ServerConfig>) -> Arc<dyn ServerConfig> {
        Arc::new(Answering::new(crypto, self))
    }
}

/// An endpoint that speaks the same QUIC as a tunnel.
pub(crate) async fn endpoint(key: &SigningKey, provider: Arc<CryptoProvider>) -> Endpoint {
    builder(key, provider).bind().await.unwrap()
}

/// An endpoint that understands the first packets of one caller.
pub(crate) async fn endpoint_for(
    caller: &SigningKey,
    key: &SigningKey,
    provider: Arc<CryptoProvider>,
) -> Endpoint {
    let keys = PassKeys::new(caller, crate::harness::config(1).circle, DeviceId::new(key.public()));
    builder(key, provider).packet_gate(Arc::new(Input(keys.initial))).bind().await.unwrap()
}

fn builder(key: &SigningKey, provider: Arc<CryptoProvider>) -> Builder {
    Endpoint::builder(presets::Empty)
        .crypto_provider(provider)
        .secret_key(SecretKey::from_bytes(key.danger_seed()))
        .alpns(vec![b"h3".to_vec()])
        .clear_relay_transports()
        .clear_ip_transports()
        .bind_addr("127.0.0.1:0")
        .unwrap()
}

pub(crate) async fn pq_endpoint(key: &SigningKey) -> Endpoint {
    endpoint(key, provider(aws_lc_rs::kx_group::X25519MLKEM768)).await
}

pub(crate) async fn pq_endpoint_for(caller: &SigningKey, key: &SigningKey) -> Endpoint {
    endpoint_for(caller, key, provider(aws_lc_rs::kx_group::X25519MLKEM768)).await
}

pub(crate) fn address_of(device: DeviceId, address: SocketAddr) -> EndpointAddr {
    EndpointAddr::new(EndpointId::from_bytes(device.as_bytes()).unwrap()).with_ip_addr(address)
}

/// What passes are made with, as docs/spec/03-tunnel.md has it.
pub(crate) struct PassKeys {
    inner: [u8; 32],
    outer: [u8; 32],
    initial: [u8; 32],
}

/// What stands for the connection id in the keys of first packets: a secret before it.
#[derive(Debug, Clone)]
struct Input([u8; 32]);

impl KeyInput for Input {
    fn key_input(&self, id: &noq_proto::ConnectionId) -> Option<zeroize::Zeroizing<Vec<u8>>> {
        Some([&self.0[..], id].concat().into())
    }
}

impl PassKeys {
    /// Makes those of `caller`, a device or an invitation, towards `device`.
    pub(crate) fn new(caller: &SigningKey, circle: CircleId, device: DeviceId) -> Self {
        let secret = crypto::agree_static(caller, device.as_bytes()).unwrap();
        let salt = [&circle.as_bytes()[..], &caller.public(), device.as_bytes()].concat();
        Self {
            inner: *crypto::derive_key(secret.as_ref(), &salt, "hexode pass 1 inner"),
            outer: *crypto::derive_key(device.as_bytes(), circle.as_bytes(), "hexode pass 1 outer"),
            initial: *crypto::derive_key(secret.as_ref(), &salt, "hexode initial 1"),
        }
    }

    /// Protects first packets with keys that only the two ends have.
    pub(crate) fn protect(&self, crypto: Arc<dyn ClientConfig>) -> Arc<dyn ClientConfig> {
        Arc::new(Calling::new(crypto, Arc::new(Input(self.initial))))
    }

    pub(crate) fn pass(&self, stamp: u64) -> [u8; 20] {
        let proof = &crypto::mac(&self.inner, &[b"proof", &stamp.to_be_bytes()])[..8];
        let mask = &crypto::mac(&self.inner, &[b"mask", proof])[..8];
        let masked: Vec<_> = stamp.to_be_bytes().iter().zip(mask).map(|(a, b)| a ^ b).collect();
        let body = [&masked, proof].concat();
        let tag = &crypto::mac(&self.outer, &[&body])[..4];
        [&body, tag].concat().try_into().unwrap()
    }
}

/// Connects with a pass of `caller`'s.
pub(crate) async fn connect(endpoint: &Endpoint, caller: &SigningKey, to: &Device) -> Connection {
    connecting(endpoint, caller, to, b"h3").await.unwrap()
}

pub(crate) async fn connecting(
    endpoint: &Endpoint,
    caller: &SigningKey,
    to: &Device,
    alpn: &[u8],
) -> Result<Connection, Box<dyn std::error::Error>> {
    connecting_to(endpoint, caller, address_of(to.id, to.address), alpn).await
}

pub(crate) async fn connecting_to(
    endpoint: &Endpoint,
    caller: &SigningKey,
    to: EndpointAddr,
    alpn: &[u8],
) -> Result<Connection, Box<dyn std::error::Error>> {
    // Every pass in a test's process has a stamp of its own.
    static STAMP: AtomicU64 = AtomicU64::new(1);
    let stamp = STAMP.fetch_add(1, Ordering::Relaxed);
    let device = DeviceId::new(*to.id.as_bytes());
    let keys = PassKeys::new(caller, crate::harness::config(1).circle, device);
    let options = ConnectOptions::new()
        .with_initial_dst_cid(noq_proto::ConnectionId::new(&keys.pass(stamp)))
        .with_crypto(move |crypto| keys.protect(crypto));
    Ok(endpoint.connect_with_opts(to, alpn, options).await?.await?)
}

pub(crate) fn exporter(connection: &Connection, circle: CircleId, role: u8) -> [u8; 32] {
    let mut secret = [0; 32];
    let context = [&circle.as_bytes()[..], &[role]].concat();
    connection.export_keying_material(&mut secret, b"hexode hello 1", &context).unwrap();
    secret
}

/// A member's hello as docs/spec/03-tunnel.md has it.
pub(crate) fn member_hello(key: &SigningKey, secret: &[u8; 32]) -> Vec<u8> {
    let statement = wire::encode(&(77u64, 0u64, 0u32));
    hello(key, secret, &statement)
}

/// A newcomer's hello as docs/spec/03-tunnel.md has it.
pub(crate) fn newcomer_hello(
    key: &SigningKey,
    invitation: &SigningKey,
    secret: &[u8; 32],
    request: &[u8],
) -> Vec<u8> {
    let proof = invitation.sign("hexode hello 1 invitation", &[secret, &key.public(), request]);
    let kind = (1u32, invitation.public(), Signature(proof), Blob(request.to_vec()));
    hello(key, secret, &wire::encode(&(77u64, 0u64, kind)))
}

fn hello(key: &SigningKey, secret: &[u8; 32], statement: &[u8]) -> Vec<u8> {
    let signature = key.sign("hexode hello 1 device", &[secret, statement]);
    [&[0][..], statement, &signature].concat()
}

pub(crate) async fn write(send: &mut SendStream, frame: &[u8]) {
    send.write_all(&(frame.len() as u32).to_be_bytes()).await.unwrap();
    send.write_all(frame).await.unwrap();
}

pub(crate) async fn read(recv: &mut RecvStream) -> Option<Vec<u8>> {
    let mut length = [0; 4];
    recv.read_exact(&mut length).await.ok()?;
    let mut frame = vec![0; u32::from_be_bytes(length) as usize];
    recv.read_exact(&mut frame).await.ok()?;
    Some(frame)
}

/// Tries to get a TLS session with a pass of `caller`'s; two seconds are plenty on the loopback interface.
pub(crate) async fn no_session(stranger: &Endpoint, caller: &SigningKey, to: &Device, alpn: &[u8]) {
    let connecting = connecting(stranger, caller, to, alpn);
    let session = tokio::time::timeout(std::time::Duration::from_secs(2), connecting).await;
    assert!(!matches!(session, Ok(Ok(_))), "a session where there must be none");
}

/// Waits for the close and returns the code that came with it; a text must not come.
pub(crate) async fn close_code(connection: &Connection) -> u32 {
    match connection.closed().await {
        ConnectionError::ApplicationClosed(close) => {
            assert!(close.reason.is_empty());
            u32::try_from(close.error_code.into_inner()).unwrap()
        }
        other => panic!("{other:?}"),
    }
}
