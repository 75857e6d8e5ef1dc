use std::io::{self, IsTerminal, Read};

use node::api::{Device, ErrorKind, SafetyWords, Verify, VerifyMethod};
use wire::CircleId;

use super::devices::full_name;
use crate::{failure::Failure, qr, resolve, session::Session, text};

/// Compare safety words with another device, to be sure that nobody sits in between
///
/// Both people run this, each naming the other's device, and read the twelve words to each other over a way on which
/// they know each other's voice or face. Only if all are the same is the device the one it claims to be.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The member's name if he has one device, or the device's name, id, or MEMBER/DEVICE
    device: String,

    /// Record that the words are the same, without being asked
    #[arg(long)]
    yes: bool,

    /// Compare twenty-two signs instead of the words: they say the same to people who share no language
    #[arg(long, conflicts_with_all = ["code", "undo"])]
    emoji: bool,

    /// Go on with the new key of somebody whose key had been compared, without comparing this one
    #[arg(long, conflicts_with_all = ["yes", "code", "undo", "emoji"])]
    accept: bool,

    /// Compare with the code read from the other screen, or from standard input if it is `-`
    #[arg(long, value_name = "CODE", conflicts_with = "yes")]
    code: Option<String>,

    /// Take the record back
    #[arg(long, conflicts_with_all = ["yes", "code"])]
    undo: bool,
}

impl Args {
    pub(crate) async fn run(self, session: Session) -> Result<(), Failure> {
        let circle = session.circle().await?.id;
        let device = resolve::device(session.client.devices(circle).await?, &self.device)?;
        if self.undo {
            let device = session.client.unverify(circle, device.id).await?;
            return session.answer(&device, || format!("{} counts as not verified.\n", full_name(&device)));
        }
        if let Some(code) = self.code {
            return record(&session, circle, &device, VerifyMethod::Qr, Some(read(code)?)).await;
        }
        if self.accept {
            let name = full_name(&device);
            if !device.new_key {
                return Err(Failure::user(format!("the key of {name} is not new")));
            }
            let accepted = Verify { method: VerifyMethod::Accepted, code: None };
            let device = session.client.verify(circle, device.id, &accepted).await?;
            return session
                .answer(&device, || format!("The new key of {name} is accepted, and not verified.\n"));
        }
        let method = if self.emoji { VerifyMethod::Emoji } else { VerifyMethod::Words };
        let words = session.client.safety_words(circle, device.id).await?;
        if self.yes {
            return record(&session, circle, &device, method, None).await;
        }
        session.answer(&words, || show(&words, self.emoji))?;
        if session.json || !io::stdin().is_terminal() {
            return Ok(());
        }
        if session.confirm("Are they the same on the other screen?")? {
            return record(&session, circle, &device, method, None).await;
        }
        Err(Failure::new(ErrorKind::Conflict, format!("{} is not verified", full_name(&device)))
            .hint("if the words differ, somebody may sit in between: send it nothing secret, and ask an admin to remove it"))
    }
}

async fn record(
    session: &Session,
    circle: CircleId,
    device: &Device,
    method: VerifyMethod,
    code: Option<String>,
) -> Result<(), Failure> {
    let device = session.client.verify(circle, device.id, &Verify { method, code }).await?;
    session.answer(&device, || format!("{} is verified.\n", full_name(&device)))
}

fn show(words: &SafetyWords, emoji: bool) -> String {
    let mut shown = format!("Safety words between this device and {}:\n\n", full_name(&words.device));
    for (row, four) in words.emoji.chunks(4).enumerate().filter(|_| emoji) {
        for (column, sign) in four.iter().enumerate() {
            shown.push_str(&format!("  {:>2} {} {:<10}", row * 4 + column + 1, sign.sign, sign.name));
        }
        shown.truncate(shown.trim_end().len());
        shown.push('\n');
    }
    for (row, four) in words.words.chunks(4).enumerate().filter(|_| !emoji) {
        for (column, word) in four.iter().enumerate() {
            shown.push_str(&format!("  {:>2} {:<12}", row * 4 + column + 1, text::line(word)));
        }
        shown.truncate(shown.trim_end().len());
        shown.push('\n');
    }
    if let Some(code) = qr::draw(&words.code) {
        shown.push_str(&format!("\n{code}"));
    }
    shown.push_str(&format!("\nCode: {}\n", text::line(&words.code)));
    shown
}

fn read(code: String) -> Result<String, Failure> {
    if code != "-" {
        return Ok(code);
    }
    let mut text = String::new();
    io::stdin().lock().take(CODE_BYTES).read_to_string(&mut text)?;
    Ok(text.trim().to_owned())
}

const CODE_BYTES: u64 = 4096;
