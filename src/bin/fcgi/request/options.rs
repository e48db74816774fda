use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::ValueEnum;
use http::{HeaderName, HeaderValue, Method};
use tower_fastcgi::Role;

use super::target::Target;
use crate::address::Address;
use crate::param::Param;
use crate::seconds;

/// Send one request, as curl does
///
/// The response's body goes to standard output, or to a file with -o. What the application writes to FCGI_STDERR goes to standard
/// error, escaped, each line behind "stderr: ".
///
/// REMOTE_ADDR is 127.0.0.1 unless --param says otherwise. Header names with other characters than letters, digits and `-` are not
/// sent, and neither are Proxy and the headers that concern a connection: they could pass for others among the params.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Options {
    /// Where the application listens: HOST:PORT or unix:/PATH
    #[arg(value_name = "ADDRESS")]
    pub(super) address: Address,

    /// What is asked for: /PATH?QUERY, or http(s)://HOST/PATH?QUERY to set Host and HTTPS as well
    #[arg(value_name = "TARGET", required_unless_present = "values")]
    pub(super) target: Option<Target>,

    /// The method [default: GET; POST with data, PUT with -T, HEAD with -I]
    #[arg(short = 'X', long = "request", value_name = "METHOD")]
    pub(super) method: Option<Method>,

    /// A header; without a value ("Accept:") that header is not sent, with ";" for ":" it is sent empty
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE")]
    pub(super) headers: Vec<Header>,

    /// Send this as a form does, or @FILE without its line ends (@- is standard input); several are joined with &
    #[arg(short, long, value_name = "DATA", group = "upload")]
    pub(super) data: Vec<String>,

    /// As --data, but @FILE is sent as it is
    #[arg(long, value_name = "DATA", group = "upload")]
    pub(super) data_binary: Vec<String>,

    /// As --data, but an @ means nothing
    #[arg(long, value_name = "DATA", group = "upload")]
    pub(super) data_raw: Vec<String>,

    /// Send a file with PUT (- is standard input)
    #[arg(short = 'T', long, value_name = "FILE", group = "upload")]
    pub(super) upload_file: Option<PathBuf>,

    /// What to do with a body whose length is not known: PHP reads nothing of one that is streamed
    #[arg(long, value_name = "HOW", default_value = "buffer")]
    pub(super) unknown_length: UnknownLength,

    /// Print the response's head before its body
    #[arg(short, long, conflicts_with = "json")]
    pub(super) include: bool,

    /// Ask for the head alone, and print it
    #[arg(short = 'I', long, conflicts_with_all = ["json", "upload"])]
    pub(super) head: bool,

    /// Print each record on standard error
    #[arg(short, long)]
    pub(super) verbose: bool,

    /// Write the body to a file
    #[arg(short, long, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,

    /// Print one JSON object: status, headers, params, body (body_base64 if it is no UTF-8), stderr, timing, error
    #[arg(long)]
    pub(super) json: bool,

    /// No progress bar, no errors, no hints
    #[arg(short, long)]
    pub(super) silent: bool,

    /// With -s: errors all the same
    #[arg(short = 'S', long)]
    pub(super) show_error: bool,

    /// A status of 400 or above is an error (22), and its body is not printed
    #[arg(short, long)]
    pub(super) fail: bool,

    /// How long all of it may take [default: as long as it takes; 5s with --values]
    #[arg(short, long, value_name = "TIME", value_parser = seconds::parse)]
    pub(super) max_time: Option<Duration>,

    /// How long connecting may take [default: as long as the system tries]
    #[arg(long, value_name = "TIME", value_parser = seconds::parse)]
    pub(super) connect_timeout: Option<Duration>,

    /// A param, in place of what would be sent under that name
    #[arg(long = "param", value_name = "NAME=VALUE")]
    pub(super) params: Vec<Param>,

    /// SCRIPT_FILENAME: the script, an absolute path as the application sees it
    #[arg(long, value_name = "FILE")]
    pub(super) script_filename: Option<String>,

    /// SCRIPT_NAME: where the application or the script is mounted; what follows in the path is PATH_INFO
    #[arg(long, value_name = "PATH")]
    pub(super) script_name: Option<String>,

    /// DOCUMENT_ROOT: the folder of PHP scripts, which TARGET names, as the application sees it
    #[arg(long, value_name = "FOLDER")]
    pub(super) document_root: Option<String>,

    /// What the application is asked to do
    #[arg(long, value_name = "ROLE", default_value = "responder")]
    pub(super) role: RoleName,

    /// The file that a filter transforms (FCGI_DATA); it is read into memory
    #[arg(long, value_name = "FILE")]
    pub(super) filter_data: Option<PathBuf>,

    /// Ask the application to keep the connection open (FCGI_KEEP_CONN)
    #[arg(long)]
    pub(super) keep_conn: bool,

    /// Ask for the application's limits (FCGI_GET_VALUES) instead
    #[arg(long, conflicts_with_all = ["target", "upload"])]
    pub(super) values: bool,
}

/// A header as it is given.
#[derive(Clone, Debug)]
pub(super) enum Header {
    Send(HeaderName, HeaderValue),
    /// Not to be sent, though it is by default.
    Omit(HeaderName),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum UnknownLength {
    /// Gather it first, up to 64 MiB
    Buffer,
    /// Send it as it comes, without CONTENT_LENGTH
    Stream,
    /// Do not send it
    Refuse,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum RoleName {
    Responder,
    Authorizer,
    Filter,
}

impl From<RoleName> for Role {
    fn from(role: RoleName) -> Self {
        match role {
            RoleName::Responder => Self::Responder,
            RoleName::Authorizer => Self::Authorizer,
            RoleName::Filter => Self::Filter,
        }
    }
}

impl Options {
    /// Whether errors and hints are told.
    pub(super) fn tells_errors(&self) -> bool {
        !self.silent || self.show_error
    }
}

impl FromStr for Header {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, value) = match text.split_once(':') {
            Some((name, value)) => (name, Some(value.trim()).filter(|value| !value.is_empty())),
            None => (text.strip_suffix(';').ok_or("write \"Name: value\"")?, Some("")),
        };
        let name: HeaderName =
            name.trim().parse().map_err(|_| format!("{name:?} is no name of a header"))?;
        let Some(value) = value else { return Ok(Self::Omit(name)) };
        let value = HeaderValue::from_bytes(value.as_bytes());
        let value = value.map_err(|_| format!("the value of {name} has control characters"))?;
        Ok(Self::Send(name, value))
    }
}

const EXAMPLES: &str = "\
Examples:
  fcgi request 127.0.0.1:9000 /hello?name=world
  fcgi request -i -d user=me -d pass=secret 127.0.0.1:9000 /login
  fcgi request --script-filename /var/www/index.php unix:/run/php/php-fpm.sock /
  tar c . | fcgi request -T - --unknown-length stream 127.0.0.1:9000 /backup
  fcgi request -v --param REMOTE_USER=me 127.0.0.1:9000 https://example.org/
  fcgi request --values unix:/run/php/php-fpm.sock";
