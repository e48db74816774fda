//! The pure parts on their own: `cargo bench --bench micro`.

use bytes::Bytes;
use divan::{Bencher, black_box, counter::BytesCount};
use http_body::SizeHint;
use tower_fastcgi::record::{
    BeginRequest, Decoder, Pairs, RecordType, RequestId, Role, put_pair, put_record, put_stream,
    put_stream_end,
};

use self::cgi::{Forwarded, RequestOptions, UriSource, map_request, put_head, put_refusal};
use self::params::{HEADERS, NGINX_PARAMS};

#[path = "support/params.rs"]
mod params;

/// The mapping is private to the crate; here it is built as a part of the benchmark.
#[allow(dead_code, unused_imports, unreachable_pub)]
#[path = "../src/cgi/mod.rs"]
mod cgi;

mod record {
    pub(crate) use tower_fastcgi::record::{
        MAX_STREAM_CONTENT, Pairs, ProtocolStatus, RecordType, Role, put_pair,
    };
}

#[allow(dead_code)]
#[path = "../src/error/client.rs"]
mod failure;

mod error {
    pub(crate) use crate::failure::{BadHead, Unsendable};
}

fn main() {
    divan::main();
}

fn param_stream() -> Vec<u8> {
    let mut params = Vec::new();
    for (name, value) in NGINX_PARAMS.into_iter().chain(HEADERS) {
        put_pair(&mut params, name.as_bytes(), value.as_bytes());
    }
    params
}

fn request(body: usize) -> Vec<u8> {
    let id = RequestId::new(1).expect("1 is an id");
    let begin = BeginRequest { role: Role::Responder.value(), keep_conn: true };
    let mut wire = Vec::new();
    put_record(&mut wire, RecordType::BeginRequest, Some(id), &begin.encode());
    put_stream(&mut wire, RecordType::Params, id, &param_stream());
    put_stream_end(&mut wire, RecordType::Params, id);
    put_stream(&mut wire, RecordType::Stdin, id, &vec![b'x'; body]);
    put_stream_end(&mut wire, RecordType::Stdin, id);
    wire
}

#[divan::bench(args = [0, 64 * 1024, 1024 * 1024])]
fn decode(bencher: Bencher<'_, '_>, body: usize) {
    let wire = request(body);
    bencher.counter(BytesCount::new(wire.len())).bench(|| {
        let mut decoder = Decoder::new();
        let mut input = black_box(&wire[..]);
        let mut content = 0;
        while let Some(fragment) = decoder.decode(&mut input).expect("records") {
            content += fragment.content.len();
        }
        content
    });
}

#[divan::bench(args = [13, 64 * 1024, 1024 * 1024])]
fn encode(bencher: Bencher<'_, '_>, body: usize) {
    let body = vec![b'x'; body];
    let id = RequestId::new(1).expect("1 is an id");
    let mut wire = Vec::with_capacity(body.len() + 1024);
    bencher.counter(BytesCount::new(body.len())).bench_local(|| {
        wire.clear();
        put_stream(&mut wire, RecordType::Stdout, id, black_box(&body));
        put_stream_end(&mut wire, RecordType::Stdout, id);
        wire.len()
    });
}

#[divan::bench]
fn pairs(bencher: Bencher<'_, '_>) {
    let params = param_stream();
    bencher.counter(BytesCount::new(params.len())).bench(|| {
        Pairs::new(black_box(&params)).map(|pair| pair.expect("a pair").1.len()).sum::<usize>()
    });
}

#[divan::bench]
fn params_to_request(bencher: Bencher<'_, '_>) {
    let params = param_stream();
    let options = RequestOptions {
        forwarded: Forwarded::Remove,
        uri_source: UriSource::RequestUri,
        max_params: 512,
    };
    bencher.with_inputs(|| Bytes::from(params.clone())).bench_values(|raw| {
        map_request(raw, Role::Responder, &options).unwrap_or_else(|_| panic!("a valid request"))
    });
}

#[divan::bench]
fn response_to_head(bencher: Bencher<'_, '_>) {
    let response = http::Response::builder()
        .header("content-type", "text/plain; charset=utf-8")
        .header("set-cookie", "session=0123456789abcdef; HttpOnly")
        .body(())
        .expect("a valid response");
    let (head, ()) = response.into_parts();
    let mut dst = Vec::with_capacity(1024);
    bencher.bench_local(|| {
        dst.clear();
        put_head(&mut dst, false, black_box(&head), SizeHint::with_exact(13), false, true)
            .unwrap_or_else(|_| panic!("a short head"));
        dst.len()
    });
}

#[divan::bench]
fn refusal(bencher: Bencher<'_, '_>) {
    let mut dst = Vec::with_capacity(1024);
    bencher.bench_local(|| {
        dst.clear();
        put_refusal(&mut dst, false, http::StatusCode::BAD_REQUEST, black_box("no"), true);
        dst.len()
    });
}
