//! What axum's handlers expect of a server, and what this one has for them.

mod roles;
mod trust;

use std::convert::Infallible;
use std::fmt;
use std::net::SocketAddr;

use ::axum::extract::{ConnectInfo, FromRequestParts, OptionalFromRequestParts, OriginalUri};
use ::axum::response::{IntoResponse, Response};
use http::request::Parts;
use http::{Extensions, StatusCode, Uri};

use crate::cgi::{MountPrefix, Params};

pub use self::roles::NoFilterData;
pub use self::trust::TrustRejection;

/// Makes axum's `ConnectInfo` and what is built on it work as with `axum::serve`.
pub(crate) fn insert_connect_info(extensions: &mut Extensions, address: SocketAddr) {
    extensions.insert(ConnectInfo(address));
}

/// Makes axum's `OriginalUri` what it is below `Router::nest`: the whole URI.
pub(crate) fn insert_original_uri(extensions: &mut Extensions, uri: Uri) {
    extensions.insert(OriginalUri(uri));
}

/// As an extractor: where the application is mounted. Nowhere, an empty prefix, if nothing was stripped from the URI, as over HTTP.
impl<S: Sync> FromRequestParts<S> for MountPrefix {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        Ok(parts.extensions.get().cloned().unwrap_or_default())
    }
}

/// As an extractor: what the web server set for the request.
///
/// `Option<Params>` is for handlers that are served over HTTP too.
///
/// # Errors
///
/// [`MissingParams`] when the request did not come over FastCGI.
impl<S: Sync> FromRequestParts<S> for Params {
    type Rejection = MissingParams;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, MissingParams> {
        parts.extensions.get().cloned().ok_or(MissingParams)
    }
}

impl<S: Sync> OptionalFromRequestParts<S> for Params {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Option<Self>, Infallible> {
        Ok(parts.extensions.get().cloned())
    }
}

/// The rejection of the extractor [`Params`]: status 500, for the request was not served by this crate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MissingParams;

impl fmt::Display for MissingParams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "the request has no FastCGI params: it did not come over FastCGI, or a layer removed its extensions \
             (extract Option<Params> where both are served)",
        )
    }
}

impl std::error::Error for MissingParams {}

impl IntoResponse for MissingParams {
    fn into_response(self) -> Response {
        (StatusCode::INTERNAL_SERVER_ERROR, self.to_string()).into_response()
    }
}
