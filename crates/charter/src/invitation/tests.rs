#![allow(clippy::string_slice, reason = "a link is ASCII")]

use proptest::prelude::*;
use wire::limits;

use super::*;

struct Fixed(u8);

impl Entropy for Fixed {
    fn fill(&mut self, out: &mut [u8]) {
        out.fill(self.0);
    }
}

fn invitation(hints: usize, addresses: usize) -> Invitation {
    let address = |at: usize| SocketAddr::from(([0x2001, 0xdb8, 0, 0, 0, 0, 0, at as u16], 65_535));
    let hint = |at: usize| Hint {
        device: DeviceId::new([at as u8; 32]),
        addresses: (0..addresses).map(address).collect(),
    };
    let hints = (0..hints).map(hint).collect();
    let draft = Invitation::draft(CircleId::new([3; 32]), u64::MAX, hints, &mut Fixed(5));
    draft.published(EntryId::new([4; 32]))
}

#[test]
fn a_link_is_read_back_and_never_too_large() {
    for (hints, addresses) in [(0, 0), (1, 2), (4, 8), (9, 99)] {
        let invitation = invitation(hints, addresses);
        let link = invitation.to_link();
        assert_eq!(link.parse::<Invitation>(), Ok(invitation.clone()));
        assert!(link.len() <= limits::INVITATION * 4 / 3 + SCHEME.len());
        let folded = format!(" HEXODE:{}\r\n {}\n", &link[7..40], &link[40..]);
        assert_eq!(folded.parse(), Ok(invitation), "as a mail program may have left it");
    }
}

#[test]
fn every_wrong_character_is_noticed_and_every_missing_end() {
    let link = invitation(1, 1).to_link();
    for at in SCHEME.len()..link.len() {
        let mut typo = link.clone().into_bytes();
        typo[at] = if typo[at] == b'A' { b'B' } else { b'A' };
        let error = String::from_utf8(typo).unwrap().parse::<Invitation>().unwrap_err();
        // A wrong length looks like a wrong end.
        let allowed = [InvitationError::Damaged, InvitationError::Truncated];
        assert!(allowed.contains(&error), "{at}: {error}");
        assert_eq!(link[..at].parse::<Invitation>(), Err(InvitationError::Truncated), "cut at {at}");
    }
    assert_eq!(format!("{link}A").parse::<Invitation>(), Err(InvitationError::Damaged));
    for other in ["", "hex", "https://hexode.example/x", "hexodé:AAAA"] {
        assert_eq!(other.parse::<Invitation>(), Err(InvitationError::NotAnInvitation));
    }
    assert_eq!("hexode:".parse::<Invitation>(), Err(InvitationError::Truncated));
    assert_eq!("x".repeat(1 << 20).parse::<Invitation>(), Err(InvitationError::TooLong));
}

#[test]
fn a_link_of_a_later_version_says_so() {
    let mut bytes = vec![VERSION + 1, 0, 3, 9, 9, 9];
    bytes.extend(checksum(&bytes.clone()));
    let link = format!("{SCHEME}{}", BASE64URL_NOPAD.encode(&bytes));
    assert_eq!(link.parse::<Invitation>(), Err(InvitationError::Newer { found: VERSION + 1 }));
}

#[test]
fn time_counts_to_the_last_millisecond() {
    let mut invitation = invitation(0, 0);
    invitation.expires_ms = 10;
    assert_eq!(invitation.check_time(10), Ok(()));
    assert_eq!(invitation.check_time(11), Err(InvitationError::Expired { expires_ms: 10 }));
}

#[test]
fn a_proof_holds_for_its_context_and_key_only() {
    let invitation = invitation(0, 0);
    let proof = invitation.prove(b"exporter");
    assert!(invitation.public().verify_proof(b"exporter", &proof).is_ok());
    assert!(invitation.public().verify_proof(b"another", &proof).is_err());
    assert!(PublicKey::new([1; 32]).verify_proof(b"exporter", &proof).is_err());
}

#[test]
fn the_secret_is_never_shown() {
    let invitation = invitation(1, 1);
    let shown = format!("{invitation:?}{:?}", invitation.key());
    assert!(!shown.contains("5, 5") && !shown.contains("0505"));
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "(hexode:)?[A-Za-z0-9_-]{0,80}|.{0,40}") {
        let _ = text.parse::<Invitation>();
    }

    #[test]
    fn no_body_makes_it_panic(body in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut bytes = vec![VERSION];
        bytes.extend((body.len() as u16).to_be_bytes());
        bytes.extend(&body);
        bytes.extend(checksum(&bytes.clone()));
        let link = format!("{SCHEME}{}", BASE64URL_NOPAD.encode(&bytes));
        let _ = link.parse::<Invitation>();
    }
}
