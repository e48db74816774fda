//! The smallest application: `cargo run --example minimal`, behind `examples/Caddyfile` or `examples/nginx.conf`.

use axum::{Router, routing::get};

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let app = Router::new().route("/", get(|| async { "Hello, World!\n" }));
    let listener = tower_fastcgi::listener::bind("127.0.0.1:9000").await?;
    tower_fastcgi::serve(listener, app).await
}
