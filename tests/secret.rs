//! Requests that show a secret, and all that try without.

mod support;

use http::{Request, Response, StatusCode};
use http_body_util::Empty;
use support::{
    App, Ask, Client, Exec, Server, Sink, builder, end_params, end_stdin, pairs, params,
    serve_with, text,
};
use tower::ServiceExt;
use tower_fastcgi::Params;
use tower_fastcgi::trust::RequireSecretLayer;
use tower_layer::Layer;

const SECRET: &str = "correct horse";

fn layer() -> RequireSecretLayer {
    RequireSecretLayer::new("APP_SECRET", SECRET)
}

/// The status, and the params as the application behind the layer saw them, if it was reached.
async fn ask(layer: &RequireSecretLayer, params: Option<Params>) -> (StatusCode, Option<Params>) {
    let seen = Sink::default();
    let app = tower::service_fn({
        let seen = seen.clone();
        move |request: Request<Empty<&[u8]>>| {
            seen.put(request.extensions().get::<Params>().cloned());
            std::future::ready(Ok::<_, std::convert::Infallible>(Response::new(String::new())))
        }
    });
    let mut request = Request::get("/").body(Empty::new()).unwrap();
    request.headers_mut().insert("app-secret", SECRET.parse().unwrap());
    if let Some(params) = params {
        request.extensions_mut().insert(params);
    }
    let response = layer.layer(app).oneshot(request).await.unwrap();
    assert_eq!(response.body(), "");
    (response.status(), seen.take().pop().flatten())
}

#[tokio::test]
async fn the_secret_opens_and_is_gone() {
    let shown = Params::from_iter([
        ("REMOTE_ADDR", "192.0.2.7"),
        ("APP_SECRET", SECRET),
        ("HTTP_COOKIE", "a=b"),
        ("HTTPS", "on"),
    ]);
    let (status, seen) = ask(&layer(), Some(shown)).await;
    assert_eq!(status, StatusCode::OK);
    let seen = seen.unwrap();
    assert_eq!(seen.get("APP_SECRET"), None);
    let pairs: Vec<_> = seen.iter().collect();
    assert_eq!(pairs, [(&b"REMOTE_ADDR"[..], &b"192.0.2.7"[..]), (b"HTTPS", b"on")]);
    assert_eq!(format!("{seen:?}"), r#"Params ["REMOTE_ADDR", "HTTPS"]"#);
}

#[tokio::test]
async fn nothing_else_opens() {
    let cases: &[&[(&str, &str)]] = &[
        &[],
        &[("APP_SECRET", "")],
        &[("APP_SECRET", "wrong")],
        &[("APP_SECRET", "correct hors")],
        &[("APP_SECRET", "correct horses")],
        &[("APP_SECRET", "correct horse\0")],
        &[("APP_SECRET", " correct horse")],
        &[("APP_SECRET", "correct horse\n")],
        &[("APP_SECRET", "Correct horse")],
        &[("app_secret", SECRET)],
        &[("APP-SECRET", SECRET)],
        &[("APP_SECRET ", SECRET)],
        &[("APP_SECRET\0", SECRET)],
        &[("HTTP_APP_SECRET", SECRET)],
        &[("HTTP_APP_SECRET", SECRET), ("APP_SECRET", "")],
        &[("REDIRECT_APP_SECRET", SECRET)],
        &[("QUERY_STRING", "APP_SECRET=correct horse")],
        &[("APP_SECRET", SECRET), ("APP_SECRET", "wrong")],
        &[("APP_SECRET", "wrong"), ("APP_SECRET", SECRET)],
        &[("APP_SECRET", SECRET), ("APP_SECRET", "")],
        &[("APP_SECRET", "correct "), ("APP_SECRET", "horse")],
    ];
    for case in cases {
        let params = case.iter().copied().collect();
        let (status, seen) = ask(&layer(), Some(params)).await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{case:?}");
        assert!(seen.is_none(), "{case:?}");
    }
}

#[tokio::test]
async fn a_request_over_http_shows_none() {
    let (status, _) = ask(&layer(), None).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn the_same_secret_twice_is_right_twice() {
    let params = [("APP_SECRET", SECRET), ("A", "1"), ("APP_SECRET", SECRET)].into_iter().collect();
    let (status, seen) = ask(&layer(), Some(params)).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(format!("{:?}", seen.unwrap()), r#"Params ["A"]"#);
}

#[tokio::test]
async fn while_it_is_replaced_there_are_two() {
    let layer = layer().or("battery staple");
    for (secret, expected) in
        [(SECRET, 200), ("battery staple", 200), ("correct horsebattery staple", 403), ("", 403)]
    {
        let params = [("APP_SECRET", secret)].into_iter().collect();
        assert_eq!(ask(&layer, Some(params)).await.0, expected, "{secret}");
    }
}

#[test]
fn debug_shows_no_secret() {
    let layer = layer().or("battery staple");
    let text = format!("{layer:?} {:?}", layer.layer(()));
    assert!(text.contains("APP_SECRET"), "{text}");
    for secret in ["horse", "staple", "99, 111", "[98"] {
        assert!(!text.contains(secret), "{text}");
    }
}

#[test]
fn what_can_never_be_right_is_a_panic_at_the_start() {
    for (param, secret) in [
        ("APP_SECRET", ""),
        ("HTTP_APP_SECRET", SECRET),
        ("CONTENT_TYPE", SECRET),
        ("CONTENT_LENGTH", SECRET),
    ] {
        let made = std::panic::catch_unwind(|| RequireSecretLayer::new(param, secret));
        assert!(made.is_err(), "{param} {secret}");
    }
    assert!(std::panic::catch_unwind(|| layer().or("")).is_err());
}

/// A connection to an application behind the layer, and the paths it was asked for.
fn connection(exec: Exec) -> (Sink<String>, Server, Client) {
    let seen = Sink::default();
    let app = layer().layer(App::new({
        let seen = seen.clone();
        move |request| {
            seen.put(request.uri().path().to_owned());
            async { text("in") }
        }
    }));
    let (server, client) = serve_with(&builder(), exec, app);
    (seen, server, client)
}

#[test]
fn a_sibling_with_the_secret_opens_for_itself_only() {
    for exec in Exec::ALL {
        let (seen, mut server, mut client) = connection(exec);
        let right = Ask::get("/right").id(1).keep_conn().param("APP_SECRET", SECRET);
        let none = Ask::get("/none").id(2).keep_conn();
        let wrong = Ask::get("/wrong").id(3).keep_conn().param("APP_SECRET", "wrong");
        let asked = [(2, &none), (1, &right), (3, &wrong)];
        // Their params are under way at the same time, and end in another order.
        client.send(asked.map(|(_, ask)| ask.begin()));
        for (id, ask) in asked {
            client.send(pairs(ask.params()).chunks(40).map(|part| params(id, part)));
        }
        client.send([1, 3, 2].map(end_params));
        client.send([3, 2, 1].map(end_stdin));
        server.run();
        assert_eq!(client.response(1).status, 200, "{exec:?}");
        assert_eq!(client.response(2).status, 403, "{exec:?}");
        assert_eq!(client.response(3).status, 403, "{exec:?}");
        assert_eq!(seen.take(), ["/right"], "{exec:?}");
    }
}

#[test]
fn each_request_of_a_kept_connection_needs_it() {
    let (seen, mut server, mut client) = connection(Exec::InPlace);
    for (path, secret, expected) in
        [("/1", SECRET, 200), ("/2", "", 403), ("/3", SECRET, 200), ("/4", "wrong", 403)]
    {
        client.send(Ask::get(path).keep_conn().param("APP_SECRET", secret));
        server.run();
        assert_eq!(client.response(1).status, expected, "{path}");
    }
    assert_eq!(seen.take(), ["/1", "/3"]);
}

/// The web server's headers are params like any other, until this crate makes headers of them.
#[test]
fn a_client_has_no_way_to_write_the_param() {
    let (seen, mut server, mut client) = connection(Exec::InPlace);
    for header in ["HTTP_APP_SECRET", "HTTP_HTTP_APP_SECRET", "HTTP_", "CONTENT_TYPE"] {
        client.send(Ask::get("/?APP_SECRET=correct+horse").keep_conn().param(header, SECRET));
        server.run();
        let status = client.response(1).status;
        assert!([400, 403].contains(&status), "{header}: {status}");
    }
    assert!(seen.take().is_empty());
}

/// An upload behind a wrong secret is not read by anybody.
#[test]
fn a_refusal_does_not_wait_for_the_body() {
    let (seen, mut server, mut client) = connection(Exec::InPlace);
    client.send(Ask::post("/upload", [0; 1000]).content_length(Some("1000000")).head());
    server.run();
    assert_eq!(client.response(1).status, 403);
    assert!(seen.take().is_empty());
}
