//! Name-value pairs and FCGI_PARAMS (sections 3.4 and 5.2).

use tower_fastcgi::record::RecordType;

use crate::check::ask::Ask;
use crate::check::case::{Case, Found, departs};
use crate::check::reply::Reply;
use crate::check::target::Target;
use crate::check::wire::{stream, stream_cut_at};

pub(super) const CASES: &[Case] = &[
    Case::must("3.4", "pair-long-lengths", "lengths below 128 may have four bytes", |target| {
        Box::pin(long_lengths(target))
    }),
    Case::must("3.4", "pair-127", "a value of 127 bytes arrives", |target| {
        Box::pin(value_of(target, 127))
    }),
    Case::must("3.4", "pair-128", "a value of 128 bytes arrives", |target| {
        Box::pin(value_of(target, 128))
    }),
    Case::must("3.4", "pair-empty-value", "a value may be empty", |target| {
        Box::pin(value_of(target, 0))
    }),
    Case::must(
        "3.3",
        "params-two-records",
        "params may be in two records, cut between two pairs",
        |target| Box::pin(cut_between_pairs(target)),
    ),
    Case::must(
        "3.3",
        "params-cut-in-length",
        "a record may end within the lengths of a pair",
        |target| Box::pin(cut(target, Cut::Lengths)),
    ),
    Case::must(
        "3.3",
        "params-cut-in-long-length",
        "a record may end within a length of four bytes",
        |target| Box::pin(cut(target, Cut::LongLength)),
    ),
    Case::must("3.3", "params-cut-in-name", "a record may end within a name", |target| {
        Box::pin(cut(target, Cut::Name))
    }),
    Case::must("3.3", "params-cut-in-value", "a record may end within a value", |target| {
        Box::pin(cut(target, Cut::Value))
    }),
    Case::must(
        "3.3",
        "params-one-byte-records",
        "params may be in records of one byte",
        |target| Box::pin(one_byte_records(target)),
    ),
    Case::should("5.2", "params-80-kib", "params may be longer than a record", |target| {
        Box::pin(large(target))
    }),
];

/// A request with a param that can be looked for.
fn marked(target: &Target<'_>, value: &str) -> Ask {
    let path = target.options().params_path.as_ref().unwrap_or(&target.options().path);
    let mut ask = target.get_at(path);
    ask.params.insert(3, (MARK.to_owned(), value.to_owned()));
    ask
}

/// Whether the param came to the application as it was sent.
async fn is_marked(target: &Target<'_>, reply: &Reply, value: &str) -> Found {
    if target.options().params_path.is_none() {
        return is_answered(target, reply).await;
    }
    reply.completed()?;
    let line = format!("{MARK}={value}");
    let mut lines = reply.body()?.split(|&byte| byte == b'\n');
    match lines.any(|found| found.trim_ascii_end() == line.as_bytes()) {
        true => Ok(""),
        false => departs(format!("a param of {} bytes did not arrive", value.len())),
    }
}

/// An application may show its params, and then no body is the usual one.
async fn is_answered(target: &Target<'_>, reply: &Reply) -> Found {
    target.is_answered_as_usual(reply).await?;
    let plain = target.reply(marked(target, "shown").bytes()).await?;
    if target.has_usual_body(&plain).await {
        target.is_usual(reply).await?;
    }
    Ok("answered; with --params-path the param would be compared")
}

async fn ask(target: &Target<'_>, ask: &Ask, params: Vec<u8>, value: &str) -> Found {
    let reply = target.reply([ask.begin(), params, ask.stdin()].concat()).await?;
    is_marked(target, &reply, value).await
}

async fn long_lengths(target: &Target<'_>) -> Found {
    let request = marked(target, "long");
    let long =
        |text: &str| (u32::try_from(text.len()).expect("params are short") | 1 << 31).to_be_bytes();
    let mut pairs = Vec::new();
    for (name, value) in &request.params {
        pairs.extend([long(name), long(value)].concat());
        pairs.extend([name.as_bytes(), value.as_bytes()].concat());
    }
    ask(target, &request, stream(RecordType::Params, 1, &pairs, 60_000, 0), "long").await
}

async fn value_of(target: &Target<'_>, len: usize) -> Found {
    let value = "v".repeat(len);
    let request = marked(target, &value);
    ask(target, &request, request.params(), &value).await
}

async fn cut_between_pairs(target: &Target<'_>) -> Found {
    let request = marked(target, "cut");
    let mut first = request.clone();
    first.params.truncate(4);
    let params = stream_cut_at(RecordType::Params, 1, &request.pairs(), first.pairs().len());
    ask(target, &request, params, "cut").await
}

/// Where a pair is cut.
enum Cut {
    Lengths,
    LongLength,
    Name,
    Value,
}

async fn cut(target: &Target<'_>, cut: Cut) -> Found {
    let value = "v".repeat(200);
    let request = marked(target, &value);
    let mut before = request.clone();
    before.params.truncate(3);
    // One byte for the length of the name, four for that of the value.
    let within = match cut {
        Cut::Lengths => 1,
        Cut::LongLength => 3,
        Cut::Name => 5 + 4,
        Cut::Value => 5 + MARK.len() + 100,
    };
    let at = before.pairs().len() + within;
    let params = stream_cut_at(RecordType::Params, 1, &request.pairs(), at);
    ask(target, &request, params, &value).await
}

async fn one_byte_records(target: &Target<'_>) -> Found {
    let request = marked(target, "single");
    let params = stream(RecordType::Params, 1, &request.pairs(), 1, 0);
    ask(target, &request, params, "single").await
}

/// Whole pairs in each record: that some cannot be cut is another matter.
async fn large(target: &Target<'_>) -> Found {
    let value = "v".repeat(10_000);
    let request = marked(target, &value);
    let rest = (0..7).map(|index| {
        let large = Ask::new(Vec::new(), Vec::new());
        large.param(&format!("{MARK}_{index}"), &"w".repeat(10_000)).pairs()
    });
    let records = [request.pairs()].into_iter().chain(rest).chain([Vec::new()]);
    let records: Vec<u8> = records
        .flat_map(|pairs| crate::check::wire::record(RecordType::Params, 1, &pairs))
        .collect();
    ask(target, &request, records, &value).await
}

/// A header, for some applications show nothing else of what they do not know.
const MARK: &str = "HTTP_X_CHECK";
