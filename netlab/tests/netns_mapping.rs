//! Routers that let a port in when asked, and one that lies. Needs root, `ip`, `nft` and `miniupnpd`; run by the nextest profile
//! `netns`.

#![allow(clippy::unwrap_used, reason = "a test that does not hold should say where")]

use std::{
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    process::{Child, Stdio},
    time::{Duration, Instant},
};

use hexode_netlab::{Device, Lab, Space, allow_each_other};
use tunnel::{ChannelClass, Mapped, Means};

/// Ann behind a router that lets in only answers and what it was asked for, and Ben, who has an address of his own.
struct World {
    ann: Space,
    ben: Space,
    router: Space,
    _net: Space,
}

/// A daemon that ends with the test.
struct Daemon(Child);

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl World {
    fn new() -> Self {
        let lab = Lab::new();
        let (net, router) = (lab.router("net").unwrap(), lab.router("r").unwrap());
        let (ann, ben) = (lab.space("ann").unwrap(), lab.space("ben").unwrap());
        // Addresses that are somebody's: the daemon maps nothing on those kept for documentation and tests.
        router.cable("wan", "5.5.1.2/24", &net, "one", "5.5.1.1/24").unwrap();
        ben.cable("eth", "5.5.2.2/24", &net, "two", "5.5.2.1/24").unwrap();
        ann.cable("eth", "192.168.1.2/24", &router, "lan", "192.168.1.1/24").unwrap();
        for (space, gateway) in [(&router, "5.5.1.1"), (&ben, "5.5.2.1"), (&ann, "192.168.1.1")] {
            space.ip(&format!("route add default via {gateway}")).unwrap();
        }
        router.nft(RULES).unwrap();
        Self { ann, ben, router, _net: net }
    }

    /// Starts a real daemon on the router, and waits until it answers.
    fn daemon(&self, settings: &str, port: u16, question: &[u8]) -> Daemon {
        let file = std::env::temp_dir().join(format!("netlab-miniupnpd-{}-{port}", std::process::id()));
        std::fs::write(&file, format!("{CONFIG}{settings}")).unwrap();
        let (config, pid) = (file.to_str().unwrap(), format!("{}.pid", file.display()));
        let mut daemon = self.router.program("miniupnpd");
        daemon.args(["-d", "-f", config, "-P", &pid]).stdout(Stdio::null()).stderr(Stdio::null());
        let daemon = Daemon(daemon.spawn().unwrap());
        let answered = self.ann.within(|| {
            let socket = UdpSocket::bind("192.168.1.2:0")?;
            socket.set_read_timeout(Some(Duration::from_millis(300)))?;
            let begun = Instant::now();
            while begun.elapsed() < LIMIT {
                // Refused as long as nobody listens.
                socket.send_to(question, (ROUTER, port))?;
                if socket.recv(&mut [0; 2000]).is_ok() {
                    return Ok(true);
                }
            }
            Ok(false)
        });
        assert!(answered.unwrap(), "the daemon does not answer");
        daemon
    }

    /// Ann has her port let in, and Ben reaches her there; nobody told her of him.
    fn reaches(&self, means: Means) {
        let ann = Device::mapping(&self.ann, 1, 4001).unwrap();
        let ben = Device::at(&self.ben, 2, 4002).unwrap();
        allow_each_other(&[&ann, &ben]);
        let status = ann.until_mapping(LIMIT).expect("the router answers");
        let outside = SocketAddr::from(([5, 5, 1, 2], 4001));
        assert_eq!(status.mapped, Some(Mapped { outside, tcp: true, means }), "{status:?}");
        assert!(ann.until_listens(outside, LIMIT), "the circle is told");
        ben.know(ann.id, vec![outside]);
        assert!(ben.until_up(ann.id, LIMIT).is_some() && ann.until_up(ben.id, LIMIT).is_some());
        // So does TCP, where UDP is blocked.
        let dave = Device::at(&self.ben, 4, 4004).unwrap();
        self.ben.nft("table inet no_udp {\n chain out {\n type filter hook output priority 0\n meta l4proto udp drop\n }\n}\n").unwrap();
        allow_each_other(&[&ann, &ben, &dave]);
        dave.know(ann.id, vec![outside]);
        assert!(dave.until_up(ann.id, LIMIT).is_some());
        let links = dave.snapshot().unwrap().links;
        let to_ann = links.iter().find(|link| link.device == ann.id).map(|link| link.class);
        assert_eq!(to_ann, Some(ChannelClass::Tcp));
    }
}

#[test]
fn netns_a_router_that_speaks_pcp_lets_a_device_in() {
    let world = World::new();
    let _daemon = world.daemon("enable_natpmp=yes\nenable_upnp=no\n", 5351, &[0, 0]);
    world.reaches(Means::Pcp);
}

#[test]
fn netns_a_router_that_speaks_upnp_lets_a_device_in() {
    let world = World::new();
    let search = "M-SEARCH * HTTP/1.1\r\nHOST: 192.168.1.1:1900\r\nMAN: \"ssdp:discover\"\r\nMX: 1\r\nST: ssdp:all\r\n\r\n";
    let _daemon = world.daemon("enable_natpmp=no\nenable_upnp=yes\n", 1900, search.as_bytes());
    world.reaches(Means::Upnp);
}

/// Answers each wish in PCP as told, and never what is asked in NAT-PMP.
fn liar(router: &Space, lie: impl Fn(&mut Vec<u8>) + Send + 'static) -> UdpSocket {
    let socket = router.within(|| Ok(UdpSocket::bind("192.168.1.1:5351")?)).unwrap();
    let own = socket.try_clone().unwrap();
    std::thread::spawn(move || {
        let mut buffer = [0; 2000];
        while let Ok((60, from)) = socket.recv_from(&mut buffer) {
            let Some(wish) = buffer.get(..60) else { return };
            let mut answer = wish.to_vec();
            answer.splice(1..4, [0x81, 0, 0]);
            answer.splice(8..24, [0; 16]);
            answer.splice(44..60, Ipv4Addr::new(5, 5, 1, 2).to_ipv6_mapped().octets());
            lie(&mut answer);
            let _ = socket.send_to(&answer, from);
        }
    });
    own
}

fn told_by(lie: impl Fn(&mut Vec<u8>) + Send + 'static) -> (tunnel::MappingStatus, Vec<SocketAddr>) {
    let world = World::new();
    let _socket = liar(&world.router, lie);
    let ann = Device::mapping(&world.ann, 1, 4001).unwrap();
    let status = ann.until_mapping(LIMIT).expect("it comes to an end");
    (status, ann.addresses().unwrap())
}

#[test]
fn netns_a_router_that_lies_is_not_believed() {
    type Lie = fn(&mut Vec<u8>);
    let lies: [(&str, Lie); 5] = [
        ("an address inside", |answer| drop(answer.splice(56..60, [10, 0, 0, 9]))),
        ("no port", |answer| drop(answer.splice(42..44, [0, 0]))),
        ("no time", |answer| drop(answer.splice(4..8, [0; 4]))),
        ("too much", |answer| answer.resize(1104, 0)),
        ("another's wish", |answer| drop(answer.splice(24..26, *b"no"))),
    ];
    for (what, lie) in lies {
        let (status, addresses) = told_by(lie);
        assert!(status.mapped.is_none() && status.error.is_some(), "{what}: {status:?}");
        assert!(
            addresses.iter().all(|address| address.ip().to_string() == "192.168.1.2" || address.is_ipv6()),
            "{what}: {addresses:?}"
        );
    }
    let (status, _) = told_by(|answer| drop(answer.splice(4..8, [0xff; 4])));
    assert!(status.mapped.is_some(), "a lease of a hundred years is taken, and renewed as any: {status:?}");
}

const ROUTER: Ipv4Addr = Ipv4Addr::new(192, 168, 1, 1);
const LIMIT: Duration = Duration::from_secs(20);
const RULES: &str = "table inet filter {
 chain miniupnpd {
 }
 chain prerouting_miniupnpd {
 }
 chain postrouting_miniupnpd {
 }
 chain forward {
 type filter hook forward priority 0
 jump miniupnpd
 iifname \"wan\" ct state new drop
 }
 chain prerouting {
 type nat hook prerouting priority -100
 jump prerouting_miniupnpd
 }
 chain postrouting {
 type nat hook postrouting priority 100
 jump postrouting_miniupnpd
 oifname \"wan\" masquerade
 }
}
";
const CONFIG: &str = "ext_ifname=wan
listening_ip=lan
upnp_table_name=filter
upnp_nat_table_name=filter
upnp_forward_chain=miniupnpd
upnp_nat_chain=prerouting_miniupnpd
upnp_nat_postrouting_chain=postrouting_miniupnpd
uuid=00000000-0000-0000-0000-000000000001
allow 1024-65535 192.168.1.0/24 1024-65535
deny 0-65535 0.0.0.0/0 0-65535
";
