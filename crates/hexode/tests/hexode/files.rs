//! Files on the command line.

use std::{fs, path::Path};

use crate::device::{Device, assert_says};

/// Returns how the id of the message that offers a file begins.
fn id(device: &Device, name: &str) -> String {
    let lines = device.ok(&["files"]);
    let line = lines.lines().find(|line| line.contains(name)).unwrap_or_else(|| panic!("{name}: {lines}"));
    line.split_whitespace().next().unwrap().to_owned()
}

#[test]
fn a_file_is_sent_fetched_saved_and_taken_back() {
    let (ann, ben) = (Device::new(), Device::new());
    let (_ann_node, _ben_node) = (ann.up(), ben.up());
    ann.ok(&["found", "Friends", "--as", "Ann", "--device", "laptop"]);
    ann.ok(&["invite", "--file", "invitation"]);
    fs::copy(ann.path("invitation"), ben.path("from-ann")).unwrap();
    ben.ok(&["join", "--file", "from-ann", "--as", "Ben", "--device", "phone"]);

    fs::write(ann.path("beans.txt"), "The beans are up.\n".repeat(50_000)).unwrap();
    let said = ann.ok(&["files", "send", "Ben", "beans.txt", "--text", "Look!"]);
    let offered = format!("beans.txt (900 kB) is offered, in message {}.\n", id(&ann, "beans.txt"));
    assert_eq!(said, offered);
    let offered = ben.wait_json(&["files"], |files| files.as_array()?.first().cloned());
    assert_eq!((offered["state"].as_str(), offered["held"].as_u64()), (Some("offered"), Some(0)));
    assert_says!(ben.run(&["read", "Ann"]), @r"
    exit 0
    --- out
    [TIME] Ann: Look! [beans.txt, 900 kB: offered]
    ");
    let beans = id(&ben, "beans.txt");
    let early = ben.run(&["files", "save", &beans]);
    assert!(early.starts_with("exit 4\n") && early.contains("hexode files accept"), "{early}");
    ben.ok(&["files", "accept", &beans, "--wait"]);
    assert_says!(ben.run(&["files", "list"]), @r"
    exit 0
    --- out
    ID        FROM  NAME       SIZE    STATE
    [ID]      Ann   beans.txt  900 kB  here
    ");
    assert!(ben.ok(&["files", "save", &beans]).ends_with("/beans.txt\n"));
    assert_eq!(fs::read(ben.path("beans.txt")).unwrap(), fs::read(ann.path("beans.txt")).unwrap());
    assert_says!(ben.run(&["files", "save", &beans, "beans.txt"]), @r#"
    exit 4
    --- err
    Error: the file was not saved: there is a file of that name
    Hint: give another path, or say --overwrite if you mean it
    "#);
    ben.ok(&["files", "save", &beans, "beans.txt", "--overwrite"]);
    assert_says!(ben.run(&["files", "policy", "--auto", "0", "--quota", "5G"]), @r"
    exit 0
    --- out
    No file comes by itself.
    All files may take 5.0 GB; they take 900 kB.
    ");

    ann.ok(&["delete", &beans]);
    ben.wait_json(&["files"], |files| files.as_array()?.is_empty().then_some(()));
    assert_says!(ben.run(&["read", "Ann"]), @r"
    exit 0
    --- out
    [TIME] Ann: (deleted)
    ");
}

#[test]
fn what_cannot_be_sent_is_refused_with_a_reason() {
    let ann = Device::new();
    let _node = ann.up();
    ann.ok(&["found", "Friends", "--as", "Ann", "--device", "laptop"]);
    fs::create_dir(ann.path("folder")).unwrap();
    let refused = |path: &str| ann.run(&["files", "send", "everyone", path]);
    assert_says!(refused("folder"), @r#"
    exit 2
    --- err
    Error: "[DIR]/folder" was not sent: it is not a file: folders, pipes and devices cannot be sent
    Hint: pack a folder into an archive first
    "#);
    assert!(refused("nowhere").starts_with("exit 3\n"));
    assert!(refused("/dev/zero").starts_with("exit 2\n"));
    let none = ann.run(&["files", "send", "everyone", "folder", "--json"]);
    assert!(none.contains("\"kind\":\"user\""), "{none}");
    assert_says!(ann.run(&["files"]), @r"
    exit 0
    --- out
    No files.
    ");
    assert!(!Path::new(&ann.home()).join("vault/files").exists(), "nothing was begun");
}
