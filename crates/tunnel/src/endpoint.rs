//! Listening.

use std::{net::SocketAddr, sync::Arc};

use iroh::{Endpoint, SecretKey, endpoint::presets};
use socket2::{Domain, Socket, Type};

use crate::{
    BindError, Config,
    custom::Custom,
    forward::{DirectFirst, Forwarding},
    gate::Gate,
    tcp::Tcp,
    tls,
    transport::{self, Side},
};

/// Binds the circle's endpoint: no relay, no look-ups, no DNS, no port mapping.
pub(crate) async fn bind(
    config: &Config,
    gate: Arc<Gate>,
    forwarding: &Arc<Forwarding>,
    tcp: &Arc<Tcp>,
) -> Result<Endpoint, BindError> {
    let families = (
        config.bind.iter().filter(|a| a.is_ipv4()).count(),
        config.bind.iter().filter(|a| a.is_ipv6()).count(),
    );
    if !matches!(families, (0, 1) | (1, 0) | (1, 1)) {
        return Err(BindError::Addresses);
    }
    let mut addresses = Vec::new();
    for address in &config.bind {
        addresses.push(free(*address, config.port_fallback)?);
    }
    let mut builder = Endpoint::builder(presets::Empty)
        .crypto_provider(tls::provider())
        .secret_key(SecretKey::from_bytes(config.key.danger_seed()))
        .alpns(vec![tls::ALPN.to_vec()])
        .transport_config(transport::config(Side::Listener, config.timing.silence))
        // No resumption: every session is agreed anew, and no ticket lets two dials be linked.
        .max_tls_tickets(0)
        .packet_gate(gate)
        // The preset has no relay to begin with. Saying so with `relay_mode` would link in the vendor's host names.
        .clear_relay_transports()
        .clear_ip_transports()
        .add_custom_transport(Arc::new(Custom(forwarding.clone())))
        .add_custom_transport(Arc::new(Custom(tcp.clone())))
        .path_selector(Arc::new(DirectFirst));
    for address in &config.fixed {
        builder = builder.external_addr(*address);
    }
    for address in &addresses {
        builder = builder.bind_addr(*address).map_err(|_| BindError::Addresses)?;
    }
    builder.bind().await.map_err(|error| BindError::Endpoint { reason: format!("{error:#}") })
}

/// Tells whether an address can be listened on, in words that iroh's error does not have, or finds another port.
fn free(address: SocketAddr, fallback: bool) -> Result<SocketAddr, BindError> {
    match probe(address) {
        Ok(()) => Ok(address),
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {
            if fallback {
                Ok(SocketAddr::new(address.ip(), 0))
            } else {
                Err(BindError::PortTaken { address })
            }
        }
        Err(source) => Err(BindError::Unusable { address, source }),
    }
}

/// Binds as iroh will, and lets go.
fn probe(address: SocketAddr) -> std::io::Result<()> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, None)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.bind(&address.into())
}
