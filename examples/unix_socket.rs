//! On a Unix socket, where the file's permissions say who may connect: `cargo run --example unix_socket -- /tmp/app.sock`.
//!
//! In `examples/Caddyfile` put `unix//tmp/app.sock` in place of the address, in `examples/nginx.conf` `unix:/tmp/app.sock`. The
//! web server must be allowed to write to the socket: run the application in its group, often `www-data` or `caddy`.

use axum::{Router, routing::get};
use tower_fastcgi::{listener, serve};

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let path = std::env::args().nth(1).unwrap_or_else(|| "/tmp/app.sock".to_owned());
    let app = Router::new().route("/", get(|| async { "Hello from a Unix socket!\n" }));
    let listener = listener::bind(&format!("unix:{path}")).await?;
    println!("serving FastCGI on {path}");
    serve(listener, app).await
}
