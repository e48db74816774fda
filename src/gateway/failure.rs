use std::error::Error as _;
use std::iter;

use http::header::{self, HeaderValue};
use http::{Response, StatusCode};

use super::body::{BodyTooLate, ResponseBody};
use crate::error::Error;
use crate::record::ProtocolStatus;
use crate::trace::{debug, warn};

/// Why a request gets no response of an application.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    Method,
    Host,
    /// What the application would be sent cannot be sent.
    Request,
    RequestTimeout,
    LengthRequired,
    BodyTooLarge,
    HeadersTooLarge,
    Busy,
    BadGateway,
    GatewayTimeout,
}

impl Failure {
    /// Logs it as well: the client is told no more than the status. Queries may hold what must not be logged.
    pub(super) fn of(error: &Error, path: &str) -> Self {
        let failure = Self::kind_of(error);
        let causes = iter::successors(error.source(), |&cause| cause.source());
        let text = causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"));
        match failure {
            Self::BadGateway | Self::GatewayTimeout | Self::Busy => warn!(path, "{text}"),
            _ => debug!(path, "{text}"),
        }
        failure
    }

    fn kind_of(error: &Error) -> Self {
        if error.is_user() {
            return Self::of_request(error);
        }
        if error.is_busy() || refuses_load(error) {
            return Self::Busy;
        }
        if error.is_timeout() { Self::GatewayTimeout } else { Self::BadGateway }
    }

    fn of_request(error: &Error) -> Self {
        if error.source().is_some_and(|cause| cause.is::<BodyTooLate>()) {
            Self::RequestTimeout
        } else if error.is_length_required() {
            Self::LengthRequired
        } else if error.is_body_too_large() {
            Self::BodyTooLarge
        } else if error.is_too_large() {
            Self::HeadersTooLarge
        } else {
            Self::Request
        }
    }

    pub(super) fn response(self) -> Response<ResponseBody> {
        let status = self.status();
        let text = format!("{status}\n");
        let mut response = Response::new(ResponseBody::text(text));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
        if self == Self::RequestTimeout {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }

    fn status(self) -> StatusCode {
        match self {
            Self::Method => StatusCode::NOT_IMPLEMENTED,
            Self::Host | Self::Request => StatusCode::BAD_REQUEST,
            Self::RequestTimeout => StatusCode::REQUEST_TIMEOUT,
            Self::LengthRequired => StatusCode::LENGTH_REQUIRED,
            Self::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::HeadersTooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::Busy => StatusCode::SERVICE_UNAVAILABLE,
            Self::BadGateway => StatusCode::BAD_GATEWAY,
            Self::GatewayTimeout => StatusCode::GATEWAY_TIMEOUT,
        }
    }
}

/// Of a role it does not know, an application will not hear later either.
fn refuses_load(error: &Error) -> bool {
    matches!(error.refusal(), Some(ProtocolStatus::Overloaded | ProtocolStatus::CantMpxConn))
}
