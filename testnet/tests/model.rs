//! Anything that can happen, in any order, against a model of a few lines: what was confirmed as sent is what
//! everybody reads in the end, once, in one order; and what is called delivered is there.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test ends at the first thing amiss"
)]

use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    future::Future,
    time::Duration,
};

use hexode_testnet::{Person, Weather, World, line};
use node::{
    Node,
    api::{self, Absence, ApiError},
};
use proptest::{
    prelude::*,
    strategy::ValueTree,
    test_runner::{RngAlgorithm, TestRng, TestRunner},
};
use wire::{CircleId, ConversationId, MemberId, MessageId};

const NAMES: [&str; 4] = ["Ann", "Ben", "Cara", "Dave"];

/// One thing that happens. People are numbers; Ann, the founder, is 0.
#[derive(Debug, Clone)]
enum Step {
    Send { from: usize, burst: u8 },
    Kill(usize),
    KillAfterCommit(usize),
    Restart(usize),
    Cut(usize, usize),
    Mend(usize, usize),
    Weather { a: usize, b: usize, latency: u16, loss: u8 },
    Pass(u16),
    MoveClock { who: usize, hours: i16 },
    Remove(usize),
    Edit { who: usize, nth: u8 },
    Delete { who: usize, nth: u8 },
    React { who: usize, nth: u8, sign: u8 },
    Pin { who: usize, nth: u8 },
    Promote { who: usize, role: u8 },
    AddToGroup { by: usize, who: usize, history: bool },
    RemoveFromGroup { by: usize, who: usize },
    LeaveGroup(usize),
    SendToGroup(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let who = 0..NAMES.len();
    prop_oneof![
        8 => (who.clone(), 1..4u8).prop_map(|(from, burst)| Step::Send { from, burst }),
        2 => who.clone().prop_map(Step::Kill),
        2 => who.clone().prop_map(Step::KillAfterCommit),
        4 => who.clone().prop_map(Step::Restart),
        2 => (who.clone(), who.clone()).prop_map(|(a, b)| Step::Cut(a, b)),
        2 => (who.clone(), who.clone()).prop_map(|(a, b)| Step::Mend(a, b)),
        1 => (who.clone(), who.clone(), 0..2000u16, 0..50u8)
            .prop_map(|(a, b, latency, loss)| Step::Weather { a, b, latency, loss }),
        6 => (0..1500u16).prop_map(Step::Pass),
        1 => (who.clone(), -9000..9000i16).prop_map(|(who, hours)| Step::MoveClock { who, hours }),
        1 => (1..NAMES.len()).prop_map(Step::Remove),
        3 => (who.clone(), any::<u8>()).prop_map(|(who, nth)| Step::Edit { who, nth }),
        2 => (who.clone(), any::<u8>()).prop_map(|(who, nth)| Step::Delete { who, nth }),
        3 => (who.clone(), any::<u8>(), 0..4u8).prop_map(|(who, nth, sign)| Step::React { who, nth, sign }),
        1 => (who.clone(), any::<u8>()).prop_map(|(who, nth)| Step::Pin { who, nth }),
        1 => (1..NAMES.len(), 0..3u8).prop_map(|(who, role)| Step::Promote { who, role }),
        1 => (who.clone(), who.clone(), any::<bool>())
            .prop_map(|(by, who, history)| Step::AddToGroup { by, who, history }),
        1 => (who.clone(), who.clone()).prop_map(|(by, who)| Step::RemoveFromGroup { by, who }),
        1 => who.clone().prop_map(Step::LeaveGroup),
        3 => who.clone().prop_map(Step::SendToGroup),
    ]
}

/// What should be: who belongs to the circle, and what each was told is stored.
struct Model {
    group: ConversationId,
    members: Vec<MemberId>,
    removed: BTreeSet<usize>,
    confirmed: BTreeMap<usize, Vec<MessageId>>,
    /// What each message was last confirmed to say; nothing once it was taken back.
    texts: BTreeMap<MessageId, Option<String>>,
    count: u64,
}

impl Model {
    /// Founds a group of all but the last, so that there is somebody to bring in.
    fn new(world: &mut World, people: &[Person]) -> Self {
        let circle = world.first_circle(people[0]);
        let members = NAMES[1..NAMES.len() - 1].iter().map(ToString::to_string).collect();
        let new = api::NewGroup { name: "Some".into(), members };
        let group = world.ask(people[0], |node| async move { node.found_group(circle, new).await });
        world.settle();
        let known = world.ask(people[0], |node| async move { node.members(circle).await }).expect("members");
        let id = |name: &&str| known.iter().find(|member| member.name == **name).expect("in the circle").id;
        Self {
            group: group.expect("founded").id,
            members: NAMES.iter().map(id).collect(),
            removed: BTreeSet::new(),
            confirmed: BTreeMap::new(),
            texts: BTreeMap::new(),
            count: 0,
        }
    }

    fn apply(&mut self, world: &mut World, people: &[Person], step: &Step) {
        match *step {
            Step::Send { from, burst } => {
                for _ in 0..burst {
                    self.count += 1;
                    let text = format!("{} {}", NAMES[from], self.count);
                    if world.is_on(people[from])
                        && let Ok(message) = world.try_send(people[from], "everyone", &text)
                    {
                        self.confirmed.entry(from).or_default().push(message.id);
                        self.texts.insert(message.id, Some(text));
                    }
                }
            }
            Step::Kill(who) => world.kill(people[who]),
            Step::KillAfterCommit(who) => world.kill_after_commit(people[who]),
            Step::Restart(who) => {
                if !world.is_on(people[who]) {
                    world.restart(people[who]);
                }
            }
            Step::Cut(a, b) if a != b => world.cut(people[a], people[b]),
            Step::Mend(a, b) if a != b => world.mend(people[a], people[b]),
            Step::Weather { a, b, latency, loss } if a != b => {
                let latency = Duration::from_millis(latency.into());
                world.weather(people[a], people[b], Weather { latency, loss: loss.into(), up: true });
            }
            Step::Cut(..) | Step::Mend(..) | Step::Weather { .. } => {}
            Step::Pass(millis) => world.pass(Duration::from_millis(millis.into())),
            Step::MoveClock { who, hours } => world.skew(people[who], i64::from(hours) * 3_600_000),
            Step::Edit { who, nth } => {
                if let Some(id) = pick(self.confirmed.get(&who), nth).filter(|_| world.is_on(people[who])) {
                    self.count += 1;
                    let text = format!("{} edits {}", NAMES[who], self.count);
                    let edit = api::Text { text: text.clone() };
                    if ask(
                        world,
                        people[who],
                        |node, circle| async move { node.edit(circle, id, edit).await },
                    ) {
                        self.texts.insert(id, Some(text));
                    }
                }
            }
            Step::Delete { who, nth } => {
                if let Some(id) = pick(self.confirmed.get(&who), nth).filter(|_| world.is_on(people[who]))
                    && ask(world, people[who], |node, circle| async move { node.delete(circle, id).await })
                {
                    self.texts.insert(id, None);
                }
            }
            Step::React { who, nth, sign } if world.is_on(people[who]) => {
                let react = api::React { sign: ["", "+", "-", "!"][usize::from(sign)].into() };
                if let Some(id) = seen(world, people[who], nth) {
                    ask(
                        world,
                        people[who],
                        |node, circle| async move { node.react(circle, id, react).await },
                    );
                }
            }
            Step::Pin { who, nth } if world.is_on(people[who]) => {
                if let Some(id) = seen(world, people[who], nth) {
                    let pinned = nth % 2 == 0;
                    ask(world, people[who], |node, circle| async move { node.pin(circle, id, pinned).await });
                }
            }
            Step::React { .. } | Step::Pin { .. } => {}
            Step::Promote { who, role } => {
                if world.is_on(people[0]) && !self.removed.contains(&who) {
                    let role = [api::Role::Admin, api::Role::Member, api::Role::Guest][usize::from(role)];
                    let id = self.members[who];
                    ask(
                        world,
                        people[0],
                        |node, circle| async move { node.set_role(circle, id, role).await },
                    );
                }
            }
            Step::AddToGroup { by, who, history } if world.is_on(people[by]) => {
                let (group, members) = (self.group, vec![self.members[who].to_string()]);
                let add = api::AddToGroup { members, history };
                ask(
                    world,
                    people[by],
                    |node, circle| async move { node.add_to_group(circle, group, add).await },
                );
            }
            Step::RemoveFromGroup { by, who } if world.is_on(people[by]) => {
                let (group, id) = (self.group, self.members[who]);
                ask(world, people[by], |node, circle| async move {
                    node.remove_from_group(circle, group, id).await
                });
            }
            // The founder stays, so that somebody always can bring the others back.
            Step::LeaveGroup(who) if who != 0 && world.is_on(people[who]) => {
                let group = self.group;
                ask(world, people[who], |node, circle| async move { node.leave_group(circle, group).await });
            }
            Step::SendToGroup(from) if world.is_on(people[from]) => {
                self.count += 1;
                let (to, text) = (self.group.to_string(), format!("{} to some {}", NAMES[from], self.count));
                // Who is not in the group, or does not know it, is refused.
                let _ = world.try_send(people[from], &to, &text);
            }
            Step::AddToGroup { .. }
            | Step::RemoveFromGroup { .. }
            | Step::LeaveGroup(_)
            | Step::SendToGroup(_) => {}
            Step::Remove(who) => {
                // Never more than one, so that the rest can still tell each other everything.
                if self.removed.is_empty() && world.is_on(people[0]) {
                    world.remove(people[0], people[who]).expect("the founder removes a member");
                    self.removed.insert(who);
                }
            }
        }
    }

    /// What holds at every moment on every device that is on: of the last messages after each step, of all now and then.
    /// To read all of them after each step would take a time that grows with the square of the steps.
    fn check_now(&self, world: &mut World, people: &[Person], all: bool) {
        let mut held: BTreeMap<usize, BTreeSet<MessageId>> = BTreeMap::new();
        let mut ids = BTreeMap::new();
        let on: Vec<_> = people.iter().enumerate().filter(|(_, person)| world.is_on(**person)).collect();
        for (at, person) in on {
            let messages = match all {
                true => world.messages(*person, "everyone"),
                false => newest(world, *person, 32),
            };
            let set: BTreeSet<_> = messages.iter().map(|message| message.id).collect();
            assert_eq!(set.len(), messages.len(), "{} shows a message twice", NAMES[at]);
            held.insert(at, set);
            ids.insert(at, messages);
        }
        for (at, messages) in &ids {
            for message in messages.iter().filter(|message| message.mine) {
                let others: Vec<_> = held.iter().filter(|(other, _)| *other != at).collect();
                let have = |set: &BTreeSet<MessageId>, other: usize, world: &mut World| {
                    // What does not count, since its author was removed before, is there and not shown.
                    set.contains(&message.id) || holds(world, people[other], message.id)
                };
                let have = others.iter().filter(|(other, set)| have(set, **other, world)).count();
                let off = people.len() - held.len();
                assert!(
                    message.delivery.delivered as usize <= have + off,
                    "{} is told that {:?} was delivered to {} that is not there: {have} have it, {off} are off, removed: {:?}",
                    NAMES[*at],
                    message.text,
                    message.delivery.delivered,
                    self.removed,
                );
            }
        }
    }

    /// What holds when everything is on, every line is mended and nothing more happens.
    fn check_end(&self, world: &mut World, people: &[Person]) {
        let live: Vec<usize> = (0..people.len()).filter(|who| !self.removed.contains(who)).collect();
        let screens: Vec<_> = live.iter().map(|who| world.messages(people[*who], "everyone")).collect();
        let ids = |at: usize| screens[at].iter().map(|message| message.id).collect::<Vec<_>>();
        let digests: BTreeSet<_> = live.iter().map(|who| world.view(people[*who]).roster_digest).collect();
        assert_eq!(digests.len(), 1, "all see the same roster");
        let shown = |at: usize| screens[at].iter().map(line).collect::<Vec<_>>();
        for at in 1..live.len() {
            assert_eq!(shown(0), shown(at), "{} and {} see the same", NAMES[live[0]], NAMES[live[at]]);
            assert_eq!(ids(0), ids(at), "{} and {} read the same", NAMES[live[0]], NAMES[live[at]]);
        }
        let histories: BTreeSet<_> =
            live.iter().map(|who| history(world, people[*who], "everyone")).collect();
        assert_eq!(histories.len(), 1, "all hold the same history");
        self.check_group(world, people, &live);
        for message in &screens[0] {
            assert_ne!(message.absent, Some(Absence::Lacking), "every body came, or is gone");
        }
        for (who, name) in NAMES.iter().enumerate() {
            let by_him: Vec<_> = screens[0].iter().filter(|message| message.member_name == *name).collect();
            let confirmed = self.confirmed.get(&who).cloned().unwrap_or_default();
            let ids: Vec<_> = by_him.iter().map(|message| message.id).collect();
            if self.removed.contains(&who) {
                assert_eq!(ids, confirmed[..ids.len()], "of a removed member a prefix is kept");
                continue;
            }
            assert_eq!(ids, confirmed, "what {name} was told is stored");
            for message in by_him {
                assert_eq!(message.text, self.texts[&message.id], "what {name} made of it last");
                let deleted = message.absent == Some(Absence::Deleted);
                assert_eq!(deleted, message.text.is_none(), "no text is gone for any other reason");
            }
        }
    }
}

impl Model {
    /// Who is in the group at the end sees the same members, and holds the same history of it.
    fn check_group(&self, world: &mut World, people: &[Person], live: &[usize]) {
        let name = self.group.to_string();
        let seen: Vec<_> = live.iter().map(|who| (*who, group(world, people[*who], self.group))).collect();
        let inside = seen.iter().filter_map(|(who, group)| Some((*who, group.as_ref()?)));
        let inside: Vec<_> = inside.filter(|(_, group)| group.member).collect();
        let rosters: BTreeSet<Vec<_>> = inside
            .iter()
            .map(|(_, group)| group.members.iter().map(|member| (member.id, member.level)).collect())
            .collect();
        assert_eq!(rosters.len(), 1, "all in the group see the same members: {inside:?}");
        let members: BTreeSet<_> = rosters.iter().flatten().map(|(member, _)| *member).collect();
        let who: BTreeSet<_> = inside.iter().map(|(who, _)| self.members[*who]).collect();
        assert_eq!(members, who, "who is in the group knows it, and nobody else thinks so");
        let histories: BTreeSet<_> =
            inside.iter().map(|(who, _)| history(world, people[*who], &name)).collect();
        assert_eq!(histories.len(), 1, "all in the group hold the same history");
        for (who, _) in &inside {
            for message in world.messages(people[*who], &name) {
                assert_ne!(message.absent, Some(Absence::Lacking), "{} got every body", NAMES[*who]);
            }
        }
    }
}

/// Asks a person's node to do something about his circle, and tells whether it did.
fn ask<T, F: Future<Output = Result<T, ApiError>>>(
    world: &mut World,
    person: Person,
    request: impl FnOnce(Node, CircleId) -> F,
) -> bool {
    let circle = world.first_circle(person);
    world.ask(person, |node| request(node, circle)).is_ok()
}

fn pick(of: Option<&Vec<MessageId>>, nth: u8) -> Option<MessageId> {
    let of = of?;
    of.get(usize::from(nth) % of.len().max(1)).copied()
}

/// Picks a message that a person sees, of the last ones.
fn seen(world: &mut World, person: Person, nth: u8) -> Option<MessageId> {
    let ids = newest(world, person, 256).iter().map(|message| message.id).collect();
    pick(Some(&ids), nth)
}

/// Returns the last messages to everyone that a person sees.
fn newest(world: &mut World, person: Person, limit: u32) -> Vec<api::Message> {
    let circle = world.first_circle(person);
    let page = world.ask(person, |node| async move {
        let conversation = node.conversation(circle, "everyone".into()).await?.id;
        node.page(circle, conversation, api::PageQuery { before: None, limit: Some(limit) }).await
    });
    page.expect("a conversation").messages
}

fn history(world: &mut World, person: Person, conversation: &str) -> String {
    let (circle, called) = (world.first_circle(person), conversation.to_owned());
    let shown = world.ask(person, |node| async move { node.conversation(circle, called).await });
    shown.expect("a conversation").history_digest
}

fn holds(world: &mut World, person: Person, message: MessageId) -> bool {
    let circle = world.first_circle(person);
    world.ask(person, |node| async move { node.message(circle, message).await }).is_ok()
}

fn group(world: &mut World, person: Person, group: ConversationId) -> Option<api::Group> {
    let circle = world.first_circle(person);
    world.ask(person, |node| async move { node.group(circle, group).await }).ok()
}

/// Reads how much is wanted; `cargo xtask bar model` wants more than a test run.
fn number(name: &str, usual: u32) -> u32 {
    env::var(name).map_or(usual, |text| text.parse().expect("a number"))
}

fn run(seed: u64, steps: &[Step]) {
    let mut world = World::new(seed);
    let people = world.circle(NAMES);
    let mut model = Model::new(&mut world, &people);
    for (at, step) in steps.iter().enumerate() {
        model.apply(&mut world, &people, step);
        model.check_now(&mut world, &people, steps.len() < SHORT || at % SHORT == 0);
    }
    for (at, person) in people.iter().enumerate() {
        world.skew(*person, 0);
        if !world.is_on(*person) {
            world.restart(*person);
        }
        for other in people.iter().skip(at + 1) {
            world.weather(*person, *other, Weather::default());
        }
    }
    world.settle();
    model.check_end(&mut world, &people);
}

/// From how many steps on not all is read after each.
const SHORT: usize = 100;

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_nothing_is_lost_doubled_or_reordered(
        seed in any::<u64>(),
        steps in proptest::collection::vec(step(), 1..40),
    ) {
        run(seed, &steps);
    }
}

/// The same over more steps; `cargo xtask bar model` wants thousands, and many seeds.
#[test]
fn whatever_happens_for_long_nothing_is_lost_doubled_or_reordered() {
    let (from, to) = (number("MODEL_FROM", 0), number("MODEL_TO", 1));
    let count = number("MODEL_STEPS", 200) as usize;
    for seed in from..to {
        let mut bytes = [0; 32];
        bytes[..4].copy_from_slice(&seed.to_be_bytes());
        let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
        let mut runner = TestRunner::new_with_rng(ProptestConfig::default(), rng);
        let steps = proptest::collection::vec(step(), count).new_tree(&mut runner).expect("steps").current();
        run(seed.into(), &steps);
    }
}
