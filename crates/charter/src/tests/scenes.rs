use super::world::{HOUR, NOW, Person, ann, key, meet, name};
use crate::{
    Act, Action, Charter, CommandError, InvitationState, Keep, Method, Newcomer, PublicKey, RestoreError,
    Role, Subject, Target, VoidReason,
};

#[test]
fn a_founded_circle_has_its_founder() {
    let ann = ann();
    let roster = ann.charter.roster();
    assert_eq!(roster.circle_name(), Some(&name("Hexagon")));
    let device = roster.device(&ann.id()).unwrap();
    assert_eq!((device.role, device.name.as_str(), device.since_ms), (Role::Founder, "laptop", NOW));
    assert_eq!(roster.member_of(&ann.id()).unwrap().name, name("Ann"));
    assert_eq!(roster.circle().as_bytes(), ann.grant().as_bytes());
}

#[test]
fn any_member_admits_while_the_inviter_sleeps() {
    let mut ann = ann();
    let invitation = ann.invite(Newcomer::Other(Role::Member)).unwrap();
    let mut ben = ann.bring(2, Role::Member);
    let cara = ben.admit(3, &invitation).unwrap();
    assert!(!ann.is_in(&cara));
    ann.hear(&ben);
    assert!(ann.is_in(&cara));
    let device = ann.charter.roster().device(&cara.id()).unwrap();
    assert_eq!((device.admitted_by, device.invited_by), (ben.id(), Some(ann.id())));
    let used = ann.charter.roster().invitations()[&invitation.id()].state;
    assert!(matches!(used, InvitationState::Used { device, .. } if device == cara.id()));
    assert_eq!(ann.charter.roster(), cara.charter.roster());
}

#[test]
fn a_guest_admits_nobody_but_a_device_of_his_own() {
    let mut ann = ann();
    let invitation = ann.invite(Newcomer::Other(Role::Guest)).unwrap();
    let mut gus = ann.bring(2, Role::Guest);
    let refused = CommandError::NotAllowed { role: Role::Guest, act: Act::Admit };
    assert_eq!(gus.admit(3, &invitation).unwrap_err(), refused);
    let own = gus.invite(Newcomer::OwnDevice).unwrap();
    let phone = gus.admit(4, &own).unwrap();
    assert_eq!(phone.member(), gus.member());
    assert_eq!(gus.charter.roster().members().len(), 2);
    assert_eq!(gus.charter.roster().device(&phone.id()).unwrap().role, Role::Guest);
}

#[test]
fn a_member_who_may_not_admit_an_admin_learns_who_may() {
    let mut ann = ann();
    let invitation = ann.invite(Newcomer::Other(Role::Admin)).unwrap();
    let mut ben = ann.bring(2, Role::Member);
    let refused = CommandError::AdmitterNotSenior { could: vec![ann.id()] };
    assert_eq!(ben.admit(3, &invitation).unwrap_err(), refused);
    ann.hear(&ben);
    assert!(ann.admit(3, &invitation).is_ok());
}

#[test]
fn members_and_guests_invite_nobody_else() {
    let mut ann = ann();
    for role in [Role::Member, Role::Guest] {
        let mut ben = ann.bring(role as u8 + 2, role);
        let refused = CommandError::NotAllowed { role, act: Act::Invite };
        assert_eq!(ben.invite(Newcomer::Other(Role::Guest)).unwrap_err(), refused);
    }
    let refused = CommandError::NotAllowed { role: Role::Founder, act: Act::Invite };
    assert_eq!(ann.invite(Newcomer::Other(Role::Founder)).unwrap_err(), refused);
}

#[test]
fn nobody_makes_founders_or_devices_of_others() {
    let mut ann = ann();
    let ben = ann.bring(2, Role::Admin);
    let invite = |role, for_member| {
        let public = PublicKey::new([7; 32]);
        Action::Invite { public, role, expires_ms: NOW, for_member }
    };
    let link = VoidReason::NotAllowed(Act::LinkDevice);
    for (action, reason) in [
        (Action::Grant { of: ben.grant(), role: Role::Founder }, VoidReason::NotAllowed(Act::ChangeRole)),
        (invite(Role::Founder, None), VoidReason::NotAllowed(Act::Invite)),
        (invite(Role::Admin, Some(ben.member())), link),
        (invite(Role::Founder, Some(ben.member())), link),
        (invite(Role::Guest, Some(ann.member())), link),
    ] {
        let entry = ann.charter.handle_entry(ann.forge(&ann.heads(), ann.grant(), action)).unwrap();
        assert_eq!(ann.void_reason(&entry[0]), Some(reason));
    }
}

#[test]
fn an_invitation_lets_in_one_device() {
    let mut ann = ann();
    let invitation = ann.invite(Newcomer::Other(Role::Member)).unwrap();
    let ben = ann.admit(2, &invitation).unwrap();
    assert_eq!(ann.admit(3, &invitation).unwrap_err(), CommandError::InvitationUsed { device: ben.id() });
}

#[test]
fn of_two_who_come_in_at_a_time_the_one_stays_whom_the_more_senior_admitted() {
    let mut ann = ann();
    let mut ben = ann.bring(2, Role::Member);
    let invitation = ann.invite(Newcomer::Other(Role::Member)).unwrap();
    ben.hear(&ann);
    let mut cara = ben.admit(3, &invitation).unwrap();
    let mut dan = ann.admit(4, &invitation).unwrap();
    meet(&mut [&mut ann, &mut ben, &mut cara, &mut dan]);
    assert!(ann.is_in(&dan) && !ann.is_in(&cara));
    let [void] = ann.charter.roster().void_entries() else { panic!("one admission is void") };
    assert_eq!(void.author, ben.id());
    assert!(matches!(void.reason, VoidReason::UsedElsewhere { .. }));
}

#[test]
fn a_withdrawn_invitation_admits_nobody() {
    let mut ann = ann();
    let mut ben = ann.bring(2, Role::Member);
    let invitation = ann.invite(Newcomer::Other(Role::Member)).unwrap();
    ben.hear(&ann);
    let denied = ben.charter.withdraw(invitation.id(), &ben.key, NOW).unwrap_err();
    assert_eq!(denied, CommandError::NotAllowed { role: Role::Member, act: Act::Withdraw });
    let _ = ann.charter.withdraw(invitation.id(), &ann.key, NOW).unwrap();
    // Ben admits without having heard of it.
    let mut cara = ben.admit(3, &invitation).unwrap();
    meet(&mut [&mut ann, &mut ben, &mut cara]);
    assert!(!ann.is_in(&cara));
    assert!(matches!(ann.charter.roster().void_entries()[0].reason, VoidReason::Withdrawn { .. }));
    assert_eq!(ann.admit(4, &invitation).unwrap_err(), CommandError::InvitationWithdrawn);
}

#[test]
fn a_younger_device_withdraws_nothing_of_the_older_one() {
    let mut ann = ann();
    let mut ben = ann.bring(2, Role::Admin);
    let own = ben.invite(Newcomer::OwnDevice).unwrap();
    let mut phone = ben.admit(3, &own).unwrap();
    let of_phone = phone.invite(Newcomer::Other(Role::Member)).unwrap();
    let of_ben = ben.invite(Newcomer::Other(Role::Member)).unwrap();
    meet(&mut [&mut ann, &mut ben, &mut phone]);
    let refused = phone.charter.withdraw(of_ben.id(), &phone.key, NOW).unwrap_err();
    assert_eq!(refused, CommandError::NotSenior);
    let forged = Action::Withdraw { invitation: of_ben.id() };
    let forged = phone.forge(&phone.heads(), phone.grant(), forged);
    let entry = ann.charter.handle_entry(forged).unwrap();
    assert_eq!(ann.void_reason(&entry[0]), Some(VoidReason::NotSenior));
    assert!(ann.charter.roster().invitations()[&of_ben.id()].is_open(NOW));
    let _ = ben.charter.withdraw(of_phone.id(), &ben.key, NOW).unwrap();
    assert!(!ben.charter.roster().invitations()[&of_phone.id()].is_open(NOW));
}

#[test]
fn an_expired_invitation_admits_nobody() {
    let mut ann = ann();
    let invitation = ann.invite(Newcomer::Other(Role::Member)).unwrap();
    let redemption = invitation.redeem(&key(2), name("Ben"), name("phone"));
    let late = ann.charter.admit(&redemption, &ann.key, NOW + HOUR + 1);
    assert_eq!(late.unwrap_err(), CommandError::Expired);
    assert!(ann.charter.admit(&redemption, &ann.key, NOW + HOUR).is_ok());
}

#[test]
fn a_redemption_for_another_device_or_name_is_refused() {
    let mut ann = ann();
    let invitation = ann.invite(Newcomer::Other(Role::Member)).unwrap();
    let other = ann.invite(Newcomer::Other(Role::Admin)).unwrap();
    let good = invitation.redeem(&key(2), name("Ben"), name("phone"));
    let bytes = wire::encode(&good);
    for (from, to) in [(b"Ben".as_slice(), b"Bob".as_slice()), (b"phone", b"stone")] {
        let at = bytes.windows(from.len()).position(|window| window == from).unwrap();
        let mut bad = bytes.clone();
        bad[at..at + to.len()].copy_from_slice(to);
        let bad = wire::decode(&bad, 1 << 10).unwrap();
        assert_eq!(ann.charter.admit(&bad, &ann.key, NOW), Err(CommandError::Redemption));
    }
    let at = bytes.windows(32).position(|window| window == invitation.id().as_bytes()).unwrap();
    let mut bad = bytes;
    bad[at..at + 32].copy_from_slice(other.id().as_bytes());
    let bad = wire::decode(&bad, 1 << 10).unwrap();
    assert_eq!(ann.charter.admit(&bad, &ann.key, NOW), Err(CommandError::Redemption));
}

#[test]
fn a_removed_member_is_out_with_all_devices_and_what_he_backdates_is_void() {
    let mut ann = ann();
    let mut ben = ann.bring(2, Role::Admin);
    let own = ben.invite(Newcomer::OwnDevice).unwrap();
    ann.hear(&ben);
    let before = ben.heads();
    let member = ben.member();
    let removal = ann.charter.remove_member(member, Keep::Seen, &ann.key, NOW).unwrap();
    // A device of his that the remover has not seen, and an invitation upon a past without the removal.
    let mut phone = ben.admit(3, &own).unwrap();
    let invite = Action::Invite {
        public: PublicKey::new([7; 32]),
        role: Role::Member,
        expires_ms: u64::MAX,
        for_member: None,
    };
    let forged = ben.forge(&before, ben.grant(), invite);
    let late = ann.charter.handle_entry(forged).unwrap();
    assert_eq!(ann.void_reason(&late[0]), Some(VoidReason::Removed { by: removal.id }));
    meet(&mut [&mut ann, &mut ben, &mut phone]);
    assert!(!ann.is_in(&ben) && !ann.is_in(&phone));
    assert_eq!(ann.charter.roster().removed()[&ben.id()].by, ann.id());
    assert_eq!(ann.charter.roster().members().len(), 1);
    assert_eq!(ben.invite(Newcomer::OwnDevice).unwrap_err(), CommandError::NotInCircle);
}

#[test]
fn the_open_invitations_of_a_removed_inviter_are_dead() {
    let mut ann = ann();
    let mut ben = ann.bring(2, Role::Admin);
    let mut cara = ann.bring(3, Role::Member);
    let invitation = ben.invite(Newcomer::Other(Role::Member)).unwrap();
    meet(&mut [&mut ann, &mut ben, &mut cara]);
    let _ = ann.charter.remove_device(ben.id(), Keep::Seen, &ann.key, NOW).unwrap();
    assert_eq!(ann.admit(4, &invitation).unwrap_err(), CommandError::InvitationWithdrawn);
    // Cara has not heard, and admits.
    let mut dan = cara.admit(4, &invitation).unwrap();
    meet(&mut [&mut ann, &mut cara, &mut dan]);
    assert!(!ann.is_in(&dan));
}

#[test]
fn a_guilty_admitter_cannot_bring_a_removed_member_back_with_his_old_invitation() {
    let mut ann = ann();
    let mut ben = ann.bring(2, Role::Member);
    let mut cara = ann.bring(3, Role::Member);
    let own = ben.invite(Newcomer::OwnDevice).unwrap();
    meet(&mut [&mut ann, &mut ben, &mut cara]);
    let removal = ann.charter.remove_device(ben.id(), Keep::Seen, &ann.key, NOW).unwrap();
    cara.hear(&ann);
    let redemption = own.redeem(&key(9), name("Ben"), name("phone"));
    let action = Action::Admit(redemption.admission().clone());
    let forged = cara.forge(&cara.heads(), cara.grant(), action);
    let entry = ann.charter.handle_entry(forged).unwrap();
    assert_eq!(ann.void_reason(&entry[0]), Some(VoidReason::Removed { by: removal.id }));
    assert_eq!(ann.charter.roster().devices().len(), 2);
}

#[test]
fn nobody_removes_the_founder_or_an_equal() {
    let mut ann = ann();
    let mut ben = ann.bring(2, Role::Admin);
    let mut cara = ann.bring(3, Role::Admin);
    meet(&mut [&mut ann, &mut ben, &mut cara]);
    for target in [ann.id(), cara.id()] {
        let refused = ben.charter.remove_device(target, Keep::Seen, &ben.key, NOW).unwrap_err();
        assert_eq!(refused, CommandError::NotSenior);
        let action = Action::Revoke { target: Target::Device(target), keep: Vec::new() };
        let forged = ben.forge(&ben.heads(), ben.grant(), action);
        let entry = ann.charter.handle_entry(forged).unwrap();
        assert_eq!(ann.void_reason(&entry[0]), Some(VoidReason::NotSenior));
    }
    assert!(ann.is_in(&ann) && ann.is_in(&cara));
}

#[test]
fn a_removal_that_would_leave_the_device_in_is_an_error() {
    let mut ann = ann();
    let mut ben = ann.bring(2, Role::Admin);
    let mut cara = ben.bring(3, Role::Member);
    meet(&mut [&mut ann, &mut ben, &mut cara]);
    let _ = ann.charter.change_role(cara.id(), Role::Admin, &ann.key, NOW).unwrap();
    ben.hear(&ann);
    // Ben is senior to what he gave her, not to what Ann did.
    let refused = ben.charter.remove_device(cara.id(), Keep::Seen, &ben.key, NOW).unwrap_err();
    assert_eq!(refused, CommandError::NotSenior);
    let member = ben.charter.roster().device(&cara.id()).unwrap().member;
    let refused = ben.charter.remove_member(member, Keep::Seen, &ben.key, NOW).unwrap_err();
    assert_eq!(refused, CommandError::NotSenior);
    let refused = ben.charter.change_role(cara.id(), Role::Guest, &ben.key, NOW).unwrap_err();
    assert_eq!(refused, CommandError::NotSenior);
    assert_eq!(ben.charter.digest(), ann.charter.digest(), "nothing was written");
}

#[test]
fn an_older_device_removes_a_younger_one_of_the_same_member_only() {
    let mut ann = ann();
    let mut ben = ann.bring(2, Role::Member);
    let mut cara = ann.bring(3, Role::Member);
    let own = ben.invite(Newcomer::OwnDevice).unwrap();
    let mut phone = ben.admit(4, &own).unwrap();
    meet(&mut [&mut ann, &mut ben, &mut cara, &mut phone]);
    let refused = phone.charter.remove_device(ben.id(), Keep::Seen, &phone.key, NOW).unwrap_err();
    assert_eq!(refused, CommandError::NotSenior);
    let refused = cara.charter.remove_device(phone.id(), Keep::Seen, &cara.key, NOW).unwrap_err();
    assert_eq!(refused, CommandError::NotAllowed { role: Role::Member, act: Act::Remove });
    let _ = ben.charter.remove_device(phone.id(), Keep::Seen, &ben.key, NOW).unwrap();
    assert!(!ben.is_in(&phone) && ben.is_in(&ben));
}

#[test]
fn a_retroactive_removal_undoes_what_was_seen() {
    let mut ann = ann();
    let mut ben = ann.bring(2, Role::Admin);
    let cara = ben.bring(3, Role::Member);
    ann.hear(&ben);
    let mut lenient = ann.clone();
    let _ = lenient.charter.remove_device(ben.id(), Keep::Seen, &ann.key, NOW).unwrap();
    assert!(lenient.is_in(&cara));
    let _ = ann.charter.remove_device(ben.id(), Keep::Only(Vec::new()), &ann.key, NOW).unwrap();
    assert!(!ann.is_in(&cara) && !ann.is_in(&ben));
}

#[test]
fn an_invitation_spent_on_a_void_admission_lets_in_nobody_else() {
    let mut ann = ann();
    let invitation = ann.invite(Newcomer::Other(Role::Member)).unwrap();
    let mut ben = ann.bring(2, Role::Member);
    let cara = ben.admit(3, &invitation).unwrap();
    ann.hear(&ben);
    let keep = Keep::Only(vec![ben.grant()]);
    let _ = ann.charter.remove_device(ben.id(), keep, &ann.key, NOW).unwrap();
    assert!(!ann.is_in(&cara));
    let InvitationState::Spent { by } = ann.charter.roster().invitations()[&invitation.id()].state else {
        panic!("spent")
    };
    assert_eq!(ann.admit(4, &invitation).unwrap_err(), CommandError::InvitationSpent { by });
    // But Cara can be let in again by what was void.
    assert_eq!(ann.charter.change_role(cara.id(), Role::Member, &ann.key, NOW).unwrap().len(), 1);
    assert!(ann.is_in(&cara));
}

#[test]
fn a_removed_device_comes_back_by_who_knows_of_the_removal() {
    let mut ann = ann();
    let mut ben = ann.bring(2, Role::Member);
    let _ = ann.charter.remove_device(ben.id(), Keep::Seen, &ann.key, NOW).unwrap();
    assert!(!ann.is_in(&ben));
    let back = ann.charter.change_role(ben.id(), Role::Guest, &ann.key, NOW).unwrap();
    assert_eq!(back.len(), 1);
    ben.hear(&ann);
    assert_eq!(ben.charter.roster().device(&ben.id()).unwrap().role, Role::Guest);
}

#[test]
fn promotion_and_demotion_change_what_a_device_may() {
    let mut ann = ann();
    let mut ben = ann.bring(2, Role::Member);
    let _ = ann.charter.change_role(ben.id(), Role::Admin, &ann.key, NOW).unwrap();
    ben.hear(&ann);
    assert!(ben.charter.roster().may(&ben.id(), Act::Invite));
    let cara = ben.bring(3, Role::Member);
    ann.hear(&ben);
    let entries = ann.charter.change_role(ben.id(), Role::Member, &ann.key, NOW).unwrap();
    assert_eq!(entries.len(), 2);
    ben.hear(&ann);
    assert!(!ben.charter.roster().may(&ben.id(), Act::Invite));
    assert!(ben.is_in(&cara) && ben.is_in(&ben));
    let refused = ben.charter.change_role(cara.id(), Role::Admin, &ben.key, NOW).unwrap_err();
    assert_eq!(refused, CommandError::NotAllowed { role: Role::Member, act: Act::ChangeRole });
}

#[test]
fn whoever_had_another_role_before_or_came_back_is_removed_by_the_last_removal() {
    let mut ann = ann();
    let ben = ann.bring(2, Role::Admin);
    let by = |ann: &Person| ann.charter.roster().removed()[&ben.id()].entry;
    // Three times, so that no order of ids can hide a mistake.
    for _ in 0..3 {
        for role in [Role::Member, Role::Guest] {
            let _ = ann.charter.change_role(ben.id(), role, &ann.key, NOW).unwrap();
        }
        let removal = ann.charter.remove_member(ben.member(), Keep::Seen, &ann.key, NOW).unwrap();
        assert_eq!(by(&ann), removal.id);
    }
}

#[test]
fn a_seniors_promotion_prevails_over_a_juniors_removal_at_the_same_time() {
    let mut ann = ann();
    let mut ben = ann.bring(2, Role::Admin);
    let mut cara = ben.bring(3, Role::Member);
    ann.hear(&cara);
    let _ = ben.charter.remove_device(cara.id(), Keep::Seen, &ben.key, NOW).unwrap();
    let _ = ann.charter.change_role(cara.id(), Role::Admin, &ann.key, NOW).unwrap();
    meet(&mut [&mut ann, &mut ben, &mut cara]);
    assert_eq!(ann.charter.roster().device(&cara.id()).unwrap().role, Role::Admin);
}

#[test]
fn who_leaves_is_out_and_his_invitations_with_him() {
    let mut ann = ann();
    let mut ben = ann.bring(2, Role::Admin);
    let mut cara = ann.bring(3, Role::Member);
    let invitation = ben.invite(Newcomer::Other(Role::Member)).unwrap();
    let mut copy = ben.clone();
    let _ = ben.charter.leave(&ben.key, NOW).unwrap();
    meet(&mut [&mut ann, &mut ben, &mut cara]);
    assert!(!ann.is_in(&ben));
    assert_eq!(ann.charter.roster().removed()[&ben.id()].by, ben.id());
    assert_eq!(cara.admit(4, &invitation).unwrap_err(), CommandError::InvitationWithdrawn);
    assert_eq!(ben.charter.leave(&ben.key, NOW).unwrap_err(), CommandError::NotInCircle);
    // Leaving undoes nothing, so it is no defence against a copy of the key: that takes a removal.
    let _ = copy.charter.rename(Subject::Circle, name("Mine"), &copy.key, NOW).unwrap();
    ann.hear(&copy);
    assert_eq!(ann.charter.roster().circle_name(), Some(&name("Mine")));
    assert_eq!(ann.charter.roster().forks().len(), 1);
    let keep = Keep::Only(vec![invitation.id()]);
    let _ = ann.charter.remove_device(ben.id(), keep, &ann.key, NOW).unwrap();
    assert_eq!(ann.charter.roster().circle_name(), Some(&name("Hexagon")));
}

#[test]
fn what_is_done_in_knowledge_of_a_leaving_is_void() {
    let mut ann = ann();
    let mut ben = ann.bring(2, Role::Admin);
    let mut cara = ann.bring(3, Role::Member);
    let invitation = ben.invite(Newcomer::Other(Role::Member)).unwrap();
    let grant = ben.grant();
    let left = ben.charter.leave(&ben.key, NOW).unwrap();
    meet(&mut [&mut ann, &mut ben, &mut cara]);
    let by = VoidReason::Left { by: left.id };
    for action in [Action::Leave, Action::SetName { subject: Subject::Device, name: name("still here") }] {
        let forged = ben.forge(&[left.id], grant, action);
        let entry = ann.charter.handle_entry(forged).unwrap();
        assert_eq!(ann.void_reason(&entry[0]), Some(by));
    }
    let redemption = invitation.redeem(&key(9), name("Eve"), name("phone"));
    let action = Action::Admit(redemption.admission().clone());
    let forged = cara.forge(&cara.heads(), cara.grant(), action);
    let entry = ann.charter.handle_entry(forged).unwrap();
    assert_eq!(ann.void_reason(&entry[0]), Some(by));
}

#[test]
fn the_later_name_stands_and_only_where_it_may_be_given() {
    let mut ann = ann();
    let mut ben = ann.bring(2, Role::Member);
    let mut rename = |subject, text| ben.charter.rename(subject, name(text), &ben.key, NOW);
    let refused = CommandError::NotAllowed { role: Role::Member, act: Act::NameCircle };
    assert_eq!(rename(Subject::Circle, "Mine").unwrap_err(), refused);
    for text in ["Ben", "Benjamin"] {
        let _ = rename(Subject::Member, text).unwrap();
    }
    let _ = rename(Subject::Device, "tablet").unwrap();
    let _ = ann.charter.rename(Subject::Circle, name("Septagon"), &ann.key, NOW).unwrap();
    meet(&mut [&mut ann, &mut ben]);
    let roster = ann.charter.roster();
    assert_eq!(roster.circle_name(), Some(&name("Septagon")));
    assert_eq!(roster.member_of(&ben.id()).unwrap().name, name("Benjamin"));
    assert_eq!(roster.device(&ben.id()).unwrap().name, name("tablet"));
}

#[test]
fn a_key_in_two_hands_is_proved_to_everybody() {
    let mut ann = ann();
    let mut ben = ann.bring(2, Role::Member);
    let mut copy = ben.clone();
    let _ = ben.charter.rename(Subject::Device, name("one"), &ben.key, NOW).unwrap();
    let _ = copy.charter.rename(Subject::Device, name("two"), &copy.key, NOW).unwrap();
    meet(&mut [&mut ann, &mut ben, &mut copy]);
    let [fork] = ann.charter.roster().forks() else { panic!("one fork") };
    assert_eq!((fork.author, fork.seq), (ben.id(), 0));
}

#[test]
fn the_vault_gives_back_the_same_charter_and_notices_what_is_missing() {
    let mut ann = ann();
    let ben = ann.bring(2, Role::Admin);
    let stored = ann.charter.missing_for(&[]);
    let restored = Charter::restore(ann.charter.circle(), stored.clone()).unwrap();
    assert_eq!(restored.roster(), ann.charter.roster());
    assert_eq!(restored.roster().digest(), ben.charter.roster().digest());
    let mut torn = stored.clone();
    torn.remove(1);
    let error = Charter::restore(ann.charter.circle(), torn).unwrap_err();
    assert_eq!(error, RestoreError::Incomplete { waiting: 1 });
    let mut flipped = stored;
    flipped[1].0[40] ^= 1;
    assert!(matches!(
        Charter::restore(ann.charter.circle(), flipped),
        Err(RestoreError::Damaged { at: 1, .. } | RestoreError::Incomplete { .. })
    ));
}

#[test]
fn more_heads_than_an_entry_names_are_merged_and_nothing_needed_is_left_out() {
    let mut ann = ann();
    let mut people: Vec<_> = (2..42).map(|seed| ann.bring(seed, Role::Member)).collect();
    let everything = ann.clone();
    for (at, person) in people.iter_mut().enumerate() {
        person.hear(&everything);
        let name = name(&format!("device {at}"));
        let _ = person.charter.rename(Subject::Device, name, &person.key, NOW).unwrap();
    }
    for person in &people {
        ann.hear(person);
    }
    assert_eq!(ann.heads().len(), 40);
    let last = &people[39];
    let member = last.member();
    let _ = ann.charter.remove_member(member, Keep::Seen, &ann.key, NOW).unwrap();
    assert_eq!(ann.charter.roster().void_entries(), [], "the remover had seen the renaming");
    assert_eq!(ann.heads().len(), 40 - 16 + 1);
}

#[test]
fn what_a_device_says_of_anothers_key_is_known_to_all_until_it_takes_it_back_or_goes() {
    let mut ann = ann();
    let mut ben = ann.bring(2, Role::Member);
    let _ = ann.charter.verify(ben.id(), Some(Method::Words), &ann.key, NOW).unwrap();
    ben.hear(&ann);
    let said = |person: &Person| {
        let roster = person.charter.roster().clone();
        roster.verifications(&ben_id(person)).map(|(by, said)| (*by, said.method)).collect::<Vec<_>>()
    };
    fn ben_id(person: &Person) -> wire::DeviceId {
        let devices = person.charter.roster().devices();
        devices.values().find(|device| device.role == Role::Member).unwrap().id
    }
    assert_eq!(said(&ben), [(ann.id(), Some(Method::Words))]);
    let _ = ann.charter.verify(ben.id(), None, &ann.key, NOW + 1).unwrap();
    ben.hear(&ann);
    assert_eq!(said(&ben), [(ann.id(), None)]);
    let own = ann.charter.verify(ann.id(), Some(Method::Words), &ann.key, NOW);
    assert_eq!(own.map(drop), Err(CommandError::NoSuchTarget));
    let stranger = wire::DeviceId::new(key(77).public());
    assert_eq!(ann.charter.verify(stranger, None, &ann.key, NOW).map(drop), Err(CommandError::NoSuchTarget));
    // A thief's word goes with his device.
    let _ = ben.charter.verify(ann.id(), Some(Method::Emoji), &ben.key, NOW).unwrap();
    ann.hear(&ben);
    assert_eq!(ann.charter.roster().verifications(&ann.id()).count(), 1);
    let _ = ann.charter.remove_device(ben.id(), Keep::Seen, &ann.key, NOW).unwrap();
    assert_eq!(ann.charter.roster().verifications(&ann.id()).count(), 0);
}
