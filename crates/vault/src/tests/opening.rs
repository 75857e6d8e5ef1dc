use std::os::unix::fs::PermissionsExt;

use super::*;

#[test]
fn what_was_stored_is_there_after_locking_and_unlocking() {
    let (dir, mut vault) = create();
    let circle = add_circle(&mut vault, 7);
    let blob_key = *vault.danger_blob_key();
    vault.close().unwrap();

    let vault = open(dir.path()).unwrap();
    assert_eq!(vault.circles().unwrap()[0].row, circle);
    assert_eq!(*vault.danger_blob_key(), blob_key);
    assert_ne!(blob_key, [0; 32]);
}

#[test]
fn a_wrong_passphrase_opens_nothing_and_changes_nothing() {
    let (dir, vault) = create();
    vault.close().unwrap();
    let before = files(dir.path());
    let wrong = Vault::open(dir.path(), &Passphrase::new("correct horse batteries"), OPTIONS);
    assert!(matches!(wrong, Err(OpenError::WrongPassphrase)));
    assert_eq!(files(dir.path()), before);
    assert!(open(dir.path()).is_ok());
}

#[test]
fn where_no_vault_is_none_is_opened_and_nothing_is_left_behind() {
    let dir = tempfile::tempdir().unwrap();
    assert!(matches!(open(dir.path()), Err(OpenError::Missing)));
    assert!(matches!(open(&dir.path().join("nowhere")), Err(OpenError::Missing)));
    assert_eq!(files(dir.path()).len(), 0);
}

#[test]
fn a_vault_is_never_created_over_another() {
    let (dir, mut vault) = create();
    add_circle(&mut vault, 7);
    assert!(matches!(Vault::create(dir.path(), &passphrase(), OPTIONS), Err(CreateError::InUse)));
    vault.close().unwrap();
    assert!(matches!(Vault::create(dir.path(), &passphrase(), OPTIONS), Err(CreateError::AlreadyExists)));
    assert_eq!(open(dir.path()).unwrap().circles().unwrap().len(), 1);
}

#[test]
fn a_short_passphrase_or_an_absurd_cost_makes_no_vault() {
    let dir = tempfile::tempdir().unwrap();
    let short = Vault::create(dir.path(), &Passphrase::new("horse"), OPTIONS);
    assert!(matches!(short, Err(CreateError::WeakPassphrase(WeakPassphrase { least: 14 }))));
    let kdf = Some(Kdf::Argon2id { memory_kib: u32::MAX, passes: 1, lanes: 1 });
    let absurd = Vault::create(dir.path(), &passphrase(), Options { kdf, ..OPTIONS });
    assert!(matches!(absurd, Err(CreateError::CostOutOfBounds)));
    assert!(matches!(open(dir.path()), Err(OpenError::Missing)));
}

#[test]
fn only_one_has_a_vault_open_and_locking_lets_go_of_it() {
    let (dir, vault) = create();
    assert!(matches!(open(dir.path()), Err(OpenError::InUse)));
    assert!(matches!(Vault::wipe_locked(dir.path()), Err(WipeError::InUse)));
    vault.close().unwrap();
    let vault = open(dir.path()).unwrap();
    assert!(matches!(open(dir.path()), Err(OpenError::InUse)));
    drop(vault);
    assert!(open(dir.path()).is_ok());
}

#[test]
fn after_a_change_only_the_new_passphrase_opens() {
    let (dir, mut vault) = create();
    add_circle(&mut vault, 7);
    let new = Passphrase::new("a much better passphrase");
    let wrong = vault.change_passphrase(&new, &new, OPTIONS.kdf);
    assert!(matches!(wrong, Err(OpenError::WrongPassphrase)));
    let weak = vault.change_passphrase(&passphrase(), &Passphrase::new("x"), OPTIONS.kdf);
    assert!(matches!(weak, Err(OpenError::WeakPassphrase(_))));
    vault.change_passphrase(&passphrase(), &new, Some(Kdf::Pbkdf2 { rounds: 1000 })).unwrap();
    vault.close().unwrap();

    assert!(matches!(open(dir.path()), Err(OpenError::WrongPassphrase)));
    let vault = Vault::open(dir.path(), &new, OPTIONS).unwrap();
    assert_eq!(vault.circles().unwrap().len(), 1);
}

#[test]
fn folder_and_files_are_for_their_owner_alone() {
    let parent = tempfile::tempdir().unwrap();
    let dir = parent.path().join("vault");
    let mut vault = Vault::create(&dir, &passphrase(), OPTIONS).unwrap();
    add_circle(&mut vault, 1);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&dir), 0o700);
    let names: Vec<_> = files(&dir).into_keys().collect();
    assert_eq!(names, ["vault.db", "vault.db-wal", "vault.guard", "vault.key", "vault.lock"]);
    for name in names {
        assert_eq!(mode(&dir.join(&name)), 0o600, "{name}");
    }
}

#[test]
fn an_interrupted_creation_stands_in_nobodys_way() {
    let (dir, vault) = create();
    vault.close().unwrap();
    // As after a crash just before the database counted.
    fs::rename(dir.path().join("vault.db"), dir.path().join("vault.db.new")).unwrap();
    fs::write(dir.path().join("vault.db.new-wal"), b"half a log").unwrap();
    fs::write(dir.path().join("vault.key.new"), b"half a header").unwrap();
    assert!(matches!(open(dir.path()), Err(OpenError::Damaged { what: Part::Database })));
    assert!(!Vault::exists(dir.path()), "until the database counts there is none");

    let vault = Vault::create(dir.path(), &passphrase(), OPTIONS).unwrap();
    assert_eq!(vault.circles().unwrap().len(), 0);
    vault.close().unwrap();
    assert!(open(dir.path()).is_ok());
    assert!(!files(dir.path()).keys().any(|name| name.contains("new")));
}

#[test]
fn a_lost_header_is_damage_and_never_taken_for_a_missing_vault() {
    let (dir, vault) = create();
    vault.close().unwrap();
    fs::remove_file(dir.path().join("vault.key")).unwrap();
    assert!(matches!(open(dir.path()), Err(OpenError::Damaged { what: Part::Header })));
    assert!(Vault::exists(dir.path()));
    // Nor is the database overwritten: its header may be found again.
    assert!(matches!(Vault::create(dir.path(), &passphrase(), OPTIONS), Err(CreateError::AlreadyExists)));
}

#[test]
fn the_default_cost_is_paid_and_its_memory_given_back() {
    let dir = tempfile::tempdir().unwrap();
    let before = resident_kib();
    let options = Options { kdf: None, ..OPTIONS };
    let vault = Vault::create(dir.path(), &passphrase(), options).unwrap();
    vault.close().unwrap();
    let _vault = Vault::open(dir.path(), &passphrase(), options).unwrap();
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let field = |name| {
        let line = status.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap()
    };
    assert!(field("VmHWM:") > before + (60 << 10), "64 MiB were used");
    assert!(resident_kib() < before + (8 << 10), "{before} KiB before, {} KiB after", resident_kib());
}

fn resident_kib() -> u64 {
    let pages = fs::read_to_string("/proc/self/statm").unwrap();
    pages.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 4
}

#[test]
fn a_vault_may_move_to_another_thread() {
    fn moves<T: Send>() {}
    moves::<Vault>();
}
