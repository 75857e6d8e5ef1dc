//! Sheets that are printed at founding, and a founder who comes back by them on a fresh device.

use crate::device::{Device, assert_says};

fn words(sheets: &serde_json::Value, number: usize) -> String {
    let sheet = sheets.get("sheets").and_then(|sheets| sheets.get(number - 1));
    sheet.and_then(|sheet| sheet.get("words")).and_then(|words| words.as_str()).unwrap().to_owned()
}

#[test]
fn a_founder_without_devices_comes_back_by_two_of_three_sheets() {
    let (ann, ben) = (Device::new(), Device::new());
    let (ann_node, _ben_node) = (ann.up(), ben.up());
    let sheets = ann.json(&["found", "Friends", "--as", "Ann", "--device", "laptop", "--recovery", "2/3"]);
    assert_eq!(sheets["sheets"].as_array().unwrap().len(), 3);
    assert_says!(ann.run(&["recovery", "show"]), @r"
    exit 0
    --- out
    Any 2 of 3 sheets bring the founder back.
    ");
    assert_says!(ann.run(&["recovery", "make", "1/1"]), @r#"
    exit 5
    --- err
    Error: the circle has recovery keys already
    Hint: "hexode recovery use --renew K/N" replaces them, with enough of the sheets there are
    "#);
    ann.ok(&["invite", "--role", "admin", "--file", "invitation"]);
    std::fs::copy(ann.path("invitation"), ben.path("invitation")).unwrap();
    ben.ok(&["join", "--file", "invitation", "--as", "Ben", "--device", "phone"]);
    assert_says!(ben.run_with(&["recovery", "check"], words(&sheets, 2).as_bytes()), @r"
    exit 0
    --- out
    This is sheet 2 of “Friends”.
    ");
    assert_says!(ben.run_with(&["recovery", "check"], b"abandon abandon"), @r"
    exit 2
    --- err
    Error: sheet 1: a recovery sheet has sixteen words
    Hint: type the sixteen words in the order of their numbers; four letters of each are enough
    ");
    drop(ann_node);

    let fresh = Device::new();
    let _fresh_node = fresh.up();
    ben.ok(&["invite", "--file", "for-ann"]);
    std::fs::copy(ben.path("for-ann"), fresh.path("invitation")).unwrap();
    fresh.ok(&["join", "--file", "invitation", "--as", "Ann again", "--device", "new laptop"]);
    let one = words(&sheets, 1);
    assert_says!(fresh.run_with(&["recovery", "use", "--yes"], one.as_bytes()), @r"
    exit 5
    --- err
    Error: 1 of the 2 recovery keys that it takes
    Hint: one sheet counts once
    ");
    let two = format!("{one}\n\n{}\n", words(&sheets, 3).to_uppercase());
    assert_says!(fresh.run_with(&["recovery", "use", "--yes"], two.as_bytes()), @r"
    exit 0
    --- out
    This device stands in the founder's place of “Friends”, as Ann. The others are told, and warned until they have compared safety words with you.
    ");
    ben.wait_json(&["status"], |status| {
        let trouble =
            status["circles"][0]["trouble"].as_str().or(status["status"]["circles"][0]["trouble"].as_str());
        trouble.filter(|trouble| trouble.starts_with("the recovery sheets were used")).map(drop)
    });
    assert_says!(ben.run(&["members"]), @r"
    exit 0
    --- out
    ID        NAME       ROLE     DEVICES
    [ID]      Ann        founder  new laptop: not verified
    [ID]      Ben (you)  admin    phone
    ");
    assert_says!(ben.run(&["recovery", "show"]), @r"
    exit 0
    --- out
    Any 2 of 3 sheets bring the founder back.
    Used [TIME] by Ann/new laptop: not verified since
    ");
}

#[test]
fn a_sheet_is_a_page_that_its_keeper_understands() {
    let ann = Device::new();
    let _node = ann.up();
    ann.ok(&["found", "Friends", "--as", "Ann"]);
    let shown = ann.ok(&["recovery", "make", "2/2"]);
    let pages: Vec<_> = shown.split('\u{c}').collect();
    assert_eq!(pages.len(), 2);
    for (at, page) in pages.iter().enumerate() {
        let number = at + 1;
        assert!(page.contains(&format!("Hexode recovery sheet {number} of 2\nCircle “Friends”")), "{page}");
        assert!(page.contains("founder Ann") && page.contains("Any 2 of the 2 sheets"), "{page}");
    }
}
