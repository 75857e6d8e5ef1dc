use super::*;

const PAGE: usize = 4096;

/// A locked vault with a few dozen pages in use, and its files.
fn filled() -> (TempDir, ConversationRow, BTreeMap<String, Vec<u8>>) {
    let (dir, mut vault, conversation) = conversing();
    let mut turn = vault.begin().unwrap();
    for seq in 0..200 {
        assert_eq!(turn.append_entry(conversation, &entry(1, seq, seq)).unwrap(), Appended::Stored);
    }
    turn.commit().unwrap();
    vault.verify().unwrap();
    vault.close().unwrap();
    let files = files(dir.path());
    (dir, conversation, files)
}

#[test]
fn one_flipped_bit_on_any_page_is_found_and_the_page_named() {
    let (dir, _, good) = filled();
    let pages = good["vault.db"].len() / PAGE;
    assert!(pages > 40);
    let mut shut = 0;
    for page in 0..pages {
        let mut bad = good["vault.db"].clone();
        bad[page * PAGE + (page * 997) % PAGE] ^= 1 << (page % 8);
        fs::write(dir.path().join("vault.db"), &bad).unwrap();
        match open(dir.path()) {
            // Without its schema a database can't be opened at all.
            Err(OpenError::Damaged { what: Part::Database }) => shut += 1,
            Err(other) => panic!("page {page}: {other}"),
            Ok(vault) => {
                let number = u32::try_from(page + 1).unwrap();
                let found = vault.verify();
                assert!(
                    matches!(found, Err(StoreError::Damaged { what: Part::Page(named) }) if named == number),
                    "page {number}: {found:?}"
                );
            }
        }
    }
    assert!((1..10).contains(&shut), "{shut} of {pages} pages kept the vault shut");
}

#[test]
fn reading_over_a_damaged_page_is_an_error_and_no_lie() {
    let (dir, conversation, good) = filled();
    let mut damaged = 0;
    for page in (0..good["vault.db"].len() / PAGE).rev() {
        let mut bad = good["vault.db"].clone();
        bad[page * PAGE + 100] ^= 1;
        fs::write(dir.path().join("vault.db"), &bad).unwrap();
        let Ok(vault) = open(dir.path()) else { continue };
        match vault.entries_from(conversation, &device(1), 0, 1000, usize::MAX) {
            Ok(chain) => assert_eq!(chain.len(), 200, "a page that this read does not touch"),
            Err(StoreError::Damaged { what: Part::Database }) => damaged += 1,
            Err(other) => panic!("page {page}: {other}"),
        }
    }
    assert!(damaged > 15, "{damaged} pages");
}

#[test]
fn a_database_cut_short_is_damage_however_short() {
    let (dir, _, good) = filled();
    let len = good["vault.db"].len();
    for cut in [0, 1, 15, 100, PAGE - 1, PAGE, PAGE + 1, len / 2, len - PAGE, len - 1] {
        fs::write(dir.path().join("vault.db"), &good["vault.db"][..cut]).unwrap();
        let outcome =
            open(dir.path()).map_err(|error| matches!(error, OpenError::Damaged { what: Part::Database }));
        match outcome {
            Err(damaged) => assert!(damaged, "cut at {cut}"),
            Ok(vault) => {
                assert!(matches!(vault.verify(), Err(StoreError::Damaged { .. })), "cut at {cut}");
            }
        }
    }
}

#[test]
fn a_database_under_another_vaults_header_is_damage() {
    let (dir, _, good) = filled();
    let (other, vault) = create();
    vault.close().unwrap();
    restore(dir.path(), &files(other.path()));
    fs::write(dir.path().join("vault.db"), &good["vault.db"]).unwrap();
    assert!(matches!(open(dir.path()), Err(OpenError::Damaged { what: Part::Database })));
}

#[test]
fn two_pages_exchanged_are_found() {
    let (dir, _, good) = filled();
    let mut bad = good["vault.db"].clone();
    bad[30 * PAGE..32 * PAGE].rotate_left(PAGE);
    fs::write(dir.path().join("vault.db"), &bad).unwrap();
    let found = open(dir.path()).unwrap().verify();
    assert!(matches!(found, Err(StoreError::Damaged { what: Part::Page(31) })), "{found:?}");
}

#[test]
fn every_byte_of_the_header_counts() {
    let (dir, _, good) = filled();
    for at in 0..good["vault.key"].len() {
        let mut bad = good["vault.key"].clone();
        bad[at] ^= 0x40;
        fs::write(dir.path().join("vault.key"), &bad).unwrap();
        assert!(matches!(open(dir.path()), Err(OpenError::Damaged { what: Part::Header })), "byte {at}");
    }
    fs::write(dir.path().join("vault.key"), vec![0; 1 << 20]).unwrap();
    assert!(matches!(open(dir.path()), Err(OpenError::Damaged { what: Part::Header })));
    fs::write(dir.path().join("vault.key"), &good["vault.key"]).unwrap();
    assert!(open(dir.path()).is_ok());
}
