//! Who closes a connection, and when (sections 3.5 and 5.1).

use crate::check::case::{Case, Found};
use crate::check::target::Target;

pub(super) const CASES: &[Case] = &[
    Case::must(
        "5.1",
        "no-keep-closes",
        "without FCGI_KEEP_CONN the connection is closed behind the response",
        |target| Box::pin(no_keep_closes(target)),
    ),
    Case::must(
        "5.1",
        "keep-stays-open",
        "with FCGI_KEEP_CONN the connection stays open",
        |target| Box::pin(keep_stays_open(target)),
    ),
    Case::must("3.5", "second-request", "a kept connection takes a second request", |target| {
        Box::pin(several(target, &[1, 1]))
    }),
    Case::must("3.5", "second-id", "the second request may have another id", |target| {
        Box::pin(several(target, &[1, 2, 300]))
    }),
    Case::must(
        "3.5",
        "last-request",
        "a kept connection is closed behind the first request without FCGI_KEEP_CONN",
        |target| Box::pin(last_request(target)),
    ),
    Case::should(
        "3.5",
        "end-within-record",
        "a connection that ends within a record is closed",
        |target| Box::pin(end_within_record(target)),
    ),
    Case::should(
        "3.5",
        "end-while-idle",
        "a kept connection that the web server closes is closed",
        |target| Box::pin(end_while_idle(target)),
    ),
];

async fn no_keep_closes(target: &Target<'_>) -> Found {
    let mut link = target.link().await?;
    link.send(target.get().bytes());
    target.is_usual(&link.reply(1).await?).await?;
    link.closed().await?;
    Ok("")
}

async fn keep_stays_open(target: &Target<'_>) -> Found {
    let mut link = target.link().await?;
    link.send(target.get().keep().bytes());
    target.is_usual(&link.reply(1).await?).await?;
    link.quiet().await?;
    Ok("")
}

async fn several(target: &Target<'_>, ids: &[u16]) -> Found {
    let mut link = target.link().await?;
    for &id in ids {
        link.send(target.get().keep().id(id).bytes());
        target.is_usual(&link.reply(id).await?).await?;
    }
    Ok("")
}

async fn last_request(target: &Target<'_>) -> Found {
    let mut link = target.link().await?;
    for ask in [target.get().keep(), target.get()] {
        link.send(ask.bytes());
        target.is_usual(&link.reply(1).await?).await?;
    }
    link.closed().await?;
    Ok("")
}

async fn end_within_record(target: &Target<'_>) -> Found {
    let ask = target.get();
    let mut link = target.link().await?;
    link.send([&ask.begin()[..], &ask.params()[..20]].concat());
    link.end_writing();
    link.closed_at_last().await?;
    Ok("")
}

async fn end_while_idle(target: &Target<'_>) -> Found {
    let mut link = target.link().await?;
    link.send(target.get().keep().bytes());
    target.is_usual(&link.reply(1).await?).await?;
    link.end_writing();
    link.closed().await?;
    Ok("")
}
