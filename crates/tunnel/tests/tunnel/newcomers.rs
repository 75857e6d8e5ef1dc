use std::time::Duration;

use crypto::SigningKey;
use hexode_tunnel::{Command, Config, DownReason, Event, Knock, LinkId, RefuseReason, Timing};
use wire::DeviceId;

use crate::{harness::*, stranger::*};

fn invitation() -> SigningKey {
    SigningKey::from_seed(&[50; 32])
}

/// A device that knows of the invitation.
fn member(seed: u8) -> Device {
    inviting(Device::new(seed))
}

fn inviting(device: Device) -> Device {
    device.send(Command::Invitations([invitation().public()].into()));
    device
}

fn knock() -> Knock {
    Knock { invitation: invitation(), request: b"let me in".to_vec() }
}

fn knock_at(newcomer: &Device, members: &[&Device]) {
    let hints = members.iter().map(|member| (member.id, vec![member.address])).collect();
    newcomer.send(Command::Knock { hints, knock: knock() });
}

fn until_knocked(member: &Device) -> (LinkId, DeviceId, [u8; 32], Vec<u8>) {
    member.until(|event| match event {
        Event::Knocked { link, device, invitation, request } => Some((link, device, invitation, request)),
        Event::Frame { .. } | Event::Up { .. } => panic!("nothing before the welcome: {event:?}"),
        _ => None,
    })
}

fn until_refused(newcomer: &Device) -> RefuseReason {
    newcomer.until(|event| match event {
        Event::Refused { reason } => Some(reason),
        Event::Up { .. } => panic!("{event:?}"),
        _ => None,
    })
}

#[test]
fn a_newcomer_is_let_in_when_the_engine_says_so() {
    let (ann, ben) = (member(1), Device::new(2));
    knock_at(&ben, &[&ann]);
    let (link, device, key, request) = until_knocked(&ann);
    assert_eq!((device, key, &request[..]), (ben.id, invitation().public(), &b"let me in"[..]));
    ann.allow([&ben.id]);
    ann.send(Command::Welcome { link });
    assert_eq!(ann.until_up(ben.id), link);
    let to_ann = ben.until_up(ann.id);
    ben.frame(ann.id, to_ann, *b"thank you");
    assert_eq!(&*ann.until_frame(), b"thank you");
    ann.frame(ben.id, link, *b"the charter");
    assert_eq!(&*ben.until_frame(), b"the charter");
    // Once he knows the roster the link stays, and he dials where he knocked.
    ben.allow([&ann.id]);
    ann.send(Command::Close { device: ben.id, reason: hexode_tunnel::CloseReason::Done });
    assert_eq!(ben.until_down(ann.id), DownReason::Closed);
    ben.until_up(ann.id);
}

#[test]
fn a_roster_without_the_device_that_let_him_in_ends_the_newcomers_link() {
    let (ann, ben) = (member(1), Device::new(2));
    knock_at(&ben, &[&ann]);
    ann.allow([&ben.id]);
    ann.send(Command::Welcome { link: until_knocked(&ann).0 });
    ben.until_up(ann.id);
    ben.allow([&id(3)]);
    assert_eq!(ben.until_down(ann.id), DownReason::NotAllowed);
}

#[test]
fn a_newcomer_is_told_why_not_unless_nobody_knows_his_invitation() {
    for reason in [
        RefuseReason::Expired,
        RefuseReason::Used,
        RefuseReason::Revoked,
        RefuseReason::Denied,
        RefuseReason::Unknown,
    ] {
        let (ann, ben) = (member(1), Device::new(2));
        knock_at(&ben, &[&ann]);
        ann.send(Command::Refuse { link: until_knocked(&ann).0, reason });
        assert_eq!(until_refused(&ben), reason);
    }
}

#[test]
fn a_newcomer_tries_all_hints_until_one_lets_him_in() {
    let (ann, ben, cara) = (member(1), Device::new(2), member(3));
    let asleep = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let hints = vec![
        (id(4), vec![asleep.local_addr().unwrap()]),
        (id(5), vec![]),
        (ann.id, vec![ann.address]),
        (cara.id, vec![cara.address]),
    ];
    ben.send(Command::Knock { hints, knock: knock() });
    // Ann has not heard of the invitation, Cara has; whom he comes to first is open.
    let let_in = || {
        for event in ann.so_far() {
            if let Event::Knocked { link, .. } = event {
                ann.send(Command::Refuse { link, reason: RefuseReason::Unknown });
            }
        }
        cara.so_far().into_iter().find_map(|event| match event {
            Event::Knocked { link, .. } => Some(link),
            _ => None,
        })
    };
    let link = std::iter::repeat_with(let_in).flatten().next().unwrap();
    cara.allow([&ben.id]);
    cara.send(Command::Welcome { link });
    ben.until_up(cara.id);
}

#[test]
fn a_newcomer_comes_in_when_a_member_wakes_up_later() {
    let timing = Timing { hello: Duration::from_secs(1), ..Timing::default() };
    let ben = Device::with(Config { timing, ..config(2) }).unwrap();
    let reserved = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = reserved.local_addr().unwrap();
    ben.send(Command::Knock { hints: vec![(id(1), vec![address])], knock: knock() });
    assert_eq!(ben.until_unreachable(id(1)).1, "no answer");
    drop(reserved);
    let ann = inviting(Device::with(Config { bind: vec![address], ..config(1) }).unwrap());
    ann.allow([&ben.id]);
    ann.send(Command::Welcome { link: until_knocked(&ann).0 });
    ben.until_up(ann.id);
}

#[test]
fn a_newcomer_on_whom_nobody_decides_comes_again() {
    let timing = Timing { knock: Duration::from_secs(1), ..Timing::default() };
    let ann = inviting(Device::with(Config { timing, ..config(1) }).unwrap());
    let ben = Device::new(2);
    knock_at(&ben, &[&ann]);
    let (link, ..) = until_knocked(&ann);
    ben.until_unreachable(ann.id);
    let (again, ..) = until_knocked(&ann);
    // A late answer finds nobody.
    ann.send(Command::Welcome { link });
    ann.allow([&ben.id]);
    ann.send(Command::Welcome { link: again });
    ben.until_up(ann.id);
}

#[test]
fn nothing_a_newcomer_sends_is_heard_before_he_is_welcome() {
    let (ann, circle) = (member(1), config(1).circle);
    run(async {
        let ben = pq_endpoint(&key(2)).await;
        let connection = connect(&ben, &invitation(), &ann).await;
        let (mut send, mut recv) = connection.open_bi().await.unwrap();
        let secret = exporter(&connection, circle, INITIATOR);
        write(&mut send, &newcomer_hello(&key(2), &invitation(), &secret, b"let me in")).await;
        write(&mut send, b"a frame").await;
        let (link, ..) = until_knocked(&ann);
        assert!(ann.so_far().is_empty());
        let frames = connection.stats().frame_rx;
        assert_eq!((frames.stream, frames.add_address), (0, 0), "he has learnt nothing yet");
        ann.allow([&id(2)]);
        ann.send(Command::Welcome { link });
        ann.until_up(id(2));
        assert_eq!(&*ann.until_frame(), b"a frame");
        assert!(read(&mut recv).await.is_some());
    });
}

/// The man in the middle has seen the invitation's public half and the hints and made the newcomer come to him. He
/// holds a session with each side and passes on what each says.
#[test]
fn an_invitation_passed_on_by_a_man_in_the_middle_lets_nobody_in() {
    let (ann, ben, circle) = (member(1), Device::new(2), config(1).circle);
    run(async {
        // Whom Ben dials, he lets make the keys of his first packets.
        let mallory = pq_endpoint_for(&invitation(), &key(66)).await;
        let hints = vec![(id(66), mallory.bound_sockets())];
        ben.send(Command::Knock { hints, knock: knock() });
        let from_ben = mallory.accept().await.unwrap().await.unwrap();
        let (mut to_ben, mut of_ben) = from_ben.accept_bi().await.unwrap();
        let his_hello = read(&mut of_ben).await.unwrap();

        // He passes the hello on as it is.
        let to_ann = connect(&mallory, &invitation(), &ann).await;
        let (mut send, _recv) = to_ann.open_bi().await.unwrap();
        write(&mut send, &his_hello).await;
        assert_eq!(close_code(&to_ann).await, GO_AWAY);

        // He takes the invitation's proof out of it and says it as his own.
        let to_ann = connect(&mallory, &invitation(), &ann).await;
        let (mut send, _recv) = to_ann.open_bi().await.unwrap();
        let statement = &his_hello[1..his_hello.len() - 64];
        let signature =
            key(66).sign("hexode hello 1 device", &[&exporter(&to_ann, circle, INITIATOR), statement]);
        write(&mut send, &[&his_hello[..his_hello.len() - 64], &signature].concat()).await;
        assert_eq!(close_code(&to_ann).await, GO_AWAY);
        assert!(ann.so_far().is_empty(), "the engine has not heard of him");

        // Nor does Ben take Ann's hello for his: she says one to Mallory as a member would get it.
        ann.allow([&id(66)]);
        let to_ann = connect(&mallory, &key(66), &ann).await;
        let (mut send, mut recv) = to_ann.open_bi().await.unwrap();
        write(&mut send, &member_hello(&key(66), &exporter(&to_ann, circle, INITIATOR))).await;
        let her_hello = read(&mut recv).await.unwrap();
        write(&mut to_ben, &her_hello).await;
        assert_eq!(close_code(&from_ben).await, GO_AWAY);
        let (_, error) = ben.until_unreachable(id(66));
        assert_eq!(error, "the device's signature is not over this session");
    });
}
