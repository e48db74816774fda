//! Several instances of the application behind a web server, under load, with the files of `examples/balanced/`.

use std::fs;
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use libtest_mimic::{Failed, Trial};
use rustix::process::Signal;

use crate::BOUND;
use crate::client;
use crate::config::replace;
use crate::load::{Load, ask};
use crate::process::POLL;
use crate::site::{Instance, Site, assert_ends, directory};
use crate::software::Software;
use crate::table::{Balancer, Event, HELD, Loss, Losses, Row, rows};

pub(crate) fn trials() -> impl Iterator<Item = Trial> {
    rows().map(|row| Trial::test(format!("balancing::{row}"), move || check(row)))
}

fn check(row: Row) -> Result<(), Failed> {
    let mut site = start(row)?;
    let held = hold_some(&site);
    let load = Load::start(site.address);
    load.wait_for_more(BEFORE);
    happen(&mut site, row, &load);
    load.wait_for_more(MOMENT);
    let then = load.lost();
    load.wait_for_more(AFTER);
    fs::write(site.dir.path().join("answer"), "")?;
    let reasons = load.reasons();
    let losses = losses(held, then, load.stop(), &site);
    let log = site.server.log_tail();
    assert!(losses.are(row.expected()), "{row}: {losses:?}, {reasons}\n{log}");
    ends_well(&mut site, row.event);
    Ok(())
}

fn ends_well(site: &mut Site, event: Event) {
    match event {
        Event::Killed => {}
        Event::Added => {
            let added = site.instances.last_mut().expect("it was added");
            assert!(added.process.log().contains("served"), "it gets requests");
        }
        Event::Ended | Event::Drained => {
            assert_ends(&mut site.instances[0].process);
        }
    }
}

/// Instances with names that are numbers, and the balancer.
fn start(row: Row) -> io::Result<Site> {
    let dir = directory()?;
    let mut instances = Vec::new();
    for number in 1..=row.instances {
        instances.push(Instance::start(dir.path(), &number.to_string())?);
    }
    let addresses: Vec<_> = instances.iter().map(|instance| instance.address).collect();
    let command = |address: SocketAddr, dir: &Path| {
        let site = configuration(row.balancer, address, dir, &addresses, false);
        row.balancer.software.command(dir, address.ip(), &site)
    };
    let is_ready =
        |address| client::get(address, "/", &[]).is_ok_and(|answer| answer.status == 200);
    Site::with(dir, instances, command, is_ready)
}

/// The file for so many instances, changed as it tells to.
fn configuration(
    balancer: Balancer,
    address: SocketAddr,
    dir: &Path,
    instances: &[SocketAddr],
    without_first: bool,
) -> String {
    let mut site = balancer.software.at(balancer.site, address);
    if instances.len() > 2 {
        site = match balancer.software {
            Software::Nginx => replace(&site, "# server 127.0.0.1:9002", "server 127.0.0.1:9002"),
            Software::Caddy => {
                replace(&site, "127.0.0.1:9001 {", "127.0.0.1:9001 127.0.0.1:9002 {")
            }
            _ => replace(&site, "127.0.0.1:9002 disabled", "127.0.0.1:9002"),
        };
    }
    if without_first {
        site = match balancer.software {
            Software::Nginx => replace(&site, "127.0.0.1:9000 fail", "127.0.0.1:9000 down fail"),
            _ => replace(&site, "reverse_proxy 127.0.0.1:9000 ", "reverse_proxy "),
        };
    }
    let site = site.replace("/run/haproxy/admin.sock", &admin(dir));
    balancer.software.towards(&site, instances)
}

fn happen(site: &mut Site, row: Row, load: &Load) {
    match row.event {
        Event::Killed => site.instances[0].process.signal(Signal::KILL),
        Event::Ended => site.instances[0].process.signal(Signal::TERM),
        Event::Drained => {
            take_out(site, row);
            wait_until_unused(&site.instances[0], load);
            site.instances[0].process.signal(Signal::TERM);
        }
        Event::Added => add(site, row),
    }
}

/// Tells the web server to give the first instance no more requests.
fn take_out(site: &mut Site, row: Row) {
    match row.balancer.software {
        Software::Haproxy => tell(site.dir.path(), "set server app/app1 state drain"),
        _ => reconfigure(site, row.balancer, true),
    }
}

fn wait_until_unused(instance: &Instance, load: &Load) {
    let deadline = Instant::now() + BOUND;
    let mut before = String::new();
    while instance.process.log() != before {
        assert!(Instant::now() < deadline, "it gets no more requests");
        before = instance.process.log();
        load.wait_for_more(MANY);
    }
}

fn add(site: &mut Site, row: Row) {
    let number = site.instances.len() + 1;
    let instance = Instance::start(site.dir.path(), &number.to_string()).expect("others started");
    let address = instance.address;
    site.instances.push(instance);
    match row.balancer.software {
        Software::Haproxy => {
            let (ip, port) = (address.ip(), address.port());
            tell(site.dir.path(), &format!("set server app/app3 addr {ip} port {port}"));
            tell(site.dir.path(), "set server app/app3 state ready");
        }
        _ => reconfigure(site, row.balancer, false),
    }
    let name = number.to_string();
    let deadline = Instant::now() + BOUND;
    while site.get("/").seen()["name"] != name {
        assert!(Instant::now() < deadline, "it gets requests");
    }
}

/// One command at a time is what it takes.
fn tell(dir: &Path, command: &str) {
    let mut admin = UnixStream::connect(admin(dir)).expect("HAProxy listens");
    admin.set_read_timeout(Some(BOUND)).expect("some time");
    admin.write_all(format!("{command}\n").as_bytes()).expect("HAProxy reads");
    let mut answer = String::new();
    admin.read_to_string(&mut answer).expect("HAProxy answers");
    let complains = ["Unknown", "No such", "Invalid", "Permission"];
    assert!(!complains.iter().any(|word| answer.contains(word)), "{command}: {answer}");
}

fn admin(dir: &Path) -> String {
    dir.join("admin").display().to_string()
}

fn reconfigure(site: &mut Site, balancer: Balancer, without_first: bool) {
    let dir = site.dir.path();
    let instances: Vec<_> = site.instances.iter().map(|instance| instance.address).collect();
    let text = configuration(balancer, site.address, dir, &instances, without_first);
    let software = balancer.software;
    software.write(dir, site.address.ip(), &text).expect("it was written before");
    match software {
        Software::Nginx => site.server.signal(Signal::HUP),
        _ => reload_caddy(dir, &[]),
    }
}

pub(crate) fn reload_caddy(dir: &Path, options: &[&str]) {
    let mut caddy = Command::new("caddy");
    caddy.args(["reload", "--adapter", "caddyfile"]).args(options);
    caddy.arg("--config").arg(dir.join("main"));
    caddy.args(["--address", &format!("unix/{}", admin(dir))]);
    let output = caddy.stdin(Stdio::null()).output().expect("it started before");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// A request whose handler waits.
struct Held {
    method: &'static str,
    /// It waits in the first instance.
    is_there: bool,
    answer: JoinHandle<bool>,
}

/// Until so many of each method wait in the first instance.
fn hold_some(site: &Site) -> Vec<Held> {
    let mut all: Vec<Held> = Vec::new();
    for method in ["GET", "POST"] {
        while all.iter().filter(|held| held.method == method && held.is_there).count() < HELD {
            assert!(all.len() < 20 * HELD, "the first instance gets its part");
            all.push(hold(site, method, all.len()));
        }
    }
    all
}

fn hold(site: &Site, method: &'static str, number: usize) -> Held {
    let address = site.address;
    let target = format!("/held/{number}");
    let answer = thread::spawn(move || ask(address, method, &target).is_ok());
    let line = format!("held {number}\n");
    let deadline = Instant::now() + BOUND;
    loop {
        let holder = site.instances.iter().position(|it| it.process.log().contains(&line));
        if let Some(holder) = holder {
            return Held { method, is_there: holder == 0, answer };
        }
        assert!(Instant::now() < deadline, "the request arrives");
        thread::sleep(POLL);
    }
}

fn losses(held: Vec<Held>, then: [usize; 2], in_all: [usize; 2], site: &Site) -> Losses {
    let mut losses = Losses {
        held_get: Loss::None,
        held_post: Loss::None,
        get: Loss::of_many(then[0], in_all[0]),
        post: Loss::of_many(then[1], in_all[1]),
    };
    let answers: Vec<_> = held
        .into_iter()
        .map(|held| (held.method, held.is_there, held.answer.join().expect("no client panics")))
        .collect();
    for (method, loss) in [("GET", &mut losses.held_get), ("POST", &mut losses.held_post)] {
        let there: Vec<_> = answers.iter().filter(|it| it.0 == method && it.1).collect();
        let lost = there.iter().filter(|it| !it.2).count();
        *loss = Loss::of_few(lost, there.len());
    }
    let elsewhere = answers.iter().filter(|it| !it.1 && !it.2).count();
    assert_eq!(elsewhere, 0, "lost on instances that go on\n{}", site.server.log_tail());
    losses
}

/// Of which each instance that is used gets some.
const MANY: usize = 40;
/// Requests before it happens.
const BEFORE: usize = 100;
/// In the moment in which it happens.
const MOMENT: usize = 200;
/// And since then.
const AFTER: usize = 400;
