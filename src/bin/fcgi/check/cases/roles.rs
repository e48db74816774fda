//! Authorizers and filters (sections 6.3 and 6.4), which few applications are.

use tower_fastcgi::record::{ProtocolStatus, RecordType};

use crate::check::ask::{AUTHORIZER, FILTER};
use crate::check::case::{Case, Found, permitted};
use crate::check::reply::Reply;
use crate::check::target::Target;
use crate::check::wire::stream;

pub(super) const CASES: &[Case] = &[
    Case::must(
        "6.3",
        "authorizer",
        "an authorizer answers, and who is none says FCGI_UNKNOWN_ROLE",
        |target| Box::pin(authorizer(target)),
    ),
    Case::must(
        "6.4",
        "filter",
        "a filter answers, and who is none says FCGI_UNKNOWN_ROLE",
        |target| Box::pin(filter(target)),
    ),
];

async fn authorizer(target: &Target<'_>) -> Found {
    let mut ask = target.get().role(AUTHORIZER);
    // The web server sends neither (section 6.3).
    ask.params.retain(|(name, _)| name != "PATH_INFO" && name != "SCRIPT_NAME");
    let bytes = [ask.begin(), ask.params(), ask.stdin()].concat();
    judge(&target.reply(bytes).await?)
}

async fn filter(target: &Target<'_>) -> Found {
    let file = b"a file";
    let ask = target
        .get()
        .role(FILTER)
        .param("FCGI_DATA_LENGTH", &file.len().to_string())
        .param("FCGI_DATA_LAST_MOD", "0");
    let data = stream(RecordType::Data, 1, file, 4, 0);
    judge(&target.reply([ask.bytes(), data].concat()).await?)
}

fn judge(reply: &Reply) -> Found {
    if reply.protocol_status() == ProtocolStatus::UnknownRole {
        return permitted("FCGI_UNKNOWN_ROLE");
    }
    reply.completed()?;
    reply.head()?;
    Ok("")
}
