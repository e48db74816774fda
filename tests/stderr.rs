//! What requests write to the web server's error log.

mod support;

use std::future::{pending, poll_fn};
use std::sync::Arc;
use std::task::Poll;

use http::{Request, Response};
use http_body_util::Full;
use support::{
    App, Ask, BoxError, Client, Exec, Latch, Record, Server, Sink, builder, feed, serve_with, text,
};
use tower::ServiceExt;
use tower_fastcgi::Incoming;
use tower_fastcgi::server::{Builder, Stderr, StderrLayer};
use tracing::{Instrument, Level};
use tracing_subscriber::layer::SubscriberExt;

fn with_stderr(bytes: usize) -> Builder {
    let mut builder = builder();
    builder.stderr(bytes);
    builder
}

fn stderr(request: &Request<Incoming>) -> Stderr {
    request.extensions().get::<Stderr>().expect("it is on").clone()
}

/// The FCGI_STDERR records among these, with the ids, but for the empty ones that end the stream.
fn lines(records: &[Record]) -> Vec<(u16, String)> {
    let line = |record: &Record| match record {
        Record::Stderr { id, content } if !content.is_empty() => {
            Some((*id, String::from_utf8(content.clone()).unwrap()))
        }
        _ => None,
    };
    records.iter().filter_map(line).collect()
}

fn texts(records: &[Record]) -> Vec<String> {
    lines(records).into_iter().map(|(_, line)| line).collect()
}

fn ask(server: &mut Server, client: &mut Client) -> Vec<Record> {
    client.send(Ask::get("/").keep_conn());
    server.run();
    client.recv_all()
}

#[test]
fn it_is_off_unless_it_is_switched_on() {
    let seen = Sink::default();
    let app = App::fallible({
        let seen = seen.clone();
        move |request| {
            let is_on =
                request.extensions().get::<Stderr>().is_some() || Stderr::current().is_some();
            seen.put(is_on);
            async { Err::<Response<Full<bytes::Bytes>>, BoxError>("it failed".into()) }
        }
    });
    let (mut server, mut client) = serve_with(&builder(), Exec::InPlace, app);
    let _guard =
        tracing::subscriber::set_default(tracing_subscriber::registry().with(StderrLayer::new()));
    let records = ask(&mut server, &mut client);
    assert!(!seen.take_one());
    assert!(matches!(
        records[..],
        [Record::Stdout { .. }, Record::Stdout { .. }, Record::End { .. }]
    ));
}

#[test]
fn each_line_is_a_record_before_the_end() {
    for exec in Exec::ALL {
        let app = App::new(|request| {
            let stderr = stderr(&request);
            async move {
                stderr.write_line("first");
                stderr.write_line(format_args!("second\nof {}", 2));
                text("hello")
            }
        });
        let (mut server, mut client) = serve_with(&with_stderr(1000), exec, app);
        let records = ask(&mut server, &mut client);
        assert_eq!(texts(&records), ["first\n", "second\\nof 2\n"], "{exec:?}");
        assert_eq!(records.last(), Some(&Record::end(1)), "{exec:?}");
    }
}

#[test]
fn the_stream_is_ended_if_it_was_begun() {
    let end = Record::Stderr { id: 1, content: Vec::new() };
    for (is_written, is_failed) in [(true, false), (true, true), (false, false), (false, true)] {
        let app = App::fallible(move |request| {
            if is_written {
                stderr(&request).write_line("a line");
            }
            async move { if is_failed { Err("it failed".into()) } else { Ok(text("hello")) } }
        });
        let (mut server, mut client) = serve_with(&with_stderr(1000), Exec::InPlace, app);
        let records = ask(&mut server, &mut client);
        let ends = records.iter().filter(|&record| *record == end).count();
        assert_eq!(ends, usize::from(is_written), "{records:?}");
        let last = records.iter().rposition(|record| matches!(record, Record::Stderr { .. }));
        assert_eq!(last.map(|last| &records[last]), is_written.then_some(&end), "{records:?}");
    }
}

#[test]
fn a_line_does_not_wait_for_the_response() {
    for exec in Exec::ALL {
        let handles = Sink::default();
        let latch = Latch::default();
        let app = App::new({
            let (handles, latch) = (handles.clone(), latch.clone());
            move |request| {
                let stderr = stderr(&request);
                stderr.write_line("called");
                handles.put(stderr);
                let wait = latch.clone().wait();
                async {
                    wait.await;
                    text("at last")
                }
            }
        });
        let (mut server, mut client) = serve_with(&with_stderr(1000), exec, app);
        assert_eq!(texts(&ask(&mut server, &mut client)), ["called\n"], "{exec:?}");

        let handle = handles.take_one();
        let elsewhere = handle.clone();
        std::thread::spawn(move || elsewhere.write_line("from a thread")).join().unwrap();
        server.run();
        assert_eq!(texts(&client.recv_all()), ["from a thread\n"], "{exec:?}");

        latch.open();
        server.run();
        assert_eq!(client.response(1).text(), "at last", "{exec:?}");
        handle.write_line("after the end");
        server.run();
        assert!(client.has_nothing(), "{exec:?}");
    }
}

#[test]
fn a_streaming_body_writes_between_its_frames() {
    let (feed, body) = feed();
    let handles = Sink::default();
    let body = Arc::new(std::sync::Mutex::new(Some(body)));
    let app = App::new({
        let handles = handles.clone();
        move |request| {
            handles.put(stderr(&request));
            let body = body.lock().unwrap().take().unwrap();
            async { Response::new(body) }
        }
    });
    let (mut server, mut client) = serve_with(&with_stderr(1000), Exec::InPlace, app);
    feed.send("one");
    ask(&mut server, &mut client);
    handles.take_one().write_line("between");
    server.run();
    feed.send("two");
    feed.end();
    server.run();
    let records = client.recv_all();
    assert_eq!(records[0], Record::Stderr { id: 1, content: b"between\n".into() });
    assert_eq!(records[1], Record::Stdout { id: 1, content: b"two".into() });
}

#[test]
fn siblings_have_their_own() {
    for exec in Exec::ALL {
        let app = App::new(|request: Request<Incoming>| {
            let stderr = stderr(&request);
            let path = request.uri().path().to_owned();
            let mut polled = false;
            // All of them run at a time.
            poll_fn(move |cx| {
                Stderr::current().expect("it is on").write_line(format_args!("current {path}"));
                stderr.write_line(format_args!("own {path}"));
                if polled {
                    return Poll::Ready(text("done"));
                }
                polled = true;
                cx.waker().wake_by_ref();
                Poll::Pending
            })
        });
        let (mut server, mut client) = serve_with(&with_stderr(1000), exec, app);
        let ids = [1, 2, 3];
        client.send(ids.iter().flat_map(|&id| Ask::get(&format!("/{id}")).id(id).keep_conn()));
        server.run();
        let lines = lines(&client.recv_all());
        for id in ids {
            let own: Vec<_> =
                lines.iter().filter(|(of, _)| *of == id).map(|(_, line)| &**line).collect();
            let [current, handle] = [format!("current /{id}\n"), format!("own /{id}\n")];
            assert_eq!(own, [&*current, &handle, &current, &handle], "{exec:?} {id}");
        }
        assert!(Stderr::current().is_none());
    }
}

#[test]
fn a_request_writes_no_more_than_it_may_and_the_next_one_afresh() {
    let app = App::new(|request| {
        let stderr = stderr(&request);
        async move {
            for _ in 0..1000 {
                stderr.write_line("0123456789");
            }
            text("hello")
        }
    });
    let (mut server, mut client) = serve_with(&with_stderr(100), Exec::InPlace, app);
    for _ in 0..2 {
        let written = texts(&ask(&mut server, &mut client)).concat();
        assert_eq!(written.len(), 99, "nine lines: {written}");
    }
}

#[test]
fn a_canceled_request_leaves_its_handle_without_effect() {
    let handles = Sink::default();
    let app = App::new({
        let handles = handles.clone();
        move |request| {
            handles.put(stderr(&request));
            pending::<Response<Full<bytes::Bytes>>>()
        }
    });
    let (mut server, mut client) = serve_with(&with_stderr(100), Exec::InPlace, app);
    ask(&mut server, &mut client);
    client.send(support::abort(1));
    server.run();
    assert_eq!(client.response(1).status, 503);
    assert!(client.has_nothing());
    handles.take_one().write_line("nobody reads this");
    server.run();
    assert!(client.has_nothing());
}

/// A 503 comes before the end of an aborted request, and the stream's end before that.
#[test]
fn what_an_aborted_request_wrote_is_ended() {
    let app = App::new(|request| {
        stderr(&request).write_line("called");
        pending::<Response<Full<bytes::Bytes>>>()
    });
    let (mut server, mut client) = serve_with(&with_stderr(100), Exec::InPlace, app);
    client.send(Ask::get("/").keep_conn());
    server.run();
    client.send(support::abort(1));
    server.run();
    let records = client.recv_all();
    assert_eq!(texts(&records), ["called\n"]);
    let last = records.iter().rfind(|record| matches!(record, Record::Stderr { .. }));
    assert_eq!(last, Some(&Record::Stderr { id: 1, content: Vec::new() }));
    assert_eq!(records.last(), Some(&Record::end(1)));
}

/// Its response failed in a way that only the end of the connection shows, which waits for a sibling.
#[test]
fn a_failed_request_writes_nothing_behind_the_end_of_its_stream() {
    for exec in Exec::ALL {
        let (feed, body) = feed();
        let (latch, app) = App::fed_beside_parked("/fed", body, "");
        let handles = Sink::default();
        let app = app.clone().map_request({
            let handles = handles.clone();
            move |request: Request<Incoming>| {
                handles.put(stderr(&request));
                request
            }
        });
        let (mut server, mut client) = serve_with(&with_stderr(100), exec, app);
        client.send(
            [Ask::get("/fed").keep_conn().head(), Ask::get("/").id(2).keep_conn().head()].concat(),
        );
        server.run();
        let handle = handles.take().swap_remove(0);
        handle.write_line("before");
        feed.send("part");
        feed.fail();
        server.run();
        assert_eq!(texts(&client.recv_all()), ["before\n"], "{exec:?}");
        handle.write_line("behind");
        server.run();
        assert!(client.has_nothing(), "{exec:?}");
        latch.open();
        server.run();
        assert_eq!(client.recv_all().last(), Some(&Record::Cut));
    }
}

/// The lines that `app` makes the layer write.
fn layered(exec: Exec, layer: StderrLayer, app: App) -> Vec<String> {
    let _guard = tracing::subscriber::set_default(tracing_subscriber::registry().with(layer));
    let (mut server, mut client) = serve_with(&with_stderr(1000), exec, app);
    texts(&ask(&mut server, &mut client))
}

fn logging() -> App {
    App::new(|_| async {
        tracing::info!("too quiet");
        tracing::warn!(target: "app", ms = 1200, query = "a\nb", "slow");
        tracing::error!(target: "app", "\u{1b}[31mred\r\n2026/11/22 [emerg] forged");
        text("hello")
    })
}

#[test]
fn warnings_and_errors_go_there_by_the_layer() {
    for exec in Exec::ALL {
        let expected = [
            "WARN app: slow ms=1200 query=\"a\\\\nb\"\n",
            "ERROR app: \\u{1b}[31mred\\r\\n2026/11/22 [emerg] forged\n",
        ];
        assert_eq!(layered(exec, StderrLayer::new(), logging()), expected, "{exec:?}");
    }
    let errors = layered(Exec::InPlace, StderrLayer::new().with_max_level(Level::ERROR), logging());
    assert_eq!(errors.len(), 1, "{errors:?}");
    let all = layered(Exec::InPlace, StderrLayer::new().with_max_level(Level::INFO), logging());
    assert!(all.iter().any(|line| line.ends_with("too quiet\n")), "{all:?}");
}

#[test]
fn why_a_service_failed_goes_there_too() {
    let app = App::fallible(|_| async {
        Err::<Response<Full<bytes::Bytes>>, BoxError>("no database".into())
    });
    let lines = layered(Exec::InPlace, StderrLayer::new(), app);
    let [line] = &lines[..] else { panic!("{lines:?}") };
    assert!(line.starts_with("ERROR tower_fastcgi::"), "{line}");
    assert!(line.ends_with("the service failed error=no database\n"), "{line}");
}

/// In a task of its own a handler's span tells which request it is for; without one nothing does.
#[tokio::test]
async fn a_spawned_task_is_told_by_its_span() {
    let app = App::new(|_| async {
        let span = tracing::error_span!("job");
        let job = async { tracing::warn!(target: "app", "with a span") };
        tokio::spawn(job.instrument(span)).await.unwrap();
        tokio::spawn(async { tracing::warn!(target: "app", "without") }).await.unwrap();
        text("hello")
    });
    let _guard =
        tracing::subscriber::set_default(tracing_subscriber::registry().with(StderrLayer::new()));
    let (mut server, mut client) = serve_with(&with_stderr(1000), Exec::InPlace, app);
    client.send(Ask::get("/").keep_conn());
    let mut written = Vec::new();
    while client.try_response(1).is_none() {
        server.run();
        written.extend(client.recv_all());
        if written.contains(&Record::end(1)) {
            break;
        }
        tokio::task::yield_now().await;
    }
    assert_eq!(texts(&written), ["WARN app: with a span\n"]);
}
