//! What becomes of messages on the command line.

use rustix::process::Signal;

use crate::device::{Device, assert_says};

/// Returns how the id of the message that says `text` begins.
fn id(device: &Device, text: &str) -> String {
    let lines = device.ok(&["read", "--ids", "--keep-unread"]);
    let line = lines.lines().find(|line| line.contains(text)).unwrap_or_else(|| panic!("{text}: {lines}"));
    line.split_whitespace().next().unwrap().to_owned()
}

#[test]
fn a_message_is_answered_corrected_marked_found_and_taken_back() {
    let ann = Device::new();
    let _node = ann.up();
    ann.ok(&["found", "Friends", "--as", "Ann", "--device", "laptop"]);
    ann.ok(&["send", "everyone", "The beans are up"]);
    let beans = id(&ann, "beans");
    ann.ok(&["reply", &beans, "Which", "ones,", "@ann?"]);
    ann.ok(&["edit", &beans, "The peas are up"]);
    ann.ok(&["react", &beans, "🌱"]);
    ann.ok(&["pin", &beans]);
    assert_says!(ann.run(&["read"]), @r"
    exit 0
    --- out
    [TIME] Ann: The peas are up (edited) (pinned)  🌱 Ann  [stored]
    [TIME] Ann: [to Ann: The peas are up] Which ones, @ann? (names you)  [stored]
    ");
    assert_says!(ann.run(&["search", "pea"]).replace(&beans, "[MESSAGE]"), @r"
    exit 0
    --- out
    [Friends] [MESSAGE] [TIME] Ann: The peas are up (edited) (pinned)  🌱 Ann  [stored]
    ");
    assert_says!(ann.run(&["search", "beans"]), @r"
    exit 0
    --- out
    Nothing is found.
    ");
    ann.ok(&["react", &beans, "--remove"]);
    ann.ok(&["pin", &beans, "--remove"]);
    assert_says!(ann.run(&["pin", "--list", "everyone"]), @r"
    exit 0
    --- out
    Nothing is pinned.
    ");
    assert_says!(ann.run(&["delete", &beans]), @r"
    exit 0
    --- out
    It is erased here, and goes on to the others.
    ");
    assert_says!(ann.run(&["read"]), @r"
    exit 0
    --- out
    [TIME] Ann: (deleted)
    [TIME] Ann: [to a message of Ann that is gone] Which ones, @ann? (names you)  [stored]
    ");
    assert_says!(ann.run(&["edit", &beans, "too late"]), @r"
    exit 4
    --- err
    Error: the message is gone
    ");
    assert_says!(ann.run(&["reply", "nothing", "x"]), @r"
    exit 2
    --- err
    Error: that is no message's id
    Hint: `hexode read --ids` shows them; the first eight characters are enough
    ");
    assert_says!(ann.run(&["expire", "everyone", "7d"]), @r"
    exit 0
    --- out
    What is written to “Friends” from now on is erased everywhere after 1 week.
    ");
    assert_says!(ann.run(&["expire", "everyone", "never"]), @r"
    exit 0
    --- out
    What is written to “Friends” from now on stays.
    ");
    assert_says!(ann.run(&["keep", "mute", "everyone", "2h"]), @r"
    exit 0
    --- out
    “Friends” is in sight and muted.
    ");
}

#[test]
fn a_wipe_by_command_or_signal_leaves_no_file_of_the_vault() {
    let (ann, ben) = (Device::new(), Device::new());
    let (_ann_node, ben_node) = (ann.up(), ben.up());
    for device in [&ann, &ben] {
        device.ok(&["found", "Friends", "--as", "Somebody"]);
        assert!(vault(device).join("vault.key").exists());
    }
    assert_says!(ann.run(&["wipe"]), @r"
    exit 2
    --- err
    Error: nobody is there to confirm it
    Hint: add --yes if you mean it
    ");
    assert_says!(ann.run(&["wipe", "--yes"]), @r"
    exit 0
    --- err
    The vault is destroyed.
    ");
    assert_says!(ann.run(&["members"]), @r#"
    exit 6
    --- err
    Error: the node is locked
    Hint: run "hexode unlock"
    "#);
    assert!(!vault(&ann).exists());
    assert_eq!(ben_node.end(Signal::USR1), Some(0));
    assert!(!vault(&ben).exists());
}

fn vault(device: &Device) -> std::path::PathBuf {
    device.home().join("vault")
}
