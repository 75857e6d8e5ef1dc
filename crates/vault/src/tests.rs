//! Tests that need a whole vault on a disk.

use std::{collections::BTreeMap, fs, path::Path};

use tempfile::TempDir;
use wire::{Blob, CircleId, ConversationId, DeviceId, MemberId, MessageId, Signature};

use crate::*;

mod canary;
mod chunks;
mod crash;
mod erase;
mod full;
mod guard;
mod migration;
mod opening;
mod records;
mod tamper;
mod timeline;
mod wipe;

/// As cheap as it gets: what is tested here is not how long a passphrase takes.
const OPTIONS: Options = Options {
    durability: Durability::DangerOffForTests,
    kdf: Some(Kdf::Argon2id { memory_kib: 8, passes: 1, lanes: 1 }),
};

fn passphrase() -> Passphrase {
    Passphrase::new("correct horse battery")
}

fn create() -> (TempDir, Vault) {
    let dir = tempfile::tempdir().unwrap();
    let vault = Vault::create(dir.path(), &passphrase(), OPTIONS).unwrap();
    (dir, vault)
}

fn open(dir: &Path) -> Result<Vault, OpenError> {
    Vault::open(dir, &passphrase(), OPTIONS)
}

fn add_circle(vault: &mut Vault, number: u8) -> CircleRow {
    let mut turn = vault.begin().unwrap();
    let circle = turn
        .add_circle(&NewCircle {
            circle: CircleId::new([number; 32]),
            device_seed: &[number; 32],
            label: "Our circle",
            created_ms: 1_700_000_000_000,
            state: CircleState::Member,
            invitation: None,
        })
        .unwrap();
    turn.commit().unwrap();
    circle
}

/// A vault with one circle and one conversation.
fn conversing() -> (TempDir, Vault, ConversationRow) {
    let (dir, mut vault) = create();
    let circle = add_circle(&mut vault, 1);
    let mut turn = vault.begin().unwrap();
    let conversation = turn.add_conversation(circle, &ConversationId::new([2; 32]), b"descriptor").unwrap();
    turn.commit().unwrap();
    (dir, vault, conversation)
}

fn device(number: u8) -> DeviceId {
    DeviceId::new([number; 32])
}

/// An entry whose every field follows from its place.
fn entry(author: u8, seq: u64, lamport: u64) -> EntryRecord {
    let id = crypto::hash("test entry", &[&[author], &seq.to_be_bytes(), &lamport.to_be_bytes()]);
    EntryRecord {
        author: device(author),
        seq,
        message: MessageId::new(id),
        lamport,
        claimed_ms: 1_700_000_000_000 + seq,
        received_ms: 1_700_000_000_001 + seq,
        header: Blob(id.repeat(5)),
        body: Some(Blob(vec![author; 300])),
        signature: seq.is_multiple_of(16).then_some(Signature([author; 64])),
        kind: EntryKind::Message,
        gone: Gone::Not,
    }
}

/// Stores one entry in a turn of its own.
fn append(vault: &mut Vault, conversation: ConversationRow, entry: &EntryRecord) {
    let mut turn = vault.begin().unwrap();
    assert_eq!(turn.append_entry(conversation, entry).unwrap(), Appended::Stored);
    turn.commit().unwrap();
}

/// Stores the next entry of a chain and, in the same turn, how long the chain is now.
fn append_counted(vault: &mut Vault, conversation: ConversationRow, seq: u64) -> Result<(), StoreError> {
    let mut turn = vault.begin()?;
    let appended = turn.append_entry(conversation, &entry(1, seq, seq))?;
    assert_eq!(appended, Appended::Stored);
    turn.set_setting("count", &(seq + 1).to_be_bytes())?;
    turn.commit()
}

/// Returns the chain's length, after a check that nothing of it is missing and that the turns' two halves agree.
fn counted(vault: &Vault, conversation: ConversationRow) -> u64 {
    let count = vault.count(conversation).unwrap();
    let chain = vault.entries_from(conversation, &device(1), 0, usize::MAX >> 1, usize::MAX).unwrap();
    assert_eq!(chain.len() as u64, count);
    for (seq, found) in (0..).zip(&chain) {
        assert_eq!(*found, entry(1, seq, seq));
    }
    let said =
        vault.setting("count").unwrap().map_or(0, |bytes| u64::from_be_bytes(bytes.try_into().unwrap()));
    assert_eq!(said, count, "half a turn was stored");
    count
}

/// Every file of a vault by its name.
fn files(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    fs::read_dir(dir)
        .unwrap()
        .map(|file| {
            let file = file.unwrap();
            (file.file_name().into_string().unwrap(), fs::read(file.path()).unwrap())
        })
        .collect()
}

/// Writes files as [`files`] returned them, in place of what is there.
fn restore(dir: &Path, files: &BTreeMap<String, Vec<u8>>) {
    for file in fs::read_dir(dir).unwrap() {
        fs::remove_file(file.unwrap().path()).unwrap();
    }
    for (name, bytes) in files {
        fs::write(dir.join(name), bytes).unwrap();
    }
}

/// This test binary again, to run one of the tests marked "child" on a vault in `dir`.
fn child(test: &str, dir: &Path) -> Vec<std::ffi::OsString> {
    let program = std::env::current_exe().unwrap();
    let arguments = [test, "--exact", "--ignored", "--nocapture", "--quiet"];
    let mut line = vec![program.into_os_string()];
    line.extend(arguments.map(Into::into));
    line.push("--test-threads=1".into());
    assert!(dir.is_absolute());
    line
}
