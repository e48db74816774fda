use std::path::PathBuf;
use std::time::Duration;

use http::{HeaderName, HeaderValue, Method, Uri};

use crate::address::Address;
use crate::param::Param;
use crate::seconds;

/// Put load on an application and measure how long its responses take
///
/// Each response has to be complete and of the same status and body as the first. What is not is an error, is counted by kind and is
/// no part of the latencies. Two requests that are not measured find out what is right. The exit status is 1 if there were errors.
///
/// This is a closed loop: each connection waits for a response before it sends the next request. When the application is slow fewer
/// requests are made, so the latencies leave out the waiting that clients of an overloaded server would see (coordinated omission).
/// They tell how fast the application answers that many clients, not how it fares under a given rate of requests.
///
/// Ctrl-C ends it early, and what was measured until then is told.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Options {
    /// Where the application listens: HOST:PORT or unix:/PATH
    #[arg(value_name = "ADDRESS")]
    pub(super) address: Address,

    /// What is asked for: /PATH?QUERY
    #[arg(value_name = "TARGET", value_parser = target)]
    pub(super) target: Uri,

    /// How many connections there are at a time
    #[arg(short, long, value_name = "N", default_value = "10", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(super) connections: u32,

    /// How many requests are made in all
    #[arg(short, long, value_name = "N", conflicts_with = "duration", value_parser = clap::value_parser!(u64).range(1..))]
    pub(super) number: Option<u64>,

    /// For how long requests are made; those under way then are waited for
    #[arg(short = 'z', long, value_name = "TIME", default_value = "10s", value_parser = seconds::parse)]
    pub(super) duration: Duration,

    /// How many requests there are on each connection at a time, which the application has to allow (FCGI_GET_VALUES)
    #[arg(long, value_name = "N", default_value = "1", conflicts_with = "no_keep", value_parser = clap::value_parser!(u16).range(1..))]
    pub(super) multiplex: u16,

    /// A new connection for each request, which is part of the latency then
    #[arg(long)]
    pub(super) no_keep: bool,

    /// The method [default: GET; POST with data]
    #[arg(short = 'X', long = "request", value_name = "METHOD")]
    pub(super) method: Option<Method>,

    /// A header
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE", value_parser = header)]
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,

    /// The body of each request, or @FILE
    #[arg(short, long, value_name = "DATA")]
    pub(super) data: Option<Data>,

    /// A param, in place of what would be sent under that name
    #[arg(long = "param", value_name = "NAME=VALUE")]
    pub(super) params: Vec<Param>,

    /// SCRIPT_FILENAME, which PHP needs: an absolute path as the application sees it
    #[arg(long, value_name = "FILE")]
    pub(super) script_filename: Option<String>,

    /// Take any status and any body for right, as long as they are complete
    #[arg(long)]
    pub(super) any: bool,

    /// How long a response may take
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = seconds::parse)]
    pub(super) timeout: Duration,

    /// Print one JSON object
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Clone, Debug)]
pub(super) enum Data {
    Text(String),
    File(PathBuf),
}

impl From<String> for Data {
    fn from(text: String) -> Self {
        match text.strip_prefix('@') {
            Some(file) => Self::File(file.into()),
            None => Self::Text(text),
        }
    }
}

fn target(text: &str) -> Result<Uri, String> {
    match text.parse() {
        Ok(uri) if text.starts_with('/') => Ok(uri),
        Ok(_) => Err("write /PATH?QUERY".to_owned()),
        Err(error) => Err(format!("{error}: write /PATH?QUERY, with %20 for a space")),
    }
}

fn header(text: &str) -> Result<(HeaderName, HeaderValue), String> {
    let (name, value) = text.split_once(':').ok_or("write \"Name: value\"")?;
    let name: HeaderName =
        name.trim().parse().map_err(|_| format!("{name:?} is no name of a header"))?;
    let value = HeaderValue::from_bytes(value.trim().as_bytes());
    Ok((name, value.map_err(|_| "the value has control characters")?))
}

const EXAMPLES: &str = "\
Examples:
  fcgi bench 127.0.0.1:9000 /
  fcgi bench -c 100 -z 30s unix:/run/app.sock /hello
  fcgi bench -c 2 --multiplex 50 -n 100000 127.0.0.1:9000 /
  fcgi bench -d @upload.bin -H 'Content-Type: image/png' 127.0.0.1:9000 /upload
  fcgi bench --script-filename /var/www/index.php unix:/run/php/php-fpm.sock /";
