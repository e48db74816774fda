use std::fs::File;
use std::io::{self, Read, Seek};
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame, SizeHint};
use tokio::sync::mpsc;

use super::options::{Options, UnknownLength};
use super::progress::Progress;
use crate::failure::{Exit, Failure, Outcome};

/// What is to be sent.
#[derive(Debug)]
pub(super) struct Upload {
    parts: Vec<Part>,
    length: Option<u64>,
}

#[derive(Debug)]
enum Part {
    Text(Bytes),
    File { name: String, file: File, length: Option<u64>, strips: bool },
}

impl Upload {
    /// Opens what the options name.
    pub(super) fn open(options: &Options) -> Outcome<Self> {
        let parts = match &options.upload_file {
            Some(path) => vec![Part::open(path, false)?],
            None => joined(options)?,
        };
        let length = parts.iter().map(Part::length).sum();
        Ok(Self { parts, length })
    }

    /// The body of the request, and its length if that is known.
    pub(super) async fn into_body(
        self,
        policy: UnknownLength,
        progress: Arc<Progress>,
    ) -> Outcome<UploadBody> {
        let Self { parts, length } = self;
        let content = match (length, policy) {
            (Some(_), _) if parts.iter().all(Part::is_text) => {
                Content::Whole(parts.into_iter().flat_map(Part::into_text).collect())
            }
            (Some(_), _) | (None, UnknownLength::Stream) => {
                Content::Streamed { rest: read_in_a_thread(parts), length, sent: 0 }
            }
            (None, UnknownLength::Buffer) => Content::Whole(gather(read_in_a_thread(parts)).await?),
            (None, UnknownLength::Refuse) => return Err(refused()),
        };
        let body = UploadBody { content, progress };
        body.progress.expect_upload(body.length());
        Ok(body)
    }
}

impl Part {
    fn open(path: &Path, strips: bool) -> Outcome<Self> {
        let name = path.display().to_string();
        let opened = if name == "-" { stdin() } else { File::open(path) };
        let unreadable = |error| {
            let failure = Failure::new(Exit::Read, format_args!("cannot read {name}: {error}"));
            failure.advise("is the path right, and may you read the file?")
        };
        let mut file = opened.map_err(unreadable)?;
        let metadata = file.metadata().map_err(unreadable)?;
        if metadata.is_dir() {
            return Err(unreadable(io::ErrorKind::IsADirectory.into()));
        }
        // Standard input may be a file of which some has been read.
        let position = if metadata.is_file() { file.stream_position().unwrap_or(0) } else { 0 };
        let length = metadata.is_file().then(|| metadata.len().saturating_sub(position));
        // The system says so of files in /proc, too.
        if length == Some(0) {
            let mut content = Vec::new();
            file.read_to_end(&mut content).map_err(unreadable)?;
            return Ok(Self::Text(stripped(&content, strips)));
        }
        let length = length.filter(|_| !strips);
        Ok(Self::File { name, file, length, strips })
    }

    fn is_text(&self) -> bool {
        matches!(self, Self::Text(_))
    }

    fn into_text(self) -> Bytes {
        if let Self::Text(text) = self { text } else { Bytes::new() }
    }

    fn length(&self) -> Option<u64> {
        match self {
            Self::Text(text) => Some(text.len() as u64),
            Self::File { length, .. } => *length,
        }
    }

    /// Hands the part out in blocks. `Err` when nobody wants more.
    fn read(self, out: &mpsc::Sender<io::Result<Bytes>>) -> Result<(), ()> {
        let (name, mut file, strips) = match self {
            Self::Text(text) => return out.blocking_send(Ok(text)).map_err(|_| ()),
            Self::File { name, file, strips, .. } => (name, file, strips),
        };
        let mut block = vec![0; BLOCK];
        loop {
            let read = match file.read(&mut block) {
                Ok(0) => return Ok(()),
                Ok(len) => Ok(stripped(&block[..len], strips)),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => Err(io::Error::new(error.kind(), format!("{name}: {error}"))),
            };
            let is_last = read.is_err();
            out.blocking_send(read).map_err(|_| ())?;
            if is_last {
                return Err(());
            }
        }
    }
}

/// The data options' parts, with `&` between them.
fn joined(options: &Options) -> Outcome<Vec<Part>> {
    let with_files = |data: &String, strips| match data.strip_prefix('@') {
        Some(path) => Part::open(path.as_ref(), strips),
        None => Ok(text(data)),
    };
    let form = options.data.iter().map(|data| with_files(data, true));
    let binary = options.data_binary.iter().map(|data| with_files(data, false));
    let raw = options.data_raw.iter().map(|data| Ok(text(data)));
    let mut parts = Vec::new();
    for part in form.chain(binary).chain(raw) {
        if !parts.is_empty() {
            parts.push(text("&"));
        }
        parts.push(part?);
    }
    Ok(parts)
}

fn text(data: &str) -> Part {
    Part::Text(Bytes::copy_from_slice(data.as_bytes()))
}

/// As curl does, so that a form may stand in a file of lines.
fn stripped(block: &[u8], strips: bool) -> Bytes {
    match strips {
        true => block.iter().copied().filter(|byte| !matches!(byte, b'\r' | b'\n' | 0)).collect(),
        false => Bytes::copy_from_slice(block),
    }
}

#[cfg(unix)]
fn stdin() -> io::Result<File> {
    use std::os::fd::AsFd;
    Ok(File::from(io::stdin().as_fd().try_clone_to_owned()?))
}

#[cfg(windows)]
fn stdin() -> io::Result<File> {
    use std::os::windows::io::AsHandle;
    Ok(File::from(io::stdin().as_handle().try_clone_to_owned()?))
}

/// Reading a pipe blocks, so it has a thread of its own. That ends with its input, or with the program.
fn read_in_a_thread(parts: Vec<Part>) -> mpsc::Receiver<io::Result<Bytes>> {
    let (sender, receiver) = mpsc::channel(BLOCKS_AHEAD);
    std::thread::spawn(move || parts.into_iter().try_for_each(|part| part.read(&sender)));
    receiver
}

async fn gather(mut rest: mpsc::Receiver<io::Result<Bytes>>) -> Outcome<Bytes> {
    let mut gathered = BytesMut::new();
    while let Some(block) = rest.recv().await {
        let block = block.map_err(|error| unreadable(&error))?;
        if gathered.len() + block.len() > GATHERED_MAX {
            let message =
                "a body of unknown length is gathered first, and this one has more than 64 MiB";
            return Err(Failure::new(Exit::Usage, message).advise(
                "send a file instead of a pipe, or --unknown-length stream to an application that is not PHP",
            ));
        }
        gathered.extend_from_slice(&block);
    }
    Ok(gathered.freeze())
}

fn refused() -> Failure {
    Failure::new(Exit::Usage, "the length of the body is not known, and --unknown-length is refuse")
        .advise("send a file instead of a pipe")
}

/// What is sent cannot be read any further.
pub(super) fn unreadable(error: &dyn std::fmt::Display) -> Failure {
    Failure::new(Exit::Read, format_args!("cannot read what is to be sent: {error}"))
}

/// The body of a request.
#[derive(Debug)]
pub(super) struct UploadBody {
    content: Content,
    progress: Arc<Progress>,
}

#[derive(Debug)]
enum Content {
    Whole(Bytes),
    Streamed { rest: mpsc::Receiver<io::Result<Bytes>>, length: Option<u64>, sent: u64 },
}

impl UploadBody {
    pub(super) fn length(&self) -> Option<u64> {
        match &self.content {
            Content::Whole(data) => Some(data.len() as u64),
            Content::Streamed { length, .. } => *length,
        }
    }

    fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        match &mut self.content {
            Content::Whole(data) if data.is_empty() => Poll::Ready(None),
            // In pieces, so that progress can be told.
            Content::Whole(data) => Poll::Ready(Some(Ok(data.split_to(data.len().min(BLOCK))))),
            Content::Streamed { rest, length, sent } => {
                let next = ready!(rest.poll_recv(cx)).transpose()?;
                *sent += next.as_ref().map_or(0, |data| data.len() as u64);
                let is_other = |length| *sent > length || (next.is_none() && *sent < length);
                match length.is_some_and(is_other) {
                    true => Poll::Ready(Some(Err(io::Error::other(CHANGED)))),
                    false => Poll::Ready(next.map(Ok)),
                }
            }
        }
    }
}

impl Body for UploadBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let polled = self.poll_data(cx);
        match &polled {
            Poll::Ready(Some(Ok(data))) => self.progress.sent(data.len()),
            Poll::Ready(Some(Err(error))) => self.progress.upload_breaks(error),
            _ => {}
        }
        polled.map(|next| next.map(|read| read.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        matches!(&self.content, Content::Whole(data) if data.is_empty())
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Content::Whole(data) => SizeHint::with_exact(data.len() as u64),
            Content::Streamed { length: Some(length), sent, .. } => {
                SizeHint::with_exact(length.saturating_sub(*sent))
            }
            Content::Streamed { length: None, .. } => SizeHint::default(),
        }
    }
}

const CHANGED: &str = "its length changed meanwhile";
const BLOCK: usize = 64 * 1024;
const BLOCKS_AHEAD: usize = 4;
const GATHERED_MAX: usize = 64 * 1024 * 1024;
