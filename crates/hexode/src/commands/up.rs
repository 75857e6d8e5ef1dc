use std::{net::SocketAddr, path::Path, pin::pin};

use gateway::{Door, Ended, WebDoor};
use node::{Dht, Node, Setup, Willing, api::ErrorKind};
use serde::Serialize;
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::oneshot,
    task::spawn_blocking,
};

use crate::{failure::Failure, passphrase::Source, session::Session};

/// Run this device's node in the foreground, until Ctrl-C
///
/// On first use it makes the vault and asks twice for a passphrase. Other commands speak to this node.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    passphrase: Source,

    /// Start locked and ask for nothing; `hexode unlock` opens it
    #[arg(long, conflicts_with = "passphrase_file")]
    locked: bool,

    /// Where tunnels listen, as ADDRESS:PORT; may be repeated [default: everywhere, any port]
    #[arg(long, value_name = "ADDRESS")]
    bind: Vec<SocketAddr>,

    /// Where others reach this device from outside, as ADDRESS:PORT, if its router is set up so
    #[arg(long, value_name = "ADDRESS")]
    address: Vec<SocketAddr>,

    /// Do not look for members on the local network, nor be found there
    #[arg(long)]
    no_lan: bool,

    /// Do not listen on TCP, nor dial there where UDP does not get through
    #[arg(long)]
    no_tcp: bool,

    /// Do not ask the router to let this device's port in
    #[arg(long)]
    no_port_mapping: bool,

    /// Do not forward packets of two other members who cannot reach each other
    #[arg(long)]
    no_forward: bool,

    /// Look for members on the Mainline DHT, too, and be found there; remembered until --no-dht
    #[arg(long, conflicts_with = "no_dht")]
    dht: bool,

    /// A node of the DHT to begin with, as ADDRESS:PORT; several times for more; implies --dht
    #[arg(long, value_name = "ADDRESS", conflicts_with = "no_dht")]
    dht_bootstrap: Vec<SocketAddr>,

    /// Leave the DHT alone again; remembered
    #[arg(long, hide = true)]
    no_dht: bool,

    /// The loopback port on which the page is served [default: any free one, the same every time]
    #[arg(long, value_name = "PORT", conflicts_with = "no_web")]
    web_port: Option<u16>,

    /// Serve no page, and listen on no loopback port
    #[arg(long)]
    no_web: bool,
}

/// What is said when the node is ready.
#[derive(Debug, Serialize)]
struct Ready<'a> {
    ready: bool,
    locked: bool,
    socket: &'a Path,
    #[serde(skip_serializing_if = "Option::is_none")]
    page: Option<&'a str>,
}

impl Args {
    pub(crate) async fn run(self, session: Session) -> Result<(), Failure> {
        vault::harden_process()?;
        node::streams::allow_connections();
        let mut signals = Signals::new()?;
        let mut door = Door::open(&session.home)?;
        // The door's lock is held: no other node of this home has a use for them.
        super::stream::sweep(&session.home);
        let web = match self.no_web {
            true => None,
            false => Some(WebDoor::open(&session.home, self.web_port).await?),
        };
        let page = web.as_ref().map(WebDoor::address);
        if let Some(web) = web {
            door = door.with_web(web);
        }
        let socket = door.path().to_owned();
        let dht = match (self.no_dht, self.dht || !self.dht_bootstrap.is_empty()) {
            (true, _) => Dht::Off,
            (false, true) => Dht::On { bootstrap: self.dht_bootstrap },
            (false, false) => Dht::Remembered,
        };
        let setup = Setup {
            home: session.home.clone(),
            bind: self.bind,
            fixed: self.address,
            lan: !self.no_lan,
            tcp: !self.no_tcp,
            mapping: !self.no_port_mapping,
            willing: Willing { on: !self.no_forward, ..Willing::default() },
            dht,
            vault: vault::Options::default(),
        };
        let node = Node::start(setup)?;
        // Clients are answered from here on, also while a person is looking for his passphrase.
        let (close, closing) = oneshot::channel::<()>();
        let mut served = pin!(door.serve(node.clone(), async {
            // That the sender is dropped says the same.
            let _ = closing.await;
        }));

        let locked = self.locked;
        let begun = async {
            if !locked {
                open(&node, self.passphrase).await?;
            }
            let ready = Ready { ready: true, locked, socket: &socket, page: page.as_deref() };
            session.answer(&ready, || {
                let state = if locked { "running, locked" } else { "running" };
                let open = if page.is_some() { "`hexode open` shows it in a browser; " } else { "" };
                format!("Hexode is {state}. Its socket is {}; {open}Ctrl-C ends it.\n", socket.display())
            })?;
            std::future::pending().await
        };
        let outcome = tokio::select! {
            Ended::ByCaller | Ended::ByRequest = &mut served => Ok(()),
            failure = begun => failure,
            () = signals.next(&node) => {
                let _ = close.send(());
                served.await;
                Ok(())
            }
        };
        tokio::select! {
            () = node.stop() => outcome,
            // Ctrl-C twice is a person who will not wait; a second request to terminate is only a repetition.
            _ = signals.interrupt.recv() => {
                Err(Failure::new(ErrorKind::Internal, "ended before the node had stopped"))
            }
        }
    }
}

/// Opens the vault, or makes one if there is none; a person may mistype.
async fn open(node: &Node, source: Source) -> Result<(), Failure> {
    let exists = node.has_vault().await?;
    for mistakes in 0.. {
        let failure = match try_open(node, exists, source.clone()).await {
            Ok(()) => return Ok(()),
            Err(failure) => failure,
        };
        // Somebody may have opened it through the socket in the meantime.
        if !node.status().await?.locked {
            return Ok(());
        }
        match failure {
            Failure::Said(error)
                if error.kind == ErrorKind::User && source.is_person() && mistakes < MISTAKES =>
            {
                Failure::Said(error).report(false);
            }
            failure => return Err(failure),
        }
    }
    Ok(())
}

async fn try_open(node: &Node, exists: bool, source: Source) -> Result<(), Failure> {
    // Meanwhile the node serves its clients.
    let passphrase = spawn_blocking(move || if exists { source.ask() } else { source.choose() });
    let passphrase = passphrase.await.map_err(|_| gone())??;
    if exists {
        node.unlock(passphrase).await?
    } else {
        node.create(passphrase).await?
    };
    Ok(())
}

fn gone() -> Failure {
    Failure::new(ErrorKind::Internal, "the question for the passphrase broke off")
}

/// The ways in which a person or a system asks a process to end, the last of them for good.
#[derive(Debug)]
struct Signals {
    interrupt: Signal,
    terminate: Signal,
    wipe: Signal,
}

impl Signals {
    fn new() -> Result<Self, Failure> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            wipe: signal(SignalKind::user_defined1())?,
        })
    }

    /// Waits until the node is to end; destroys the vault first if that is what is wanted.
    async fn next(&mut self, node: &Node) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = self.wipe.recv() => {
                if let Err(error) = node.wipe().await {
                    Failure::Said(error).report(false);
                }
            }
        }
    }
}

const MISTAKES: u32 = 2;
