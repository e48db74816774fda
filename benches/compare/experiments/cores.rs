//! How many processors the requests of one connection keep busy.

use std::time::Duration;

use super::Session;
use crate::content::HELLO;
use crate::load::{Exchange, Load, Plan, Protocol, Result, Until, Waiting};
use crate::process::settle;
use crate::servers::{Running, Server, Threads, Transport};

pub(super) fn start(session: &Session, server: Server) -> Result<(Running, Plan)> {
    let running = session.starter.start(server, Transport::Unix, Threads::Two)?;
    let protocol = server.protocol();
    let exchange = Exchange::get("/busy", HELLO);
    let plan = Plan::new(running.address.clone(), protocol, exchange);
    let plan = Plan { waiting: Waiting::Sleep, ..plan };
    match protocol {
        Protocol::FastCgi => Ok((running, Plan { connections: 1, multiplexed: 32, ..plan })),
        Protocol::Http => Ok((running, plan)),
    }
}

pub(super) fn round(session: &Session, running: &Running, plan: &Plan) -> Result<Vec<f64>> {
    session.starter.cores.run_anywhere()?;
    let used = processors(session, running.process.id(), plan);
    session.starter.cores.run_on_loads()?;
    Ok(vec![used?])
}

fn processors(session: &Session, pid: u32, plan: &Plan) -> Result<f64> {
    let window = Duration::from_millis(if session.quick { 100 } else { 300 });
    let mut load = Load::open(plan)?;
    load.run(Until::Elapsed(Duration::from_millis(20)))?;
    let before = settle(pid)?;
    let done = load.run(Until::Elapsed(window))?;
    Ok((settle(pid)? - before).div_duration_f64(done.elapsed))
}
