//! `fcgi serve`: a browser for FastCGI applications.

mod log;

use std::io;
use std::time::Duration;

use tower_fastcgi::client::{Environment, UnknownLength};
use tower_fastcgi::gateway::{self, Gateway};
use tower_fastcgi::listener::{AnyAddr, AnyListener};
use tracing_subscriber::fmt;
use tracing_subscriber::util::SubscriberInitExt;

use self::log::Logged;
use crate::address::Address;
use crate::failure::{Exit, Failure, Outcome};
use crate::interrupt::interrupted;
use crate::param::Param;
use crate::terminal::Style;
use crate::{runtime, terminal};

/// Serve FastCGI applications over HTTP, for development
///
/// Listens for HTTP/1.1 and HTTP/2 (without TLS) and asks the applications in turn. Each request is a line on standard error. It has no
/// TLS and no protection against the internet's clients: put a web server there. Ctrl-C ends it, when the requests under way have ended
/// or after 5 seconds.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Options {
    /// Where browsers connect to
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    http: Address,

    /// Where the applications listen: HOST:PORT or unix:/PATH
    #[arg(value_name = "ADDRESS", required = true)]
    applications: Vec<Address>,

    /// The folder of PHP scripts (DOCUMENT_ROOT); its other files are served as they are
    #[arg(long, value_name = "FOLDER")]
    document_root: Option<String>,

    /// The PHP script that answers every request, an absolute path (SCRIPT_FILENAME)
    #[arg(long, value_name = "FILE")]
    script_filename: Option<String>,

    /// Where the application is mounted; what follows in the path is PATH_INFO (SCRIPT_NAME)
    #[arg(long, value_name = "PATH")]
    script_name: Option<String>,

    /// A folder whose files are served before the application is asked
    #[arg(long, value_name = "FOLDER")]
    files: Option<String>,

    /// A param of each request, in place of what would be sent under that name
    #[arg(long = "param", value_name = "NAME=VALUE")]
    params: Vec<Param>,

    /// No line for each request
    #[arg(short, long)]
    silent: bool,
}

pub(crate) fn run(options: Options) -> Outcome {
    let log = fmt().with_max_level(tracing::Level::WARN).with_target(false).without_time();
    let is_coloured = Style::of(&io::stderr()) == Style::Coloured;
    // What cannot be written can be told nobody; to say so on standard error is a panic.
    let log = log.with_ansi(is_coloured).with_writer(io::stderr).log_internal_errors(false);
    log.finish().init();
    runtime::block_on(listen(&options))
}

async fn listen(options: &Options) -> Outcome {
    let gateway = gateway(options)?;
    let listener = crate::listen::bind(&options.http).await?;
    announce(&listener, options);
    let served = gateway::serve(listener, Logged::new(gateway, options.silent))
        .with_graceful_shutdown(interrupted())
        .with_shutdown_timeout(SHUTDOWN)
        .await;
    served.map_err(|error| Failure::new(Exit::Connect, error))
}

fn gateway(options: &Options) -> Outcome<Gateway> {
    let mut builder = Gateway::builder();
    builder.environment(environment(options));
    if let Some(folder) = options.files.as_ref().or(options.document_root.as_ref()) {
        builder.files(folder);
    }
    if options.document_root.is_some() || options.script_filename.is_some() {
        // PHP takes a body of unknown length for empty.
        builder.client().unknown_length(UnknownLength::Buffer(GATHERED_MAX));
    }
    let gateway = builder.build(options.applications.iter().map(ToString::to_string));
    gateway.map_err(|error| Failure::new(Exit::BadUrl, error))
}

fn environment(options: &Options) -> Environment {
    let mut environment = Environment::new();
    if let Some(root) = &options.document_root {
        environment.document_root(root).scripts(".php", "index.php");
    }
    if let Some(file) = &options.script_filename {
        environment.script_filename(file);
    }
    if let Some(name) = &options.script_name {
        environment.script_name(name);
    }
    for param in &options.params {
        environment.param(&param.name, &param.value);
    }
    environment
}

fn announce(listener: &AnyListener, options: &Options) {
    let address = match listener.local_addr() {
        Ok(AnyAddr::Tcp(address)) => format!("http://{address}"),
        _ => options.http.to_string(),
    };
    let applications: Vec<_> = options.applications.iter().map(ToString::to_string).collect();
    terminal::note(format_args!(
        "serving {} on {address}, for development only",
        applications.join(", ")
    ));
}

const SHUTDOWN: Duration = Duration::from_secs(5);
const GATHERED_MAX: usize = 16 * 1024 * 1024;
const EXAMPLES: &str = "\
Examples:
  fcgi serve 127.0.0.1:9000
  fcgi serve --document-root /var/www/html unix:/run/php/php-fpm.sock
  fcgi serve --http 127.0.0.1:8000 --files public --param APP_ENV=dev 127.0.0.1:9000 127.0.0.1:9001";
