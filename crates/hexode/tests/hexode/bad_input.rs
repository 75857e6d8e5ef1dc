//! What goes wrong around a device: its disk, its files, its port. A clear error, nothing lost, nothing blocked.

use std::{
    fs,
    net::UdpSocket,
    process::{Command, Stdio},
};

use crate::device::Device;

fn founded() -> (Device, crate::device::Running) {
    let device = Device::new();
    let node = device.up();
    device.ok(&["found", "Club", "--as", "Ann"]);
    (device, node)
}

fn texts(device: &Device) -> Vec<String> {
    let said = device.ok(&["read", "everyone", "--limit", "1000", "--json"]);
    let value: serde_json::Value = serde_json::from_str(&said).unwrap();
    let messages = value.get("messages").unwrap_or(&value).as_array().unwrap().clone();
    messages.iter().map(|message| message["text"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_full_disk_refuses_the_message_loses_none_and_is_over_when_there_is_room() {
    let (device, node) = founded();
    assert_eq!(node.end(rustix::process::Signal::TERM), Some(0));
    let mut confirmed = Vec::new();
    {
        // No file of the process may grow beyond 1 MiB: what a full disk looks like to the vault.
        let program = env!("CARGO_BIN_EXE_hexode");
        let limited = format!(
            "trap '' XFSZ; ulimit -f 1024; exec {program} up --bind 127.0.0.1:0 --no-lan --passphrase-file passphrase"
        );
        let node = device.up_as(Command::new("bash").args(["-c", &limited]).stdin(Stdio::null()));
        let long = "x".repeat(60_000);
        let refusal = (0..200).find_map(|number| {
            let text = format!("{number} {long}");
            let output = device.command(&["send", "everyone", &text]).output().unwrap();
            if output.status.success() {
                confirmed.push(text);
                return None;
            }
            Some((output.status.code(), String::from_utf8(output.stderr).unwrap()))
        });
        let (code, said) = refusal.expect("the disk is full at some point");
        assert_eq!(code, Some(7), "{said}");
        assert!(said.contains("the disk is full") && said.contains("Hint:"), "{said}");
        assert!(!confirmed.is_empty());
        // It is not stuck: what needs no room is answered.
        assert_eq!(texts(&device), confirmed);
        drop(node);
    }
    let _node = device.up();
    assert_eq!(texts(&device), confirmed);
    device.ok(&["send", "everyone", "room again"]);
    confirmed.push("room again".into());
    assert_eq!(texts(&device), confirmed);
}

#[test]
fn a_vault_that_was_cut_short_or_altered_is_refused_and_left_alone() {
    let (device, node) = founded();
    node.end(rustix::process::Signal::TERM);
    let up = ["up", "--bind", "127.0.0.1:0", "--no-lan", "--passphrase-file", "passphrase"];
    let key = device.home().join("vault/vault.key");
    let sound = fs::read(&key).unwrap();
    for len in [0, 5, sound.len() / 2, sound.len() - 1] {
        fs::write(&key, &sound[..len]).unwrap();
        let said = device.run(&up);
        assert!(
            said.starts_with("exit 7") && said.contains("damaged") && said.contains("Hint:"),
            "{len}: {said}"
        );
    }
    fs::write(&key, &sound).unwrap();

    let database = fs::read_dir(device.home().join("vault"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.extension().is_some_and(|kind| kind == "db"))
        .unwrap();
    let whole = fs::read(&database).unwrap();
    let mut flipped = whole.clone();
    flipped[100] ^= 1;
    fs::write(&database, &flipped).unwrap();
    let said = device.run(&up);
    assert!(said.starts_with("exit 7") && said.contains("damaged"), "{said}");
    fs::write(&database, &whole).unwrap();

    let _node = device.up();
    assert!(device.ok(&["circles"]).contains("Club"));
}

#[test]
fn a_port_that_is_taken_is_named_and_the_tunnel_comes_up_when_it_is_free() {
    let taken = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let device = Device::new();
    let _node = device.up_as(&mut device.command(&[
        "up",
        "--no-lan",
        "--passphrase-file",
        "passphrase",
        "--bind",
        &address,
    ]));
    device.ok(&["found", "Club", "--as", "Ann"]);
    let trouble = device.wait_json(&["circles"], |shown| shown[0]["trouble"].as_str().map(str::to_owned));
    assert!(trouble.contains("in use"), "{trouble}");
    drop(taken);
    let listening =
        device.wait_json(&["circles"], |shown| shown[0]["addresses"][0].as_str().map(str::to_owned));
    assert_eq!(listening, address);
}
