//! The output that docs/fcgi.md shows is what the commands print.

use std::process::Stdio;

use tokio::process::Command;
use tokio::time::timeout;

use crate::application::Application;
use crate::command::{BOUND, fcgi};
use crate::dump::Dump;

#[tokio::test]
async fn the_page_shows_what_is_printed() {
    let page = std::fs::read_to_string(PAGE).unwrap();
    let app = Application::start().await;
    let mut now = String::new();
    let mut is_console = false;
    for line in page.lines() {
        if line.starts_with("```") {
            is_console = line == "```console";
        } else if is_console && !line.starts_with("$ ") {
            continue;
        }
        now.push_str(line);
        now.push('\n');
        if let Some(command) = line.strip_prefix("$ ").filter(|_| is_console) {
            now.push_str(&printed(command, &app.address).await);
        }
    }
    let differ = "docs/fcgi.md shows something else than what the commands print";
    assert!(comparable(&now) == comparable(&page), "{differ}; it would be\n{now}");
}

#[tokio::test]
async fn the_page_has_every_exit_status() {
    let page = std::fs::read_to_string(PAGE).unwrap();
    let manual = fcgi(&["man", "request"]).await.assert_ok();
    let manual = manual.stdout().split("\"EXIT STATUS\"\n").nth(1).unwrap();
    let lines: Vec<_> = manual.lines().take_while(|line| !line.starts_with(".ie")).collect();
    for status in lines.chunks(3) {
        let [".TP", number, meaning] = status else { panic!("{status:?}") };
        let number = number.trim_start_matches("\\fB").trim_end_matches("\\fR");
        let row = format!("| {number} | {} |", meaning.replace("\\-", "-"));
        assert!(page.contains(&row), "{row} is missing");
    }
}

async fn printed(command: &str, address: &str) -> String {
    match command.starts_with("fcgi dump ") {
        true => dumped(address).await,
        false => ran(command, address).await.replace(address, ADDRESS),
    }
}

async fn ran(command: &str, address: &str) -> String {
    let program = std::path::Path::new(env!("CARGO_BIN_EXE_fcgi")).parent().unwrap();
    let path = std::env::var("PATH").unwrap_or_default();
    let command = format!("exec 2>&1; {}", command.replace(ADDRESS, address));
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(command).env("PATH", format!("{}:{path}", program.display()));
    shell.stdin(Stdio::null()).kill_on_drop(true);
    let output = timeout(BOUND, shell.output()).await.unwrap().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// One request through a proxy.
async fn dumped(address: &str) -> String {
    let mut dump = Dump::start(address, &[]).await;
    fcgi(&["request", &dump.address, "/hello"]).await.assert_ok();
    let mut lines = dump.until_done(2).await;
    // Which side is done first depends on how fast they are.
    let last = lines.len() - 2;
    lines[last..].sort_by_key(|line| line.contains("the web server is done"));
    lines.into_iter().map(|line| line + "\n").collect()
}

/// Without times, and the ports that the system chose.
fn comparable(page: &str) -> Vec<String> {
    let comparable = |line: &str| match line.starts_with("[1] ") || line.starts_with("{") {
        true => line.replace(|char: char| char.is_ascii_digit(), ""),
        false => line.to_owned(),
    };
    page.lines().map(comparable).collect()
}

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/fcgi.md");
const ADDRESS: &str = "127.0.0.1:9000";
