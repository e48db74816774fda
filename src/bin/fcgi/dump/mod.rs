//! `fcgi dump`: what a web server and an application say to each other.

mod connection;
mod tap;

use std::sync::Arc;

use tokio::task::JoinSet;
use tower_fastcgi::listener::{AnyListener, Listener};

use self::connection::pass;
use crate::address::Address;
use crate::failure::{Exit, Failure, Outcome};
use crate::interrupt::interrupted;
use crate::{runtime, terminal};

/// Print the records between a web server and an application
///
/// Listens in the application's place, passes every byte on to the application unchanged, and prints the records of both directions:
/// `>` is what the web server says, `<` what the application says. Times are seconds since the connection began. Bytes that are not
/// FastCGI are passed on as well; where they begin is printed.
///
/// Nothing is left out: passwords, cookies and whatever else params and bodies hold are printed. Ctrl-C ends it.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Options {
    /// Where the web server connects to
    #[arg(long, value_name = "ADDRESS")]
    listen: Address,

    /// Where the application listens
    #[arg(long, value_name = "ADDRESS")]
    to: Address,

    /// Print one JSON object per line
    #[arg(long)]
    json: bool,

    /// How many bytes of a record of a body or response are printed
    #[arg(long, value_name = "BYTES", default_value_t = 200)]
    max_content: usize,
}

pub(crate) fn run(options: Options) -> Outcome {
    runtime::block_on(async {
        tokio::select! {
            outcome = listen(Arc::new(options)) => outcome,
            () = interrupted() => Ok(()),
        }
    })
}

async fn listen(options: Arc<Options>) -> Outcome {
    let mut listener = crate::listen::bind(&options.listen).await?;
    announce(&listener, &options);
    let mut connections = JoinSet::new();
    let mut number = 0;
    loop {
        tokio::select! {
            (io, peer) = listener.accept() => {
                number += 1;
                connections.spawn(pass(io, peer, number, options.clone()));
            }
            Some(ended) = connections.join_next() => {
                ended.unwrap_or_else(|error| Err(Failure::new(Exit::Usage, error)))?;
            }
        }
    }
}

fn announce(listener: &AnyListener, options: &Options) {
    let address =
        listener.local_addr().map_or_else(|_| options.listen.to_string(), |it| it.to_string());
    terminal::note(format_args!(
        "listening on {address}, passing on to {}; secrets are printed, too",
        options.to
    ));
}

const EXAMPLES: &str = "\
Examples:
  fcgi dump --listen 127.0.0.1:9001 --to 127.0.0.1:9000
  fcgi dump --listen unix:/run/tap.sock --to unix:/run/php/php-fpm.sock --max-content 2000
  fcgi dump --listen 127.0.0.1:9001 --to 127.0.0.1:9000 --json | jq 'select(.type == \"FCGI_PARAMS\").pairs'";
