use std::sync::atomic::{AtomicU64, Ordering};

use http::Response;
use tokio::sync::Mutex;
use tower_fastcgi::client::conn::{SendRequest, Values};
use tower_fastcgi::client::{Connect, ResponseBody};

use super::payload::Payload;
use super::plan::Plan;
use super::trouble::Trouble;

/// A connection, made again when the application has closed it.
#[derive(Debug, Default)]
pub(super) struct Slot {
    current: Mutex<Option<SendRequest<Payload>>>,
    made: AtomicU64,
}

impl Slot {
    /// Sends the request and waits for the head of the response.
    ///
    /// An application may close a connection between two requests: one that was not sent at all is sent on a new connection.
    pub(super) async fn send(&self, plan: &Plan) -> Result<Response<ResponseBody>, Trouble> {
        let mut attempts = 0;
        loop {
            let mut connection = self.connection(plan).await?;
            attempts += 1;
            if let Err(error) = connection.ready().await {
                if error.is_closed() && attempts < ATTEMPTS {
                    continue;
                }
                return Err(error.into());
            }
            match connection.try_send_request(plan.request.clone()).await {
                Ok(response) => return Ok(response),
                Err(failed) if is_unsent(&failed) && attempts < ATTEMPTS => {}
                Err(failed) => return Err(failed.into_error().into()),
            }
        }
    }

    /// How many connections it took.
    pub(super) fn made(&self) -> u64 {
        self.made.load(Ordering::Relaxed)
    }

    async fn connection(&self, plan: &Plan) -> Result<SendRequest<Payload>, Trouble> {
        let mut current = self.current.lock().await;
        if let Some(connection) = current.as_ref().filter(|it| plan.is_kept && !it.is_closed()) {
            return Ok(connection.clone());
        }
        let (connection, _) = open(plan).await?;
        self.made.fetch_add(1, Ordering::Relaxed);
        *current = plan.is_kept.then(|| connection.clone());
        Ok(connection)
    }
}

/// Makes a connection, and asks for the application's values if it is to multiplex.
pub(super) async fn open(plan: &Plan) -> Result<(SendRequest<Payload>, Option<Values>), Trouble> {
    let io = plan.address.target().connect().await.map_err(|error| Trouble::connect(&error))?;
    let (send_request, connection) = plan.builder.handshake(io).await?;
    let values = connection.values().cloned();
    tokio::spawn(connection);
    Ok((send_request, values))
}

fn is_unsent(failed: &tower_fastcgi::client::conn::TrySendError<http::Request<Payload>>) -> bool {
    failed.message().is_some() && failed.error().is_closed()
}

/// An application that closes each new connection at once is not asked for ever.
const ATTEMPTS: usize = 3;
