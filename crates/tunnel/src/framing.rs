//! Frames on a stream: a 32-bit big-endian length, then as many bytes.

use bytes::{BufMut, Bytes, BytesMut};
use iroh::endpoint::{ReadError, RecvStream};
use wire::limits;

/// Lays out frames for one write: small ones together, large ones without copying them.
pub(crate) fn pack(frames: impl Iterator<Item = Vec<u8>>) -> Vec<Bytes> {
    let mut chunks = Vec::new();
    let mut buffer = BytesMut::new();
    for frame in frames {
        let length = u32::try_from(frame.len()).expect("the shell queues no frame above its limit");
        buffer.put_u32(length);
        if frame.len() <= COPIED {
            buffer.put_slice(&frame);
        } else {
            chunks.push(buffer.split().freeze());
            chunks.push(Bytes::from(frame));
        }
    }
    if !buffer.is_empty() {
        chunks.push(buffer.freeze());
    }
    chunks
}

/// Reads frames from a stream, never holding more than came.
pub(crate) struct Frames {
    stream: RecvStream,
    /// What the stream gave beyond the frame that was read.
    rest: Bytes,
}

impl Frames {
    pub(crate) fn new(stream: RecvStream) -> Self {
        Self { stream, rest: Bytes::new() }
    }

    /// Reads the length of the next frame; `None` at the end of the stream.
    pub(crate) async fn length(&mut self, limit: usize) -> Result<Option<usize>, FrameError> {
        let mut prefix = [0; 4];
        let mut at = 0;
        while at < prefix.len() {
            if self.rest.is_empty() && !self.refill().await? {
                return if at == 0 { Ok(None) } else { Err(FrameError::Cut) };
            }
            let taken = self.rest.split_to(self.rest.len().min(prefix.len() - at));
            for (to, from) in prefix.iter_mut().skip(at).zip(&taken) {
                *to = *from;
            }
            at += taken.len();
        }
        checked_length(prefix, limit).map(Some)
    }

    /// Reads the body of a frame whose length was read. Memory grows with what comes, not with what was said.
    pub(crate) async fn body(&mut self, length: usize) -> Result<Vec<u8>, FrameError> {
        let mut body = Vec::with_capacity(length.min(TRUSTED));
        while body.len() < length {
            if self.rest.is_empty() && !self.refill().await? {
                return Err(FrameError::Cut);
            }
            let taken = self.rest.split_to(self.rest.len().min(length - body.len()));
            body.extend_from_slice(&taken);
        }
        Ok(body)
    }

    /// Returns the stream, and what of it was read beyond the last frame.
    pub(crate) fn into_rest(self) -> (RecvStream, Bytes) {
        (self.stream, self.rest)
    }

    async fn refill(&mut self) -> Result<bool, FrameError> {
        match self.stream.read_chunk(READ).await? {
            Some(chunk) => {
                self.rest = chunk;
                Ok(true)
            }
            None => Ok(false),
        }
    }
}

/// Decodes a frame's length and checks it against its bounds.
pub(crate) fn checked_length(prefix: [u8; 4], limit: usize) -> Result<usize, FrameError> {
    match u32::from_be_bytes(prefix) as usize {
        0 => Err(FrameError::Empty),
        found if found > limit => Err(FrameError::TooLong { limit, found }),
        length => Ok(length),
    }
}

/// Why no more frames can be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FrameError {
    /// The stream ends inside a frame.
    #[error("the stream ends inside a frame")]
    Cut,
    /// A frame of no bytes, which says nothing and costs work.
    #[error("an empty frame")]
    Empty,
    /// The length is above the bound.
    #[error("a frame of {found} bytes where at most {limit} are allowed")]
    TooLong { limit: usize, found: usize },
    /// The stream or its connection is gone.
    #[error("the stream is gone")]
    Gone(#[from] ReadError),
}

/// Frames up to this size are copied together into one write.
const COPIED: usize = 4 << 10;
/// How much is allocated on the word of a length prefix alone.
const TRUSTED: usize = 64 << 10;
/// How much is asked of the stream at once.
const READ: usize = limits::FRAME;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_frames_share_a_write_and_large_ones_are_not_copied() {
        let large = vec![7; COPIED + 1];
        let at = large.as_ptr();
        let chunks = pack([vec![1], vec![2, 3], large, vec![4]].into_iter());
        assert_eq!(chunks.len(), 3);
        assert_eq!(&chunks[0][..], [0, 0, 0, 1, 1, 0, 0, 0, 2, 2, 3, 0, 0, 0x10, 1]);
        assert_eq!(chunks[1].as_ptr(), at);
        assert_eq!(&chunks[2][..], [0, 0, 0, 1, 4]);
    }
}
