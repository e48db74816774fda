use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};

use super::forwarded::{Forwarded, is_forwarded};
use super::request::Refusal;

/// Collects the client's header fields from the params named `HTTP_*`.
pub(super) struct Headers<'a> {
    /// Values are slices of it.
    raw: &'a Bytes,
    forwarded: Forwarded,
    map: HeaderMap,
    host: Option<&'a [u8]>,
    cookie: Option<&'a [u8]>,
    /// All cookies, once there are several.
    cookies: Vec<u8>,
}

impl<'a> Headers<'a> {
    pub(super) fn new(raw: &'a Bytes, forwarded: Forwarded) -> Self {
        let map = HeaderMap::with_capacity(USUAL_COUNT);
        Self { raw, forwarded, map, host: None, cookie: None, cookies: Vec::new() }
    }

    /// Takes a param's name without its `HTTP_`, and its value.
    pub(super) fn add(&mut self, name: &[u8], value: &'a [u8]) -> Result<(), Refusal> {
        match Field::of(name)? {
            Field::Header(name) => self.append(name, value),
            Field::Forwarded(name) if self.forwarded == Forwarded::Keep => self.append(name, value),
            Field::Host => self.set_host(value),
            Field::Cookie => {
                self.add_cookie(value);
                Ok(())
            }
            Field::Forwarded(_) | Field::Dropped => Ok(()),
        }
    }

    pub(super) fn append(&mut self, name: HeaderName, value: &[u8]) -> Result<(), Refusal> {
        self.append_value(name, header_value(self.raw.slice_ref(value))?)
    }

    pub(super) fn append_value(
        &mut self,
        name: HeaderName,
        value: HeaderValue,
    ) -> Result<(), Refusal> {
        self.map.try_append(name, value).map(drop).map_err(|_| Refusal::TOO_MANY_HEADERS)
    }

    /// The `Host` header, unless it is missing or empty.
    pub(super) fn host(&self) -> Option<&'a [u8]> {
        self.host.filter(|host| !host.is_empty())
    }

    /// `Host` is not among them: what goes there depends on more than the client's headers.
    pub(super) fn finish(mut self) -> Result<HeaderMap, Refusal> {
        if !self.cookies.is_empty() {
            let cookies = header_value(std::mem::take(&mut self.cookies).into())?;
            self.append_value(header::COOKIE, cookies)?;
        } else if let Some(cookie) = self.cookie {
            self.append(header::COOKIE, cookie)?;
        }
        Ok(self.map)
    }

    /// A request with two of them is refused as RFC 9112 section 3.2 wants it; the same one twice may be a param of the web
    /// server's configuration next to the client's header.
    fn set_host(&mut self, value: &'a [u8]) -> Result<(), Refusal> {
        match self.host.replace(value) {
            Some(other) if other != value => {
                Err(Refusal::bad_request("two different Host headers"))
            }
            _ => Ok(()),
        }
    }

    /// nginx before 1.23 and HAProxy pass on the cookies of HTTP/2 clients in several headers; RFC 9113 section 8.2.3 tells
    /// how they become one.
    fn add_cookie(&mut self, value: &'a [u8]) {
        if value.is_empty() {
            return;
        }
        let Some(first) = self.cookie else {
            self.cookie = Some(value);
            return;
        };
        if self.cookies.is_empty() {
            self.cookies.extend_from_slice(first);
        }
        self.cookies.extend_from_slice(b"; ");
        self.cookies.extend_from_slice(value);
    }
}

/// Values are bytes: latin-1 and UTF-8 pass unchanged, control characters do not pass.
pub(super) fn header_value(value: Bytes) -> Result<HeaderValue, Refusal> {
    HeaderValue::from_maybe_shared(value)
        .map_err(|_| Refusal::bad_request("control characters in the value of a header"))
}

/// What becomes of a header.
#[derive(Debug, PartialEq)]
enum Field {
    Header(HeaderName),
    /// Kept or removed as [`Forwarded`] says.
    Forwarded(HeaderName),
    Host,
    Cookie,
    Dropped,
}

impl Field {
    fn of(name: &[u8]) -> Result<Self, Refusal> {
        match Self::usual(name) {
            Some(field) => Ok(field),
            None => Self::any(name),
        }
    }

    /// Answers as [`any`](Self::any) does, without an allocation for the name. By length first: most names are told apart
    /// without reading them.
    fn usual(name: &[u8]) -> Option<Self> {
        Some(match name.len() {
            3 => match name {
                b"DNT" => Self::Header(header::DNT),
                b"VIA" => Self::Header(header::VIA),
                _ => return None,
            },
            4 if name == b"HOST" => Self::Host,
            5 if name == b"RANGE" => Self::Header(header::RANGE),
            6 => match name {
                b"ACCEPT" => Self::Header(header::ACCEPT),
                b"COOKIE" => Self::Cookie,
                b"ORIGIN" => Self::Header(header::ORIGIN),
                b"PRAGMA" => Self::Header(header::PRAGMA),
                _ => return None,
            },
            7 => match name {
                b"REFERER" => Self::Header(header::REFERER),
                b"SEC_GPC" => Self::Header(const { HeaderName::from_static("sec-gpc") }),
                b"UPGRADE" => Self::Dropped,
                _ => return None,
            },
            8 => match name {
                b"IF_MATCH" => Self::Header(header::IF_MATCH),
                b"IF_RANGE" => Self::Header(header::IF_RANGE),
                b"PRIORITY" => Self::Header(const { HeaderName::from_static("priority") }),
                _ => return None,
            },
            9 => match name {
                b"SEC_CH_UA" => Self::Header(const { HeaderName::from_static("sec-ch-ua") }),
                b"X_REAL_IP" => Self::Forwarded(const { HeaderName::from_static("x-real-ip") }),
                b"SAVE_DATA" => Self::Header(const { HeaderName::from_static("save-data") }),
                _ => return None,
            },
            10 => match name {
                b"USER_AGENT" => Self::Header(header::USER_AGENT),
                b"CONNECTION" => Self::Dropped,
                b"TRACESTATE" => Self::Header(const { HeaderName::from_static("tracestate") }),
                _ => return None,
            },
            11 if name == b"TRACEPARENT" => {
                Self::Header(const { HeaderName::from_static("traceparent") })
            }
            12 => match name {
                b"CONTENT_TYPE" => Self::Dropped,
                b"X_REQUEST_ID" => Self::Header(const { HeaderName::from_static("x-request-id") }),
                _ => return None,
            },
            13 => match name {
                b"AUTHORIZATION" => Self::Header(header::AUTHORIZATION),
                b"IF_NONE_MATCH" => Self::Header(header::IF_NONE_MATCH),
                b"CACHE_CONTROL" => Self::Header(header::CACHE_CONTROL),
                b"LAST_EVENT_ID" => {
                    Self::Header(const { HeaderName::from_static("last-event-id") })
                }
                _ => return None,
            },
            14 => match name {
                b"ACCEPT_CHARSET" => Self::Header(header::ACCEPT_CHARSET),
                b"CONTENT_LENGTH" => Self::Dropped,
                b"SEC_FETCH_SITE" => {
                    Self::Header(const { HeaderName::from_static("sec-fetch-site") })
                }
                b"SEC_FETCH_MODE" => {
                    Self::Header(const { HeaderName::from_static("sec-fetch-mode") })
                }
                b"SEC_FETCH_DEST" => {
                    Self::Header(const { HeaderName::from_static("sec-fetch-dest") })
                }
                b"SEC_FETCH_USER" => {
                    Self::Header(const { HeaderName::from_static("sec-fetch-user") })
                }
                _ => return None,
            },
            15 => match name {
                b"ACCEPT_ENCODING" => Self::Header(header::ACCEPT_ENCODING),
                b"ACCEPT_LANGUAGE" => Self::Header(header::ACCEPT_LANGUAGE),
                b"X_FORWARDED_FOR" => {
                    Self::Forwarded(const { HeaderName::from_static("x-forwarded-for") })
                }
                _ => return None,
            },
            16 => match name {
                b"X_REQUESTED_WITH" => {
                    Self::Header(const { HeaderName::from_static("x-requested-with") })
                }
                b"CONTENT_ENCODING" => Self::Header(header::CONTENT_ENCODING),
                b"X_FORWARDED_HOST" => {
                    Self::Forwarded(const { HeaderName::from_static("x-forwarded-host") })
                }
                b"SEC_CH_UA_MOBILE" => {
                    Self::Header(const { HeaderName::from_static("sec-ch-ua-mobile") })
                }
                _ => return None,
            },
            17 => match name {
                b"IF_MODIFIED_SINCE" => Self::Header(header::IF_MODIFIED_SINCE),
                b"X_FORWARDED_PROTO" => {
                    Self::Forwarded(const { HeaderName::from_static("x-forwarded-proto") })
                }
                _ => return None,
            },
            18 if name == b"SEC_CH_UA_PLATFORM" => {
                Self::Header(const { HeaderName::from_static("sec-ch-ua-platform") })
            }
            19 if name == b"IF_UNMODIFIED_SINCE" => Self::Header(header::IF_UNMODIFIED_SINCE),
            25 if name == b"UPGRADE_INSECURE_REQUESTS" => {
                Self::Header(header::UPGRADE_INSECURE_REQUESTS)
            }
            29 if name == b"ACCESS_CONTROL_REQUEST_METHOD" => {
                Self::Header(header::ACCESS_CONTROL_REQUEST_METHOD)
            }
            30 if name == b"ACCESS_CONTROL_REQUEST_HEADERS" => {
                Self::Header(header::ACCESS_CONTROL_REQUEST_HEADERS)
            }
            _ => return None,
        })
    }

    fn any(name: &[u8]) -> Result<Self, Refusal> {
        let name = header_name(name)?;
        Ok(match name.as_str() {
            "host" => Self::Host,
            "cookie" => Self::Cookie,
            lower if DROPPED.contains(&lower) => Self::Dropped,
            lower if is_forwarded(lower) => Self::Forwarded(name),
            _ => Self::Header(name),
        })
    }
}

fn header_name(name: &[u8]) -> Result<HeaderName, Refusal> {
    if name.len() > usize::from(u16::MAX) {
        return Err(Refusal::TOO_LONG_NAME);
    }
    let mut short = [0; 64];
    let mut long = Vec::new();
    let dashed = match short.get_mut(..name.len()) {
        Some(short) => short,
        None => {
            long.resize(name.len(), 0);
            &mut long[..]
        }
    };
    for (to, &from) in dashed.iter_mut().zip(name) {
        *to = if from == b'_' { b'-' } else { from };
    }
    HeaderName::from_bytes(dashed)
        .map_err(|_| Refusal::bad_request("the name of a header is no HTTP token"))
}

/// What a browser sends fits without growing.
const USUAL_COUNT: usize = 24;

/// These end at the web server, which has decoded the body and answered `Expect`. `Content-Length` and `Content-Type` come
/// as params of their own; a client that writes `Content_Length` reaches these. `Proxy` would become the `HTTP_PROXY` of
/// child processes, and their HTTP clients believe it ("httpoxy").
const DROPPED: [&str; 13] = [
    "connection",
    "content-length",
    "content-type",
    "expect",
    "http2-settings",
    "keep-alive",
    "proxy",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];
