//! Management records (section 4).

use tower_fastcgi::record::{RecordType, UnknownType};

use crate::check::case::{Case, Found, departs};
use crate::check::link::Link;
use crate::check::target::{KNOWN, Target, Values, names, read_values};
use crate::check::wire::record;

pub(super) const CASES: &[Case] = &[
    Case::must(
        "4.1",
        "get-values",
        "FCGI_GET_VALUES is answered with some of the variables it names",
        |target| Box::pin(known(target)),
    ),
    Case::must(
        "4.1",
        "get-values-unknown",
        "a name that is not known is left out of the answer",
        |target| Box::pin(unknown_name(target)),
    ),
    Case::must("4.1", "get-values-empty", "a query that names nothing is answered", |target| {
        Box::pin(empty(target))
    }),
    Case::must("4.1", "get-values-once", "the answer is one record", |target| {
        Box::pin(once(target))
    }),
    Case::must(
        "4.1",
        "get-values-first",
        "the connection serves requests behind the answer",
        |target| Box::pin(first(target)),
    ),
    Case::must("4.1", "get-values-between", "a query between two requests is answered", |target| {
        Box::pin(between(target))
    }),
    Case::must("4.1", "get-values-within", "a query within a request is answered", |target| {
        Box::pin(within(target))
    }),
    Case::must(
        "4.2",
        "unknown-type",
        "FCGI_UNKNOWN_TYPE answers a management record of unknown type",
        |target| Box::pin(unknown_type(target)),
    ),
    Case::must(
        "4.2",
        "unknown-type-first",
        "the connection serves requests behind FCGI_UNKNOWN_TYPE",
        |target| Box::pin(unknown_type_first(target)),
    ),
];

fn query(names_of: &[&str]) -> Vec<u8> {
    record(RecordType::GetValues, 0, &names(names_of))
}

async fn answer(link: &mut Link) -> Found<Values> {
    let record = link.some_record().await?;
    match record.record_type() {
        RecordType::GetValuesResult if record.id() == 0 => read_values(&record.content),
        RecordType::GetValuesResult => departs(format!("the answer has id {}", record.id())),
        other => departs(format!("{other} came instead of FCGI_GET_VALUES_RESULT")),
    }
}

async fn ask(target: &Target<'_>, names: &[&str]) -> Found<Values> {
    let mut link = target.link().await?;
    link.send(query(names));
    answer(&mut link).await
}

async fn known(target: &Target<'_>) -> Found {
    let values = ask(target, &KNOWN).await?;
    if values.is_empty() {
        return departs("the answer has no values");
    }
    for (name, value) in values {
        let is_number = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
        if !KNOWN.contains(&&*name) {
            return departs(format!("the answer has {name:?}, which nobody asked for"));
        }
        if !is_number {
            return departs(format!("{name} is {value:?}"));
        }
    }
    Ok("")
}

async fn unknown_name(target: &Target<'_>) -> Found {
    let values = ask(target, &[KNOWN[1], UNKNOWN]).await?;
    match values.iter().any(|(name, _)| name == UNKNOWN) {
        true => departs("the answer has it"),
        false => Ok(""),
    }
}

async fn empty(target: &Target<'_>) -> Found {
    let values = ask(target, &[]).await?;
    match values.first() {
        Some((name, _)) => departs(format!("the answer has {name}, which nobody asked for")),
        None => Ok(""),
    }
}

async fn once(target: &Target<'_>) -> Found {
    let mut link = target.link().await?;
    link.send(query(&KNOWN));
    answer(&mut link).await?;
    link.send_apart([]).await;
    link.send(target.get().bytes());
    // Closing the connection is another matter.
    match link.record().await? {
        Some(record) if record.id() == 0 => {
            departs(format!("a second record came behind it: {}", record.record_type()))
        }
        _ => Ok(""),
    }
}

/// Leaves out further answers, which are another matter.
async fn first(target: &Target<'_>) -> Found {
    let mut link = target.link().await?;
    link.send(query(&KNOWN));
    answer(&mut link).await?;
    link.send(target.get().bytes());
    serve(target, &mut link).await
}

async fn between(target: &Target<'_>) -> Found {
    let mut link = target.link().await?;
    link.send(target.get().keep().bytes());
    target.is_usual(&link.reply(1).await?).await?;
    link.send(query(&KNOWN));
    answer(&mut link).await?;
    link.send(target.get().bytes());
    serve(target, &mut link).await
}

async fn within(target: &Target<'_>) -> Found {
    let ask = target.get();
    let mut link = target.link().await?;
    link.send([ask.begin(), query(&KNOWN)].concat());
    answer(&mut link).await?;
    link.send([ask.params(), ask.stdin()].concat());
    serve(target, &mut link).await
}

async fn serve(target: &Target<'_>, link: &mut Link) -> Found {
    let mut reply = crate::check::reply::Reply::default();
    while !reply.is_ended() {
        let Some(record) = link.record().await? else {
            return departs("the connection is closed behind the answer");
        };
        if record.id() != 0 {
            reply.take(&record)?;
        }
    }
    target.is_usual(&reply).await?;
    Ok("")
}

async fn unknown_type(target: &Target<'_>) -> Found {
    let mut link = target.link().await?;
    link.send(record(RecordType::Other(UNKNOWN_TYPE), 0, b"content"));
    unknown_answer(&mut link).await?;
    Ok("")
}

async fn unknown_type_first(target: &Target<'_>) -> Found {
    let mut link = target.link().await?;
    link.send(record(RecordType::Other(UNKNOWN_TYPE), 0, b"content"));
    unknown_answer(&mut link).await?;
    link.send(target.get().bytes());
    serve(target, &mut link).await
}

async fn unknown_answer(link: &mut Link) -> Found<()> {
    let record = link.some_record().await?;
    if record.record_type() != RecordType::UnknownType {
        return departs(format!("{} came instead of FCGI_UNKNOWN_TYPE", record.record_type()));
    }
    match UnknownType::decode(&record.content) {
        Some(UnknownType(UNKNOWN_TYPE)) if record.id() == 0 => Ok(()),
        Some(UnknownType(UNKNOWN_TYPE)) => departs(format!("the answer has id {}", record.id())),
        Some(UnknownType(other)) => {
            departs(format!("the answer names type {other} instead of {UNKNOWN_TYPE}"))
        }
        None => departs(format!("its content has {} bytes instead of 8", record.content.len())),
    }
}

const UNKNOWN: &str = "FCGI_CHECK_UNKNOWN";
const UNKNOWN_TYPE: u8 = 100;
