//! Joins this program's input and output with a flow, over a socket that only the same system user can open.

use std::io::IsTerminal;

use super::*;

/// Joins them with what another device offers.
pub(super) async fn run(
    session: &Session,
    circle: CircleId,
    stream: String,
    label: Option<String>,
) -> Result<(), Failure> {
    let before = session.client.streams(circle).await?.refused.last().map_or(0, |refused| refused.at_ms);
    let path = socket(session)?;
    let open = OpenStream { stream, label, unix: Some(path.clone()), once: true, ..OpenStream::default() };
    let listener = session.client.open_stream(circle, &open).await?;
    // A person at a terminal is not asked for an end that nobody waits for.
    let patient = !std::io::stdin().is_terminal();
    let heard = relay(UnixStream::connect(&path).await?, patient).await?;
    if heard == 0 {
        // An end without a byte may be a refusal; that the socket cannot tell.
        let refused = session.client.streams(circle).await?.refused;
        let ours = |refused: &&RefusedFlow| {
            refused.theirs && refused.at_ms > before && refused.offer == listener.offer
        };
        if let Some(refused) = refused.iter().rev().find(ours) {
            let message = format!("{} was not opened: {}", leads(&listener), refused.words);
            return Err(Failure::new(ErrorKind::Peer, message)
                .hint("ask whoever offers it whether it is granted to you, and under which label"));
        }
    }
    Ok(())
}

/// Joins them with one flow to an offer that is made for it and withdrawn afterwards.
pub(super) async fn offer(
    session: &Session,
    circle: CircleId,
    offer: impl FnOnce(String) -> NewStreamOffer,
) -> Result<(), Failure> {
    let path = socket(session)?;
    let listener = UnixListener::bind(&path)?;
    let offered = session.client.offer_stream(circle, &offer(path.clone())).await;
    let outcome = match &offered {
        Ok(offered) => {
            session.progress(&format!("{} is offered to {}, once.", offered.name, whom(offered)));
            tokio::select! {
                joined = join(listener) => joined,
                _ = ctrl_c() => Err(Failure::Interrupted),
            }
        }
        Err(_) => Ok(()),
    };
    // It may be gone already.
    let _ = std::fs::remove_file(&path);
    let offered = offered?;
    session.client.withdraw_stream(circle, &offered.name).await?;
    outcome
}

async fn join(listener: UnixListener) -> Result<(), Failure> {
    let (stream, _) = listener.accept().await?;
    drop(listener);
    relay(stream, true).await.map(drop)
}

/// Moves bytes until the other end has said all, and this end too if it is `patient`; returns how many came.
async fn relay(stream: UnixStream, patient: bool) -> Result<u64, Failure> {
    let (mut from, mut to) = stream.into_split();
    let (say, mut said) = mpsc::channel::<Vec<u8>>(4);
    // A thread of its own: whoever waits for a terminal cannot be called back, and must not keep the program from ending.
    thread::spawn(move || {
        let mut stdin = std::io::stdin().lock();
        let mut buffer = vec![0; PART];
        while let Ok(read @ 1..) = stdin.read(&mut buffer) {
            let part = buffer.get(..read).unwrap_or_default().to_vec();
            if say.blocking_send(part).is_err() {
                return;
            }
        }
    });
    let out = async {
        while let Some(part) = said.recv().await {
            to.write_all(&part).await?;
        }
        to.shutdown().await
    };
    let mut into = Box::pin(async {
        let (mut heard, mut buffer) = (0, vec![0; PART]);
        loop {
            let read = from.read(&mut buffer).await?;
            if read == 0 {
                return Ok::<_, std::io::Error>(heard);
            }
            heard += read as u64;
            let mut stdout = std::io::stdout().lock();
            stdout.write_all(buffer.get(..read).unwrap_or_default())?;
            stdout.flush()?;
        }
    });
    tokio::pin!(out);
    tokio::select! {
        heard = &mut into => {
            let heard = heard?;
            if patient {
                // An error says that nobody takes it any more.
                let _ = out.await;
            }
            Ok(heard)
        }
        // What comes is shown to its end, whether or not all was taken.
        _ = &mut out => Ok(into.await?),
    }
}

fn socket(session: &Session) -> Result<String, Failure> {
    let name: [u8; 8] = OsEntropy.bytes();
    let name: String = name.iter().map(|byte| format!("{byte:02x}")).collect();
    absolute(session.home.join(format!("pipe-{name}.sock")))
}

/// How many bytes are moved at a time.
const PART: usize = 64 << 10;
