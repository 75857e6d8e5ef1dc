//! The decoders of this crate that are not public, for the fuzzing of the workspace only.

use crypto::SigningKey;
use wire::{DeviceId, limits};

/// Protection of first packets with keys derived from whatever is wanted, for second implementations in tests.
pub use crate::initial::{Answering, Calling, KeyInput};
use crate::{
    dht, framing,
    hello::{self, Binding, Kind, Statement},
    lan, mapping, tcp,
    whereabouts::Whereabouts,
};

/// Makes valid hellos: a member's and a newcomer's.
pub fn hellos() -> Vec<Vec<u8>> {
    let (key, binding) = (key(), Binding::fixed());
    let knock = crate::Knock { invitation: SigningKey::from_seed(&[3; 32]), request: vec![7; 200] };
    [Kind::Member, Kind::newcomer(&knock, &DeviceId::new(key.public()), &binding)]
        .map(|kind| hello::make(&key, Statement { instance: 7, serial: 1, kind }, &binding))
        .into()
}

/// Tells whether bytes are a hello of the device that [`hellos`] speaks for.
pub fn is_hello(bytes: &[u8]) -> bool {
    hello::check(bytes, &DeviceId::new(key().public()), &Binding::fixed()).is_ok()
}

/// Tells whether bytes begin as a frame does.
pub fn is_frame_length(bytes: &[u8]) -> bool {
    bytes.first_chunk().is_some_and(|prefix| framing::checked_length(*prefix, limits::FRAME).is_ok())
}

/// Makes packets as they are multicast: a question and an announcement.
pub fn lan_packets() -> Vec<Vec<u8>> {
    let (service, token) = ("_abcdefghijklmno._udp.local", "token");
    vec![lan::query(service), lan::announcement(service, token, &whereabouts())]
}

/// Makes what is sealed in an announcement.
pub fn whereabouts() -> Vec<u8> {
    let addresses = ["192.0.2.1:4000", "[2001:db8::1]:4000"].iter().filter_map(|at| at.parse().ok());
    let device = DeviceId::new(key().public());
    Whereabouts { device, at: 1_700_000_000, addresses: addresses.collect() }.encode()
}

/// Tells whether bytes are what is sealed in an announcement.
pub fn is_whereabouts(plain: &[u8]) -> bool {
    Whereabouts::decode(plain).is_some()
}

/// Makes what nodes of the DHT answer.
pub fn dht_answers() -> Vec<Vec<u8>> {
    dht::answers(&key())
}

/// Tells whether bytes are what a node of the DHT answers.
pub fn is_dht_answer(bytes: &[u8]) -> bool {
    dht::is_answer(bytes)
}

/// Tells whether bytes are an answer with a record that is taken.
pub fn is_dht_record(bytes: &[u8]) -> bool {
    dht::is_record(&key(), bytes)
}

/// Makes all that an observer of the DHT sees of a device's record of a day but its sequence number: place, key,
/// signature and value.
pub fn dht_record(secret: &[u8; 32], device: &SigningKey, at: u64) -> [Vec<u8>; 4] {
    dht::seen(secret, device, at)
}

/// Makes the first bytes of a connection over TCP, up to the end of the session id.
pub fn lane_opening() -> Vec<u8> {
    let head = [0x16, 3, 1, 5, 0xd0, 1, 0, 5, 0xcc, 3, 3];
    [&head[..], &[7; 32], &[32], &[9; 32]].concat()
}

/// Tells whether a connection over TCP that begins like this may hold a pass.
pub fn is_lane_opening(bytes: &[u8]) -> bool {
    tcp::is_opening(bytes)
}

/// Makes what goes on a lane: two packets.
pub fn lane_packets() -> Vec<u8> {
    [&[4, 0xb0][..], &[7; 1200], &[0, 3], &[8; 3]].concat()
}

/// Tells whether bytes are packets of a lane, and nothing besides.
pub fn are_lane_packets(bytes: &[u8]) -> bool {
    tcp::are_packets(bytes)
}

/// Makes what routers answer: to a wish in PCP and in NAT-PMP, and with their outer address.
pub fn router_packets() -> Vec<Vec<u8>> {
    mapping::packets()
}

/// Tells whether bytes are such an answer.
pub fn is_router_packet(bytes: &[u8]) -> bool {
    mapping::is_packet(bytes)
}

/// Makes what routers answer in UPnP: where they are described, how, and what they grant.
pub fn router_texts() -> Vec<Vec<u8>> {
    mapping::texts()
}

/// Tells whether bytes are such an answer.
pub fn is_router_text(bytes: &[u8]) -> bool {
    mapping::is_text(bytes)
}

fn key() -> SigningKey {
    SigningKey::from_seed(&[1; 32])
}
