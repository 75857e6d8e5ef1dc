use std::{
    io::{BufRead, BufReader, Write},
    process::{self, ChildStdin, Command, ExitStatus, Stdio},
    thread,
};

use anyhow::{Context, Result, bail};
use tokio::sync::mpsc;

use crate::node_role::{Answer, Order};

/// A process of this program in one of its roles; it dies with its handle.
pub(crate) struct Child {
    process: process::Child,
    orders: ChildStdin,
    /// Read by a thread of its own, so that a process that is not listened to does not stand still.
    answers: mpsc::UnboundedReceiver<String>,
}

impl Child {
    pub(crate) fn start(words: &[&str]) -> Result<Self> {
        Self::start_as(&mut Command::new(std::env::current_exe()?), words)
    }

    /// Starts it by a command that runs this program, as one that enters a network namespace first.
    pub(crate) fn start_as(command: &mut Command, words: &[&str]) -> Result<Self> {
        let command = command.args(words).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().context("this program could not be started again")?;
        let orders = process.stdin.take().context("no way to give orders")?;
        let output = process.stdout.take().context("no way to hear answers")?;
        let (say, answers) = mpsc::unbounded_channel();
        thread::spawn(move || {
            // A line that a killed process did not finish is no answer.
            let mut lines = BufReader::new(output);
            let mut line = String::new();
            while lines.read_line(&mut line).is_ok_and(|read| read > 0) && line.ends_with('\n') {
                if say.send(std::mem::take(&mut line)).is_err() {
                    return;
                }
            }
        });
        Ok(Self { process, orders, answers })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }

    pub(crate) async fn line(&mut self) -> Result<String> {
        self.answers.recv().await.context("the other process ended")
    }

    /// Gives an order in words and waits for the answer.
    pub(crate) async fn ask(&mut self, words: &str) -> Result<String> {
        writeln!(self.orders, "{words}").context("the other process takes no orders")?;
        self.line().await
    }

    /// Gives an order to a node and waits for its answer.
    pub(crate) async fn order(&mut self, order: &Order) -> Result<Answer> {
        self.tell(order)?;
        loop {
            match self.answer().await? {
                // Told in between by a node that chatters; whoever wants to know reads the answers itself.
                Answer::Sent { .. } => {}
                Answer::Failed { why } => bail!("{order:?}: {why}"),
                answer => return Ok(answer),
            }
        }
    }

    pub(crate) fn tell(&mut self, order: &Order) -> Result<()> {
        let mut line = serde_json::to_vec(order)?;
        line.push(b'\n');
        self.orders.write_all(&line).context("the other process takes no orders")
    }

    pub(crate) async fn answer(&mut self) -> Result<Answer> {
        Ok(serde_json::from_str(&self.line().await?)?)
    }

    /// Waits until the process has ended, however it does.
    pub(crate) fn wait(&mut self) -> Result<ExitStatus> {
        Ok(self.process.wait()?)
    }

    /// Ends the process with `SIGKILL`, as a loss of power would, and returns what it had said before.
    pub(crate) async fn kill(&mut self) -> Result<Vec<Answer>> {
        self.process.kill()?;
        self.process.wait()?;
        let mut said = Vec::new();
        while let Some(line) = self.answers.recv().await {
            said.push(serde_json::from_str(&line)?);
        }
        Ok(said)
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // Both fail only for a process that has ended.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Reads orders on a thread of its own, which ends with the process: reading cannot be called off.
pub(crate) fn orders() -> mpsc::UnboundedReceiver<String> {
    let (give, orders) = mpsc::unbounded_channel();
    thread::spawn(move || {
        for line in std::io::stdin().lines() {
            let Ok(line) = line else { return };
            if give.send(line).is_err() {
                return;
            }
        }
    });
    orders
}
