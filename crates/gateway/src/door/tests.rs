use super::*;

#[test]
fn a_home_that_others_can_look_into_is_refused() {
    let home = tempfile::tempdir().unwrap();
    fs::set_permissions(home.path(), Permissions::from_mode(0o755)).unwrap();
    fs::write(home.path().join("a file of others"), "").unwrap();
    assert!(matches!(private_folder(home.path()), Err(DoorError::NotPrivate { mode: 0o755, .. })));
}

#[tokio::test]
async fn the_socket_is_its_owners_alone_and_goes_with_the_door() {
    let parent = tempfile::tempdir().unwrap();
    let home = parent.path().join("new/home");
    let door = Door::open(&home).unwrap();
    assert_eq!(fs::metadata(&home).unwrap().mode() & 0o777, 0o700);
    assert_eq!(fs::metadata(door.path()).unwrap().mode() & 0o777, 0o600);
    drop(door);
    assert!(!socket_path(&home).exists());

    let empty = parent.path().join("empty");
    fs::create_dir(&empty).unwrap();
    fs::set_permissions(&empty, Permissions::from_mode(0o755)).unwrap();
    Door::open(&empty).unwrap();
    assert_eq!(fs::metadata(&empty).unwrap().mode() & 0o777, 0o700);
}

#[tokio::test]
async fn a_socket_is_taken_over_only_from_the_dead() {
    let home = tempfile::tempdir().unwrap();
    let path = socket_path(home.path());
    let alive = Door::open(home.path()).unwrap();
    assert!(matches!(Door::open(home.path()), Err(DoorError::InUse { .. })));
    drop(alive);

    // A node of a version that knows no lock file: the socket alone must show that it is in use.
    let other = std::os::unix::net::UnixListener::bind(&path).unwrap();
    assert!(matches!(Door::open(home.path()), Err(DoorError::InUse { .. })));
    assert!(path.exists());
    drop(other);
    assert!(path.exists(), "what a killed node leaves behind");
    assert_eq!(Door::open(home.path()).unwrap().path(), path);
}

#[tokio::test]
async fn a_path_too_long_for_a_socket_is_an_error_in_words() {
    let home = tempfile::tempdir().unwrap();
    let long = home.path().join("x".repeat(120));
    let Err(error) = Door::open(&long) else { panic!("opened") };
    assert!(matches!(error, DoorError::PathTooLong { .. }));
    assert!(ApiError::from(error).hint.unwrap().contains("--home"));
}

#[tokio::test]
async fn another_users_process_is_turned_away() {
    let home = tempfile::tempdir().unwrap();
    let mut door = Door::open(home.path()).unwrap();
    let admitted = |door: &Door, peer: &UnixStream| door.admits(peer);
    let _client = UnixStream::connect(door.path()).await.unwrap();
    let (peer, _) = door.listener.accept().await.unwrap();
    assert!(admitted(&door, &peer));
    // As if the folder belonged to somebody else than the process that connects.
    door.owner += 1;
    assert!(!admitted(&door, &peer));
}
