use std::path::PathBuf;

use node::api::{Guard, SetGuard};

use crate::{
    failure::Failure,
    passphrase::{Source, choose_duress},
    session::Session,
    text, time,
};

/// Show or set how the vault is guarded while you are away or under duress
///
/// Setting sets all of it: what is not given is off afterwards. It asks for the vault's passphrase. Whether there is a duress
/// passphrase is shown nowhere.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Set it; without other options everything is switched off
    #[arg(long)]
    set: bool,

    /// Lock when you have done nothing for so long: 30s, 10m, 1h
    #[arg(long, value_name = "TIME", value_parser = time::parse_span, requires = "set")]
    lock_after: Option<u64>,

    /// Destroy the vault after so many wrong passphrases in a row, three or more
    #[arg(long, value_name = "COUNT", requires = "set")]
    tries: Option<u32>,

    /// Ask for a passphrase that destroys what is in the vault and opens an empty one
    #[arg(long, requires = "set")]
    duress: bool,

    /// Read that passphrase from the first line of a file
    #[arg(long, value_name = "FILE", requires = "duress")]
    duress_file: Option<PathBuf>,

    #[command(flatten)]
    passphrase: Source,
}

impl Args {
    pub(crate) async fn run(self, session: Session) -> Result<(), Failure> {
        let guard = if self.set {
            let passphrase = self.passphrase.ask()?;
            let duress = self.duress.then(|| choose_duress(self.duress_file.as_deref())).transpose()?;
            let (lock_after_s, tries) = (self.lock_after, self.tries);
            session.client.set_guard(&SetGuard { passphrase, lock_after_s, tries, duress }).await?
        } else {
            session.client.guard().await?
        };
        session.answer(&guard, || show(&guard))
    }
}

fn show(guard: &Guard) -> String {
    let lock = match guard.lock_after_s {
        Some(after_s) => format!("The node locks itself when you do nothing for {}.", time::span(after_s)),
        None => "The node does not lock itself.".into(),
    };
    let tries = match guard.tries {
        Some(tries) => {
            format!("The vault is destroyed after {} in a row.", text::count(tries, "wrong passphrase"))
        }
        None => "Wrong passphrases are not counted.".into(),
    };
    format!("{lock}\n{tries}\n")
}
