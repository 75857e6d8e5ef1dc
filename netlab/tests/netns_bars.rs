//! Short runs of what `cargo xtask bar` measures at length: what must hold on a busy machine, too. Needs root, `ip` and
//! `nft`; run by the nextest profile `netns`.

#![allow(clippy::unwrap_used, reason = "a test that does not hold should say where")]

use std::process::Command;

fn figure(words: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_hexode-netlab")).args(words).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let said = String::from_utf8(output.stdout).unwrap();
    let verdict: serde_json::Value = serde_json::from_str(said.lines().last().unwrap()).unwrap();
    verdict.get("figure").unwrap().as_str().unwrap().to_owned()
}

#[test]
fn netns_a_tunnel_survives_each_kind_of_change() {
    let figure = figure(&["roaming", "--each", "2"]);
    assert!(figure.starts_with("14 of 14 survive"), "{figure}");
}

#[test]
fn netns_a_stranger_gets_not_one_byte() {
    let figure = figure(&["silent", "--packets", "60000"]);
    assert!(figure.starts_with("0 bytes answered"), "{figure}");
}

#[test]
fn netns_first_packets_name_nothing() {
    let figure = figure(&["first-packets", "--connects", "10"]);
    assert!(figure.starts_with("0 names, keys or words readable"), "{figure}");
}

#[test]
fn netns_two_behind_translators_talk_through_a_third_and_move_to_a_direct_path() {
    let figure = figure(&["forward", "--each", "1"]);
    assert!(figure.contains("direct in 2 of 2 pairs") && figure.ends_with(" 0 frames lost"), "{figure}");
}
