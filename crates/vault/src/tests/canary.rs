use std::process::Command;

use super::*;

const CANARY: &[u8] = b"the canary sang at dawn";
const SEED: [u8; 32] = *b"thirty-two bytes of a secret see";

#[test]
fn nothing_that_is_kept_can_be_read_from_any_file() {
    let dir = tempfile::tempdir().unwrap();
    let temporary = tempfile::tempdir().unwrap();
    let mut line = child("tests::canary::child_writes_everything", dir.path()).into_iter();
    let output = Command::new(line.next().unwrap())
        .args(line)
        .env("HEXODE_TEST_VAULT", dir.path())
        .envs(["TMPDIR", "SQLITE_TMPDIR", "TMP"].map(|name| (name, temporary.path())))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    search(dir.path());
    assert_eq!(files(temporary.path()).len(), 0, "nothing was put into a folder for temporary files");
    for said in [output.stdout, output.stderr] {
        assert!(!contains(&said, CANARY));
    }
}

#[test]
#[ignore = "child of nothing_that_is_kept_can_be_read_from_any_file"]
fn child_writes_everything() {
    let dir = std::env::var_os("HEXODE_TEST_VAULT").expect("runs only as the child of another test");
    let dir = Path::new(&dir);
    let mut vault = Vault::create(dir, &passphrase(), OPTIONS).unwrap();
    let mut turn = vault.begin().unwrap();
    let text = std::str::from_utf8(CANARY).unwrap();
    let circle = turn
        .add_circle(&NewCircle {
            circle: CircleId::new(SEED),
            device_seed: &SEED,
            label: text,
            created_ms: 1,
            state: CircleState::Awaiting,
            invitation: Some(CANARY),
        })
        .unwrap();
    turn.set_setting(text, CANARY).unwrap();
    let conversation = turn.add_conversation(circle, &ConversationId::new(SEED), CANARY).unwrap();
    for seq in 0..3000 {
        let mut entry = entry(1, seq, 3000 - seq);
        entry.header = Blob(CANARY.into());
        entry.body = Some(Blob(CANARY.repeat(20)));
        assert_eq!(turn.append_entry(conversation, &entry).unwrap(), Appended::Stored);
    }
    turn.commit().unwrap();
    assert!(files(dir)["vault.db-wal"].len() > 1 << 20, "much of it is still in the log");
    search(dir);
    // Sorts of more than the cache holds, and a rebuild of the whole database: these make temporary files elsewhere.
    let sql = "SELECT count(*) FROM (SELECT DISTINCT body, header, position FROM entry ORDER BY body DESC, lamport)";
    let sorted: u64 = vault.read(|db| db.query_row(sql, [], |row| row.get(0))).unwrap();
    assert_eq!(sorted, 3000);
    vault.read(|db| db.execute_batch("VACUUM")).unwrap();
    search(dir);
    vault.close().unwrap();
    search(dir);
}

/// Looks for what must not be there in every file of a folder, names included.
fn search(dir: &Path) {
    let files = files(dir);
    assert!(files.len() >= 3);
    for (name, bytes) in files {
        for needle in
            [CANARY, &SEED, b"SQLite format", b"CREATE TABLE", b"conversation", passphrase().as_bytes()]
        {
            assert!(!contains(&bytes, needle), "{:?} in {name}", String::from_utf8_lossy(needle));
        }
    }
}

fn contains(bytes: &[u8], needle: &[u8]) -> bool {
    bytes.windows(needle.len()).any(|window| window == needle)
}
