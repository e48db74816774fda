use std::fmt;

use crate::cgi::Params;

/// The user whom the web server has authenticated: REMOTE_USER.
///
/// It is to be had only by those who say that their web server checks it, with [`TrustRemoteUser`]. For behind nginx and HAProxy
/// REMOTE_USER is set from any Basic `Authorization` header, whose password nobody looked at, unless they are told to check it:
/// `curl -u admin:guess` makes it `admin`.
///
/// # Who vouches for it
///
/// - Apache (mod_proxy_fcgi and mod_fcgid), Caddy and lighttpd set it only after they have checked the password or whatever else
///   (`Require valid-user`, `basicauth`, `auth.require`).
/// - nginx where `auth_basic` holds for the very location. Not with `satisfy any`: whom an address lets in, nobody asks for a
///   password, and REMOTE_USER is whatever was sent along. With `auth_request` name the user yourself:
///   `auth_request_set $user $upstream_http_x_user; fastcgi_param REMOTE_USER $user;`.
/// - HAProxy where `http-request auth unless { http_auth(users) }` holds for every request.
///
/// On nginx and HAProxy leave nothing to be mistaken wherever no password is asked for: `fastcgi_param REMOTE_USER "";` behind the
/// `include`, and `http-request del-header authorization`, which the application does not get from HAProxy anyway.
///
/// # Examples
///
/// With axum (feature `axum`), for the routes where the web server asks for a password:
///
/// ```
/// # #[cfg(feature = "axum")]
/// # mod example {
/// use axum::{Extension, Router, routing::get};
/// use tower_fastcgi::trust::{RemoteUser, TrustRemoteUser};
///
/// async fn hello(user: RemoteUser) -> String {
///     format!("Hello, {user}!")
/// }
///
/// # pub fn app() -> Router {
/// Router::new().route("/members", get(hello)).route_layer(Extension(TrustRemoteUser))
/// # }
/// # }
/// ```
///
/// Without:
///
/// ```
/// use tower_fastcgi::Params;
/// use tower_fastcgi::trust::{RemoteUser, TrustRemoteUser};
///
/// let params = Params::from_iter([("REMOTE_USER", "alice")]);
/// let user = RemoteUser::from_params(&params, TrustRemoteUser).expect("she is logged in");
/// assert_eq!(user.as_str(), "alice");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RemoteUser(String);

impl RemoteUser {
    /// The user, if the web server has authenticated one.
    ///
    /// `None` also for a name that is not UTF-8.
    pub fn from_params(params: &Params, _: TrustRemoteUser) -> Option<Self> {
        let name = params.get_str("REMOTE_USER").filter(|name| !name.is_empty())?;
        Some(Self(name.to_owned()))
    }

    /// The user's name, as the web server knows it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for RemoteUser {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RemoteUser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Says that the web server checks who a [`RemoteUser`] is.
///
/// The extractor looks for it in the extensions of the request. `axum::Extension` and tower-http's `AddExtensionLayer` put it there,
/// for a whole application or, with `route_layer`, for the routes where the web server asks for a password.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TrustRemoteUser;

#[cfg(test)]
mod tests {
    use super::*;

    fn user(params: &[(&str, &[u8])]) -> Option<String> {
        let user = RemoteUser::from_params(&params.iter().copied().collect(), TrustRemoteUser)?;
        Some(user.to_string())
    }

    #[test]
    fn is_a_name_or_nobody() {
        assert_eq!(user(&[("REMOTE_USER", b"alice")]), Some("alice".into()));
        assert_eq!(user(&[("REMOTE_USER", b"")]), None);
        assert_eq!(user(&[("REMOTE_USER", b"gr\xfcn")]), None);
        assert_eq!(user(&[]), None);
    }

    #[test]
    fn no_header_makes_one() {
        for name in ["HTTP_REMOTE_USER", "HTTP_AUTHORIZATION", "remote_user", "Remote-User"] {
            assert_eq!(user(&[(name, b"root")]), None, "{name}");
        }
    }

    /// nginx's `fastcgi_params` sets it, and the configuration behind the `include` takes it back.
    #[test]
    fn the_last_one_counts() {
        assert_eq!(user(&[("REMOTE_USER", b"root"), ("REMOTE_USER", b"")]), None);
    }
}
