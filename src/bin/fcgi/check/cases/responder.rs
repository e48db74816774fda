//! Responders (section 6.2).

use crate::check::case::{Case, Found, departs};
use crate::check::target::Target;

pub(super) const CASES: &[Case] = &[
    Case::must("6.2", "get", "a GET is answered", |target| Box::pin(get(target))),
    Case::must("6.2", "head-of-cgi", "the response has a head as CGI wants it", |target| {
        Box::pin(head_of_cgi(target))
    }),
    Case::must("6.2", "content-length", "Content-Length is the length of the body", |target| {
        Box::pin(content_length(target))
    }),
    Case::must("6.2", "large-response", "a response of more than 64 KiB comes whole", |target| {
        Box::pin(large_response(target))
    }),
];

async fn get(target: &Target<'_>) -> Found {
    let reply = target.reply(target.get().bytes()).await?;
    reply.completed()?;
    match reply.stdout.bytes.is_empty() {
        true => departs("FCGI_STDOUT is empty"),
        false => Ok(""),
    }
}

async fn head_of_cgi(target: &Target<'_>) -> Found {
    target.reply(target.get().bytes()).await?.head()?;
    Ok("")
}

async fn content_length(target: &Target<'_>) -> Found {
    let reply = target.reply(target.get().bytes()).await?;
    match (reply.head()?.content_length, reply.body()?.len()) {
        (None, _) => Ok("it is not told"),
        (Some(told), len) if told == len => Ok(""),
        (Some(told), len) => departs(format!("it is {told}, and the body has {len} bytes")),
    }
}

async fn large_response(target: &Target<'_>) -> Found {
    let path = target.path_of(&target.options().large_path, "--large-path")?;
    let reply = target.reply(target.get_at(path).bytes()).await?;
    reply.completed()?;
    let (told, len) = (reply.head()?.content_length, reply.body()?.len());
    if told.is_some_and(|told| told != len) {
        return departs(format!("{len} bytes came instead of {}", told.unwrap_or_default()));
    }
    match len > 64 * 1024 {
        true => Ok(""),
        false => crate::check::case::unclear(format!("the response has {len} bytes only")),
    }
}
