use std::sync::Arc;

use rustls::crypto::{CryptoProvider, aws_lc_rs};

/// What QUIC says it carries. Every web server says the same; the program's name appears nowhere.
pub(crate) const ALPN: &[u8] = b"h3";

/// Lists the key exchanges that every tunnel offers and takes, by their TLS names.
pub fn key_exchange_groups() -> Vec<String> {
    provider().kx_groups.iter().map(|group| format!("{:?}", group.name())).collect()
}

/// Returns the one provider: X25519MLKEM768 and nothing weaker, AES-256-GCM before all else.
///
/// AES-128-GCM has to stay, since QUIC protects its very first packets with it (RFC 9001 §5.2); as the session's suite
/// it is only taken by an end that lacks AES-256.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    let mut provider = aws_lc_rs::default_provider();
    provider.kx_groups = vec![aws_lc_rs::kx_group::X25519MLKEM768];
    provider.cipher_suites = vec![
        aws_lc_rs::cipher_suite::TLS13_AES_256_GCM_SHA384,
        aws_lc_rs::cipher_suite::TLS13_AES_128_GCM_SHA256,
    ];
    Arc::new(provider)
}
