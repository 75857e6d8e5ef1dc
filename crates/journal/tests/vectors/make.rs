//! Makes the vectors of the journal, from fixed keys and fixed salts.

use std::collections::{BTreeMap, BTreeSet};

use crypto::{Entropy, SigningKey};
use data_encoding::HEXLOWER;
use hexode_journal::{
    Act, Beside, Chain, Content, Descriptor, Ends, Entry, Header, Journal, Membership, Offer, Post,
    SignedRun, Standing, Target, seal_runs,
};
use serde::Serialize;
use wire::{ChainHead, CircleId, DeviceId, EntryId, FileId, MemberId, RawEntry, Run, limits};

pub(crate) const CIRCLE: CircleId = CircleId::new([7; 32]);
/// What the clock of whoever takes a run shows.
pub(crate) const NOW_MS: u64 = 1_700_000_000_000;

/// Ann and her one device, alone in the circle.
pub(crate) struct Ann {
    pub(crate) device: DeviceId,
    key: SigningKey,
    member: MemberId,
}

impl Ann {
    pub(crate) fn new() -> Self {
        let key = SigningKey::from_seed(&[1; 32]);
        Self { device: DeviceId::new(key.public()), key, member: MemberId::new([1; 32]) }
    }

    /// Writes texts to everyone, with a salt of its own for each sequence.
    fn writes(&self, texts: &[&str], salt: u8) -> Vec<Entry> {
        let mut journal = Journal::new(CIRCLE);
        let everyone = journal.open(Descriptor::Everyone);
        let write = |text: &&str| {
            let content = Content::Text((*text).to_owned());
            journal.write(everyone, &self.device, &content, 1_700_000_000_000, &mut Fixed(salt)).unwrap()
        };
        texts.iter().map(write).collect()
    }

    /// Writes one thing to everyone.
    fn says(&self, beside: Option<Beside>, content: &Content, salt: u8) -> Entry {
        let mut journal = Journal::new(CIRCLE);
        let everyone = journal.open(Descriptor::Everyone);
        let now_ms = 1_700_000_000_000;
        journal.write_beside(everyone, &self.device, beside, content, now_ms, &mut Fixed(salt)).unwrap()
    }

    /// Writes what the journal would not: out of bounds, under a header that commits to it.
    fn says_anything(&self, beside: Option<Beside>, content: &Content, of: &Entry) -> Entry {
        let body = wire::encode(&([5u8; 16], content));
        let hash = crypto::hash("hexode/journal/body/1", &[&body]);
        let header = Header { body: hash, beside, ..of.header.clone() };
        Entry::decode(RawEntry { header: header.encode().into(), body: Some(body.into()) }).unwrap()
    }

    fn run(&self, entries: &[Entry]) -> SignedRun {
        seal_runs(entries.to_vec(), &self.key).remove(0)
    }
}

impl Membership for Ann {
    fn standing(&self, device: &DeviceId) -> Standing {
        if *device == self.device { Standing::Live(self.member) } else { Standing::Unknown }
    }
}

struct Fixed(u8);

impl Entropy for Fixed {
    fn fill(&mut self, out: &mut [u8]) {
        out.fill(self.0);
    }
}

/// Makes all vectors, by their files' names.
pub(crate) fn all() -> BTreeMap<String, String> {
    let mut vectors = BTreeMap::new();
    let mut add = |name: &str, head: &[(&str, String)], bytes: &[u8]| {
        let head: String = head.iter().map(|(key, value)| format!("{key}: {value}\n")).collect();
        let hex = HEXLOWER.encode(bytes);
        let lines: Vec<_> = hex.as_bytes().chunks(96).map(|line| str::from_utf8(line).unwrap()).collect();
        vectors.insert(name.to_owned(), format!("{head}\n{}\n", lines.join("\n")));
    };
    descriptors(&mut add);
    acts(&mut add);
    entries(&mut add);
    runs(&mut add);
    vectors
}

type Add<'a> = &'a mut dyn FnMut(&str, &[(&str, String)], &[u8]);

fn accepted() -> (&'static str, String) {
    ("expect", "accepted".into())
}

fn refused() -> (&'static str, String) {
    ("expect", "refused".into())
}

fn descriptors(add: Add<'_>) {
    let ann = Ann::new();
    let [one, two, three] = [1, 2, 3].map(|id| MemberId::new([id; 32]));
    let members = BTreeSet::from([one, two, three]);
    let name = "Board".parse().unwrap();
    let group = Descriptor::group(&CIRCLE, name, one, members, &ann.key, &mut Fixed(9));
    for (name, descriptor) in [
        ("descriptor-everyone", Descriptor::Everyone),
        ("descriptor-direct", Descriptor::direct(two, one)),
        ("descriptor-notes-to-oneself", Descriptor::direct(one, one)),
        ("descriptor-group", group.clone()),
    ] {
        let id = ("id", descriptor.id(&CIRCLE).to_string());
        add(name, &[accepted(), id], &descriptor.encode().0);
    }
    let disorder = wire::encode(&Descriptor::Direct(two, one));
    let comment = |text: &str| ("comment", text.to_owned());
    add(
        "descriptor-direct-in-disorder",
        &[refused(), comment("the smaller member id stands first")],
        &disorder,
    );
    let Descriptor::Group(mut founding) = group else { unreachable!("a group") };
    founding.members.insert(MemberId::new([4; 32]));
    let widened = Descriptor::Group(founding);
    add(
        "descriptor-group-widened",
        &[refused(), comment("a member more than was signed")],
        &widened.encode().0,
    );
    let elsewhere = CircleId::new([8; 32]);
    let name = "Board".parse().unwrap();
    let other = Descriptor::group(&elsewhere, name, one, BTreeSet::from([one, two]), &ann.key, &mut Fixed(9));
    add("descriptor-group-elsewhere", &[refused(), comment("signed in another circle")], &other.encode().0);
    add("descriptor-unknown-kind", &[refused(), comment("a kind that does not exist")], &[3]);
}

fn acts(add: Add<'_>) {
    let ann = Ann::new();
    let [one, two, three] = [1, 2, 3].map(|id| MemberId::new([id; 32]));
    let name = "Board".parse().unwrap();
    let mut journal = Journal::new(CIRCLE);
    let group = Descriptor::group(&CIRCLE, name, one, BTreeSet::from([one, two]), &ann.key, &mut Fixed(9));
    let id = journal.open(group);
    let by = (&ann.key, 1_700_000_000_000);
    let rename = journal.rename_group(&id, "Inner board".parse().unwrap(), by, &ann).unwrap();
    let brought = journal.add_to_group(&id, vec![three], true, by, &ann).unwrap();
    let removed = journal.remove_from_group(&id, two, by, &ann).unwrap();
    let content = Content::Text("Good-bye".into());
    journal.write(id, &ann.device, &content, 1_700_000_000_000, &mut Fixed(3)).unwrap();
    let left = journal.leave_group(&id, by, &ann).unwrap();
    for (name, blob) in [("rename", &rename), ("add", &brought), ("remove", &removed), ("leave", &left)] {
        let (act_id, act) = Act::decode(blob, &CIRCLE).unwrap();
        let deed = ("deed", serde_json::to_string(&act.deed).unwrap());
        add(&format!("act-{name}"), &[accepted(), ("id", act_id.to_string()), deed], &blob.0);
    }
    let mut altered = rename.0.clone();
    if let Some(byte) = altered.iter_mut().rev().nth(80) {
        *byte ^= 1;
    }
    add("act-altered", &[refused(), ("comment", "one bit of the act is another".into())], &altered);
    let elsewhere = CircleId::new([8; 32]);
    let name = "Board".parse().unwrap();
    let mut journal = Journal::new(elsewhere);
    let group = Descriptor::group(&elsewhere, name, one, BTreeSet::from([one, two]), &ann.key, &mut Fixed(9));
    let id = journal.open(group);
    let other = journal.leave_group(&id, by, &ann).unwrap();
    add("act-elsewhere", &[refused(), ("comment", "signed in another circle".into())], &other.0);
}

fn entries(add: Add<'_>) {
    let ann = Ann::new();
    let mut good = |name: &str, entry: &Entry, text: Option<&str>| {
        let raw = raw(entry);
        let head = [
            accepted(),
            ("id", entry.id.to_string()),
            ("header", serde_json::to_string(&entry.header).unwrap()),
            ("text", serde_json::to_string(&text).unwrap()),
            ("beside", beside_text(entry)),
            ("content", serde_json::to_string(&entry.content().filter(is_more)).unwrap()),
        ];
        add(name, &head, &wire::encode(&raw));
    };
    let first = ann.writes(&["Hello"], 5).remove(0);
    good("entry-first", &first, Some("Hello"));
    let empty = ann.writes(&[""], 5).remove(0);
    good("entry-empty-text", &empty, Some(""));
    let erased = Entry { body: None, ..first.clone() };
    good("entry-without-body", &erased, None);
    let head = |seq| ChainHead { author: DeviceId::new([4; 32]), seq, hash: [6; 32] };
    let seen =
        decoded(&Header { seen: vec![head(300), head(2)], lamport: 301, ..first.header.clone() }, &first);
    good("entry-that-has-seen-others", &seen, Some("Hello"));
    let last = decoded(&Header { lamport: 1 << 53, ..first.header.clone() }, &first);
    good("entry-greatest-lamport", &last, Some("Hello"));

    for (name, beside, content) in contents(first.target()) {
        let entry = ann.says(beside.clone(), &content, 5);
        good(&format!("entry-{name}"), &entry, content.text());
        if beside.is_some() {
            good(&format!("entry-{name}-erased"), &Entry { body: None, ..entry }, None);
        }
    }
    let reaction = Some(Beside::React(first.target()));
    let long = Content::React { sign: "x".repeat(limits::SIGN + 1) };
    good("entry-reaction-too-long", &ann.says_anything(reaction.clone(), &long, &first), None);
    let disguised = Content::File(offer("beans\u{202e}txt.exe"));
    good("entry-file-disguised", &ann.says_anything(None, &disguised, &first), None);
    let mut later = raw(&first);
    later.header.0.extend([0x7f, 1, 2, 3]);
    good("entry-of-a-later-version", &Entry::decode(later).unwrap(), None);
    let unsuited = Content::Text("a text under the header of a reaction".into());
    good("entry-unsuited", &ann.says_anything(reaction, &unsuited, &first), None);

    let mut bad = |name: &str, comment: &str, raw: &RawEntry| {
        add(name, &[refused(), ("comment", comment.to_owned())], &wire::encode(raw));
    };
    let mut other = raw(&first);
    other.body = raw(&empty).body;
    bad("entry-other-body", "the header commits to another body", &other);
    let changed = |header: &Header| RawEntry { header: wire::encode(header).into(), body: raw(&first).body };
    let late = Header { lamport: (1 << 53) + 1, ..first.header.clone() };
    bad("entry-lamport-out-of-range", "one more than 2⁵³", &changed(&late));
    let many = Header { seen: vec![head(1); 9], ..first.header.clone() };
    bad("entry-too-many-seen", "nine heads where eight are allowed", &changed(&many));
    for (name, after_s) in [("at-once", 0), ("too-late", limits::EXPIRY_S + 1)] {
        let beside = Some(Beside::Passing { after_s });
        let header = Header { beside, ..first.header.clone() }.encode();
        let comment = format!("erased after {after_s} seconds");
        bad(&format!("entry-passing-{name}"), &comment, &RawEntry { header: header.into(), ..raw(&first) });
    }
    let mut longer = raw(&first);
    // Byte 64 is seq 0: the same number in two bytes is another header.
    longer.header.0.splice(64..65, [0x80, 0x00]);
    bad("entry-longer-varint", "a number in more bytes than it needs", &longer);
}

fn runs(add: Add<'_>) {
    let ann = Ann::new();
    let all = ann.writes(&["one", "two", "three"], 5);
    let first = ann.run(&all[..2]).to_wire();
    let overlap = ann.run(&all[1..]).to_wire();
    let next = ann.run(&all[2..]).to_wire();
    let given = ("given", "run-first".to_owned());
    let new = |count: usize| ("new", count.to_string());
    let mut put = |name: &str, head: &[(&str, String)], run: &Run| add(name, head, &wire::encode(run));
    put("run-first", &[accepted(), new(2)], &first);
    put("run-that-follows", &[accepted(), given.clone(), new(1)], &next);
    let late = Header { lamport: 2, ..all[2].header.clone() };
    let late = ann.run(&[decoded(&late, &all[2])]).to_wire();
    put(
        "run-whose-time-does-not-rise",
        &[refused(), given.clone(), ("error", "the entries do not follow each other".to_owned())],
        &late,
    );
    put("run-that-overlaps", &[accepted(), given.clone(), new(1)], &overlap);

    let error = |text: &str| ("error", text.to_owned());
    put("run-known", &[refused(), given.clone(), error("already held")], &first);
    put("run-after-a-gap", &[refused(), error("entries are missing: 0 are held")], &next);
    let forked = ann.run(&ann.writes(&["one", "zwei"], 6)).to_wire();
    put("run-that-forks", &[refused(), given, error("the chain was forked")], &forked);
    let mut stolen = first.clone();
    stolen.signature = next.signature;
    put("run-other-signature", &[refused(), error("signature does not match")], &stolen);
    let mut swapped = first.clone();
    swapped.entries.swap(0, 1);
    put("run-in-disorder", &[refused(), error("the entries do not follow each other")], &swapped);
    let mut blanked = first.clone();
    blanked.entries[0].body = None;
    put("run-without-a-body", &[accepted(), new(2)], &blanked);
    let mut leap = |name: &str, head: &[(&str, String)], held: u64| {
        let mut journal = Journal::new(CIRCLE);
        let everyone = journal.open(Descriptor::Everyone);
        let nothing = Chain { len: 0, head: [0; 32], lamport: held, forked: false };
        journal.restore(&everyone, DeviceId::new([9; 32]), nothing);
        let content = Content::Text("one".into());
        let entry = journal.write(everyone, &ann.device, &content, 0, &mut Fixed(5)).unwrap();
        add(name, head, &wire::encode(&ann.run(&[entry]).to_wire()));
    };
    leap("run-that-leaps-far", &[accepted(), new(1)], NOW_MS + limits::AHEAD_MS - 1);
    let why = error("the entry claims a time that has not come");
    leap("run-that-leaps-too-far", &[refused(), why.clone()], NOW_MS + limits::AHEAD_MS);
    leap("run-at-the-greatest-time", &[refused(), why], 1 << 53);
    let mut put = |name: &str, head: &[(&str, String)], run: &Run| add(name, head, &wire::encode(run));
    let ben = SigningKey::from_seed(&[2; 32]);
    let mut journal = Journal::new(CIRCLE);
    let everyone = journal.open(Descriptor::Everyone);
    let device = DeviceId::new(ben.public());
    let content = Content::Text("let me in".into());
    let entry = journal.write(everyone, &device, &content, 0, &mut Fixed(5)).unwrap();
    let stranger = seal_runs(vec![entry], &ben).remove(0).to_wire();
    let why = error("the author does not take part in the conversation");
    put("run-of-a-stranger", &[refused(), why], &stranger);
}

/// One of every kind of entry that is more than a text.
fn contents(target: Target) -> Vec<(&'static str, Option<Beside>, Content)> {
    let mentions = vec![MemberId::new([2; 32])];
    let text = || "Hello @Ben".to_owned();
    let post = Post { text: text(), reply: Some(target), mentions: mentions.clone(), forwarded: true };
    let head = ChainHead { author: DeviceId::new([3; 32]), seq: 300, hash: [4; 32] };
    let ends = Ends { removal: EntryId::new([5; 32]), heads: vec![head] };
    vec![
        ("post", None, Content::Post(post)),
        ("edit", Some(Beside::Edit(target)), Content::Edit { text: text(), mentions }),
        ("delete", Some(Beside::Delete(target)), Content::Delete),
        ("reaction", Some(Beside::React(target)), Content::React { sign: "👍".into() }),
        ("pin", Some(Beside::Pin(target)), Content::Pin { pinned: true }),
        ("expiry", Some(Beside::Expiry), Content::Expiry { after_s: 86_400 }),
        ("end", Some(Beside::End(ends)), Content::End),
        ("file", None, Content::File(offer("Beans & Söhne.txt"))),
        ("passing", Some(Beside::Passing { after_s: 86_400 }), Content::Text(text())),
    ]
}

fn offer(name: &str) -> Offer {
    let (kind, text) = ("text/plain".to_owned(), "Look!".to_owned());
    Offer { name: name.to_owned(), kind, size: 300, file: FileId::new([7; 32]), text }
}

/// Writes what an entry is, unless a message that stays.
pub(crate) fn beside_text(entry: &Entry) -> String {
    match &entry.header.beside {
        Some(Beside::Unknown) => "\"Unknown\"".into(),
        known => serde_json::to_string(known).unwrap(),
    }
}

/// Tells whether a content is more than a text.
fn is_more(content: &Content) -> bool {
    !matches!(content, Content::Text(_))
}

fn raw(entry: &Entry) -> RawEntry {
    RawEntry { header: entry.header_bytes.clone(), body: entry.body.clone() }
}

/// Makes the entry of a changed header.
fn decoded(header: &impl Serialize, of: &Entry) -> Entry {
    Entry::decode(RawEntry { header: wire::encode(header).into(), body: of.body.clone() }).unwrap()
}
