//! Joins this program's input and output with a flow, over a socket that only the same system user can open.
//!
//! The end of what is said is said, too: what closes otherwise the node breaks off at the other end, whatever ended this program. How
//! the flow ended it is asked.

use std::io::IsTerminal;

use super::*;

/// Joins them with what another device offers.
pub(super) async fn run(
    session: &Session,
    circle: CircleId,
    stream: String,
    label: Option<String>,
) -> Result<(), Failure> {
    let client = &session.client;
    let path = socket(session)?;
    let open = OpenStream { stream, label, unix: Some(path.clone()), once: true, ..OpenStream::default() };
    let listener = client.open_stream(circle, &open).await?;
    // A person at a terminal is not asked for an end that nobody waits for.
    let patient = !io::stdin().is_terminal();
    let stream = UnixStream::connect(&path).await?;
    let end = async { Ok(client.end_of_listener(circle, listener.id).await?) };
    let end = relay(stream, patient, end).await?;
    let Some(words) = end.words else { return Ok(()) };
    let leads = leads(&listener);
    Err(if end.opened {
        Failure::new(ErrorKind::Peer, format!("{leads} broke off: {words}"))
            .hint("what came or went is not whole")
    } else if end.reason.as_deref() == Some("lost") {
        Failure::new(ErrorKind::Peer, format!("{leads} was not opened: {words}"))
            .hint("`hexode doctor` shows why that device is not reached")
    } else {
        Failure::new(ErrorKind::Peer, format!("{leads} was not opened: {words}"))
            .hint("ask whoever offers it whether it is granted to you, and under which label")
    })
}

/// Joins them with one flow to an offer that is made for it and withdrawn afterwards.
pub(super) async fn offer(
    session: &Session,
    circle: CircleId,
    offer: impl FnOnce(String) -> NewStreamOffer,
) -> Result<(), Failure> {
    let (mut ended, mut hung_up) = (signal(SignalKind::terminate())?, signal(SignalKind::hangup())?);
    let path = socket(session)?;
    let listener = UnixListener::bind(&path)?;
    let offered = session.client.offer_stream(circle, &offer(path.clone())).await;
    let outcome = match &offered {
        Ok(offered) => {
            session.progress(&format!("{} is offered to {}, once.", offered.name, whom(offered)));
            tokio::select! {
                joined = join(session, circle, &offered.name, listener) => joined,
                _ = ctrl_c() => Err(Failure::Interrupted),
                _ = ended.recv() => Err(Failure::Interrupted),
                _ = hung_up.recv() => Err(Failure::Interrupted),
            }
        }
        Err(_) => Ok(()),
    };
    // It may be gone already.
    let _ = std::fs::remove_file(&path);
    let offered = offered?;
    let withdrawn = session.client.withdraw_stream(circle, &offered.name).await;
    outcome?;
    Ok(withdrawn?)
}

async fn join(
    session: &Session,
    circle: CircleId,
    name: &str,
    listener: UnixListener,
) -> Result<(), Failure> {
    let (stream, _) = listener.accept().await?;
    drop(listener);
    let broke = |words: &str| {
        Failure::new(ErrorKind::Peer, format!("{name} broke off: {words}"))
            .hint("whoever opened it has not got all, and is told so")
    };
    let end = async {
        session.client.end_of_offer(circle, name).await.map_err(|error| match Failure::from(error) {
            Failure::Said(error) if error.kind == ErrorKind::NotFound => broke("it is offered no more"),
            failure => failure,
        })
    };
    match relay(stream, true, end).await?.words {
        None => Ok(()),
        Some(words) => Err(broke(&words)),
    }
}

/// Moves bytes until the other end has said all, and this end too if it is `patient`; returns how the flow ended.
async fn relay(
    stream: UnixStream,
    patient: bool,
    end: impl Future<Output = Result<StreamEnd, Failure>>,
) -> Result<StreamEnd, Failure> {
    let (mut from, mut to) = stream.into_split();
    let (mut said, enough) = (input(), Notify::new());
    let mut out = Box::pin(async {
        loop {
            let part = tokio::select! {
                biased;
                () = enough.notified() => None,
                part = said.recv() => part,
            };
            // What cannot be read has not ended.
            let part = part.transpose()?;
            // Why nobody takes it any more, the flow's end says.
            let told = to.write_all(part.as_deref().unwrap_or(&END)).await;
            if part.is_none() || told.is_err() {
                return Ok::<_, io::Error>(());
            }
        }
    });
    let mut into = Box::pin(async {
        let mut buffer = vec![0; PART];
        loop {
            // A connection that is reset is one that ended, too.
            let read = from.read(&mut buffer).await.unwrap_or(0);
            if read == 0 {
                return Ok::<_, io::Error>(());
            }
            let mut stdout = io::stdout().lock();
            stdout.write_all(buffer.get(..read).unwrap_or_default())?;
            stdout.flush()?;
        }
    });
    tokio::pin!(end);
    tokio::select! {
        heard = &mut into => {
            heard?;
            if !patient {
                enough.notify_one();
            }
            tokio::select! {
                said = &mut out => said?,
                // It is over for both: nobody waits for what is still to be said.
                end = &mut end => return end,
            }
        }
        // What comes is shown to its end, whether or not all was taken.
        said = &mut out => {
            said?;
            into.await?;
        }
    }
    end.await
}

/// Reads this program's input in parts behind their lengths, on a thread of its own: whoever waits for a terminal cannot be called back, and must not keep the program
/// from ending.
fn input() -> mpsc::Receiver<io::Result<Vec<u8>>> {
    let (say, said) = mpsc::channel(4);
    thread::spawn(move || {
        let mut stdin = io::stdin().lock();
        let mut buffer = vec![0; PART];
        loop {
            let part = match stdin.read(&mut buffer) {
                Ok(0) => return,
                Ok(read) => {
                    let length = u32::try_from(read).expect("a part is short").to_be_bytes();
                    Ok([&length, buffer.get(..read).unwrap_or_default()].concat())
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => Err(error),
            };
            let over = part.is_err();
            if say.blocking_send(part).is_err() || over {
                return;
            }
        }
    });
    said
}

fn socket(session: &Session) -> Result<String, Failure> {
    let name: [u8; 8] = OsEntropy.bytes();
    let name: String = name.iter().map(|byte| format!("{byte:02x}")).collect();
    absolute(session.home.join(format!("{SOCKETS}{name}.sock")))
}

/// Removes sockets that were left behind by programs that were killed; for a node that starts, when nobody can use one.
pub(crate) fn sweep(home: &Path) {
    let left = std::fs::read_dir(home).into_iter().flatten().flatten().filter(|entry| {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        name.starts_with(SOCKETS) && name.ends_with(".sock")
    });
    for entry in left {
        // What cannot be removed is in nobody's way.
        let _ = std::fs::remove_file(entry.path());
    }
}

/// How the names of sockets begin by which programs and the node speak.
const SOCKETS: &str = "pipe-";
/// How many bytes are moved at a time: as many as a record of a flow takes at most.
const PART: usize = 60 << 10;
/// The part that says that none follows.
const END: [u8; 4] = [0; 4];
