use wire::{DeviceId, MessageId, Run, Signature};

use crate::{Entry, entry::verify};

/// Runs whose signatures were found to hold before the journal came to them, on whatever thread had the time.
///
/// Only [`check`](Self::check) puts anything in. The journal takes its word for the signature and for nothing else:
/// chain, links and membership are judged when the run is placed.
#[derive(Debug, Default)]
pub struct Vouched(Vec<(DeviceId, MessageId, Signature)>);

impl Vouched {
    /// Checks the signatures of runs; those that don't hold, or can't be read, are simply not in it.
    pub fn check(runs: &[Run]) -> Self {
        let holding = runs.iter().filter_map(|run| {
            let last = Entry::decode(run.entries.last()?.clone()).ok()?;
            verify(&last.header.author, &last.id, &run.signature).ok()?;
            Some((last.header.author, last.id, run.signature))
        });
        Self(holding.collect())
    }

    pub(crate) fn holds(&self, author: &DeviceId, last: &MessageId, signature: &Signature) -> bool {
        self.0.iter().any(|(by, id, signed)| (by, id, signed) == (author, last, signature))
    }
}
