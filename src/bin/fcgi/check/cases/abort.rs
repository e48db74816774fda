//! FCGI_ABORT_REQUEST (section 5.4).

use tower_fastcgi::record::RecordType;

use crate::check::case::{Case, Found};
use crate::check::target::Target;
use crate::check::wire::record;

pub(super) const CASES: &[Case] = &[
    Case::must(
        "5.4",
        "abort-within-params",
        "a request aborted within its params ends with FCGI_END_REQUEST",
        |target| Box::pin(within_params(target)),
    ),
    Case::must(
        "5.4",
        "abort-within-body",
        "a request aborted within its body ends with FCGI_END_REQUEST",
        |target| Box::pin(within_body(target)),
    ),
    Case::must(
        "5.4",
        "abort-then",
        "nothing follows the end of an aborted request, and a kept connection serves the next",
        |target| Box::pin(then_another(target)),
    ),
];

fn abort() -> Vec<u8> {
    record(RecordType::AbortRequest, 1, &[])
}

async fn within_params(target: &Target<'_>) -> Found {
    let ask = target.get();
    let some = record(RecordType::Params, 1, &ask.pairs());
    target.reply([ask.begin(), some, abort()].concat()).await?.completed()?;
    Ok("")
}

async fn within_body(target: &Target<'_>) -> Found {
    let ask = target.post(vec![b'x'; 1000]);
    let some = record(RecordType::Stdin, 1, b"xxxxx");
    let mut link = target.link().await?;
    link.send_apart([ask.begin(), ask.params(), some].concat()).await;
    link.send(abort());
    link.reply(1).await?.completed()?;
    Ok("")
}

async fn then_another(target: &Target<'_>) -> Found {
    let ask = target.post(vec![b'x'; 1000]).keep();
    let some = record(RecordType::Stdin, 1, b"xxxxx");
    let mut link = target.link().await?;
    link.send_apart([ask.begin(), ask.params(), some].concat()).await;
    link.send(abort());
    link.reply(1).await?;
    link.quiet().await?;
    link.send(target.get().bytes());
    target.is_usual(&link.reply(1).await?).await?;
    Ok("")
}
