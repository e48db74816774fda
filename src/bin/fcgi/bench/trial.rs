use tower_fastcgi::client::conn::Values;

use super::expected::Expected;
use super::plan::Plan;
use super::slot::{self, Slot};
use super::trouble::{Kind, Trouble, within};
use crate::connect::connect;
use crate::failure::{Exit, Failure, Outcome};

/// Finds out, before anything is measured, whether the application does what is asked of it, and what its responses are.
pub(super) async fn run(plan: &Plan) -> Outcome<Expected> {
    drop(connect(&plan.address, Some(plan.timeout)).await?);
    if plan.multiplex > 1 {
        let opened = within(plan.timeout, slot::open(plan)).await;
        let (_, values) = opened.map_err(|trouble| match trouble.kind {
            // The connection was closed in place of an answer.
            Kind::Incomplete => not_multiplexing(&trouble.message),
            _ => failure(&trouble),
        })?;
        is_allowed(plan, values.as_ref())?;
    }
    let slot = Slot::default();
    let first = within(plan.timeout, ask(plan, &slot)).await.map_err(|it| failure(&it))?;
    if plan.is_any_right {
        return Ok(first);
    }
    if first.status.is_client_error() || first.status.is_server_error() {
        let (method, uri) = (plan.request.method(), plan.request.uri());
        let message = format!("{method} {uri} is answered with {}", first.status.as_u16());
        return Err(Failure::new(Exit::Status, message).advise("--any measures it all the same"));
    }
    let second = within(plan.timeout, async { first.check(slot.send(plan).await?).await });
    match second.await {
        Ok(_) => Ok(first),
        Err(trouble) if matches!(trouble.kind, Kind::Status | Kind::Body) => {
            let message = format!("two responses differ: {}", trouble.message);
            Err(Failure::new(Exit::Findings, message)
                .advise("--any takes every response for right"))
        }
        Err(trouble) => Err(failure(&trouble)),
    }
}

async fn ask(plan: &Plan, slot: &Slot) -> Result<Expected, Trouble> {
    Expected::read(slot.send(plan).await?).await
}

fn is_allowed(plan: &Plan, values: Option<&Values>) -> Outcome {
    let Some(values) = values else {
        return Err(not_multiplexing("it does not answer FCGI_GET_VALUES"));
    };
    if values.mpxs_conns != Some(true) {
        return Err(not_multiplexing("FCGI_MPXS_CONNS is not 1"));
    }
    match values.max_reqs {
        Some(most) if most < u64::from(plan.multiplex) => {
            let message =
                format!("the application takes {most} requests at a time (FCGI_MAX_REQS)");
            let advice = format!("--multiplex {most} is the most");
            Err(Failure::new(Exit::Usage, message).advise(advice))
        }
        _ => Ok(()),
    }
}

fn not_multiplexing(why: &str) -> Failure {
    let message = format!("the application takes one request at a time on a connection: {why}");
    Failure::new(Exit::Usage, message)
        .advise("leave --multiplex out, and use more connections with -c")
}

fn failure(trouble: &Trouble) -> Failure {
    let exit = match trouble.kind {
        Kind::Connect => Exit::Connect,
        Kind::Timeout => Exit::Timeout,
        Kind::Incomplete => Exit::Partial,
        Kind::Io => Exit::Receive,
        Kind::Protocol => Exit::Foreign,
        Kind::Refused => Exit::Refused,
        Kind::Status | Kind::Body => Exit::Findings,
        Kind::Request => Exit::Usage,
    };
    Failure::new(exit, &trouble.message).advise("fcgi request -v shows what comes")
}
