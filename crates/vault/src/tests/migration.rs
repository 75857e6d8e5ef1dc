use sqlcipher::rusqlite::Connection;

use super::*;
use crate::schema::{MIGRATIONS, Schema, migrate, version};

/// Writes `sql` into a vault's database past its door.
fn alter(dir: &Path, sql: &str) {
    let vault = open(dir).unwrap();
    vault.read(|db| db.execute_batch(sql)).unwrap();
    vault.close().unwrap();
}

#[test]
fn a_vault_of_a_newer_version_is_refused_and_left_alone() {
    let (dir, vault) = create();
    vault.close().unwrap();
    let known = version(MIGRATIONS);
    alter(dir.path(), &format!("PRAGMA user_version = {}; CREATE TABLE later (x ANY) STRICT", known + 1));
    let before = files(dir.path());
    let refused = open(dir.path()).map(drop);
    assert!(
        matches!(refused, Err(OpenError::NewerVersion { found, known: k }) if found == known + 1 && k == known)
    );
    assert_eq!(refused.unwrap_err().to_string(), "the vault has version 4, this build knows up to 3");
    assert_eq!(files(dir.path()), before);
}

#[test]
fn migrations_run_once_each_and_only_forward() {
    let mut db = Connection::open_in_memory().unwrap();
    let one = "CREATE TABLE t (x INTEGER) STRICT";
    let two = "ALTER TABLE t ADD COLUMN y INTEGER NOT NULL DEFAULT 5";
    let three = "UPDATE t SET y = y + 1";
    assert_eq!(migrate(&mut db, &[one]).unwrap(), Schema::Fresh);
    db.execute_batch("INSERT INTO t VALUES (1)").unwrap();
    assert_eq!(migrate(&mut db, &[one, two, three]).unwrap(), Schema::Current);
    assert_eq!(migrate(&mut db, &[one, two, three]).unwrap(), Schema::Current);
    let row: (i64, i64) =
        db.query_row("SELECT x, y FROM t", [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    assert_eq!(row, (1, 6), "the last step ran once");
    assert_eq!(migrate(&mut db, &[one, two]).unwrap(), Schema::Newer { found: 3 });
}

#[test]
fn a_migration_that_fails_leaves_the_version_before_it() {
    let mut db = Connection::open_in_memory().unwrap();
    let one = "CREATE TABLE t (x INTEGER) STRICT";
    let bad = "INSERT INTO t VALUES (1); INSERT INTO nowhere VALUES (1)";
    assert!(migrate(&mut db, &[one, bad]).is_err());
    let version: u32 = db.query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap();
    let rows: u32 = db.query_row("SELECT count(*) FROM t", [], |row| row.get(0)).unwrap();
    assert_eq!((version, rows), (1, 0));
}

/// A vault that went through a step once does not go through it again: what is added to it later is missing there.
#[test]
fn no_step_is_another_than_it_was() {
    let hash = |sql: &&str| {
        let hash = crypto::hash("migration", &[sql.as_bytes()]);
        u64::from_be_bytes(hash[..8].try_into().unwrap())
    };
    let hashes: Vec<_> = MIGRATIONS.iter().map(hash).collect();
    let known = [0x8b96_30ae_f0e0_0fef, 0x1775_6f07_3f92_a8fe, 0x8760_32c4_7618_f59b];
    assert!(hashes.starts_with(&known), "a step that was changed breaks vaults; append one: {hashes:#018x?}");
    assert_eq!(hashes.len(), known.len(), "the new step's hash belongs here: {hashes:#018x?}");
}

#[test]
fn a_vault_of_a_build_between_the_versions_comes_to_the_newest() {
    let mut db = Connection::open_in_memory().unwrap();
    migrate(&mut db, &MIGRATIONS[..2]).unwrap();
    let tables = MIGRATIONS[2].split_once("CREATE TABLE IF NOT EXISTS taken").unwrap().1;
    db.execute_batch(&format!("CREATE TABLE taken{tables}")).unwrap();
    assert_eq!(migrate(&mut db, MIGRATIONS).unwrap(), Schema::Current);
}

/// One vault of each version that was ever released is kept in `testdata`, and must open in every later one.
#[test]
fn a_vault_written_by_version_1_opens_and_has_all_it_had() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["vault.key", "vault.db"] {
        fs::copy(testdata().join("v1").join(name), dir.path().join(name)).unwrap();
    }
    let mut vault = open(dir.path()).unwrap();
    let circles = vault.circles().unwrap();
    assert_eq!((circles[0].label.as_str(), *circles[0].device_seed), ("Our circle", [1; 32]));
    let conversation = vault.conversations(circles[0].row).unwrap()[0].row;
    assert_eq!(vault.timeline_after(conversation, None, 10).unwrap(), [entry(1, 0, 0), entry(2, 0, 1)]);
    assert_eq!(vault.setting("colour").unwrap().unwrap(), b"blue");
    append(&mut vault, conversation, &entry(1, 1, 2));
    vault.verify().unwrap();
    let found: u32 = vault.read(|db| db.query_row("PRAGMA user_version", [], |row| row.get(0))).unwrap();
    assert_eq!(found, version(MIGRATIONS));
}

#[test]
#[ignore = "writes the vault of the newest version into testdata, once, when that version is released"]
fn write_testdata() {
    let (dir, mut vault, conversation) = conversing();
    append(&mut vault, conversation, &entry(1, 0, 0));
    append(&mut vault, conversation, &entry(2, 0, 1));
    let mut turn = vault.begin().unwrap();
    turn.set_setting("colour", b"blue").unwrap();
    turn.commit().unwrap();
    vault.read(|db| db.execute_batch("VACUUM")).unwrap();
    vault.close().unwrap();
    let to = testdata().join(format!("v{}", version(MIGRATIONS)));
    fs::create_dir(&to).expect("a released version is never written again");
    for name in ["vault.key", "vault.db"] {
        fs::copy(dir.path().join(name), to.join(name)).unwrap();
    }
}

fn testdata() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata")
}
