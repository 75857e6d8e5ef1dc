//! The decoders of this crate that are not public, for the fuzzing of the workspace only.

use crypto::Entropy;

use crate::{
    Kdf, Passphrase,
    header::{self, Header, MasterKey},
};

/// Makes valid headers, one for each way of key derivation.
pub fn headers() -> Vec<Vec<u8>> {
    let cheap = Kdf::Argon2id { memory_kib: 8, passes: 1, lanes: 1 };
    let header = |kdf| {
        let master = MasterKey::generate(&mut Same);
        Header::wrap(&master, &Passphrase::new("correct horse battery"), kdf, &mut Same).ok()
    };
    [cheap, Kdf::Pbkdf2 { rounds: 1000 }]
        .into_iter()
        .filter_map(header)
        .map(|header| header.encode())
        .collect()
}

/// Makes valid headers without their checksums.
pub fn header_contents() -> Vec<Vec<u8>> {
    headers().iter().map(|header| header::content(header).to_vec()).collect()
}

/// Tells whether bytes are a header.
pub fn is_header(bytes: &[u8]) -> bool {
    let Ok(header) = Header::decode(bytes) else { return false };
    assert_eq!(header.encode(), bytes, "a header has one encoding");
    true
}

/// Tells whether bytes with a checksum that fits are a header.
pub fn is_header_content(content: &[u8]) -> bool {
    is_header(&header::with_checksum(content))
}

/// No randomness: nothing is protected here.
struct Same;

impl Entropy for Same {
    fn fill(&mut self, out: &mut [u8]) {
        out.fill(7);
    }
}
