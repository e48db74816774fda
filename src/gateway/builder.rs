use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use tokio::sync::Semaphore;

use super::files::Files;
use super::service::{Gateway, Shared};
use crate::client::{self, Client, Environment, UnknownLength};
use crate::server::Forwarded;

/// Options of a [`Gateway`].
///
/// The defaults are not part of the stable interface: a better value may replace one in any release.
#[derive(Clone, Debug)]
pub struct Builder {
    client: client::Builder,
    environment: Environment,
    files: Option<PathBuf>,
    forwarded: Forwarded,
    body_timeout: Option<Duration>,
    max_requests: usize,
}

impl Builder {
    /// The default options.
    pub fn new() -> Self {
        let mut client = Client::builder();
        client.unknown_length(UnknownLength::Stream);
        Self {
            client,
            environment: Environment::new(),
            files: None,
            forwarded: Forwarded::Remove,
            body_timeout: Some(BODY_TIMEOUT),
            max_requests: MAX_REQUESTS,
        }
    }

    /// Sets what the application is told besides what follows from the request: where it is mounted, which scripts there are,
    /// SERVER_NAME, further params.
    pub fn environment(&mut self, environment: Environment) -> &mut Self {
        self.environment = environment;
        self
    }

    /// The options of the connections to each application: timeouts, limits, where FCGI_STDERR goes.
    ///
    /// The defaults are those of [`client::Builder`] but for one: a request body whose length is not known is streamed. PHP takes
    /// such a body for empty, so buffer it there ([`client::Builder::unknown_length`]). Of an environment that is set here nothing is
    /// used: set it with [`environment`](Self::environment).
    pub fn client(&mut self) -> &mut client::Builder {
        &mut self.client
    }

    /// Serves the files of a folder before the application is asked.
    ///
    /// Default is none. GET and HEAD of a path that names a file are answered with it; everything else is for the application, also a path
    /// that names a folder. Never served are paths with a segment that begins with a dot (but for `/.well-known/`) and those with a
    /// script's extension: `.php`, `.phtml` and `.phar`, those of [`Environment::scripts`] and
    /// [`Environment::script_filename`]. Symbolic links are followed, wherever they lead.
    pub fn files(&mut self, folder: impl Into<PathBuf>) -> &mut Self {
        self.files = Some(folder.into());
        self
    }

    /// Sets what happens to headers in which a proxy tells what it saw.
    ///
    /// Default is [`Forwarded::Remove`].
    pub fn forwarded(&mut self, forwarded: Forwarded) -> &mut Self {
        self.forwarded = forwarded;
        self
    }

    /// Sets how long the client may send nothing of a request's body while the application waits for it; then the answer is 408.
    ///
    /// Default is 60 seconds.
    pub fn body_timeout(&mut self, timeout: impl Into<Option<Duration>>) -> &mut Self {
        self.body_timeout = timeout.into();
        self
    }

    /// Sets how many requests there may be at a time; more are answered with 503.
    ///
    /// Default is 1024. Of them, [`client::Builder::max_connections`] are sent to each application at a time, and the others wait.
    pub fn max_requests(&mut self, requests: usize) -> &mut Self {
        self.max_requests = requests.min(Semaphore::MAX_PERMITS);
        self
    }

    /// Makes a gateway to the applications at `addresses`; see [`client::Address`].
    ///
    /// # Errors
    ///
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) when one of them is no address, or if there is none. Nothing is connected yet.
    pub fn build<A: AsRef<str>>(
        &self,
        addresses: impl IntoIterator<Item = A>,
    ) -> io::Result<Gateway> {
        let mut client = self.client.clone();
        client.environment(self.environment.clone());
        let applications = addresses.into_iter().map(|address| client.build(address.as_ref()));
        let applications: Vec<_> = applications.collect::<io::Result<_>>()?;
        if applications.is_empty() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "a gateway needs the address of an application",
            ));
        }
        let files = self.files.as_ref();
        Ok(Gateway::with(Shared {
            applications,
            turn: AtomicUsize::new(0),
            files: files.map(|folder| Files::new(folder, self.environment.clone())),
            forwarded: self.forwarded,
            body_timeout: self.body_timeout,
            requests: Arc::new(Semaphore::new(self.max_requests)),
        }))
    }
}

impl Default for Builder {
    fn default() -> Self {
        Self::new()
    }
}

const BODY_TIMEOUT: Duration = Duration::from_secs(60);
const MAX_REQUESTS: usize = 1024;
