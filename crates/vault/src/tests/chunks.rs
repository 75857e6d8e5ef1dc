use std::collections::BTreeSet;

use wire::{FileId, limits};
use zeroize::Zeroizing;

use super::*;

fn record(number: u8, state: FileState) -> FileRecord {
    FileRecord {
        file: FileId::new([number; 32]),
        size: 1 << 20,
        key: Zeroizing::new([number ^ 0xa5; 32]),
        place: FilePlace([number; 16]),
        state,
    }
}

fn chunk(number: u8) -> Vec<u8> {
    [b"the beans are up, chunk ".as_slice(), &[number]].concat().repeat(1000)
}

#[test]
fn a_chunk_is_read_back_in_its_place_and_in_no_other() {
    let (dir, vault) = create();
    let store = vault.chunk_store();
    let file = store.open(&FilePlace([1; 16]), &[5; 32]).unwrap();
    // In any order, the last one short.
    for (index, number) in [(3, 3), (0, 1), (2, 2)] {
        file.write_chunk(index, chunk(number)).unwrap();
    }
    file.write_list(0, vec![7; 64]).unwrap();
    file.sync().unwrap();
    let len = chunk(0).len();
    assert_eq!(file.read_chunk(3, len).unwrap().unwrap(), chunk(3));
    assert_eq!(file.read_list(0, 64).unwrap().unwrap(), [7; 64]);
    assert!(file.has_chunk(0, len).unwrap() && !file.has_chunk(1, len).unwrap(), "one is a hole");
    assert!(file.read_chunk(1, len).unwrap().is_none() && file.read_chunk(9, len).unwrap().is_none());
    assert!(file.read_chunk(0, len - 1).unwrap().is_none(), "a chunk has one length");
    assert!(file.write_chunk(0, vec![0; limits::FILE_CHUNK + 1]).is_err());
    let other = store.open(&FilePlace([1; 16]), &[6; 32]).unwrap();
    assert!(other.read_chunk(0, len).unwrap().is_none(), "under its own key only");

    // What stands on the disk says nothing, and one chunk cannot be put in another's place.
    let path = dir.path().join("files").join("01".repeat(16) + ".chunks");
    let mut bytes = fs::read(&path).unwrap();
    assert!(!bytes.windows(5).any(|window| window == b"beans"));
    let slot = limits::FILE_CHUNK + crypto::SealingKey::OVERHEAD;
    let (first, rest) = bytes.split_at_mut(2 * slot);
    let len_sealed = len + crypto::SealingKey::OVERHEAD;
    first[..len_sealed].copy_from_slice(&rest[..len_sealed]);
    fs::write(&path, &bytes).unwrap();
    assert!(file.read_chunk(0, len).unwrap().is_none());
    assert!(file.has_chunk(2, len).unwrap());
}

#[test]
fn a_torn_chunk_is_none() {
    let (dir, vault) = create();
    let file = vault.chunk_store().open(&FilePlace([1; 16]), &[5; 32]).unwrap();
    file.write_chunk(0, chunk(1)).unwrap();
    let path = dir.path().join("files").join("01".repeat(16) + ".chunks");
    let whole = fs::read(&path).unwrap();
    for cut in [0, 1, 100, whole.len() / 2, whole.len() - 1] {
        let mut torn = vec![0; whole.len()];
        torn[..cut].copy_from_slice(&whole[..cut]);
        fs::write(&path, &torn).unwrap();
        assert!(!file.has_chunk(0, chunk(1).len()).unwrap(), "zeros from {cut} on");
        fs::write(&path, &whole[..cut]).unwrap();
        assert!(!file.has_chunk(0, chunk(1).len()).unwrap(), "cut at {cut}");
    }
}

#[test]
fn files_and_offers_are_kept_and_their_keys_erased() {
    let (_dir, mut vault, conversation) = conversing();
    let circle = vault.circles().unwrap()[0].row;
    append(&mut vault, conversation, &entry(1, 0, 0));
    append(&mut vault, conversation, &entry(1, 1, 1));
    let (one, two) = (record(1, FileState::Wanted), record(2, FileState::Held));
    let mut turn = vault.begin().unwrap();
    for file in [&one, &two] {
        turn.put_file(circle, file).unwrap();
    }
    turn.add_offer(circle, (conversation, &device(1), 0), &one.file).unwrap();
    turn.add_offer(circle, (conversation, &device(1), 1), &one.file).unwrap();
    turn.add_offer(circle, (conversation, &device(1), 1), &two.file).unwrap();
    turn.set_file_state(circle, &one.file, FileState::Paused).unwrap();
    turn.commit().unwrap();
    let one = FileRecord { state: FileState::Paused, ..one };
    assert_eq!(vault.files(circle).unwrap(), [one.clone(), two.clone()]);
    let offers = |vault: &Vault, file| vault.offers(circle, file, 10).unwrap();
    assert_eq!(offers(&vault, None), [(conversation, entry(1, 1, 1)), (conversation, entry(1, 0, 0))]);
    assert_eq!(offers(&vault, Some(&one.file)).len(), 2);
    assert_eq!(offers(&vault, Some(&two.file)).len(), 0, "a message offers one file");

    assert!(vault.danger_pages_with(&one.key[..]).unwrap() > 0);
    let mut turn = vault.begin().unwrap();
    turn.remove_offer(conversation, &device(1), 0).unwrap();
    turn.remove_file(circle, &one.file).unwrap();
    turn.commit().unwrap();
    assert_eq!(vault.danger_pages_with(&one.key[..]).unwrap(), 0, "the key is in no page any more");
    assert_eq!(vault.files(circle).unwrap(), std::slice::from_ref(&two));
    assert_eq!(offers(&vault, Some(&one.file)).len(), 1);
}

#[test]
fn chunks_without_a_record_are_swept_and_a_wipe_leaves_none() {
    let (dir, vault) = create();
    let store = vault.chunk_store();
    assert_eq!(store.sweep(&BTreeSet::new()).unwrap(), 0, "there is no folder yet");
    for number in [1, 2] {
        store.open(&FilePlace([number; 16]), &[5; 32]).unwrap().write_chunk(0, chunk(number)).unwrap();
    }
    assert_eq!(store.sweep(&BTreeSet::from([FilePlace([2; 16])])).unwrap(), 2);
    // What is no file is none of its own.
    let strange = dir.path().join("files").join("00");
    fs::create_dir(&strange).unwrap();
    store.open(&FilePlace([1; 16]), &[5; 32]).unwrap().write_chunk(0, chunk(1)).unwrap();
    assert_eq!(store.sweep(&BTreeSet::from([FilePlace([2; 16])])).unwrap(), 2);
    fs::remove_dir(&strange).unwrap();
    assert!(store.free().unwrap() > 0);
    let kept = store.open(&FilePlace([2; 16]), &[5; 32]).unwrap();
    assert!(kept.has_chunk(0, chunk(2).len()).unwrap());
    store.erase(&FilePlace([2; 16])).unwrap();
    store.erase(&FilePlace([2; 16])).unwrap();
    store.open(&FilePlace([3; 16]), &[5; 32]).unwrap().write_chunk(0, chunk(3)).unwrap();
    vault.wipe().unwrap();
    assert!(!dir.path().exists() || fs::read_dir(dir.path()).unwrap().next().is_none());
}
