use std::collections::BTreeMap;

use node::api::SearchQuery;

use super::read;
use crate::{failure::Failure, session::Session, text};

/// Find words in all that this device holds; what came last is shown first
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The words; all of them must stand in a message, the last may be the beginning of one
    #[arg(required = true)]
    words: Vec<String>,

    /// Only in this conversation: `everyone`, or a member's or a group's name or id
    #[arg(long = "in", value_name = "CONVERSATION")]
    within: Option<String>,

    /// How many at most
    #[arg(long, value_name = "COUNT", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: u32,

    /// Go on where an earlier answer ended
    #[arg(long, value_name = "NUMBER")]
    from: Option<u64>,
}

impl Args {
    pub(crate) async fn run(self, session: Session) -> Result<(), Failure> {
        let circle = session.circle().await?.id;
        let query = SearchQuery {
            words: self.words.join(" "),
            conversation: self.within,
            from: self.from,
            limit: Some(self.limit),
        };
        let found = session.client.search(circle, &query).await?;
        let conversations = session.client.conversations(circle).await?;
        let titles: BTreeMap<_, _> = conversations
            .iter()
            .map(|conversation| (conversation.id, text::line(&conversation.title)))
            .collect();
        session.answer(&found, || {
            if found.messages.is_empty() {
                return "Nothing is found.\n".into();
            }
            let show = |message: &node::api::Message| {
                let title = titles.get(&message.conversation).map_or("", String::as_str);
                format!("[{title}] {}", read::show(message, true))
            };
            let shown: String = found.messages.iter().map(show).collect();
            match found.next {
                Some(next) => format!("{shown}(there may be more: --from {next})\n"),
                None => shown,
            }
        })
    }
}
