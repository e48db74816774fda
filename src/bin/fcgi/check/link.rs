use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tower_fastcgi::client::AnyIo;
use tower_fastcgi::record::{Header, RecordType, RequestId};

use super::case::{Found, Obstacle, departs};
use super::reply::Reply;

/// One connection to the application.
#[derive(Debug)]
pub(super) struct Link {
    reader: ReadHalf<TokioIo<AnyIo>>,
    received: Vec<u8>,
    /// To the task that writes: who answers while it still reads must not be held up by who writes before it reads.
    outgoing: Option<UnboundedSender<Vec<u8>>>,
    writer: JoinHandle<()>,
    patience: Duration,
}

/// A record as it came.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) header: Header,
    pub(super) content: Vec<u8>,
}

impl Record {
    pub(super) fn id(&self) -> u16 {
        self.header.request_id.map_or(0, RequestId::value)
    }

    pub(super) fn record_type(&self) -> RecordType {
        self.header.record_type
    }
}

impl Link {
    pub(super) fn new(io: AnyIo, patience: Duration) -> Self {
        let (reader, writer) = tokio::io::split(TokioIo::new(io));
        let (outgoing, queue) = unbounded_channel();
        let writer = tokio::spawn(write(writer, queue));
        Self { reader, received: Vec::new(), outgoing: Some(outgoing), writer, patience }
    }

    /// Sends bytes behind those sent before. That they cannot be written shows when the answer is read.
    pub(super) fn send(&self, bytes: impl Into<Vec<u8>>) {
        if let Some(outgoing) = &self.outgoing {
            let _ = outgoing.send(bytes.into());
        }
    }

    /// Sends bytes so that the application reads them by themselves.
    pub(super) async fn send_apart(&self, bytes: impl Into<Vec<u8>>) {
        self.send(bytes);
        tokio::time::sleep(APART).await;
    }

    /// Sends nothing more, and tells so.
    pub(super) fn end_writing(&mut self) {
        self.outgoing = None;
    }

    /// The next record, or none where the application closed the connection.
    pub(super) async fn record(&mut self) -> Found<Option<Record>> {
        let patience = self.patience;
        match timeout(patience, self.next()).await {
            Ok(record) => record,
            Err(_) => departs(format!("nothing came within {} s", patience.as_secs_f64())),
        }
    }

    /// The next record, which has to come.
    pub(super) async fn some_record(&mut self) -> Found<Record> {
        match self.record().await? {
            Some(record) => Ok(record),
            None => departs("the connection was closed instead of an answer"),
        }
    }

    /// A response, up to its end.
    pub(super) async fn reply(&mut self, id: u16) -> Found<Reply> {
        let mut replies = self.replies(&[id]).await?;
        Ok(replies.remove(&id).expect("the replies are those that were asked for"))
    }

    /// The responses to several requests.
    pub(super) async fn replies(&mut self, ids: &[u16]) -> Found<BTreeMap<u16, Reply>> {
        let mut replies: BTreeMap<u16, Reply> =
            ids.iter().map(|&id| (id, Reply::default())).collect();
        while replies.values().any(|reply| !reply.is_ended()) {
            let Some(record) = self.record().await? else {
                return departs("the connection was closed before FCGI_END_REQUEST");
            };
            match replies.get_mut(&record.id()) {
                Some(reply) => reply.take(&record)?,
                None => return departs(unasked(&record)),
            }
        }
        Ok(replies)
    }

    /// Waits until the application closes the connection. What comes before that is too much.
    pub(super) async fn closed(&mut self) -> Found<()> {
        match self.record().await {
            Ok(None) => Ok(()),
            Ok(Some(record)) => departs(unasked(&record)),
            Err(Obstacle::Departs(_)) if self.received.is_empty() => {
                departs("the connection stays open")
            }
            Err(other) => Err(other),
        }
    }

    /// Whatever comes until the application closes the connection.
    pub(super) async fn closed_at_last(&mut self) -> Found<()> {
        while self.record().await?.is_some() {}
        Ok(())
    }

    /// Makes sure for a moment that the application neither sends anything nor closes the connection.
    pub(super) async fn quiet(&mut self) -> Found<()> {
        match timeout(QUIET, self.next()).await {
            Err(_) if self.received.is_empty() => Ok(()),
            Err(_) => departs("a part of a record came behind FCGI_END_REQUEST"),
            Ok(Ok(None)) => departs("the connection was closed"),
            Ok(Ok(Some(record))) => departs(unasked(&record)),
            Ok(Err(obstacle)) => Err(obstacle),
        }
    }

    async fn next(&mut self) -> Found<Option<Record>> {
        loop {
            if let Some(record) = self.take_record()? {
                return Ok(Some(record));
            }
            match self.reader.read_buf(&mut self.received).await {
                Ok(0) => break,
                Ok(_) => {}
                Err(error) if is_close(&error) => break,
                Err(error) => return departs(format!("reading failed: {error}")),
            }
        }
        if self.received.is_empty() {
            return Ok(None);
        }
        departs("the connection was closed within a record")
    }

    fn take_record(&mut self) -> Found<Option<Record>> {
        let Some(&bytes) = self.received.first_chunk::<{ Header::LEN }>() else { return Ok(None) };
        let Some(header) = Header::decode(bytes) else {
            let http =
                if bytes.starts_with(b"HTTP/") { ": it is HTTP that comes back" } else { "" };
            return departs(format!("a record came with version {}{http}", bytes[0]));
        };
        let end = Header::LEN + usize::from(header.content_length);
        let len = end + usize::from(header.padding_length);
        if self.received.len() < len {
            return Ok(None);
        }
        let content = self.received[Header::LEN..end].to_vec();
        self.received.drain(..len);
        Ok(Some(Record { header, content }))
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.writer.abort();
    }
}

async fn write(mut io: WriteHalf<TokioIo<AnyIo>>, mut queue: UnboundedReceiver<Vec<u8>>) {
    while let Some(bytes) = queue.recv().await {
        if io.write_all(&bytes).await.is_err() {
            return;
        }
    }
    let _ = io.shutdown().await;
}

/// On a close with unread input, Unix sockets and TCP give an error in place of the end.
fn is_close(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset};
    matches!(error.kind(), BrokenPipe | ConnectionAborted | ConnectionReset)
}

fn unasked(record: &Record) -> String {
    format!("{} came for id {}, which nobody asked for", record.record_type(), record.id())
}

/// Enough for an application to read what it has got, and to answer or close if it does.
const APART: Duration = Duration::from_millis(50);
const QUIET: Duration = Duration::from_millis(300);
