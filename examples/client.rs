//! Asks a FastCGI application for a page: `cargo run --example client -- 127.0.0.1:9000 /hello?name=world`
//!
//! For PHP, name the folder of the scripts as well: `... -- unix:/run/php/php-fpm.sock /info.php /var/www/html`

use std::error::Error;
use std::io::Write;

use http::{Request, header};
use http_body_util::{BodyExt, Empty};
use tower_fastcgi::client::{Client, Environment};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(address), Some(target)) = (arguments.next(), arguments.next()) else {
        return Err("usage: client ADDRESS /PATH[?QUERY] [DOCUMENT_ROOT]".into());
    };
    let mut environment = Environment::new();
    if let Some(root) = arguments.next() {
        environment.document_root(root).scripts(".php", "index.php");
    }

    let client = Client::builder().environment(environment).build(&address)?;
    let request =
        Request::get(target).header(header::HOST, "localhost").body(Empty::<&[u8]>::new())?;
    let response = client.send(request).await?;
    eprintln!("{}", response.status());
    for (name, value) in response.headers() {
        eprintln!("{name}: {}", String::from_utf8_lossy(value.as_bytes()));
    }
    eprintln!();

    let mut body = response.into_body();
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame?.into_data() {
            std::io::stdout().write_all(&data)?;
        }
    }
    Ok(())
}
