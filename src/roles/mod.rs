//! What a FastCGI application may be asked for: its roles, beside that of a Responder.
//!
//! The specification has three (section 6), and [`Builder::roles`](crate::server::Builder::roles) says which of them a service is asked
//! for. [`Role::Responder`](crate::Role::Responder), an ordinary web application, is the default. The [`Role`](crate::Role) is in the
//! extensions of every request.
//!
//! # Authorizer
//!
//! Decides whether a request may pass to what the web server has behind it: files, or another application. Apache
//! (mod_authnz_fcgi) and lighttpd (`"mode" => "authorizer"`) ask one.
//!
//! A request passes if it is answered with [`Allow`], and with nothing else: any other response denies it, and so do an error, a
//! panic, a service that is not ready or takes too long ([`Builder::authorizer_timeout`](crate::server::Builder::authorizer_timeout)), and
//! a success that is no [`Allow`]. So an ordinary application that is asked by mistake lets nobody pass. [`Authorizer`] makes a service of
//! a function that decides:
//!
//! ```no_run
//! # #[cfg(feature = "tokio")]
//! # async fn run() -> std::io::Result<()> {
//! use http::{Request, Response};
//! use tower_fastcgi::roles::{Allow, Authorizer, Decision, InvalidVariable};
//! use tower_fastcgi::server::Builder;
//! use tower_fastcgi::{Incoming, Role, listener, serve};
//!
//! async fn decide(request: Request<Incoming>) -> Result<Decision<String>, InvalidVariable> {
//!     match request.headers().get("x-api-key") {
//!         Some(key) if key == "let me in" => Ok(Allow::new().variable("API_USER", "alice")?.into()),
//!         _ => {
//!             let mut response = Response::new("who are you?\n".to_owned());
//!             *response.status_mut() = http::StatusCode::UNAUTHORIZED;
//!             Ok(Decision::Deny(response))
//!         }
//!     }
//! }
//!
//! let listener = listener::bind("127.0.0.1:9001").await?;
//! let mut builder = Builder::new();
//! builder.roles([Role::Authorizer]);
//! serve(listener, Authorizer::from_fn(decide)).with_builder(builder).await
//! # }
//! ```
//!
//! With axum (feature `axum`) a handler returns [`Allow`] or any other response, `Result<Allow, StatusCode>` for one, and an extractor
//! that rejects the request denies it. [`ByRole`] serves an Authorizer and an application on one address.
//!
//! The web server sends an Authorizer no body, whatever the method: it is the Responder's. An Authorizer sees the client's headers, method
//! and URI. Where Apache asks for a password (`AuthType Basic`), name and password are [`Credentials`] and no header; lighttpd leaves them
//! in the header `authorization`. [`ApacheRole`] is which of its questions Apache asks. The example `authorizer` has the lines for both
//! configurations.
//!
//! What Apache 2.4 and lighttpd 1.4 do with an answer:
//!
//! | | Apache | lighttpd |
//! |---|---|---|
//! | [`Allow`] | the request goes on; what is behind it, over mod_proxy_fcgi for one, has the variables as params | the same |
//! | a denial, asked by `AuthnzFcgiCheckAuthnProvider` | its status and headers, and of its body 8 KiB, as far as they are there with the head | its status, headers and body |
//! | a denial, asked by `AuthBasicProvider` or `Require` | 401 or 403 with Apache's own page | |
//! | an answer with status 500 | 500 | 500 with its body |
//! | no Authorizer, or one that dies | 500 | 500 or 503 |
//!
//! lighttpd lets a request pass whose Authorizer ends it without any answer, which is what FastCGI applications do when they are asked for a
//! role that they do not have (FCGI_UNKNOWN_ROLE). This crate answers such a request with status 500 besides, so that it is denied.
//!
//! # Filter
//!
//! Transforms a file that the web server sends along. No common web server asks for it, but the specification has it and some
//! programs do. A request of this role is answered as a Responder's is, and has [`FilterData`].

mod allow;
mod apache;
mod authorizer;
mod by_role;
mod filter_data;
mod oneshot;

pub use self::allow::{Allow, InvalidVariable};
pub use self::apache::{ApacheRole, Credentials};
pub use self::authorizer::{Authorizer, AuthorizerBody, AuthorizerFuture, Decision, DecisionFn};
pub use self::by_role::{ByRole, ByRoleBody, ByRoleFuture};
pub use self::filter_data::FilterData;
#[cfg(feature = "axum")]
#[cfg_attr(docsrs, doc(cfg(feature = "axum")))]
pub use crate::axum::NoFilterData;
