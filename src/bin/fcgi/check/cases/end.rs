//! How a response ends (sections 3.3, 5.5 and 6.1).

use crate::check::case::{Case, Found, departs, unclear};
use crate::check::target::Target;

pub(super) const CASES: &[Case] = &[
    Case::must(
        "5.5",
        "end-once",
        "a response ends with one FCGI_END_REQUEST that says FCGI_REQUEST_COMPLETE",
        |target| Box::pin(end_once(target)),
    ),
    Case::must(
        "5.5",
        "end-is-last",
        "nothing follows FCGI_END_REQUEST on a kept connection",
        |target| Box::pin(end_is_last(target)),
    ),
    Case::must(
        "3.3",
        "stdout-ended",
        "an empty record ends FCGI_STDOUT before FCGI_END_REQUEST",
        |target| Box::pin(stdout_ended(target)),
    ),
    Case::must(
        "3.3",
        "stderr-ended",
        "an empty record ends FCGI_STDERR before FCGI_END_REQUEST",
        |target| Box::pin(stderr_ended(target)),
    ),
];

async fn end_once(target: &Target<'_>) -> Found {
    let mut link = target.link().await?;
    link.send(target.get().bytes());
    link.reply(1).await?.completed()?;
    match link.record().await {
        Ok(Some(record)) => departs(format!("{} came behind it", record.record_type())),
        // Whether the connection is closed is another matter.
        _ => Ok(""),
    }
}

async fn end_is_last(target: &Target<'_>) -> Found {
    let mut link = target.link().await?;
    link.send(target.get().keep().bytes());
    link.reply(1).await?.completed()?;
    link.quiet().await?;
    Ok("")
}

async fn stdout_ended(target: &Target<'_>) -> Found {
    let reply = target.reply(target.get().bytes()).await?;
    match reply.stdout.is_ended {
        true => Ok(""),
        false => departs("there is no such record"),
    }
}

async fn stderr_ended(target: &Target<'_>) -> Found {
    let path = target.path_of(&target.options().stderr_path, "--stderr-path")?;
    let reply = target.reply(target.get_at(path).bytes()).await?;
    reply.completed()?;
    match (reply.stderr.bytes.is_empty(), reply.stderr.is_ended) {
        (true, _) => unclear("nothing came on FCGI_STDERR"),
        (false, true) => Ok(""),
        (false, false) => departs("there is no such record"),
    }
}
