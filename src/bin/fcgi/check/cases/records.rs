//! Records, padding, ids (section 3.3).

use tower_fastcgi::record::RecordType;

use crate::check::ask::Ask;
use crate::check::case::{Case, Found, departs};
use crate::check::target::Target;
use crate::check::wire::{padded, record, stream};

pub(super) const CASES: &[Case] = &[
    Case::must("3.3", "padding-begin", "padding of FCGI_BEGIN_REQUEST is skipped", |target| {
        Box::pin(padding(target, [7, 0, 0]))
    }),
    Case::must("3.3", "padding-7", "padding of 7 bytes is skipped", |target| {
        Box::pin(padding(target, [0, 7, 0]))
    }),
    Case::must("3.3", "padding-255", "padding of 255 bytes is skipped", |target| {
        Box::pin(padding(target, [0, 255, 0]))
    }),
    Case::must(
        "3.3",
        "padding-ends",
        "padding of the empty records that end streams is skipped",
        |target| Box::pin(padding(target, [0, 0, 7])),
    ),
    Case::should(
        "3.3",
        "reserved-byte",
        "the reserved byte of a header may be anything",
        |target| Box::pin(reserved_byte(target)),
    ),
    Case::must("3.3", "cut-header", "a header may arrive in two parts", |target| {
        Box::pin(cut_header(target))
    }),
    Case::must("3.3", "byte-by-byte", "records may arrive a few bytes at a time", |target| {
        Box::pin(bytes_by_themselves(target))
    }),
    Case::must("3.3", "id-256", "an id may have a low byte of 0", |target| {
        Box::pin(other_id(target, 256))
    }),
    Case::must("3.3", "id-65535", "an id may be the highest there is", |target| {
        Box::pin(other_id(target, 65_535))
    }),
    Case::must(
        "3.3",
        "inactive-id-before",
        "records for an id that was never begun are ignored",
        |target| Box::pin(inactive_id_before(target)),
    ),
    Case::must(
        "3.3",
        "inactive-id-after",
        "records for an id that has ended are ignored",
        |target| Box::pin(inactive_id_after(target)),
    ),
    Case::must(
        "3.3",
        "inactive-id-between",
        "records for another id do not disturb a request",
        |target| Box::pin(inactive_id_between(target)),
    ),
    Case::should(
        "3.3",
        "wrong-version",
        "a record of another version ends the connection",
        |target| Box::pin(wrong_version(target)),
    ),
];

/// Pads FCGI_BEGIN_REQUEST, what streams consist of, and what ends them.
async fn padding(target: &Target<'_>, [of_begin, of_streams, of_ends]: [u8; 3]) -> Found {
    let body = b"padded";
    let ask = match target.options().echo_path {
        Some(_) => target.post(*body),
        None => target.get(),
    };
    let begin = padded(RecordType::BeginRequest, 1, &ask.begin_content(), of_begin);
    let stream = |record_type, content: &[u8]| {
        let whole = padded(record_type, 1, content, of_streams);
        let whole = if content.is_empty() { Vec::new() } else { whole };
        [whole, padded(record_type, 1, &[], of_ends)].concat()
    };
    let params = stream(RecordType::Params, &ask.pairs());
    let stdin = stream(RecordType::Stdin, &ask.body);
    let reply = target.reply([begin, params, stdin].concat()).await?;
    match target.options().echo_path {
        Some(_) => target.is_echo(&reply, body),
        None => target.is_usual(&reply).await.map(|()| ""),
    }
}

async fn reserved_byte(target: &Target<'_>) -> Found {
    let ask = target.get();
    let mut records = [ask.begin(), ask.params(), ask.stdin()];
    records.iter_mut().for_each(|record| record[7] = 0xff);
    target.usual_reply(records.concat()).await?;
    Ok("")
}

async fn cut_header(target: &Target<'_>) -> Found {
    let bytes = target.get().bytes();
    let mut link = target.link().await?;
    for part in [&bytes[..3], &bytes[3..19], &bytes[19..]] {
        link.send_apart(part).await;
    }
    target.is_usual(&link.reply(1).await?).await?;
    Ok("")
}

async fn bytes_by_themselves(target: &Target<'_>) -> Found {
    let mut link = target.link().await?;
    for part in target.get().bytes().chunks(5) {
        link.send(part);
        tokio::task::yield_now().await;
    }
    target.is_usual(&link.reply(1).await?).await?;
    Ok("")
}

async fn other_id(target: &Target<'_>, id: u16) -> Found {
    let mut link = target.link().await?;
    link.send(target.get().id(id).bytes());
    target.is_usual(&link.reply(id).await?).await?;
    Ok("")
}

async fn inactive_id_before(target: &Target<'_>) -> Found {
    let strays = strays(&target.get().id(2));
    target.usual_reply([strays, target.get().bytes()].concat()).await?;
    Ok("")
}

async fn inactive_id_after(target: &Target<'_>) -> Found {
    let ask = target.get().keep();
    let mut link = target.link().await?;
    link.send(ask.bytes());
    target.is_usual(&link.reply(1).await?).await?;
    link.send_apart(strays(&ask)).await;
    link.send(ask.bytes());
    target.is_usual(&link.reply(1).await?).await?;
    Ok("")
}

async fn inactive_id_between(target: &Target<'_>) -> Found {
    let ask = target.get();
    let strays = strays(&target.get().id(2));
    target.usual_reply([ask.begin(), strays, ask.params(), ask.stdin()].concat()).await?;
    Ok("")
}

/// What may still be under way for a request that nobody waits for any more.
fn strays(ask: &Ask) -> Vec<u8> {
    let abort = record(RecordType::AbortRequest, ask.id, &[]);
    let stdin = stream(RecordType::Stdin, ask.id, b"late", 3, 1);
    [stdin, abort].concat()
}

async fn wrong_version(target: &Target<'_>) -> Found {
    let mut bytes = target.get().keep().bytes();
    bytes[0] = 2;
    let mut link = target.link().await?;
    link.send(bytes);
    while let Some(record) = link.record().await? {
        if record.record_type() == RecordType::Stdout {
            return departs("it is answered as if it were version 1");
        }
    }
    Ok("")
}
