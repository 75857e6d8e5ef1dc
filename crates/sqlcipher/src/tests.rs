//! What SQLCipher says about itself, what reaches the disk, and what the test binary is linked with.

use std::{fs, path::Path};

use rusqlite::Connection;

use crate::unlock;

fn open(path: &Path, key: &[u8; 32]) -> Connection {
    let connection = Connection::open(path).unwrap();
    unlock(&connection, key).unwrap();
    connection
}

fn text(connection: &Connection, sql: &str) -> String {
    connection.query_row(sql, [], |row| row.get(0)).unwrap()
}

#[test]
fn sqlcipher_runs_on_aws_lc() {
    let dir = tempfile::tempdir().unwrap();
    let connection = open(&dir.path().join("db"), &[1; 32]);
    assert_eq!(text(&connection, "PRAGMA cipher_provider"), "aws-lc");
    let version = text(&connection, "PRAGMA cipher_provider_version");
    assert!(version.starts_with(|c: char| c.is_ascii_digit()), "{version}");
    assert_eq!(text(&connection, "PRAGMA cipher_version"), "4.20.0 community");
    assert_eq!(text(&connection, "PRAGMA cipher_hmac_algorithm"), "HMAC_SHA512");
    let fips = aws_lc_rs::try_fips_mode().is_ok();
    assert_eq!(text(&connection, "PRAGMA cipher_fips_status"), i32::from(fips).to_string());
    // Compiled in, so that no pragma can send a sort or a temporary table to a disk.
    let mut options = connection.prepare("PRAGMA compile_options").unwrap();
    let options: Vec<String> = options.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    for option in ["TEMP_STORE=3", "THREADSAFE=2", "OMIT_LOAD_EXTENSION", "ENABLE_FTS5"] {
        assert!(options.iter().any(|found| found == option), "{option} in {options:?}");
    }
}

#[test]
fn pages_are_unreadable_and_open_with_the_key_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("db");
    let connection = open(&path, &[1; 32]);
    connection.execute_batch("CREATE TABLE t (x TEXT) STRICT; INSERT INTO t VALUES ('canary text')").unwrap();
    connection.close().unwrap();

    let bytes = fs::read(&path).unwrap();
    assert!(bytes.len() >= 2 * 4096);
    assert!(
        !bytes.windows(6).any(|window| window == b"canary" || window == b"SQLite" || window == b"CREATE")
    );

    assert_eq!(text(&open(&path, &[1; 32]), "SELECT x FROM t"), "canary text");
    assert!(open(&path, &[2; 32]).query_row("SELECT x FROM t", [], |_| Ok(())).is_err());
    assert!(Connection::open(&path).unwrap().query_row("SELECT x FROM t", [], |_| Ok(())).is_err());
}

#[test]
fn a_page_is_bound_to_its_key_place_and_every_bit() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("db");
    let connection = open(&path, &[1; 32]);
    connection
        .execute_batch("CREATE TABLE t (x BLOB) STRICT; INSERT INTO t VALUES (zeroblob(20000))")
        .unwrap();
    connection.close().unwrap();

    let good = fs::read(&path).unwrap();
    for at in [0, 17, 4096 + 5, 4096 * 2 - 80, 4096 * 2 - 1] {
        let mut bad = good.clone();
        bad[at] ^= 0x10;
        fs::write(&path, &bad).unwrap();
        assert!(reads(&path).is_none(), "byte {at}");
    }
    let mut swapped = good.clone();
    swapped[3 * 4096..5 * 4096].rotate_left(4096);
    fs::write(&path, &swapped).unwrap();
    assert!(reads(&path).is_none(), "two pages swapped");
    fs::write(&path, &good).unwrap();
    assert_eq!(reads(&path), Some(20_000));
}

fn reads(path: &Path) -> Option<usize> {
    open(path, &[1; 32])
        .query_row("SELECT x FROM t", [], |row| row.get::<_, Vec<u8>>(0))
        .ok()
        .map(|x| x.len())
}

#[cfg(target_os = "linux")]
#[test]
fn no_openssl_is_loaded() {
    let dir = tempfile::tempdir().unwrap();
    text(&open(&dir.path().join("db"), &[1; 32]), "PRAGMA cipher_provider");
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    let loaded: Vec<_> = maps.lines().filter_map(|line| line.split_whitespace().nth(5)).collect();
    assert!(loaded.iter().any(|file| file.contains("libc.so")), "the list names what is loaded: {loaded:?}");
    for library in ["libcrypto", "libssl", "libsqlite3", "libsqlcipher"] {
        assert!(!loaded.iter().any(|file| file.contains(library)), "{library} is loaded");
    }
}
