//! The roles beside that of a Responder, for handlers.

use std::fmt;

use ::axum::body::Body;
use ::axum::extract::FromRequestParts;
use ::axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::request::Parts;

use crate::roles::{Allow, FilterData};

/// As a response: lets the request pass that an Authorizer was asked about.
impl IntoResponse for Allow {
    fn into_response(self) -> Response {
        Response::<Body>::from(self)
    }
}

/// As an extractor: the file that a Filter transforms.
///
/// # Errors
///
/// [`NoFilterData`] when the request is not of role Filter, or another extractor has taken it.
impl<S: Sync> FromRequestParts<S> for FilterData {
    type Rejection = NoFilterData;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, NoFilterData> {
        Self::take_from(&mut parts.extensions).ok_or(NoFilterData)
    }
}

/// The rejection of the extractor [`FilterData`]: status 500, for it was to be served as a Filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NoFilterData;

impl fmt::Display for NoFilterData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "the request has no FCGI_DATA: it is not of role Filter, or it was taken before",
        )
    }
}

impl std::error::Error for NoFilterData {}

impl IntoResponse for NoFilterData {
    fn into_response(self) -> Response {
        (StatusCode::INTERNAL_SERVER_ERROR, self.to_string()).into_response()
    }
}
