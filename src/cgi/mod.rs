//! Between CGI and HTTP: params to a request and a response to a CGI head, for servers; the other ways round, for clients. No IO; the
//! only clock is the `Date` header's.

mod authority;
#[cfg(all(test, feature = "client"))]
mod client_properties;
mod date;
mod decimal;
#[cfg(feature = "client")]
mod environ;
#[cfg(feature = "client")]
mod environment;
mod extensions;
mod filter;
mod forwarded;
#[cfg(feature = "client")]
mod head;
mod header_maps;
mod headers;
mod mount;
mod params;
mod percent;
#[cfg(test)]
mod properties;
mod request;
mod response;
#[cfg(feature = "client")]
mod script;
mod target;
mod variables;

#[cfg(feature = "client")]
pub(crate) use self::environ::{Environ, body_length};
#[cfg(feature = "client")]
pub use self::environment::Environment;
pub(crate) use self::filter::FilterFile;
pub use self::forwarded::Forwarded;
#[cfg(feature = "http")]
pub(crate) use self::forwarded::remove_forwarded;
#[cfg(feature = "client")]
pub(crate) use self::head::{HeadLimits, HeadReader, MappedHead};
pub(crate) use self::header_maps::recycle as recycle_headers;
pub use self::mount::MountPrefix;
pub use self::params::{Params, ParamsIter};
pub(crate) use self::params::{is_client_sent, parse_ip};
pub(crate) use self::request::{Refusal, RequestOptions, map_request};
pub(crate) use self::response::{Framing, HeadError, put_head, put_refusal};
#[cfg(feature = "gateway")]
pub(crate) use self::script::decode_path;
pub use self::target::UriSource;
pub(crate) use self::variables::is_https;
