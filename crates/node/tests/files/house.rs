use std::{
    fs,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    time::Duration,
};

use hexode_node::{
    Dht, Node, Setup, Willing,
    api::{self, ApiError, Event, FileState},
};
use tempfile::TempDir;
use tokio::{sync::broadcast::error::RecvError, time::timeout};
use vault::{Durability, Kdf, Options};
use wire::{CircleId, MessageId};

/// How long anything may take before a test fails; nothing waits that long if all is well.
const LIMIT: Duration = Duration::from_secs(60);

/// A person with a node of his own.
pub(crate) struct Person {
    pub(crate) node: Node,
    pub(crate) circle: CircleId,
    pub(crate) home: PathBuf,
}

/// A folder, and people with nodes whose homes are in it.
pub(crate) struct House {
    pub(crate) folder: TempDir,
}

/// Runs what must not take for ever.
pub(crate) fn run<T>(what: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { timeout(2 * LIMIT, what).await.expect("in time") })
}

impl House {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    /// Ann, who founded the circle, and Ben, whom she let in; each has compared the other's words.
    pub(crate) async fn pair(&self) -> (Person, Person) {
        let ann = self.found("Ann").await;
        let ben = self.join("Ben", &ann).await;
        ann.verify("Ben").await;
        ben.verify("Ann").await;
        (ann, ben)
    }

    fn start(&self, name: &str) -> (Node, PathBuf) {
        let home = self.folder.path().join(name);
        let kdf = Kdf::Argon2id { memory_kib: 64, passes: 1, lanes: 1 };
        let node = Node::start(Setup {
            home: home.clone(),
            bind: vec![SocketAddr::from((Ipv4Addr::LOCALHOST, 0))],
            fixed: Vec::new(),
            lan: false,
            tcp: true,
            mapping: false,
            willing: Willing::default(),
            dht: Dht::Off,
            vault: Options { durability: Durability::DangerOffForTests, kdf: Some(kdf) },
        });
        (node.unwrap(), home)
    }

    pub(crate) async fn found(&self, name: &str) -> Person {
        let (node, home) = self.start(name);
        node.create(PASSPHRASE.into()).await.unwrap();
        let (member, device) = (name.to_owned(), "laptop".to_owned());
        let circle = node.found(api::Found { name: "Allotment".into(), member, device }).await.unwrap().id;
        Person { node, circle, home }
    }

    pub(crate) async fn join(&self, name: &str, by: &Person) -> Person {
        let mut told = by.node.events();
        while by.node.circle(by.circle).await.unwrap().addresses.is_empty() {
            let _ = told.recv().await;
        }
        let invite = api::Invite { role: api::Role::Member, valid_s: 3600, own_device: false };
        let invitation = by.node.invite(by.circle, invite).await.unwrap().link.unwrap();
        let (node, home) = self.start(name);
        node.create(PASSPHRASE.into()).await.unwrap();
        let (member, device) = (name.to_owned(), "phone".to_owned());
        let circle = node.join(api::Join { invitation, member, device, history_s: None }).await.unwrap().id;
        let person = Person { node, circle, home };
        person
            .until(async || person.node.circle(circle).await.unwrap().state == api::CircleState::Member)
            .await;
        person
    }

    /// Writes a file of a length that says in every line what it is.
    pub(crate) fn write(&self, name: &str, len: usize) -> (PathBuf, Vec<u8>) {
        let mut bytes = Vec::with_capacity(len + 64);
        for number in 0_u64.. {
            if bytes.len() >= len {
                break;
            }
            bytes.extend(format!("{CANARY} {name} line {number}\n").bytes());
        }
        bytes.truncate(len);
        let path = self.folder.path().join(name);
        fs::write(&path, &bytes).unwrap();
        (path, bytes)
    }
}

impl Person {
    /// Looks again after every event until it is so.
    pub(crate) async fn until(&self, mut is: impl AsyncFnMut() -> bool) {
        let mut events = self.node.events();
        let look = async {
            while !is().await {
                match events.recv().await {
                    Ok(_) | Err(RecvError::Lagged(_)) => {}
                    Err(RecvError::Closed) => panic!("the node has stopped"),
                }
            }
        };
        timeout(LIMIT, look).await.expect("in time");
    }

    pub(crate) async fn verify(&self, whom: &str) {
        let known = async || {
            let devices = self.node.devices(self.circle).await.unwrap();
            devices.into_iter().find(|device| device.member_name == whom)
        };
        self.until(async || known().await.is_some()).await;
        let device = known().await.unwrap().id;
        let verify = api::Verify { method: api::VerifyMethod::Words, code: None };
        self.node.verify(self.circle, device, verify).await.unwrap();
    }

    /// Offers a file and returns the message that does.
    pub(crate) async fn send(&self, to: &str, path: &Path) -> Result<MessageId, ApiError> {
        let request = api::SendFile {
            to: to.into(),
            path: path.to_str().unwrap().into(),
            name: None,
            text: "Look!".into(),
        };
        let job = self.node.send_file(self.circle, request).await?;
        let job = self.over(job).await;
        match job.error {
            Some(error) => Err(error),
            None => Ok(job.message.unwrap()),
        }
    }

    /// Saves a file and returns where it is.
    pub(crate) async fn save(
        &self,
        message: MessageId,
        to: &Path,
        overwrite: bool,
    ) -> Result<PathBuf, ApiError> {
        let request = api::SaveFile { path: to.to_str().unwrap().into(), overwrite };
        let job = self.node.save_file(self.circle, message, request).await?;
        let job = self.over(job).await;
        match job.error {
            Some(error) => Err(error),
            None => Ok(job.path.unwrap().into()),
        }
    }

    async fn over(&self, mut job: api::FileJob) -> api::FileJob {
        while !job.over {
            tokio::task::yield_now().await;
            job = self.node.file_job(job.id).await.unwrap();
        }
        job
    }

    pub(crate) async fn file(&self, message: MessageId) -> api::File {
        self.node.file(self.circle, message).await.unwrap()
    }

    pub(crate) async fn act(&self, message: MessageId, act: api::FileAct) -> Result<api::File, ApiError> {
        self.node.do_file(self.circle, message, act).await
    }

    /// Waits until the message that offers a file is here.
    pub(crate) async fn until_offered(&self, message: MessageId) -> api::File {
        self.until(async || self.node.file(self.circle, message).await.is_ok()).await;
        self.file(message).await
    }

    pub(crate) async fn until_state(&self, message: MessageId, state: FileState) -> api::File {
        self.until(async || self.node.file(self.circle, message).await.is_ok_and(|file| file.state == state))
            .await;
        self.file(message).await
    }

    pub(crate) async fn until_up(&self, whom: &str) {
        self.until(async || {
            let devices = self.node.devices(self.circle).await.unwrap();
            devices.iter().any(|device| device.member_name == whom && device.connected)
        })
        .await;
    }

    pub(crate) async fn reopen(&self) {
        self.node.lock().await.unwrap();
        self.node.unlock(PASSPHRASE.into()).await.unwrap();
    }

    /// Lists the files with chunks on this person's disk, without those with lists of hashes.
    pub(crate) fn chunks(&self) -> Vec<PathBuf> {
        let Ok(folder) = fs::read_dir(self.home.join("vault/files")) else { return Vec::new() };
        let paths = folder.map(|entry| entry.unwrap().path());
        paths.filter(|path| path.extension().is_some_and(|ending| ending == "chunks")).collect()
    }

    /// Waits until so many files have chunks here: they are removed beside the turn that erased their keys.
    pub(crate) async fn until_chunks(&self, count: usize) {
        let look = async {
            while self.chunks().len() != count {
                tokio::task::yield_now().await;
            }
        };
        timeout(LIMIT, look).await.expect("in time");
    }

    /// Tells whether some bytes stand anywhere in this person's home.
    pub(crate) fn betrays(&self, needle: &[u8]) -> bool {
        fn look(folder: &Path, needle: &[u8]) -> bool {
            fs::read_dir(folder).unwrap().any(|entry| {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    return look(&path, needle);
                }
                fs::read(&path).is_ok_and(|bytes| bytes.windows(needle.len()).any(|window| window == needle))
            })
        }
        look(&self.home, needle)
    }
}

impl std::fmt::Debug for Person {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Person({:?})", self.circle)
    }
}

/// Tells whether an event tells of a file.
pub(crate) fn is_of_file(event: &Event) -> bool {
    matches!(event, Event::File { .. })
}

pub(crate) const PASSPHRASE: &str = "amber otter violin cactus marble seven";
pub(crate) const CANARY: &str = "the-beans-are-up-and-nobody-may-know";
