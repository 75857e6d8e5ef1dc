//! What is no file, does not fit, or stands in the way.

use std::{fs, os::unix::fs::symlink};

use hexode_node::api::{ErrorKind, FileAct, FileState, SetFilePolicy};

use crate::house::{House, run};

#[test]
fn what_is_no_file_is_not_sent_and_leaves_nothing_behind() {
    run(async {
        let house = House::new();
        let ann = house.found("Ann").await;
        let at = |name: &str| house.folder.path().join(name);
        let pipe = at("pipe");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
        assert!(made.success());
        fs::create_dir(at("folder")).unwrap();
        symlink(at("loop"), at("loop")).unwrap();
        for path in [pipe, at("folder"), "/dev/zero".into(), "/dev/null".into()] {
            let refused = ann.send("everyone", &path).await.unwrap_err();
            assert_eq!(refused.kind, ErrorKind::User, "{path:?}: {refused}");
            assert!(refused.message.contains("not a file"), "{refused}");
        }
        assert_eq!(ann.send("everyone", &at("nowhere")).await.unwrap_err().kind, ErrorKind::NotFound);
        assert_eq!(ann.send("everyone", &at("loop")).await.unwrap_err().kind, ErrorKind::Config);
        let (path, _) = house.write("beans.txt", 10);
        assert_eq!(ann.send("nobody", &path).await.unwrap_err().kind, ErrorKind::NotFound);
        assert_eq!(ann.send("everyone", "beans.txt".as_ref()).await.unwrap_err().kind, ErrorKind::User);
        assert!(ann.chunks().is_empty());
        assert!(ann.node.files(ann.circle, None).await.unwrap().is_empty());
    });
}

#[test]
fn a_file_that_is_cut_or_written_to_while_it_is_read_is_not_sent() {
    run(async {
        let house = House::new();
        let ann = house.found("Ann").await;
        // What the system makes up while it is read has no size beforehand.
        let refused = ann.send("everyone", "/proc/self/status".as_ref()).await.unwrap_err();
        assert_eq!(refused.kind, ErrorKind::Conflict);
        assert!(refused.message.contains("changed while it was being read"), "{refused}");
        assert!(ann.chunks().is_empty());
        drop(house);
    });
}

#[test]
fn files_take_no_more_than_their_quota() {
    run(async {
        let house = House::new();
        let (ann, ben) = house.pair().await;
        let set = SetFilePolicy { auto: None, quota: Some(1_000_000) };
        ben.node.set_file_policy(ben.circle, set).await.unwrap();
        let (path, _) = house.write("one.txt", 700_000);
        let one = ann.send("Ben", &path).await.unwrap();
        ben.until_state(one, FileState::Held).await;
        let (path, _) = house.write("two.txt", 700_001);
        let two = ann.send("Ben", &path).await.unwrap();
        assert_eq!(ben.until_offered(two).await.state, FileState::Offered, "it does not come by itself");
        let refused = ben.act(two, FileAct::Accept).await.unwrap_err();
        assert_eq!(refused.kind, ErrorKind::Config);
        assert!(refused.hint.unwrap().contains("--quota"));
        assert_eq!(ben.send("Ann", &path).await.unwrap_err().kind, ErrorKind::Config);
        ben.act(one, FileAct::Cancel).await.unwrap();
        ben.act(two, FileAct::Accept).await.unwrap();
        ben.until_state(two, FileState::Held).await;
        assert_eq!(ben.node.file_policy(ben.circle).await.unwrap().used, 700_001);
        // What was set outlives the process.
        ben.reopen().await;
        assert_eq!(ben.node.file_policy(ben.circle).await.unwrap().quota, 1_000_000);
    });
}

#[test]
fn saving_takes_no_name_from_another_file() {
    run(async {
        let house = House::new();
        let ann = house.found("Ann").await;
        let (path, bytes) = house.write("beans.txt", 300_000);
        let message = ann.send("everyone", &path).await.unwrap();
        let to = house.folder.path().join("to");
        fs::create_dir(&to).unwrap();
        fs::write(to.join("beans.txt"), b"others").unwrap();
        symlink("/dev/null", to.join("link")).unwrap();
        assert_eq!(ann.save(message, &to, false).await.unwrap(), to.join("beans (2).txt"));
        assert_eq!(ann.save(message, &to, false).await.unwrap(), to.join("beans (3).txt"));
        let there = to.join("beans.txt");
        assert_eq!(ann.save(message, &there, false).await.unwrap_err().kind, ErrorKind::Conflict);
        assert_eq!(fs::read(&there).unwrap(), b"others");
        assert_eq!(ann.save(message, &to.join("link"), true).await.unwrap_err().kind, ErrorKind::Conflict);
        assert_eq!(ann.save(message, &there, true).await.unwrap(), there);
        assert!(fs::read(&there).unwrap() == bytes);
        let nowhere = to.join("no folder/beans.txt");
        assert_eq!(ann.save(message, &nowhere, false).await.unwrap_err().kind, ErrorKind::Config);
        let names: Vec<_> = fs::read_dir(&to).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names.len(), 4, "no unfinished file is left: {names:?}");
    });
}
