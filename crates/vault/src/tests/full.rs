use std::{
    ffi::OsString,
    process::{Command, Stdio},
};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::*;

#[test]
fn a_full_database_refuses_the_turn_and_goes_on_once_there_is_room() {
    let (dir, mut vault, conversation) = conversing();
    let pages: u32 = vault.read(|db| db.query_row("PRAGMA page_count", [], |row| row.get(0))).unwrap();
    limit_pages(&vault, pages + 20);
    let stored = append_until_full(&mut vault, conversation);
    assert!(stored > 20, "{stored}");
    assert_eq!(counted(&vault, conversation), stored);

    limit_pages(&vault, pages * 10);
    append_counted(&mut vault, conversation, stored).unwrap();
    vault.verify().unwrap();
    vault.close().unwrap();
    assert_eq!(counted(&open(dir.path()).unwrap(), conversation), stored + 1);
}

#[test]
fn a_disk_that_fills_in_the_middle_of_a_commit_loses_nothing() {
    let (dir, vault, conversation) = conversing();
    vault.close().unwrap();
    // The shell sets what a program can't set for itself without unsafe code: that a write beyond the limit fails
    // with an error, as on a full disk, and not with a signal.
    let script = r#"trap "" XFSZ; ulimit -S -f 2400; exec "$@""#;
    let mut line: Vec<OsString> = ["-c", script, "sh"].map(Into::into).into();
    line.extend(child("tests::full::child_fills_its_disk", dir.path()));
    let output = Command::new("sh")
        .args(line)
        .env("HEXODE_TEST_VAULT", dir.path())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    let said: u64 = said.lines().find_map(|line| line.parse().ok()).unwrap();
    let vault = open(dir.path()).unwrap();
    assert_eq!(counted(&vault, conversation), said);
    vault.verify().unwrap();
}

#[test]
#[ignore = "child of a_disk_that_fills_in_the_middle_of_a_commit_loses_nothing"]
fn child_fills_its_disk() {
    use std::io::Write;
    let dir = std::env::var_os("HEXODE_TEST_VAULT").expect("runs only as the child of another test");
    let Rlimit { current, maximum } = getrlimit(Resource::Fsize);
    assert!(current.is_some(), "the parent set a limit");
    let mut vault = Vault::open(Path::new(&dir), &passphrase(), OPTIONS).unwrap();
    let circle = vault.circles().unwrap()[0].row;
    let conversation = vault.conversations(circle).unwrap()[0].row;
    let stored = append_until_full(&mut vault, conversation);
    assert!(stored > 20, "{stored}");
    assert_eq!(counted(&vault, conversation), stored);
    assert!(
        matches!(append_counted(&mut vault, conversation, stored), Err(StoreError::DiskFull)),
        "still full"
    );

    // Room is made, and the same open vault goes on.
    setrlimit(Resource::Fsize, Rlimit { current: maximum, maximum }).unwrap();
    append_counted(&mut vault, conversation, stored).unwrap();
    assert_eq!(counted(&vault, conversation), stored + 1);
    vault.verify().unwrap();
    writeln!(std::io::stdout(), "\n{}", stored + 1).unwrap();
}

#[test]
fn what_follows_a_failure_that_rolled_back_is_not_stored_on_its_own() {
    let (_dir, mut vault, conversation) = conversing();
    let mut turn = vault.begin().unwrap();
    // What SQLite does by itself when a disk fills at a bad moment.
    turn.vault.read(|db| db.execute_batch("ROLLBACK")).unwrap();
    assert!(matches!(turn.set_setting("x", b"y"), Err(StoreError::RolledBack)));
    assert!(matches!(turn.append_entry(conversation, &entry(1, 0, 0)), Err(StoreError::RolledBack)));
    assert!(matches!(turn.commit(), Err(StoreError::RolledBack)));
    assert_eq!(vault.setting("x").unwrap(), None);
    append(&mut vault, conversation, &entry(1, 0, 0));
}

fn append_until_full(vault: &mut Vault, conversation: ConversationRow) -> u64 {
    for seq in 0..100_000 {
        match append_counted(vault, conversation, seq) {
            Ok(()) => {}
            Err(StoreError::DiskFull) => return seq,
            Err(other) => panic!("at {seq}: {other}"),
        }
    }
    panic!("the disk did not fill");
}

fn limit_pages(vault: &Vault, pages: u32) {
    vault.read(|db| db.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(()))).unwrap();
}
