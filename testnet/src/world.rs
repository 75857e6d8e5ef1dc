use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs,
    future::Future,
    io,
    path::Path,
    pin::pin,
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};

use crypto::SigningKey;
use node::{
    Node, Pump, Setup, api,
    engine::{Early, Effect, Engine, Input, Time},
};
use tempfile::TempDir;
use vault::{Durability, Gone, Kdf, Options, Passphrase, Vault};
use wire::{CircleId, DeviceId, Frame, MessageId};

use crate::{Forger, Seeded, Sent, Weather, network::Network};

/// A person with one device, by the order of appearance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Person(pub usize);

/// Some people's devices, the links between them, and their time.
#[derive(Debug)]
pub struct World {
    now: Duration,
    seed: u64,
    network: Network,
    people: Vec<Device>,
    /// Whether what a turn takes on this machine passes in the world, too, and commits wait for the disk.
    costs: bool,
}

#[derive(Debug)]
struct Device {
    name: String,
    home: TempDir,
    node: Node,
    pump: Pump,
    /// Absent while the device is off.
    engine: Option<Engine>,
    /// By how much its clock is ahead or behind, in milliseconds.
    skew_ms: i64,
    /// Its id in each circle.
    ids: BTreeMap<CircleId, DeviceId>,
    lives: u64,
    /// Until when it is at its last turn, where turns take time.
    busy: Duration,
}

impl World {
    /// Makes an empty world; the same seed gives the same course of things.
    pub fn new(seed: u64) -> Self {
        Self {
            now: Duration::from_secs(1),
            seed,
            network: Network::new(seed),
            people: Vec::new(),
            costs: false,
        }
    }

    /// From now on what each turn takes on this machine passes in the world, too, for the device whose turn it is: the course
    /// of things is no longer the same each time, and what is measured has real costs in it.
    pub fn count_costs(&mut self) {
        self.costs = true;
    }

    /// Returns the world's time.
    pub fn now(&self) -> Duration {
        self.now
    }

    /// Returns how many frames of each kind a person's device has sent, and their bytes.
    pub fn sent(&self, person: Person) -> Sent {
        self.network.sent.get(&person).cloned().unwrap_or_default()
    }

    /// Adds a person with a device that has an empty vault.
    pub fn person(&mut self, name: &str) -> Person {
        let home = TempDir::new().expect("a folder for the vault");
        let (node, pump) = Pump::new();
        let person = Person(self.people.len());
        let device = Device {
            name: name.to_owned(),
            home,
            node,
            pump,
            engine: None,
            skew_ms: 0,
            ids: BTreeMap::new(),
            lives: 0,
            busy: Duration::ZERO,
        };
        self.people.push(device);
        self.boot(person);
        self.ask(person, |node| async move { node.create(PASSPHRASE.into()).await }).expect("a new vault");
        person
    }

    /// Makes people who are all in one circle, the first its founder, and lets them meet.
    pub fn circle<const N: usize>(&mut self, names: [&str; N]) -> [Person; N] {
        let people = names.map(|name| self.person(name));
        let mut others = people.iter().copied();
        if let Some(founder) = others.next() {
            self.found(founder, "Circle");
            self.settle();
            for other in others {
                let link = self.invite(founder, api::Role::Member);
                self.join(other, &link);
                self.settle();
            }
        }
        people
    }

    /// Founds a circle.
    pub fn found(&mut self, person: Person, name: &str) -> CircleId {
        let request = api::Found { name: name.into(), member: self.name(person), device: "laptop".into() };
        self.ask(person, |node| async move { node.found(request).await }).expect("founded").id
    }

    /// Issues an invitation that holds for a day, and returns its link.
    pub fn invite(&mut self, person: Person, role: api::Role) -> String {
        let circle = self.first_circle(person);
        let request = api::Invite { role, valid_s: 86_400, own_device: false };
        let invitation = self.ask(person, |node| async move { node.invite(circle, request).await });
        invitation.expect("an invitation").link.expect("its link")
    }

    /// Begins to join by a link.
    pub fn join(&mut self, person: Person, link: &str) {
        self.join_since(person, link, None);
    }

    /// Begins to join by a link, with what was said in so many seconds before; with all if no number is given.
    pub fn join_since(&mut self, person: Person, link: &str, history_s: Option<u64>) {
        let (member, device) = (self.name(person), "phone".into());
        let request = api::Join { invitation: link.into(), member, device, history_s };
        self.ask(person, |node| async move { node.join(request).await }).expect("a valid link");
    }

    /// Sends a message.
    pub fn send(&mut self, person: Person, to: &str, text: &str) {
        self.try_send(person, to, text).expect("sent");
    }

    /// Sends a message if that is possible.
    pub fn try_send(&mut self, person: Person, to: &str, text: &str) -> Result<api::Message, api::ApiError> {
        let circle = self.first_circle(person);
        let request = api::Send { to: to.into(), text: text.into() };
        self.ask(person, |node| async move { node.send(circle, request).await })
    }

    /// Returns the id of the message that says `text`, as a person's device shows it.
    pub fn find(&mut self, person: Person, conversation: &str, text: &str) -> MessageId {
        let messages = self.messages(person, conversation);
        let found = messages.iter().find(|message| message.text.as_deref() == Some(text));
        found.unwrap_or_else(|| panic!("nobody says {text:?} in {messages:?}")).id
    }

    /// Removes a member by name.
    pub fn remove(&mut self, by: Person, who: Person) -> Result<(), api::ApiError> {
        let circle = self.first_circle(by);
        let name = self.name(who);
        self.ask(by, |node| async move {
            let members = node.members(circle).await?;
            let member = members.into_iter().find(|member| member.name == name).expect("a member").id;
            node.remove_member(circle, member).await
        })
    }

    /// Returns the circle a person is in, or founded, first.
    pub fn first_circle(&mut self, person: Person) -> CircleId {
        let circles = self.ask(person, |node| async move { node.circles().await }).expect("unlocked");
        circles.first().expect("a circle").id
    }

    /// Describes a person's circle as his device sees it.
    pub fn view(&mut self, person: Person) -> api::Circle {
        let circle = self.first_circle(person);
        self.ask(person, |node| async move { node.circle(circle).await }).expect("a circle")
    }

    /// Returns a conversation as a person's device shows it, a line a message.
    pub fn screen(&mut self, person: Person, conversation: &str) -> String {
        let mut screen = String::new();
        for message in self.messages(person, conversation) {
            writeln!(screen, "{}", line(&message)).expect("a string takes all");
        }
        screen
    }

    /// Returns all messages of a conversation, in the order of the screen.
    pub fn messages(&mut self, person: Person, conversation: &str) -> Vec<api::Message> {
        let circle = self.first_circle(person);
        let to = conversation.to_owned();
        self.ask(person, |node| async move {
            let conversation = node.conversation(circle, to).await?.id;
            let mut all = Vec::new();
            let mut before = None;
            loop {
                let query = api::PageQuery { before, limit: Some(1000) };
                let page = node.page(circle, conversation, query).await?;
                before = page.messages.first().map(|message| message.id);
                all.splice(0..0, page.messages);
                if !page.more {
                    return Ok::<_, api::ApiError>(all);
                }
            }
        })
        .expect("a conversation")
    }

    /// Asks a person's node something, through the API that every front end uses.
    pub fn ask<T, F: Future<Output = T>>(&mut self, person: Person, request: impl FnOnce(Node) -> F) -> T {
        let node = self.device(person).node.clone();
        let mut answer = pin!(request(node));
        let mut context = Context::from_waker(Waker::noop());
        for _ in 0..10_000 {
            if let Poll::Ready(answer) = answer.as_mut().poll(&mut context) {
                return answer;
            }
            self.run_engine(person, Vec::new());
        }
        panic!("{} does not answer; is the device on?", self.name(person));
    }

    /// Lets a person's device keep to itself what it would say to others, until told otherwise; returns what it
    /// had kept until now.
    pub fn withhold(&mut self, person: Person, what: fn(&Frame) -> bool) -> Vec<Frame> {
        self.network.withheld.insert(person, (what, Vec::new())).map(|(_, kept)| kept).unwrap_or_default()
    }

    /// Returns the secrets under which a person's device looks for others on the local network.
    pub fn lan_secrets(&mut self, person: Person) -> Vec<[u8; 32]> {
        let circle = self.first_circle(person);
        self.network.lan_secrets((person, circle))
    }

    /// Says something to another's device that a person's own program would not.
    pub fn say(&mut self, from: Person, to: Person, frame: &Frame) {
        let circle = self.first_circle(from);
        let id = |world: &Self, person| *world.device(person).ids.get(&circle).expect("in the circle");
        let (me, other) = (id(self, from), id(self, to));
        self.network.say((from, circle), me, other, frame.encode(), self.now);
    }

    /// Kills a device: whatever is not committed is gone, nobody is told.
    pub fn kill(&mut self, person: Person) {
        self.device_mut(person).engine = None;
        self.network.vanish(person, self.now);
    }

    /// Kills a device in the middle of a turn: what came to it now is committed, yet nothing of it sent.
    pub fn kill_after_commit(&mut self, person: Person) {
        let time = self.time(person);
        let device = self.device_mut(person);
        if let Some(mut engine) = device.engine.take() {
            drop(device.pump.run(&mut engine, Vec::new(), time));
        }
        self.network.vanish(person, self.now);
    }

    /// Returns the folder that holds a device's vault.
    pub fn home(&self, person: Person) -> &Path {
        self.device(person).home.path()
    }

    /// Copies all that a device which is off has stored, as its person might.
    pub fn back_up(&self, person: Person) -> TempDir {
        assert!(!self.is_on(person), "what is in use is not copied");
        let backup = TempDir::new().expect("a folder for the copy");
        copy(self.home(person), backup.path()).expect("copied");
        backup
    }

    /// Puts a copy in the place of all that a device which is off has stored.
    pub fn put_back(&self, person: Person, backup: &TempDir) {
        assert!(!self.is_on(person), "what is in use is not replaced");
        let home = self.home(person);
        fs::remove_dir_all(home).and_then(|()| copy(backup.path(), home)).expect("copied");
    }

    /// Takes the bodies of a conversation's entries out of the vault of a device that is off, as if they had come
    /// without.
    pub fn blank(&mut self, person: Person, conversation: &str) {
        assert_eq!(conversation, "everyone", "the one conversation whose id is known without asking");
        let mut vault = self.vault(person);
        let circle = vault.circles().expect("circles").remove(0);
        let everyone = journal::Descriptor::Everyone.id(&circle.circle);
        let row = vault.conversation(circle.row, &everyone).expect("readable").expect("a conversation").row;
        let heads = vault.chain_heads(row).expect("chains");
        let mut turn = vault.begin().expect("a turn");
        for head in heads {
            for seq in 0..=head.seq {
                turn.erase(row, &head.author, seq, Gone::Not, None).expect("erased");
            }
        }
        turn.commit().expect("stored");
    }

    /// Counts the pages of the vault of a device that is off in which a text stands: behind the encryption, free pages
    /// included. What is in no page is in no file.
    pub fn pages_with(&self, person: Person, text: &str) -> usize {
        let vault = self.vault(person);
        let found = vault.danger_pages_with(text.as_bytes()).expect("readable");
        vault.close().expect("closed");
        found
    }

    /// Writes to everyone with a device's key; the device must be off meanwhile, and have written nothing yet.
    pub fn forger(&self, person: Person) -> Forger {
        let circle = self.vault(person).circles().expect("circles").remove(0);
        let everyone = journal::Descriptor::Everyone.id(&circle.circle);
        Forger::new(SigningKey::from_seed(&circle.device_seed), everyone)
    }

    /// Takes the key out of the vault of a device that is off.
    pub fn key(&self, person: Person) -> SigningKey {
        SigningKey::from_seed(&self.vault(person).circles().expect("circles").remove(0).device_seed)
    }

    fn vault(&self, person: Person) -> Vault {
        assert!(!self.is_on(person), "the vault is in use");
        let options = Options { durability: Durability::DangerOffForTests, kdf: Some(CHEAP) };
        let home = self.home(person).join("vault");
        Vault::open(&home, &Passphrase::new(PASSPHRASE), options).expect("a vault")
    }

    /// Tells whether a device is on.
    pub fn is_on(&self, person: Person) -> bool {
        self.device(person).engine.is_some()
    }

    /// Switches a device on again and unlocks it.
    pub fn restart(&mut self, person: Person) {
        self.boot(person);
        self.ask(person, |node| async move { node.unlock(PASSPHRASE.into()).await }).expect("unlocked");
    }

    /// Switches a device on again and leaves it locked.
    pub fn boot_locked(&mut self, person: Person) {
        self.boot(person);
    }

    /// Sets how two people are connected.
    pub fn weather(&mut self, a: Person, b: Person, weather: Weather) {
        self.network.set_weather(a, b, weather, self.now);
    }

    /// Cuts the line between two people.
    pub fn cut(&mut self, a: Person, b: Person) {
        let weather = self.network.weather(a, b);
        self.weather(a, b, Weather { up: false, ..weather });
    }

    /// Lets a person who has met nobody yet reach only one other, until [`mend_all`](Self::mend_all).
    pub fn introduce_by(&mut self, person: Person, only: Person) {
        let others = (0..self.people.len()).map(Person).filter(|other| *other != person && *other != only);
        self.network.keep_apart(others.map(|other| (person, other)));
    }

    /// Mends all lines.
    pub fn mend_all(&mut self) {
        self.network.calm(self.now);
    }

    /// Mends the line between two people.
    pub fn mend(&mut self, a: Person, b: Person) {
        let weather = self.network.weather(a, b);
        self.weather(a, b, Weather { up: true, ..weather });
    }

    /// Puts a person's clock ahead or behind.
    pub fn skew(&mut self, person: Person, skew_ms: i64) {
        self.device_mut(person).skew_ms = skew_ms;
    }

    /// Lets things take their course until nothing more happens for a while; what is due a day later is not waited for.
    pub fn settle(&mut self) {
        for _ in 0..1_000_000 {
            let deadlines = self.people.iter().filter_map(|device| device.engine.as_ref()?.deadline());
            let deadlines = deadlines.filter(|at| *at <= self.now + SOON);
            let Some(next) = deadlines.chain(self.network.next_due()).min() else { return };
            self.step(next);
        }
        panic!("the world does not come to rest");
    }

    /// Lets time pass.
    pub fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        loop {
            let deadlines = self.people.iter().filter_map(|device| device.engine.as_ref()?.deadline());
            match deadlines.chain(self.network.next_due()).min() {
                Some(next) if next <= end => self.step(next),
                _ => break,
            }
        }
        self.now = end;
    }

    fn step(&mut self, at: Duration) {
        self.now = self.now.max(at);
        let mut inputs: BTreeMap<Person, Vec<Input>> = BTreeMap::new();
        while let Some(((person, circle), event)) = self.network.take(self.now) {
            inputs.entry(person).or_default().push(Input::Tunnel(circle, event, Early::none()));
        }
        for (at, device) in self.people.iter().enumerate() {
            let due = device.engine.as_ref().and_then(Engine::deadline);
            if due.is_some_and(|due| due <= self.now) {
                inputs.entry(Person(at)).or_default();
            }
        }
        for (person, inputs) in inputs {
            self.run_engine(person, inputs);
        }
    }

    fn run_engine(&mut self, person: Person, inputs: Vec<Input>) {
        let time = self.time(person);
        let device = self.device_mut(person);
        let Some(engine) = &mut device.engine else { return };
        let began = Instant::now();
        let effects = device.pump.run(engine, inputs, time);
        let mut now = self.now;
        if self.costs {
            let device = self.device_mut(person);
            device.busy = device.busy.max(now) + began.elapsed();
            now = device.busy;
        }
        for effect in effects {
            match effect {
                Effect::Start(config) => {
                    let id = DeviceId::new(config.key.public());
                    self.device_mut(person).ids.insert(config.circle, id);
                    self.network.start(person, &config, now);
                }
                Effect::Tunnel(circle, command) => {
                    if let Some(me) = self.device(person).ids.get(&circle).copied() {
                        self.network.command((person, circle), me, command, now);
                    }
                }
                // The pump gave them.
                // There are no streams on virtual links.
                Effect::Files(_) | Effect::Streams(_) | Effect::Answer(_) | Effect::Publish(_) => {}
            }
        }
    }

    fn boot(&mut self, person: Person) {
        let time = self.time(person);
        let seed = self.seed.wrapping_mul(1_000_003).wrapping_add(person.0 as u64 * 101);
        let device = self.device_mut(person);
        device.lives += 1;
        let setup = Setup {
            home: device.home.path().to_owned(),
            bind: Vec::new(),
            fixed: Vec::new(),
            lan: false,
            tcp: true,
            mapping: false,
            willing: Default::default(),
            dht: node::Dht::Off,
            vault: Options { durability: Durability::DangerOffForTests, kdf: Some(CHEAP) },
        };
        let entropy = Seeded::new(seed.wrapping_add(device.lives));
        device.engine = Some(Engine::new(setup, Box::new(entropy), time));
    }

    fn time(&self, person: Person) -> Time {
        let millis = u64::try_from(self.now.as_millis()).unwrap_or(u64::MAX);
        Time {
            since_start: self.now,
            wall_ms: (EPOCH_MS + millis).saturating_add_signed(self.device(person).skew_ms),
        }
    }

    /// Returns a person's name.
    pub fn name(&self, person: Person) -> String {
        self.device(person).name.clone()
    }

    fn device(&self, person: Person) -> &Device {
        self.people.get(person.0).expect("a person of this world")
    }

    fn device_mut(&mut self, person: Person) -> &mut Device {
        self.people.get_mut(person.0).expect("a person of this world")
    }
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

/// Writes a message as a screen shows it.
pub fn line(message: &api::Message) -> String {
    let mut line = format!("{}: ", message.member_name);
    if let Some(quote) = &message.reply_to {
        let text = quote.text.as_deref().unwrap_or("(gone)");
        write!(line, "[to {}: {text}] ", quote.member_name).expect("a string takes all");
    }
    match (&message.text, message.absent) {
        (Some(text), _) => line.push_str(text),
        (None, Some(api::Absence::Deleted)) => line.push_str("(deleted)"),
        (None, Some(api::Absence::Expired)) => line.push_str("(expired)"),
        (None, Some(api::Absence::Lacking)) => line.push_str("(not here yet)"),
        (None, Some(api::Absence::Blocked)) => line.push_str("(blocked)"),
        (None, _) => line.push_str("(unknown)"),
    }
    for (mark, holds) in [
        ("edited", message.edited_ms.is_some()),
        ("forwarded", message.forwarded),
        ("pinned", message.pinned),
    ] {
        if holds {
            write!(line, " ({mark})").expect("a string takes all");
        }
    }
    for reaction in &message.reactions {
        write!(line, "  {} {}", reaction.sign, reaction.names.join(", ")).expect("a string takes all");
    }
    line
}

/// Where the virtual clock starts: the fourteenth of November 2023.
pub(crate) const EPOCH_MS: u64 = 1_700_000_000_000;
/// What is due later than this is no part of what goes on.
const SOON: Duration = Duration::from_secs(60);
const PASSPHRASE: &str = "a passphrase for tests only";
const CHEAP: Kdf = Kdf::Argon2id { memory_kib: 8, passes: 1, lanes: 1 };
