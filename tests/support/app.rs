use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Either, Full};
use tower_fastcgi::server::HttpService;
use tower_fastcgi::{Error, Incoming};
use tower_service::Service;

pub type BoxError = Box<dyn std::error::Error + Send + Sync>;
type AppBody = UnsyncBoxBody<Bytes, BoxError>;
type Reply = Pin<Box<dyn Future<Output = Result<Response<AppBody>, BoxError>> + Send>>;
type Ready = dyn Fn(&mut Context<'_>) -> Poll<Result<(), BoxError>> + Send + Sync;

/// The service under the connection: a closure.
#[derive(Clone)]
pub struct App {
    handler: Arc<dyn Fn(Request<Incoming>) -> Reply + Send + Sync>,
    ready: Arc<Ready>,
}

impl App {
    pub fn new<F, Fut, B>(handler: F) -> Self
    where
        F: Fn(Request<Incoming>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Response<B>> + Send + 'static,
        B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    {
        Self::fallible(move |request| {
            let response = handler(request);
            async { Ok(response.await) }
        })
    }

    pub fn fallible<F, Fut, B>(handler: F) -> Self
    where
        F: Fn(Request<Incoming>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Response<B>, BoxError>> + Send + 'static,
        B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    {
        let boxed = move |request| -> Reply {
            let reply = handler(request);
            Box::pin(async { Ok(reply.await?.map(|body| body.map_err(Into::into).boxed_unsync())) })
        };
        Self { handler: Arc::new(boxed), ready: Arc::new(|_| Poll::Ready(Ok(()))) }
    }

    /// Answers "hello" to everything.
    pub fn hello() -> Self {
        Self::new(|_| async { text("hello") })
    }

    /// Answers with the request's body once all of it came; with 400 and the error's text if it did not.
    pub fn echo() -> Self {
        Self::new(|request| async {
            match read_all(request.into_body()).await {
                Ok(body) => Response::new(Full::new(Bytes::from(body))),
                Err(error) => {
                    let body = Full::new(Bytes::from(error.to_string()));
                    Response::builder().status(400).body(body).expect("a response")
                }
            }
        })
    }

    /// Answers with the request's body as it comes.
    pub fn stream_echo() -> Self {
        Self::new(|request| async { Response::new(request.into_body()) })
    }

    /// Keeps the requests for the test, and answers "parked" when it opens the latch.
    pub fn parked() -> (Sink<Request<Incoming>>, Latch, Self) {
        let (seen, latch) = (Sink::default(), Latch::default());
        let app = Self::new({
            let (seen, latch) = (seen.clone(), latch.clone());
            move |request| {
                seen.put(request);
                let wait = latch.clone().wait();
                async {
                    wait.await;
                    text("parked")
                }
            }
        });
        (seen, latch, app)
    }

    /// Answers `path` with the body, once, and every other with the text when the test opens the latch.
    pub fn fed_beside_parked(
        path: &'static str,
        body: FeedBody,
        text: &'static str,
    ) -> (Latch, Self) {
        let latch = Latch::default();
        let body = Mutex::new(Some(body));
        let app = Self::new({
            let latch = latch.clone();
            move |request: Request<Incoming>| {
                let is_fed = request.uri().path() == path;
                let body =
                    is_fed.then(|| body.lock().unwrap().take().expect("it is asked for once"));
                let wait = latch.clone().wait();
                async move {
                    match body {
                        Some(body) => Response::new(Either::Left(body)),
                        None => {
                            wait.await;
                            Response::new(Either::Right(Full::new(Bytes::from_static(
                                text.as_bytes(),
                            ))))
                        }
                    }
                }
            }
        });
        (latch, app)
    }

    pub fn poll_ready_with(
        self,
        ready: impl Fn(&mut Context<'_>) -> Poll<Result<(), BoxError>> + Send + Sync + 'static,
    ) -> Self {
        Self { ready: Arc::new(ready), ..self }
    }
}

impl Service<Request<Incoming>> for App {
    type Response = Response<AppBody>;
    type Error = BoxError;
    type Future = Reply;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        (self.ready)(cx)
    }

    fn call(&mut self, request: Request<Incoming>) -> Reply {
        (self.handler)(request)
    }
}

/// A service whose clones are not ready when they are asked for the first time, and at once woken to be asked again.
pub struct Late<S> {
    service: S,
    was_asked: bool,
}

impl<S> Late<S> {
    pub fn new(service: S) -> Self {
        Self { service, was_asked: false }
    }
}

impl<S: Clone> Clone for Late<S> {
    fn clone(&self) -> Self {
        Self::new(self.service.clone())
    }
}

impl<S: HttpService> Service<Request<Incoming>> for Late<S> {
    type Response = Response<S::ResBody>;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        if !std::mem::replace(&mut self.was_asked, true) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        self.service.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Incoming>) -> S::Future {
        self.service.call(request)
    }
}

pub fn text(body: &'static str) -> Response<Full<Bytes>> {
    Response::new(Full::new(Bytes::from_static(body.as_bytes())))
}

pub async fn read_all(mut body: Incoming) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        bytes.extend(frame?.into_data().expect("FastCGI has no trailers"));
    }
    Ok(bytes)
}

pub async fn read_all_and_forget(mut body: Incoming) {
    while let Some(Ok(_)) = body.frame().await {}
}

/// A response body whose frames the test feeds, and the test's hold on it.
pub fn feed() -> (Feed, FeedBody) {
    let feed = Feed(Arc::new(FeedState::default()));
    (feed.clone(), FeedBody { feed, length: None })
}

#[derive(Clone, Debug)]
pub struct Feed(Arc<FeedState>);

#[derive(Debug, Default)]
struct FeedState {
    queue: Mutex<FeedQueue>,
    polls: AtomicUsize,
    is_dropped: AtomicBool,
}

#[derive(Debug, Default)]
struct FeedQueue {
    steps: VecDeque<Step>,
    waker: Option<Waker>,
}

#[derive(Debug)]
enum Step {
    Frame(Bytes),
    Fail,
    Panic,
    End,
}

impl Feed {
    pub fn send(&self, data: impl Into<Bytes>) {
        self.push(Step::Frame(data.into()));
    }

    pub fn end(&self) {
        self.push(Step::End);
    }

    pub fn fail(&self) {
        self.push(Step::Fail);
    }

    pub fn panic(&self) {
        self.push(Step::Panic);
    }

    pub fn polls(&self) -> usize {
        self.0.polls.load(Ordering::SeqCst)
    }

    pub fn is_dropped(&self) -> bool {
        self.0.is_dropped.load(Ordering::SeqCst)
    }

    /// Frames that nobody took yet.
    pub fn waiting(&self) -> usize {
        self.0.queue.lock().unwrap().steps.len()
    }

    fn push(&self, step: Step) {
        let waker = {
            let mut queue = self.0.queue.lock().unwrap();
            queue.steps.push_back(step);
            queue.waker.take()
        };
        waker.into_iter().for_each(Waker::wake);
    }
}

#[derive(Debug)]
pub struct FeedBody {
    feed: Feed,
    length: Option<u64>,
}

impl FeedBody {
    /// Announces the body's length, whatever comes then.
    pub fn of_length(mut self, length: u64) -> Self {
        self.length = Some(length);
        self
    }
}

impl Body for FeedBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let state = &self.feed.0;
        state.polls.fetch_add(1, Ordering::SeqCst);
        let step = {
            let mut queue = state.queue.lock().unwrap();
            let step = queue.steps.pop_front();
            queue.waker = step.is_none().then(|| cx.waker().clone());
            step
        };
        match step {
            None => Poll::Pending,
            Some(Step::Frame(data)) => Poll::Ready(Some(Ok(Frame::data(data)))),
            Some(Step::Fail) => Poll::Ready(Some(Err("the body failed".into()))),
            Some(Step::Panic) => panic!("the body panics"),
            Some(Step::End) => Poll::Ready(None),
        }
    }

    fn size_hint(&self) -> SizeHint {
        self.length.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

impl Drop for FeedBody {
    fn drop(&mut self) {
        self.feed.0.is_dropped.store(true, Ordering::SeqCst);
    }
}

/// Tells whether what holds its guard was dropped.
#[derive(Clone, Debug, Default)]
pub struct DropFlag(Arc<AtomicBool>);

impl DropFlag {
    pub fn guard(&self) -> DropGuard {
        DropGuard(self.clone())
    }

    pub fn is_dropped(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

#[derive(Debug)]
pub struct DropGuard(DropFlag);

impl Drop for DropGuard {
    fn drop(&mut self) {
        self.0.0.store(true, Ordering::SeqCst);
    }
}

/// Holds handlers back until the test opens it.
#[derive(Clone, Debug, Default)]
pub struct Latch(Arc<Mutex<(bool, Vec<Waker>)>>);

impl Latch {
    pub fn open(&self) {
        let wakers = {
            let mut state = self.0.lock().unwrap();
            state.0 = true;
            std::mem::take(&mut state.1)
        };
        wakers.into_iter().for_each(Waker::wake);
    }

    pub async fn wait(self) {
        poll_fn(|cx| {
            let mut state = self.0.lock().unwrap();
            if state.0 {
                return Poll::Ready(());
            }
            state.1.push(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }
}

/// Where handlers leave what they saw.
#[derive(Debug)]
pub struct Sink<T>(Arc<Mutex<Vec<T>>>);

impl<T> Default for Sink<T> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<T> Clone for Sink<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> Sink<T> {
    pub fn put(&self, item: T) {
        self.0.lock().unwrap().push(item);
    }

    pub fn take(&self) -> Vec<T> {
        std::mem::take(&mut self.0.lock().unwrap())
    }

    /// # Panics
    ///
    /// If there is not exactly one item.
    pub fn take_one(&self) -> T {
        let mut items = self.take();
        assert_eq!(items.len(), 1, "one item in the sink");
        items.remove(0)
    }
}
