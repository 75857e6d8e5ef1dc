//! What must not be readable anywhere outside the devices: names, texts, passphrases, keys.

use std::{collections::BTreeSet, fs, net::SocketAddr, path::Path};

use memchr::memmem;
use node::api::{Circle, PageQuery};
use serde::Serialize;

use super::{
    expect,
    stage::{Actor, Stage},
};
use crate::{failure::Failure, text};

/// Collected at the end of the demo.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    /// Texts, names and passphrases.
    canaries: BTreeSet<String>,
    /// Ids of the circle, its members and devices (these are public keys), as text.
    keys: BTreeSet<String>,
    /// Where the devices listened.
    addresses: BTreeSet<SocketAddr>,
}

impl Report {
    pub(super) async fn gather(stage: &Stage, circle: &Circle, actors: &[&Actor]) -> Result<Self, Failure> {
        let mut canaries: BTreeSet<_> = stage.passphrases.iter().cloned().collect();
        let mut keys = BTreeSet::from([circle.id.to_string()]);
        let mut addresses = BTreeSet::new();
        for actor in actors {
            addresses.extend(actor.circle(circle).await?.addresses);
            canaries.extend(actor.circle(circle).await?.name);
            for device in actor.client.devices(circle.id).await? {
                keys.extend([device.id.to_string(), device.member.to_string()]);
            }
            for conversation in actor.client.conversations(circle.id).await? {
                let query = PageQuery { before: None, limit: Some(1000) };
                let page = actor.client.page(circle.id, conversation.id, &query).await?;
                canaries.extend(page.messages.into_iter().filter_map(|message| message.text));
            }
        }
        // A name or text of a few letters is found in any heap of random bytes.
        canaries.retain(|canary| canary.len() >= 6);
        expect("there is something to look for", canaries.len() > 40 && keys.len() > 4)?;
        Ok(Self { canaries, keys, addresses })
    }

    /// Searches all files below a folder; returns how many bytes there were.
    pub(super) fn search(&self, folder: &Path) -> Result<u64, Failure> {
        let mut total = 0;
        for entry in fs::read_dir(folder)? {
            let (path, kind) = entry.and_then(|entry| Ok((entry.path(), entry.file_type()?)))?;
            if kind.is_dir() {
                total += self.search(&path)?;
            } else if kind.is_file() {
                let bytes = fs::read(&path)?;
                total += bytes.len() as u64;
                let found = self.canaries.iter().find(|canary| holds(&bytes, canary.as_bytes()));
                expect(&format!("nothing is readable in {}", path.display()), found.is_none())?;
            }
        }
        Ok(total)
    }

    pub(super) fn write(&self, file: &Path) -> Result<(), Failure> {
        fs::write(file, text::json(self) + "\n").map_err(|error| Failure::file("write", file, &error))
    }
}

fn holds(bytes: &[u8], wanted: &[u8]) -> bool {
    memmem::find(bytes, wanted).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_readable_text_is_found_and_the_demo_fails() {
        let folder = tempfile::tempdir().unwrap();
        let canaries = BTreeSet::from(["bring the seeds".to_owned()]);
        let report = Report { canaries, keys: BTreeSet::new(), addresses: BTreeSet::new() };
        fs::write(folder.path().join("sealed"), [7; 1000]).unwrap();
        assert_eq!(report.search(folder.path()).unwrap(), 1000);
        fs::create_dir(folder.path().join("inner")).unwrap();
        fs::write(folder.path().join("inner/leak"), b"\0\0please bring the seeds\0").unwrap();
        assert!(report.search(folder.path()).is_err());
    }
}
