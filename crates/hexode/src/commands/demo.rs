use std::{io::Write, path::PathBuf, time::Instant};

use node::api::{Circle, CircleState, ErrorKind, Page, VerifyMethod};

use crate::{failure::Failure, session::Session, text};

mod report;
mod stage;

use report::Report;
use stage::Stage;

/// Watch four devices of three people found a circle and talk, with no server
///
/// Starts four nodes as separate processes with encrypted vaults in a temporary folder, connected over loopback, and
/// lets them found a circle, invite, verify, talk, survive a kill, and remove a member. Ends with exit code 0 only if
/// all of it held.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Write what a check of captured packets must not find (names, texts, keys) and the devices' addresses to FILE
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,

    /// Keep the temporary folder, and say where it is
    #[arg(long)]
    keep: bool,
}

impl Args {
    pub(crate) async fn run(self, session: Session) -> Result<(), Failure> {
        let mut story = Story::new(&session);
        let mut stage = Stage::new(self.keep)?;
        let report = story.play(&mut stage).await?;
        if let Some(file) = &self.report {
            report.write(file)?;
        }
        stage.end().await?;
        story.close()
    }
}

/// Tells what happens, with times, and checks that it did.
struct Story<'a> {
    session: &'a Session,
    started: Instant,
    checks: Vec<Held>,
}

/// One thing that was shown.
#[derive(Debug, serde::Serialize)]
struct Held {
    what: String,
    at_ms: u64,
}

/// What comes out of the demo for a program.
#[derive(Debug, serde::Serialize)]
struct Outcome<'a> {
    held: bool,
    checks: &'a [Held],
    took_ms: u64,
}

impl<'a> Story<'a> {
    fn new(session: &'a Session) -> Self {
        Self { session, started: Instant::now(), checks: Vec::new() }
    }

    fn took_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn chapter(&self, title: &str) -> Result<(), Failure> {
        self.say(&format!("\n{title}\n"))
    }

    fn say(&self, line: &str) -> Result<(), Failure> {
        if self.session.json { Ok(()) } else { self.session.print(line) }
    }

    /// Tells something that was checked.
    fn held(&mut self, what: impl Into<String>) -> Result<(), Failure> {
        let (what, at_ms) = (what.into(), self.took_ms());
        let seconds = std::time::Duration::from_millis(at_ms).as_secs_f32();
        self.say(&format!("  {seconds:>6.2} s  ✓ {}\n", text::block(&what)))?;
        self.checks.push(Held { what, at_ms });
        Ok(())
    }

    fn close(&self) -> Result<(), Failure> {
        let took_ms = self.took_ms();
        if self.session.json {
            return self.session.print_json(&Outcome { held: true, checks: &self.checks, took_ms });
        }
        let seconds = std::time::Duration::from_millis(took_ms).as_secs_f32();
        let checks = self.checks.len();
        self.say(&format!("\nAll {checks} things held, in {seconds:.1} s. No server took part.\n"))?;
        if took_ms > LONGEST_MS {
            return Err(failed(format!("it took longer than the {} s it should", LONGEST_MS / 1000)));
        }
        Ok(())
    }

    async fn play(&mut self, stage: &mut Stage) -> Result<Report, Failure> {
        self.say("Hexode: four devices of three people, on this machine, with no server anywhere.\n")?;

        self.chapter("1. Four devices are switched on, each with an encrypted vault of its own")?;
        let [mut laptop, phone, ben, mut cara] =
            stage.cast(["ann-laptop", "ann-phone", "ben", "cara"]).await?;
        self.held("four processes run; each chose a random passphrase and made its vault")?;

        self.chapter("2. Ann founds a circle and invites Ben")?;
        let circle = laptop.found("Garden Club", "Ann", "laptop").await?;
        let invitation = laptop.invite(&circle, false).await?;
        self.say(&format!(
            "            the invitation: {}…\n",
            invitation.chars().take(44).collect::<String>()
        ))?;
        ben.join(&invitation, "Ben", "desktop").await?;
        self.held("Ben was let in by Ann's laptop, with an invitation that works once")?;

        self.chapter("3. Ann invites Cara, then switches her laptop off; Ben lets Cara in")?;
        let invitation = laptop.invite(&circle, false).await?;
        ben.wait(&circle, |seen| seen.open_invitations == 1).await?;
        laptop.stop().await?;
        cara.join(&invitation, "Cara", "tablet").await?;
        self.held("Cara was let in by Ben, while the founder was switched off")?;
        laptop.start().await?;
        laptop.wait(&circle, |seen| seen.circle.members == 3 && seen.circle.connected == 2).await?;
        self.held("Ann's laptop is back, and learnt of Cara from the others")?;

        self.chapter("4. Ann adds her phone as a second device of hers")?;
        let invitation = laptop.invite(&circle, true).await?;
        phone.join(&invitation, "Ann", "phone").await?;
        for actor in [&laptop, &phone, &ben, &cara] {
            actor.wait(&circle, |seen| seen.circle.devices == 4 && seen.circle.connected == 3).await?;
        }
        let mut rosters = Vec::new();
        for actor in [&laptop, &phone, &ben, &cara] {
            rosters.push(actor.circle(&circle).await?.roster_digest);
        }
        same("all four devices see the same roster", &rosters)?;
        self.held("four devices of three people, each connected to every other; all see the same roster")?;

        self.chapter("5. Ann and Ben compare safety words, so that nobody can sit between them")?;
        let (ann_id, ben_id) = (laptop.circle(&circle).await?.device, ben.circle(&circle).await?.device);
        let on_anns = laptop.client.safety_words(circle.id, ben_id).await?;
        let on_bens = ben.client.safety_words(circle.id, ann_id).await?;
        self.say(&format!("            on Ann's screen: {}\n", on_anns.words.join(" ")))?;
        self.say(&format!("            on Ben's screen: {}\n", on_bens.words.join(" ")))?;
        same("the safety words", &[on_anns.words, on_bens.words])?;
        laptop.verify(&circle, ben_id, VerifyMethod::Words).await?;
        ben.verify(&circle, ann_id, VerifyMethod::Words).await?;
        let paths = laptop.client.tunnels(circle.id).await?;
        let path =
            paths.iter().find(|tunnel| tunnel.device.id == ben_id).and_then(|tunnel| tunnel.path.as_ref());
        let path = path.ok_or_else(|| failed("no tunnel from Ann to Ben"))?;
        expect("the key exchange is post-quantum", path.key_exchange == "X25519MLKEM768")?;
        self.held(format!(
            "the same twelve words; the tunnel uses {} and {}",
            path.key_exchange, path.cipher
        ))?;

        self.chapter("6. They write to each other")?;
        let since = Instant::now();
        laptop.say(&circle, "Ben", "Hello Ben, can you bring the seeds?").await?;
        ben.hears(&circle, "Ann", 1).await?;
        let first = since.elapsed();
        ben.say(&circle, "Ann", "Of course. Sunflowers and beans.").await?;
        for device in [&laptop, &phone] {
            device.hears(&circle, "Ben", 2).await?;
        }
        self.held(format!(
            "a direct message took {:.1} ms from device to device, encrypted on both disks when it was shown",
            first.as_secs_f64() * 1000.0
        ))?;
        laptop.group(&circle, "Harvest", &["Ben", "Cara"]).await?;
        laptop.say(&circle, "Harvest", "Who takes the plums?").await?;
        cara.hears(&circle, "Harvest", 1).await?;
        cara.say(&circle, "Harvest", "I do!").await?;
        ben.hears(&circle, "Harvest", 2).await?;
        self.held("a group of three talks; Cara's answer reached everybody")?;

        self.chapter("7. Cara's tablet is killed in the middle of a conversation (SIGKILL)")?;
        let mut sent = 0;
        for number in 0..40 {
            let from = if number % 2 == 0 { &laptop } else { &ben };
            from.say(&circle, "everyone", &format!("message {number} in the storm")).await?;
            sent += 1;
            if number == 15 {
                cara.kill().await?;
            }
        }
        ben.hears(&circle, "everyone", sent).await?;
        self.held("the others went on talking while her tablet was dead")?;
        cara.start().await?;
        cara.say(&circle, "everyone", "I am back").await?;
        sent += 1;
        let mut pages = Vec::new();
        for actor in [&laptop, &phone, &ben, &cara] {
            pages.push(actor.hears(&circle, "everyone", sent).await?);
        }
        let order = |page: &Page| page.messages.iter().map(|message| message.id).collect::<Vec<_>>();
        same("the order of messages", &pages.iter().map(order).collect::<Vec<_>>())?;
        let mut digests = Vec::new();
        for actor in [&laptop, &phone, &ben, &cara] {
            digests.push(actor.client.conversation(circle.id, "everyone").await?.history_digest);
        }
        same("the history", &digests)?;
        self.held(format!(
            "all four hold the same {sent} messages: each once, in the same order, none lost"
        ))?;

        self.chapter("8. Ann removes Cara")?;
        let removed = laptop.member(&circle, "Cara").await?;
        laptop.client.remove_member(circle.id, removed).await?;
        for actor in [&laptop, &phone, &ben] {
            actor.wait(&circle, |seen| seen.circle.members == 2 && seen.circle.connected == 2).await?;
        }
        cara.wait(&circle, |seen| seen.circle.connected == 0).await?;
        let secret = "Cara must not read this";
        laptop.say(&circle, "everyone", secret).await?;
        sent += 1;
        for actor in [&phone, &ben] {
            actor.hears(&circle, "everyone", sent).await?;
        }
        // Switched off and on again she tries anew, with every address she knows, and nobody answers.
        cara.stop().await?;
        cara.start().await?;
        cara.turned_away(&circle).await?;
        let left = cara.client.conversation(circle.id, "everyone").await?;
        expect("Cara holds only what she had", left.messages == sent - 1)?;
        self.held("everybody else got the next message; Cara's tablet did not, and finds every door closed")?;

        self.chapter("9. What is left on the disks")?;
        let report = Report::gather(stage, &circle, &[&laptop, &phone, &ben, &cara]).await?;
        let bytes = report.search(stage.folder())?;
        self.held(format!(
            "{} of vaults searched: no text, no name and no passphrase is readable in them",
            megabytes(bytes)
        ))?;
        for actor in [laptop, phone, ben, cara] {
            actor.end().await?;
        }
        Ok(report)
    }
}

/// What a device sees of its circle.
struct Seen {
    circle: Circle,
    open_invitations: usize,
}

fn same<T: PartialEq>(what: &str, values: &[T]) -> Result<(), Failure> {
    expect(&format!("{what}: the same everywhere"), values.windows(2).all(|pair| pair.first() == pair.last()))
}

fn expect(what: &str, holds: bool) -> Result<(), Failure> {
    if holds { Ok(()) } else { Err(failed(format!("this did not hold: {what}"))) }
}

fn failed(why: impl Into<String>) -> Failure {
    Failure::new(ErrorKind::Internal, why).hint("run it again with --keep and look into the folder it names")
}

fn is_in(circle: &Circle) -> bool {
    circle.state == CircleState::Member
}

fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", std::time::Duration::from_micros(bytes).as_secs_f64())
}

/// How long the whole may take.
const LONGEST_MS: u64 = 20_000;

/// Says on standard error where something is kept.
fn note(what: &str) {
    // Nothing depends on it being read.
    let _ = writeln!(std::io::stderr(), "{what}");
}
