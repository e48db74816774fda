//! Who may be believed: what the web server vouches for, as types, and how to know that it is the web server who speaks.
//!
//! [`Scheme`], [`ServerAddr`], [`TlsInfo`], [`ClientCert`] and [`RemoteUser`] are made of [`Params`](crate::Params) and of nothing
//! else. No client can write one: what it sends arrives as `HTTP_*`, which is never among them. Their `from_params` serve any tower
//! service; with the feature `axum` they are extractors too. They cost nothing unless asked for.
//!
//! That no client can *write* a param does not mean that the web server has *checked* what it put there. Each type's documentation
//! says which of nginx, Caddy, Apache (mod_proxy_fcgi and mod_fcgid), HAProxy and lighttpd vouches for it, and with what
//! configuration. In short:
//!
//! | | nginx | Caddy | Apache | HAProxy | lighttpd |
//! |---|---|---|---|---|---|
//! | [`Scheme`] | with `fastcgi_params` | yes | yes | yes | yes |
//! | [`ServerAddr`] | with `fastcgi_params` | not sent by 2.6 | yes | on demand | yes |
//! | [`TlsInfo`]: protocol and cipher | on demand | yes | `SSLOptions +StdEnvVars` | on demand | yes |
//! | [`TlsInfo`]: the name asked for | on demand | on demand | `SSLOptions +StdEnvVars` | on demand | not sent by 1.4.79 |
//! | [`ClientCert`] | on demand | on demand | `SSLOptions +StdEnvVars` | on demand | yes |
//! | [`RemoteUser`] | where `auth_basic` or the like holds | yes | yes | where `http-request auth` holds | yes |
//!
//! *On demand* means: the web server knows it and passes it on when told to; the type's documentation has the lines.
//!
//! The tests ask behind each of them, configured as the documentation tells and with clients who forge what they can: nginx 1.22 and 1.26,
//! Caddy 2.6, Apache 2.4 with either module, HAProxy 2.6 and 3.0, lighttpd 1.4.69 and 1.4.79.
//!
//! All of that is worth what the connection is worth: whoever can connect to the application can say anything. So listen on a Unix
//! socket or let nobody else in (`listener::AllowedPeers`), and where the web server is on another machine, let it show
//! a secret that [`RequireSecretLayer`] asks for.

mod client_cert;
mod pem;
mod remote_user;
mod require_secret;
mod scheme;
mod server_addr;
mod tls_info;

pub use self::client_cert::{ClientCert, ClientCertParams};
pub use self::remote_user::{RemoteUser, TrustRemoteUser};
pub use self::require_secret::{RequireSecret, RequireSecretFuture, RequireSecretLayer};
pub use self::scheme::Scheme;
pub use self::server_addr::ServerAddr;
pub use self::tls_info::TlsInfo;
#[cfg(feature = "axum")]
#[cfg_attr(docsrs, doc(cfg(feature = "axum")))]
pub use crate::axum::TrustRejection;
