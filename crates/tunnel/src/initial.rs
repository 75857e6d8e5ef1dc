//! The keys of first packets.
//!
//! QUIC derives them from the connection id alone, which everybody sees, so that everybody can open a first packet and make another
//! for the same id. Here what only the caller and the answerer know goes in, too: whoever copies a pass gets nothing for it.

use std::{any::Any, fmt, sync::Arc};

use crypto::{Entropy, OsEntropy};
use noq_proto::{
    ConnectError, ConnectionId, Side, TransportError,
    crypto::{
        ClientConfig, ExportKeyingMaterialError, HeaderKey, KeyPair, Keys, PacketKey, ServerConfig, Session,
        UnsupportedVersion,
    },
    transport_parameters::TransportParameters,
};
use rustls::{crypto::aws_lc_rs::cipher_suite::TLS13_AES_128_GCM_SHA256, quic::Version};
use zeroize::Zeroizing;

/// Tells what the keys of first packets to a connection id are derived from.
pub trait KeyInput: Send + Sync + 'static {
    /// Returns what stands for the connection id; `None` if nothing is known of it.
    fn key_input(&self, id: &ConnectionId) -> Option<Zeroizing<Vec<u8>>>;
}

/// What only one caller and one answerer know, for the keys of the caller's first packets and the answers to them.
#[derive(Clone)]
pub(crate) struct InitialSecret(Zeroizing<[u8; 32]>);

impl InitialSecret {
    pub(crate) fn new(secret: Zeroizing<[u8; 32]>) -> Self {
        Self(secret)
    }
}

impl KeyInput for InitialSecret {
    fn key_input(&self, id: &ConnectionId) -> Option<Zeroizing<Vec<u8>>> {
        Some(Zeroizing::new([&self.0[..], id].concat()))
    }
}

/// Derives keys as RFC 9001 §5.2 does from a connection id.
fn keys(input: &[u8], side: Side) -> Keys {
    let suite = TLS13_AES_128_GCM_SHA256.tls13().and_then(|suite| suite.quic_suite());
    let suite = suite.expect("the provider has the suite of QUIC's first packets");
    let keys = suite.keys(input, side.into(), Version::V1);
    Keys {
        header: KeyPair { local: Box::new(keys.local.header), remote: Box::new(keys.remote.header) },
        packet: KeyPair { local: Box::new(keys.local.packet), remote: Box::new(keys.remote.packet) },
    }
}

/// How a caller's connection is protected: as ever, but for its first packets.
pub struct Calling {
    inner: Arc<dyn ClientConfig>,
    input: Arc<dyn KeyInput>,
}

impl Calling {
    /// Takes a session's protection and what its first packets' keys are derived from.
    pub fn new(inner: Arc<dyn ClientConfig>, input: Arc<dyn KeyInput>) -> Self {
        Self { inner, input }
    }
}

impl ClientConfig for Calling {
    fn start_session(
        &self,
        version: u32,
        server_name: &str,
        params: &TransportParameters,
    ) -> Result<Box<dyn Session>, ConnectError> {
        let inner = self.inner.start_session(version, server_name, params)?;
        Ok(Box::new(Keyed { inner, input: self.input.clone() }))
    }
}

/// How an answerer's connections are protected: as ever, but for their first packets.
pub struct Answering {
    inner: Arc<dyn ServerConfig>,
    input: Arc<dyn KeyInput>,
}

impl Answering {
    /// Takes sessions' protection and what their first packets' keys are derived from.
    pub fn new(inner: Arc<dyn ServerConfig>, input: Arc<dyn KeyInput>) -> Self {
        Self { inner, input }
    }
}

impl ServerConfig for Answering {
    fn initial_keys(&self, _: u32, id: ConnectionId) -> Result<Keys, UnsupportedVersion> {
        // The one error that there is, upon which nothing is said.
        let input = self.input.key_input(&id).ok_or(UnsupportedVersion)?;
        Ok(keys(&input, Side::Server))
    }

    fn retry_tag(&self, version: u32, first: ConnectionId, packet: &[u8]) -> [u8; 16] {
        self.inner.retry_tag(version, first, packet)
    }

    fn start_session(&self, version: u32, params: &TransportParameters) -> Box<dyn Session> {
        let inner = self.inner.start_session(version, params);
        Box::new(Keyed { inner, input: self.input.clone() })
    }
}

struct Keyed {
    inner: Box<dyn Session>,
    input: Arc<dyn KeyInput>,
}

impl Session for Keyed {
    fn initial_keys(&self, id: ConnectionId, side: Side) -> Keys {
        // A packet that waited until its pass was forgotten is answered so that nobody can read it.
        let input = self.input.key_input(&id);
        let input = input.unwrap_or_else(|| Zeroizing::new(OsEntropy.bytes::<32>().to_vec()));
        keys(&input, side)
    }

    fn handshake_data(&self) -> Option<Box<dyn Any>> {
        self.inner.handshake_data()
    }

    fn peer_identity(&self) -> Option<Box<dyn Any>> {
        self.inner.peer_identity()
    }

    fn early_crypto(&self) -> Option<(Box<dyn HeaderKey>, Box<dyn PacketKey>)> {
        self.inner.early_crypto()
    }

    fn early_data_accepted(&self) -> Option<bool> {
        self.inner.early_data_accepted()
    }

    fn is_handshaking(&self) -> bool {
        self.inner.is_handshaking()
    }

    fn read_handshake(&mut self, bytes: &[u8]) -> Result<bool, TransportError> {
        self.inner.read_handshake(bytes)
    }

    fn transport_parameters(&self) -> Result<Option<TransportParameters>, TransportError> {
        self.inner.transport_parameters()
    }

    fn write_handshake(&mut self, bytes: &mut Vec<u8>) -> Option<Keys> {
        self.inner.write_handshake(bytes)
    }

    fn next_1rtt_keys(&mut self) -> Option<KeyPair<Box<dyn PacketKey>>> {
        self.inner.next_1rtt_keys()
    }

    fn is_valid_retry(&self, first: ConnectionId, header: &[u8], payload: &[u8]) -> bool {
        self.inner.is_valid_retry(first, header, payload)
    }

    fn export_keying_material(
        &self,
        output: &mut [u8],
        label: &[u8],
        context: &[u8],
    ) -> Result<(), ExportKeyingMaterialError> {
        self.inner.export_keying_material(output, label, context)
    }
}

impl fmt::Debug for Calling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Calling")
    }
}

impl fmt::Debug for Answering {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Answering")
    }
}

#[cfg(test)]
mod tests {
    use noq_proto::PathId;

    use super::*;

    /// Tries the vectors under `vectors/initial`, both ways.
    #[test]
    fn initial_vectors_hold() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../vectors/initial");
        let (mut accepted, mut refused) = (0, 0);
        for file in std::fs::read_dir(folder).unwrap() {
            let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
            let (head, body) = text.split_once("\n\n").unwrap();
            let field = |name: &str| head.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            let hex = |text: &str| data_encoding::HEXLOWER.decode(text.as_bytes()).unwrap();
            let secret: [u8; 32] = hex(field("secret: ")).try_into().unwrap();
            let id = ConnectionId::new(&hex(field("id: ")));
            let input = InitialSecret::new(secret.into()).key_input(&id).unwrap();
            let (header, plain, sealed) = (hex(field("header: ")), hex(field("plain: ")), hex(body.trim()));
            let number = field("number: ").parse().unwrap();
            let mut payload = bytes::BytesMut::from(&sealed[header.len()..]);
            let opened = keys(&input, Side::Server).packet.remote;
            let opened = opened.decrypt(PathId::ZERO, number, &header, &mut payload).is_ok();
            match field("expect: ") {
                "accepted" => {
                    assert!(opened && payload[..] == plain, "{text}");
                    let mut packet = [&header[..], &plain, &[0; 16]].concat();
                    let keys = keys(&input, Side::Client);
                    keys.packet.local.encrypt(PathId::ZERO, number, &mut packet, header.len());
                    assert_eq!(packet, sealed, "{text}");
                    accepted += 1;
                }
                _ => {
                    assert!(!opened, "{text}");
                    refused += 1;
                }
            }
        }
        assert!(accepted > 0 && refused > 0, "{accepted} accepted, {refused} refused");
    }
}
