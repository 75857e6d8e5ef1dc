//! How QUIC behaves on a link.

use std::time::Duration;

use iroh::endpoint::{Connection, ConnectionState, MtuDiscoveryConfig, QuicTransportConfig, VarInt};
use rustls::NamedGroup;

/// Which end of a link a configuration is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Dialler,
    Listener,
}

/// Returns the settings of one end of a link.
pub(crate) fn config(side: Side, silence: Duration) -> QuicTransportConfig {
    // The dialler's is shorter, so that he alone asks and the listener only answers: two packets a time instead
    // of four. Either is short enough for a NAT that forgets a silent mapping after thirty seconds.
    let keep_alive = match side {
        Side::Dialler => Duration::from_secs(24),
        Side::Listener => Duration::from_secs(25),
    };
    let silence = u32::try_from(silence.as_millis()).unwrap_or(u32::MAX);
    let mut mtu = MtuDiscoveryConfig::default();
    mtu.interval(DAY);
    QuicTransportConfig::builder()
        .max_concurrent_bidi_streams(VarInt::from_u32(1))
        // What is said about forwarding.
        .max_concurrent_uni_streams(VarInt::from_u32(1))
        // Packets of other tunnels. What does not fit is dropped, the oldest first.
        .datagram_receive_buffer_size(Some(DATAGRAMS))
        .datagram_send_buffer_size(DATAGRAMS)
        .stream_receive_window(VarInt::from_u32(WINDOW))
        .receive_window(VarInt::from_u32(WINDOW))
        // Files wait in it, too, and frames must not wait for them.
        .send_window(8 * u64::from(WINDOW))
        .max_idle_timeout(Some(VarInt::from_u32(silence).into()))
        .default_path_max_idle_timeout(PATH_SILENCE)
        .default_path_keep_alive_interval(keep_alive)
        // The path's own keep-alive does; the connection's would come on top.
        .keep_alive_interval(DAY)
        .send_observed_address_reports(false)
        .receive_observed_address_reports(false)
        // A bit that shows every observer the round trip.
        .allow_spin(false)
        .mtu_discovery_config(Some(mtu))
        .build()
}

/// Gives a connection room for streams beside its frames, once the other end has proved who it is: all together have so much
/// that those which nobody reads stop no other.
pub(crate) fn widen(connection: &Connection) {
    connection.set_max_concurrent_bi_streams(VarInt::from_u32(1 + STREAMS));
    connection.set_receive_window(VarInt::from_u32(4 * WINDOW));
}

/// Makes room for more streams when `used` of those that the other end opened are in use, `most` before: as many again, and a window
/// for each, up to a bound beyond which those that nobody reads are ended one by one.
pub(crate) fn grow(connection: &Connection, most: u32, used: u32) {
    let room = |used: u32| (STREAMS.max(2 * used.next_power_of_two())).min(STREAMS_MOST);
    if room(used) > room(most) {
        connection.set_max_concurrent_bi_streams(VarInt::from_u32(1 + room(used)));
    }
    let window = |used: u32| (4 + used).min(WINDOWS_MOST);
    if window(used) > window(most) {
        connection.set_receive_window(VarInt::from_u32(window(used) * WINDOW));
    }
}

/// Returns the name of the key exchange, if it is the one we insist on.
pub(crate) fn key_exchange<S: ConnectionState>(connection: &Connection<S>) -> Option<&'static str> {
    let data = connection.handshake_data()?;
    let data = data.downcast::<noq_proto::crypto::rustls::HandshakeData>().ok()?;
    match data.negotiated_key_exchange_group? {
        NamedGroup::X25519MLKEM768 => Some("X25519MLKEM768"),
        _ => None,
    }
}

/// After how long without a packet a path counts as gone: two keep-alives lost, and some.
const PATH_SILENCE: Duration = Duration::from_secs(60);
/// How much may be under way on one stream, each way: 20 MB/s at a round trip of 50 ms.
///
/// What is not read may have come in any number of packets: noq merges them (third_party/README.md).
const WINDOW: u32 = 1 << 20;
/// How many bytes of datagrams wait on one link, each way, before its task takes them: a hundred full packets.
const DATAGRAMS: usize = 128 << 10;
const DAY: Duration = Duration::from_secs(86_400);
/// How many streams the other end of a link may have open at a time, at first, and at most.
const STREAMS: u32 = 64;
const STREAMS_MOST: u32 = 16_384;
/// How many streams' windows a link takes at most.
const WINDOWS_MOST: u32 = 64;

/// Why a connection is closed, as told inside it. A reason text is never sent.
pub(crate) mod code {
    use iroh::endpoint::VarInt;

    use crate::RefuseReason;

    /// Nothing is wrong.
    pub(crate) const BYE: VarInt = VarInt::from_u32(0x100);
    /// What everyone is told who has no business here, whatever the cause.
    pub(crate) const GO_AWAY: VarInt = VarInt::from_u32(0x101);
    /// Another link between the two devices is kept.
    pub(crate) const DUPLICATE: VarInt = VarInt::from_u32(0x102);
    /// What came was no frame.
    pub(crate) const GARBAGE: VarInt = VarInt::from_u32(0x103);
    /// More was queued than the other side took.
    pub(crate) const OVERRUN: VarInt = VarInt::from_u32(0x104);

    /// Tells someone who holds an invitation's key why it does not let him in.
    pub(crate) fn refusal(reason: RefuseReason) -> VarInt {
        match reason {
            RefuseReason::Unknown => GO_AWAY,
            RefuseReason::Expired => VarInt::from_u32(0x111),
            RefuseReason::Used => VarInt::from_u32(0x112),
            RefuseReason::Revoked => VarInt::from_u32(0x113),
            RefuseReason::Denied => VarInt::from_u32(0x114),
        }
    }

    /// Reads what [`refusal`] wrote.
    pub(crate) fn refused(code: VarInt) -> Option<RefuseReason> {
        use RefuseReason::{Denied, Expired, Revoked, Unknown, Used};
        [Unknown, Expired, Used, Revoked, Denied].into_iter().find(|&reason| refusal(reason) == code)
    }
}
