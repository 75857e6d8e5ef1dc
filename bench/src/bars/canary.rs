use std::{fs, path::Path, process::Command};

use anyhow::{Context, Result, bail, ensure};

use crate::{
    child::Child,
    needles::Needles,
    node_role::{Answer, Order},
    process::{self, mib},
    verdict::{Row, Verdict},
};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// How many messages each side writes.
    #[arg(long, default_value_t = 200)]
    messages: u64,
}

/// Two nodes found, invite, join and talk, with words that occur nowhere else; then every byte of every file they
/// could have written is looked at, while they run, after a crash with an attempt at a core dump, and after they
/// ended. What a locked process still holds in memory is told, and is not part of the bar.
pub(crate) async fn run(args: &Args) -> Result<Verdict> {
    let folder = process::folder()?;
    let root = folder.path();
    fs::create_dir(root.join("tmp"))?;
    let secrets = Secrets::new();
    let mut needles = secrets.needles();
    let mut ann = start(root, "ann")?;
    let mut ben = start(root, "ben")?;
    let found = Order::Found {
        circle: secrets.circle.clone(),
        name: secrets.ann.clone(),
        passphrase: secrets.passphrase.clone(),
    };
    ann.order(&found).await?;
    let Answer::Invitation { link } = ann.order(&Order::Invite).await? else { bail!("no invitation") };
    needles.text("the invitation", &link);
    let join =
        Order::Join { invitation: link, name: secrets.ben.clone(), passphrase: secrets.passphrase.clone() };
    ben.order(&join).await?;
    ann.order(&Order::Tunnels { count: 1 }).await?;
    for number in 0..args.messages {
        let text = format!("{} {number}", secrets.text);
        ann.order(&Order::Send { to: secrets.ben.clone(), text: text.clone() }).await?;
        ben.order(&Order::Send { to: "everyone".to_owned(), text }).await?;
    }
    agree(&mut ann, &mut ben).await?;

    let mut hits = Vec::new();
    let running = needles.find_in_folder(root, &mut hits)?;

    // The search must be able to find: an open node shows its person what it holds.
    let (_, open) = needles.find_in_memory(ann.pid())?;
    ensure!(!open.is_empty(), "not even an open node's memory holds a canary: the search is blind");
    ann.order(&Order::Lock).await?;
    let (memory, locked) = needles.find_in_memory(ann.pid())?;
    eprintln!("a locked process, {:.0} MiB of memory: {} kinds of canary left", mib(memory), locked.len());
    for ((what, form), count) in &locked {
        eprintln!("  {what}, {form}: {count} ×");
    }

    // A crash leaves nothing: the kernel writes no core of a process that said so.
    let dumps = core_limit(ann.pid())?;
    let status = Command::new("kill").args(["-ABRT", &ann.pid().to_string()]).status()?;
    ensure!(status.success(), "the process could not be made to crash");
    ann.wait()?;
    let cores = cores(root)?;
    let crashed = needles.find_in_folder(root, &mut hits)?;
    ben.order(&Order::Stop).await?;
    ben.wait()?;
    let ended = needles.find_in_folder(root, &mut hits)?;

    hits.sort();
    hits.dedup();
    for hit in &hits {
        eprintln!("found {} ({}) in {}", hit.what, hit.form, hit.place);
    }
    eprintln!(
        "{} forms of {} canaries; {:.1} MiB of files while running, {:.1} after the crash, {:.1} at the end",
        needles.len(),
        secrets.count(),
        mib(running),
        mib(crashed),
        mib(ended)
    );
    eprintln!("core dumps: limit {dumps}, {cores} written");
    Ok(Verdict {
        figure: format!("{} hits in files, {cores} core dumps", hits.len()),
        holds: hits.is_empty() && cores == 0 && dumps == 0,
        rows: vec![Row::new("canaries found in files", "", hits.len() as f64, None)],
    })
}

/// Words that occur nowhere else.
struct Secrets {
    circle: String,
    ann: String,
    ben: String,
    text: String,
    passphrase: String,
}

impl Secrets {
    fn new() -> Self {
        let word = || {
            let random: [u8; 8] = crypto::Entropy::bytes(&mut crypto::OsEntropy);
            data_encoding::BASE32_NOPAD.encode(&random).to_lowercase()
        };
        Self {
            circle: format!("Circle{}", word()),
            ann: format!("Ann{}", word()),
            ben: format!("Ben{}", word()),
            text: format!("Canary {} sings", word()),
            passphrase: format!("{} {} {}", word(), word(), word()),
        }
    }

    fn named(&self) -> [(&str, &str); 5] {
        [
            ("the circle's name", &self.circle),
            ("Ann's name", &self.ann),
            ("Ben's name", &self.ben),
            ("a text", &self.text),
            ("the passphrase", &self.passphrase),
        ]
    }

    fn needles(&self) -> Needles {
        let mut needles = Needles::new();
        for (what, text) in self.named() {
            needles.text(what, text);
        }
        needles
    }

    /// With the invitation.
    fn count(&self) -> usize {
        self.named().len() + 1
    }
}

/// Starts a node whose every file, temporary and core dump, would lie in the folder that is searched.
fn start(root: &Path, name: &str) -> Result<Child> {
    let mut command = Command::new(std::env::current_exe()?);
    command.env("TMPDIR", root.join("tmp")).env("SQLITE_TMPDIR", root.join("tmp")).current_dir(root);
    Child::start_as(&mut command, &["node", &root.join(name).display().to_string()])
}

/// Waits until both hold all that was said to everyone and between the two.
async fn agree(ann: &mut Child, ben: &mut Child) -> Result<()> {
    loop {
        let (mut held, everyone) = (Vec::new(), Order::Conversation { to: "everyone".to_owned() });
        for node in [&mut *ann, &mut *ben] {
            let Answer::Conversation { digest, .. } = node.order(&everyone).await? else {
                bail!("no conversation")
            };
            held.push(digest);
        }
        if held.first() == held.last() {
            return Ok(());
        }
        tokio::task::yield_now().await;
    }
}

fn core_limit(pid: u32) -> Result<u64> {
    let limits = fs::read_to_string(format!("/proc/{pid}/limits"))?;
    let line = limits.lines().find(|line| line.starts_with("Max core file size"));
    let soft = line.and_then(|line| line.split_whitespace().nth(4)).context("no limit on core dumps")?;
    Ok(soft.parse().unwrap_or(u64::MAX))
}

/// Counts core dumps: in the folder the process worked in, and where the kernel is told to put them.
fn cores(root: &Path) -> Result<usize> {
    let pattern = fs::read_to_string("/proc/sys/kernel/core_pattern")?;
    let elsewhere = Path::new(pattern.trim()).parent().filter(|parent| parent.is_absolute());
    let mut count = 0;
    for folder in std::iter::once(root).chain(elsewhere) {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let recent = entry.metadata()?.modified()?.elapsed().is_ok_and(|age| age.as_secs() < 60);
            count += usize::from(entry.file_name().to_string_lossy().starts_with("core") && recent);
        }
    }
    Ok(count)
}
