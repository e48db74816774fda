//! An Authorizer: Apache or lighttpd asks it whether a request may pass. `cargo run --example authorizer`
//!
//! It lets those pass who show an API key, and tells what is behind it, a file or another application, whose key it is: in the param
//! API_USER. Try it with `curl -H 'X-Api-Key: open sesame' http://localhost/private/`.
//!
//! Apache, with the modules authnz_fcgi and authn_core:
//!
//! ```apache
//! AuthnzFcgiDefineProvider authn keys fcgi://127.0.0.1:9001/
//! <Location /private/>
//!     AuthType Key
//!     AuthnzFcgiCheckAuthnProvider keys Authoritative On RequireBasicAuth Off UserExpr "%{reqenv:API_USER}"
//!     Require valid-user
//! </Location>
//! ```
//!
//! lighttpd, with mod_fastcgi; what it asks about must be a file below `docroot`:
//!
//! ```lighttpd
//! fastcgi.server = ( "/private/" => ((
//!     "mode" => "authorizer", "host" => "127.0.0.1", "port" => 9001, "docroot" => "/var/www/html", "check-local" => "disable"
//! )) )
//! ```

use http::{Request, Response, StatusCode};
use tower_fastcgi::roles::{Allow, Authorizer, Decision, InvalidVariable};
use tower_fastcgi::server::Builder;
use tower_fastcgi::{Incoming, Role, listener, serve};

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:9001".to_owned());
    let listener = listener::bind(&address).await?;
    let mut builder = Builder::new();
    builder.roles([Role::Authorizer]);
    println!("Serving FastCGI on {address}");
    serve(listener, Authorizer::from_fn(decide)).with_builder(builder).await
}

async fn decide(request: Request<Incoming>) -> Result<Decision<String>, InvalidVariable> {
    let key = request.headers().get("x-api-key").map(|key| key.as_bytes());
    match key.and_then(user_of) {
        Some(user) => Ok(Allow::new().variable("API_USER", user)?.into()),
        None => Ok(Decision::Deny(refusal())),
    }
}

/// A real one looks the key's hash up in a database.
fn user_of(key: &[u8]) -> Option<&'static str> {
    (key == b"open sesame").then_some("alibaba")
}

fn refusal() -> Response<String> {
    let mut response = Response::new("Show your API key in the header X-Api-Key.\n".to_owned());
    *response.status_mut() = StatusCode::FORBIDDEN;
    response
}
