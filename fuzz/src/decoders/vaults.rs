use vault::{Passphrase, fuzzing};

use super::{Decoder, SMALL};

pub(super) fn decoders() -> Vec<Decoder> {
    vec![
        Decoder {
            name: "vault-header",
            seeds: fuzzing::headers(),
            bound: SMALL,
            run: Box::new(fuzzing::is_header),
        },
        Decoder {
            name: "vault-content",
            seeds: fuzzing::header_contents(),
            bound: SMALL,
            run: Box::new(fuzzing::is_header_content),
        },
        Decoder {
            name: "passphrase",
            seeds: ["correct horse battery staple", "cafe\u{301} au lait, s'il vous plaît"]
                .map(|text| text.as_bytes().to_vec())
                .into(),
            bound: SMALL,
            run: Box::new(|bytes| {
                let Ok(text) = std::str::from_utf8(bytes) else { return false };
                let passphrase = Passphrase::new(text);
                let again = Passphrase::new(passphrase.danger_text());
                assert_eq!(again.danger_text(), passphrase.danger_text(), "a passphrase stays itself");
                true
            }),
        },
    ]
}
