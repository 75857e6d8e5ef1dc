use std::process::Stdio;

use anyhow::{Context, Result, bail};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    process::{self, ChildStdin, ChildStdout, Command},
};

use crate::node_role::{Answer, Order};

/// A process of this program in one of its roles; it dies with its handle.
pub(crate) struct Child {
    process: process::Child,
    orders: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
    pid: u32,
}

impl Child {
    pub(crate) fn start(words: &[&str]) -> Result<Self> {
        Self::start_as(&mut Command::new(std::env::current_exe()?), words)
    }

    /// Starts it by a command that runs this program, as one that enters a network namespace first.
    pub(crate) fn start_as(command: &mut Command, words: &[&str]) -> Result<Self> {
        let mut process = command
            .args(words)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("this program could not be started again")?;
        let orders = process.stdin.take().context("no way to give orders")?;
        let answers = process.stdout.take().context("no way to hear answers")?;
        let pid = process.id().context("the process ended at once")?;
        Ok(Self { process, orders, answers: BufReader::new(answers).lines(), pid })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }

    pub(crate) async fn line(&mut self) -> Result<String> {
        self.answers.next_line().await?.context("the other process ended")
    }

    /// Gives an order to a node and waits for its answer.
    pub(crate) async fn order(&mut self, order: &Order) -> Result<Answer> {
        self.tell(order).await?;
        loop {
            match self.answer().await? {
                // Told in between by a node that chatters; whoever wants to know reads the answers itself.
                Answer::Sent { .. } => {}
                Answer::Failed { why } => bail!("{order:?}: {why}"),
                answer => return Ok(answer),
            }
        }
    }

    pub(crate) async fn tell(&mut self, order: &Order) -> Result<()> {
        let mut line = serde_json::to_vec(order)?;
        line.push(b'\n');
        self.orders.write_all(&line).await.context("the other process takes no orders")
    }

    pub(crate) async fn answer(&mut self) -> Result<Answer> {
        Ok(serde_json::from_str(&self.line().await?)?)
    }

    /// Waits until the process has ended, however it does.
    pub(crate) async fn wait(&mut self) -> Result<()> {
        self.process.wait().await?;
        Ok(())
    }

    /// Ends the process with `SIGKILL`, as a loss of power would, and returns what it had said before.
    pub(crate) async fn kill(&mut self) -> Result<Vec<Answer>> {
        self.process.kill().await?;
        let mut said = Vec::new();
        while let Some(line) = self.answers.next_line().await? {
            // The last line may be cut.
            said.extend(serde_json::from_str(&line));
        }
        Ok(said)
    }
}
