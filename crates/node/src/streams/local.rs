//! The end of a flow on this machine: a connection, or a command's input and output.

use std::{io, os::fd::OwnedFd, process::Stdio};

use bytes::BufMut;
use streams::{Reason, Sealer, Target};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, unix::AsyncFd},
    net::{TcpStream, UnixStream, tcp, unix},
    process::{Child, ChildStdin, ChildStdout, Command},
    time::{Duration, timeout},
};

/// A program's end of a flow.
pub(super) struct Local {
    pub(super) from: From,
    pub(super) to: To,
}

/// What the program says.
pub(super) enum From {
    Tcp(tcp::OwnedReadHalf),
    Unix(unix::OwnedReadHalf),
    /// Of one that says how long each part is, and its end as a part of none: what closes otherwise was broken off. And how much of
    /// this part is still to come.
    Pipe(unix::OwnedReadHalf, usize),
    /// Its output, and what tells when it ends.
    Exec(ChildStdout, AsyncFd<OwnedFd>),
}

/// What the program is told.
pub(super) enum To {
    Tcp(tcp::OwnedWriteHalf),
    Unix(unix::OwnedWriteHalf),
    Exec(Box<Input>),
}

/// A command's input, until that ends, and the command itself.
pub(super) struct Input {
    stdin: Option<ChildStdin>,
    _group: Group,
}

/// A command and all that it started; dropped, they are killed.
struct Group(Child);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(id) = self.0.id().and_then(pid) {
            // An error says that all of them have ended.
            let _ = rustix::process::kill_process_group(id, rustix::process::Signal::KILL);
        }
    }
}

impl Local {
    pub(super) fn tcp(stream: TcpStream) -> Self {
        // Small answers wait for nothing; an error would only make them wait.
        let _ = stream.set_nodelay(true);
        let (from, to) = stream.into_split();
        Self { from: From::Tcp(from), to: To::Tcp(to) }
    }

    pub(super) fn unix(stream: UnixStream) -> Self {
        let (from, to) = stream.into_split();
        Self { from: From::Unix(from), to: To::Unix(to) }
    }

    pub(super) fn pipe(stream: UnixStream) -> Self {
        let (from, to) = stream.into_split();
        Self { from: From::Pipe(from, 0), to: To::Unix(to) }
    }

    /// Reaches what an offer names. Nothing of it comes from another device.
    pub(super) async fn reach(target: &Target, once: bool) -> Result<Self, Reason> {
        let reaching = async {
            match target {
                Target::Tcp(address) => Ok(Self::tcp(TcpStream::connect(address).await?)),
                Target::Unix(path) if once => Ok(Self::pipe(UnixStream::connect(path).await?)),
                Target::Unix(path) => Ok(Self::unix(UnixStream::connect(path).await?)),
                Target::Exec(command) => Self::start(command),
                Target::Udp(_) => Err(io::ErrorKind::Unsupported.into()),
            }
        };
        match timeout(REACH, reaching).await {
            Ok(Ok(local)) => Ok(local),
            Ok(Err(error)) => {
                tracing::info!(kind = %error.kind(), "an offer's target was not reached");
                Err(if error.kind() == io::ErrorKind::TimedOut { Reason::Silent } else { Reason::Refused })
            }
            Err(_) => Err(Reason::Silent),
        }
    }

    fn start(command: &str) -> io::Result<Self> {
        let mut child = Command::new("/bin/sh")
            .arg("-c")
            .arg(command)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()?;
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
        let stdout = stdout.ok_or(io::ErrorKind::BrokenPipe)?;
        // Told of the end without taking note of it: until this end lets go, its number is no other process's.
        let id = child.id().and_then(pid).ok_or(io::ErrorKind::NotFound)?;
        let ended = rustix::process::pidfd_open(id, rustix::process::PidfdFlags::empty())?;
        #[allow(deprecated, reason = "what it owns is one descriptor, which nobody else closes")]
        let ended = AsyncFd::new(ended)?;
        Ok(Self {
            from: From::Exec(stdout, ended),
            to: To::Exec(Box::new(Input { stdin, _group: Group(child) })),
        })
    }

    /// Breaks it off, so that the program sees no proper end where it can be told.
    pub(super) fn reset(self) {
        match (self.from, self.to) {
            (From::Tcp(from), To::Tcp(to)) => {
                let _ = from.as_ref().set_zero_linger();
                // A half that is dropped says a proper end first.
                to.forget();
                drop(from);
            }
            (from, to) => drop((from, to)),
        }
    }
}

impl From {
    /// Reads what the program says behind what stands in `record`, at most `most` bytes; 0 at its end.
    pub(super) async fn read(&mut self, record: &mut Vec<u8>, most: usize) -> io::Result<usize> {
        let most = most.min(Sealer::MOST);
        match self {
            Self::Tcp(from) => from.read_buf(&mut record.limit(most)).await,
            Self::Unix(from) => from.read_buf(&mut record.limit(most)).await,
            Self::Pipe(from, left) => read_part(from, left, record, most).await,
            Self::Exec(from, _) => from.read_buf(&mut record.limit(most)).await,
        }
    }

    /// Waits until nobody is there any more who could be told anything; of connections that shows otherwise.
    pub(super) async fn gone(&mut self) {
        match self {
            // An error would say that it cannot be known.
            Self::Exec(_, ended) => drop(ended.readable().await),
            Self::Tcp(_) | Self::Unix(_) | Self::Pipe(..) => std::future::pending().await,
        }
    }
}

impl To {
    /// Writes as many of the bytes as are taken at a time, and tells how many.
    pub(super) async fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(to) => to.write(bytes).await,
            Self::Unix(to) => to.write(bytes).await,
            Self::Exec(input) => match &mut input.stdin {
                Some(to) => to.write(bytes).await,
                None => Err(io::ErrorKind::BrokenPipe.into()),
            },
        }
    }

    /// Says that no more comes.
    pub(super) async fn end(&mut self) -> io::Result<()> {
        match self {
            Self::Tcp(to) => to.shutdown().await,
            Self::Unix(to) => to.shutdown().await,
            Self::Exec(input) => {
                drop(input.stdin.take());
                Ok(())
            }
        }
    }
}

/// Reads on in a part of what is said, or the next one; 0 only if the end was said.
async fn read_part(
    from: &mut unix::OwnedReadHalf,
    left: &mut usize,
    record: &mut Vec<u8>,
    most: usize,
) -> io::Result<usize> {
    if *left == 0 {
        *left = usize::try_from(from.read_u32().await?).unwrap_or(usize::MAX);
        if *left == 0 {
            return Ok(0);
        }
    }
    match from.read_buf(&mut record.limit(most.min(*left))).await? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        read => {
            *left -= read;
            Ok(read)
        }
    }
}

fn pid(id: u32) -> Option<rustix::process::Pid> {
    i32::try_from(id).ok().and_then(rustix::process::Pid::from_raw)
}

/// How long a target may take to answer.
pub(super) const REACH: Duration = Duration::from_secs(10);
