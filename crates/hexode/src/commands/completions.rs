use clap::CommandFactory;
use clap_complete::{Shell, generate};

use crate::{cli::Cli, failure::Failure, session::Session};

/// Write the script that completes this program's commands in a shell
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Which shell
    shell: Shell,
}

impl Args {
    #[allow(clippy::unused_async, reason = "all commands are called the same way")]
    pub(crate) async fn run(self, session: Session) -> Result<(), Failure> {
        let mut script = Vec::new();
        generate(self.shell, &mut Cli::command(), "hexode", &mut script);
        session.print(&String::from_utf8_lossy(&script))
    }
}
