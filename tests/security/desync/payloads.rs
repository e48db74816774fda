//! What an attacker sends. Each is one write on a fresh connection, so that nothing depends on how fast anybody is.

use tower_fastcgi::record::{
    BeginRequest, RecordType, RequestId, Role, put_pair, put_record, put_stream, put_stream_end,
};

use super::http2;

/// Bytes that two parsers may disagree about.
pub(crate) struct Payload {
    pub(crate) theme: &'static str,
    pub(crate) name: &'static str,
    pub(crate) wire: Wire,
}

/// Which of the server's ports it goes to.
pub(crate) enum Wire {
    Http1(Vec<u8>),
    /// HTTP/2 in the clear, without an upgrade.
    Http2(Vec<u8>),
}

pub(crate) fn all() -> Vec<Payload> {
    let mut payloads = Vec::new();
    let mut http1 = |theme, name, bytes: Vec<u8>| {
        payloads.push(Payload { theme, name, wire: Wire::Http1(bytes) });
    };
    for (theme, name, headers) in TRANSFER_ENCODINGS {
        let with_length = format!("Content-Length: {}\r\n{headers}", CHUNKED_END.len());
        http1(theme, name, post(&with_length, CHUNKED_END));
    }
    for (name, headers) in WITHOUT_LENGTH {
        http1("Transfer-Encoding alone", name, post(headers, CHUNKED_END));
    }
    for (name, headers, body) in LENGTHS {
        http1("Content-Length", name, post(headers, body));
    }
    for (name, body) in CHUNKS {
        http1("Chunks", name, post("Transfer-Encoding: chunked", body));
    }
    for (theme, name, bytes) in WHOLE {
        http1(theme, name, bytes.as_bytes().to_vec());
    }
    let records = fastcgi_request();
    let length = format!("Content-Length: {}", records.len());
    http1("FastCGI", "a request in records as the body", post(&length, &records));
    let chunk = format!("{:x}\r\n{records}\r\n0\r\n\r\n", records.len());
    http1("FastCGI", "the same in a chunk", post("Transfer-Encoding: chunked", &chunk));
    let upgrade = |path| format!("GET {path} HTTP/1.1\r\n{UPGRADE}").into_bytes();
    let tunnel = http2::request(&http2::get("/smuggled"), b"");
    http1("Upgrade", "to HTTP/2", [upgrade("/"), tunnel.clone()].concat());
    http1("Upgrade", "to HTTP/2 where WebSocket passes", [upgrade("/socket"), tunnel].concat());
    payloads.extend(over_http2());
    payloads
}

fn over_http2() -> impl Iterator<Item = Payload> {
    let post = [(":method", "POST"), (":scheme", "http"), (":path", "/"), (":authority", "app")];
    HTTP2.iter().map(move |&(name, fields, body)| {
        let replaced = |field: &str| fields.iter().any(|&(other, _)| other == field);
        let kept = post.iter().filter(|(field, _)| !replaced(field));
        let pseudo = fields.iter().filter(|(field, _)| field.starts_with(':'));
        let others = fields.iter().filter(|(field, _)| !field.starts_with(':'));
        let fields: Vec<_> = kept.chain(pseudo).chain(others).copied().collect();
        let wire = Wire::Http2(http2::request(&fields, body.as_bytes()));
        Payload { theme: "HTTP/2", name, wire }
    })
}

/// The end of a body, and another request behind it, as a web server would send it.
fn fastcgi_request() -> String {
    let id = RequestId::new(1).expect("1 is not 0");
    let begin = BeginRequest { role: Role::Responder.value(), keep_conn: true };
    let mut params = Vec::new();
    for (name, value) in [("REQUEST_METHOD", "GET"), ("REQUEST_URI", "/smuggled")] {
        put_pair(&mut params, name.as_bytes(), value.as_bytes());
    }
    let mut wire = Vec::new();
    put_stream_end(&mut wire, RecordType::Stdin, id);
    put_record(&mut wire, RecordType::BeginRequest, Some(id), &begin.encode());
    put_stream(&mut wire, RecordType::Params, id, &params);
    put_stream_end(&mut wire, RecordType::Params, id);
    put_stream_end(&mut wire, RecordType::Stdin, id);
    String::from_utf8(wire).expect("its lengths are below 128")
}

/// A POST with these headers, whose last line end is still missing.
fn post(headers: &str, body: &str) -> Vec<u8> {
    format!("POST / HTTP/1.1\r\nHost: app\r\n{headers}\r\n\r\n{body}").into_bytes()
}

const TRANSFER_ENCODINGS: [(&str, &str, &str); 24] = {
    const BOTH: &str = "Content-Length and Transfer-Encoding";
    [
        (BOTH, "`chunked`", "Transfer-Encoding: chunked"),
        (BOTH, "`CHUNKED`", "TRANSFER-ENCODING: CHUNKED"),
        (BOTH, "`xchunked`", "Transfer-Encoding: xchunked"),
        (BOTH, "`\"chunked\"`", "Transfer-Encoding: \"chunked\""),
        (BOTH, "`chunked;x=y`", "Transfer-Encoding: chunked;x=y"),
        (BOTH, "`,chunked`", "Transfer-Encoding: ,chunked"),
        (BOTH, "`identity`", "Transfer-Encoding: identity"),
        (BOTH, "`chunked, identity`", "Transfer-Encoding: chunked, identity"),
        (BOTH, "`identity, chunked`", "Transfer-Encoding: identity, chunked"),
        (BOTH, "`gzip, chunked`", "Transfer-Encoding: gzip, chunked"),
        (BOTH, "empty", "Transfer-Encoding:"),
        (BOTH, "behind a tab", "Transfer-Encoding:\tchunked"),
        (BOTH, "behind a vertical tab", "Transfer-Encoding: \x0bchunked"),
        (BOTH, "before a NUL", "Transfer-Encoding: chunked\0"),
        (BOTH, "twice, the second unknown", "Transfer-Encoding: chunked\r\nTransfer-Encoding: x"),
        (BOTH, "twice, the first unknown", "Transfer-Encoding: x\r\nTransfer-Encoding: chunked"),
        (BOTH, "a space before the colon", "Transfer-Encoding : chunked"),
        (BOTH, "a space before the name", "X: y\r\n Transfer-Encoding: chunked"),
        (BOTH, "the value on the next line", "Transfer-Encoding:\r\n chunked"),
        (BOTH, "behind a bare CR", "X: y\rTransfer-Encoding: chunked"),
        (BOTH, "behind a bare LF", "X: y\nTransfer-Encoding: chunked"),
        (BOTH, "`Transfer_Encoding`", "Transfer_Encoding: chunked"),
        (BOTH, "`Transfer.Encoding`", "Transfer.Encoding: chunked"),
        (
            BOTH,
            "named by Connection",
            "Connection: keep-alive, transfer-encoding\r\nTransfer-Encoding: chunked",
        ),
    ]
};

const WITHOUT_LENGTH: [(&str, &str); 4] = [
    ("`chunked`", "Transfer-Encoding: chunked"),
    ("`identity`", "Transfer-Encoding: identity"),
    ("`Transfer_Encoding`", "Transfer_Encoding: chunked"),
    (
        "named by Connection",
        "Connection: keep-alive, transfer-encoding\r\nTransfer-Encoding: chunked",
    ),
];

/// The smuggled request is 37 bytes long.
const LENGTHS: [(&str, &str, &str); 17] = [
    ("too short", "Content-Length: 4", BEHIND_FOUR),
    ("twice, the first short", "Content-Length: 4\r\nContent-Length: 41", BEHIND_FOUR),
    ("twice, the second short", "Content-Length: 41\r\nContent-Length: 4", BEHIND_FOUR),
    ("twice the same in a list", "Content-Length: 41, 41", BEHIND_FOUR),
    ("a list, the first short", "Content-Length: 4, 41", BEHIND_FOUR),
    ("`+41`", "Content-Length: +41", BEHIND_FOUR),
    ("`-1`", "Content-Length: -1", BEHIND_FOUR),
    ("`041`", "Content-Length: 041", BEHIND_FOUR),
    ("`0x4`", "Content-Length: 0x4", BEHIND_FOUR),
    ("`4 1`", "Content-Length: 4 1", BEHIND_FOUR),
    ("empty", "Content-Length:", BEHIND_FOUR),
    ("above 64 bits", "Content-Length: 18446744073709551657", BEHIND_FOUR),
    ("behind a vertical tab", "Content-Length: \x0b41", BEHIND_FOUR),
    ("a space before the colon", "Content-Length : 37", SMUGGLED),
    ("behind a header without a name", ": y\r\nContent-Length: 37", SMUGGLED),
    ("and `Content_Length`", "Content-Length: 37\r\nContent_Length: 0", SMUGGLED),
    (
        "named by Connection",
        "Connection: keep-alive, content-length\r\nContent-Length: 37",
        SMUGGLED,
    ),
];

const CHUNKS: [(&str, &str); 11] = [
    ("Content-Length was meant", "25\r\nGET /smuggled HTTP/1.1\r\nHost: app\r\n\r\n\r\n0\r\n\r\n"),
    ("size with an extension", "4;x=y\r\nabcd\r\n0\r\n\r\n"),
    ("an LF in an extension", "4;x\nyy\r\nabcd\r\n0\r\n\r\n"),
    ("a CR LF in a quoted extension", "4;x=\"\r\n\"\r\nabcd\r\n0\r\n\r\n"),
    ("a space behind the size", "4 \r\nabcd\r\n0\r\n\r\n"),
    ("size `0x4`", "0x4\r\nabcd\r\n0\r\n\r\n"),
    ("size `-4`", "-4\r\nabcd\r\n0\r\n\r\n"),
    ("size above 64 bits", "10000000000000004\r\nabcd\r\n0\r\n\r\n"),
    ("lines that end with LF", "4\nabcd\n0\n\nGET /second HTTP/1.1\r\nHost: app\r\n\r\n"),
    ("more data than the size says", "4\r\nabcdXX0\r\n\r\n"),
    (
        "a trailer named Content-Length",
        "4\r\nabcd\r\n0\r\nContent-Length: 9\r\nX-Trailer: y\r\n\r\n",
    ),
];

/// From the request line on.
const WHOLE: [(&str, &str, &str); 25] = [
    (
        "Methods and versions",
        "GET with a body",
        "GET / HTTP/1.1\r\nHost: app\r\nContent-Length: 37\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: app\r\n\r\n",
    ),
    (
        "Methods and versions",
        "GET with a chunked body",
        "GET / HTTP/1.1\r\nHost: app\r\nTransfer-Encoding: chunked\r\n\r\n25\r\nGET /smuggled HTTP/1.1\r\nHost: app\r\n\r\n\r\n0\r\n\r\n",
    ),
    (
        "Methods and versions",
        "HEAD with a body",
        "HEAD / HTTP/1.1\r\nHost: app\r\nContent-Length: 37\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: app\r\n\r\n",
    ),
    (
        "Methods and versions",
        "HTTP/1.0 with both lengths",
        "POST / HTTP/1.0\r\nHost: app\r\nConnection: keep-alive\r\nContent-Length: 42\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: app\r\n\r\n",
    ),
    (
        "Methods and versions",
        "HTTP/1.0 with chunks",
        "POST / HTTP/1.0\r\nHost: app\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n25\r\nGET /smuggled HTTP/1.1\r\nHost: app\r\n\r\n\r\n0\r\n\r\n",
    ),
    (
        "Methods and versions",
        "HTTP/1.0 GET with a body",
        "GET / HTTP/1.0\r\nHost: app\r\nConnection: keep-alive\r\nContent-Length: 37\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: app\r\n\r\n",
    ),
    (
        "Methods and versions",
        "HTTP/1.2 with both lengths",
        "POST / HTTP/1.2\r\nHost: app\r\nContent-Length: 42\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: app\r\n\r\n",
    ),
    ("Methods and versions", "HTTP/0.9", "GET /old\r\n"),
    (
        "Methods and versions",
        "Expect and a body at once",
        "POST / HTTP/1.1\r\nHost: app\r\nExpect: 100-continue\r\nContent-Length: 37\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: app\r\n\r\n",
    ),
    (
        "Lines and targets",
        "a second request behind the first",
        "GET / HTTP/1.1\r\nHost: app\r\n\r\nGET /second HTTP/1.1\r\nHost: app\r\n\r\n",
    ),
    (
        "Lines and targets",
        "a body without a length",
        "POST / HTTP/1.1\r\nHost: app\r\n\r\nGET /second HTTP/1.1\r\nHost: app\r\n\r\n",
    ),
    (
        "Lines and targets",
        "lines that end with LF",
        "POST / HTTP/1.1\nHost: app\nContent-Length: 37\n\nGET /smuggled HTTP/1.1\r\nHost: app\r\n\r\n",
    ),
    (
        "Lines and targets",
        "LF CR LF ends the head",
        "GET / HTTP/1.1\nHost: app\nX: y\n\r\nGET /second HTTP/1.1\r\nHost: app\r\n\r\n",
    ),
    (
        "Lines and targets",
        "lines that end with CR",
        "GET / HTTP/1.1\rHost: app\r\rGET /second HTTP/1.1\r\nHost: app\r\n\r\n",
    ),
    (
        "Lines and targets",
        "a space in the target",
        "GET /a /smuggled HTTP/1.1\r\nHost: app\r\n\r\n",
    ),
    (
        "Lines and targets",
        "a version in the target",
        "GET /a HTTP/1.1 HTTP/1.1\r\nHost: app\r\n\r\n",
    ),
    ("Lines and targets", "a tab in the request line", "GET\t/a HTTP/1.1\r\nHost: app\r\n\r\n"),
    ("Lines and targets", "a `#` in the target", "GET /a#/../b HTTP/1.1\r\nHost: app\r\n\r\n"),
    (
        "Lines and targets",
        "a target with the host in it",
        "GET http://app/a HTTP/1.1\r\nHost: app\r\n\r\n",
    ),
    (
        "Lines and targets",
        "a target with another host in it",
        "GET http://other/a HTTP/1.1\r\nHost: app\r\n\r\n",
    ),
    ("Lines and targets", "two hosts", "GET /a HTTP/1.1\r\nHost: app\r\nHost: other\r\n\r\n"),
    ("Lines and targets", "a request line without a method", " /a HTTP/1.1\r\nHost: app\r\n\r\n"),
    (
        "What the server decodes",
        "CR LF in a path that it decodes",
        "GET /decoded%20HTTP/1.1%0d%0aHost:%20app%0d%0a%0d%0aGET%20/smuggled HTTP/1.1\r\nHost: app\r\n\r\n",
    ),
    (
        "What the server decodes",
        "CR LF in a header that it sets",
        "GET /header%0d%0a%0d%0aGET%20/smuggled%20HTTP/1.1%0d%0aX:%20 HTTP/1.1\r\nHost: app\r\n\r\n",
    ),
    (
        "What the server decodes",
        "a header in a header that it sets",
        "GET /header%0d%0aContent_Length:%200%0d%0aTransfer-Encoding:%20chunked HTTP/1.1\r\nHost: app\r\n\r\n",
    ),
];

/// The fields besides those of a POST to `/`, or in their place, and the body.
const HTTP2: [(&str, Fields, &str); 18] = [
    ("no length", &[], BEHIND_FOUR),
    ("Content-Length too short", &[("content-length", "4")], BEHIND_FOUR),
    ("Content-Length 0", &[("content-length", "0")], SMUGGLED),
    ("Content-Length too long", &[("content-length", "100")], BEHIND_FOUR),
    ("Content-Length twice", &[("content-length", "4"), ("content-length", "41")], BEHIND_FOUR),
    ("Transfer-Encoding", &[("transfer-encoding", "chunked")], CHUNKED_END),
    (
        "Transfer-Encoding and Content-Length",
        &[("transfer-encoding", "chunked"), ("content-length", "42")],
        CHUNKED_END,
    ),
    (
        "`transfer_encoding` and Content-Length",
        &[("transfer_encoding", "chunked"), ("content-length", "42")],
        CHUNKED_END,
    ),
    ("Connection", &[("connection", "content-length"), ("content-length", "37")], SMUGGLED),
    ("CR LF in a value", &[("x", "y\r\ntransfer-encoding: chunked")], CHUNKED_END),
    ("LF in a value", &[("x", "y\ntransfer-encoding: chunked")], CHUNKED_END),
    ("a colon in a name", &[("transfer-encoding: chunked\r\nx", "y")], CHUNKED_END),
    ("CR LF in the path", &[(":path", "/ HTTP/1.1\r\nhost: app\r\n\r\nGET /smuggled")], ""),
    ("a space in the path", &[(":path", "/ /smuggled")], ""),
    (
        "a request in the method",
        &[(":method", "GET /smuggled HTTP/1.1\r\nhost: app\r\n\r\nPOST")],
        "",
    ),
    ("CR LF in the authority", &[(":authority", "app\r\nx: y")], ""),
    ("GET with a body", &[(":method", "GET"), ("content-length", "37")], SMUGGLED),
    ("GET with a body of unknown length", &[(":method", "GET")], SMUGGLED),
];

type Fields = &'static [(&'static str, &'static str)];

/// For who sees chunks, an empty body and then the smuggled request.
const CHUNKED_END: &str = "0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: app\r\n\r\n";
const BEHIND_FOUR: &str = "xxxxGET /smuggled HTTP/1.1\r\nHost: app\r\n\r\n";
const SMUGGLED: &str = "GET /smuggled HTTP/1.1\r\nHost: app\r\n\r\n";
const UPGRADE: &str = "Host: app\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n";
