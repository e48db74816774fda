//! Records, as the FastCGI specification has them.

use std::io;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::sync::Mutex;

pub(super) trait ReadWrite: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> ReadWrite for T {}

pub(super) type Stream = Box<dyn ReadWrite>;

pub(super) struct Record {
    pub(super) kind: u8,
    pub(super) id: u16,
    pub(super) content: Vec<u8>,
}

pub(super) struct Reader(pub(super) ReadHalf<Stream>);

impl Reader {
    /// The next record, or none when the web server closes the connection.
    pub(super) async fn record(&mut self) -> io::Result<Option<Record>> {
        let mut head = [0; 8];
        if self.0.read(&mut head[..1]).await? == 0 {
            return Ok(None);
        }
        self.0.read_exact(&mut head[1..]).await?;
        let [_, kind, id1, id0, len1, len0, padding, _] = head;
        let len = u16::from_be_bytes([len1, len0]);
        let mut content = vec![0; usize::from(len) + usize::from(padding)];
        self.0.read_exact(&mut content).await?;
        content.truncate(len.into());
        Ok(Some(Record { kind, id: u16::from_be_bytes([id1, id0]), content }))
    }
}

/// Where one answer goes. Answers share the connection.
#[derive(Clone)]
pub(super) struct Output {
    write: Arc<Mutex<WriteHalf<Stream>>>,
    id: u16,
    keep_conn: bool,
}

impl Output {
    pub(super) fn new(write: WriteHalf<Stream>) -> Self {
        Self { write: Arc::new(Mutex::new(write)), id: 0, keep_conn: true }
    }

    pub(super) fn of(&self, id: u16, keep_conn: bool) -> Self {
        Self { id, keep_conn, ..self.clone() }
    }

    pub(super) async fn stdout(&self, content: &[u8]) -> io::Result<()> {
        for content in content.chunks(RECORD) {
            self.record(STDOUT, content).await?;
        }
        Ok(())
    }

    pub(super) async fn end(&self) -> io::Result<()> {
        self.record(STDOUT, &[]).await?;
        self.record(END_REQUEST, &[0; 8]).await?;
        if !self.keep_conn {
            self.write.lock().await.shutdown().await?;
        }
        Ok(())
    }

    /// Ends the connection within an answer, with what no server can take for its end.
    pub(super) async fn cut(&self) -> io::Result<()> {
        let mut write = self.write.lock().await;
        write.write_all(&[0; 8]).await?;
        write.shutdown().await
    }

    /// Whoever asks for values is told the same.
    pub(super) async fn values(&self) -> io::Result<()> {
        self.record(GET_VALUES_RESULT, b"\x0d\x02FCGI_MAX_REQS20\x0f\x01FCGI_MPXS_CONNS1").await
    }

    async fn record(&self, kind: u8, content: &[u8]) -> io::Result<()> {
        let [id1, id0] = self.id.to_be_bytes();
        let len = u16::try_from(content.len()).expect("no more than a record takes");
        let [len1, len0] = len.to_be_bytes();
        let record = [&[1, kind, id1, id0, len1, len0, 0, 0], content].concat();
        self.write.lock().await.write_all(&record).await
    }
}

/// Names and values, as one after the other they make up FCGI_PARAMS.
pub(super) fn pairs(mut bytes: &[u8]) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut pairs = Vec::new();
    while !bytes.is_empty() {
        let (name, value) = (length(&mut bytes), length(&mut bytes));
        pairs.push((take(&mut bytes, name), take(&mut bytes, value)));
    }
    pairs
}

fn length(bytes: &mut &[u8]) -> usize {
    match **bytes {
        [first, ..] if first < 0x80 => take(bytes, 1)[0].into(),
        _ => {
            let four = take(bytes, 4).try_into().expect("four bytes");
            (u32::from_be_bytes(four) & 0x7fff_ffff) as usize
        }
    }
}

fn take(bytes: &mut &[u8], len: usize) -> Vec<u8> {
    let (taken, rest) = bytes.split_at_checked(len).expect("servers send whole pairs");
    *bytes = rest;
    taken.to_vec()
}

pub(super) const BEGIN_REQUEST: u8 = 1;
const END_REQUEST: u8 = 3;
pub(super) const PARAMS: u8 = 4;
pub(super) const STDIN: u8 = 5;
const STDOUT: u8 = 6;
pub(super) const GET_VALUES: u8 = 9;
const GET_VALUES_RESULT: u8 = 10;

/// What an answer has in each record, at most.
const RECORD: usize = 0xfff8;
