//! `examples/hello.rs` as a process of its own: the first thing that people see.
//!
//! The trial in headless Chromium runs when `TOWER_FASTCGI_SERVERS=1`; that it is missing is then a failure. `scripts/test` installs
//! it and sets the variable.

mod browser;
mod example;
#[path = "../servers/process.rs"]
#[allow(dead_code)]
mod process;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use libtest_mimic::{Arguments, Failed, Trial};
use rustix::process::Signal;

use crate::example::Example;

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let enabled = std::env::var("TOWER_FASTCGI_SERVERS").is_ok_and(|value| value == "1");
    if !enabled && !arguments.list {
        println!("the page in Chromium is left out; scripts/test installs it and runs everything");
    }
    let trials = vec![
        Trial::test("the_page_has_both_sides", the_page_has_both_sides),
        Trial::test("nothing_of_a_client_becomes_html", nothing_of_a_client_becomes_html),
        Trial::test("claims_change_nothing", claims_change_nothing),
        Trial::test("an_interrupt_ends_it", an_interrupt_ends_it),
        Trial::test("a_taken_address_is_an_error", a_taken_address_is_an_error),
        Trial::test("chromium_shows_it", browser::shows_it).with_ignored_flag(!enabled),
    ];
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn the_page_has_both_sides() -> Result<(), Failed> {
    let example = Example::start()?;
    let (head, page) = get(&example, "/", "X-Mine: a header\r\n")?;
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    assert!(head.contains("content-security-policy: default-src 'none';"), "{head}");
    let (server, client) = sides(&page);
    assert_eq!(row(server, "REMOTE_ADDR"), Some("127.0.0.1"));
    assert_eq!(row(server, "SERVER_PORT"), Some(&*example.http.port().to_string()));
    assert_eq!(row(client, "x-mine"), Some("a header"));
    assert!(page.contains(&format!("-H 'HTTPS: on' http://{}/</code>", example.http)), "{page}");
    assert!(!page.contains("{}"), "{page}");
    Ok(())
}

fn nothing_of_a_client_becomes_html() -> Result<(), Failed> {
    let example = Example::start()?;
    let hostile = "\"'><script>alert(1)</script><!--&amp;{}";
    let lines = format!("X-Evil: {hostile}\r\nHost: \"><b>\r\n");
    let (head, page) = get_with(&example, "/", &lines)?;
    assert!(head.starts_with("HTTP/1.1 400 "), "{head}");
    assert!(!page.contains("<b>"), "{page}");

    // PATH_INFO is decoded.
    let target = "/%3Cscript%3Ealert(2)%3C/script%3E?'&amp;";
    let (head, page) = get(&example, target, &format!("X-Evil: {hostile}\r\n"))?;
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    assert!(!page.contains("<script"), "{page}");
    let (_, client) = sides(&page);
    assert_eq!(
        row(client, "x-evil"),
        Some("&quot;&#39;&gt;&lt;script&gt;alert(1)&lt;/script&gt;&lt;!--&amp;amp;{}")
    );
    Ok(())
}

fn claims_change_nothing() -> Result<(), Failed> {
    let example = Example::start()?;
    let claims = "X-Forwarded-For: 192.0.2.66\r\nRemote-Addr: 192.0.2.66\r\nHTTPS: on\r\n";
    let (_, page) = get(&example, "/", claims)?;
    let (server, client) = sides(&page);
    assert_eq!(row(server, "REMOTE_ADDR"), Some("127.0.0.1"));
    assert_eq!(row(server, "REQUEST_SCHEME"), Some("http"));
    assert_eq!(row(server, "HTTPS"), None);
    assert_eq!(row(client, "https"), Some("on"));
    assert_eq!(row(client, "x-forwarded-for"), None);
    Ok(())
}

fn an_interrupt_ends_it() -> Result<(), Failed> {
    let mut example = Example::start()?;
    get(&example, "/", "")?;
    let process = &mut example.process;
    process.signal(Signal::INT);
    let deadline = Instant::now() + BOUND;
    while process.exited().is_none() && Instant::now() < deadline {
        std::thread::sleep(process::POLL);
    }
    assert_eq!(process.exited().map(|status| status.success()), Some(true), "{}", process.log());
    Ok(())
}

fn a_taken_address_is_an_error() -> Result<(), Failed> {
    let example = Example::start()?;
    let failure = Example::at(&example.http.to_string(), "127.0.0.1:0").err().expect("it is taken");
    assert!(failure.to_string().contains("cannot listen on"), "{failure}");
    Ok(())
}

fn get(example: &Example, target: &str, lines: &str) -> Result<(String, String), Failed> {
    get_with(example, target, &format!("Host: {}\r\n{lines}", example.http))
}

fn get_with(example: &Example, target: &str, lines: &str) -> Result<(String, String), Failed> {
    let mut io = TcpStream::connect(example.http)?;
    io.set_read_timeout(Some(BOUND))?;
    write!(io, "GET {target} HTTP/1.1\r\n{lines}Connection: close\r\n\r\n")?;
    let mut response = String::new();
    io.read_to_string(&mut response)?;
    let (head, body) = response.split_once("\r\n\r\n").ok_or("no head")?;
    Ok((head.to_owned(), body.to_owned()))
}

/// The web server's part of the page, and the client's.
fn sides(page: &str) -> (&str, &str) {
    page.split_once("What the client said").expect("both headings")
}

fn row<'a>(side: &'a str, name: &str) -> Option<&'a str> {
    let (_, after) = side.split_once(&format!("<th scope=\"row\">{name}</th><td><bdi>"))?;
    after.split_once("</bdi>").map(|(value, _)| value)
}

/// Far above what anything takes on a slow machine.
const BOUND: Duration = Duration::from_secs(60);
