use http::uri::Authority;
use http::{Request, Version, header};

/// Whether it is clear which host is meant (RFC 9112 section 3.2, RFC 9113 section 8.3.1): the application gets one, and may believe
/// that what was in front of it understood the same.
pub(super) fn is_well_formed<B>(request: &Request<B>) -> bool {
    let mut hosts = request.headers().get_all(header::HOST).iter();
    let (host, another) = (hosts.next(), hosts.next());
    if another.is_some() {
        return false;
    }
    let authority = request.uri().authority();
    if authority.is_some() && request.uri().scheme().is_none() {
        // No target but that of CONNECT is a host alone.
        return false;
    }
    match (host, authority) {
        (None, None) => request.version() != Version::HTTP_11,
        (None, Some(authority)) => is_plain(authority),
        (Some(host), _) if !is_host(host.as_bytes()) => false,
        // The URI's wins over HTTP/1.1. Over HTTP/2 both would be about the same request.
        (Some(host), Some(authority)) if request.version() == Version::HTTP_2 => {
            is_plain(authority)
                && host.as_bytes().eq_ignore_ascii_case(authority.as_str().as_bytes())
        }
        (Some(_), authority) => authority.is_none_or(is_plain),
    }
}

/// A target without a host has an empty header.
fn is_host(host: &[u8]) -> bool {
    host.is_empty() || Authority::try_from(host).is_ok_and(|authority| is_plain(&authority))
}

fn is_plain(authority: &Authority) -> bool {
    !authority.as_str().contains('@')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(version: Version, uri: &str, hosts: &[&str]) -> bool {
        let request = Request::builder().version(version).uri(uri);
        let request = hosts.iter().fold(request, |request, &host| request.header("host", host));
        is_well_formed(&request.body(()).unwrap())
    }

    #[test]
    fn http_1_1_has_one_host_header() {
        let check = |uri, hosts| check(Version::HTTP_11, uri, hosts);
        assert!(check("/", &["example.org"]));
        assert!(check("/", &["[::1]:8080"]));
        assert!(check("/", &[""]));
        assert!(!check("/", &[]));
        assert!(!check("/", &["example.org", "example.org"]));
        assert!(!check("/", &["user@example.org"]));
        assert!(!check("/", &["example.org/x"]));
        assert!(!check("/", &["example.org, other.example"]));
    }

    #[test]
    fn the_uri_may_have_another_host_over_http_1_1_only() {
        let uri = "http://example.org/";
        assert!(check(Version::HTTP_11, uri, &["other.example"]));
        assert!(!check(Version::HTTP_11, "http://user@example.org/", &["example.org"]));
        assert!(check(Version::HTTP_2, uri, &["Example.org"]));
        assert!(check(Version::HTTP_2, uri, &[]));
        assert!(!check(Version::HTTP_2, uri, &["other.example"]));
    }

    #[test]
    fn a_host_alone_is_no_target() {
        assert!(!check(Version::HTTP_11, "example.org", &["example.org"]));
        assert!(!check(Version::HTTP_11, "example.org:80", &["example.org:80"]));
        assert!(!check(Version::HTTP_10, "example.org", &[]));
        assert!(check(Version::HTTP_11, "*", &["example.org"]));
    }

    #[test]
    fn http_1_0_needs_none() {
        assert!(check(Version::HTTP_10, "/", &[]));
        assert!(!check(Version::HTTP_10, "/", &["a", "b"]));
    }
}
