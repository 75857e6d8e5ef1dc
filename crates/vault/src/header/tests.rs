use crypto::OsEntropy;
use proptest::prelude::*;

use super::*;

const CHEAP: Kdf = Kdf::Argon2id { memory_kib: 8, passes: 1, lanes: 1 };

fn passphrase() -> Passphrase {
    Passphrase::new("correct horse battery")
}

fn header(kdf: Kdf) -> (MasterKey, Header) {
    let master = MasterKey::generate(&mut OsEntropy);
    let header = Header::wrap(&master, &passphrase(), kdf, &mut OsEntropy).unwrap();
    (master, header)
}

#[test]
fn only_the_passphrase_unwraps_the_master_key() {
    for kdf in [CHEAP, Kdf::Pbkdf2 { rounds: 1000 }] {
        let (master, header) = header(kdf);
        let read = Header::decode(&header.encode()).unwrap();
        assert_eq!(read, header);
        assert_eq!(read.unwrap(&passphrase()).unwrap().0, master.0);
        let other = read.unwrap(&Passphrase::new("correct horse batterx")).map(drop);
        assert!(matches!(other, Err(OpenError::WrongPassphrase)));
    }
}

#[test]
fn two_headers_of_one_key_share_nothing_an_observer_could_compare() {
    let (master, first) = header(CHEAP);
    let second = Header::wrap(&master, &passphrase(), CHEAP, &mut OsEntropy).unwrap();
    assert_ne!(first.salt, second.salt);
    assert_ne!(first.wrapped, second.wrapped);
    assert_ne!(master.database(), master.blobs());
}

#[test]
fn every_flipped_bit_and_every_cut_is_damage() {
    let good = header(CHEAP).1.encode();
    assert_eq!(good.len(), LEN);
    for at in 0..good.len() {
        for bit in 0..8 {
            let mut bad = good.clone();
            bad[at] ^= 1 << bit;
            assert!(
                matches!(Header::decode(&bad), Err(OpenError::Damaged { what: Part::Header })),
                "byte {at}"
            );
        }
        assert!(matches!(Header::decode(&good[..at]), Err(OpenError::Damaged { .. })), "cut at {at}");
    }
    let long = [good.as_slice(), b"x"].concat();
    assert!(matches!(Header::decode(&long), Err(OpenError::Damaged { .. })));
}

#[test]
fn a_change_whose_checksum_fits_does_not_unwrap() {
    let good = header(CHEAP).1.encode();
    let content = &good[..good.len() - CHECKSUM];
    for at in 0..content.len() {
        let mut bad = content.to_vec();
        bad[at] ^= 1;
        match Header::decode(&with_checksum(&bad)) {
            Ok(header) => {
                let opened = header.unwrap(&passphrase()).map(drop);
                assert!(matches!(opened, Err(OpenError::WrongPassphrase)), "byte {at}");
            }
            Err(OpenError::Damaged { .. } | OpenError::NewerVersion { .. }) => assert!(at < 23, "byte {at}"),
            Err(other) => panic!("byte {at}: {other}"),
        }
    }
}

#[test]
fn a_header_from_a_newer_version_is_named_whatever_follows() {
    let mut content = MAGIC.to_vec();
    content.extend_from_slice(&(VERSION + 1).to_be_bytes());
    content.extend_from_slice(b"whatever version 2 will hold");
    let read = Header::decode(&with_checksum(&content));
    assert!(matches!(read, Err(OpenError::NewerVersion { found: 2, known: 1 })));
}

#[test]
fn a_header_that_asks_for_a_tebibyte_is_damage() {
    let (_, mut header) = header(CHEAP);
    header.kdf = Kdf::Argon2id { memory_kib: 1 << 30, passes: 1, lanes: 1 };
    assert!(matches!(Header::decode(&header.encode()), Err(OpenError::Damaged { what: Part::Header })));
}

proptest! {
    #[test]
    fn no_bytes_make_a_header_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), sealed: bool) {
        let bytes = if sealed { with_checksum(&[&MAGIC[..], &bytes].concat()) } else { bytes };
        if let Ok(header) = Header::decode(&bytes) {
            prop_assert!(header.kdf.is_bounded());
            prop_assert_eq!(header.encode(), bytes);
        }
    }
}
