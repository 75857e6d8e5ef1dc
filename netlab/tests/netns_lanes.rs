//! Links that leave a member for a lane. Needs root, `ip` and `nft`; run by the nextest profile `netns`.

#![allow(clippy::unwrap_used, reason = "a test that does not hold should say where")]

use std::{
    thread::sleep,
    time::{Duration, Instant},
};

use hexode_netlab::{Device, Internet, Kind, Site, allow_each_other};
use tunnel::ChannelClass;

/// Brings two together through a third whom both reach, and waits until both ends use a lane between them.
fn moves_to_a_lane(one: Kind, other: Kind) {
    let net = Internet::new().unwrap();
    let (here, there) = (net.site(1, one).unwrap(), net.site(2, other).unwrap());
    let between = net.site(3, Kind::Open).unwrap();
    let start = |site: &Site, seed| Device::at(&site.space, seed, site.port).unwrap();
    let (ann, ben, cara) = (start(&here, 1), start(&there, 2), start(&between, 3));
    allow_each_other(&[&ann, &ben, &cara]);
    for device in [&ann, &ben] {
        device.know(cara.id, between.outside.clone());
    }
    assert!(ann.until_up(ben.id, LIMIT).is_some() && ben.until_up(ann.id, LIMIT).is_some(), "they meet");
    let up = Instant::now();
    let way = |device: &Device, to: &Device| {
        let links = device.snapshot().unwrap().links;
        links.iter().find(|link| link.device == to.id).map(|link| link.class)
    };
    let mut said = 0_u64;
    while [way(&ann, &ben), way(&ben, &ann)] != [Some(ChannelClass::Tcp); 2] {
        assert!(up.elapsed() < SOON, "{:?}, {:?}", way(&ann, &ben), way(&ben, &ann));
        said += 1;
        assert!(ann.say(ben.id, said.to_be_bytes().to_vec()), "the link stays up");
        sleep(Duration::from_millis(20));
    }
    for number in 1..=said {
        assert_eq!(
            ben.until_frame(LIMIT),
            Some(number.to_be_bytes().to_vec()),
            "nothing is lost or overtakes"
        );
    }
}

#[test]
fn netns_a_link_through_a_member_moves_to_a_lane_that_the_end_without_udp_opens() {
    moves_to_a_lane(Kind::NoUdp, Kind::Open);
    moves_to_a_lane(Kind::Open, Kind::NoUdp);
}

#[test]
fn netns_a_link_through_a_member_moves_to_a_lane_where_a_router_lets_tcp_in() {
    moves_to_a_lane(Kind::Mapped, Kind::NoUdp);
}

const LIMIT: Duration = Duration::from_secs(20);
/// How soon a direct way is found that there is.
const SOON: Duration = Duration::from_secs(4);
