use anyhow::Result;

use super::{Bar, Verdict};
use crate::scenes::Scenes;

/// What was deleted or has expired, looked for where it was.
pub(crate) const BAR: Bar = Bar {
    name: "erased",
    what: "words of deleted and expired messages, looked for in every page of every vault behind its encryption",
    limit: "0 hits, in the index and in free pages too; no older copies in the write-ahead log",
    run,
};

pub(super) const SCENES: Scenes = Scenes {
    packages: &["hexode-vault", "hexode-testnet"],
    names: &[
        "deleted_and_expired_words_are_in_no_page_of_any_vault",
        "what_is_erased_is_in_no_page_of_no_file_and_in_no_index",
        "messages_disappear_on_every_device_also_where_it_was_off",
    ],
};

fn run() -> Result<Verdict> {
    Verdict::of_scenes(SCENES)
}
