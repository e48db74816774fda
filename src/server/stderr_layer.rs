use std::fmt::{self, Write as _};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use super::stderr::Stderr;

/// Sends what is logged with `tracing` while a request is handled to the web server's error log: warnings and errors, with the
/// request's [`Stderr`].
///
/// It does so for requests that have one: [`Builder::stderr`](super::Builder::stderr) must be set, and the web server must not be
/// HAProxy 2.6, which crashes. What counts is where the event happens: in the service's future or response body, or within a span that
/// was opened there, which a spawned task can be given (`tracing::Instrument`). This crate's own errors about a request are among
/// them: that its service failed, for instance.
///
/// A line has the level, the target, the message and the fields of the event: `WARN app::db: slow query ms=1200`. It is one
/// line whatever is in it, and counts towards what the request may write.
///
/// # Examples
///
/// ```
/// use tower_fastcgi::server::StderrLayer;
/// use tracing_subscriber::layer::SubscriberExt;
///
/// let subscriber = tracing_subscriber::registry().with(StderrLayer::new());
/// # let _guard = tracing::subscriber::set_default(subscriber);
/// ```
#[derive(Clone, Debug)]
pub struct StderrLayer {
    most_verbose: Level,
}

impl StderrLayer {
    /// Warnings and errors.
    pub fn new() -> Self {
        Self { most_verbose: Level::WARN }
    }

    /// Events up to this level.
    ///
    /// Default is [`Level::WARN`]. nginx shows them all as errors.
    pub fn with_max_level(self, level: Level) -> Self {
        Self { most_verbose: level }
    }
}

impl Default for StderrLayer {
    fn default() -> Self {
        Self::new()
    }
}

impl<S> Layer<S> for StderrLayer
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn on_new_span(&self, _: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        if let (Some(stderr), Some(span)) = (Stderr::current(), context.span(id)) {
            span.extensions_mut().insert(OfSpan(stderr));
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        if *event.metadata().level() > self.most_verbose {
            return;
        }
        let of_span = || {
            let mut spans = context.event_scope(event)?;
            spans.find_map(|span| Some(span.extensions().get::<OfSpan>()?.0.clone()))
        };
        if let Some(stderr) = of_span().or_else(Stderr::current) {
            stderr.write_line(line(event));
        }
    }
}

/// The request that a span was opened for.
struct OfSpan(Stderr);

fn line(event: &Event<'_>) -> String {
    let metadata = event.metadata();
    let mut line = Line(format!("{} {}:", metadata.level(), metadata.target()));
    event.record(&mut line);
    line.0
}

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // Writing to a string fails only if the value does, and then what it wrote stands.
        let _ = match field.name() {
            "message" => write!(self.0, " {value:?}"),
            name => write!(self.0, " {name}={value:?}"),
        };
    }
}
