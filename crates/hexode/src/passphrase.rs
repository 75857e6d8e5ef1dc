//! Gets a passphrase from the person or from a file, never from the command line, where others could see it.

use std::{
    fs::File,
    io::{self, IsTerminal, Read},
    path::{Path, PathBuf},
};

use clap::Args;
use node::api::ErrorKind;

use crate::failure::Failure;

/// Where the passphrase comes from.
#[derive(Debug, Clone, Args)]
pub(crate) struct Source {
    /// Read the passphrase from the first line of a file, or of standard input if FILE is `-`
    #[arg(long, value_name = "FILE", env = "HEXODE_PASSPHRASE_FILE", hide_env_values = true)]
    passphrase_file: Option<PathBuf>,
}

impl Source {
    /// Tells whether a person is asked, who may try again.
    pub(crate) fn is_person(&self) -> bool {
        self.passphrase_file.is_none()
    }

    /// Gets the passphrase of a vault that exists.
    pub(crate) fn ask(&self) -> Result<String, Failure> {
        match &self.passphrase_file {
            Some(path) => from_file(path),
            None => prompt("Passphrase: "),
        }
    }

    /// Gets a passphrase for a new vault; a person types it twice.
    pub(crate) fn choose(&self) -> Result<String, Failure> {
        if let Some(path) = &self.passphrase_file {
            return from_file(path);
        }
        let first = prompt("Choose a passphrase for this device's vault: ")?;
        if prompt("The same again: ")? != first {
            return Err(Failure::user("the two passphrases differ").hint("try again"));
        }
        Ok(first)
    }
}

fn prompt(question: &str) -> Result<String, Failure> {
    if !io::stdin().is_terminal() {
        return Err(Failure::user("no passphrase is given and nobody is there to ask")
            .hint("use --passphrase-file FILE, or start with --locked"));
    }
    rpassword::prompt_password(question)
        .map_err(|error| Failure::new(ErrorKind::Config, format!("cannot read the passphrase: {error}")))
}

fn from_file(path: &Path) -> Result<String, Failure> {
    let read = if path == Path::new("-") {
        first_line(io::stdin().lock())
    } else {
        File::open(path).and_then(first_line)
    };
    let passphrase = read.map_err(|error| Failure::file("read the passphrase from", path, &error))?;
    if passphrase.is_empty() {
        return Err(Failure::user(format!("there is no passphrase in {}", path.display())));
    }
    Ok(passphrase)
}

fn first_line(from: impl Read) -> io::Result<String> {
    let mut text = String::new();
    from.take(PASSPHRASE_BYTES).read_to_string(&mut text)?;
    let line = text.split_once('\n').map_or(text.as_str(), |(line, _)| line);
    Ok(line.strip_suffix('\r').unwrap_or(line).to_owned())
}

/// More than anyone types, less than a file given by mistake.
const PASSPHRASE_BYTES: u64 = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_is_the_passphrase() {
        for (text, line) in
            [("a b\n", "a b"), ("a b\r\nc", "a b"), ("a b", "a b"), (" é \n", " é "), ("\n", "")]
        {
            assert_eq!(first_line(text.as_bytes()).unwrap(), line);
        }
        assert!(first_line(&b"\xff\xfe"[..]).is_err());
        let endless = first_line(io::repeat(b'x')).unwrap();
        assert_eq!(endless.len() as u64, PASSPHRASE_BYTES);
    }
}
