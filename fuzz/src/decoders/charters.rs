use charter::{
    Accepted, Charter, FoundingTerms, Invitation, Keep, Method, Newcomer, Recovery, Redemption, Role, Sheet,
    Subject, Terms,
};
use crypto::{Entropy, SigningKey};
use data_encoding::BASE64URL_NOPAD;
use wire::{Blob, DeviceId, Name, limits};

use super::{Bound, Counter, Decoder, SMALL};

pub(super) fn decoders() -> Vec<Decoder> {
    let circle = Circle::new();
    let link = circle.open.to_link();
    let redemption = circle.open.redeem(&circle.cara, name("Cara"), name("Laptop"));
    vec![
        entry(&circle),
        restore(&circle),
        redeem(&circle, &redemption),
        invitation(&link),
        content(&link),
        sheet(&circle),
    ]
}

/// An entry as it comes from another device.
fn entry(circle: &Circle) -> Decoder {
    let base = circle.base.clone();
    Decoder {
        name: "charter-entry",
        seeds: circle.next().into_iter().map(|accepted| accepted.blob.0).collect(),
        bound: Bound { constant: 64 << 10, ..SMALL },
        run: Box::new(move |bytes| {
            let mut charter = base.clone();
            let accepted = charter.handle_entry(Blob(bytes.to_vec()));
            charter.roster();
            charter.have();
            accepted.is_ok_and(|accepted| !accepted.is_empty())
        }),
    }
}

/// Entries as the vault gives them back, whose signatures are not checked: what the fold makes of anything.
fn restore(circle: &Circle) -> Decoder {
    let id = circle.base.circle();
    let with = |more: Accepted| {
        let mut entries = circle.entries.clone();
        entries.push(more.blob);
        wire::encode(&entries)
    };
    Decoder {
        name: "charter-restore",
        seeds: circle.next().into_iter().map(with).collect(),
        bound: Bound { factor: 32, constant: 64 << 10, ..SMALL },
        run: Box::new(move |bytes| {
            let Ok(entries) = wire::decode::<Vec<Blob>>(bytes, limits::FRAME) else { return false };
            let Ok(charter) = Charter::restore(id, entries) else { return false };
            charter.roster();
            true
        }),
    }
}

/// What a newcomer asks for when he knocks.
fn redeem(circle: &Circle, redemption: &Redemption) -> Decoder {
    let (base, ann) = (circle.base.clone(), circle.ann.clone());
    Decoder {
        name: "redemption",
        seeds: vec![wire::encode(redemption)],
        bound: Bound { constant: 64 << 10, ..SMALL },
        run: Box::new(move |bytes| {
            let Ok(redemption) = wire::decode::<Redemption>(bytes, limits::CHARTER_ENTRY) else {
                return false;
            };
            base.clone().admit(&redemption, &ann, NOW_MS).is_ok()
        }),
    }
}

/// The link as a person pastes it.
fn invitation(link: &str) -> Decoder {
    let folded: Vec<String> =
        link.as_bytes().chunks(60).map(|line| String::from_utf8_lossy(line).into()).collect();
    Decoder {
        name: "invitation",
        seeds: vec![link.as_bytes().to_vec(), folded.join("\r\n ").into_bytes()],
        bound: SMALL,
        run: Box::new(|bytes| std::str::from_utf8(bytes).is_ok_and(reads)),
    }
}

/// What is inside a link, each with a length and checksum that fit: few mutations of a link would get that far.
fn content(link: &str) -> Decoder {
    let code = link.strip_prefix(SCHEME).unwrap_or_default();
    let bytes = BASE64URL_NOPAD.decode(code.as_bytes()).unwrap_or_default();
    Decoder {
        name: "invitation-content",
        seeds: vec![bytes.get(3..bytes.len().saturating_sub(4)).unwrap_or_default().to_vec()],
        // An invitation of at most 1 KiB can say it has as many addresses as it has bytes.
        bound: Bound { constant: 64 << 10, ..SMALL },
        run: Box::new(|content| {
            let Ok(length) = u16::try_from(content.len()) else { return false };
            let mut bytes = vec![1];
            bytes.extend(length.to_be_bytes());
            bytes.extend_from_slice(content);
            let sum = crypto::hash("hexode/charter/link-checksum/1", &[&bytes]);
            bytes.extend(sum.iter().take(4));
            reads(&format!("{SCHEME}{}", BASE64URL_NOPAD.encode(&bytes)))
        }),
    }
}

/// A recovery sheet as a person types it in.
fn sheet(circle: &Circle) -> Decoder {
    let words = circle.sheets.iter().map(|sheet| sheet.to_words().as_bytes().to_vec());
    Decoder {
        name: "sheet",
        seeds: words.collect(),
        bound: SMALL,
        run: Box::new(|bytes| {
            let Some(sheet) = std::str::from_utf8(bytes).ok().and_then(|text| text.parse::<Sheet>().ok())
            else {
                return false;
            };
            assert_eq!(sheet.to_words().parse::<Sheet>().as_ref(), Ok(&sheet), "a sheet is read back");
            true
        }),
    }
}

fn reads(text: &str) -> bool {
    let Ok(invitation) = text.parse::<Invitation>() else { return false };
    assert_eq!(invitation.to_link().parse::<Invitation>().as_ref(), Ok(&invitation), "a link is read back");
    true
}

/// Ann's circle, with Ben in it and an invitation open for Cara.
struct Circle {
    ann: SigningKey,
    ben: SigningKey,
    cara: SigningKey,
    base: Charter,
    entries: Vec<Blob>,
    open: Invitation,
    sheets: Vec<Sheet>,
}

impl Circle {
    fn new() -> Self {
        let [ann, ben, cara] = [1, 2, 3].map(|seed| SigningKey::from_seed(&[seed; 32]));
        let entropy: &mut dyn Entropy = &mut Counter(0);
        let (recovery, sheets) = Recovery::draw(2, 3, entropy).expect("more than half");
        let (circle, founder, device) = (name("Family"), name("Ann"), name("Laptop"));
        let terms = FoundingTerms { circle, founder, device, recovery: Some(recovery) };
        let (mut base, founding) = Charter::found(&terms, &ann, NOW_MS, entropy).expect("fair terms");
        let mut invite = |base: &mut Charter| {
            let terms = Terms { newcomer: Newcomer::Other(Role::Member), expires_ms: NOW_MS + 1000 };
            let hint = charter::Hint {
                device: DeviceId::new(ann.public()),
                addresses: ["192.0.2.1:4000", "[2001:db8::1]:4000"]
                    .iter()
                    .filter_map(|at| at.parse().ok())
                    .collect(),
            };
            base.invite(terms, vec![hint], &ann, NOW_MS, entropy).expect("a founder invites")
        };
        let (invited, bens) = invite(&mut base);
        let redemption = bens.redeem(&ben, name("Ben"), name("Phone"));
        let admitted = base.admit(&redemption, &ann, NOW_MS).expect("the invitation is open");
        let (waiting, open) = invite(&mut base);
        let entries = [founding, invited, admitted, waiting].map(|accepted| accepted.blob).into();
        Self { ann, ben, cara, base, entries, open, sheets }
    }

    /// One entry of every kind that could come next.
    fn next(&self) -> Vec<Accepted> {
        let ben = DeviceId::new(self.ben.public());
        let after = || self.base.clone();
        let terms = Terms { newcomer: Newcomer::OwnDevice, expires_ms: NOW_MS + 1000 };
        let redemption = self.open.redeem(&self.cara, name("Cara"), name("Laptop"));
        let mut next = vec![
            after()
                .invite(terms, Vec::new(), &self.ann, NOW_MS, &mut Counter(9))
                .map(|(accepted, _)| accepted),
            after().withdraw(self.open.id(), &self.ann, NOW_MS),
            after().admit(&redemption, &self.ann, NOW_MS),
            after().admit(&redemption, &self.ben, NOW_MS),
            after().remove_device(ben, Keep::Seen, &self.ann, NOW_MS),
            after().leave(&self.ben, NOW_MS),
            after().verify(ben, Some(Method::Code), &self.ann, NOW_MS),
            after().recover(self.sheets.get(1..).unwrap_or_default(), None, name("New"), &self.cara, NOW_MS),
            after().recover(
                &self.sheets,
                Recovery::draw(1, 1, &mut Counter(99)).ok().map(|(next, _)| next),
                name("New"),
                &self.ben,
                NOW_MS,
            ),
            after().rename(Subject::Circle, name("The Family"), &self.ann, NOW_MS),
            after().rename(Subject::Member, name("Benjamin"), &self.ben, NOW_MS),
        ];
        next.extend(
            after()
                .change_role(ben, Role::Admin, &self.ann, NOW_MS)
                .map(|entries| entries.into_iter().map(Ok))
                .into_iter()
                .flatten(),
        );
        next.into_iter().filter_map(Result::ok).collect()
    }
}

fn name(text: &str) -> Name {
    text.parse().expect("a plain name")
}

const SCHEME: &str = "hexode:";
const NOW_MS: u64 = 1_700_000_000_000;
