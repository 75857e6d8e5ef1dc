//! Measures whole nodes, each on its own thread and vault, beside bare iroh endpoints in the same run.
//!
//! `cargo xtask bar` and `cargo xtask bench` build this in release and start it; by hand:
//! `cargo run --release -p hexode-bench -- round-trip`. What it does is told on the standard error; the last line
//! on the standard output is a [`Verdict`] in JSON.
//!
//! The node at the other end of every measurement is a process of its own (`hexode-bench node`), as is the bare
//! endpoint (`hexode-bench endpoint`). Vaults lie beside this program on the disk that holds it, so that a commit
//! waits for a real disk.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "figures are its output")]

mod bars;
mod cable;
mod child;
mod commits;
mod endpoint;
mod files;
mod host;
mod many;
mod needles;
mod node_role;
mod pcap;
mod process;
mod programs;
mod samples;
mod verdict;

use std::{
    net::{Ipv4Addr, SocketAddr},
    process::ExitCode,
};

use anyhow::Result;
use clap::{Parser, Subcommand};
use tokio::runtime::{Builder, Runtime};

use crate::verdict::Verdict;

#[derive(Debug, Parser)]
#[command(name = "hexode-bench")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// A message, durable at both ends, until its receipt is there.
    RoundTrip(bars::round_trip::Args),
    /// Messages one way, durable at both ends.
    Throughput(bars::throughput::Args),
    /// A device that comes back after a long absence.
    CatchUp(bars::catch_up::Args),
    /// From a locked node to its first message at the other end.
    Dial(bars::dial::Args),
    /// A node that does nothing but keep its tunnels; needs root for network namespaces.
    Idle(bars::idle::Args),
    /// `SIGKILL` while messages flow.
    Kill(bars::kill::Args),
    /// A large file from one node to another, beside bare endpoints.
    File(bars::file::Args),
    /// `SIGKILL` while a file is on its way.
    FileKill(bars::file_kill::Args),
    /// One data stream between two programs, beside bare endpoints and `ssh -L`.
    Stream(bars::stream::Args),
    /// Small requests over an open data stream, beside bare endpoints.
    StreamEcho(bars::stream::EchoArgs),
    /// Very many data streams at a time, beside bare endpoints.
    StreamMany(bars::stream_many::Args),
    /// Messages beside a file and bulk streams on a narrow cable; needs root for network namespaces.
    SqueezeMessage(bars::squeeze::Args),
    /// What of a conversation can be read in files.
    Canary(bars::canary::Args),
    /// What of the demo can be read in its packets; needs root for a network namespace.
    Capture(bars::capture::Args),
    /// Two members whose addresses all changed, on a local DHT; and what its records tell an observer.
    Dht(bars::dht::Args),
    /// Runs one node under orders from the standard input.
    #[command(hide = true)]
    Node(node_role::Args),
    /// Runs one bare iroh endpoint that echoes or swallows.
    #[command(hide = true)]
    Endpoint {
        /// The address to listen on.
        #[arg(long, default_value_t = Ipv4Addr::LOCALHOST)]
        bind: Ipv4Addr,
    },
    /// Runs the programs that streams are joined with: one that echoes, one that swallows.
    #[command(hide = true)]
    Programs,
    /// Runs the programs that open very many connections to an address.
    #[command(hide = true)]
    Clients { address: SocketAddr },
    /// Runs the programs that take so many connections and swallow what comes.
    #[command(hide = true)]
    Sinks { most: usize },
}

fn main() -> ExitCode {
    let command = Cli::parse().command;
    match run(command) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("Error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<ExitCode> {
    // What is measured beside bare endpoints on the way between two devices.
    if let Command::File(_)
    | Command::Stream(_)
    | Command::StreamEcho(_)
    | Command::StreamMany(_)
    | Command::SqueezeMessage(_) = command
        && let Some(code) = cable::run_between()?
    {
        return Ok(code);
    }
    let verdict = runtime()?.block_on(measure(command))?;
    verdict.iter().for_each(Verdict::print);
    Ok(ExitCode::SUCCESS)
}

async fn measure(command: Command) -> Result<Option<Verdict>> {
    match command {
        Command::RoundTrip(args) => bars::round_trip::run(&args).await.map(Some),
        Command::Throughput(args) => bars::throughput::run(&args).await.map(Some),
        Command::CatchUp(args) => bars::catch_up::run(&args).await.map(Some),
        Command::Dial(args) => bars::dial::run(&args).await.map(Some),
        Command::Idle(args) => bars::idle::run(&args).await.map(Some),
        Command::Kill(args) => bars::kill::run(&args).await.map(Some),
        Command::File(args) => bars::file::run(&args).await.map(Some),
        Command::FileKill(args) => bars::file_kill::run(&args).await.map(Some),
        Command::Stream(args) => bars::stream::run(&args).await.map(Some),
        Command::StreamEcho(args) => bars::stream::echo(&args).await.map(Some),
        Command::StreamMany(args) => bars::stream_many::run(&args).await.map(Some),
        Command::SqueezeMessage(args) => bars::squeeze::message(&args).await.map(Some),
        Command::Canary(args) => bars::canary::run(&args).await.map(Some),
        Command::Capture(args) => bars::capture::run(&args).map(Some),
        Command::Dht(args) => bars::dht::run(&args).await.map(Some),
        Command::Node(args) => node_role::run(args).await.map(|()| None),
        Command::Endpoint { bind } => endpoint::serve(bind).await.map(|()| None),
        Command::Programs => programs::serve().map(|()| None),
        Command::Clients { address } => many::clients(address).await.map(|()| None),
        Command::Sinks { most } => many::sinks(most).await.map(|()| None),
    }
}

/// One thread, as `hexode up` has it.
fn runtime() -> Result<Runtime> {
    Ok(Builder::new_current_thread().enable_all().build()?)
}
