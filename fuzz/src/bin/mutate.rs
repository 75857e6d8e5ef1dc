//! Gives every decoder many mutated encodings and tells what it did with them.
//!
//! One process a decoder, as many at once as there are cores: memory is counted for the whole process.

#![allow(clippy::print_stdout, reason = "this program's report is its purpose")]

use std::{
    env,
    process::{Command, ExitCode, Output},
    sync::{Mutex, PoisonError},
    thread,
};

use anyhow::{Context, Result, bail};
use data_encoding::HEXLOWER;
use hexode_fuzz::{Decoder, decoders, trial};

struct Options {
    inputs: u64,
    seed: u64,
    only: Option<String>,
}

fn main() -> Result<ExitCode> {
    let options = options()?;
    match &options.only {
        Some(name) => one(&options, name),
        None => all(&options),
    }
}

fn options() -> Result<Options> {
    let mut options = Options { inputs: 1_000_000, seed: 1, only: None };
    let mut words = env::args().skip(1);
    while let Some(word) = words.next() {
        let value = words.next().with_context(|| format!("{word}: a value is missing"))?;
        match word.as_str() {
            "--inputs" => options.inputs = value.parse().context("--inputs: a number")?,
            "--seed" => options.seed = value.parse().context("--seed: a number")?,
            "--only" => options.only = Some(value),
            _ => bail!("{word}: not one of --inputs N, --seed N, --only DECODER"),
        }
    }
    Ok(options)
}

/// Tries one decoder in this process.
fn one(options: &Options, name: &str) -> Result<ExitCode> {
    let decoders = decoders();
    let decoder = decoders.iter().find(|decoder| decoder.name == name).context("no such decoder")?;
    let report = trial(decoder, options.inputs, options.seed);
    println!(
        "{:<20} {:>9} inputs {:>5.1} % accepted {:>9} B live {:>6} µs slowest",
        report.name,
        report.inputs,
        report.accepted as f64 * 100.0 / report.inputs.max(1) as f64,
        report.live,
        report.slowest.as_micros(),
    );
    for violation in &report.violations {
        let shown: Vec<_> = violation.bytes.iter().copied().take(SHOWN).collect();
        println!("  {} by {} B: {}", violation.what, violation.bytes.len(), HEXLOWER.encode(&shown));
    }
    let broken = report.panics > 0 || !report.violations.is_empty();
    Ok(if broken { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Tries all, each in a process of its own.
fn all(options: &Options) -> Result<ExitCode> {
    let decoders = decoders();
    let waiting = Mutex::new(decoders.iter());
    let ended: Mutex<Vec<(&Decoder, Result<Output>)>> = Mutex::new(Vec::new());
    let next = || waiting.lock().ok()?.next();
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while let Some(decoder) = next() {
                    let output = child(options, decoder.name);
                    if let Ok(output) = &output {
                        print!("{}", String::from_utf8_lossy(&output.stdout));
                    }
                    ended.lock().expect("no thread panics with it").push((decoder, output));
                }
            });
        }
    });
    let (mut failed, mut panics) = (0, 0);
    for (decoder, output) in ended.into_inner().unwrap_or_else(PoisonError::into_inner) {
        let output = output?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            let seen = said.matches("panicked at").count();
            // One that died without a word was killed by the allocator or the stack: no better than a panic.
            panics += if output.status.code() == Some(1) { seen } else { seen.max(1) };
            failed += 1;
            println!("{} failed ({}):\n{said}", decoder.name, output.status);
        }
    }
    let inputs = decoders.len() as u64 * options.inputs;
    println!("decoders {}, inputs {inputs}, panics {panics}", decoders.len());
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn child(options: &Options, name: &str) -> Result<Output> {
    let mut command = Command::new(env::current_exe()?);
    command.args(["--only", name, "--inputs", &options.inputs.to_string()]);
    command.args(["--seed", &options.seed.to_string()]);
    command.output().context("this program could not be started again")
}

/// How many bytes of an input are printed. The same seed makes the whole of it again.
const SHOWN: usize = 256;
