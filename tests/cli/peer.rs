//! Peers that are no application, or a bad one.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tower_fastcgi::record::{
    Decoder, EndRequest, ProtocolStatus, RecordType, RequestId, put_end_request, put_stream,
    put_stream_end,
};

/// What is sent to one connection.
pub(crate) struct Peer {
    pub(crate) address: String,
    pub(crate) task: JoinHandle<Vec<u8>>,
}

impl Peer {
    /// Reads one request to its end, sends these bytes, and closes when the other side has. Resolves to what it read.
    pub(crate) async fn answers(bytes: impl Into<Vec<u8>>) -> Self {
        let bytes = bytes.into();
        Self::with(|mut io| async move {
            let mut received = read_request(&mut io).await;
            io.write_all(&bytes).await.unwrap();
            io.shutdown().await.unwrap();
            // The rest may be cut by a reset.
            let _ = io.read_to_end(&mut received).await;
            received
        })
        .await
    }

    pub(crate) async fn with<F>(serve: impl FnOnce(TcpStream) -> F + Send + 'static) -> Self
    where
        F: Future<Output = Vec<u8>> + Send,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let task = tokio::spawn(async move { serve(listener.accept().await.unwrap().0).await });
        Self { address, task }
    }
}

/// Reads until the end of FCGI_STDIN or FCGI_DATA, or until a record that needs no more.
pub(crate) async fn read_request(io: &mut TcpStream) -> Vec<u8> {
    let (mut decoder, mut received) = (Decoder::new(), Vec::new());
    loop {
        let mut block = [0; 4096];
        let len = io.read(&mut block).await.unwrap();
        if len == 0 {
            return received;
        }
        received.extend_from_slice(&block[..len]);
        let mut rest = &block[..len];
        while let Some(fragment) = decoder.decode(&mut rest).unwrap() {
            let is_end = fragment.header.content_length == 0;
            match fragment.header.record_type {
                RecordType::Stdin if is_end => return received,
                RecordType::GetValues => return received,
                _ => {}
            }
        }
    }
}

/// A response to the request with id 1.
pub(crate) fn response(stdout: &[u8], status: ProtocolStatus) -> Vec<u8> {
    let (mut wire, id) = (Vec::new(), RequestId::new(1).unwrap());
    put_stream(&mut wire, RecordType::Stdout, id, stdout);
    put_stream_end(&mut wire, RecordType::Stdout, id);
    put_end_request(&mut wire, id, EndRequest { app_status: 3, protocol_status: status });
    wire
}
