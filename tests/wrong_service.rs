//! Whoever passes `serve` what cannot be served is told by the compiler what to pass.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A crate beside this one that hands `argument` to `serve`, checked by cargo.
fn check(name: &str, argument: &str) -> Result<(), String> {
    let directory = write_crate(name, argument);
    let output = Command::new(env!("CARGO"))
        .args(["check", "--offline", "--quiet", "--color=never", "--manifest-path"])
        .arg(directory.join("Cargo.toml"))
        .env("CARGO_TARGET_DIR", target_directory().join("target"))
        .env_remove("RUSTFLAGS")
        .output()
        .expect("cargo runs");
    let messages = String::from_utf8(output.stderr).expect("messages in UTF-8");
    if output.status.success() { Ok(()) } else { Err(messages) }
}

fn write_crate(name: &str, argument: &str) -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let directory = target_directory().join(name);
    fs::create_dir_all(directory.join("src")).unwrap();
    fs::write(directory.join("Cargo.toml"), MANIFEST.replace("HERE", here.to_str().unwrap()))
        .unwrap();
    fs::write(directory.join("src/main.rs"), MAIN.replace("ARGUMENT", argument)).unwrap();
    // The versions that this crate was built with are at hand without a network.
    fs::copy(here.join("Cargo.lock"), directory.join("Cargo.lock")).unwrap();
    directory
}

fn target_directory() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("wrong_service")
}

#[test]
fn a_make_service_is_refused_with_what_to_pass_instead() {
    // Else the failures below could be about anything.
    check("router", "app").unwrap();

    for (name, argument) in [
        ("make_service", "app.into_make_service()"),
        (
            "make_service_with_connect_info",
            "app.into_make_service_with_connect_info::<std::net::SocketAddr>()",
        ),
        ("router_without_state", "axum::Router::<u8>::new()"),
    ] {
        let messages = check(name, argument).unwrap_err();
        for hint in ["cannot be served", "pass the app itself, `serve(listener, app)`"] {
            assert!(messages.contains(hint), "{hint:?} is not in:\n{messages}");
        }
        assert_eq!(
            messages.matches("error[E").count(),
            2,
            "one hint, and nothing to await:\n{messages}"
        );
    }
}

const MANIFEST: &str = r#"
[package]
name = "wrong-service"
version = "0.0.0"
edition = "2024"

[dependencies]
axum = { version = "0.8", default-features = false, features = ["tokio"] }
tower-fastcgi = { path = "HERE" }
tokio = { version = "1", features = ["macros", "rt"] }

[workspace]
"#;

const MAIN: &str = r#"
#![allow(unused_variables)]

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    let app = axum::Router::<()>::new();
    let listener = tower_fastcgi::listener::bind("127.0.0.1:9000").await?;
    tower_fastcgi::serve(listener, ARGUMENT).await
}
"#;
