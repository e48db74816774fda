//! FCGI_STDIN (sections 3.3 and 5.3).

use tower_fastcgi::record::RecordType;

use crate::check::case::{Case, Found};
use crate::check::target::Target;
use crate::check::wire::{MAX_CONTENT, stream};

pub(super) const CASES: &[Case] = &[
    Case::must("5.3", "stdin", "a body arrives", |target| Box::pin(body(target, 1000, 1000))),
    Case::must("5.3", "stdin-empty", "a body may be empty", |target| Box::pin(body(target, 0, 1))),
    Case::must("5.3", "stdin-200-kib", "a body of 200 KiB arrives", |target| {
        Box::pin(body(target, 200 * 1024, 32 * 1024))
    }),
    Case::must("3.3", "stdin-one-byte-records", "a body may be in records of one byte", |target| {
        Box::pin(body(target, 300, 1))
    }),
    Case::must(
        "3.3",
        "stdin-largest-records",
        "a body may be in records of 65535 bytes",
        |target| Box::pin(body(target, 3 * MAX_CONTENT, MAX_CONTENT)),
    ),
    Case::must("3.3", "stdin-padding", "records of a body may be padded", |target| {
        Box::pin(padded_body(target))
    }),
    Case::must("6.2", "stdin-late", "a body may come after the params", |target| {
        Box::pin(late_body(target))
    }),
    Case::must(
        "3.3",
        "stdin-unread",
        "what is left of a body does not disturb the next request",
        |target| Box::pin(unread_body(target)),
    ),
    Case::should(
        "6.2",
        "stdin-short",
        "a body shorter than CONTENT_LENGTH is no reason to wait",
        |target| Box::pin(short_body(target)),
    ),
];

fn bytes(len: usize) -> Vec<u8> {
    (0..=250).cycle().take(len).collect()
}

async fn body(target: &Target<'_>, len: usize, record: usize) -> Found {
    framed(target, len, record, 0).await
}

async fn padded_body(target: &Target<'_>) -> Found {
    framed(target, 5000, 999, 255).await
}

async fn framed(target: &Target<'_>, len: usize, record: usize, padding: u8) -> Found {
    let body = bytes(len);
    let ask = target.post(&body[..]);
    let stdin = stream(RecordType::Stdin, 1, &body, record, padding);
    let reply = target.reply([ask.begin(), ask.params(), stdin].concat()).await?;
    target.is_echo(&reply, &body)
}

async fn late_body(target: &Target<'_>) -> Found {
    let body = b"late";
    let ask = target.post(*body);
    let mut link = target.link().await?;
    link.send_apart([ask.begin(), ask.params()].concat()).await;
    link.send(ask.stdin());
    target.is_echo(&link.reply(1).await?, body)
}

/// To the path that is asked for with GET, which has no reason to read it.
async fn unread_body(target: &Target<'_>) -> Found {
    let mut link = target.link().await?;
    link.send(target.post_at(&target.options().path, bytes(256 * 1024)).keep().bytes());
    link.reply(1).await?;
    link.send(target.get().keep().bytes());
    target.is_usual(&link.reply(1).await?).await?;
    Ok("")
}

async fn short_body(target: &Target<'_>) -> Found {
    let mut ask = target.post(*b"a body of 20 bytes..");
    ask.body.truncate(5);
    let mut link = target.link().await?;
    link.send(ask.bytes());
    link.closed_at_last().await?;
    Ok("")
}
