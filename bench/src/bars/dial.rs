use std::time::Instant;

use anyhow::Result;
use node::api;

use super::Pair;
use crate::{
    endpoint::Raw,
    host::{plain, text},
    samples::Samples,
    verdict::{Row, Verdict},
};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// How many times.
    #[arg(long, default_value_t = 30)]
    dials: u64,
}

/// From a locked node to its first message stored at the other end: opens the vault, binds an endpoint, dials,
/// greets, compares charter and frontier, sends. Beside it a bare endpoint that binds, dials and echoes.
pub(crate) async fn run(args: &Args) -> Result<Verdict> {
    let pair = Pair::start().await?;
    let mut raw = Raw::start().await?;
    let to = pair.ann.node.conversation(pair.circle, "Ben".to_owned()).await.map_err(plain)?.id;
    let chain = (to, pair.bens, pair.anns);
    let payload = text(0, 300).into_bytes();
    let (mut ours, mut bare) = (Samples::default(), Samples::default());
    for number in 0..args.dials {
        pair.ann.node.lock().await.map_err(plain)?;
        pair.ann.wait(|seen| seen.up.is_empty().then_some(())).await?;
        let started = Instant::now();
        pair.ann.unlock().await?;
        let request = api::Send { to: to.to_string(), text: text(number, 300) };
        let message = pair.ann.node.send(pair.circle, request).await.map_err(plain)?;
        pair.ann
            .wait(|seen| seen.stored.get(&chain).filter(|stored| **stored > message.seq).copied())
            .await?;
        ours.push(started.elapsed());

        let started = Instant::now();
        raw.bind_anew().await?;
        let mut echo = raw.echo().await?;
        echo.one(&payload).await?;
        bare.push(started.elapsed());
        echo.close();
    }
    pair.stop().await?;
    eprintln!("unlock, dial, first message stored: {ours}");
    eprintln!("bare endpoint: bind, dial, echo:    {bare}");
    let (ours, bare) = (ours.percentile(50) / 1e3, bare.percentile(50) / 1e3);
    Ok(Verdict {
        figure: format!("p50 {ours:.1} ms, {:.2} × a bare endpoint's {bare:.1} ms", ours / bare),
        holds: true,
        rows: vec![Row::new("dial to first message p50", "ms", ours, Some(bare))],
    })
}
