//! Two people, two devices, two processes: the whole way from founding a circle to removing a member.

use std::{
    fs,
    io::{BufRead, BufReader},
    os::unix::fs::PermissionsExt,
    process::Stdio,
};

use crate::device::{Device, assert_says};

/// Lets a device listen while something happens, and returns the first line that fits.
fn heard(device: &Device, fits: impl Fn(&str) -> bool, happens: impl FnOnce()) -> String {
    let mut tail = device.command(&["tail"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut listening = String::new();
    let mut stderr = BufReader::new(tail.stderr.take().unwrap());
    stderr.read_line(&mut listening).unwrap();
    assert!(listening.starts_with("Listening"), "{listening}");
    happens();
    let mut lines = BufReader::new(tail.stdout.take().unwrap()).lines().map(Result::unwrap);
    let line = lines.find(|line| fits(line)).unwrap();
    tail.kill().unwrap();
    tail.wait().unwrap();
    line
}

#[test]
fn two_people_found_invite_join_verify_talk_and_part() {
    let (ann, ben) = (Device::new(), Device::new());
    let (_ann_node, _ben_node) = (ann.up(), ben.up());

    // Ann founds and invites.
    assert_says!(ann.run(&["found", "Friends", "--as", "Ann", "--device", "laptop"]), @r"
    exit 0
    --- out
    The circle “Friends” is founded ([ID]). Invite somebody with `hexode invite`.
    ");
    assert_says!(ann.run(&["invite", "--expires", "2h", "--file", "invitation"]), @r"
    exit 0
    --- out
    This lets one person as member into “Friends”, once, until [TIME]:

    [LINK]

    Use it there with `hexode join`; withdraw it with `hexode invite revoke [ID]`.
    ");
    assert_eq!(fs::metadata(ann.path("invitation")).unwrap().permissions().mode() & 0o777, 0o600);
    let again = ann.run(&["invite", "--file", "invitation"]);
    assert!(again.starts_with("exit 7\n") && again.contains("nothing is overwritten"), "{again}");
    assert_says!(ann.run(&["invite", "list"]), @r"
    exit 0
    --- out
    ID        STATE  FOR     UNTIL             BY
    [ID]      open   member  [TIME]  Ann
    [ID]      open   member  [TIME]  Ann
    ");

    // Ben joins, with the file that Ann handed over.
    fs::copy(ann.path("invitation"), ben.path("from-ann")).unwrap();
    assert_says!(ben.run(&["join", "--file", "from-ann", "--as", "Ben", "--device", "phone"]), @r"
    exit 0
    --- out
    You are in: “Friends”, 2 members. Compare safety words with `hexode verify`.
    --- err
    Looking for a member who is online and lets you in; Ctrl-C leaves that to the node.
    ");
    assert_says!(ben.run(&["members"]), @r"
    exit 0
    --- out
    ID        NAME       ROLE     DEVICES
    [ID]      Ann        founder  laptop: not verified
    [ID]      Ben (you)  member   phone
    ");
    assert_says!(ann.run(&["devices"]), @r"
    exit 0
    --- out
    ID        DEVICE             ROLE     SINCE             VERIFIED  CONNECTED
    [ID]      Ann/laptop (this)  founder  [TIME]
    [ID]      Ben/phone          member   [TIME]  no        yes
    ");

    // Both see the same words; each confirms.
    let words = |device: &Device, other| device.json(&["verify", other])["words"].clone();
    assert_eq!(words(&ann, "Ben"), words(&ben, "Ann"));
    assert_eq!(words(&ann, "Ben").as_array().unwrap().len(), 12);
    assert_says!(ann.run(&["verify", "Ben", "--yes"]), @r"
    exit 0
    --- out
    Ben/phone is verified.
    ");
    assert_eq!(ann.json(&["verify", "Ben"])["emoji"].as_array().unwrap().len(), 22);
    assert_says!(ann.run(&["verify", "Ben", "--accept"]), @r"
    exit 2
    --- err
    Error: the key of Ben/phone is not new
    ");
    let code = ann.json(&["verify", "Ben"])["code"].as_str().unwrap().to_owned();
    assert_says!(ben.run(&["verify", "Ann", "--code", &code]), @r"
    exit 0
    --- out
    Ann/laptop is verified.
    ");
    assert_says!(ben.run(&["verify", "Ann", "--undo"]), @r"
    exit 0
    --- out
    Ann/laptop counts as not verified.
    ");
    assert_says!(ben.run(&["verify", "Ann", "--code", "hexode:something-else"]), @r"
    exit 8
    --- err
    Error: the code does not match: the other screen shows another device or circle
    Hint: compare again; if it stays different, someone may sit in between
    ");
    assert_says!(ann.run(&["status"]), @r"
    exit 0
    --- out
    Hexode 0.1.0 runs since [TIME], unlocked.

    Friends ([ID]): member; you are Ann, founder
      2 members, 2 devices, 1 connected, 0 unread, roster [DIGEST]
      reachable at 127.0.0.1:[PORT]

      DEVICE     TUNNEL  CHANNEL   PATH             ROUND TRIP  KEY EXCHANGE    VERIFIED  SINCE
      Ben/phone  up      loopback  127.0.0.1:[PORT]  [TRIP]  X25519MLKEM768  by words  [TIME]
    ");
    assert_says!(ann.run(&["doctor"]), @r"
    exit 0
    --- out
    Friends:

      Ben/phone: connected since [TIME]
        CHANNEL   PATH             ROUND TRIP  LOST     LARGEST PACKET
        loopback  127.0.0.1:[PORT]  [TRIP]  [LOST]  in use
    ");

    // They talk; what Ben writes cannot act on Ann's terminal.
    let evil = "hello\u{1b}[2J Ann\n12:00 Ann: I owe you \u{202e}001";
    let said = heard(&ann, |line| line.contains("owe"), || drop(ben.ok(&["send", "Ann", evil])));
    assert_says!(said, @"    12:00 Ann: I owe you �001");
    assert_says!(ann.run(&["read", "Ben"]), @r"
    exit 0
    --- out
    [TIME] Ben: hello␛[2J Ann
        12:00 Ann: I owe you �001
    ");
    assert_says!(ann.run(&["conversations"]), @r"
    exit 0
    --- out
    ID        WITH     KIND      MESSAGES  UNREAD  LAST
    [ID]      Ben      direct    1         0       [TIME]
    [ID]      Friends  everyone  0         0
    ");
    ann.ok(&["groups", "create", "Climbers", "Ben"]);
    ann.ok(&["send", "Climbers", "up", "we", "go"]);
    ann.ok(&["groups", "rename", "climbers", "Ropes"]);
    assert_says!(ann.run(&["groups", "show", "Ropes"]), @r#"
    exit 0
    --- out
    Ropes
    MEMBER     PLACE    HISTORY
    Ann (you)  founder  all
    Ben        1        all
    "#);
    let ask = ann.run(&["groups", "remove", "Ropes", "Ben"]);
    assert!(ask.starts_with("exit 2\n") && ask.contains("--yes"), "{ask}");
    ann.ok(&["groups", "remove", "Ropes", "Ben", "--yes"]);
    assert_says!(ann.run(&["groups", "show", "Ropes"]), @r#"
    exit 0
    --- out
    Ropes
    MEMBER     PLACE    HISTORY
    Ann (you)  founder  all
    Ben was taken out by Ann.
    "#);
    assert_says!(ann.run(&["groups", "remove", "Ropes", "Ben", "--yes"]), @r#"
    exit 3
    --- err
    Error: no such member in the group
    Hint: "hexode groups show" lists who is in a group
    "#);
    ann.ok(&["groups", "add", "Ropes", "Ben", "--no-history"]);
    assert_says!(ann.run(&["groups"]), @r#"
    exit 0
    --- out
    ID        GROUP  MEMBERS  MESSAGES  UNREAD
    [ID]      Ropes  2        1         0
    "#);
    assert_says!(ann.run(&["groups", "leave", "Ropes", "--yes"]), @r#"
    exit 0
    --- out
    Ropes
    MEMBER  PLACE  HISTORY
    Ben     1      since then
    Ann left.
    You are not in this group any more.
    "#);
    assert_eq!(ben.run_with(&["send", "everyone", "-"], "from a pipe\n".as_bytes()), "exit 0\n");
    let long = ben.run_with(&["send", "everyone", "-"], "x".repeat(64 * 1024 + 1).as_bytes());
    assert!(long.starts_with("exit 2\n"), "{long}");
    assert!(ben.run(&["send", "Cara", "hi"]).starts_with("exit 3\n"));

    // Ben takes his own words out, into a file that only he can read.
    ben.ok(&["export", "--output", "mine", "--format", "text"]);
    assert_eq!(fs::metadata(ben.path("mine")).unwrap().permissions().mode() & 0o777, 0o600);
    assert_says!(fs::read_to_string(ben.path("mine")).unwrap(), @r"
    [TIME] to Friends: from a pipe
    [TIME] to Ann: hello␛[2J Ann
        12:00 Ann: I owe you �001
    ");

    // Ben is removed and gets nothing any more.
    let ask = ann.run(&["members", "remove", "Ben"]);
    assert!(ask.starts_with("exit 2\n") && ask.contains("--yes"), "{ask}");
    let cara = Device::new();
    let _cara_node = cara.up();
    let link = ann.json(&["invite", "--role", "guest"])["link"].as_str().unwrap().to_owned();
    let joined = cara.run_with(&["join", "-", "--as", "Cara"], link.as_bytes());
    assert!(joined.starts_with("exit 0\n"), "{joined}");
    ann.ok(&["members", "remove", "Ben", "--yes"]);
    let said = || drop(ann.ok(&["send", "everyone", "only for those who stayed"]));
    assert_says!(heard(&cara, |line| line.contains("stayed"), said), @"[Friends] [TIME] Ann: only for those who stayed");
    assert_says!(ann.run(&["members"]), @r"
    exit 0
    --- out
    ID        NAME       ROLE     DEVICES
    [ID]      Ann (you)  founder  laptop
    [ID]      Cara       guest    device: not verified
    ");
    assert_says!(ann.run(&["send", "Ben", "are you still there?"]), @r#"
    exit 3
    --- err
    Error: no such conversation
    Hint: "hexode conversations" and "hexode members" list them
    "#);
    let read = ben.ok(&["read"]);
    assert!(read.contains("from a pipe") && !read.contains("stayed"), "{read}");
    assert_eq!(ann.json(&["selfcheck"]).as_array().unwrap().iter().filter(|c| c["holds"] != true).count(), 0);
}

#[test]
fn a_person_adds_a_device_loses_it_and_removes_it() {
    let (laptop, tablet) = (Device::new(), Device::new());
    let _laptop_node = laptop.up();
    laptop.ok(&["found", "Friends", "--as", "Ann", "--device", "laptop"]);
    laptop.ok(&["send", "everyone", "from", "before"]);

    // The second node starts locked and without a vault; `unlock` makes one.
    let _tablet_node = tablet.up_with(&["--locked"]);
    assert_says!(tablet.run(&["circles"]), @r#"
    exit 6
    --- err
    Error: the node is locked
    Hint: run "hexode unlock"
    "#);
    assert_says!(tablet.run(&["unlock", "--passphrase-file", "passphrase"]), @"exit 0");

    let invitation = |arguments: &[&str]| laptop.json(arguments)["link"].as_str().unwrap().to_owned();
    let to_others = invitation(&["invite"]);
    assert_says!(tablet.run(&["join", &to_others]), @r"
    exit 2
    --- err
    Error: the following required arguments were not provided:
          --as <NAME>
    Hint: Usage: hexode join --home <DIR> --as <NAME> <LINK>
    ");
    let to_own = invitation(&["invite", "--own-device"]);
    assert_says!(tablet.run(&["join", &to_own, "--own-device", "--device", "tablet"]), @r"
    exit 0
    --- out
    You are in: “Friends”, 1 member. Compare safety words with `hexode verify`.
    --- err
    Looking for a member who is online and lets you in; Ctrl-C leaves that to the node.
    ");
    assert_says!(laptop.run(&["members"]), @r"
    exit 0
    --- out
    ID        NAME       ROLE     DEVICES
    [ID]      Ann (you)  founder  laptop, tablet: not verified
    ");
    assert_says!(laptop.run(&["invite", "list"]), @r"
    exit 0
    --- out
    ID        STATE  FOR         UNTIL             BY
    [ID]      open   member      [TIME]  Ann
    [ID]      used   own device  [TIME]  Ann
    ");
    assert_says!(tablet.run(&["invite", "--role", "admin"]), @r"
    exit 0
    --- out
    This lets one person as admin into “Friends”, once, until [TIME]:

    [LINK]

    Use it there with `hexode join`; withdraw it with `hexode invite revoke [ID]`.
    ");

    // What was said before the device came belongs to the member, and so to it.
    let heard = tablet.wait_json(&["read"], |page| page["messages"][0]["text"].as_str().map(str::to_owned));
    assert_eq!(heard, "from before");

    assert_says!(laptop.run(&["devices", "remove", "Ann/phone", "--yes"]), @r"
    exit 3
    --- err
    Error: no device is called “Ann/phone”
    Hint: `hexode devices` lists them
    ");
    assert_says!(laptop.run(&["devices", "remove", "ann/TABLET", "--yes"]), @r"
    exit 0
    --- out
    Ann/tablet is removed.
    ");
    assert_says!(laptop.run(&["devices"]), @r"
    exit 0
    --- out
    ID        DEVICE             ROLE     SINCE             VERIFIED  CONNECTED
    [ID]      Ann/laptop (this)  founder  [TIME]
    ");
}

#[test]
fn an_invitation_that_was_withdrawn_or_used_lets_nobody_in() {
    let (ann, ben, eve) = (Device::new(), Device::new(), Device::new());
    let (_ann_node, _ben_node, _eve_node) = (ann.up(), ben.up(), eve.up());
    ann.ok(&["found", "Friends", "--as", "Ann"]);

    let withdrawn = ann.json(&["invite"]);
    assert_says!(ann.run(&["invite", "revoke", withdrawn["id"].as_str().unwrap()]), @r"
    exit 0
    --- out
    Invitation [ID] is withdrawn.
    ");
    assert_says!(ann.run(&["invite", "revoke", "aaaaaaaa"]), @r"
    exit 3
    --- err
    Error: no invitation is called “aaaaaaaa”
    Hint: `hexode invite list` lists them
    ");
    assert_says!(eve.run(&["join", withdrawn["link"].as_str().unwrap(), "--as", "Eve"]), @r"
    exit 8
    --- err
    Looking for a member who is online and lets you in; Ctrl-C leaves that to the node.
    Error: the invitation was refused: the invitation was withdrawn
    Hint: ask for a new one
    ");

    let used = ann.json(&["invite"])["link"].as_str().unwrap().to_owned();
    ben.ok(&["join", &used, "--as", "Ben"]);
    let refused = eve.run(&["join", &used, "--as", "Eve"]);
    assert!(refused.starts_with("exit 8\n") || refused.starts_with("exit 4\n"), "{refused}");
    assert_eq!(ann.json(&["members"]).as_array().unwrap().len(), 2);
}

#[test]
fn a_wrong_invitation_is_refused_in_words() {
    let device = Device::new();
    let _node = device.up();
    assert_says!(device.run(&["join", "hexode:rubbish", "--as", "Ben"]), @r"
    exit 2
    --- err
    Error: invitation is incomplete: its end is missing
    Hint: ask for a new invitation, or copy the whole link again
    ");
    assert_says!(device.run_with(&["join", "-", "--as", "Ben"], b"\n"), @r#"
    exit 2
    --- err
    Error: not an invitation: it should begin with "hexode:"
    Hint: ask for a new invitation, or copy the whole link again
    "#);
}

#[test]
fn several_circles_are_told_apart() {
    let device = Device::new();
    let _node = device.up();
    device.ok(&["found", "Friends", "--as", "Ann"]);
    device.ok(&["found", "Work", "--as", "Annette"]);
    assert_says!(device.run(&["members"]), @r"
    exit 2
    --- err
    Error: this device belongs to several circles
    Hint: choose one with --circle: Friends, Work
    ");
    assert_says!(device.run(&["members", "--circle", "Work"]), @r"
    exit 0
    --- out
    ID        NAME           ROLE     DEVICES
    [ID]      Annette (you)  founder  device
    ");
    assert_says!(device.run(&["members", "--circle", "Club"]), @r"
    exit 3
    --- err
    Error: no circle is called “Club”
    Hint: `hexode circles` lists them
    ");
    device.ok(&["found", "Work", "--as", "Anna"]);
    let twice = device.run(&["members", "--circle", "Work"]);
    assert!(twice.starts_with("exit 4\n") && twice.contains("2 circles are called"), "{twice}");
}

#[test]
fn who_leaves_is_asked_first_and_reads_on() {
    let ann = Device::new();
    let _node = ann.up();
    ann.ok(&["found", "Friends", "--as", "Ann", "--device", "laptop"]);
    ann.ok(&["send", "everyone", "farewell"]);
    let ask = ann.run(&["leave"]);
    assert!(ask.starts_with("exit 2\n") && ask.contains("--yes"), "{ask}");
    ann.ok(&["leave", "--yes"]);
    assert!(ann.ok(&["read"]).contains("farewell"));
    let refused = ann.run(&["send", "everyone", "hello?"]);
    assert!(refused.starts_with("exit 5\n") && refused.contains("has left the circle"), "{refused}");
}
