use std::{ffi::OsString, process::Command};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::*;

const DURESS: &str = "another horse, another battery";

fn unlock(dir: &Path, text: &str) -> Result<Unlocked, OpenError> {
    Vault::unlock(dir, &Passphrase::new(text), OPTIONS, Tries::All)
}

/// A vault with something in it, guarded, and locked.
fn guarded(tries: Option<u32>, duress: Option<&str>) -> TempDir {
    let (dir, mut vault, conversation) = conversing();
    for seq in 0..200 {
        append(&mut vault, conversation, &entry(1, seq, seq));
    }
    let duress = duress.map(Passphrase::new);
    vault.set_guard(&passphrase(), tries, duress.as_ref()).unwrap();
    vault.close().unwrap();
    dir
}

#[test]
fn the_duress_passphrase_opens_an_empty_vault_and_nothing_of_the_other_is_left() {
    let dir = guarded(None, Some(DURESS));
    let before = files(dir.path());
    let Ok(Unlocked::Emptied(vault)) = unlock(dir.path(), DURESS) else { panic!("emptied") };
    assert_eq!(vault.circles().unwrap().len(), 0);
    vault.close().unwrap();
    // Pages and the header are random to whoever has no key: what was there would be found as it was.
    for (name, bytes) in files(dir.path()) {
        for (old_name, old) in &before {
            let blocks = old
                .chunks(4096)
                .filter(|block| block.len() >= 64 && bytes.windows(64).any(|at| at == &block[..64]));
            assert_eq!(blocks.count(), 0, "{old_name} is in {name}");
        }
    }
    assert!(matches!(unlock(dir.path(), "correct horse battery"), Err(OpenError::WrongPassphrase)));
    let Ok(Unlocked::Opened(vault)) = unlock(dir.path(), DURESS) else { panic!("opened") };
    assert_eq!(vault.tries().unwrap(), None);
    // A copy of the old files opens as before: against copies the passphrase stands alone.
    drop(vault);
    restore(dir.path(), &before);
    assert!(matches!(unlock(dir.path(), "correct horse battery"), Ok(Unlocked::Opened(_))));
}

#[test]
fn too_many_wrong_passphrases_destroy_the_vault_and_a_right_one_forgives() {
    let dir = guarded(Some(3), None);
    for left in [2, 1] {
        assert!(
            matches!(unlock(dir.path(), "wrong horse battery"), Err(OpenError::WrongPassphraseOf { left: l }) if l == left)
        );
    }
    let Ok(Unlocked::Opened(vault)) = unlock(dir.path(), "correct horse battery") else { panic!("opened") };
    assert_eq!(vault.tries().unwrap(), Some(3));
    drop(vault);
    for left in [2, 1] {
        assert!(
            matches!(unlock(dir.path(), "wrong horse battery"), Err(OpenError::WrongPassphraseOf { left: l }) if l == left)
        );
    }
    assert!(matches!(unlock(dir.path(), "wrong horse battery"), Err(OpenError::Destroyed)));
    assert!(!dir.path().exists() || files(dir.path()).is_empty(), "nothing is left");
    assert!(matches!(unlock(dir.path(), "correct horse battery"), Err(OpenError::Missing)));
}

#[test]
fn whether_there_is_a_duress_passphrase_cannot_be_seen() {
    let (with, without) = (guarded(Some(5), Some(DURESS)), guarded(Some(5), None));
    let guard = |dir: &TempDir| files(dir.path())["vault.guard"].clone();
    let (with, without) = (guard(&with), guard(&without));
    assert_eq!(with.len(), without.len());
    // All but salt, sealed key and checksum is the same.
    let same = with.iter().zip(&without).take_while(|(one, other)| one == other).count();
    assert!(same >= 10 + 8 + 16 + 8 + 2 + 13, "{same}");
}

#[test]
fn a_guard_is_changed_by_whoever_knows_the_passphrase_and_is_no_copy_of_it() {
    let (_dir, vault) = create();
    let refused = |passphrase: &str, duress: &str| {
        vault.set_guard(&Passphrase::new(passphrase), None, Some(&Passphrase::new(duress))).unwrap_err()
    };
    assert!(matches!(refused("wrong horse battery", DURESS), OpenError::WrongPassphrase));
    assert!(matches!(refused("correct horse battery", "short"), OpenError::WeakPassphrase(_)));
    assert!(matches!(refused("correct horse battery", "correct horse battery"), OpenError::SamePassphrase));
}

#[test]
fn a_guard_that_was_taken_away_or_torn_is_none() {
    let dir = guarded(Some(2), Some(DURESS));
    let guard = dir.path().join("vault.guard");
    let whole = fs::read(&guard).unwrap();
    for len in [0, 1, 10, 30, whole.len() - 1] {
        fs::write(&guard, &whole[..len]).unwrap();
        assert!(matches!(unlock(dir.path(), "correct horse battery"), Ok(Unlocked::Opened(_))), "{len}");
    }
    for bit in 0..8 * 18 {
        let mut flipped = whole.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        fs::write(&guard, &flipped).unwrap();
        assert!(
            matches!(unlock(dir.path(), "wrong horse battery"), Err(OpenError::WrongPassphrase)),
            "{bit}"
        );
    }
    fs::remove_file(&guard).unwrap();
    assert!(matches!(unlock(dir.path(), "wrong horse battery"), Err(OpenError::WrongPassphrase)));
}

/// Sets the count of a guard, as tries do that were cut off by a crash.
fn count(dir: &Path, wrong: u32) {
    let path = dir.join("vault.guard");
    let mut guard = fs::read(&path).unwrap();
    guard[14..18].copy_from_slice(&wrong.to_be_bytes());
    let sum = crypto::hash("hexode/vault/1/guard checksum", &[&guard[..18]]);
    guard[18..34].copy_from_slice(&sum[..16]);
    fs::write(path, guard).unwrap();
}

#[test]
fn a_full_count_destroys_nothing_before_a_passphrase_was_proven_wrong() {
    let dir = guarded(Some(3), Some(DURESS));
    let whole = files(dir.path());
    count(dir.path(), 3);
    let Ok(Unlocked::Opened(vault)) = unlock(dir.path(), "correct horse battery") else { panic!("opened") };
    assert_eq!(vault.circles().unwrap().len(), 1);
    drop(vault);
    let left = unlock(dir.path(), "wrong horse battery");
    assert!(matches!(left, Err(OpenError::WrongPassphraseOf { left: 2 })), "a right one forgives");

    count(dir.path(), 3);
    assert!(matches!(unlock(dir.path(), DURESS), Ok(Unlocked::Emptied(_))));
    restore(dir.path(), &whole);
    count(dir.path(), 3);
    assert!(matches!(unlock(dir.path(), "wrong horse battery"), Err(OpenError::Destroyed)));
}

#[test]
fn what_no_vault_could_have_as_its_passphrase_is_no_try() {
    let dir = guarded(Some(3), None);
    for _ in 0..5 {
        assert!(matches!(unlock(dir.path(), ""), Err(OpenError::WrongPassphraseOf { left: 3 })));
    }
    assert!(matches!(
        unlock(dir.path(), "wrong horse battery"),
        Err(OpenError::WrongPassphraseOf { left: 2 })
    ));
    count(dir.path(), 3);
    assert!(matches!(unlock(dir.path(), "short"), Err(OpenError::WrongPassphraseOf { left: 1 })));
    assert!(matches!(unlock(dir.path(), "correct horse battery"), Ok(Unlocked::Opened(_))));
}

#[test]
fn a_try_that_found_nothing_out_is_not_counted() {
    let dir = tempfile::tempdir().unwrap();
    let kdf = Some(Kdf::Argon2id { memory_kib: 64 << 10, passes: 1, lanes: 1 });
    let vault = Vault::create(dir.path(), &passphrase(), Options { kdf, ..OPTIONS }).unwrap();
    vault.set_guard(&passphrase(), Some(3), None).unwrap();
    vault.close().unwrap();
    let before = files(dir.path());
    let line = child("tests::guard::child_has_little_memory", dir.path());
    run("exec \"$@\"", line, dir.path());
    assert_eq!(files(dir.path()), before);
}

#[test]
#[ignore = "child of a_try_that_found_nothing_out_is_not_counted"]
fn child_has_little_memory() {
    let dir = std::env::var_os("HEXODE_TEST_VAULT").expect("runs only as the child of another test");
    let pages = fs::read_to_string("/proc/self/statm").unwrap();
    let pages: u64 = pages.split_whitespace().next().unwrap().parse().unwrap();
    let current = Some(pages * 4096 + (16 << 20));
    setrlimit(Resource::As, Rlimit { current, maximum: getrlimit(Resource::As).maximum }).unwrap();
    for _ in 0..5 {
        let tried = unlock(Path::new(&dir), "wrong horse battery");
        assert!(
            matches!(&tried, Err(OpenError::Io(error)) if error.kind() == std::io::ErrorKind::OutOfMemory)
        );
    }
}

#[test]
fn a_full_disk_keeps_nobody_out_who_set_no_limit() {
    let dir = guarded(None, Some(DURESS));
    let line = child("tests::guard::child_has_a_full_disk", dir.path());
    run(r#"trap "" XFSZ; ulimit -S -f 0; exec "$@""#, line, dir.path());
}

#[test]
#[ignore = "child of a_full_disk_keeps_nobody_out_who_set_no_limit"]
fn child_has_a_full_disk() {
    let dir = std::env::var_os("HEXODE_TEST_VAULT").expect("runs only as the child of another test");
    assert!(fs::write(Path::new(&dir).join("more"), b"no room").is_err());
    assert!(matches!(unlock(Path::new(&dir), "correct horse battery"), Ok(Unlocked::Opened(_))));
}

/// Runs a child of this test under a line of shell.
fn run(script: &str, child: Vec<OsString>, dir: &Path) {
    let mut line: Vec<OsString> = ["-c", script, "sh"].map(Into::into).into();
    line.extend(child);
    let output = Command::new("sh").args(line).env("HEXODE_TEST_VAULT", dir).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_passphrase_that_empties_is_not_made_the_one_that_opens() {
    let dir = guarded(None, Some(DURESS));
    let mut vault = open(dir.path()).unwrap();
    let refused = vault.change_passphrase(&passphrase(), &Passphrase::new(DURESS), OPTIONS.kdf);
    assert!(matches!(refused, Err(OpenError::SamePassphrase)));
    drop(vault);
    assert!(matches!(unlock(dir.path(), DURESS), Ok(Unlocked::Emptied(_))));
}

#[test]
fn a_stranger_does_not_get_the_last_try() {
    let dir = guarded(Some(3), None);
    let guess = |text: &str| Vault::unlock(dir.path(), &Passphrase::new(text), OPTIONS, Tries::ButTheLast);
    for left in [2, 1] {
        assert!(
            matches!(guess("wrong wrong wrong"), Err(OpenError::WrongPassphraseOf { left: told }) if told == left)
        );
    }
    let right = "correct horse battery";
    for text in ["wrong wrong wrong", right] {
        assert!(matches!(guess(text), Err(OpenError::LastTry)), "{text}");
    }
    assert!(matches!(unlock(dir.path(), right), Ok(Unlocked::Opened(_))));
    // The count begins anew.
    assert!(matches!(guess("wrong wrong wrong"), Err(OpenError::WrongPassphraseOf { left: 2 })));
}
