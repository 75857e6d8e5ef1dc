//! What becomes of a file that is offered.

use std::fs;

use hexode_node::api::{FileAct, FileState, SetFilePolicy};

use crate::house::{CANARY, House, is_of_file, run};

#[test]
fn a_file_arrives_bit_by_bit_and_stands_in_no_home_as_it_is() {
    run(async {
        let house = House::new();
        let (ann, ben) = house.pair().await;
        // Larger than what comes by itself.
        ben.node.set_file_policy(ben.circle, SetFilePolicy { auto: Some(0), quota: None }).await.unwrap();
        let (path, bytes) = house.write("beans.txt", 3_000_001);
        let message = ann.send("Ben", &path).await.unwrap();
        let mine = ann.file(message).await;
        assert_eq!((mine.state, mine.mine, mine.kind.as_str()), (FileState::Held, true, "text/plain"));

        let offered = ben.until_offered(message).await;
        assert_eq!((offered.name.as_str(), offered.size), ("beans.txt", 3_000_001));
        assert_eq!((offered.state, offered.held, offered.words.as_str()), (FileState::Offered, 0, "offered"));
        assert_eq!(offered.id, mine.id);
        assert!(ben.chunks().is_empty(), "nothing comes that nobody wants");
        let mut events = ben.node.events();
        ben.act(message, FileAct::Accept).await.unwrap();
        let held = ben.until_state(message, FileState::Held).await;
        assert_eq!(held.held, 3_000_001);
        assert!(std::iter::from_fn(|| events.try_recv().ok()).any(|event| is_of_file(&event)));

        for person in [&ann, &ben] {
            assert!(!person.betrays(CANARY.as_bytes()));
        }
        let to = house.folder.path().join("saved");
        fs::create_dir(&to).unwrap();
        let saved = ben.save(message, &to, false).await.unwrap();
        assert_eq!(saved, to.join("beans.txt"));
        assert!(fs::read(saved).unwrap() == bytes);
    });
}

#[test]
fn a_small_file_of_a_verified_device_comes_by_itself_and_another_does_not() {
    run(async {
        let house = House::new();
        let ann = house.found("Ann").await;
        let ben = house.join("Ben", &ann).await;
        let (path, _) = house.write("one.txt", 1000);
        let before = ann.send("everyone", &path).await.unwrap();
        assert_eq!(ben.until_offered(before).await.state, FileState::Offered);
        ben.verify("Ann").await;
        let (path, _) = house.write("two.txt", 1001);
        let after = ann.send("everyone", &path).await.unwrap();
        ben.until_state(after, FileState::Held).await;
        ben.node.set_file_policy(ben.circle, SetFilePolicy { auto: Some(1001), quota: None }).await.unwrap();
        let (path, _) = house.write("three.txt", 1002);
        let larger = ann.send("everyone", &path).await.unwrap();
        assert_eq!(ben.until_offered(larger).await.state, FileState::Offered);
        // An empty file is one, too.
        let (path, _) = house.write("nothing.txt", 0);
        let nothing = ann.send("everyone", &path).await.unwrap();
        ben.until_state(nothing, FileState::Held).await;
        let saved = ben.save(nothing, &house.folder.path().join("saved.txt"), false).await.unwrap();
        assert_eq!(fs::read(saved).unwrap(), b"");
    });
}

#[test]
fn the_same_file_is_stored_once_and_needs_no_second_sending() {
    run(async {
        let house = House::new();
        let (ann, ben) = house.pair().await;
        let (path, _) = house.write("beans.txt", 700_000);
        let first = ann.send("Ben", &path).await.unwrap();
        ben.until_state(first, FileState::Held).await;
        let copy = house.folder.path().join("other name.txt");
        fs::copy(&path, &copy).unwrap();
        let second = ann.send("everyone", &copy).await.unwrap();
        let offered = ben.until_offered(second).await;
        assert_eq!((offered.state, offered.name.as_str()), (FileState::Held, "other name.txt"));
        assert_eq!((ann.chunks().len(), ben.chunks().len()), (1, 1));
        // It goes with the last message that offers it, not with the first.
        ann.node.delete(ann.circle, first).await.unwrap();
        ben.until(async || ben.node.message(ben.circle, first).await.unwrap().absent.is_some()).await;
        assert_eq!((ann.chunks().len(), ben.chunks().len()), (1, 1));
        assert_eq!(ben.file(second).await.state, FileState::Held);
        ann.node.delete(ann.circle, second).await.unwrap();
        ann.until_chunks(0).await;
        ben.until_chunks(0).await;
        assert!(ben.node.file(ben.circle, second).await.is_err());
    });
}

#[test]
fn whoever_has_the_chunks_serves_them_while_the_author_is_away() {
    run(async {
        let house = House::new();
        let (ann, ben) = house.pair().await;
        let cara = house.join("Cara", &ann).await;
        cara.until_up("Ben").await;
        let (path, bytes) = house.write("beans.txt", 1_000_000);
        let message = ann.send("everyone", &path).await.unwrap();
        ben.until_state(message, FileState::Held).await;
        cara.until_offered(message).await;
        ann.node.lock().await.unwrap();
        cara.act(message, FileAct::Accept).await.unwrap();
        let held = cara.until_state(message, FileState::Held).await;
        assert_eq!(held.held, 1_000_000);
        let saved = cara.save(message, &house.folder.path().join("saved"), false).await.unwrap();
        assert!(fs::read(saved).unwrap() == bytes);
    });
}

#[test]
fn what_nobody_has_is_waited_for_by_name_and_comes_when_he_does() {
    run(async {
        let house = House::new();
        let (ann, ben) = house.pair().await;
        ben.node.set_file_policy(ben.circle, SetFilePolicy { auto: Some(0), quota: None }).await.unwrap();
        let (path, _) = house.write("beans.txt", 300_000);
        let message = ann.send("Ben", &path).await.unwrap();
        ben.until_offered(message).await;
        ann.node.lock().await.unwrap();
        ben.until(async || {
            let devices = ben.node.devices(ben.circle).await.unwrap();
            devices.iter().all(|device| device.this || !device.connected)
        })
        .await;
        let waiting = ben.act(message, FileAct::Accept).await.unwrap();
        assert_eq!((waiting.state, waiting.words.as_str()), (FileState::Waiting, "waiting for Ann/laptop"));
        ann.node.unlock(crate::house::PASSPHRASE.into()).await.unwrap();
        ben.until_state(message, FileState::Held).await;
    });
}

#[test]
fn a_file_that_was_interrupted_goes_on_where_it_was() {
    run(async {
        let house = House::new();
        let (ann, ben) = house.pair().await;
        let (path, bytes) = house.write("many beans.txt", 40 << 20);
        let message = ann.send("Ben", &path).await.unwrap();
        ben.until_offered(message).await;
        ben.act(message, FileAct::Accept).await.unwrap();
        let (mut most, mut interrupted) = (0, 0);
        while most < 40 << 20 && interrupted < 3 {
            ben.until(async || ben.file(message).await.held > most).await;
            most = ben.file(message).await.held;
            ben.reopen().await;
            interrupted += 1;
            // What was counted is there: it is looked for chunk by chunk.
            ben.until(async || ben.file(message).await.held > 0).await;
            assert!(ben.file(message).await.held >= most, "nothing is lost");
        }
        ben.act(message, FileAct::Pause).await.ok();
        ben.act(message, FileAct::Accept).await.unwrap();
        ben.until_state(message, FileState::Held).await;
        let saved = ben.save(message, &house.folder.path().join("saved"), false).await.unwrap();
        assert!(fs::read(saved).unwrap() == bytes);
    });
}

#[test]
fn cancelling_erases_what_came() {
    run(async {
        let house = House::new();
        let (ann, ben) = house.pair().await;
        let (path, _) = house.write("beans.txt", 600_000);
        let message = ann.send("Ben", &path).await.unwrap();
        ben.until_state(message, FileState::Held).await;
        let gone = ben.act(message, FileAct::Cancel).await.unwrap();
        assert_eq!((gone.state, gone.held), (FileState::Offered, 0));
        ben.until_chunks(0).await;
        ben.act(message, FileAct::Accept).await.unwrap();
        ben.until_state(message, FileState::Held).await;
        let refused = ann.act(message, FileAct::Cancel).await.unwrap_err();
        assert_eq!(refused.message, "this device offers the file itself");
    });
}
