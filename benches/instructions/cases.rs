//! What is counted.

use crate::content::{HELLO, KIB_64, body};
use crate::load::{Exchange, Protocol};

#[derive(Debug)]
pub(crate) struct Case {
    /// How the file of recorded figures names it.
    pub(crate) name: &'static str,
    pub(crate) title: &'static str,
    pub(crate) protocol: Protocol,
    /// Whether `--check` fails when it costs more.
    pub(crate) is_checked: bool,
    work: Work,
}

#[derive(Debug)]
enum Work {
    Hello,
    Body,
    Upload,
}

impl Case {
    pub(crate) fn exchange(&self) -> Exchange {
        match self.work {
            Work::Hello => Exchange::get("/", HELLO),
            Work::Body => Exchange::get("/64k", body(KIB_64)),
            Work::Upload => Exchange::upload("/upload", KIB_64),
        }
    }
}

pub(crate) static CASES: [Case; 4] = [
    Case {
        name: "get",
        title: "GET 13 bytes",
        protocol: Protocol::FastCgi,
        is_checked: true,
        work: Work::Hello,
    },
    Case {
        name: "response-64k",
        title: "64 KiB response",
        protocol: Protocol::FastCgi,
        is_checked: true,
        work: Work::Body,
    },
    Case {
        name: "upload-64k",
        title: "64 KiB upload",
        protocol: Protocol::FastCgi,
        is_checked: true,
        work: Work::Upload,
    },
    Case {
        name: "get-axum-http",
        title: "GET 13 bytes, axum over HTTP/1.1",
        protocol: Protocol::Http,
        is_checked: false,
        work: Work::Hello,
    },
];
