//! Gets a passphrase from the person or from a file, never from the command line, where others could see it.

use std::{
    fs::File,
    io::{self, IsTerminal, Read, Write},
    iter,
    path::{Path, PathBuf},
};

use clap::Args;
use ratatui::crossterm::{
    event::{self, Event, KeyCode, KeyEventKind, KeyModifiers},
    terminal,
};

use crate::failure::Failure;

/// Where the passphrase comes from.
#[derive(Debug, Clone, Args)]
pub(crate) struct Source {
    /// Read the passphrase from a file, or standard input: `-` [default: HEXODE_PASSPHRASE_FILE]
    #[arg(long, value_name = "FILE", env = "HEXODE_PASSPHRASE_FILE", hide_env = true)]
    passphrase_file: Option<PathBuf>,
}

impl Source {
    /// Tells whether a person is asked, who may try again.
    pub(crate) fn is_person(&self) -> bool {
        self.passphrase_file.is_none() && io::stdin().is_terminal()
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
        twice("Choose a passphrase for this device's vault: ")
    }
}

/// Gets a passphrase that is to empty the vault: from a file, or twice from a person.
pub(crate) fn choose_duress(file: Option<&Path>) -> Result<String, Failure> {
    if let Some(path) = file {
        return from_file(path);
    }
    twice("Choose a passphrase that empties the vault: ")
}

fn twice(question: &str) -> Result<String, Failure> {
    let first = prompt(question)?;
    if prompt("The same again: ")? != first {
        return Err(Failure::user("the two passphrases differ").hint("try again"));
    }
    Ok(first)
}

fn prompt(question: &str) -> Result<String, Failure> {
    if !io::stdin().is_terminal() {
        return Err(Failure::user("no passphrase is given and nobody is there to ask")
            .hint("use --passphrase-file FILE, or start with --locked"));
    }
    read_hidden(question).map_err(Failure::from)?.ok_or(Failure::Interrupted)
}

/// Reads a line without showing it; nothing if the person gave up.
fn read_hidden(question: &str) -> io::Result<Option<String>> {
    let mut stderr = io::stderr().lock();
    write!(stderr, "{question}")?;
    stderr.flush()?;
    let line = {
        let _raw = Raw::begin()?;
        read_line(iter::from_fn(|| Some(event::read())))
    };
    writeln!(stderr)?;
    line
}

/// The terminal, handing over each key and showing none, until dropped.
struct Raw;

impl Raw {
    fn begin() -> io::Result<Self> {
        terminal::enable_raw_mode()?;
        Ok(Self)
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        give_back();
    }
}

/// Makes the terminal show again what is typed, if a question was cut short by the end of the process.
pub(crate) fn give_back() {
    // Nothing can be done about a terminal that is gone.
    let _ = terminal::disable_raw_mode();
}

fn read_line(inputs: impl Iterator<Item = io::Result<Event>>) -> io::Result<Option<String>> {
    let mut line = String::new();
    for input in inputs {
        let key = match input? {
            Event::Key(key) if key.kind != KeyEventKind::Release => key,
            Event::Paste(text) => {
                line.push_str(&text);
                continue;
            }
            _ => continue,
        };
        match key.code {
            KeyCode::Enter => return Ok(Some(line)),
            KeyCode::Char('c' | 'd') if key.modifiers.contains(KeyModifiers::CONTROL) => return Ok(None),
            KeyCode::Char('j' | 'm') if key.modifiers.contains(KeyModifiers::CONTROL) => {
                return Ok(Some(line));
            }
            KeyCode::Char('u') if key.modifiers.contains(KeyModifiers::CONTROL) => line.clear(),
            KeyCode::Backspace => {
                line.pop();
            }
            KeyCode::Char(c) if !key.modifiers.contains(KeyModifiers::CONTROL) => line.push(c),
            _ => {}
        }
    }
    Ok(None)
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
    use ratatui::crossterm::event::KeyEvent;

    use super::*;

    #[test]
    fn a_line_is_typed_corrected_and_given_up() {
        let typed = |keys: &[(KeyCode, KeyModifiers)]| {
            let keys: Vec<_> =
                keys.iter().map(|&(code, held)| Ok(Event::Key(KeyEvent::new(code, held)))).collect();
            read_line(keys.into_iter()).unwrap()
        };
        let (none, control) = (KeyModifiers::NONE, KeyModifiers::CONTROL);
        let [x, a, e] = ['x', 'A', 'é'].map(|c| (KeyCode::Char(c), none));
        let (back, enter) = ((KeyCode::Backspace, none), (KeyCode::Enter, none));
        assert_eq!(typed(&[x, a, back, e, enter, x]).as_deref(), Some("xé"));
        assert_eq!(typed(&[x, (KeyCode::Char('u'), control), back, a, enter]).as_deref(), Some("A"));
        assert_eq!(typed(&[enter]).as_deref(), Some(""));
        assert_eq!(typed(&[x, (KeyCode::Char('c'), control), enter]), None);
        assert_eq!(typed(&[x]), None);
    }

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
