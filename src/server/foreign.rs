use crate::error::Protocol;
use crate::record::Header;

/// Which other protocol starts with these bytes, if it is one that a mistaken configuration sends here.
pub(super) fn recognize(first: [u8; Header::LEN]) -> Option<Protocol> {
    match first {
        [TLS_HANDSHAKE, TLS_MAJOR, ..] => Some(Protocol::Tls),
        [b'P', b'R', b'O', b'X', b'Y', b' ', ..] | PROXY_V2 => Some(Protocol::ProxyHeader),
        [method, rest @ ..] if method.is_ascii_uppercase() && rest.iter().all(is_request_line) => {
            Some(Protocol::Http)
        }
        _ => None,
    }
}

/// An answer that every HTTP client understands, HTTP/2's by refusing it.
pub(super) fn http_answer(protocol: Protocol) -> String {
    let text = format!("{protocol}\n");
    format!(
        "HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{text}",
        text.len()
    )
}

fn is_request_line(byte: &u8) -> bool {
    byte.is_ascii_graphic() || matches!(byte, b' ' | b'\r' | b'\n')
}

const TLS_HANDSHAKE: u8 = 22;
const TLS_MAJOR: u8 = 3;
const PROXY_V2: [u8; Header::LEN] = *b"\r\n\r\n\0\r\nQ";
