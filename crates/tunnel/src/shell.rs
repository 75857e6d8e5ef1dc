use std::{net::SocketAddr, sync::Arc};

use iroh::{
    Endpoint, RelayMode, SecretKey,
    endpoint::{BindError as IrohBindError, presets},
};
use tokio::sync::mpsc;

use crate::{BindError, Command, Config, Event, EventSink, tls};

pub(crate) async fn start(
    config: Config,
    sink: Arc<dyn EventSink>,
    mut commands: mpsc::UnboundedReceiver<Command>,
) -> Result<(), BindError> {
    let endpoint = bind(&config).await?;
    sink.deliver(Event::Bound { addresses: endpoint.bound_sockets() });
    tokio::spawn(async move {
        while let Some(command) = commands.recv().await {
            if matches!(command, Command::Shutdown) {
                break;
            }
        }
        commands.close();
        endpoint.close().await;
    });
    Ok(())
}

async fn bind(config: &Config) -> Result<Endpoint, BindError> {
    let mut builder = Endpoint::builder(presets::Empty)
        .crypto_provider(tls::provider())
        .secret_key(SecretKey::from_bytes(config.key.danger_seed()))
        .alpns(vec![tls::ALPN.to_vec()])
        .relay_mode(RelayMode::Disabled)
        .clear_ip_transports();
    for address in &config.bind {
        builder = builder.bind_addr(*address).map_err(|_| BindError::Addresses)?;
    }
    builder.bind().await.map_err(|error| bind_error(config.bind.first().copied(), &error))
}

fn bind_error(_address: Option<SocketAddr>, error: &IrohBindError) -> BindError {
    BindError::Endpoint { reason: error.to_string() }
}
