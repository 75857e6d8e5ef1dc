//! What the program says when something is not right, and with which exit code.

use std::fs;

use crate::device::{Device, assert_says};

#[test]
fn without_a_node_every_command_says_how_to_start_one() {
    let device = Device::new();
    assert_says!(device.run(&["status"]), @r"
    exit 7
    --- err
    Error: no node is running here
    Hint: start it with `hexode up`; its socket would be [DIR]/home/node.sock
    ");
    assert_says!(device.run(&["status", "--json"]), @r#"
    exit 7
    --- err
    {"kind":"config","message":"no node is running here","hint":"start it with `hexode up`; its socket would be [DIR]/home/node.sock"}
    "#);
    for command in [
        &["down"][..],
        &["found", "Friends", "--as", "Ann"],
        &["invite"],
        &["join", "hexode:x", "--as", "Ben"],
        &["circles"],
        &["circle"],
        &["members"],
        &["devices"],
        &["verify", "Ben"],
        &["groups", "create", "Climbers", "Ben"],
        &["conversations"],
        &["send", "Ben", "hi"],
        &["read"],
        &["tail"],
        &["lock"],
        &["unlock"],
        &["export"],
        &["selfcheck"],
    ] {
        let said = device.run(command);
        assert!(
            said.starts_with("exit 7\n--- err\nError: no node is running here\nHint: "),
            "{command:?}: {said}"
        );
    }
    assert!(!device.home().exists(), "asking makes no folder");
}

#[test]
fn wrong_arguments_are_named() {
    let device = Device::new();
    assert_says!(device.run(&[]), @r"
    exit 2
    --- err
    Error: no command is given
    Hint: `hexode --help` lists them
    ");
    assert_says!(device.run(&["snd", "Ben", "hi"]), @r"
    exit 2
    --- err
    Error: unrecognized subcommand 'snd'
    Hint: a similar subcommand exists: 'send'
        Usage: hexode [OPTIONS] <COMMAND>
    ");
    assert_says!(device.run(&["send", "Ben"]), @r"
    exit 2
    --- err
    Error: the following required arguments were not provided:
          <TEXT>...
    Hint: Usage: hexode send --home <DIR> <TO> <TEXT>...
    ");
    assert_says!(device.run(&["invite", "--expires", "tomorrow"]), @r"
    exit 2
    --- err
    Error: invalid value 'tomorrow' for '--expires <TIME>': expected a number with a unit: 30m, 24h, 7d or 2w
    Hint: try --help
    ");
    assert_says!(device.run(&["invite", "--role", "king", "--json"]), @r#"
    exit 2
    --- err
    {"kind":"user","message":"invalid value 'king' for '--role <ROLE>'\n  [possible values: admin, member, guest]","hint":"try --help"}
    "#);
    assert_says!(device.run(&["up", "--passphrase", "secret"]), @r"
    exit 2
    --- err
    Error: unexpected argument '--passphrase' found
    Hint: a similar argument exists: '--passphrase-file'
        Usage: hexode up --passphrase-file <FILE>
    ");
    assert_says!(device.run(&["up", "--bind", "everywhere"]), @r"
    exit 2
    --- err
    Error: invalid value 'everywhere' for '--bind <ADDRESS>': invalid socket address syntax
    Hint: try --help
    ");
    assert_says!(device.run(&["read", "--limit", "0"]), @r"
    exit 2
    --- err
    Error: invalid value '0' for '--limit <COUNT>': 0 is not in 1..=1000
    Hint: try --help
    ");
}

#[test]
fn chat_says_that_it_needs_a_terminal() {
    assert_says!(Device::new().run(&["chat"]), @r"
    exit 2
    --- err
    Error: chat needs a terminal
    Hint: use `hexode read`, `tail` and `send` in scripts
    ");
}

#[test]
fn a_passphrase_must_come_from_somewhere() {
    let device = Device::new();
    assert_says!(device.run(&["up"]), @r"
    exit 2
    --- err
    Error: no passphrase is given and nobody is there to ask
    Hint: use --passphrase-file FILE, or start with --locked
    ");
    assert_says!(device.run(&["up", "--passphrase-file", "absent"]), @r"
    exit 7
    --- err
    Error: cannot read the passphrase from absent: No such file or directory (os error 2)
    ");
    fs::write(device.path("empty"), "\n").unwrap();
    assert_says!(device.run(&["up", "--passphrase-file", "empty"]), @r"
    exit 2
    --- err
    Error: there is no passphrase in empty
    ");
    fs::write(device.path("short"), "abc").unwrap();
    assert_says!(device.run(&["up", "--passphrase-file", "short"]), @r"
    exit 2
    --- err
    Error: a passphrase needs at least 14 characters
    Hint: six random words make a good passphrase
    ");
}
