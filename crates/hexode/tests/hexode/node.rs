//! The node as a process: starting, locking, ending, and two on one home.

use std::{fs, os::unix::fs::PermissionsExt, process::Stdio};

use rustix::process::Signal;

use crate::device::{Device, assert_says};

#[test]
fn a_node_starts_locks_unlocks_and_ends() {
    let device = Device::new();
    let node = device.up();
    assert_says!(node.said, @"Hexode is running. Its socket is [DIR]/home/node.sock; `hexode open` shows it in a browser; Ctrl-C ends it.");
    assert_says!(device.run(&["status"]), @r"
    exit 0
    --- out
    Hexode 0.1.0 runs since [TIME], unlocked.
    This device belongs to no circle.
    ");
    assert_says!(device.run(&["circles"]), @r"
    exit 0
    --- out
    No circles. Found one with `hexode found`, or join one with `hexode join`.
    ");
    assert_says!(device.run(&["send", "Ben", "hi"]), @r"
    exit 3
    --- err
    Error: this device belongs to no circle
    Hint: found one with `hexode found`, or join one with `hexode join`
    ");

    assert_says!(device.run(&["lock"]), @"exit 0");
    assert_says!(device.run(&["found", "Friends", "--as", "Ann"]), @r#"
    exit 6
    --- err
    Error: the node is locked
    Hint: run "hexode unlock"
    "#);
    assert_says!(device.run_with(&["unlock", "--passphrase-file", "-"], b"not the passphrase\n"), @r"
    exit 2
    --- err
    Error: wrong passphrase
    Hint: try again; capitals and spaces count
    ");
    assert_says!(device.run(&["unlock", "--passphrase-file", "passphrase"]), @"exit 0");
    assert_says!(device.run(&["found", "Friends", "--as", "Ann"]), @r"
    exit 0
    --- out
    The circle “Friends” is founded ([ID]). Invite somebody with `hexode invite`.
    ");
    assert_eq!(device.run(&["down"]), "exit 0\n");
    assert_eq!(node.wait(), Some(0));
    assert!(!device.home().join("node.sock").exists());

    for signal in [Signal::INT, Signal::TERM] {
        let node = device.up();
        assert_eq!(device.json(&["circles"]).as_array().unwrap().len(), 1);
        assert_eq!(node.end(signal), Some(0));
        assert!(!device.home().join("node.sock").exists());
    }
}

#[test]
fn a_node_that_was_killed_starts_again() {
    let device = Device::new();
    device.up().end(Signal::KILL);
    assert!(device.home().join("node.sock").exists());
    assert!(device.run(&["status"]).starts_with("exit 7\n"));
    let _node = device.up();
    assert!(device.run(&["status"]).starts_with("exit 0\n"));
}

#[test]
fn two_nodes_do_not_share_a_home() {
    let device = Device::new();
    let _node = device.up_with(&["--locked"]);
    assert_says!(device.run(&["up", "--locked"]), @r"
    exit 7
    --- err
    Error: a node is already running in this home folder
    Hint: stop it first, or choose another --home
    ");
    assert!(device.run(&["status"]).starts_with("exit 0\n"), "the first goes on");
}

#[test]
fn a_home_that_others_can_look_into_is_refused() {
    let device = Device::new();
    fs::create_dir(device.home()).unwrap();
    fs::write(device.home().join("a file"), "").unwrap();
    fs::set_permissions(device.home(), fs::Permissions::from_mode(0o755)).unwrap();
    assert_says!(device.run(&["up", "--locked"]), @r"
    exit 7
    --- err
    Error: other users can look into the home folder [DIR]/home (mode 755)
    Hint: run `chmod 700 [DIR]/home`
    ");
}

#[test]
fn a_wrong_passphrase_ends_the_start() {
    let device = Device::new();
    drop(device.up());
    fs::write(device.path("wrong"), "eight wet owls sing at noon").unwrap();
    assert_says!(device.run(&["up", "--passphrase-file", "wrong"]), @r"
    exit 2
    --- err
    Error: wrong passphrase
    Hint: try again; capitals and spaces count
    ");
}

#[test]
fn what_cannot_be_read_any_more_is_not_written() {
    let device = Device::new();
    let _node = device.up();
    device.ok(&["found", "Friends", "--as", "Ann"]);
    device.ok(&["send", "everyone", "one"]);
    let mut reader = device.command(&["read"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(reader.stdout.take());
    let output = reader.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr.len()), (Some(0), 0));
}

#[test]
fn the_page_is_opened_by_a_link_and_programs_by_tokens() {
    let device = Device::new();
    let _node = device.up();
    let link = device.json(&["open"]);
    let url = link["url"].as_str().unwrap();
    let (page, ticket) = url.split_once("/#open=").unwrap();
    assert!(page.starts_with("http://hexode-") && page.contains(".localhost:"), "{url}");
    assert_eq!(ticket.len(), 32, "{url}");
    assert_ne!(device.json(&["open"])["url"], link["url"], "each link is used once");

    let issued = device.json(&["tokens", "issue", "a script", "--scope", "write"]);
    assert!(issued["secret"].as_str().unwrap().len() > 64);
    let id = issued["token"]["id"].as_str().unwrap();
    let listed = device.json(&["tokens"]);
    assert_eq!((&listed[0]["id"], &listed[0]["scope"]), (&issued["token"]["id"], &"write".into()));
    assert_eq!(device.run(&["tokens", "revoke", id]), format!("exit 0\n--- out\nToken {id} is revoked.\n"));
    assert_says!(device.run(&["tokens"]), @r"
    exit 0
    --- out
    No tokens.
    ");
    assert_says!(device.run(&["tokens", "revoke", "0"]), @r#"
    exit 3
    --- err
    Error: no such token
    Hint: "hexode tokens" lists them
    "#);
}

#[test]
fn a_node_without_a_page_says_so() {
    let device = Device::new();
    let node = device.up_with(&["--passphrase-file", "passphrase", "--no-web"]);
    assert_says!(node.said, @"Hexode is running. Its socket is [DIR]/home/node.sock; Ctrl-C ends it.");
    assert_says!(device.run(&["open"]), @r"
    exit 7
    --- err
    Error: this node serves no page
    Hint: start it without --no-web
    ");
    assert!(!device.home().join("web.json").exists());
}
