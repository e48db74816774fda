//! What the web server vouches for, as extractors.

use std::convert::Infallible;
use std::fmt;

use ::axum::extract::{FromRequestParts, OptionalFromRequestParts};
use ::axum::response::{IntoResponse, Response};
use http::request::Parts;
use http::{Extensions, StatusCode};

use super::MissingParams;
use crate::cgi::Params;
use crate::trust::{
    ClientCert, ClientCertParams, RemoteUser, Scheme, ServerAddr, TlsInfo, TrustRemoteUser,
};

/// The rejection of the extractors in [`trust`](crate::trust).
///
/// What is the client's to mend is answered with status 403, what is a fault of the configuration with 500. Extracted as an
/// `Option`, what is missing is `None` instead; only [`NotTrusted`](Self::NotTrusted) stays a rejection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TrustRejection {
    /// Status 500: the request did not come over FastCGI.
    MissingParams(MissingParams),
    /// Status 500: nobody said, with [`TrustRemoteUser`], that the web server checks REMOTE_USER.
    NotTrusted,
    /// Status 403: the web server has not authenticated a user.
    NoRemoteUser,
    /// Status 403: the client did not come over TLS.
    NoTls,
    /// Status 403: the web server has not verified a certificate of the client.
    NoClientCert,
    /// Status 500: the web server does not say at which address it was reached.
    NoServerAddr,
}

impl TrustRejection {
    /// The status that it is answered with.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::NoRemoteUser | Self::NoTls | Self::NoClientCert => StatusCode::FORBIDDEN,
            Self::MissingParams(_) | Self::NotTrusted | Self::NoServerAddr => {
                StatusCode::INTERNAL_SERVER_ERROR
            }
        }
    }
}

impl fmt::Display for TrustRejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::MissingParams(missing) => return missing.fmt(f),
            Self::NotTrusted => {
                "REMOTE_USER may be unchecked: add the layer Extension(TrustRemoteUser) where the web server asks for a password"
            }
            Self::NoRemoteUser => "no user has logged in",
            Self::NoTls => "only over TLS",
            Self::NoClientCert => "only with a client certificate that is valid",
            Self::NoServerAddr => "SERVER_ADDR is missing: the web server must be configured to send it",
        })
    }
}

impl std::error::Error for TrustRejection {}

impl IntoResponse for TrustRejection {
    fn into_response(self) -> Response {
        (self.status(), self.to_string()).into_response()
    }
}

impl From<MissingParams> for TrustRejection {
    fn from(missing: MissingParams) -> Self {
        Self::MissingParams(missing)
    }
}

/// As an extractor: which scheme the client used.
///
/// # Errors
///
/// [`MissingParams`] when the request did not come over FastCGI.
impl<S: Sync> FromRequestParts<S> for Scheme {
    type Rejection = MissingParams;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, MissingParams> {
        parts.extensions.get().map(Self::from_params).ok_or(MissingParams)
    }
}

/// As an extractor: the address the client connected to.
///
/// # Errors
///
/// [`TrustRejection::NoServerAddr`] when the web server does not send it.
impl<S: Sync> FromRequestParts<S> for ServerAddr {
    type Rejection = TrustRejection;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, TrustRejection> {
        Self::from_params(params(&parts.extensions)?).ok_or(TrustRejection::NoServerAddr)
    }
}

impl<S: Sync> OptionalFromRequestParts<S> for ServerAddr {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Option<Self>, Infallible> {
        Ok(parts.extensions.get().and_then(Self::from_params))
    }
}

/// As an extractor: the client's TLS connection, for handlers that want one.
///
/// # Errors
///
/// [`TrustRejection::NoTls`] when there is none.
impl<S: Sync> FromRequestParts<S> for TlsInfo {
    type Rejection = TrustRejection;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, TrustRejection> {
        Self::from_params(params(&parts.extensions)?).ok_or(TrustRejection::NoTls)
    }
}

impl<S: Sync> OptionalFromRequestParts<S> for TlsInfo {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Option<Self>, Infallible> {
        Ok(parts.extensions.get().and_then(Self::from_params))
    }
}

/// As an extractor: the client's certificate, by the [`ClientCertParams`] in the request's extensions or else the default ones.
///
/// # Errors
///
/// [`TrustRejection::NoClientCert`] when the web server has verified none.
impl<S: Sync> FromRequestParts<S> for ClientCert {
    type Rejection = TrustRejection;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, TrustRejection> {
        let params = params(&parts.extensions)?;
        client_cert(params, &parts.extensions).ok_or(TrustRejection::NoClientCert)
    }
}

impl<S: Sync> OptionalFromRequestParts<S> for ClientCert {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Option<Self>, Infallible> {
        let extensions = &parts.extensions;
        Ok(extensions.get().and_then(|params| client_cert(params, extensions)))
    }
}

/// As an extractor: the user, where [`TrustRemoteUser`] is in the request's extensions.
///
/// # Errors
///
/// [`TrustRejection::NotTrusted`] where it is not; [`TrustRejection::NoRemoteUser`] when nobody is logged in.
impl<S: Sync> FromRequestParts<S> for RemoteUser {
    type Rejection = TrustRejection;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, TrustRejection> {
        let trust = trust(&parts.extensions)?;
        let params = params(&parts.extensions)?;
        Self::from_params(params, trust).ok_or(TrustRejection::NoRemoteUser)
    }
}

/// # Errors
///
/// [`TrustRejection::NotTrusted`] where [`TrustRemoteUser`] is not in the request's extensions.
impl<S: Sync> OptionalFromRequestParts<S> for RemoteUser {
    type Rejection = TrustRejection;

    async fn from_request_parts(
        parts: &mut Parts,
        _state: &S,
    ) -> Result<Option<Self>, TrustRejection> {
        let trust = trust(&parts.extensions)?;
        let params = parts.extensions.get();
        Ok(params.and_then(|params| Self::from_params(params, trust)))
    }
}

fn params(extensions: &Extensions) -> Result<&Params, MissingParams> {
    extensions.get().ok_or(MissingParams)
}

fn client_cert(params: &Params, extensions: &Extensions) -> Option<ClientCert> {
    match extensions.get::<ClientCertParams>() {
        Some(names) => ClientCert::from_params_named(params, names),
        None => ClientCert::from_params(params),
    }
}

fn trust(extensions: &Extensions) -> Result<TrustRemoteUser, TrustRejection> {
    extensions.get().copied().ok_or(TrustRejection::NotTrusted)
}
