//! What is measured: a work, and the two ways to do it that are set beside each other.

use crate::front::Front;

/// One line of a table.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row {
    /// The table, the web server and the set-up, as in `protocols/nginx/tcp`.
    pub(crate) name: &'static str,
    /// The same for those who read the table.
    pub(crate) title: &'static str,
    pub(crate) work: Work,
    /// The ratios are this one's figures over the other's.
    pub(crate) subject: Side,
    pub(crate) beside: Side,
}

/// A web server, the app behind it, and what lies between them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Side {
    pub(crate) front: Front,
    pub(crate) backend: Backend,
    pub(crate) socket: Socket,
}

impl Side {
    /// The app over FastCGI, on a Unix socket.
    pub(crate) const fn fastcgi(front: Front) -> Self {
        Self { front, backend: Backend::FastCgi, socket: Socket::Unix }
    }

    /// The app over HTTP/1.1, on a Unix socket.
    pub(crate) const fn http(front: Front) -> Self {
        Self { front, backend: Backend::Http, socket: Socket::Unix }
    }

    pub(crate) const fn tcp(self) -> Self {
        Self { socket: Socket::Tcp, ..self }
    }

    /// Without the app.
    pub(crate) const fn canned(self) -> Self {
        let backend = match self.backend {
            Backend::FastCgi | Backend::CannedFastCgi => Backend::CannedFastCgi,
            Backend::Http | Backend::CannedHttp => Backend::CannedHttp,
        };
        Self { backend, ..self }
    }
}

/// What clients ask for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Work {
    /// 13 bytes.
    Hello,
    Response64K,
    Response1M,
    Upload1M,
}

impl Work {
    pub(crate) fn path(self) -> &'static str {
        match self {
            Self::Hello => "/",
            Self::Response64K => "/64k",
            Self::Response1M => "/1m",
            Self::Upload1M => "/upload",
        }
    }

    pub(crate) fn body_len(self) -> usize {
        match self {
            Self::Upload1M => 1024 * 1024,
            _ => 0,
        }
    }
}

/// What is behind the web server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Backend {
    /// The app, by `tower_fastcgi::serve`.
    FastCgi,
    /// The app, by `axum::serve`.
    Http,
    /// Always the same bytes, so that the web server is nearly all there is to be measured.
    CannedFastCgi,
    CannedHttp,
}

impl Backend {
    pub(crate) const ALL: [Self; 4] =
        [Self::FastCgi, Self::Http, Self::CannedFastCgi, Self::CannedHttp];

    pub(crate) fn is_fastcgi(self) -> bool {
        matches!(self, Self::FastCgi | Self::CannedFastCgi)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Socket {
    Tcp,
    Unix,
}

impl Socket {
    pub(crate) const ALL: [Self; 2] = [Self::Tcp, Self::Unix];
}
