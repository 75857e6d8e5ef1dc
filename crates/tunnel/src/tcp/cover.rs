//! What a lane looks like from outside: a TLS 1.3 session as web clients have them with web servers.
//!
//! The session hides the packets inside, which are sealed anyhow; it proves nothing, and nothing rests on it. What proves
//! something is the pass in the client's first bytes: the *session id*, thirty-two random bytes that TLS 1.3 has no more
//! use for and that every client still sends (RFC 8446 §D.4), begins with it.

use std::{cell::Cell, sync::Arc};

use crypto::{Entropy, OsEntropy};
use rustls::{
    ClientConfig, DigitallySignedStruct, DistinguishedName, NamedGroup, ServerConfig, SignatureScheme,
    client::{
        Resumption,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{CryptoProvider, GetRandomFailed, SecureRandom, aws_lc_rs, verify_tls13_signature},
    pki_types::{CertificateDer, PrivatePkcs8KeyDer, ServerName, UnixTime},
    version::TLS13,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::pass::{self, Pass};

/// How both ends of lanes look.
pub(crate) struct Cover {
    client: TlsConnector,
    server: TlsAcceptor,
}

impl Cover {
    pub(crate) fn new() -> Self {
        let (certificate, key) = certificate::make();
        // What others offer is no matter: a session without the hybrid exchange there is not.
        let mut provider = aws_lc_rs::default_provider();
        provider.kx_groups = vec![aws_lc_rs::kx_group::X25519MLKEM768];
        let mut server = ServerConfig::builder_with_provider(Arc::new(provider))
            .with_protocol_versions(&[&TLS13])
            .expect("the provider has suites of TLS 1.3")
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key.into())
            .expect("the key is the certificate's");
        server.alpn_protocols = names();

        // Offered as clients of this library do by default, so that it is one of many.
        let kx_groups = vec![
            aws_lc_rs::kx_group::X25519MLKEM768,
            aws_lc_rs::kx_group::X25519,
            aws_lc_rs::kx_group::SECP256R1,
            aws_lc_rs::kx_group::SECP384R1,
        ];
        let provider = CryptoProvider { secure_random: &Drawn, kx_groups, ..aws_lc_rs::default_provider() };
        let provider = Arc::new(provider);
        let mut client = ClientConfig::builder_with_provider(provider.clone())
            .with_protocol_versions(&[&TLS13])
            .expect("the provider has suites of TLS 1.3")
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Whoever(provider)))
            .with_no_client_auth();
        client.alpn_protocols = names();
        // No ticket links two dials.
        client.resumption = Resumption::disabled();
        Self { client: Arc::new(client).into(), server: Arc::new(server).into() }
    }

    /// Opens a session with a pass; `None` if the other end does not.
    pub(crate) async fn dial(
        &self,
        stream: TcpStream,
        pass: &Pass,
    ) -> Option<tokio_rustls::client::TlsStream<TcpStream>> {
        // An address is no name, and none is sent.
        let name = ServerName::from(stream.peer_addr().ok()?.ip());
        let mut id: [u8; ID] = OsEntropy.bytes();
        id.iter_mut().zip(pass).for_each(|(to, from)| *to = *from);
        NEXT.set(Some(id));
        let connecting = self.client.connect(name, stream);
        let unused = NEXT.take();
        debug_assert!(unused.is_none(), "the client's hello was made meanwhile");
        let stream = connecting.await.ok()?;
        let group = stream.get_ref().1.negotiated_key_exchange_group()?.name();
        (group == NamedGroup::X25519MLKEM768).then_some(stream)
    }

    /// Opens a session with whoever sent a pass.
    pub(crate) async fn answer<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: S,
    ) -> Option<tokio_rustls::server::TlsStream<S>> {
        self.server.accept(stream).await.ok()
    }
}

/// Reads the pass, if that may be one, from the first bytes of a connection: a record with a client's hello.
pub(crate) fn pass(opening: &[u8; OPENS]) -> Option<&Pass> {
    // Record: type, version, length. Message: type, length (RFC 8446 §5.1, §4). Hello: version, random, session id.
    let [0x16, 3, 1 | 3, _, _, 1, 0, _, _, 3, 3, rest @ ..] = opening else { return None };
    let (_random, rest) = rest.split_first_chunk::<32>()?;
    let (length, id) = rest.split_first()?;
    (usize::from(*length) == ID).then_some(())?;
    id.first_chunk::<{ pass::LENGTH }>()
}

fn names() -> Vec<Vec<u8>> {
    vec![b"h2".to_vec(), b"http/1.1".to_vec()]
}

/// The randomness of the client's side: the system's, but for one session id that was drawn before.
#[derive(Debug)]
struct Drawn;

thread_local! {
    /// The next session id, set just while a hello is made.
    static NEXT: Cell<Option<[u8; ID]>> = const { Cell::new(None) };
}

impl SecureRandom for Drawn {
    fn fill(&self, buffer: &mut [u8]) -> Result<(), GetRandomFailed> {
        // The session id is the first thing of this length that is drawn; a test holds on to that.
        if buffer.len() == ID
            && let Some(id) = NEXT.take()
        {
            buffer.copy_from_slice(&id);
            return Ok(());
        }
        OsEntropy.fill(buffer);
        Ok(())
    }
}

/// Takes any certificate: who is there is settled inside.
#[derive(Debug)]
struct Whoever(Arc<CryptoProvider>);

impl ServerCertVerifier for Whoever {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(rustls::PeerIncompatible::ServerDoesNotSupportTls12Or13.into())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }

    fn root_hint_subjects(&self) -> Option<&[DistinguishedName]> {
        None
    }
}

/// A certificate made for one start, which names nothing.
mod certificate {
    use crypto::{Entropy, OsEntropy, SigningKey};
    use zeroize::Zeroizing;

    use super::{CertificateDer, PrivatePkcs8KeyDer};

    /// Draws a key and certifies it by itself (RFC 5280, RFC 8410).
    pub(super) fn make() -> (CertificateDer<'static>, PrivatePkcs8KeyDer<'static>) {
        let seed = Zeroizing::new(OsEntropy.bytes::<32>());
        let key = SigningKey::from_seed(&seed);
        let mut serial: [u8; 16] = OsEntropy.bytes();
        let [first, ..] = &mut serial;
        // Positive, and not shorter than it looks.
        *first = *first & 0x7f | 0x40;
        let algorithm = der(SEQUENCE, &[ED25519]);
        let name = der(SEQUENCE, &[]);
        let valid = der(SEQUENCE, &[&der(TIME, &[b"250101000000Z"]), &der(TIME, &[b"491231235959Z"])]);
        let public = der(SEQUENCE, &[&algorithm, &der(BITS, &[&[0], &key.public()])]);
        let version = der(VERSION, &[&der(INTEGER, &[&[2]])]);
        let body =
            der(SEQUENCE, &[&version, &der(INTEGER, &[&serial]), &algorithm, &name, &valid, &name, &public]);
        let signature = der(BITS, &[&[0], &key.danger_sign_bare(&body)]);
        let certificate = der(SEQUENCE, &[&body, &algorithm, &signature]);
        let secret = der(OCTETS, &[&der(OCTETS, &[&*seed])]);
        let private = der(SEQUENCE, &[&der(INTEGER, &[&[0]]), &algorithm, &secret]);
        (certificate.into(), private.into())
    }

    /// Lays out one element.
    fn der(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
        let contents = parts.concat();
        let length = u16::try_from(contents.len()).expect("all of it is short");
        let mut out = vec![tag];
        match length.to_be_bytes() {
            [0, short @ 0..=127] => out.push(short),
            [0, long] => out.extend([0x81, long]),
            [high, low] => out.extend([0x82, high, low]),
        }
        out.extend(contents);
        out
    }

    /// The object identifier 1.3.101.112, laid out.
    const ED25519: &[u8] = &[0x06, 0x03, 0x2b, 0x65, 0x70];
    const SEQUENCE: u8 = 0x30;
    const INTEGER: u8 = 0x02;
    const BITS: u8 = 0x03;
    const OCTETS: u8 = 0x04;
    const TIME: u8 = 0x17;
    const VERSION: u8 = 0xa0;
}

/// How many bytes of a connection it takes to see a pass.
pub(crate) const OPENS: usize = 44 + ID;
/// How long a session id is.
const ID: usize = 32;
