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
    assert!(same >= 10 + 8 + 8 + 2 + 13, "{same}");
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
    fs::remove_file(&guard).unwrap();
    assert!(matches!(unlock(dir.path(), "wrong horse battery"), Err(OpenError::WrongPassphrase)));
    assert!(guard.exists(), "it is made anew");
}

#[test]
fn a_stranger_does_not_get_the_last_try() {
    let dir = guarded(Some(3), None);
    let guess = |text: &str| Vault::unlock(dir.path(), &Passphrase::new(text), OPTIONS, Tries::ButTheLast);
    for left in [2, 1] {
        assert!(matches!(guess("wrong"), Err(OpenError::WrongPassphraseOf { left: told }) if told == left));
    }
    let right = "correct horse battery";
    for text in ["wrong", right] {
        assert!(matches!(guess(text), Err(OpenError::LastTry)), "{text}");
    }
    assert!(matches!(unlock(dir.path(), right), Ok(Unlocked::Opened(_))));
    // The count begins anew.
    assert!(matches!(guess("wrong"), Err(OpenError::WrongPassphraseOf { left: 2 })));
}
