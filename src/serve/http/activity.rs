use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

/// What happens on a connection, told by its transport and its requests, which HTTP/2 serves in tasks of their own.
#[derive(Debug)]
pub(super) struct Activity(Mutex<State>);

#[derive(Debug)]
struct State {
    /// There was a request.
    has_begun: bool,
    /// How many requests are being served.
    live: usize,
    /// How many of them wait for the service: for its response, or for more of the body.
    in_service: usize,
    received: u64,
    /// The client does not take what there is for it.
    is_blocked: bool,
    /// When a request last began or ended, a service last answered, or the client last took bytes of a response.
    moved: Instant,
}

/// What a connection waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WaitsFor {
    /// A request, since then.
    Request(Instant),
    /// The client to take a response, since then.
    Client(Instant),
    Service,
}

impl Activity {
    pub(super) fn new() -> Arc<Self> {
        let moved = Instant::now();
        let state = State {
            has_begun: false,
            live: 0,
            in_service: 0,
            received: 0,
            is_blocked: false,
            moved,
        };
        Arc::new(Self(Mutex::new(state)))
    }

    pub(super) fn waits_for(&self) -> WaitsFor {
        let state = self.lock();
        match (state.live, state.in_service) {
            (0, _) => WaitsFor::Request(state.moved),
            (_, 0) => WaitsFor::Client(state.moved),
            _ => WaitsFor::Service,
        }
    }

    /// How many bytes have arrived, if no request is being served.
    pub(super) fn idle_mark(&self) -> Option<u64> {
        let state = self.lock();
        (state.live == 0).then_some(state.received)
    }

    pub(super) fn has_begun(&self) -> bool {
        self.lock().has_begun
    }

    pub(super) fn on_received(&self, bytes: usize) {
        self.lock().received += bytes as u64;
    }

    /// Whether a response would be cut short if the connection were dropped now.
    pub(super) fn is_owing(&self) -> bool {
        let state = self.lock();
        state.live > 0 || state.is_blocked
    }

    /// Else it is no response that is sent: over HTTP/2 every ping has its answer, and is no request.
    pub(super) fn on_sent(&self) {
        let mut state = self.lock();
        if state.live > 0 || state.is_blocked {
            state.moved = Instant::now();
        }
    }

    pub(super) fn set_blocked(&self, is_blocked: bool) {
        self.lock().is_blocked = is_blocked;
    }

    pub(super) fn begin(self: &Arc<Self>) -> LiveRequest {
        let mut state = self.lock();
        state.has_begun = true;
        state.live += 1;
        state.in_service += 1;
        state.moved = Instant::now();
        drop(state);
        LiveRequest { activity: self.clone(), is_in_service: true }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request that is being served: until its response has been handed over whole, or dropped.
#[derive(Debug)]
pub(super) struct LiveRequest {
    activity: Arc<Activity>,
    is_in_service: bool,
}

impl LiveRequest {
    /// Tells whether the request waits for its service now.
    pub(super) fn set_in_service(&mut self, is_in_service: bool) {
        if is_in_service != self.is_in_service {
            self.is_in_service = is_in_service;
            let mut state = self.activity.lock();
            state.moved = Instant::now();
            match is_in_service {
                true => state.in_service += 1,
                false => state.in_service -= 1,
            }
        }
    }
}

impl Drop for LiveRequest {
    fn drop(&mut self) {
        self.set_in_service(false);
        let mut state = self.activity.lock();
        state.live -= 1;
        state.moved = Instant::now();
    }
}
