//! The one binary: `hexode up` runs a node, everything else asks it over its socket.

use std::process::ExitCode;

use clap::Parser;

mod cli;
mod commands;
mod failure;
mod passphrase;
mod qr;
mod resolve;
mod session;
mod size;
mod table;
mod text;
mod time;

fn main() -> ExitCode {
    let wants_json = std::env::args_os().any(|argument| argument == "--json");
    let outcome = match cli::Cli::try_parse() {
        Ok(cli) => run(cli),
        Err(error) => failure::from_clap(&error),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(wants_json),
    }
}

fn run(cli: cli::Cli) -> Result<(), failure::Failure> {
    session::log(cli.global.verbose);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let outcome = runtime.block_on(cli.command.run(session::Session::new(cli.global)?));
    // A thread that waits for a person's answer does not hold up the end.
    runtime.shutdown_background();
    passphrase::give_back();
    outcome
}
