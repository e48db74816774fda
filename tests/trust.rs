//! What axum's handlers are told of who may be believed.

use axum::body::{Body, to_bytes};
use axum::extract::FromRequestParts;
use axum::handler::Handler;
use axum::routing::get;
use axum::{Extension, Router};
use http::{Request, StatusCode};
use tower::ServiceExt;
use tower_fastcgi::Params;
use tower_fastcgi::trust::{
    ClientCert, ClientCertParams, RemoteUser, Scheme, ServerAddr, TlsInfo, TrustRemoteUser,
};

/// What `handler` answers to a request with these params; `None` is a request over HTTP.
async fn ask<T: 'static>(
    handler: impl Handler<T, ()>,
    trusting: bool,
    params: Option<&[(&str, &str)]>,
) -> (StatusCode, String) {
    let mut app = Router::new().route("/", get(handler));
    if trusting {
        app = app.route_layer(Extension(TrustRemoteUser));
    }
    let mut request = Request::get("/").body(Body::empty()).unwrap();
    if let Some(params) = params {
        request.extensions_mut().insert(params.iter().copied().collect::<Params>());
    }
    // What a client would send to be taken for someone else.
    for name in ["remote-user", "ssl-client-verify", "ssl-client-s-dn", "https", "server-addr"] {
        request.headers_mut().insert(name, "forged".parse().unwrap());
    }
    let response = app.oneshot(request).await.unwrap();
    let status = response.status();
    let body = to_bytes(response.into_body(), 4096).await.unwrap();
    (status, String::from_utf8(body.into()).unwrap())
}

#[track_caller]
fn assert_refused((status, body): (StatusCode, String), expected: u16, reason: &str) {
    assert_eq!(status, expected, "{body}");
    assert!(body.contains(reason), "{body}");
}

async fn name(user: RemoteUser) -> String {
    user.to_string()
}

async fn maybe_name(user: Option<RemoteUser>) -> String {
    user.map_or("nobody".into(), |user| user.to_string())
}

const ALICE: &[(&str, &str)] = &[("REMOTE_USER", "alice")];

#[tokio::test]
async fn a_user_is_believed_only_where_the_application_says_so() {
    assert_eq!(ask(name, true, Some(ALICE)).await.1, "alice");
    assert_eq!(ask(maybe_name, true, Some(ALICE)).await.1, "alice");
    assert_refused(ask(name, false, Some(ALICE)).await, 500, "REMOTE_USER may be unchecked");
    assert_refused(ask(maybe_name, false, Some(ALICE)).await, 500, "REMOTE_USER may be unchecked");
    assert_refused(ask(maybe_name, false, Some(&[])).await, 500, "REMOTE_USER may be unchecked");
}

#[tokio::test]
async fn without_a_user_there_is_none() {
    for params in [&[][..], &[("REMOTE_USER", "")]] {
        assert_refused(ask(name, true, Some(params)).await, 403, "no user has logged in");
        assert_eq!(ask(maybe_name, true, Some(params)).await.1, "nobody");
    }
}

#[tokio::test]
async fn the_scheme_and_the_address() {
    let handler = async |scheme: Scheme, addr: ServerAddr| format!("{scheme} {}", addr.ip());
    let params = [("HTTPS", "on"), ("SERVER_ADDR", "[2001:db8::1]")];
    assert_eq!(ask(handler, false, Some(&params)).await.1, "https 2001:db8::1");
    assert_refused(ask(handler, false, Some(&[])).await, 500, "SERVER_ADDR is missing");

    let handler = async |addr: Option<ServerAddr>| addr.is_some().to_string();
    assert_eq!(ask(handler, false, Some(&params)).await.1, "true");
    assert_eq!(ask(handler, false, Some(&[])).await.1, "false");
}

#[tokio::test]
async fn tls_is_there_or_it_is_not() {
    let handler = async |tls: TlsInfo| tls.protocol().unwrap_or("unknown").to_owned();
    let params = [("HTTPS", "on"), ("SSL_PROTOCOL", "TLSv1.3")];
    assert_eq!(ask(handler, false, Some(&params)).await.1, "TLSv1.3");
    assert_refused(ask(handler, false, Some(&params[1..])).await, 403, "only over TLS");

    let handler = async |tls: Option<TlsInfo>| tls.is_some().to_string();
    assert_eq!(ask(handler, false, Some(&params)).await.1, "true");
    assert_eq!(ask(handler, false, Some(&[])).await.1, "false");
}

#[tokio::test]
async fn a_certificate_must_be_verified() {
    let handler = async |cert: ClientCert| cert.subject().unwrap().to_owned();
    let params = [("SSL_CLIENT_S_DN", "CN=alice"), ("SSL_CLIENT_VERIFY", "SUCCESS")];
    assert_eq!(ask(handler, false, Some(&params)).await.1, "CN=alice");
    assert_refused(ask(handler, false, Some(&params[..1])).await, 403, "client certificate");

    let handler = async |cert: Option<ClientCert>| cert.is_some().to_string();
    assert_eq!(ask(handler, false, Some(&params)).await.1, "true");
    assert_eq!(ask(handler, false, Some(&params[..1])).await.1, "false");
}

#[tokio::test]
async fn a_certificate_may_come_in_other_params() {
    let names = ClientCertParams::new().verified("CHECKED", "1").subject("WHO");
    let request = |params: Params| {
        let mut request = Request::new(());
        request.extensions_mut().insert(params);
        request.extensions_mut().insert(names.clone());
        request.into_parts().0
    };
    let cert = async |params: &[(&str, &str)]| {
        let mut parts = request(params.iter().copied().collect());
        <ClientCert as FromRequestParts<()>>::from_request_parts(&mut parts, &()).await
    };
    let own = cert(&[("CHECKED", "1"), ("WHO", "CN=alice")]).await;
    assert_eq!(own.unwrap().subject(), Some("CN=alice"));
    let apaches = cert(&[("SSL_CLIENT_VERIFY", "SUCCESS"), ("WHO", "CN=alice")]).await;
    assert_eq!(apaches.unwrap_err().status(), StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn over_http_nobody_is_vouched_for() {
    assert_refused(ask(name, true, None).await, 500, "did not come over FastCGI");
    assert_eq!(ask(maybe_name, true, None).await.1, "nobody");
    let scheme = async |scheme: Scheme| scheme.to_string();
    assert_refused(ask(scheme, false, None).await, 500, "did not come over FastCGI");
    let cert = async |_: ClientCert| String::new();
    assert_refused(ask(cert, false, None).await, 500, "did not come over FastCGI");
    let cert = async |cert: Option<ClientCert>| cert.is_some().to_string();
    assert_eq!(ask(cert, false, None).await.1, "false");
    let tls = async |_: TlsInfo| String::new();
    assert_refused(ask(tls, false, None).await, 500, "did not come over FastCGI");
}
