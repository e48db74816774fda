//! Between CGI and HTTP: params to a request, a response to a CGI head. No IO; the only clock is the `Date` header's.

mod authority;
mod date;
mod decimal;
mod extensions;
mod forwarded;
mod headers;
mod params;
#[cfg(test)]
mod properties;
mod request;
mod response;
mod target;
mod variables;

pub use self::forwarded::Forwarded;
pub use self::params::{Params, ParamsIter};
pub(crate) use self::params::{is_client_sent, parse_ip};
pub(crate) use self::request::{Refusal, RequestOptions, map_request};
pub(crate) use self::response::{Framing, HeadError, put_head, put_refusal};
pub use self::target::UriSource;
pub(crate) use self::variables::is_https;
