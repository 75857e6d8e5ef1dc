//! Going to another device.

use std::{convert::Infallible, net::SocketAddr, sync::Arc, time::Duration};

use iroh::{
    Endpoint, EndpointAddr, EndpointId, TransportAddr,
    endpoint::{ConnectError, ConnectOptions, ConnectWithOptsError, ConnectingError, Connection},
};
use noq_proto::ConnectionId;
use tokio::time::{sleep, timeout};
use wire::DeviceId;

use crate::{
    Timing,
    forward::Through,
    framing::Frames,
    gate::Gate,
    greet::{self, GreetError, Identity},
    hello::Checked,
    initial::Calling,
    tcp::{self, Tcp},
    tls,
    transport::{self, Side, code},
};

/// What it takes to go to others.
#[derive(Clone)]
pub(crate) struct Dialler {
    pub(crate) endpoint: Endpoint,
    pub(crate) gate: Arc<Gate>,
    /// `None` if TCP is switched off.
    pub(crate) tcp: Option<Arc<Tcp>>,
    pub(crate) timing: Timing,
}

/// Whom to go to, and how.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) device: DeviceId,
    pub(crate) addresses: Vec<SocketAddr>,
    /// The members who forward to it.
    pub(crate) members: Vec<DeviceId>,
}

impl Dialler {
    /// Connects to a device at any of its addresses, or through any of the members who forward to it, with a pass for
    /// its gate: that of this device, or of the invitation it knocks with. Over TCP where UDP is not heard of in time.
    pub(crate) async fn connect(
        &self,
        target: &Target,
        invitation: Option<&crypto::SigningKey>,
    ) -> Result<(Connection, &'static str), GreetError> {
        let Target { device, addresses, members } = target;
        if addresses.is_empty() && members.is_empty() {
            return Err(GreetError::NoAddress);
        }
        let id = EndpointId::from_bytes(device.as_bytes()).map_err(|_| GreetError::BadId)?;
        // The lane's pass is made first, since it arrives first.
        let tcp = self.tcp.as_ref().filter(|_| !addresses.is_empty());
        let lane = tcp.and_then(|tcp| tcp.prepare(device, invitation));
        let (pass, secret) = self.gate.call(device, invitation).ok_or(GreetError::BadId)?;
        let secret = Arc::new(secret);
        let through = members.iter().map(|member| Through { member: *member, peer: *device }.address());
        let custom = through.chain(lane.as_ref().map(|lane| lane.end().address()));
        let all = addresses.iter().copied().map(TransportAddr::Ip).chain(custom.map(TransportAddr::Custom));
        let address = EndpointAddr::from_parts(id, all);
        let connecting = async {
            let options = ConnectOptions::new()
                .with_transport_config(transport::config(Side::Dialler, self.timing.silence))
                .with_initial_dst_cid(ConnectionId::new(&pass))
                .with_crypto(move |crypto| Arc::new(Calling::new(crypto, secret.clone())));
            let connecting = self
                .endpoint
                .connect_with_opts(address, tls::ALPN, options)
                .await
                .map_err(ConnectError::from)?;
            connecting.await.map_err(ConnectError::from)
        };
        let opening = async {
            if let Some(lane) = &lane {
                sleep(tcp::HEAD_START).await;
                lane.open(addresses).await;
            }
            std::future::pending::<Infallible>().await
        };
        let connecting = async {
            tokio::select! {
                connection = connecting => connection,
                never = opening => match never {},
            }
        };
        let connection = timeout(self.timing.hello, connecting).await.map_err(|_| GreetError::TimedOut)??;
        let Some(key_exchange) = transport::key_exchange(&connection) else {
            connection.close(code::GO_AWAY, b"");
            return Err(GreetError::KeyExchange);
        };
        Ok((connection, key_exchange))
    }
}

/// Says our hello and hears the other side's, within a time limit; closes the connection if that fails.
pub(crate) async fn greet(
    identity: Arc<Identity>,
    connection: &Connection,
    device: &DeviceId,
    serial: u64,
    knock: Option<&crate::Knock>,
    limit: Duration,
) -> Result<(Checked, iroh::endpoint::SendStream, Frames), GreetError> {
    let greeting = greet::open(identity, connection, device, serial, knock);
    let outcome = timeout(limit, greeting).await.map_err(|_| GreetError::TimedOut).flatten();
    if outcome.is_err() {
        connection.close(code::GO_AWAY, b"");
    }
    outcome
}

/// Returns how long to wait after `attempts` failures in a row; `random` moves it by up to a quarter.
pub(crate) fn pause(timing: &Timing, attempts: u32, random: u8) -> Duration {
    let double = |pause: Duration, times: u32| pause.saturating_mul(1 << times.min(20));
    let pause = match attempts.checked_sub(PATIENCE) {
        None => double(timing.retry_first, attempts.saturating_sub(1)).min(timing.retry_last),
        Some(beyond) => double(timing.retry_last, beyond).min(timing.retry_rest),
    };
    pause.mul_f64(0.75 + f64::from(random) / 512.0)
}

/// After how many failures the pauses grow beyond the usual. Every dial costs some 7 kB for each address.
const PATIENCE: u32 = 35;

impl From<ConnectError> for GreetError {
    fn from(error: ConnectError) -> Self {
        match error {
            ConnectError::Connecting { source: ConnectingError::ConnectionError { source, .. }, .. }
            | ConnectError::Connection { source, .. } => source.into(),
            ConnectError::Connecting { source: ConnectingError::HandshakeFailure { .. }, .. } => {
                Self::Handshake
            }
            ConnectError::Connect { source: ConnectWithOptsError::NoAddress { .. }, .. } => Self::NoAddress,
            _ => Self::Lost,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_to_a_minute_and_after_half_an_hour_to_fifteen_and_are_spread() {
        let timing = Timing::default();
        let ms = |attempts, random| pause(&timing, attempts, random).as_millis();
        assert_eq!((ms(1, 128), ms(2, 128), ms(3, 128)), (250, 500, 1000));
        assert_eq!((ms(9, 128), ms(35, 128)), (60_000, 60_000));
        assert_eq!((ms(36, 128), ms(39, 128), ms(u32::MAX, 128)), (120_000, 900_000, 900_000));
        assert!(ms(9, 0) == 45_000 && ms(9, 255) < 75_000);
    }
}
