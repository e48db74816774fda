//! The roles beside that of a Responder, for handlers.

use ::axum::body::Body;
use ::axum::response::{IntoResponse, Response};

use crate::roles::Allow;

/// As a response: lets the request pass that an Authorizer was asked about.
impl IntoResponse for Allow {
    fn into_response(self) -> Response {
        Response::<Body>::from(self)
    }
}
