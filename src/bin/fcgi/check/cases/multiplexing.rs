//! Several requests on a connection at a time (sections 3.3, 4.1 and 5.5).

use tower_fastcgi::record::{ProtocolStatus, RecordType};

use crate::check::case::{Case, Found, departs, permitted};
use crate::check::target::Target;
use crate::check::wire::{MAX_CONTENT, record};

pub(super) const CASES: &[Case] = &[
    Case::must(
        "5.5",
        "second-begin",
        "a second request at a time is served, or refused with FCGI_CANT_MPX_CONN",
        |target| Box::pin(second_begin(target)),
    ),
    Case::must(
        "3.3",
        "interleaved",
        "params and bodies of two requests may be interleaved",
        |target| Box::pin(interleaved(target)),
    ),
    Case::should(
        "3.3",
        "not-held-up",
        "a request is answered while another one waits for its body",
        |target| Box::pin(not_held_up(target)),
    ),
    Case::must(
        "4.1",
        "max-reqs",
        "as many requests as FCGI_MAX_REQS says are taken at a time",
        |target| Box::pin(max_requests(target)),
    ),
    Case::must("5.4", "abort-one", "an abort ends one request and no other", |target| {
        Box::pin(abort_one(target))
    }),
];

/// Whoever does not promise to multiplex need not.
async fn promised(target: &Target<'_>) -> Found<()> {
    match (target.multiplexes().await, target.values().await) {
        (true, _) => Ok(()),
        (false, Some(_)) => permitted("FCGI_MPXS_CONNS is 0"),
        (false, None) => permitted("FCGI_GET_VALUES is not answered"),
    }
}

async fn second_begin(target: &Target<'_>) -> Found {
    let (first, second) = (target.post(*b"first").keep(), target.get().keep().id(2));
    let mut link = target.link().await?;
    link.send_apart([first.begin(), first.params(), second.bytes()].concat()).await;
    link.send(first.stdin());
    let replies = link.replies(&[1, 2]).await?;
    target.is_echo(&replies[&1], b"first")?;
    match replies[&2].protocol_status() {
        ProtocolStatus::CantMpxConn if target.multiplexes().await => {
            departs("it is refused, though FCGI_MPXS_CONNS is 1")
        }
        ProtocolStatus::CantMpxConn => Ok("refused"),
        _ => target.is_usual(&replies[&2]).await.map(|()| "served"),
    }
}

async fn interleaved(target: &Target<'_>) -> Found {
    promised(target).await?;
    let bodies = [b"the first".to_vec(), b"the other".to_vec()];
    let [first, second] =
        [1, 2].map(|id| target.post(&bodies[usize::from(id) - 1][..]).id(id).keep());
    let params = interleave(RecordType::Params, [&first.pairs(), &second.pairs()], MAX_CONTENT);
    let stdin = interleave(RecordType::Stdin, [&first.body, &second.body], 4);
    let mut link = target.link().await?;
    link.send([first.begin(), second.begin(), params, stdin].concat());
    let replies = link.replies(&[1, 2]).await?;
    target.is_echo(&replies[&1], &bodies[0])?;
    target.is_echo(&replies[&2], &bodies[1])
}

/// The same stream of two requests, a record of the one after one of the other.
fn interleave(record_type: RecordType, contents: [&[u8]; 2], size: usize) -> Vec<u8> {
    let [mut first, mut second] = contents.map(|content| content.chunks(size).chain([&[][..]]));
    let mut bytes = Vec::new();
    loop {
        let parts = [first.next(), second.next()];
        if parts == [None, None] {
            return bytes;
        }
        for (part, id) in parts.into_iter().zip(1..) {
            bytes.extend(part.map(|part| record(record_type, id, part)).unwrap_or_default());
        }
    }
}

async fn not_held_up(target: &Target<'_>) -> Found {
    promised(target).await?;
    let (first, second) = (target.post(*b"first").keep(), target.get().keep().id(2));
    let mut link = target.link().await?;
    link.send([first.begin(), first.params(), second.bytes()].concat());
    // Without --echo-path the first may be answered without its body.
    let early = match &target.options().echo_path {
        Some(_) => link.reply(2).await?,
        None => link.replies(&[1, 2]).await?.remove(&2).expect("it was waited for"),
    };
    target.is_usual(&early).await?;
    Ok("")
}

async fn max_requests(target: &Target<'_>) -> Found {
    promised(target).await?;
    let Some(most) = target.max_requests().await else {
        return permitted("FCGI_MAX_REQS is not told");
    };
    let count = u16::try_from(most.clamp(1, ENOUGH)).expect("ENOUGH is a u16");
    let ids: Vec<u16> = (1..=count).collect();
    let asks: Vec<_> = ids.iter().map(|&id| target.post(*b"one of many").keep().id(id)).collect();
    let mut link = target.link().await?;
    asks.iter().for_each(|ask| link.send([ask.begin(), ask.params()].concat()));
    asks.iter().for_each(|ask| link.send(ask.stdin()));
    let replies = link.replies(&ids).await?;
    replies.values().try_for_each(|reply| target.is_echo(reply, b"one of many").map(|_| ()))?;
    Ok("")
}

async fn abort_one(target: &Target<'_>) -> Found {
    promised(target).await?;
    let (first, second) = (target.post(*b"first").keep(), target.post(*b"second").keep().id(2));
    let mut link = target.link().await?;
    link.send([first.begin(), first.params(), second.begin(), second.params()].concat());
    link.send(record(RecordType::AbortRequest, 1, &[]));
    link.send(second.stdin());
    let replies = link.replies(&[1, 2]).await?;
    replies[&1].completed()?;
    target.is_echo(&replies[&2], b"second")
}

/// More at a time say nothing new.
const ENOUGH: u64 = 50;
