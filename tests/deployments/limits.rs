//! What a web server refuses, with the files of `examples/`.

use libtest_mimic::{Failed, Trial};

use crate::client;
use crate::restarts::start;
use crate::software::Software;

pub(crate) fn trials() -> impl Iterator<Item = Trial> {
    Software::ALL.into_iter().map(|software| {
        let name = format!("limits::{software:?}").to_lowercase();
        Trial::test(name, move || check(software))
    })
}

fn check(software: Software) -> Result<(), Failed> {
    let site = start(software)?;
    let refused = |headers: &[String]| {
        let headers: Vec<_> = headers.iter().map(String::as_str).collect();
        client::get(site.address, "/", &headers).expect("an answer").status
    };
    for (len, status) in header_limits(software) {
        let header = format!("X-Large: {}", "x".repeat(len * 1024));
        assert_eq!(refused(&[header]), status, "a header of {len} KiB");
    }
    if let Some((count, status)) = number_limit(software) {
        let headers: Vec<_> = (0..count).map(|n| format!("X-Header-{n}: x")).collect();
        assert_eq!(refused(&headers), status, "{count} headers");
    }
    if software == Software::Nginx {
        assert_eq!(refused(&["Content-Length: 104857601".into()]), 413);
    }
    Ok(())
}

/// KiB of one header, and how it is answered.
fn header_limits(software: Software) -> [(usize, u16); 2] {
    match software {
        Software::Nginx => [(7, 200), (9, 400)],
        Software::Caddy => [(60, 200), (1100, 431)],
        Software::Haproxy => [(20, 200), (33, 400)],
        Software::Apache => [(15, 200), (17, 400)],
        Software::Lighttpd => [(30, 200), (33, 431)],
    }
}

/// So many headers are too many.
fn number_limit(software: Software) -> Option<(usize, u16)> {
    match software {
        Software::Haproxy => Some((520, 400)),
        Software::Apache => Some((520, 400)),
        _ => None,
    }
}
