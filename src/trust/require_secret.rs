use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http::{Request, Response, StatusCode};
use pin_project_lite::pin_project;
use subtle::{Choice, ConstantTimeEq};
use tower_layer::Layer;
use tower_service::Service;

use crate::cgi::{Params, is_client_sent};
use crate::log_limit::LogLimit;
use crate::trace::warn;

/// Lets requests pass that show a secret, in a param that only the web server can set; refuses others with status 403.
///
/// It is for where an address or a user proves too little: a web server on another machine, or one that shares its user with
/// others. Put it around the whole application, so that no route is without.
///
/// - The secret is compared in constant time, which can tell its length at most.
/// - It is taken out of [`Params`] before the application sees the request.
/// - The param is there once as a rule. Were it there more often, each one would have to hold the secret.
/// - A refusal has no body. A warning is logged that names the param and no value, once in 10 seconds at most.
///
/// A client cannot set the param, whatever headers it sends. The wire is in the clear: who can listen between web server and
/// application reads the secret, and everything else.
///
/// # The web servers' side
///
/// | | |
/// |---|---|
/// | nginx | `fastcgi_param APP_SECRET "…";` in the location |
/// | Caddy | `env APP_SECRET {env.APP_SECRET}` in the block `transport fastcgi` |
/// | Apache, with mod_proxy_fcgi or mod_fcgid | `SetEnv APP_SECRET "…"` |
/// | HAProxy | `set-param APP_SECRET "…"` in the section `fcgi-app` |
/// | lighttpd | `setenv.set-environment = ( "APP_SECRET" => "…" )` |
///
/// Whoever reads the configuration knows the secret, and so does every other application that the web server hands the same
/// environment to.
///
/// # Examples
///
/// ```
/// use tower_fastcgi::trust::RequireSecretLayer;
/// use tower_layer::Layer;
///
/// # #[derive(Clone)]
/// # struct App;
/// # let app = App;
/// # let secret = || "s3cret".to_owned();
/// let secret: String = secret(); // as from std::env::var("APP_SECRET")
/// let app = RequireSecretLayer::new("APP_SECRET", secret).layer(app);
/// ```
#[derive(Clone)]
pub struct RequireSecretLayer {
    required: Arc<Required>,
}

#[derive(Debug)]
struct Required {
    param: String,
    secrets: Vec<Secret>,
    refused: LogLimit,
}

impl RequireSecretLayer {
    /// Requires that the param of this name holds the secret.
    ///
    /// # Panics
    ///
    /// If the secret is empty, or if no request can have such a param because it would come from the client: `HTTP_*`,
    /// CONTENT_TYPE, CONTENT_LENGTH.
    pub fn new(param: impl Into<String>, secret: impl Into<Vec<u8>>) -> Self {
        let param = param.into();
        assert!(!is_client_sent(param.as_bytes()), "{param} is a param that the client fills");
        let secrets = vec![Secret::new(secret.into())];
        Self { required: Arc::new(Required { param, secrets, refused: LogLimit::default() }) }
    }

    /// Accepts another secret as well: so it can be replaced without refusing anybody, first here, then in the web server, then
    /// here again.
    ///
    /// # Panics
    ///
    /// If the secret is empty.
    pub fn or(self, secret: impl Into<Vec<u8>>) -> Self {
        let mut secrets = self.required.secrets.clone();
        secrets.push(Secret::new(secret.into()));
        let param = self.required.param.clone();
        Self { required: Arc::new(Required { param, secrets, refused: LogLimit::default() }) }
    }
}

impl<S> Layer<S> for RequireSecretLayer {
    type Service = RequireSecret<S>;

    fn layer(&self, service: S) -> RequireSecret<S> {
        RequireSecret { service, required: self.required.clone() }
    }
}

/// Shows the param's name only.
impl fmt::Debug for RequireSecretLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequireSecretLayer")
            .field("param", &self.required.param)
            .finish_non_exhaustive()
    }
}

/// A service that only requests with a secret reach; [`RequireSecretLayer`] makes it.
#[derive(Clone)]
pub struct RequireSecret<S> {
    service: S,
    required: Arc<Required>,
}

impl<S, B, R> Service<Request<B>> for RequireSecret<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    R: Default,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = RequireSecretFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.service.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let admitted = request.extensions().get().and_then(|params| self.required.admit(params));
        let Some(params) = admitted else {
            self.required.log_refusal();
            return RequireSecretFuture { state: State::Refused };
        };
        request.extensions_mut().insert(params);
        RequireSecretFuture { state: State::Admitted { future: self.service.call(request) } }
    }
}

/// Shows the param's name and the service.
impl<S: fmt::Debug> fmt::Debug for RequireSecret<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequireSecret")
            .field("param", &self.required.param)
            .field("service", &self.service)
            .finish()
    }
}

pin_project! {
    /// The response of a [`RequireSecret`].
    #[must_use = "futures do nothing unless polled"]
    pub struct RequireSecretFuture<F> {
        #[pin]
        state: State<F>,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<F> {
        Admitted { #[pin] future: F },
        Refused,
    }
}

impl<F, R, E> Future for RequireSecretFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
    R: Default,
{
    type Output = Result<Response<R>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().state.project() {
            StateProjection::Admitted { future } => Poll::Ready(ready!(future.poll(cx))),
            StateProjection::Refused => {
                let mut response = Response::new(R::default());
                *response.status_mut() = StatusCode::FORBIDDEN;
                Poll::Ready(Ok(response))
            }
        }
    }
}

impl<F> fmt::Debug for RequireSecretFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequireSecretFuture").finish_non_exhaustive()
    }
}

impl Required {
    /// The params without the secret, if it is among them and right.
    fn admit(&self, params: &Params) -> Option<Params> {
        let shown = || params.iter().filter(|&(name, _)| self.is_param(name));
        let is_right = shown().all(|(_, value)| self.is_secret(value));
        let is_shown = shown().next().is_some();
        let without = || params.iter().filter(|&(name, _)| !self.is_param(name)).collect();
        (is_shown && is_right).then(without)
    }

    fn is_param(&self, name: &[u8]) -> bool {
        name == self.param.as_bytes()
    }

    /// Looks at all secrets, so that the time does not tell which one it is.
    fn is_secret(&self, value: &[u8]) -> bool {
        let none = Choice::from(0);
        self.secrets.iter().fold(none, |found, secret| found | secret.0.ct_eq(value)).into()
    }

    fn log_refusal(&self) {
        if let Some(withheld) = self.refused.pass() {
            warn!(
                param = self.param,
                others_since_the_last_line = withheld,
                "request refused: the secret in this param is missing or wrong"
            );
        }
    }
}

#[derive(Clone)]
struct Secret(Vec<u8>);

impl Secret {
    fn new(secret: Vec<u8>) -> Self {
        assert!(!secret.is_empty(), "the secret is empty");
        Self(secret)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}
