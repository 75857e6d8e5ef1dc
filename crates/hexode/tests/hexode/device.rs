//! A device of its own: a home, a passphrase, and the program to call.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    path::PathBuf,
    process::{Child, Command, Output, Stdio},
};

use rustix::process::{Pid, Signal, kill_process};

/// A device with an empty home.
pub(crate) struct Device {
    dir: tempfile::TempDir,
}

/// Its node, running until dropped.
pub(crate) struct Running {
    child: Child,
    /// What it said when it was ready.
    pub(crate) said: String,
}

impl Device {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("passphrase"), "seven wet owls sing at noon\n").unwrap();
        Self { dir }
    }

    pub(crate) fn home(&self) -> PathBuf {
        self.dir.path().join("home")
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Prepares a call that knows nothing of the person who runs the tests.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hexode"));
        command.args(arguments).env_clear().env("TZ", "UTC").env("HOME", self.dir.path());
        command.env("HEXODE_HOME", self.home()).current_dir(self.dir.path());
        command.stdin(Stdio::null());
        command
    }

    /// Calls the program and writes down all that a caller sees of it.
    pub(crate) fn run(&self, arguments: &[&str]) -> String {
        transcript(&self.command(arguments).output().unwrap())
    }

    /// The same with something on standard input.
    pub(crate) fn run_with(&self, arguments: &[&str], input: &[u8]) -> String {
        let mut child = self
            .command(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // A program that refuses without reading closes the pipe early.
        let _ = child.stdin.take().unwrap().write_all(input);
        transcript(&child.wait_with_output().unwrap())
    }

    /// Calls the program, which must succeed, and returns its standard output.
    pub(crate) fn ok(&self, arguments: &[&str]) -> String {
        let output = self.command(arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", transcript(&output));
        String::from_utf8(output.stdout).unwrap()
    }

    /// The same with `--json`, read.
    pub(crate) fn json(&self, arguments: &[&str]) -> serde_json::Value {
        serde_json::from_str(&self.ok(&[arguments, &["--json"]].concat())).unwrap()
    }

    /// Calls the program with `--json`, again at each event of the node, until something is seen in the answer.
    pub(crate) fn wait_json<T>(
        &self,
        arguments: &[&str],
        seen: impl Fn(&serde_json::Value) -> Option<T>,
    ) -> T {
        let mut events = self.command(&["tail", "--json"]).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(events.stdout.take().unwrap()).lines();
        let found = std::iter::once(Ok(String::new())).chain(lines).find_map(|_| seen(&self.json(arguments)));
        events.kill().unwrap();
        events.wait().unwrap();
        found.expect("the node ended before it was seen")
    }

    /// Starts the node on loopback and waits until it is ready.
    pub(crate) fn up(&self) -> Running {
        self.up_with(&["--passphrase-file", "passphrase"])
    }

    pub(crate) fn up_with(&self, arguments: &[&str]) -> Running {
        self.up_as(self.command(&["up", "--bind", "127.0.0.1:0", "--no-lan"]).args(arguments))
    }

    /// Starts the node by another call and waits until it is ready.
    pub(crate) fn up_as(&self, command: &mut Command) -> Running {
        command.env_clear().env("TZ", "UTC").env("HOME", self.dir.path()).env("PATH", "/usr/bin:/bin");
        command.env("HEXODE_HOME", self.home()).current_dir(self.dir.path());
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut said = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut said).unwrap();
        assert!(!said.is_empty(), "the node did not start");
        Running { child, said }
    }
}

impl Running {
    /// Asks the process to end and waits until it has.
    pub(crate) fn end(mut self, signal: Signal) -> Option<i32> {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
        self.child.wait().unwrap().code()
    }

    /// Waits until the process has ended by itself.
    pub(crate) fn wait(mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn transcript(output: &Output) -> String {
    let mut shown = match output.status.code() {
        Some(code) => format!("exit {code}\n"),
        None => "killed\n".into(),
    };
    for (name, bytes) in [("out", &output.stdout), ("err", &output.stderr)] {
        if !bytes.is_empty() {
            shown.push_str(&format!("--- {name}\n{}", String::from_utf8_lossy(bytes)));
        }
    }
    shown
}

/// Compares a transcript with what stands in the test, without what differs from run to run.
macro_rules! assert_says {
    ($said:expr, @$expected:literal) => {
        insta::with_settings!({ filters => crate::device::FILTERS.to_vec() }, {
            insta::assert_snapshot!($said, @$expected);
        });
    };
}
pub(crate) use assert_says;

/// What differs from run to run.
pub(crate) const FILTERS: &[(&str, &str)] = &[
    (r"\d+ of \d+ +\d+ B +", "[LOST]  "),
    (r"(ROUND TRIP  LOST) +", "$1     "),
    (r"/[\w/.-]*/\.tmp\w+", "[DIR]"),
    (r"\b[a-z2-7]{52}\b", "[ID]"),
    (r"(?m)^hexode:\S+|hexode:[a-z0-9]\S{40,}", "[LINK]"),
    (r"(?m)\([a-z2-7]{8}\)", "([ID])"),
    (r"(?m)^[a-z2-7]{8}  ", "[ID]      "),
    (r"(revoke|Invitation) [a-z2-7]{8}", "$1 [ID]"),
    (r"roster [0-9a-z]{8}", "roster [DIGEST]"),
    (r"\d{4}-\d\d-\d\d \d\d:\d\d", "[TIME]"),
    (r"127\.0\.0\.1:\d+", "127.0.0.1:[PORT]"),
    (r"\d+(\.\d)? (µs|ms) *", "[TRIP]  "),
];
