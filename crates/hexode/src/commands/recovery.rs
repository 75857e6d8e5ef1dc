use std::{
    io::{self, BufRead, IsTerminal, Read, Write},
    str::FromStr,
};

use clap::Subcommand;
use node::api::{NewSheets, Recovery, SheetWords, Sheets, UseSheets};

use crate::{
    failure::Failure,
    qr,
    session::{self, Session},
    text, time,
};

/// Print sheets that bring a lost founder back, and use them
///
/// Each sheet holds one key in sixteen words. Whoever has enough of them can take the founder's place: print them, give
/// each to another person or place, and keep none on a device.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    act: Act,
}

#[derive(Debug, Subcommand)]
enum Act {
    /// Make sheets for a circle that was founded without any, and print them, this once
    Make {
        /// How many bring the founder back, of how many: for instance 2/3
        #[arg(value_name = "K/N")]
        sheets: Quorum,
    },
    /// Show whether there are sheets, and whether they were used
    Show,
    /// Try a sheet: whether it can be read, and which one it is; the words come from standard input
    Check,
    /// Take the founder's place with this device; the words of each sheet come from standard input, one sheet a line
    ///
    /// The founder's other devices are removed. If this device belongs to somebody else, it becomes the founder's.
    Use {
        /// Make new sheets at the same time, and print them; the old ones count no more
        #[arg(long, value_name = "K/N")]
        renew: Option<Quorum>,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
}

impl Args {
    pub(crate) async fn run(self, session: Session) -> Result<(), Failure> {
        let circle = session.circle().await?;
        match self.act {
            Act::Make { sheets } => {
                let sheets = session.client.make_sheets(circle.id, &sheets.0).await?;
                session.answer(&sheets, || print(&sheets))
            }
            Act::Show => {
                let recovery = session.client.recovery(circle.id).await?;
                session.answer(&recovery, || show(&recovery))
            }
            Act::Check => {
                let words = next_line("The words of the sheet: ")?.unwrap_or_default();
                let number = session.client.check_sheet(circle.id, &SheetWords { words }).await?;
                session
                    .answer(&number, || format!("This is sheet {number} of “{}”.\n", session::name(&circle)))
            }
            Act::Use { renew, yes } => {
                let recovery = session.client.recovery(circle.id).await?;
                let mut sheets = Vec::new();
                while sheets.len() < usize::from(recovery.needed) {
                    let prompt = format!("Sheet {} of {}: ", sheets.len() + 1, recovery.needed);
                    match next_line(&prompt)? {
                        Some(words) => sheets.push(words),
                        None => break,
                    }
                }
                let name = session::name(&circle);
                let question = format!(
                    "Make this device the founder's of “{name}”? The founder's other devices are removed, and everybody is told."
                );
                if !yes && !session.confirm(&question)? {
                    return session.answer(&false, || "Nothing was done.\n".into());
                }
                let renew = renew.map(|renew| renew.0);
                let used = session.client.use_sheets(circle.id, &UseSheets { sheets, renew }).await?;
                session.answer(&used, || {
                    let who = used.circle.member_name.as_deref().map(text::line).unwrap_or_default();
                    let mut shown = format!(
                        "This device stands in the founder's place of “{name}”, as {who}. The others are told, and warned until \
                         they have compared safety words with you.\n"
                    );
                    if !used.sheets.is_empty() {
                        shown.push('\n');
                        shown.push_str(&print(&used));
                    }
                    shown
                })
            }
        }
    }
}

/// How many sheets, written `2/3`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Quorum(pub(crate) NewSheets);

impl FromStr for Quorum {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let numbers = text.split_once('/').and_then(|(k, n)| Some((k.parse().ok()?, n.parse().ok()?)));
        match numbers {
            Some((needed, of)) if needed <= of && u16::from(needed) * 2 > u16::from(of) && of <= 16 => {
                Ok(Self(NewSheets { needed, of }))
            }
            _ => Err("more than half of the sheets, of 16 at most: for instance 2/3"),
        }
    }
}

/// Writes all sheets for a printer: one a page, each with all that its keeper must know.
pub(crate) fn print(sheets: &Sheets) -> String {
    let name = session::name(&sheets.circle);
    let founder = sheets.circle.member_name.as_deref().map(text::line).unwrap_or_default();
    let (needed, of) = (sheets.needed, sheets.sheets.len());
    let pages = sheets.sheets.iter().map(|sheet| {
        let mut page = format!(
            "Hexode recovery sheet {} of {of}\nCircle “{name}” ({}), founder {founder}\n\n",
            sheet.number,
            sheets.circle.id.short()
        );
        let words: Vec<_> = sheet.words.split(' ').collect();
        for (row, four) in words.chunks(4).enumerate() {
            for (column, word) in four.iter().enumerate() {
                page.push_str(&format!("  {:>2} {word:<12}", row * 4 + column + 1));
            }
            page.truncate(page.trim_end().len());
            page.push('\n');
        }
        if let Some(code) = qr::draw(&sheet.words) {
            page.push_str(&format!("\n{code}"));
        }
        page.push_str(&format!(
            "\nAny {needed} of the {of} sheets put a device in the founder's place: keep this one where no device and no other \
             sheet is.\n"
        ));
        page
    });
    let mut shown = pages.collect::<Vec<_>>().join("\u{c}\n");
    shown
        .push_str("\nThese sheets are shown only now and kept nowhere. Print them, and clear this screen.\n");
    shown
}

fn show(recovery: &Recovery) -> String {
    let mut shown = match recovery.needed {
        0 => "This circle has no recovery sheets: if its founder is lost, nobody takes his place. The founder makes some with \
              `hexode recovery make`.\n"
            .to_owned(),
        needed => format!("Any {needed} of {} sheets bring the founder back.\n", recovery.of),
    };
    for used in &recovery.uses {
        let noticed = if used.noticed { "" } else { ": not verified since" };
        shown.push_str(&format!(
            "Used {} by {}{noticed}\n",
            time::minute(used.at_ms),
            text::line(&used.name)
        ));
    }
    shown
}

/// Reads the next line that is not empty, from a person or a program; nothing at the end.
fn next_line(prompt: &str) -> Result<Option<String>, Failure> {
    loop {
        if io::stdin().is_terminal() {
            let mut stderr = io::stderr().lock();
            write!(stderr, "{prompt}")?;
            stderr.flush()?;
        }
        let mut line = String::new();
        if io::stdin().lock().take(LINE_BYTES).read_line(&mut line)? == 0 {
            return Ok(None);
        }
        if !line.trim().is_empty() {
            return Ok(Some(line.trim().to_owned()));
        }
    }
}

const LINE_BYTES: u64 = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_than_half_of_the_sheets_are_needed() {
        for right in ["1/1", "2/3", "3/5", "16/16"] {
            assert!(right.parse::<Quorum>().is_ok(), "{right}");
        }
        for wrong in ["", "2", "1/2", "0/0", "3/2", "9/17", "a/b", "-1/1"] {
            assert!(wrong.parse::<Quorum>().is_err(), "{wrong}");
        }
    }
}
