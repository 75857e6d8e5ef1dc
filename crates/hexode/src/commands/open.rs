use std::{
    env,
    io::{self, IsTerminal},
    process::{Command, Stdio},
};

use crate::{failure::Failure, session::Session};

/// Open the page of the running node in a browser, by a link that works once
///
/// The link is printed and, where there is a desktop, opened. From then on this browser needs no link any more until the
/// node is started anew, or for 30 days; `hexode tokens` lists its session and can end it.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Print the link and open nothing
    #[arg(long)]
    print: bool,
}

impl Args {
    pub(crate) async fn run(self, session: Session) -> Result<(), Failure> {
        let link = session.client.open_link().await?;
        session.answer(&link, || format!("{}\n", link.url))?;
        if self.print || session.json || !io::stdout().is_terminal() || !has_desktop() {
            return Ok(());
        }
        // The link is on the screen already: without a browser nothing is lost.
        let _ = Command::new("xdg-open")
            .arg(&link.url)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        Ok(())
    }
}

fn has_desktop() -> bool {
    ["WAYLAND_DISPLAY", "DISPLAY"].iter().any(|name| env::var_os(name).is_some_and(|value| !value.is_empty()))
}
