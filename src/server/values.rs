use super::builder::Config;
use crate::record::{Pairs, put_pair, values};

/// The content of FCGI_GET_VALUES_RESULT for a query: each known name that was asked for, once.
pub(super) fn answer(query: &[u8], config: &Config) -> Vec<u8> {
    let max_requests = if config.multiplexing { config.max_requests } else { 1 };
    let known = [
        (values::MAX_REQS, max_requests.to_string()),
        (values::MPXS_CONNS, u8::from(config.multiplexing).to_string()),
    ];
    let mut answer = Vec::new();
    for (name, value) in known {
        if Pairs::new(query).map_while(Result::ok).any(|(asked, _)| asked == name.as_bytes()) {
            put_pair(&mut answer, name.as_bytes(), value.as_bytes());
        }
    }
    answer
}
