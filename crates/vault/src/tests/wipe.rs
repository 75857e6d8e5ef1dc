use super::*;

#[test]
fn a_wiped_vault_is_gone_with_its_folder() {
    let (dir, mut vault) = create();
    add_circle(&mut vault, 1);
    vault.wipe().unwrap();
    assert!(!dir.path().exists());
    assert!(matches!(open(dir.path()), Err(OpenError::Missing)));
    assert!(Vault::wipe_locked(dir.path()).is_ok());
}

#[test]
fn a_locked_vault_is_wiped_without_its_passphrase_and_others_files_stay() {
    let (dir, vault) = create();
    vault.close().unwrap();
    fs::write(dir.path().join("holiday.jpg"), b"not ours").unwrap();
    Vault::wipe_locked(dir.path()).unwrap();
    assert_eq!(files(dir.path()).into_keys().collect::<Vec<_>>(), ["holiday.jpg"]);
}

#[test]
fn the_wrapped_key_is_overwritten_where_it_lay() {
    let (dir, vault) = create();
    // A second name for the same bytes on disk: what is found under it is what a finder of the disk would find.
    let other = tempfile::tempdir_in(dir.path().parent().unwrap()).unwrap();
    let remains = other.path().join("remains");
    fs::hard_link(dir.path().join("vault.key"), &remains).unwrap();
    let before = fs::read(&remains).unwrap();
    vault.wipe().unwrap();
    let after = fs::read(&remains).unwrap();
    assert_eq!(after.len(), before.len());
    let same = before.iter().zip(&after).filter(|(before, after)| before == after).count();
    assert!(same < before.len() / 8, "{same} of {} bytes are still there", before.len());
}

#[test]
fn the_key_goes_first_so_that_an_interrupted_wipe_leaves_nothing_readable() {
    let (dir, vault) = create();
    // A folder where a file is expected stops the wipe half-way.
    fs::create_dir(dir.path().join("vault.db-journal")).unwrap();
    let key = fs::read(dir.path().join("vault.key")).unwrap();
    assert!(matches!(vault.wipe(), Err(WipeError::Io(_))));
    let left = fs::read(dir.path().join("vault.key")).unwrap_or_default();
    assert!(left.iter().zip(&key).filter(|(left, key)| left == key).count() < key.len() / 8);
    assert!(open(dir.path()).is_err());
    fs::remove_dir(dir.path().join("vault.db-journal")).unwrap();
}

#[test]
fn a_wipe_that_was_interrupted_anywhere_is_finished_and_makes_room_for_another_vault() {
    let (dir, vault) = create();
    vault.close().unwrap();
    let whole = files(dir.path());
    // In the order in which they go; the header is overwritten first and removed last.
    let gone = ["", "vault.guard", "vault.db"];
    for far in 1..=gone.len() {
        for unlocked in [false, true] {
            fs::create_dir_all(dir.path()).unwrap();
            restore(dir.path(), &whole);
            let header = dir.path().join("vault.key");
            let mut noise = b"hxgone\n\0".to_vec();
            noise.resize(whole["vault.key"].len(), 0x5a);
            fs::write(header, noise).unwrap();
            gone[1..far].iter().for_each(|name| fs::remove_file(dir.path().join(name)).unwrap());
            if unlocked {
                let said = Vault::unlock(dir.path(), &passphrase(), OPTIONS, Tries::All);
                assert!(matches!(said, Err(OpenError::Destroyed)), "{far}");
                assert!(!dir.path().exists());
                assert!(!Vault::exists(dir.path()));
            }
            Vault::create(dir.path(), &passphrase(), OPTIONS).unwrap().close().unwrap();
            assert!(open(dir.path()).is_ok());
        }
    }
}
