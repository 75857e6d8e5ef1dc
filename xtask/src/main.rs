//! Runs the workspace's gate and measures its bars: `cargo xtask ci`, `cargo xtask bar NAME`, `cargo xtask bench`.
//!
//! It drives built programs as a person would and links no room, so that it builds in seconds and measures
//! what is shipped.

#![allow(clippy::print_stdout, reason = "a command-line tool speaks on its standard output")]

mod bar;
mod bench;
mod ci;
mod scale;
mod scenes;
mod shell;
mod web;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// The workspace's own tool.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs everything that must hold before a change goes in, in the order CI does.
    Ci(ci::Args),
    /// Measures one promise that has a figure; exits 0 only if the bar holds.
    Bar(bar::Args),
    /// Measures what grows with a circle, and writes docs/scale.md anew.
    Scale,
    /// Measures everything that has a figure and prints one table, each figure beside a bare iroh endpoint's.
    Bench(bench::Args),
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Ci(args) => ci::run(&args),
        Command::Bar(args) => bar::run(&args),
        Command::Bench(args) => bench::run(&args),
        Command::Scale => scale::run(),
    };
    result.unwrap_or_else(|error| {
        println!("\nError: {error:#}");
        ExitCode::FAILURE
    })
}
