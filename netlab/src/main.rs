//! Measures what tunnels do in networks that change, hide, translate and lose.
//!
//! `cargo xtask bar` builds this in release and starts it. What it does is told on the standard error; the last line
//! on the standard output is a verdict in JSON.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "figures are its output")]

mod first_packets;
mod forward;
mod nat;
mod roaming;
mod silent;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};
use serde_json::json;

#[derive(Debug, Parser)]
#[command(name = "hexode-netlab")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Changes of the network under a tunnel.
    Roaming(roaming::Args),
    /// Two members behind translators, through a third.
    Forward(forward::Args),
    /// What forwarding costs the third.
    ForwardCost(forward::CostArgs),
    /// Which networks can reach which.
    Nat(nat::Args),
    /// What a stranger gets for an answer.
    Silent(silent::Args),
    /// What first packets tell an observer.
    FirstPackets(first_packets::Args),
}

/// What a measurement showed.
#[derive(Debug)]
struct Verdict {
    /// As a person reads it.
    figure: String,
    /// Whether the bar holds.
    holds: bool,
}

fn run() -> Result<Verdict> {
    match Cli::parse().command {
        Command::Roaming(args) => roaming::run(&args),
        Command::Forward(args) => forward::run(&args),
        Command::ForwardCost(args) => forward::cost(&args),
        Command::Nat(args) => nat::run(&args),
        Command::Silent(args) => silent::run(&args),
        Command::FirstPackets(args) => first_packets::run(&args),
    }
}

fn main() -> ExitCode {
    match run() {
        Ok(Verdict { figure, holds }) => {
            println!("{}", json!({ "figure": figure, "holds": holds, "rows": [] }));
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("Error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
