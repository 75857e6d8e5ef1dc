use node::api;
use serde::de::DeserializeOwned;

use super::{Bound, Decoder, SMALL};

pub(super) fn decoders() -> Vec<Decoder> {
    vec![Decoder {
        name: "api",
        seeds: REQUESTS.iter().map(|request| request.as_bytes().to_vec()).collect(),
        bound: Bound { constant: 64 << 10, ..SMALL },
        run: Box::new(|bytes| {
            is::<api::Found>(bytes)
                || is::<api::Join>(bytes)
                || is::<api::Verify>(bytes)
                || is::<api::Invite>(bytes)
                || is::<api::NewGroup>(bytes)
                || is::<api::Send>(bytes)
                || is::<api::PageQuery>(bytes)
        }),
    }]
}

fn is<T: DeserializeOwned>(bytes: &[u8]) -> bool {
    serde_json::from_slice::<T>(bytes).is_ok()
}

/// One body of each request that has one.
const REQUESTS: &[&str] = &[
    r#"{"name": "Family", "member": "Ann", "device": "Laptop"}"#,
    r#"{"invitation": "hexode:AQCq", "member": "Ben \u00e9", "device": "Phone"}"#,
    r#"{"method": "qr", "code": "hexode-verify:00ff"}"#,
    r#"{"role": "member", "valid_s": 3600, "own_device": false}"#,
    r#"{"name": "Board", "members": ["Ann", "Ben"]}"#,
    r#"{"to": "everyone", "text": "Hello \ud83d\ude00\n"}"#,
    r#"{"before": "bmeqscijbeeqscijbeeqscijbeeqscijbeeqscijbeeqscijbeeq", "limit": 50}"#,
];
