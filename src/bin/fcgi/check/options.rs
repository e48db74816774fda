use std::time::Duration;

use crate::address::Address;
use crate::param::Param;
use crate::seconds;

/// Check how an application keeps to the FastCGI specification
///
/// Each case has a connection of its own and says which section of FastCGI 1.0 it is about. A case "departs" when the application does
/// something else than the section says, and "unclear" when the answer allows no judgment. What is "permitted" is not supported, and
/// need not be.
///
/// The more the application has, the more can be checked: paths that echo the body, print the params, answer with much or write to
/// FCGI_STDERR are given with options. Without them the cases only see whether a request is answered as usual.
///
/// The exit status is 0 when nothing departs from what an application must do, 1 when something does, 7 when nobody listens.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Options {
    /// Where the application listens: HOST:PORT or unix:/PATH
    #[arg(value_name = "ADDRESS", required_unless_present = "list")]
    pub(super) address: Option<Address>,

    /// What is asked for, with GET
    #[arg(long, value_name = "PATH", default_value = "/", value_parser = path)]
    pub(super) path: String,

    /// A path that answers a POST with the request's body
    #[arg(long, value_name = "PATH", value_parser = path)]
    pub(super) echo_path: Option<String>,

    /// A path that prints the params, NAME=VALUE in each line
    #[arg(long, value_name = "PATH", value_parser = path)]
    pub(super) params_path: Option<String>,

    /// A path that answers with more than 64 KiB
    #[arg(long, value_name = "PATH", value_parser = path)]
    pub(super) large_path: Option<String>,

    /// A path at which something is written to FCGI_STDERR
    #[arg(long, value_name = "PATH", value_parser = path)]
    pub(super) stderr_path: Option<String>,

    /// SCRIPT_FILENAME, which PHP needs: an absolute path as the application sees it
    #[arg(long, value_name = "FILE")]
    pub(super) script_filename: Option<String>,

    /// A param, in place of what would be sent under that name
    #[arg(long = "param", value_name = "NAME=VALUE")]
    pub(super) params: Vec<Param>,

    /// How long the application may take for each record
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = seconds::parse)]
    pub(super) timeout: Duration,

    /// Only the case of this name, or those with it in their names; may be given several times
    #[arg(long, value_name = "NAME")]
    pub(super) only: Vec<String>,

    /// Print one JSON object
    #[arg(long)]
    pub(super) json: bool,

    /// Print which cases there are, and ask nobody
    #[arg(long)]
    pub(super) list: bool,
}

fn path(text: &str) -> Result<String, &'static str> {
    if text.starts_with('/') { Ok(text.to_owned()) } else { Err("a path starts with /") }
}

const EXAMPLES: &str = "\
Examples:
  fcgi check 127.0.0.1:9000
  fcgi check --path /hello --echo-path /echo --large-path /video.mp4 unix:/run/app.sock
  fcgi check --script-filename /var/www/index.php unix:/run/php/php-fpm.sock
  fcgi check --only padding --only get-values 127.0.0.1:9000";
