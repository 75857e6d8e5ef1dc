//! Makes every vector from fixed keys. Uses the crate for what is to be accepted, and its own hands for the rest.

use charter::{
    Action, Admission, Charter, Entry, Founding, FoundingTerms, Hint, Invitation, Keep, Method, Newcomer,
    PublicKey, Received, Recovery, Role, Signed, Subject, Target, Terms,
};
use crypto::{Entropy, SigningKey};
use wire::{Blob, DeviceId, EntryId, Name, Signature};

pub(crate) struct Made {
    pub(crate) name: &'static str,
    head: Vec<(&'static str, String)>,
    pub(crate) bytes: Vec<u8>,
}

impl Made {
    pub(crate) fn text(&self) -> String {
        let hex = data_encoding::HEXLOWER.encode(&self.bytes);
        let head = self.head.iter().map(|(key, value)| format!("{key}: {value}\n"));
        let lines = hex.as_bytes().chunks(96).map(|line| format!("{}\n", String::from_utf8_lossy(line)));
        format!("{}\n{}", head.collect::<String>(), lines.collect::<String>())
    }
}

struct Counting(u8);

impl Entropy for Counting {
    fn fill(&mut self, out: &mut [u8]) {
        self.0 += 1;
        out.fill(self.0);
    }
}

const NOW: u64 = 1_800_000_000_000;

fn key(seed: u8) -> SigningKey {
    SigningKey::from_seed(&[seed; 32])
}

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn terms(recovery: Option<Recovery>) -> FoundingTerms {
    FoundingTerms { circle: name("Hexagon"), founder: name("Ann"), device: name("laptop"), recovery }
}

fn entry_of(blob: &Blob) -> Entry {
    Received::decode(blob).unwrap().entry().clone()
}

/// Collects vectors; `given` names those that come before the next one.
struct Maker {
    all: Vec<Made>,
    circle: String,
    given: Vec<&'static str>,
}

impl Maker {
    fn add(&mut self, name: &'static str, expect: &str, comment: &str, detail: &str, bytes: Vec<u8>) {
        let mut head = vec![
            ("expect", expect.to_owned()),
            ("kind", "entry".to_owned()),
            ("comment", comment.to_owned()),
            ("circle", self.circle.clone()),
        ];
        if !self.given.is_empty() {
            head.push(("given", self.given.join(" ")));
        }
        match expect {
            "refused" => head.push(("error", detail.to_owned())),
            _ => head.push(("id", Received::decode(&Blob(bytes.clone())).unwrap().id().to_string())),
        }
        if expect == "void" {
            head.push(("reason", detail.to_owned()));
        }
        self.all.push(Made { name, head, bytes });
    }

    /// Adds an entry that later ones come after.
    fn keep(&mut self, name: &'static str, comment: &str, blob: &Blob) {
        self.add(name, "accepted", comment, "", blob.0.clone());
        self.given.push(name);
    }

    fn refuse(&mut self, name: &'static str, comment: &str, error: &str, bytes: Vec<u8>) {
        self.add(name, "refused", comment, error, bytes);
    }

    fn link(&mut self, name: &'static str, comment: &str, bytes: String, outcome: Result<&Invitation, &str>) {
        let expect = if outcome.is_ok() { "accepted" } else { "refused" };
        let mut head =
            vec![("expect", expect.to_owned()), ("kind", "link".to_owned()), ("comment", comment.to_owned())];
        match outcome {
            Ok(invitation) => head.extend([
                ("circle", invitation.circle().to_string()),
                ("invitation", invitation.id().to_string()),
                ("expires", invitation.expires_ms().to_string()),
                ("public", EntryId::new(*invitation.public().as_bytes()).to_string()),
            ]),
            Err(error) => head.push(("error", error.to_owned())),
        }
        self.all.push(Made { name, head, bytes: bytes.into_bytes() });
    }
}

fn signed(entry: &Entry, key: &SigningKey) -> Vec<u8> {
    Signed::new(entry, key).to_blob().0
}

/// Signs bytes that no encoder gives; the domain is the specification's.
fn sign_raw(bytes: Vec<u8>, key: &SigningKey) -> Vec<u8> {
    let signature = Signature(key.sign("hexode/charter/signature/1", &[&bytes]));
    Signed { bytes: Blob(bytes), signature }.to_blob().0
}

pub(crate) fn all() -> Vec<Made> {
    let (ann, ben, cara, phone) = (key(1), key(2), key(3), key(4));
    let (mut charter, founding) = Charter::found(&terms(None), &ann, NOW, &mut Counting(0)).unwrap();
    let mut maker = Maker { all: Vec::new(), circle: charter.circle().to_string(), given: Vec::new() };
    maker.keep("founding", "Ann founds the circle", &founding.blob);
    refused_alone(&mut maker, &founding.blob, &ann);

    let invite = |newcomer| Terms { newcomer, expires_ms: NOW + 1000 };
    let mut entropy = Counting(10);
    let member = invite(Newcomer::Other(Role::Member));
    let hints = vec![Hint {
        device: DeviceId::new(ann.public()),
        addresses: vec!["192.0.2.7:4433".parse().unwrap(), "[2001:db8::1]:65535".parse().unwrap()],
    }];
    let (entry, invitation) = charter.invite(member, hints, &ann, NOW, &mut entropy).unwrap();
    maker.keep("invite", "Ann invites a member", &entry.blob);
    links(&mut maker, &invitation);
    let redemption = invitation.redeem(&ben, name("Ben"), name("tablet"));
    let admission = charter.clone().admit(&redemption, &ann, NOW + 1).unwrap();
    refused_admissions(&mut maker, &admission.blob, &ann);
    let _ = charter.handle_entry(admission.blob.clone()).unwrap();
    maker.keep("admit", "Ann admits Ben's tablet", &admission.blob);
    let again = entry_of(&admission.blob);
    let mut twice = Entry { seq: 3, previous: Some(admission.id), lamport: 3, ..again };
    twice.parents = vec![admission.id];
    let reason = format!(r#"{{"used-before":{{"by":"{}"}}}}"#, admission.id);
    maker.add("admit-twice", "void", "the admitter knew that it was used", &reason, signed(&twice, &ann));

    let own = invite(Newcomer::OwnDevice);
    let (entry, invitation) = charter.invite(own, Vec::new(), &ben, NOW, &mut entropy).unwrap();
    maker.keep("invite-own-device", "Ben invites another device of his", &entry.blob);
    let redemption = invitation.redeem(&phone, name("Ben"), name("phone"));
    let entry = charter.admit(&redemption, &ann, NOW + 2).unwrap();
    maker.keep("admit-own-device", "Ann's device admits Ben's phone for him", &entry.blob);
    let (entry, invitation) = charter.invite(member, Vec::new(), &ann, NOW, &mut entropy).unwrap();
    maker.keep("invite-second", "Ann invites somebody else", &entry.blob);
    let id = invitation.id();
    let entry = charter.withdraw(id, &ann, NOW + 3).unwrap();
    maker.keep("withdraw", "Ann withdraws the invitation", &entry.blob);
    let device = DeviceId::new(ben.public());
    let entry = charter.change_role(device, Role::Admin, &ann, NOW + 4).unwrap().remove(0);
    maker.keep("grant", "Ann makes Ben's tablet an admin", &entry.blob);
    let entry = charter.rename(Subject::Circle, name("Septagon"), &ben, NOW + 5).unwrap();
    maker.keep("set-name", "Ben names the circle", &entry.blob);
    void_and_refused(&mut maker, &charter, &entry.blob, &[&ann, &ben, &cara, &phone]);
    let device = DeviceId::new(phone.public());
    let entry = charter.remove_device(device, Keep::Seen, &ben, NOW + 6).unwrap();
    maker.keep("revoke-device", "Ben removes his phone", &entry.blob);
    let member = charter.roster().device(&DeviceId::new(ben.public())).unwrap().member;
    let before = charter.clone();
    let entry = charter.remove_member(member, Keep::Only(Vec::new()), &ann, NOW + 7).unwrap();
    let mut late = before;
    let renamed = late.rename(Subject::Device, name("backdated"), &ben, NOW).unwrap();
    maker.keep("revoke-member", "Ann removes Ben and keeps nothing of what he did", &entry.blob);
    let reason = format!(r#"{{"removed":{{"by":"{}"}}}}"#, entry.id);
    let comment = "Ben writes upon a past without his removal";
    maker.add("set-name-backdated", "void", comment, &reason, renamed.blob.0);
    let entry = charter.leave(&ann, NOW + 8).unwrap();
    maker.keep("leave", "Ann leaves", &entry.blob);
    recovery(&mut maker);
    maker.all
}

/// Bytes that no entry has, whatever came before.
fn refused_alone(maker: &mut Maker, founding: &Blob, ann: &SigningKey) {
    let good = &founding.0;
    let given = std::mem::take(&mut maker.given);
    let error = "signature of a charter entry does not match";
    let changed = |at: usize, to: u8| {
        let mut bytes = good.clone();
        bytes[at] = to;
        bytes
    };
    let last = good.len() - 1;
    maker.refuse("bad-signature", "one bit of the signature is wrong", error, changed(last, good[last] ^ 1));
    let newer = "entry from a newer Hexode (format 2, known up to 1)";
    maker.refuse("version-newer", "a later format", newer, changed(0, 2));
    maker.refuse("version-zero", "there was no format 0", "no version of the entry format", changed(0, 0));
    maker.refuse("empty", "nothing at all", "an entry of no bytes", Vec::new());
    maker.refuse(
        "trailing",
        "a byte too many",
        "1 bytes left after the value",
        [good.as_slice(), &[0]].concat(),
    );
    let mut long = good.clone();
    // The length of the signed bytes, written in one byte more than it takes.
    let [low, high] = [good[1], good[2]];
    long.splice(1..3, [low, high | 0x80, 0]);
    let canonical = "not the canonical encoding";
    maker.refuse("non-canonical-outside", "an overlong length", canonical, long);
    let entry = wire::encode(&entry_of(founding));
    let mut long = entry.clone();
    // The sequence number 0 after circle and author.
    long.splice(64..65, [0x80, 0]);
    maker.refuse(
        "non-canonical-inside",
        "an overlong number in what is signed",
        canonical,
        sign_raw(long, ann),
    );
    let mut bidi = entry;
    let at = bidi.windows(3).position(|window| window == b"Ann").unwrap();
    bidi.splice(at..at + 3, *"\u{202e}".as_bytes().first_chunk::<3>().unwrap());
    let error = "malformed: Serde Deserialization Error";
    maker.refuse("name-bidi", "a name that turns the text around", error, sign_raw(bidi, ann));
    maker.refuse("oversized", "4097 bytes", "4097 bytes where at most 4096 are allowed", vec![1; 4097]);
    let entry = entry_of(founding);
    let other = Entry { claimed_ms: NOW + 1, ..entry.clone() };
    let error = "entry of another circle";
    maker.refuse("founding-other", "another founding entry", error, signed(&other, ann));
    let Action::Found(terms) = entry.action.clone() else { panic!("a founding entry") };
    let weak = Recovery { k: 1, keys: vec![PublicKey::new([1; 32]), PublicKey::new([2; 32])] };
    let weak = Action::Found(Founding { recovery: Some(weak), ..terms });
    let error = "recovery takes more than half of the keys, and no more than there are";
    let comment = "one of two keys would do";
    maker.refuse("founding-weak-recovery", comment, error, signed(&Entry { action: weak, ..entry }, ann));
    maker.given = given;
}

fn refused_admissions(maker: &mut Maker, good: &Blob, ann: &SigningKey) {
    let entry = entry_of(good);
    let Action::Admit(admission) = entry.action.clone() else { panic!("an admission") };
    let with = |admission: Admission| Entry { action: Action::Admit(admission), ..entry.clone() };
    let error = "proof of an admission does not match";
    let bad = with(Admission { member_name: name("Bob"), ..admission.clone() });
    maker.refuse("admit-other-name", "not the name that the newcomer gave", error, signed(&bad, ann));
    let bad = with(Admission { redemption: admission.consent, ..admission.clone() });
    maker.refuse("admit-no-redemption", "not signed by the invitation's key", error, signed(&bad, ann));
    let bad = with(Admission { consent: admission.redemption, ..admission.clone() });
    maker.refuse("admit-no-consent", "not signed by the newcomer's device", error, signed(&bad, ann));
    // All signatures hold, but the key is one of the newcomer's own making.
    let (device, own) = (key(2), key(66));
    let Admission { invitation, member_name, device_name, .. } = &admission;
    let parts: [&[u8]; 5] = [
        entry.circle.as_bytes(),
        invitation.as_bytes(),
        admission.device.as_bytes(),
        member_name.as_str().as_bytes(),
        device_name.as_str().as_bytes(),
    ];
    let bad = with(Admission {
        public: PublicKey::new(own.public()),
        redemption: Signature(own.sign("hexode/charter/redemption/1", &parts)),
        consent: Signature(device.sign("hexode/charter/consent/1", &parts)),
        ..admission.clone()
    });
    maker.refuse("admit-own-key", "a key that nobody invited", error, signed(&bad, ann));
    let late = Entry { claimed_ms: NOW + 1001, ..entry };
    maker.add("admit-late", "void", "after the invitation's end", "\"expired\"", signed(&late, ann));
}

/// Entries upon a whole circle that do not fit to it, or do not count.
fn void_and_refused(maker: &mut Maker, charter: &Charter, last: &Blob, keys: &[&SigningKey; 4]) {
    let [ann, ben, cara, phone] = keys;
    let base = entry_of(last);
    let id = Received::decode(last).unwrap().id();
    let next = Entry {
        seq: base.seq + 1,
        previous: Some(id),
        parents: vec![id],
        lamport: base.lamport + 1,
        action: Action::Leave,
        ..base.clone()
    };
    let bad = Entry { lamport: next.lamport + 1, ..next.clone() };
    let error = format!("entry has logical time {}, expected {}", bad.lamport, next.lamport);
    maker.refuse("wrong-lamport", "a logical time of one's own choice", &error, signed(&bad, ben));
    let bad = Entry { seq: next.seq + 1, ..next.clone() };
    let error = "entry does not continue its author's chain";
    maker.refuse("sequence-gap", "a place of the chain is left out", error, signed(&bad, ben));
    let bad = Entry { seq: 0, previous: None, author: DeviceId::new(cara.public()), ..next.clone() };
    let error = "author cites no grant of his";
    maker.refuse("unknown-author", "a stranger cites Ben's grant", error, signed(&bad, cara));
    let bad = Entry { circle: wire::CircleId::new([9; 32]), ..next.clone() };
    maker.refuse("other-circle", "of another circle", "entry of another circle", signed(&bad, ben));
    let twice = Entry { parents: vec![id, id], ..next.clone() };
    let error = "a list that is not in order, or names one thing twice";
    maker.refuse("parents-twice", "one parent named twice", error, signed(&twice, ben));
    let many = (0..17).map(|at| EntryId::new([at; 32])).collect();
    let bad = Entry { parents: many, ..next.clone() };
    maker.refuse("parents-17", "17 parents", "17 parents where at most 16 are allowed", signed(&bad, ben));
    let invitation = EntryId::new([8; 32]);
    let bad = Entry { action: Action::Withdraw { invitation }, ..next.clone() };
    let error = "entry refers to an invitation that its author did not know";
    maker.refuse("unknown-invitation", "an invitation nobody knows", error, signed(&bad, ben));

    let target = Target::Device(DeviceId::new(phone.public()));
    let founding = EntryId::new(*base.circle.as_bytes());
    let bad = Entry { action: Action::Revoke { target, keep: vec![id] }, ..base.clone() };
    let error = "entry refers to an entry to be kept that its author did not know";
    let comment = "Ben keeps an entry that he had not seen";
    maker.refuse("keep-not-known", comment, error, signed(&bad, ben));
    let bad =
        Entry { seq: 0, previous: None, parents: vec![founding], lamport: 1, action: Action::Leave, ..base };
    let comment = "Ben cites a grant which, by his parents, he does not know";
    maker.refuse("cite-not-known", comment, "author cites no grant of his", signed(&bad, ben));

    let target = Target::Device(DeviceId::new(ann.public()));
    let action = Action::Revoke { target, keep: vec![id] };
    let void = Entry { action, ..next.clone() };
    maker.add("revoke-founder", "void", "Ben removes the founder", "\"not-senior\"", signed(&void, ben));
    let device = charter.roster().device(&DeviceId::new(phone.public())).unwrap();
    let action = Action::Invite {
        public: PublicKey::new([7; 32]),
        role: Role::Guest,
        expires_ms: NOW,
        for_member: None,
    };
    let void = Entry { author: device.id, seq: 0, previous: None, cite: device.grant, action, ..next };
    let reason = r#"{"not-allowed":"invite"}"#;
    maker.add("invite-by-member", "void", "a member invites somebody else", reason, signed(&void, phone));
}

fn recovery(maker: &mut Maker) {
    let keys = (1..=3).map(|at| PublicKey::new(key(at + 50).public())).collect::<Vec<_>>();
    let mut keys = keys;
    keys.sort();
    let terms = terms(Some(Recovery { k: 2, keys }));
    let (charter, founding) = Charter::found(&terms, &key(9), NOW, &mut Counting(20)).unwrap();
    maker.circle = charter.circle().to_string();
    maker.given.clear();
    maker.keep("founding-recovery", "a circle whose founder two of three keys can replace", &founding.blob);
    recovered(maker);
}

/// Uses of recovery keys, and sheets as they are typed in.
fn recovered(maker: &mut Maker) {
    let (keys, sheets) = Recovery::draw(2, 3, &mut Counting(30)).unwrap();
    let founding_terms = terms(Some(keys));
    let (mut charter, founding) = Charter::found(&founding_terms, &key(9), NOW, &mut Counting(21)).unwrap();
    maker.circle = charter.circle().to_string();
    maker.given.clear();
    maker.keep("founding-sheets", "a circle whose recovery keys are on sheets", &founding.blob);
    let known = "\"recovery-known\"";
    let set = {
        let (other, _) = Recovery::draw(1, 1, &mut Counting(60)).unwrap();
        let first = entry_of(&founding.blob);
        let id = Received::decode(&founding.blob).unwrap().id();
        Entry {
            circle: charter.circle(),
            seq: 1,
            previous: Some(id),
            parents: vec![id],
            lamport: 1,
            cite: id,
            action: Action::SetRecovery(other),
            ..first
        }
    };
    maker.add("set-recovery-again", "void", "the circle has keys", known, signed(&set, &key(9)));
    let fresh = key(8);
    let mut other = charter.clone();
    let used = charter.recover(&sheets[..2], None, name("new"), &fresh, NOW + 1).unwrap();
    maker.keep("recover", "a device that was never let in takes the founder's place", &used.blob);
    let entry = entry_of(&used.blob);
    let error = "too few recovery keys of this circle have signed";
    let with = |change: &dyn Fn(&mut charter::Recovering)| {
        let mut entry = entry.clone();
        if let Action::Recover(recovering) = &mut entry.action {
            change(recovering);
        }
        signed(&entry, &fresh)
    };
    maker.refuse("recover-by-one", "one key of two", error, with(&|by| by.signatures.truncate(1)));
    maker.refuse("recover-altered", "not what the keys signed", error, with(&|by| by.device = name("old")));
    let again =
        Entry { seq: 1, previous: Some(used.id), parents: vec![used.id], lamport: 2, ..entry.clone() };
    maker.refuse("recover-again", "signatures serve for one entry", error, signed(&again, &fresh));
    let rival = other.recover(&sheets[1..], None, name("other"), &key(7), NOW + 1).unwrap();
    // Of two at a time the smaller id stands.
    let (first, second) = (used.id.min(rival.id), used.id.max(rival.id));
    if second == rival.id {
        let reason = format!(r#"{{"recovered-elsewhere":{{"by":"{first}"}}}}"#);
        maker.add("recover-rival", "void", "two uses at a time", &reason, rival.blob.0);
    } else {
        maker.add("recover-rival", "accepted", "two uses at a time", "", rival.blob.0);
    }
    let gone = DeviceId::new(key(9).public());
    let said = charter.verify(gone, Some(Method::Emoji), &fresh, NOW + 2).unwrap();
    let mut entry = entry_of(&said.blob);
    maker.keep("verify", "signs were compared with the device that was removed", &said.blob);
    if let Action::Verify { device, .. } = &mut entry.action {
        *device = entry.author;
    }
    let reason = "\"no-such-target\"";
    maker.add("verify-oneself", "void", "nobody compares keys with himself", reason, signed(&entry, &fresh));
    let words = sheets[0].to_words().to_string();
    let public = EntryId::new(*sheets[0].public().as_bytes()).to_string();
    let mut sheet = |name, comment: &str, text: String, expect: &str, detail: (&'static str, String)| {
        let head = vec![
            ("expect", expect.to_owned()),
            ("kind", "sheet".to_owned()),
            ("comment", comment.to_owned()),
            detail,
        ];
        maker.all.push(Made { name, head, bytes: text.into_bytes() });
    };
    sheet("sheet", "sixteen words", words.clone(), "accepted", ("public", public));
    let short = words.rsplit_once(' ').unwrap().0.to_owned();
    let error = "a recovery sheet has sixteen words".to_owned();
    sheet("sheet-short", "the last word is missing", short.clone(), "refused", ("error", error));
    let last = if words.ends_with(" zoo") { "zone" } else { "zoo" };
    let error = "the words do not belong together: one is wrong, or two have changed places".to_owned();
    sheet("sheet-typo", "another last word", format!("{short} {last}"), "refused", ("error", error));
}

fn links(maker: &mut Maker, invitation: &Invitation) {
    let link = invitation.to_link();
    maker.link("link", "the invitation to the entry `invite`", link.clone(), Ok(invitation));
    let mut typo = link.clone();
    typo.replace_range(60..61, if &link[60..61] == "x" { "y" } else { "x" });
    let error = "invitation is damaged: a character is wrong";
    maker.link("link-typo", "one character is wrong", typo, Err(error));
    let error = "invitation is incomplete: its end is missing";
    maker.link("link-cut", "the last character is missing", link[..link.len() - 1].to_owned(), Err(error));
    let error = "not an invitation: it should begin with \"hexode:\"";
    maker.link("link-other", "not one of ours", link.replace("hexode:", "hexane:"), Err(error));
    let mut newer = vec![2, 0, 1, 0];
    let sum = crypto::hash("hexode/charter/link-checksum/1", &[&newer]);
    newer.extend(&sum[..4]);
    let newer = format!("hexode:{}", data_encoding::BASE64URL_NOPAD.encode(&newer));
    let error = "invitation from a newer Hexode (format 2, known up to 1)";
    maker.link("link-newer", "a later format", newer, Err(error));
}
