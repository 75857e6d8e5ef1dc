use std::{
    net::{SocketAddr, UdpSocket},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use hexode_tunnel::{
    BindError, ChannelClass, CloseReason, Command, Config, DownReason, Event, Remote, Timing,
};

use crate::harness::*;

#[test]
fn members_talk_both_ways() {
    let ((ann, to_ben), (ben, to_ann)) = linked();
    ann.frame(ben.id, to_ben, *b"hello ben");
    assert_eq!(&*ben.until_frame(), b"hello ben");
    ben.frame(ann.id, to_ann, *b"hello ann");
    assert_eq!(&*ann.until_frame(), b"hello ann");
}

#[test]
fn the_one_that_listens_may_dial_as_well() {
    let (ann, ben) = pair();
    ben.know(&ann);
    ann.until_up(ben.id);
    ben.until_up(ann.id);
}

#[test]
fn frames_of_all_sizes_keep_their_order() {
    let ((ann, link), (ben, _)) = linked();
    let sizes = [1, 5000, 2, 1 << 20, 3, 4096, 4097, 70_000, 1];
    for (n, size) in sizes.into_iter().enumerate() {
        ann.frame(ben.id, link, vec![n as u8; size]);
    }
    for (n, size) in sizes.into_iter().enumerate() {
        let frame = ben.until_frame();
        assert_eq!((frame.len(), frame[0], frame[size - 1]), (size, n as u8, n as u8));
    }
}

#[test]
fn status_tells_how_a_device_is_connected() {
    let ((ann, link), (ben, _)) = linked();
    let snapshot = ann.snapshot();
    let status = &snapshot.links[0];
    assert_eq!((status.device, status.link, status.initiated), (ben.id, link, true));
    assert_eq!((status.remote, status.class), (Remote::Address(ben.address), ChannelClass::Loopback));
    assert_eq!(status.key_exchange, "X25519MLKEM768");
    assert!(status.sent > 1200 && status.received > 1200 && status.round_trip > Duration::ZERO, "{status:?}");
    assert!(snapshot.unreachable.is_empty() && !ben.snapshot().links[0].initiated);
}

#[test]
fn who_is_parted_from_gets_the_last_frames_and_nothing_that_was_waiting() {
    let ((ann, link), (ben, _)) = linked();
    // Ben's engine takes nothing yet, so most of it waits on Ann's side.
    for _ in 0..24 {
        ann.frame(ben.id, link, vec![1; 1 << 20]);
    }
    let frames = vec![b"you were".to_vec(), b"removed".to_vec()];
    ann.send(Command::Part { device: ben.id, link, frames });
    ann.allow([]);
    assert_eq!(ann.until_down(ben.id), DownReason::NotAllowed);
    let (mut content, mut last) = (0, Vec::new());
    let reason = ben.until(|event| match event {
        Event::Frame { bytes, .. } if bytes.len() == 1 << 20 => {
            content += 1;
            None
        }
        Event::Frame { bytes, .. } => {
            last.push(bytes.to_vec());
            None
        }
        Event::Down { reason, .. } => Some(reason),
        _ => None,
    });
    assert_eq!(last, [b"you were".to_vec(), b"removed".to_vec()]);
    assert!(content < 24, "what was waiting was dropped");
    assert_eq!(reason, DownReason::Closed);
}

#[test]
fn a_removed_member_is_cut_off_at_once_and_stays_out() {
    let ((ann, _), (ben, _)) = linked();
    let start = Instant::now();
    ann.allow([]);
    assert_eq!(ann.until_down(ben.id), DownReason::NotAllowed);
    assert_eq!(ben.until_down(ann.id), DownReason::Refused);
    assert!(start.elapsed() < Duration::from_secs(1));
    // He dials again and again, and hears nothing.
    ben.know(&ann);
    for _ in 0..2 {
        assert_eq!(ben.until_unreachable(ann.id).1, "no answer");
    }
    assert!(ann.so_far().is_empty());
}

#[test]
fn a_device_in_another_circle_gets_no_answer() {
    let ann = Device::new(1);
    let mut elsewhere = config(2);
    elsewhere.circle = wire::CircleId::new([8; 32]);
    let ben = Device::with(elsewhere).unwrap();
    ann.allow([&ben.id]);
    ben.allow([&ann.id]);
    ben.know(&ann);
    assert_eq!(ben.until_unreachable(ann.id).1, "no answer");
    ann.know(&ben);
    assert_eq!(ann.until_unreachable(ben.id).1, "no answer");
}

#[test]
fn a_device_that_is_not_there_is_tried_ever_more_seldom() {
    let ann = Device::with(Config {
        timing: Timing { hello: Duration::from_millis(50), ..Timing::default() },
        ..config(1)
    })
    .unwrap();
    ann.allow([&id(2)]);
    // A socket that is open and says nothing.
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    ann.send(Command::Know { device: id(2), addresses: vec![silent.local_addr().unwrap()] });
    let start = Instant::now();
    for attempt in 1..=4 {
        assert_eq!(ann.until_unreachable(id(2)), (attempt, "no answer".into()));
    }
    // 0.25 + 0.5 + 1 s, each less a quarter at most.
    assert!(start.elapsed() > Duration::from_millis(1300));
    let status = &ann.snapshot().unreachable[0];
    assert_eq!((status.attempts, status.addresses, status.error.as_deref()), (4, 1, Some("no answer")));
    assert!(status.next_try.unwrap() > Duration::from_millis(1400));
}

#[test]
fn a_new_address_does_not_wait_for_the_old_one_to_fail() {
    let ann = Device::with(Config {
        timing: Timing { hello: Duration::from_secs(50), ..Timing::default() },
        ..config(1)
    })
    .unwrap();
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    ann.allow([&id(2)]);
    ann.send(Command::Know { device: id(2), addresses: vec![silent.local_addr().unwrap()] });
    silent.recv(&mut [0; 1500]).unwrap();
    let ben = Device::new(2);
    ben.allow([&ann.id]);
    let start = Instant::now();
    ann.know(&ben);
    ann.until_up(ben.id);
    assert!(start.elapsed() < Duration::from_secs(5));
}

#[test]
fn a_device_that_was_killed_comes_back_on_another_port() {
    let ((ann, _), (ben, _)) = linked();
    ben.kill();
    let ben = Device::new(2);
    ben.allow([&ann.id]);
    ben.know(&ann);
    // Its new hello tells Ann at once that the old link is dead.
    assert_eq!(ann.until_down(ben.id), DownReason::Replaced);
    let link = ann.until_up(ben.id);
    ben.until_up(ann.id);
    ann.frame(ben.id, link, *b"again");
    assert_eq!(&*ben.until_frame(), b"again");
}

#[test]
fn a_device_that_was_killed_comes_back_on_the_same_port_and_is_found() {
    let silence = Duration::from_secs(6);
    let ann = Device::with(Config { timing: Timing { silence, ..Timing::default() }, ..config(1) }).unwrap();
    let ben = Device::new(2);
    ann.allow([&ben.id]);
    ben.allow([&ann.id]);
    ann.know(&ben);
    ann.until_up(ben.id);
    let address = ben.address;
    ben.kill();
    let ben = Device::with(Config { bind: vec![address], ..config(2) }).unwrap();
    // Ben has forgotten where Ann is: she has to notice and to dial.
    ben.allow([&ann.id]);
    let start = Instant::now();
    assert_eq!(ann.until_down(ben.id), DownReason::Lost);
    // Silence is counted from the first question that got no answer, and an idle link asks every five seconds.
    assert!(start.elapsed() < silence + Duration::from_secs(6));
    ann.until_up(ben.id);
    ben.until_up(ann.id);
}

#[test]
fn a_device_that_was_killed_is_noticed_soon_when_there_is_something_to_say() {
    let ((ann, link), (ben, _)) = linked();
    let bens = ben.id;
    ben.kill();
    let start = Instant::now();
    ann.frame(bens, link, *b"are you there?");
    assert_eq!(ann.until_down(bens), DownReason::Lost);
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
}

/// The only line between Ann, who has IPv4 alone, and whoever has IPv6 alone. Once it is cut, it makes packets of its own of
/// the last that it carried, and sends them for Ann's.
fn line_to(ann: &Device) -> (SocketAddr, Arc<AtomicBool>) {
    let (inner, outer) = (UdpSocket::bind("[::1]:0").unwrap(), UdpSocket::bind("127.0.0.1:0").unwrap());
    outer.connect(ann.address).unwrap();
    outer.set_read_timeout(Some(Duration::from_millis(10))).unwrap();
    let (address, cut) = (inner.local_addr().unwrap(), Arc::new(AtomicBool::new(false)));
    let (inner_back, outer_back, cut_back) =
        (inner.try_clone().unwrap(), outer.try_clone().unwrap(), cut.clone());
    let (tell, told) = mpsc::channel();
    let is_cut = cut.clone();
    thread::spawn(move || {
        let mut packet = [0; 2048];
        while let Ok((length, caller)) = inner.recv_from(&mut packet) {
            let _ = tell.send(caller);
            if !is_cut.load(Ordering::Relaxed) {
                let _ = outer.send(&packet[..length]);
            }
        }
    });
    thread::spawn(move || {
        let (mut packet, mut last) = ([0; 2048], Vec::new());
        let mut caller = told.recv().unwrap();
        loop {
            let length = outer_back.recv(&mut packet);
            caller = told.try_iter().last().unwrap_or(caller);
            if cut_back.load(Ordering::Relaxed) {
                let _ = inner_back.send_to(&last, caller);
            } else if let Ok(length) = length {
                let _ = inner_back.send_to(&packet[..length], caller);
                // One with a short header, and another end.
                if packet[0] & 0xc0 == 0x40 {
                    last = packet[..length].to_vec();
                    last[length - 1] ^= 1;
                }
            }
        }
    });
    (address, cut)
}

#[test]
fn whoever_cuts_the_line_cannot_feign_that_the_other_end_is_there() {
    let bound = |seed, address: &str| Config { bind: vec![address.parse().unwrap()], ..config(seed) };
    let ann = Device::with(bound(1, "127.0.0.1:0")).unwrap();
    let ben = Device::with(bound(2, "[::1]:0")).unwrap();
    ann.allow([&ben.id]);
    ben.allow([&ann.id]);
    let (line, cut) = line_to(&ann);
    ben.send(Command::Know { device: ann.id, addresses: vec![line] });
    let link = ben.until_up(ann.id);
    ben.frame(ann.id, link, *b"before");
    assert_eq!(&*ann.until_frame(), b"before");
    cut.store(true, Ordering::Relaxed);
    let start = Instant::now();
    ben.frame(ann.id, link, *b"are you there?");
    assert_eq!(ben.until_down(ann.id), DownReason::Lost);
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
}

#[test]
fn of_two_dials_at_once_one_link_stays_and_no_frame_is_lost_unseen() {
    for _ in 0..8 {
        let (ann, ben) = pair();
        ann.know(&ben);
        ben.know(&ann);
        let devices = [&ann, &ben];
        // For each: the link that is up, how often one came up, and what was heard on it.
        let (mut up, mut ups, mut heard) = ([None, None], [0, 0], [None, None]);
        while heard[0].is_none() || heard[1].is_none() {
            for at in [0, 1] {
                for event in devices[at].so_far() {
                    match event {
                        Event::Up { device, link, initiated, .. } => {
                            assert_eq!(up[at], None, "never two at once");
                            up[at] = Some((link, initiated));
                            ups[at] += 1;
                            devices[at].frame(device, link, *b"mine");
                        }
                        Event::Down { link, reason, .. } => {
                            assert_eq!(reason, DownReason::Replaced);
                            assert_eq!(up[at].take().unwrap().0, link);
                            heard[at] = None;
                        }
                        Event::Frame { link, bytes, .. } => {
                            assert_eq!((Some(link), &*bytes), (up[at].map(|up| up.0), &b"mine"[..]));
                            heard[at] = Some(link);
                        }
                        Event::Bound { .. } | Event::Unreachable { .. } => {}
                        other => panic!("{other:?}"),
                    }
                }
            }
        }
        assert!(ups.iter().all(|ups| *ups <= 2), "{ups:?}: no to and fro");
        assert_ne!(up[0].unwrap().1, up[1].unwrap().1, "both mean the same link");
    }
}

#[test]
fn the_engine_may_close_a_link_and_it_comes_again() {
    let ((ann, _), (ben, _)) = linked();
    ann.send(Command::Close { device: ben.id, reason: CloseReason::Done });
    assert_eq!(ann.until_down(ben.id), DownReason::ByEngine);
    assert_eq!(ben.until_down(ann.id), DownReason::Closed);
    ann.until_up(ben.id);
    ben.until_up(ann.id);
}

#[test]
fn shutting_down_tells_the_others_at_once() {
    let ((ann, _), (ben, _)) = linked();
    let start = Instant::now();
    ann.send(Command::Shutdown);
    assert_eq!(ann.until_down(ben.id), DownReason::Shutdown);
    assert_eq!(ben.until_down(ann.id), DownReason::Closed);
    assert!(start.elapsed() < Duration::from_secs(3));
}

#[test]
fn a_taken_port_is_a_clear_error_or_another_port() {
    let ann = Device::new(1);
    let taken = Config { bind: vec![ann.address], ..config(2) };
    let error = Device::with(taken.clone()).map(drop).unwrap_err();
    assert!(matches!(error, BindError::PortTaken { address } if address == ann.address));
    assert_eq!(error.to_string(), format!("port {} is in use", ann.address.port()));
    let elsewhere = Device::with(Config { port_fallback: true, ..taken }).unwrap();
    assert_ne!(elsewhere.address, ann.address);
}

#[test]
fn an_address_the_machine_lacks_is_a_clear_error() {
    let foreign = Config { bind: vec!["192.0.2.1:0".parse().unwrap()], ..config(1) };
    assert!(matches!(Device::with(foreign).map(drop).unwrap_err(), BindError::Unusable { .. }));
    let none = Config { bind: vec![], ..config(1) };
    assert!(matches!(Device::with(none).map(drop).unwrap_err(), BindError::Addresses));
}

/// Members say where others are, and may lie: what a lie costs has to end with it.
#[test]
fn a_device_is_dialled_where_it_was_said_to_be_last_and_nowhere_else() {
    let socket = || UdpSocket::bind("127.0.0.1:0").unwrap();
    let timing = Timing { hello: Duration::from_millis(300), ..Timing::default() };
    let ann = Device::with(Config { timing, ..config(1) }).unwrap();
    let know = |sockets: &[UdpSocket]| {
        let addresses = sockets.iter().map(|socket| socket.local_addr().unwrap()).collect();
        ann.send(Command::Know { device: id(2), addresses });
    };
    ann.allow([&id(2)]);
    let first = [socket()];
    know(&first);
    let mut buffer = [0; 1500];
    first[0].recv(&mut buffer).unwrap();
    let later: Vec<_> = (0..wire::limits::ADDRESSES).map(|_| socket()).collect();
    know(&later);
    later[0].recv(&mut buffer).unwrap();
    ann.until_unreachable(id(2));
    // What was still under way has come.
    first[0].set_nonblocking(true).unwrap();
    while first[0].recv(&mut buffer).is_ok() {}
    ann.until_unreachable(id(2));
    ann.until_unreachable(id(2));
    assert!(first[0].recv(&mut buffer).is_err(), "a dial went where nobody is said to be any more");
}
