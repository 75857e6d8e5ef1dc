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
    assert!(matches!(vault.wipe(), Err(WipeError::Io(_))));
    assert!(!dir.path().join("vault.key").exists());
    assert!(open(dir.path()).is_err());
    fs::remove_dir(dir.path().join("vault.db-journal")).unwrap();
}
