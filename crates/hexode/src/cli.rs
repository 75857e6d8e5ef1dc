use std::path::PathBuf;

use clap::{Args, Parser};

use crate::commands::Command;

/// Write to the people of your circle, device to device, with no server anywhere.
#[derive(Debug, Parser)]
#[command(name = "hexode", version, propagate_version = true, max_term_width = 100)]
#[command(after_long_help = EXIT_CODES)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command takes.
#[derive(Debug, Args)]
pub(crate) struct Global {
    /// The folder of vault and socket [default: HEXODE_HOME, or hexode in the XDG data folder]
    #[arg(long, global = true, value_name = "DIR", env = "HEXODE_HOME", hide_env = true)]
    pub(crate) home: Option<PathBuf>,

    /// Answer in JSON, and say errors in JSON
    #[arg(long, global = true)]
    pub(crate) json: bool,

    /// Which circle, by name or id; needed only when this device belongs to several
    #[arg(long, global = true, value_name = "NAME|ID")]
    pub(crate) circle: Option<String>,

    /// Log more to standard error; twice and thrice for still more
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
}

const EXIT_CODES: &str = "\
Exit codes:
  0  it was done
  1  a fault of this program, or a check that does not hold
  2  the request cannot be right as it stands
  3  what the request names is not there
  4  the request contradicts what is already so
  5  the circle's charter gives this device no right to do that
  6  the node is locked
  7  this device's set-up stands in the way: no node running, files, ports, disk
  8  another device refused or could not be reached";
