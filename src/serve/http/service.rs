use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Buf;
use http::header::{self, HeaderValue};
use http::{Request, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use hyper::upgrade::OnUpgrade;
use pin_project_lite::pin_project;

use super::Terms;
use super::activity::{Activity, LiveRequest};
use crate::body::Incoming;
use crate::cgi::{Forwarded, remove_forwarded};
use crate::error::BoxError;
use crate::serve::service::SendService;
use crate::server::Panicked;
use crate::trace::error;

/// What hyper calls: the service, and around it what the FastCGI side does to each request and response.
pub(super) struct HttpService<S> {
    service: S,
    terms: Terms,
    activity: Arc<Activity>,
}

impl<S> HttpService<S> {
    pub(super) fn new(service: S, terms: Terms, activity: Arc<Activity>) -> Self {
        Self { service, terms, activity }
    }
}

impl<S: SendService> hyper::service::Service<Request<hyper::body::Incoming>> for HttpService<S> {
    type Response = Response<ResponseBody<S::ResBody>>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn call(&self, request: Request<hyper::body::Incoming>) -> Self::Future {
        let live = self.activity.begin();
        if self.terms.refused.is_some() {
            let refusal = text(StatusCode::FORBIDDEN, FORBIDDEN, live);
            return Box::pin(std::future::ready(Ok(refusal)));
        }
        let version = request.version();
        let mut request = request.map(|body| Incoming::http(body, version));
        if self.terms.forwarded == Forwarded::Remove {
            remove_forwarded(request.headers_mut());
        }
        if let Some(remote) = self.terms.endpoints.remote {
            crate::axum::insert_connect_info(request.extensions_mut(), remote);
        }
        request.extensions_mut().insert(self.terms.endpoints);
        // Nobody would take the connection over.
        request.extensions_mut().remove::<OnUpgrade>();
        let service = self.service.clone();
        Box::pin(async move { Ok(respond(service, request, live).await) })
    }
}

async fn respond<S: SendService>(
    mut service: S,
    request: Request<Incoming>,
    mut live: LiveRequest,
) -> Response<ResponseBody<S::ResBody>> {
    let answer = caught(async {
        poll_fn(|cx| service.poll_ready(cx)).await?;
        service.call(request).await
    });
    let failure = match answer.await {
        Ok(Ok(mut response)) if !response.status().is_informational() => {
            live.set_in_service(false);
            let is_size_wrong = tells_another_length(&mut response);
            let live = Some(live);
            return response.map(|body| ResponseBody::Streaming { body, is_size_wrong, live });
        }
        Ok(Ok(response)) => format!("its response has status {}", response.status()).into(),
        Ok(Err(error)) => error.into(),
        Err(panicked) => panicked.into(),
    };
    error!(error = %failure, "the service failed");
    live.set_in_service(false);
    text(StatusCode::INTERNAL_SERVER_ERROR, "internal server error\n", live)
}

/// Whether the service has set another length than its body has. The one that it has set counts, as over FastCGI, so hyper must not
/// hear of the body's: it would tell the one and send the other, which shifts all that follows on the connection.
fn tells_another_length<B: Body>(response: &mut Response<B>) -> bool {
    let mut told = response.headers().get_all(header::CONTENT_LENGTH).iter().map(length);
    match told.next() {
        None => false,
        Some(Some(first)) if told.all(|other| other == Some(first)) => {
            response.body().size_hint().exact() != Some(first)
        }
        Some(_) => {
            response.headers_mut().remove(header::CONTENT_LENGTH);
            false
        }
    }
}

fn length(value: &HeaderValue) -> Option<u64> {
    let digits = value.to_str().ok()?;
    // `parse` takes a sign as well.
    digits.parse().ok().filter(|_| digits.bytes().all(|byte| byte.is_ascii_digit()))
}

async fn caught<F: Future>(future: F) -> Result<F::Output, Panicked> {
    let mut future = pin!(future);
    poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
        Ok(polled) => polled.map(Ok),
        Err(panic) => Poll::Ready(Err(Panicked::new(&*panic))),
    })
    .await
}

fn text<B>(status: StatusCode, text: &'static str, live: LiveRequest) -> Response<ResponseBody<B>> {
    let mut response = Response::new(ResponseBody::Text { text: text.as_bytes(), _live: live });
    *response.status_mut() = status;
    let headers = response.headers_mut();
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    headers.insert(header::CONTENT_TYPE, plain);
    if status == StatusCode::FORBIDDEN {
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

pin_project! {
    /// A service's body, or a text.
    #[project = ResponseBodyProj]
    pub(super) enum ResponseBody<B> {
        Streaming { #[pin] body: B, is_size_wrong: bool, live: Option<LiveRequest> },
        Text { text: &'static [u8], _live: LiveRequest },
    }
}

/// A piece of a [`ResponseBody`].
pub(super) enum Data<D> {
    Streamed(D),
    Text(&'static [u8]),
}

impl<B: Body<Error: Into<BoxError>>> Body for ResponseBody<B> {
    type Data = Data<B::Data>;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, BoxError>>> {
        let (body, live) = match self.project() {
            ResponseBodyProj::Text { text, .. } => {
                let text = std::mem::take(text);
                return Poll::Ready((!text.is_empty()).then(|| Ok(Frame::data(Data::Text(text)))));
            }
            ResponseBodyProj::Streaming { body, live, .. } => (body, live),
        };
        let polled = catch_unwind(AssertUnwindSafe(|| body.poll_frame(cx)));
        let polled = match polled {
            Ok(polled) => polled.map_err(Into::into),
            Err(panic) => Poll::Ready(Some(Err(Panicked::new(&*panic).into()))),
        };
        if let Some(live) = live {
            live.set_in_service(polled.is_pending());
        }
        let frame = ready!(polled);
        if let Some(Err(error)) = &frame {
            error!(error = %error, "the body of a response failed: it is cut short");
        }
        if !matches!(frame, Some(Ok(_))) {
            *live = None;
        }
        Poll::Ready(frame.map(|frame| frame.map(|frame| frame.map_data(Data::Streamed))))
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Streaming { body, .. } => body.is_end_stream(),
            Self::Text { text, .. } => text.is_empty(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Streaming { is_size_wrong: true, .. } => SizeHint::default(),
            Self::Streaming { body, .. } => body.size_hint(),
            Self::Text { text, .. } => SizeHint::with_exact(text.len() as u64),
        }
    }
}

impl<D: Buf> Buf for Data<D> {
    fn remaining(&self) -> usize {
        match self {
            Self::Streamed(data) => data.remaining(),
            Self::Text(text) => text.remaining(),
        }
    }

    fn chunk(&self) -> &[u8] {
        match self {
            Self::Streamed(data) => data.chunk(),
            Self::Text(text) => text,
        }
    }

    fn advance(&mut self, count: usize) {
        match self {
            Self::Streamed(data) => data.advance(count),
            Self::Text(text) => text.advance(count),
        }
    }
}

const FORBIDDEN: &str = "This server speaks FastCGI. HTTP is for clients on its own machine.\n";
