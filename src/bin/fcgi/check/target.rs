use std::io;
use std::time::Duration;

use tokio::sync::OnceCell;
use tower_fastcgi::client::{AnyIo, Connect};
use tower_fastcgi::record::{Pairs, RecordType, put_pair, values};

use super::ask::Ask;
use super::case::{Found, Obstacle, departs, unclear};
use super::link::Link;
use super::options::Options;
use super::reply::Reply;
use super::wire::record;
use crate::address::Address;

/// The application that is checked, and what it has been found out to answer.
#[derive(Debug)]
pub(super) struct Target<'o> {
    options: &'o Options,
    address: &'o Address,
    usual: OnceCell<Found<Usual>>,
    values: OnceCell<Option<Values>>,
}

/// What every answer to the same request has in common.
#[derive(Clone, Debug)]
pub(super) struct Usual {
    pub(super) status: u16,
    /// Unless it changes from one answer to the next.
    body: Option<Vec<u8>>,
}

/// What an application says of itself.
pub(super) type Values = Vec<(String, String)>;

impl<'o> Target<'o> {
    pub(super) fn new(options: &'o Options, address: &'o Address) -> Self {
        Self { options, address, usual: OnceCell::new(), values: OnceCell::new() }
    }

    pub(super) fn options(&self) -> &'o Options {
        self.options
    }

    pub(super) fn address(&self) -> &'o Address {
        self.address
    }

    /// Makes a connection. An application that has ended may be started again by somebody, so it is tried for a while.
    pub(super) async fn link(&self) -> Found<Link> {
        let patience = self.options.timeout;
        let link = tokio::time::timeout(patience, async {
            loop {
                match self.connect().await {
                    Ok(io) => return Ok(Link::new(io, patience)),
                    Err(error) if is_final(&error) => return Err(error),
                    Err(_) => tokio::time::sleep(RETRY).await,
                }
            }
        });
        let link = link.await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        link.map_err(Obstacle::NoConnection)
    }

    pub(super) async fn connect(&self) -> io::Result<AnyIo> {
        self.address.target().connect().await
    }

    /// Sends bytes on a connection of their own and reads the response to request 1.
    pub(super) async fn reply(&self, bytes: impl Into<Vec<u8>>) -> Found<Reply> {
        let mut link = self.link().await?;
        link.send(bytes);
        link.reply(1).await
    }

    /// The same, where the response must be the usual one.
    pub(super) async fn usual_reply(&self, bytes: impl Into<Vec<u8>>) -> Found<Reply> {
        let reply = self.reply(bytes).await?;
        self.is_usual(&reply).await?;
        Ok(reply)
    }

    /// Whether a response is that to every [`get`](Self::get).
    pub(super) async fn is_usual(&self, reply: &Reply) -> Found<()> {
        self.is_answered_as_usual(reply).await?;
        match self.has_usual_body(reply).await {
            true => Ok(()),
            false => departs("the body is another one than usually"),
        }
    }

    /// The same, whatever the body.
    pub(super) async fn is_answered_as_usual(&self, reply: &Reply) -> Found<()> {
        reply.completed()?;
        let head = reply.head()?;
        match self.usual().await {
            Some(usual) if head.status != usual.status => {
                departs(format!("the status is {} instead of {}", head.status, usual.status))
            }
            _ => Ok(()),
        }
    }

    pub(super) async fn has_usual_body(&self, reply: &Reply) -> bool {
        let body = self.usual().await.and_then(|usual| usual.body.as_deref());
        body.is_none_or(|body| reply.body().is_ok_and(|found| found == body))
    }

    /// What two requests that no case has changed were answered with.
    pub(super) async fn usual(&self) -> Option<&Usual> {
        self.try_usual().await.ok()
    }

    /// The same, or why there is no such thing.
    pub(super) async fn try_usual(&self) -> Result<&Usual, &Obstacle> {
        self.usual.get_or_init(|| self.find_usual()).await.as_ref()
    }

    async fn find_usual(&self) -> Found<Usual> {
        let first = self.reply(self.get().bytes()).await?;
        let second = self.reply(self.get().bytes()).await?;
        let (status, body) = (first.head()?.status, first.body()?);
        let body = (body == second.body()?).then(|| body.to_vec());
        Ok(Usual { status, body })
    }

    /// What the application answers to FCGI_GET_VALUES, if it does.
    pub(super) async fn values(&self) -> Option<&Values> {
        self.values.get_or_init(|| async { self.ask_values().await.ok() }).await.as_ref()
    }

    async fn ask_values(&self) -> Found<Values> {
        let mut link = self.link().await?;
        link.send(record(RecordType::GetValues, 0, &names(&KNOWN)));
        let answer = link.some_record().await?;
        match answer.record_type() {
            RecordType::GetValuesResult => read_values(&answer.content),
            other => departs(format!("{other} came instead of FCGI_GET_VALUES_RESULT")),
        }
    }

    /// Whether the application says that it takes several requests on a connection at a time.
    pub(super) async fn multiplexes(&self) -> bool {
        let values = self.values().await;
        let mut pairs = values.into_iter().flatten();
        pairs.any(|(name, value)| name == values::MPXS_CONNS && value == "1")
    }

    /// How many requests it says that it takes at a time.
    pub(super) async fn max_requests(&self) -> Option<u64> {
        let mut pairs = self.values().await?.iter();
        pairs.find(|(name, _)| name == values::MAX_REQS)?.1.parse().ok()
    }

    pub(super) fn get(&self) -> Ask {
        self.get_at(&self.options.path)
    }

    pub(super) fn get_at(&self, path: &str) -> Ask {
        Ask::new(self.params("GET", path), Vec::new())
    }

    /// A request with a body: where it is echoed, if the user has named such a path.
    pub(super) fn post(&self, body: impl Into<Vec<u8>>) -> Ask {
        self.post_at(self.options.echo_path.as_ref().unwrap_or(&self.options.path), body)
    }

    pub(super) fn post_at(&self, path: &str, body: impl Into<Vec<u8>>) -> Ask {
        let body = body.into();
        let ask = Ask::new(self.params("POST", path), Vec::new());
        let mut ask = ask
            .param("CONTENT_TYPE", "application/octet-stream")
            .param("CONTENT_LENGTH", &body.len().to_string());
        ask.body = body;
        ask
    }

    /// Whether the body of a [`post`](Self::post) came to the application as it was sent.
    pub(super) fn is_echo(&self, reply: &Reply, body: &[u8]) -> Found {
        reply.completed()?;
        let answer = reply.body()?;
        match &self.options.echo_path {
            None => Ok("answered; with --echo-path the body would be compared"),
            Some(_) if answer == body => Ok(""),
            Some(_) => departs(format!("a body of {} bytes came back otherwise", body.len())),
        }
    }

    /// The path of an option that a case cannot do without.
    pub(super) fn path_of<'p>(&self, path: &'p Option<String>, option: &str) -> Found<&'p str> {
        match path {
            Some(path) => Ok(path),
            None => unclear(format!("needs {option}")),
        }
    }

    fn params(&self, method: &str, path: &str) -> Vec<(String, String)> {
        let (path_info, query) = path.split_once('?').unwrap_or((path, ""));
        let mut params: Vec<_> = [
            ("GATEWAY_INTERFACE", "CGI/1.1"),
            ("SERVER_SOFTWARE", "fcgi-check"),
            ("SERVER_PROTOCOL", "HTTP/1.1"),
            ("SERVER_NAME", "localhost"),
            ("SERVER_PORT", "80"),
            ("HTTP_HOST", "localhost"),
            ("REMOTE_ADDR", "127.0.0.1"),
            ("REMOTE_PORT", "50000"),
            ("REQUEST_METHOD", method),
            ("REQUEST_URI", path),
            ("QUERY_STRING", query),
            ("DOCUMENT_URI", path_info),
            ("SCRIPT_NAME", ""),
            ("PATH_INFO", path_info),
            // php-cgi refuses to run a script without it.
            ("REDIRECT_STATUS", "200"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
        if let Some(file) = &self.options.script_filename {
            params.push(("SCRIPT_FILENAME".to_owned(), file.clone()));
        }
        for param in &self.options.params {
            params.retain(|(name, _)| *name != param.name);
            params.push((param.name.clone(), param.value.clone()));
        }
        params
    }
}

/// Names without values, as a query has them.
pub(super) fn names(names: &[&str]) -> Vec<u8> {
    let mut pairs = Vec::new();
    names.iter().for_each(|name| put_pair(&mut pairs, name.as_bytes(), b""));
    pairs
}

pub(super) fn read_values(content: &[u8]) -> Found<Values> {
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    let pairs: Result<Values, _> = Pairs::new(content)
        .map(|pair| pair.map(|(name, value)| (text(name), text(value))))
        .collect();
    pairs.or_else(|_| departs("FCGI_GET_VALUES_RESULT ends within a pair"))
}

/// Nobody is about to come back.
fn is_final(error: &io::Error) -> bool {
    use io::ErrorKind::{InvalidInput, PermissionDenied, Unsupported};
    matches!(error.kind(), InvalidInput | PermissionDenied | Unsupported)
}

/// The variables of the specification.
pub(super) const KNOWN: [&str; 3] = [values::MAX_CONNS, values::MAX_REQS, values::MPXS_CONNS];
const RETRY: Duration = Duration::from_millis(20);
