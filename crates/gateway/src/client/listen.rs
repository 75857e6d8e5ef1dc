use http_body_util::BodyExt;
use node::api::Event;

use super::{Answer, ClientError};

/// What happens in the node, as it happens.
///
/// When it has missed some because this side was too slow, it says so by [`Event::Missed`].
#[derive(Debug)]
pub struct Events {
    answer: Answer,
    /// Bytes that came and are not yet a whole line.
    rest: Vec<u8>,
    /// How much of `rest` was searched for the line's end.
    searched: usize,
}

impl Events {
    pub(super) fn new(answer: Answer) -> Self {
        Self { answer, rest: Vec::new(), searched: 0 }
    }

    /// Waits for the next event; `None` when the node has ended.
    ///
    /// May be dropped and called again without losing anything.
    pub async fn next(&mut self) -> Result<Option<Event>, ClientError> {
        loop {
            while let Some(line) = self.line() {
                // Each event is one `data` line: JSON has no line breaks.
                if let Some(data) = line.strip_prefix(b"data: ") {
                    return serde_json::from_slice(data).map(Some).map_err(ClientError::NotUnderstood);
                }
            }
            if self.rest.len() > EVENT_BYTES {
                return Err(ClientError::TooLong);
            }
            match self.answer.body.frame().await {
                Some(Ok(frame)) => {
                    if let Some(bytes) = frame.data_ref() {
                        self.rest.extend_from_slice(bytes);
                    }
                }
                // A node that is killed ends the stream in the middle: that is an end too.
                Some(Err(_)) | None => return Ok(None),
            }
        }
    }

    /// Takes the next whole line, without its end.
    fn line(&mut self) -> Option<Vec<u8>> {
        let end = self.rest.iter().skip(self.searched).position(|&byte| byte == b'\n');
        let Some(end) = end.map(|end| end + self.searched) else {
            self.searched = self.rest.len();
            return None;
        };
        let after = self.rest.split_off(end + 1);
        let mut line = std::mem::replace(&mut self.rest, after);
        line.pop();
        self.searched = 0;
        Some(line)
    }
}

/// Room for an event with the longest text, every character escaped.
const EVENT_BYTES: usize = 1 << 20;
