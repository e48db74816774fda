use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use http_body::Body;
use tokio::sync::Notify;
use tokio::time::timeout;

use super::conn::{self, Connection, SendRequest, Values};
use super::connect::Connect;
use crate::error::{BoxError, ClientTimeout, Error, Failure, Result};
use crate::trace::debug;

/// The connections to one application.
pub(super) struct Pool<C, B> {
    connector: C,
    options: Options,
    state: Mutex<State<B>>,
    /// A connection became free, or there may be another.
    freed: Notify,
}

#[derive(Clone, Debug)]
pub(super) struct Options {
    pub(super) conn: conn::Builder,
    pub(super) connect_timeout: Option<Duration>,
    pub(super) max_connections: usize,
    pub(super) max_idle: usize,
}

struct State<B> {
    /// Connections that take a request, the one that became so last at the back.
    free: VecDeque<Free<B>>,
    open: usize,
    values: Asked,
}

struct Free<B> {
    send: SendRequest<B>,
    is_listed: Arc<AtomicBool>,
}

/// Whether it is known that connections can be multiplexed.
#[derive(Clone, Debug)]
enum Asked {
    NotYet,
    /// Without values: one request at a time.
    Known(Option<Values>),
}

/// A connection with a place for one request.
pub(super) struct Lease<B> {
    pub(super) send: SendRequest<B>,
    /// It may have been closed since its last request.
    pub(super) is_reused: bool,
}

impl<C, B> Pool<C, B>
where
    C: Connect,
    B: Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
{
    pub(super) fn new(connector: C, options: Options) -> Arc<Self> {
        let values = match options.conn.config.max_requests {
            1 => Asked::Known(None),
            _ => Asked::NotYet,
        };
        let state = State { free: VecDeque::new(), open: 0, values };
        Arc::new(Self { connector, options, state: Mutex::new(state), freed: Notify::new() })
    }

    /// Waits for a connection that takes a request.
    pub(super) async fn checkout(self: &Arc<Self>) -> Result<Lease<B>> {
        let is_connecting = AtomicBool::new(false);
        let lease = self.find_or_connect(&is_connecting);
        let Some(limit) = self.options.connect_timeout else { return lease.await };
        timeout(limit, lease).await.unwrap_or_else(|_| {
            let late = match is_connecting.load(Ordering::Relaxed) {
                true => ClientTimeout::Connect,
                false => ClientTimeout::Free,
            };
            Err(Error::client(Failure::Timeout(late)))
        })
    }

    /// The application does not multiplex, whatever it said.
    pub(super) fn never_multiplex(&self) {
        self.lock().values = Asked::Known(None);
    }

    async fn find_or_connect(self: &Arc<Self>, is_connecting: &AtomicBool) -> Result<Lease<B>> {
        loop {
            let mut freed = pin!(self.freed.notified());
            // From here on nothing is missed.
            freed.as_mut().enable();
            if let Some(send) = self.take_free() {
                return Ok(Lease { send, is_reused: true });
            }
            if let Some(seat) = self.take_seat() {
                is_connecting.store(true, Ordering::Relaxed);
                return self.open(seat).await;
            }
            freed.await;
        }
    }

    fn take_free(&self) -> Option<SendRequest<B>> {
        let mut state = self.lock();
        while let Some(mut free) = state.free.pop_back() {
            // With more room than for one request it stays.
            if free.send.try_ready() {
                if free.send.has_room() {
                    let (send, is_listed) = (free.send.clone(), free.is_listed);
                    state.free.push_back(Free { send, is_listed });
                } else {
                    free.is_listed.store(false, Ordering::Relaxed);
                }
                return Some(free.send);
            }
            free.is_listed.store(false, Ordering::Relaxed);
        }
        None
    }

    fn take_seat(self: &Arc<Self>) -> Option<Seat<C, B>> {
        let mut state = self.lock();
        (state.open < self.options.max_connections).then(|| {
            state.open += 1;
            Seat(Arc::downgrade(self))
        })
    }

    async fn open(self: &Arc<Self>, seat: Seat<C, B>) -> Result<Lease<B>> {
        let (mut send, connection) = self.connect().await?;
        send.try_ready();
        let is_listed = Arc::<AtomicBool>::default();
        let (pool, has_listed) = (Arc::downgrade(self), is_listed.clone());
        send.on_room(move |send| {
            pool.upgrade().into_iter().for_each(|pool| pool.add_free(&send, &has_listed));
        });
        if send.has_room() {
            self.add_free(&send.clone(), &is_listed);
        }
        tokio::spawn(drive(connection, send.clone(), seat));
        Ok(Lease { send, is_reused: false })
    }

    async fn connect(&self) -> Result<(SendRequest<B>, Connection<C::Io, B>)> {
        let known = match &self.lock().values {
            Asked::Known(values) => Some(values.clone()),
            Asked::NotYet => None,
        };
        let io = self.connect_io().await?;
        if let Some(values) = known {
            return Ok(self.options.conn.connect(io, values));
        }
        match self.options.conn.handshake(io).await {
            Ok((send, connection)) if send.has_room_for_several() => {
                self.lock().values = Asked::Known(connection.values().cloned());
                return Ok((send, connection));
            }
            Err(error) if !error.is_closed() => return Err(error),
            _ => {}
        }
        // libfcgi does not answer, and php-fpm before 8.2.13 closes the connection behind its answer: another connection it is.
        debug!("the application does not multiplex");
        self.never_multiplex();
        let io = self.connect_io().await?;
        Ok(self.options.conn.connect(io, None))
    }

    async fn connect_io(&self) -> Result<C::Io> {
        let connected = self.connector.connect().await;
        connected.map_err(|error| Error::client(Failure::Connect).with(error))
    }

    fn add_free(&self, send: &SendRequest<B>, is_listed: &Arc<AtomicBool>) {
        let mut state = self.lock();
        if !send.has_room() || is_listed.swap(true, Ordering::Relaxed) {
            return;
        }
        state.free.push_back(Free { send: send.clone(), is_listed: is_listed.clone() });
        let surplus = match state.free.len() > self.options.max_idle {
            true => state.free.pop_front(),
            false => None,
        };
        if let Some(surplus) = &surplus {
            surplus.is_listed.store(false, Ordering::Relaxed);
        }
        drop(state);
        // One that multiplexes may have room without being idle. It is listed again when it has more.
        surplus.into_iter().for_each(|surplus| surplus.send.close_if_idle());
        self.freed.notify_one();
    }
}

impl<C, B> Pool<C, B> {
    fn lock(&self) -> MutexGuard<'_, State<B>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<C, B> Drop for Pool<C, B> {
    fn drop(&mut self) {
        let free = std::mem::take(&mut self.lock().free);
        free.into_iter().for_each(|free| free.send.close());
    }
}

/// The right to one open connection.
struct Seat<C, B>(Weak<Pool<C, B>>);

impl<C, B> Drop for Seat<C, B> {
    fn drop(&mut self) {
        if let Some(pool) = self.0.upgrade() {
            let mut state = pool.lock();
            state.open -= 1;
            state.free.retain(|free| !free.send.is_closed());
            drop(state);
            pool.freed.notify_one();
        }
    }
}

/// Runs a connection. Its handle keeps it open for as long as there is a pool.
async fn drive<C, B>(mut connection: Connection<C::Io, B>, send: SendRequest<B>, seat: Seat<C, B>)
where
    C: Connect,
    B: Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
{
    let mut send = Some(send);
    let outcome = poll_fn(|cx| {
        let polled = Pin::new(&mut connection).poll(cx);
        if polled.is_pending() && seat.0.strong_count() == 0 {
            send = None;
        }
        polled
    })
    .await;
    if let Err(error) = outcome {
        debug!(%error, "connection to the application failed");
    }
}
