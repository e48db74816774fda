//! FCGI_BEGIN_REQUEST (section 5.1).

use tower_fastcgi::record::{ProtocolStatus, RecordType};

use crate::check::case::{Case, Found, departs};
use crate::check::target::Target;
use crate::check::wire::record;

pub(super) const CASES: &[Case] = &[
    Case::should("5.1", "unknown-flags", "flags that have no meaning are ignored", |target| {
        Box::pin(unknown_flags(target))
    }),
    Case::should(
        "5.1",
        "begin-reserved",
        "the reserved bytes of FCGI_BEGIN_REQUEST may be anything",
        |target| Box::pin(reserved_bytes(target)),
    ),
    Case::must(
        "5.5",
        "unknown-role",
        "a role that is not known is refused with FCGI_UNKNOWN_ROLE",
        |target| Box::pin(unknown_role(target)),
    ),
    Case::must(
        "5.5",
        "unknown-role-then",
        "a kept connection serves requests behind FCGI_UNKNOWN_ROLE",
        |target| Box::pin(unknown_role_then(target)),
    ),
];

/// Without FCGI_KEEP_CONN: that the other bits do not pass for it shows in the close.
async fn unknown_flags(target: &Target<'_>) -> Found {
    let mut link = target.link().await?;
    link.send(target.get().flags(0xfe).bytes());
    target.is_usual(&link.reply(1).await?).await?;
    link.closed().await?;
    Ok("")
}

async fn reserved_bytes(target: &Target<'_>) -> Found {
    let ask = target.get();
    let mut content = ask.begin_content();
    content[3..].fill(0xff);
    let begin = record(RecordType::BeginRequest, 1, &content);
    target.usual_reply([begin, ask.params(), ask.stdin()].concat()).await?;
    Ok("")
}

async fn unknown_role(target: &Target<'_>) -> Found {
    let reply = target.reply(target.get().role(UNKNOWN).bytes()).await?;
    match reply.protocol_status() {
        ProtocolStatus::UnknownRole => Ok(""),
        status => departs(format!("the request ended with {status}")),
    }
}

async fn unknown_role_then(target: &Target<'_>) -> Found {
    let mut link = target.link().await?;
    link.send(target.get().keep().role(UNKNOWN).bytes());
    link.reply(1).await?;
    link.send(target.get().id(2).bytes());
    target.is_usual(&link.reply(2).await?).await?;
    Ok("")
}

const UNKNOWN: u16 = 9;
