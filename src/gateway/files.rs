use std::path::Path;

use http::{Method, Request, Response, StatusCode};
use tower_http::services::ServeDir;

use super::body::ResponseBody;
use crate::cgi::Environment;
use crate::trace::warn;

/// The files of a folder that are no scripts, nor hidden.
pub(super) struct Files {
    folder: ServeDir,
    environment: Environment,
}

impl Files {
    pub(super) fn new(folder: &Path, environment: Environment) -> Self {
        let folder = ServeDir::new(folder)
            .append_index_html_on_directories(false)
            .redirect_to_trailing_slash(false);
        Self { folder, environment }
    }

    /// What a file may answer of a request.
    pub(super) fn question<B>(&self, request: &Request<B>) -> Option<Request<()>> {
        let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
        if !is_read || !self.may_serve(request.uri().path()) {
            return None;
        }
        let mut question = Request::new(());
        *question.method_mut() = request.method().clone();
        *question.uri_mut() = request.uri().clone();
        *question.headers_mut() = request.headers().clone();
        Some(question)
    }

    /// The answer, if there is such a file.
    pub(super) async fn answer(&self, question: Request<()>) -> Option<Response<ResponseBody>> {
        let response = match self.folder.clone().try_call(question).await {
            Ok(response) => response,
            Err(error) => {
                warn!(%error, "cannot read a file");
                return None;
            }
        };
        let is_found = response.status().is_success()
            || matches!(
                response.status(),
                StatusCode::NOT_MODIFIED
                    | StatusCode::PRECONDITION_FAILED
                    | StatusCode::RANGE_NOT_SATISFIABLE
            );
        is_found.then(|| response.map(ResponseBody::file))
    }

    fn may_serve(&self, path: &str) -> bool {
        let Some(path) = crate::cgi::decode_path(path) else { return false };
        let is_well_known = path.starts_with(b"/.well-known/");
        let segments = path.split(|byte| b"/\\".contains(byte));
        let mut segments = segments.skip(if is_well_known { 2 } else { 0 });
        segments.all(|segment| !segment.starts_with(b".") && !self.is_script(segment))
    }

    /// Case is ignored: some systems' files have none. Windows ignores dots and spaces at the end too, and `:` begins the name of a
    /// stream of the file there.
    fn is_script(&self, segment: &[u8]) -> bool {
        let name = segment.split(|&byte| byte == b':').next().unwrap_or_default();
        let end = name.iter().rposition(|byte| !b". ".contains(byte)).map_or(0, |last| last + 1);
        let segment = name[..end].to_ascii_lowercase();
        let has = |extension: &[u8]| segment.ends_with(&extension.to_ascii_lowercase());
        SCRIPTS.iter().any(|extension| has(extension.as_bytes()))
            || self.environment.script_extensions().any(has)
    }
}

/// Whatever the application is: such files in a folder are no downloads.
const SCRIPTS: &[&str] = &[".php", ".phtml", ".phar"];

#[cfg(test)]
mod tests {
    use super::*;

    fn files(change: impl FnOnce(&mut Environment)) -> Files {
        let mut environment = Environment::new();
        change(&mut environment);
        Files::new(Path::new("/"), environment)
    }

    #[test]
    fn hidden_files_are_none() {
        let files = files(|_| {});
        for path in [
            "/.env",
            "/.git/config",
            "/a/.htaccess",
            "/%2eenv",
            "/../x",
            "/.well-known/.x",
            "/a%5c.env",
            "/a\\..\\.env",
            "/.well-known/a%5C.env",
        ] {
            assert!(!files.may_serve(path), "{path}");
        }
        for path in ["/", "/a.b", "/a/b.css", "/.well-known/acme-challenge/x", "/a..b"] {
            assert!(files.may_serve(path), "{path}");
        }
    }

    #[test]
    fn scripts_are_none() {
        let files = files(|environment| {
            environment.scripts(".cgi", "index.cgi").script_filename("/srv/front.pl");
        });
        for path in
            ["/a.php", "/a.PHP", "/a.php/b.css", "/%61.p%68p", "/a.phar", "/x.cgi", "/front.pl"]
        {
            assert!(!files.may_serve(path), "{path}");
        }
        // What Windows takes for the same files.
        for path in
            ["/a.php.", "/a.php%20", "/a.php. .", "/a.php::$DATA", "/a.php:b.css", "/b%5Ca.php%5C"]
        {
            assert!(!files.may_serve(path), "{path}");
        }
        assert!(files.may_serve("/php"));
        assert!(files.may_serve("/a:b.css"));
        assert!(files.may_serve("/a.pl.txt"));
    }
}
