use std::{
    collections::{BTreeMap, BTreeSet},
    net::{Ipv4Addr, SocketAddr},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use crypto::SigningKey;
use mainline::Testnet;
use node::Dht;
use wire::{CircleId, DeviceId};

use crate::{
    host::{Host, PASSPHRASE, plain},
    process,
    verdict::{Row, Verdict},
};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// How many times both change their addresses.
    #[arg(long, default_value_t = 5)]
    times: u8,
}

/// Ann and Ben are both switched off and come back at other addresses, knowing only each other's old ones. Nobody
/// names a node of the DHT: they remember those of last time.
pub(crate) async fn run(args: &Args) -> Result<Verdict> {
    let testnet = Testnet::builder(30).build()?;
    let bootstrap: Vec<SocketAddr> =
        testnet.bootstrap.iter().take(2).map(|address| address.parse()).collect::<Result<_, _>>()?;
    let folder = process::folder()?;
    let (anns, bens) = (folder.path().join("ann"), folder.path().join("ben"));
    let on = || Dht::On { bootstrap: bootstrap.clone() };

    let mut ann = Host::on_dht(&anns, at(0, 1), on())?;
    let mut ben = Host::on_dht(&bens, at(0, 2), on())?;
    let circle = ann.found("Measure", "Ann", PASSPHRASE).await?;
    ben.join(&ann.invite(circle).await?, "Ben", PASSPHRASE).await?;
    let device = |host: &Host| {
        let node = host.node.clone();
        async move { Ok::<DeviceId, anyhow::Error>(node.circle(circle).await.map_err(plain)?.device) }
    };
    let (ann_is, ben_is) = (device(&ann).await?, device(&ben).await?);

    let mut took = Vec::new();
    for time in 1..=args.times {
        for host in [&ann, &ben] {
            told(host, circle).await?;
            host.node.stop().await;
        }
        ann = Host::on_dht(&anns, at(time, 1), Dht::Remembered)?;
        ben = Host::on_dht(&bens, at(time, 2), Dht::Remembered)?;
        let started = Instant::now();
        ann.unlock().await?;
        ben.unlock().await?;
        ann.wait(|seen| seen.up.contains(&ben_is).then_some(())).await?;
        ben.wait(|seen| seen.up.contains(&ann_is).then_some(())).await?;
        let found = started.elapsed().as_secs_f64();
        eprintln!("both at new addresses, tunnel up after {found:.1} s");
        took.push(found);
    }
    for host in [&ann, &ben] {
        host.node.stop().await;
    }
    took.sort_by(f64::total_cmp);
    let worst = took.last().copied().context("no time was measured")?;
    let median = took.get(took.len() / 2).copied().context("no time was measured")?;

    let (records, sigma) = linkage()?;
    Ok(Verdict {
        figure: format!(
            "found each other after {median:.1} s, at worst {worst:.1} s; {records} records share what chance has them share, {sigma:+.1} σ"
        ),
        holds: worst <= 60.0 && sigma.abs() < 5.0,
        rows: vec![
            Row::new("both at new addresses until a tunnel is up, median", "s", median, None),
            Row::new("the same, worst", "s", worst, None),
            Row::new("records of a month compared", "", records as f64, None),
            Row::new("runs of four bytes in two records, from what chance has", "σ", sigma, None),
        ],
    })
}

/// An address of the loopback that nobody had before.
fn at(time: u8, who: u8) -> Ipv4Addr {
    Ipv4Addr::new(127, 0, 10 + time, who)
}

/// Waits until nodes keep where this device is.
async fn told(host: &Host, circle: CircleId) -> Result<()> {
    let started = Instant::now();
    loop {
        let rendezvous = host.node.circle(circle).await.map_err(plain)?.rendezvous;
        if rendezvous.is_some_and(|rendezvous| rendezvous.kept_by > 0 && rendezvous.nodes > 0) {
            return Ok(());
        }
        ensure!(started.elapsed() < Duration::from_secs(120), "nobody keeps where a device is");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Compares all records that a hundred devices in twenty circles put in a month, as one sees them who has them all;
/// returns how many there are, and by how many standard deviations what they share is off what chance has.
fn linkage() -> Result<(usize, f64)> {
    const DAY: u64 = 86_400;
    let mut runs: BTreeMap<[u8; 4], BTreeSet<usize>> = BTreeMap::new();
    let (mut records, mut length) = (0, BTreeSet::new());
    for circle in 0..20u8 {
        for member in 0..5u8 {
            let key = SigningKey::from_seed(&[member; 32]);
            for day in 0..30 {
                let seen = tunnel::fuzzing::dht_record(&[circle; 32], &key, 1_800_000_000 + day * DAY);
                let windows = seen.iter().flat_map(|part| part.windows(4));
                length.insert(windows.clone().count());
                for run in windows {
                    runs.entry(run.try_into()?).or_default().insert(records);
                }
                records += 1;
            }
        }
    }
    ensure!(length.len() == 1, "records of different sizes");
    let count = (records * length.first().context("no record")?) as f64;
    let by_chance = count.powi(2) / 2.0 / 2f64.powi(32);
    let shared: usize = runs.values().map(|records| records.len() * (records.len() - 1) / 2).sum();
    Ok((records, (shared as f64 - by_chance) / by_chance.sqrt()))
}
