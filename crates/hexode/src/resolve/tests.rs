use node::api::Role;
use wire::{DeviceId, MemberId};

use super::*;

fn device_of(member: u8, member_name: &str, id: u8, name: &str) -> Device {
    Device {
        id: DeviceId::new([id; 32]),
        name: name.into(),
        member: MemberId::new([member; 32]),
        member_name: member_name.into(),
        role: Role::Member,
        this: false,
        since_ms: 0,
        verified: None,
        vouched_by: Vec::new(),
        new_key: false,
        connected: false,
    }
}

fn error(found: Result<Device, Failure>) -> (ErrorKind, String, String) {
    match found {
        Err(Failure::Said(error)) => (error.kind, error.message, error.hint.unwrap()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_device_is_found_by_every_name_that_is_its_own() {
    let all = || {
        vec![
            device_of(1, "Ann", 1, "laptop"),
            device_of(2, "Ben", 2, "phone"),
            device_of(2, "Ben", 3, "desk"),
        ]
    };
    for (called, id) in [("Ann", 1), ("laptop", 1), ("phone", 2), ("Ben/desk", 3), ("ann/LAPTOP", 1)] {
        assert_eq!(device(all(), called).unwrap().id, DeviceId::new([id; 32]), "{called}");
    }
    let id = DeviceId::new([3; 32]).to_string();
    assert_eq!(device(all(), &id).unwrap().name, "desk");
    let short = DeviceId::new([3; 32]).short();
    assert_eq!(device(all(), &short.to_uppercase()).unwrap().name, "desk");

    for nothing in
        ["", "an", short.strip_suffix(|_: char| true).unwrap(), "Ben/laptop", "Ben/", &format!("{id}a")]
    {
        assert_eq!(error(device(all(), nothing)).0, ErrorKind::NotFound, "{nothing}");
    }
}

#[test]
fn two_of_one_name_are_never_guessed_between() {
    let all = vec![device_of(1, "Ann", 1, "phone"), device_of(2, "Ben\u{1b}", 2, "phone")];
    let (kind, message, hint) = error(device(all, "phone"));
    assert_eq!((kind, message.as_str()), (ErrorKind::Conflict, "2 devices are called “phone”"));
    assert_eq!(hint.lines().count(), 3);
    assert!(hint.contains("Ann/phone") && hint.contains("Ben␛/phone"), "{hint}");
}
