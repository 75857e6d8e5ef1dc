//! Runs tests that a bar rests on.

use std::collections::BTreeSet;

use anyhow::Result;

use crate::shell::{self, cargo};

/// Tests of one name each that show together what a bar asks for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scenes {
    /// Where they are.
    pub(crate) packages: &'static [&'static str],
    /// The last part of each one's name.
    pub(crate) names: &'static [&'static str],
}

/// What a run of tests showed.
#[derive(Debug)]
pub(crate) struct Run {
    /// All that was written, the tests' own words with it.
    pub(crate) said: String,
    /// Whether all that ran passed; by the exit code, since who dies of a signal says nothing.
    held: bool,
}

impl Scenes {
    /// Runs them in release; returns the names of those that passed, and whether that is all of them.
    pub(crate) fn run(self) -> Result<(BTreeSet<String>, bool)> {
        let names: Vec<_> = self.names.iter().map(|name| format!("test(/(^|::){name}$/)")).collect();
        let run = run(self.packages, &names.join(" + "), &[])?;
        let passed: BTreeSet<_> = run.passed().map(str::to_owned).collect();
        let all = run.held && self.names.iter().all(|name| passed.contains(*name));
        Ok((passed, all))
    }
}

impl Run {
    /// Finds the last part of the names of the tests that passed.
    pub(crate) fn passed(&self) -> impl Iterator<Item = &str> {
        self.said
            .lines()
            .filter(|line| line.trim_start().starts_with("PASS "))
            .filter_map(|line| line.split_whitespace().last()?.rsplit("::").next())
    }

    /// Tells whether something ran, and all of it passed.
    pub(crate) fn holds(&self) -> bool {
        self.held && self.passed().next().is_some()
    }
}

/// Runs the tests of a filter in release, under the profile for what takes longer than a test may.
pub(crate) fn run(packages: &[&str], filter: &str, env: &[(&str, String)]) -> Result<Run> {
    let mut command = cargo("nextest run --locked --release --no-fail-fast --color never");
    command.args(packages.iter().flat_map(|package| ["--package", package]));
    command.args(["--status-level", "pass", "--final-status-level", "fail"]);
    command.args(["--success-output", "immediate", "--filterset", filter]);
    command.env("NEXTEST_PROFILE", "long").envs(env.iter().map(|(name, value)| (name, value)));
    let (said, held) = shell::listen(&mut command)?;
    Ok(Run { said, held })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_tests_that_passed_count() {
        let said = "\
            \n        PASS [   0.006s] hexode-charter tests::scenes::an_expired_invitation_admits_nobody\
            \n        PASS [   0.210s] (3/9) hexode-tunnel::tunnel strangers::a_silent_stranger_is_shown_out_in_time\
            \n        FAIL [   0.010s] hexode-charter tests::scenes::a_withdrawn_invitation_admits_nobody\n";
        let run = Run { said: said.to_owned(), held: false };
        let expected = ["a_silent_stranger_is_shown_out_in_time", "an_expired_invitation_admits_nobody"];
        assert_eq!(run.passed().collect::<BTreeSet<_>>(), expected.into());
        assert!(!run.holds());
        assert!(!Run { said: String::new(), held: true }.holds(), "nothing that ran shows nothing");
        assert!(Run { said: said.to_owned(), held: true }.holds());
    }
}
