use std::future::poll_fn;
use std::pin::Pin;

use http::{Response, StatusCode};
use http_body::Body;
use tower_fastcgi::client::ResponseBody;

use super::trouble::{Kind, Trouble};

/// The response that all others have to be like.
#[derive(Debug)]
pub(super) struct Expected {
    pub(super) status: StatusCode,
    pub(super) length: u64,
    /// As much of the body as is compared byte by byte.
    start: Vec<u8>,
}

impl Expected {
    /// Takes a response for the right one.
    pub(super) async fn read(response: Response<ResponseBody>) -> Result<Self, Trouble> {
        let status = response.status();
        let mut body = response.into_body();
        let (mut length, mut start) = (0, Vec::new());
        while let Some(data) = next(&mut body).await? {
            length += data.len() as u64;
            let room = COMPARED - start.len();
            start.extend_from_slice(&data[..data.len().min(room)]);
        }
        Ok(Self { status, length, start })
    }

    /// Reads a response, which has to be the same. Returns the length of its body.
    pub(super) async fn check(&self, response: Response<ResponseBody>) -> Result<u64, Trouble> {
        let status = response.status();
        if status != self.status {
            let message = format!("{} instead of {}", status.as_u16(), self.status.as_u16());
            return Err(Trouble::new(Kind::Status, message));
        }
        let mut body = response.into_body();
        let mut length = 0;
        while let Some(data) = next(&mut body).await? {
            // A longer body than can be addressed is another one, too.
            let at = usize::try_from(length).unwrap_or(usize::MAX).min(self.start.len());
            let compared = data.len().min(self.start.len() - at);
            if data[..compared] != self.start[at..at + compared] {
                return Err(Trouble::new(Kind::Body, "another body than the first one"));
            }
            length += data.len() as u64;
        }
        if length != self.length {
            let message = format!("{length} bytes instead of {}", self.length);
            return Err(Trouble::new(Kind::Body, message));
        }
        Ok(length)
    }
}

/// Reads a response whatever it is. Returns the length of its body.
pub(super) async fn read_any(response: Response<ResponseBody>) -> Result<u64, Trouble> {
    let mut body = response.into_body();
    let mut length = 0;
    while let Some(data) = next(&mut body).await? {
        length += data.len() as u64;
    }
    Ok(length)
}

async fn next(body: &mut ResponseBody) -> Result<Option<bytes::Bytes>, Trouble> {
    loop {
        let Some(frame) = poll_fn(|cx| Pin::new(&mut *body).poll_frame(cx)).await else {
            return Ok(None);
        };
        if let Ok(data) = frame?.into_data() {
            return Ok(Some(data));
        }
    }
}

/// Of longer bodies only the length is compared beyond this.
const COMPARED: usize = 16 * 1024 * 1024;
