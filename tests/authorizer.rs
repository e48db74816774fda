//! Authorizers: what lets a request pass, and that nothing else does.

mod in_memory;
mod support;
mod web_server;

use std::convert::Infallible;
use std::future::{Future, pending, ready};
use std::time::Duration;

use axum::Router;
use axum::routing::{any, get};
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body::Body;
use http_body_util::{Either, Full};
use hyper_util::rt::TokioTimer;
use support::{
    App, Ask, BoxError, Client, DropFlag, Exec, Latch, Record, Server, Sink, Tasks, builder,
    end_stdin, feed, read_all, serve_with, stdin, text,
};
use tower::{ServiceBuilder, ServiceExt, service_fn};
use tower_fastcgi::roles::{Allow, Authorizer, ByRole, Decision};
use tower_fastcgi::server::{Builder, HttpService};
use tower_fastcgi::{Incoming, Params, Role, serve};

#[test]
fn an_allow_is_a_status_and_variables_and_nothing_else() {
    let authorizer = Authorizer::from_fn(|_| async {
        let allow = Allow::new().variable("AUTH_USER", "alice")?.variable("AUTH_GROUPS", "a, b")?;
        Ok::<_, BoxError>(Decision::<Full<Bytes>>::from(allow))
    });
    // Not even the Date, which is on.
    let mut builder = Builder::new();
    builder.roles([Role::Authorizer]);
    let (mut server, mut client) = Server::new(&builder, Tasks::default(), authorizer);
    client.send(question("/").head());
    server.run();
    let head = "Status: 200 OK\r\nVariable-AUTH_USER: alice\r\nVariable-AUTH_GROUPS: a, b\r\n\r\n";
    assert_eq!(client.recv_all(), whole(head));
}

#[test]
fn whatever_else_is_in_the_response_of_an_allow_stays_here() {
    let (answer, _) = answer_to(question("/"), App::new(|_| ready(leaking())));
    assert_eq!(answer, whole("Status: 200 OK\r\nVariable-A: 1\r\n\r\n"));
}

#[test]
fn an_allow_is_the_same_on_an_executor_and_to_any_method() {
    for exec in Exec::ALL {
        for method in ["GET", "HEAD", "POST", "PROPFIND"] {
            let (mut server, mut client) =
                serve_with(&asked(), exec, App::new(|_| ready(leaking())));
            let asks = [1, 2].map(|id| question("/").id(id).method(method));
            client.send(asks.iter().flat_map(Ask::head));
            server.run();
            for id in [1, 2] {
                let response = client.response(id);
                assert_eq!(
                    (response.status, response.headers.len()),
                    (200, 2),
                    "{method} {exec:?}"
                );
            }
        }
    }
}

#[test]
fn a_denial_is_passed_on_with_its_status_headers_and_body() {
    for status in [302, 400, 401, 403, 404, 429, 500, 503] {
        let (mut server, mut client) = deciding(move |_| {
            let mut response = Response::new(Full::new(Bytes::from_static(b"why")));
            *response.status_mut() = StatusCode::from_u16(status).unwrap();
            response.headers_mut().insert("www-authenticate", "Basic".parse().unwrap());
            Ok(Decision::Deny(response))
        });
        client.send(question("/").head());
        server.run();
        let response = client.response(1);
        assert_eq!((response.status, response.text().as_str()), (status, "why"));
        assert_eq!(response.header("www-authenticate").as_deref(), Some("Basic"));
        assert_eq!(response.header("content-length").as_deref(), Some("3"));
    }
}

/// Apache passes on what is in the same record as the head.
#[test]
fn a_denial_that_is_there_at_once_is_one_record() {
    for exec in Exec::ALL {
        let (feed, body) = feed();
        let (latch, app) = App::fed_beside_parked("/fed", body, "");
        let app = app.clone().map_response(|mut response| {
            *response.status_mut() = StatusCode::FORBIDDEN;
            response
        });
        let mut builder = asked();
        builder.auto_date_header(false);
        let (mut server, mut client) = serve_with(&builder, exec, app);
        latch.open();
        feed.send("not ");
        client.send([question("/fed").head(), question("/").id(2).head()].concat());
        server.run();
        let first = client.recv_all().into_iter().find(|record| record.request_id() == Some(1));
        let head = "Status: 403 Forbidden\r\ncontent-type: application/octet-stream\r\n\r\nnot ";
        let content = head.as_bytes().to_vec();
        assert_eq!(first, Some(Record::Stdout { id: 1, content }), "{exec:?}");
        feed.send("you");
        feed.end();
        server.run();
        let rest =
            [("you", 1), ("", 1)].map(|(text, id)| Record::Stdout { id, content: text.into() });
        assert_eq!(client.recv_all(), [&rest[..], &[Record::end(1)]].concat());
    }
}

#[test]
fn a_denial_of_any_size_arrives_whole() {
    for len in [0, 1, 60_000, 65_528, 65_600, 200_000] {
        let (mut server, mut client) = deciding(move |_| {
            let mut response = Response::new(Full::new(Bytes::from(vec![b'x'; len])));
            *response.status_mut() = StatusCode::FORBIDDEN;
            Ok(Decision::Deny(response))
        });
        client.send(question("/").head());
        server.run();
        let response = client.response(1);
        assert_eq!((response.status, response.body.len()), (403, len));
    }
}

#[test]
fn a_denial_that_says_success_is_403() {
    for status in [200, 201, 204, 206] {
        let (mut server, mut client) = deciding(move |_| {
            let mut response = Response::new(Full::new(Bytes::from_static(b"why")));
            *response.status_mut() = StatusCode::from_u16(status).unwrap();
            Ok(Decision::Deny(response))
        });
        client.send(question("/").head());
        server.run();
        let response = client.response(1);
        assert_eq!((response.status, response.text().as_str()), (403, "why"), "{status}");
    }
}

/// Whatever the layers around it make of its status.
#[test]
fn a_denial_stays_one() {
    let authorizer = Authorizer::from_fn(|_| {
        let mut response: Response<Full<Bytes>> = Allow::new().into();
        *response.status_mut() = StatusCode::UNAUTHORIZED;
        ready(Ok::<_, Infallible>(Decision::Deny(response)))
    });
    let service = authorizer.map_response(|mut response: Response<_>| {
        *response.status_mut() = StatusCode::OK;
        response
    });
    let (mut server, mut client) = Server::new(&asked(), Tasks::default(), service);
    client.send(question("/").head());
    server.run();
    assert_eq!(client.response(1).status, 403);
}

#[test]
fn a_success_of_whoever_does_not_know_of_the_role_is_403_without_its_body() {
    for status in [200, 201, 202, 204, 206, 226] {
        let app = App::new(move |_| {
            let mut response = text("what only some may see");
            *response.status_mut() = StatusCode::from_u16(status).unwrap();
            response.headers_mut().insert("variable-auth_user", "root".parse().unwrap());
            ready(response)
        });
        let (_, mut client) = answer_to_later(question("/"), app);
        let response = client.response(1);
        assert_eq!((response.status, response.text().as_str()), (403, "not allowed\n"), "{status}");
        assert_eq!(response.header("variable-auth_user"), None);
    }
}

#[test]
fn other_answers_of_such_a_service_are_denials() {
    for status in [301, 404, 500] {
        let app = App::new(move |_| {
            let mut response = text("not here");
            *response.status_mut() = StatusCode::from_u16(status).unwrap();
            ready(response)
        });
        let (_, mut client) = answer_to_later(question("/"), app);
        let response = client.response(1);
        assert_eq!((response.status, response.text().as_str()), (status, "not here"));
    }
}

/// A layer that answers in place of the service, or counts its response as something else.
#[test]
fn an_allow_counts_with_status_200_only() {
    for status in [201, 204, 403, 500] {
        let app = App::new(move |_| {
            let mut response = leaking();
            *response.status_mut() = StatusCode::from_u16(status).unwrap();
            ready(response)
        });
        let (_, mut client) = answer_to_later(question("/"), app);
        let expected = if status < 300 { 403 } else { status };
        assert_eq!(client.response(1).status, expected);
    }
    let without = App::new(|_| {
        let mut response = leaking();
        response.extensions_mut().clear();
        ready(response)
    });
    let (_, mut client) = answer_to_later(question("/"), without);
    assert_eq!(client.response(1).status, 403);
}

#[test]
fn an_error_and_a_panic_deny() {
    for exec in Exec::ALL {
        let app = App::fallible(|request: Request<Incoming>| async move {
            match request.uri().path() {
                "/panic" => panic!("within the decision"),
                "/error" => Err("the database is gone".into()),
                _ => Ok(leaking()),
            }
        });
        let (mut server, mut client) = serve_with(&asked(), exec, app);
        for path in ["/panic", "/error", "/"] {
            client.send([1, 2].into_iter().flat_map(|id| question(path).id(id).head()));
            server.run();
            let statuses = [1, 2].map(|id| client.response(id).status);
            let expected = if path == "/" { 200 } else { 500 };
            assert_eq!(statuses, [expected; 2], "{path} {exec:?}");
        }
    }
}

#[test]
fn a_service_that_cannot_become_ready_denies() {
    let app = App::new(|_| ready(leaking()))
        .poll_ready_with(|_| std::task::Poll::Ready(Err("no".into())));
    let (_, mut client) = answer_to_later(question("/"), app);
    assert_eq!(client.response(1).status, 500);
}

#[test]
fn what_cannot_be_written_denies() {
    let (mut server, mut client) = deciding(|_| {
        let allow = Allow::new().variable("auth user", "alice")?;
        Ok(allow.into())
    });
    client.send(question("/").head());
    server.run();
    assert_eq!(client.response(1).status, 500);
}

#[test]
fn a_denial_that_breaks_off_is_cut() {
    let (feed, body) = feed();
    let body = std::sync::Mutex::new(Some(body));
    let app = App::new(move |_| {
        let mut response = Response::new(body.lock().unwrap().take().expect("asked once"));
        *response.status_mut() = StatusCode::FORBIDDEN;
        ready(response)
    });
    let (mut server, mut client) = answer_to_later(question("/"), app);
    feed.send("wh");
    feed.fail();
    server.run();
    let records = client.recv_all();
    assert!(
        matches!(&records[0], Record::Stdout { content, .. } if content.starts_with(b"Status: 403"))
    );
    assert_eq!(records.last(), Some(&Record::Cut));
}

#[tokio::test(start_paused = true)]
async fn who_does_not_answer_within_10_seconds_denies() {
    for exec in Exec::ALL {
        let dropped = DropFlag::default();
        let app = App::new({
            let dropped = dropped.clone();
            move |_| {
                let guard = dropped.guard();
                async {
                    let _guard = guard;
                    pending::<Response<Full<Bytes>>>().await
                }
            }
        });
        let (mut server, mut client) = serve_with(&timed(), exec, app);
        client.send([1, 2].into_iter().flat_map(|id| question("/").id(id).head()));
        server.run();
        server.advance(Duration::from_millis(9_900)).await;
        assert!(client.has_nothing(), "{exec:?}");
        server.advance(Duration::from_millis(200)).await;
        for id in [1, 2] {
            let response = client.response(id);
            assert_eq!(response.status, 503, "{exec:?}");
            assert_eq!(response.text(), "the Authorizer took too long\n");
        }
        assert!(dropped.is_dropped(), "{exec:?}");
        assert_eq!(server.tasks().live(), 0);
        assert!(server.is_running(), "the connection goes on");
    }
}

#[tokio::test(start_paused = true)]
async fn who_is_not_ready_within_the_time_denies() {
    let app = App::new(|_| ready(leaking())).poll_ready_with(|_| std::task::Poll::Pending);
    let mut builder = timed();
    builder.authorizer_timeout(Duration::from_secs(2));
    let (mut server, mut client) = serve_with(&builder, Exec::InPlace, app);
    client.send(question("/").head());
    server.run();
    server.advance(Duration::from_millis(1_900)).await;
    assert!(client.has_nothing());
    server.advance(Duration::from_millis(200)).await;
    assert_eq!(client.response(1).status, 503);
}

/// The time begins with the end of the params, and a Responder has as much as it wants.
#[tokio::test(start_paused = true)]
async fn only_the_decision_is_timed() {
    let (_, latch, app) = App::parked();
    let mut builder = timed();
    builder.roles([Role::Responder, Role::Authorizer]);
    let (mut server, mut client) = serve_with(&builder, Exec::InPlace, app);
    client.send(Ask::get("/").keep_conn());
    let mut late = question("/").id(2).head();
    let end = late.pop().expect("the end of the params");
    client.send(late);
    server.run();
    server.advance(Duration::from_secs(20)).await;
    client.send(end);
    server.run();
    server.advance(Duration::from_millis(9_900)).await;
    assert!(client.has_nothing());
    server.advance(Duration::from_millis(200)).await;
    assert_eq!(client.response(2).status, 503);
    assert!(client.has_nothing());
    latch.open();
    server.run();
    assert_eq!(client.response(1).text(), "parked");
}

#[tokio::test(start_paused = true)]
async fn the_time_is_an_option() {
    let mut builder = timed();
    builder.authorizer_timeout(None);
    let (_, latch, app) = App::parked();
    let (mut server, mut client) = serve_with(&builder, Exec::InPlace, app);
    client.send(question("/").head());
    server.run();
    server.advance(Duration::from_secs(60)).await;
    assert!(client.has_nothing());
    latch.open();
    server.run();
    assert_eq!(client.response(1).status, 403);
}

#[test]
#[should_panic(expected = "a timeout was set, but no timer")]
fn a_time_needs_a_timer() {
    let mut builder = asked();
    builder.authorizer_timeout(Duration::from_secs(1));
    serve_with(&builder, Exec::InPlace, App::hello());
}

/// To lighttpd an end without an answer would be leave.
#[test]
fn an_aborted_question_is_denied() {
    let head = question("/").head();
    for sent in 1..=head.len() {
        for exec in Exec::ALL {
            let (_, _latch, app) = App::parked();
            let mut builder = asked();
            builder.auto_date_header(false);
            let (mut server, mut client) = serve_with(&builder, exec, app);
            client.send(question("/").id(2).head());
            client.send(head[..sent].to_vec());
            server.run();
            client.send(support::abort(1));
            server.run();
            let response = client.response(1);
            assert_eq!(response.status, 503, "{sent} records, {exec:?}");
            assert!(client.has_nothing());
        }
    }
}

#[test]
fn an_abort_ends_a_denial_that_has_begun() {
    let (feed, body) = feed();
    let body = std::sync::Mutex::new(Some(body));
    let app = App::new(move |_| {
        let mut response = Response::new(body.lock().unwrap().take().expect("asked once"));
        *response.status_mut() = StatusCode::FORBIDDEN;
        ready(response)
    });
    let (mut server, mut client) = answer_to_later(question("/"), app);
    feed.send("wh");
    server.run();
    client.recv_all();
    client.send(support::abort(1));
    server.run();
    assert_eq!(client.recv_all(), [Record::end(1)]);
}

/// Apache and lighttpd send no FCGI_STDIN at all with a POST, and lighttpd its end with a GET.
#[test]
fn the_body_is_empty_at_once_whatever_is_announced() {
    for length in [None, Some("5"), Some("0")] {
        let seen = Sink::default();
        let (mut server, mut client) = deciding({
            let seen = seen.clone();
            move |request: Request<Incoming>| {
                seen.put(request);
                Ok(Allow::new().into())
            }
        });
        client.send(question("/").method("POST").content_length(length).head());
        server.run();
        assert_eq!(client.response(1).status, 200);
        let request = seen.take_one();
        assert!(request.body().is_end_stream());
        assert_eq!(request.body().size_hint().exact(), Some(0));
        assert_eq!(request.headers().get("content-length"), None);
        client.send([stdin(1, "hello"), end_stdin(1)]);
        client.send(question("/").head());
        client.send(end_stdin(1));
        server.run();
        assert_eq!(client.response(1).status, 200, "and what comes all the same is dropped");
    }
}

#[tokio::test]
async fn whoever_reads_the_body_does_not_wait() {
    let (_, mut client) = answer_to_later(
        question("/").method("POST"),
        App::new(|request: Request<Incoming>| async {
            assert!(read_all(request.into_body()).await.unwrap().is_empty());
            leaking()
        }),
    );
    assert_eq!(client.response(1).status, 200);
}

#[test]
fn an_authorizer_answers_no_other_question() {
    let seen = Sink::default();
    let authorizer = Authorizer::from_fn({
        let seen = seen.clone();
        move |_| {
            seen.put(());
            ready(Ok::<_, Infallible>(Decision::<Full<Bytes>>::from(Allow::new())))
        }
    });
    let (mut server, mut client) = Server::new(&builder(), Tasks::default(), authorizer);
    client.send(Ask::get("/").keep_conn());
    server.run();
    assert_eq!(client.response(1).status, 403);
    assert!(seen.take().is_empty());
}

#[test]
fn an_allow_to_a_responders_request_is_an_empty_200_without_variables() {
    let app = App::new(|_| {
        let allow = Allow::new().variable("AUTH_USER", "alice").expect("a variable");
        ready(Response::<Full<Bytes>>::from(allow))
    });
    let (answer, _) = answer_to(Ask::get("/").keep_conn(), app);
    assert_eq!(answer, whole("Status: 200 OK\r\ncontent-length: 0\r\n\r\n"));
}

#[test]
fn each_role_has_its_service() {
    let app = service_fn(|_| ready(Ok::<_, BoxError>(text("the app"))));
    let mut builder = asked();
    builder.roles([Role::Responder, Role::Authorizer]);
    let service = ByRole::new(app, Authorizer::new(service_fn(by_path)));
    let (mut server, mut client) = Server::new(&builder, Tasks::default(), service);
    for path in ["/", "/public"] {
        client.send(Ask::get(path).keep_conn());
        server.run();
        assert_eq!(client.response(1).text(), "the app");
    }
    for (path, status) in [("/", 403), ("/public", 200), ("/error", 500)] {
        client.send(question(path).head());
        server.run();
        assert_eq!(client.response(1).status, status);
    }
}

#[test]
fn one_service_does_not_wait_for_the_other() {
    for busy in [Role::Responder, Role::Authorizer] {
        let latch = Latch::default();
        let waiting = |role| {
            let latch = latch.clone();
            let app = App::new(|_| ready(leaking()));
            let is_ready = move |cx: &mut std::task::Context<'_>| {
                if role != busy {
                    return std::task::Poll::Ready(Ok(()));
                }
                std::pin::pin!(latch.clone().wait()).poll(cx).map(Ok)
            };
            app.poll_ready_with(is_ready)
        };
        let service = ByRole::new(waiting(Role::Responder), waiting(Role::Authorizer));
        let mut builder = asked();
        builder.roles([Role::Responder, Role::Authorizer]);
        let (mut server, mut client) = Server::new(&builder, Tasks::default(), service);
        client.send(Ask::get("/").keep_conn());
        client.send(question("/").id(2).head());
        server.run();
        let (now, later) = if busy == Role::Responder { (2, 1) } else { (1, 2) };
        assert_eq!(client.response(now).status, 200);
        assert!(client.has_nothing());
        latch.open();
        server.run();
        assert_eq!(client.response(later).status, 200);
    }
}

/// A layer inside, whose error denies, and one outside, which sees responses.
#[tokio::test(start_paused = true)]
async fn layers_go_around_and_inside() {
    let slow = ServiceBuilder::new().timeout(Duration::from_secs(1)).service(service_fn(
        |request: Request<Incoming>| async move {
            if request.uri().path() == "/slow" {
                pending::<()>().await;
            }
            by_path(request).await
        },
    ));
    let service = Authorizer::new(slow).map_response(|mut response: Response<_>| {
        response.headers_mut().insert("x-seen", "1".parse().unwrap());
        response
    });
    let (mut server, mut client) = Server::new(&asked(), Tasks::default(), service);
    for (path, status) in [("/slow", 500), ("/public", 200), ("/private", 403)] {
        client.send(question(path).head());
        server.run();
        server.advance(Duration::from_millis(1_100)).await;
        let response = client.response(1);
        assert_eq!(response.status, status);
        assert_eq!(response.header("x-seen").is_some(), status == 403, "{path}");
    }
}

#[test]
fn handlers_of_axum_decide() {
    let app = Router::new()
        .route("/params", any(by_param))
        .route("/unaware", get(|| async { "what only some may see" }))
        .fallback(|| async { StatusCode::NOT_FOUND });
    let (mut server, mut client) = Server::new(&asked(), Tasks::default(), app);
    for (ask, status) in [
        (question("/params").param("TOKEN", "right"), 200),
        (question("/params").method("POST").param("TOKEN", "right"), 200),
        (question("/params").param("TOKEN", "wrong"), 401),
        (question("/params").param("HTTP_TOKEN", "right"), 401),
        (question("/unaware"), 403),
        (question("/nowhere"), 404),
    ] {
        client.send(ask.head());
        server.run();
        let response = client.response(1);
        assert_eq!(response.status, status, "{ask:?}");
        let user = response.header("variable-auth_user");
        assert_eq!(user.as_deref(), (status == 200).then_some("alice"));
    }
}

/// `serve` has a timer of its own, so the default holds.
#[tokio::test(start_paused = true)]
async fn serve_denies_what_takes_too_long() {
    let (listener, network) = in_memory::InMemory::new();
    let mut builder = Builder::new();
    builder.roles([Role::Authorizer]);
    let authorizer =
        Authorizer::from_fn(|_| pending::<Result<Decision<Full<Bytes>>, Infallible>>());
    let server = tokio::spawn(serve(listener, authorizer).with_builder(builder).into_future());
    let mut web_server = web_server::WebServer::new(network.connect());
    web_server.send_bytes(&support::bytes_of(question("/").head())).await;
    assert_eq!(web_server.response().await.status(), 503);
    server.abort();
}

async fn by_param(params: Params) -> Result<Allow, StatusCode> {
    match params.get_str("TOKEN") {
        Some("right") => Ok(Allow::new().variable("AUTH_USER", "alice").expect("a variable")),
        _ => Err(StatusCode::UNAUTHORIZED),
    }
}

async fn by_path(request: Request<Incoming>) -> Result<Decision<Full<Bytes>>, BoxError> {
    match request.uri().path() {
        "/public" => Ok(Allow::new().into()),
        "/error" => Err("no decision".into()),
        _ => {
            let mut response = text("private");
            *response.status_mut() = StatusCode::FORBIDDEN;
            Ok(Decision::Deny(response))
        }
    }
}

/// A response that allows, with all that must not go out.
fn leaking() -> Response<Either<Full<Bytes>, Full<Bytes>>> {
    let allow = Allow::new().variable("A", "1").expect("a variable");
    let mut response = Response::from(allow)
        .map(|_: Full<Bytes>| Either::Left(Full::new(Bytes::from_static(b"what nobody may see"))));
    for name in ["set-cookie", "content-type", "date", "x-secret", "location", "variable-b"] {
        response.headers_mut().insert(name, "leak".parse().unwrap());
    }
    response
}

fn asked() -> Builder {
    let mut builder = builder();
    builder.roles([Role::Responder, Role::Authorizer]);
    builder
}

fn timed() -> Builder {
    let mut builder = asked();
    builder.timer(TokioTimer::new());
    builder
}

/// What Apache and lighttpd ask, as a GET.
fn question(path: &str) -> Ask {
    Ask::get(path).role(2).content_length(None).keep_conn()
}

fn answer_to(ask: Ask, app: impl HttpService + 'static) -> (Vec<Record>, Server) {
    let (server, mut client) = answer_to_later(ask, app);
    (client.recv_all(), server)
}

fn answer_to_later(ask: Ask, app: impl HttpService + 'static) -> (Server, Client) {
    let (mut server, client) = Server::new(&asked(), Tasks::default(), app);
    client.send(ask.head());
    server.run();
    (server, client)
}

fn deciding(
    decide: impl Fn(Request<Incoming>) -> Result<Decision<Full<Bytes>>, BoxError> + Clone + 'static,
) -> (Server, Client) {
    let authorizer = Authorizer::from_fn(move |request| ready(decide(request)));
    Server::new(&asked(), Tasks::default(), authorizer)
}

/// The records of a response that is only that.
fn whole(stdout: &str) -> Vec<Record> {
    let content = stdout.as_bytes().to_vec();
    let end = Record::Stdout { id: 1, content: Vec::new() };
    vec![Record::Stdout { id: 1, content }, end, Record::end(1)]
}
