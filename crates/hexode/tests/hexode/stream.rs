//! Data streams on the command line.

use std::{
    fs,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    process::Stdio,
    thread,
};

use rustix::process::{Pid, Signal};

use crate::device::{Device, Running, assert_says};

/// Ann and Ben in a circle, with a tunnel.
fn pair() -> (Device, Device, Running, Running) {
    let (ann, ben) = (Device::new(), Device::new());
    let (anns, bens) = (ann.up(), ben.up());
    ann.ok(&["found", "Friends", "--as", "Ann", "--device", "laptop"]);
    ann.ok(&["invite", "--file", "invitation"]);
    fs::copy(ann.path("invitation"), ben.path("from-ann")).unwrap();
    ben.ok(&["join", "--file", "from-ann", "--as", "Ben", "--device", "phone"]);
    for device in [&ann, &ben] {
        device.wait_json(&["devices"], |devices| {
            devices.as_array()?.iter().any(|device| device["connected"] == true).then_some(())
        });
    }
    (ann, ben, anns, bens)
}

#[test]
fn a_stream_is_offered_opened_listed_revoked_and_withdrawn() {
    let (ann, ben, _anns, _bens) = pair();
    let echo = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = echo.local_addr().unwrap().to_string();
    thread::spawn(move || {
        for stream in echo.incoming() {
            let mut stream = stream.unwrap();
            thread::spawn(move || {
                let mut heard = [0; 5];
                while stream.read_exact(&mut heard).is_ok() && stream.write_all(&heard).is_ok() {}
            });
        }
    });
    assert_eq!(
        ann.ok(&["stream", "offer", "beans", "--tcp", &at, "--to", "Ben"]),
        format!("beans (tcp {at}) is offered to Ben.\n")
    );
    let opened = ben.json(&["stream", "open", "Ann/beans"]);
    let address = opened["address"].as_str().unwrap();
    let mut client = TcpStream::connect(address).unwrap();
    client.write_all(b"beans").unwrap();
    let mut heard = [0; 5];
    client.read_exact(&mut heard).unwrap();
    assert_eq!(&heard, b"beans");
    let listed = ann.ok(&["stream"]);
    assert!(
        listed.contains("beans") && listed.ends_with("1 flow open, 5 B sent, 5 B received.\n"),
        "{listed}"
    );
    assert_says!(ann.run(&["stream", "revoke", "beans", "Ben"]).replace(&at, "[AT]"), @r"
    exit 0
    --- out
    beans (tcp [AT]) is offered to nobody.
    ");
    assert!(client.read(&mut heard).is_err(), "ended, and not properly");
    assert_says!(ann.run(&["stream", "withdraw", "beans"]), @r"
    exit 0
    --- out
    beans is offered no more.
    ");
    assert_says!(ann.run(&["stream", "list"]), @r"
    exit 0
    --- out
    No streams.
    ");
    let listener = opened["id"].to_string();
    ben.ok(&["stream", "close", &listener]);
    assert!(TcpStream::connect(address).is_err());
}

#[test]
fn pipes_lead_to_commands_and_from_hand_to_hand() {
    let (ann, ben, _anns, _bens) = pair();
    ann.ok(&["stream", "offer", "upper", "--exec", "tr a-z A-Z", "--role", "member"]);
    let said = ben.run_with(&["stream", "pipe", "Ann/upper"], b"the beans are up\n");
    assert_says!(said, @r"
    exit 0
    --- out
    THE BEANS ARE UP
    ");
    // What one puts in the other gets out, whole, and then it is offered no more.
    let bytes: Vec<u8> = (0..3_000_000_u32).map(|at| (at % 251) as u8).collect();
    let mut offering = ann
        .command(&["stream", "offer", "photos", "--stdin", "--to", "Ben"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut into = offering.stdin.take().unwrap();
    let given = bytes.clone();
    let giving = thread::spawn(move || into.write_all(&given).unwrap());
    ann.wait_json(&["stream"], |streams| {
        streams["offers"].as_array()?.iter().any(|offer| offer["name"] == "photos").then_some(())
    });
    let got = ben.command(&["stream", "pipe", "Ann/photos"]).stdin(Stdio::null()).output().unwrap();
    assert!(got.status.success(), "{}", String::from_utf8_lossy(&got.stderr));
    assert!(got.stdout == bytes, "{} of {}", got.stdout.len(), bytes.len());
    giving.join().unwrap();
    assert!(offering.wait().unwrap().success());
    let offers = ann.json(&["stream"]);
    assert!(!offers["offers"].as_array().unwrap().iter().any(|offer| offer["name"] == "photos"));
    let left = fs::read_dir(ann.home())
        .unwrap()
        .filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().starts_with("pipe-"));
    assert_eq!(left.count(), 0, "no socket is left behind");
}

#[test]
fn a_transfer_that_breaks_is_no_whole_one_at_either_end() {
    let (ann, ben, anns, _bens) = pair();
    // Ann's program says something and goes on: it never says its end.
    let begin = |name: &str| {
        let mut offering = ann
            .command(&["stream", "offer", name, "--stdin", "--to", "Ben"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        offering.stdin.as_mut().unwrap().write_all(b"half of").unwrap();
        ann.wait_json(&["stream"], |streams| {
            streams["offers"].as_array()?.iter().any(|offer| offer["name"] == name).then_some(())
        });
        let stream = format!("Ann/{name}");
        let mut piping = ben
            .command(&["stream", "pipe", &stream])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        piping.stdout.as_mut().unwrap().read_exact(&mut [0; 7]).unwrap();
        (offering, piping)
    };
    let ended = |piping: std::process::Child, words: &str| {
        let output = piping.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!((output.status.code(), said.contains(words)), (Some(8), true), "{said}");
    };
    let offers = || ann.json(&["stream"])["offers"].as_array().unwrap().len();

    // Killed, there is nobody left who could say anything.
    let (mut offering, piping) = begin("photos");
    offering.kill().unwrap();
    offering.wait().unwrap();
    ended(piping, "Ann/photos broke off: reset");
    ann.ok(&["stream", "withdraw", "photos"]);
    // Asked to end, it takes back its offer.
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        let (mut offering, piping) = begin("films");
        rustix::process::kill_process(Pid::from_child(&offering), signal).unwrap();
        ended(piping, "Ann/films broke off: ");
        assert_eq!(offering.wait().unwrap().code(), Some(130));
        assert_eq!(offers(), 0, "{signal:?}");
    }
    // Who offers is told as well.
    let (mut offering, mut piping) = begin("songs");
    piping.kill().unwrap();
    piping.wait().unwrap();
    let mut more = offering.stdin.take().unwrap();
    more.write_all(b"nobody").unwrap();
    ended(offering, "songs broke off: reset");
    drop(more);
    assert_eq!(offers(), 0);
    let (offering, piping) = begin("texts");
    ann.ok(&["stream", "withdraw", "texts"]);
    ended(piping, "Ann/texts broke off: the grant was revoked");
    ended(offering, "texts");
    let (mut offering, piping) = begin("books");
    anns.end(Signal::KILL);
    assert!(!offering.wait().unwrap().success());
    ended(piping, "Ann/books broke off: the link is gone");
    ended(
        ben.command(&["stream", "pipe", "Ann/books"])
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap(),
        "Ann/books was not opened: the link is gone",
    );
    // What was left behind is swept when the node starts again.
    let sockets = || {
        let names = fs::read_dir(ann.home()).unwrap().map(|entry| entry.unwrap().file_name());
        names.filter(|name| name.to_string_lossy().starts_with("pipe-")).count()
    };
    fs::write(ann.home().join("pipe-0.sock"), b"").unwrap();
    let _anns = ann.up();
    assert_eq!((sockets(), offers()), (0, 0));
}

#[test]
fn what_cannot_be_offered_or_opened_is_refused_with_a_reason() {
    let (ann, ben, _anns, _bens) = pair();
    assert_says!(ann.run(&["stream", "offer", "beans", "--tcp", "localhost:80"]), @r"
    exit 2
    --- err
    Error: it is offered to nobody
    Hint: say --to MEMBER or --role ROLE
    ");
    assert_says!(ann.run(&["stream", "offer", "be/ans", "--tcp", "localhost:80", "--to", "Ben"]), @r"
    exit 2
    --- err
    Error: name: it is made of letters A to Z, digits, and . _ - behind the first
    ");
    assert_says!(ann.run(&["stream", "offer", "beans", "--tcp", "localhost", "--to", "Ben"]), @r"
    exit 2
    --- err
    Error: that is no host and port
    Hint: say it as localhost:5432, 192.0.2.1:80 or [2001:db8::1]:80
    ");
    assert_says!(ben.run(&["stream", "open", "Ann/beans", "--listen", "0.0.0.0:0"]), @r"
    exit 2
    --- err
    Error: other machines can reach that address, and whoever does can use the stream
    Hint: listen at 127.0.0.1, or say --beyond-loopback if you mean it
    ");
    let warned = ben.run(&["stream", "open", "Ann/beans", "--listen", "0.0.0.0:0", "--beyond-loopback"]);
    assert!(warned.contains("Warning: everybody who reaches this address can use the stream"), "{warned}");
    assert_says!(ben.run_with(&["stream", "pipe", "Ann/beans"], b""), @r"
    exit 8
    --- err
    Error: Ann/beans was not opened: nothing of that name is offered to this device
    Hint: ask whoever offers it whether it is granted to you, and under which label
    ");
    assert_says!(ben.run(&["stream", "policy", "--off"]), @r"
    exit 0
    --- out
    Streams are switched off on this device.
    ");
    assert_says!(ben.run(&["stream", "pipe", "Ann/beans"]), @r#"
    exit 5
    --- err
    Error: streams are switched off on this device
    Hint: switch them on with "hexode stream policy --on"
    "#);
    assert_says!(ben.run(&["stream", "policy", "--on", "--label", "restricted"]), @r"
    exit 0
    --- out
    Streams are on, with these labels only: restricted.
    ");
}
