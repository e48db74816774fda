use std::fmt;
use std::net::SocketAddr;

use bytes::Bytes;

use super::script::ScriptFiles;
use crate::record::Role;

/// What a web server says about a request, apart from what the client sends: the params that do not follow from the request.
///
/// Set for all requests with [`conn::Builder::environment`](crate::client::conn::Builder::environment), and for a single one by
/// putting it into the request's extensions; what is set there replaces what is set for all.
///
/// Of the request itself come REQUEST_METHOD, REQUEST_URI, QUERY_STRING, SERVER_PROTOCOL, CONTENT_TYPE, CONTENT_LENGTH, and HTTP_*
/// of the headers. GATEWAY_INTERFACE, SERVER_SOFTWARE and REDIRECT_STATUS (which php-cgi demands) are always there.
///
/// # Which script
///
/// Applications that have no files (Go, Rust, most in C) need nothing: SCRIPT_NAME is empty and PATH_INFO the whole path. With
/// [`script_name`](Self::script_name) they are mounted somewhere else than at the root.
///
/// PHP needs to know the file. [`script_filename`](Self::script_filename) names one for all requests, as a front controller
/// wants it. [`document_root`](Self::document_root) with [`scripts`](Self::scripts) finds it in the path.
///
/// # Examples
///
/// ```
/// use tower_fastcgi::client::Environment;
///
/// let mut environment = Environment::new();
/// environment
///     .document_root("/var/www/html")
///     .scripts(".php", "index.php")
///     .server_name("example.org")
///     .param("APP_ENV", "production");
/// ```
///
/// For one request, which came over TLS:
///
/// ```
/// use tower_fastcgi::client::Environment;
///
/// # let peer = "192.0.2.7:50000".parse().unwrap();
/// let mut environment = Environment::new();
/// environment.remote_addr(peer).https(true);
/// let mut request = http::Request::get("/login").body(String::new()).unwrap();
/// request.extensions_mut().insert(environment);
/// ```
#[derive(Clone, Default)]
pub struct Environment {
    pub(crate) role: Option<Role>,
    pub(crate) filter_data: Option<Bytes>,
    pub(super) remote_addr: Option<SocketAddr>,
    pub(super) server_addr: Option<SocketAddr>,
    pub(super) server_name: Option<Box<str>>,
    pub(super) server_port: Option<u16>,
    pub(super) https: Option<bool>,
    pub(super) document_root: Option<Box<[u8]>>,
    pub(super) script_filename: Option<Box<[u8]>>,
    pub(super) script_name: Option<Box<[u8]>>,
    pub(super) scripts: Option<ScriptFiles>,
    pub(super) params: Vec<Param>,
}

/// A name and a value.
pub(super) type Param = (Box<[u8]>, Box<[u8]>);

impl Environment {
    /// Says nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets what the application is asked to do.
    ///
    /// Default is [`Role::Responder`]. An Authorizer gets the params only, and [`Role::Filter`] what
    /// [`filter_data`](Self::filter_data) sets in FCGI_DATA.
    pub fn role(&mut self, role: Role) -> &mut Self {
        self.role = Some(role);
        self
    }

    /// Sets the file that a [`Role::Filter`] transforms: FCGI_DATA, which follows the request's body, and FCGI_DATA_LENGTH.
    ///
    /// Default is an empty one. Other roles get none. A filter is also told when the file was last changed, in seconds since 1970:
    /// `param("FCGI_DATA_LAST_MOD", ..)` (section 6.4).
    pub fn filter_data(&mut self, data: impl Into<Bytes>) -> &mut Self {
        self.filter_data = Some(data.into());
        self
    }

    /// Sets the client's address: REMOTE_ADDR and, unless the port is 0, REMOTE_PORT.
    ///
    /// Without it both are missing: an address made up could be one that the application trusts.
    pub fn remote_addr(&mut self, addr: SocketAddr) -> &mut Self {
        self.remote_addr = Some(addr);
        self
    }

    /// Sets the address that the client connected to: SERVER_ADDR and SERVER_PORT.
    pub fn server_addr(&mut self, addr: SocketAddr) -> &mut Self {
        self.server_addr = Some(addr);
        self
    }

    /// Sets SERVER_NAME.
    ///
    /// Default is what the client says: the host of the URI or of the `Host` header, and `localhost` without one.
    pub fn server_name(&mut self, name: impl Into<Box<str>>) -> &mut Self {
        self.server_name = Some(name.into());
        self
    }

    /// Sets SERVER_PORT.
    ///
    /// Default is the port of [`server_addr`](Self::server_addr), else that of the host that the client names, else 80, or 443
    /// with [`https`](Self::https).
    pub fn server_port(&mut self, port: u16) -> &mut Self {
        self.server_port = Some(port);
        self
    }

    /// Sets whether the client came over TLS: HTTPS (`on`, or missing) and REQUEST_SCHEME.
    ///
    /// Default is `false`, whatever the scheme of the request's URI: clients of a proxy choose it.
    pub fn https(&mut self, https: bool) -> &mut Self {
        self.https = Some(https);
        self
    }

    /// Sets DOCUMENT_ROOT, an absolute path as the application sees it.
    ///
    /// Default is the folder of [`script_filename`](Self::script_filename), if that is set.
    pub fn document_root(&mut self, path: impl AsRef<[u8]>) -> &mut Self {
        let path = path.as_ref();
        self.document_root = Some(path.strip_suffix(b"/").unwrap_or(path).into());
        self
    }

    /// Sets SCRIPT_FILENAME, the file that answers every request, an absolute path as the application sees it.
    ///
    /// SCRIPT_NAME is then [`script_name`](Self::script_name), else what is left of the file's path behind the document root.
    /// Where the request's path goes on behind SCRIPT_NAME, the rest is PATH_INFO.
    pub fn script_filename(&mut self, path: impl AsRef<[u8]>) -> &mut Self {
        self.script_filename = Some(path.as_ref().into());
        self
    }

    /// Sets SCRIPT_NAME: where the application, or the script, is mounted.
    ///
    /// Default is the root, an empty SCRIPT_NAME. What follows it in the path is PATH_INFO; of a path elsewhere PATH_INFO is the
    /// whole and SCRIPT_NAME empty.
    pub fn script_name(&mut self, name: impl AsRef<[u8]>) -> &mut Self {
        let name = name.as_ref();
        self.script_name = Some(name.strip_suffix(b"/").unwrap_or(name).into());
        self
    }

    /// Finds the script in the request's path, which is split behind the first segment that ends with `extension`: SCRIPT_NAME
    /// and PATH_INFO. SCRIPT_FILENAME is [`document_root`](Self::document_root) with SCRIPT_NAME behind it.
    ///
    /// Of a path that ends with `/`, the script is the file `index` in that folder; of any other without such a segment it is
    /// `index` in the root, as with nginx's `try_files $uri /index.php`. Whether the file exists is the application's to find
    /// out. A path with a segment `..` is an error ([`Error::is_user`](crate::Error::is_user)).
    pub fn scripts(&mut self, extension: impl AsRef<[u8]>, index: impl AsRef<[u8]>) -> &mut Self {
        self.scripts = Some(ScriptFiles::new(extension.as_ref(), index.as_ref()));
        self
    }

    /// Sets a param, in place of what would be sent under that name, even a header.
    ///
    /// HTTP_PROXY is not sent: HTTP clients within the application would take it for their configuration.
    pub fn param(&mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> &mut Self {
        if name.as_ref() != b"HTTP_PROXY" {
            self.params.push((name.as_ref().into(), value.as_ref().into()));
        }
        self
    }
}

#[cfg(feature = "gateway")]
impl Environment {
    /// Sets the addresses of the client's connection where nothing else is set.
    pub(crate) fn set_default_endpoints(
        &mut self,
        remote: Option<SocketAddr>,
        local: Option<SocketAddr>,
    ) {
        self.remote_addr = self.remote_addr.or(remote);
        self.server_addr = self.server_addr.or(local);
    }

    /// What the names of scripts end with.
    pub(crate) fn script_extensions(&self) -> impl Iterator<Item = &[u8]> {
        let configured = self.scripts.as_ref().map(ScriptFiles::extension);
        let file = self.script_filename.as_deref().and_then(|path| {
            let dot = path.iter().rposition(|&byte| byte == b'.')?;
            Some(&path[dot..]).filter(|extension| !extension.contains(&b'/'))
        });
        configured.into_iter().chain(file)
    }
}

/// Shows the names of params only: values may be secrets.
impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |bytes: &Option<Box<[u8]>>| {
            bytes.as_deref().map(|bytes| String::from_utf8_lossy(bytes).into_owned())
        };
        let names = self.params.iter().map(|(name, _)| String::from_utf8_lossy(name));
        f.debug_struct("Environment")
            .field("remote_addr", &self.remote_addr)
            .field("document_root", &text(&self.document_root))
            .field("script_filename", &text(&self.script_filename))
            .field("params", &names.collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}
