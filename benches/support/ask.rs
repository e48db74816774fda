//! One request, as nginx sends it in FastCGI and as a client sends it in HTTP/1.1.

use tower_fastcgi::record::{
    BeginRequest, RecordType, RequestId, Role, put_pair, put_record, put_stream, put_stream_end,
};

use self::params::{HEADERS, NGINX_PARAMS};

#[path = "params.rs"]
mod params;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Ask {
    method: &'static str,
    uri: &'static str,
    upload: usize,
    params: ParamList,
}

/// Which params come with a request.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ParamList {
    /// What nginx sends for a browser.
    Nginx,
    /// The least that makes a request, and headers, so many in all.
    #[allow(dead_code, reason = "each benchmark uses a part")]
    Headers(usize),
    /// The same with other variables than headers.
    #[allow(dead_code, reason = "each benchmark uses a part")]
    Variables(usize),
}

impl Ask {
    pub(crate) fn get(uri: &'static str) -> Self {
        Self { method: "GET", uri, upload: 0, params: ParamList::Nginx }
    }

    /// A POST of `len` bytes.
    pub(crate) fn upload(uri: &'static str, len: usize) -> Self {
        Self { method: "POST", uri, upload: len, params: ParamList::Nginx }
    }

    /// The same with other params over FastCGI.
    #[allow(dead_code, reason = "each benchmark uses a part")]
    pub(crate) fn with_params(self, params: ParamList) -> Self {
        Self { params, ..self }
    }

    /// The request as records with this id; `keep` sets FCGI_KEEP_CONN.
    pub(crate) fn fastcgi(&self, id: RequestId, keep: bool) -> Vec<u8> {
        let begin = BeginRequest { role: Role::Responder.value(), keep_conn: keep };
        let mut wire = Vec::new();
        put_record(&mut wire, RecordType::BeginRequest, Some(id), &begin.encode());
        put_stream(&mut wire, RecordType::Params, id, &self.params());
        put_stream_end(&mut wire, RecordType::Params, id);
        for part in self.body().chunks(NGINX_STDIN_CONTENT) {
            put_stream(&mut wire, RecordType::Stdin, id, part);
        }
        put_stream_end(&mut wire, RecordType::Stdin, id);
        wire
    }

    /// The same in HTTP/1.1; without `keep` it asks to close the connection.
    pub(crate) fn http(&self, keep: bool) -> Vec<u8> {
        let mut head = format!("{} {} HTTP/1.1\r\n", self.method, self.uri);
        for (name, value) in HEADERS {
            let name = name.trim_start_matches("HTTP_").replace('_', "-");
            head += &format!("{name}: {value}\r\n");
        }
        if self.upload > 0 {
            head += &format!("content-length: {}\r\n", self.upload);
        }
        if !keep {
            head += "connection: close\r\n";
        }
        head += "\r\n";
        [head.into_bytes(), self.body()].concat()
    }

    fn params(&self) -> Vec<u8> {
        match self.params {
            ParamList::Nginx => self.nginx_params(),
            ParamList::Headers(count) => self.numbered_params("HTTP_X_NUMBER_", count),
            ParamList::Variables(count) => self.numbered_params("VARIABLE_NUMBER_", count),
        }
    }

    fn nginx_params(&self) -> Vec<u8> {
        let content_length = self.upload.to_string();
        let mut params = Vec::new();
        for (name, value) in NGINX_PARAMS.into_iter().chain(HEADERS) {
            let value = match name {
                "REQUEST_METHOD" => self.method,
                "REQUEST_URI" | "SCRIPT_NAME" | "DOCUMENT_URI" => self.uri,
                "CONTENT_LENGTH" if self.upload > 0 => &content_length,
                _ => value,
            };
            put_pair(&mut params, name.as_bytes(), value.as_bytes());
        }
        params
    }

    fn numbered_params(&self, prefix: &str, count: usize) -> Vec<u8> {
        let least = [
            ("REQUEST_METHOD", self.method),
            ("REQUEST_URI", self.uri),
            ("SCRIPT_NAME", self.uri),
            ("SERVER_PROTOCOL", "HTTP/1.1"),
            ("HTTP_HOST", "localhost:8080"),
        ];
        let mut params = Vec::new();
        for (name, value) in least {
            put_pair(&mut params, name.as_bytes(), value.as_bytes());
        }
        for number in least.len()..count {
            put_pair(&mut params, format!("{prefix}{number}").as_bytes(), NUMBERED_VALUE);
        }
        params
    }

    fn body(&self) -> Vec<u8> {
        vec![b'x'; self.upload]
    }
}

/// nginx sends a body in records of this size.
const NGINX_STDIN_CONTENT: usize = 32 * 1024;
const NUMBERED_VALUE: &[u8] = b"0123456789abcdef0123456789abcdef";
