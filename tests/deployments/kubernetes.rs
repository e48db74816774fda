//! The manifests of `examples/kubernetes/`: their schema, and the web servers' configurations in them.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Instant;

use libtest_mimic::{Failed, Trial};
use rustix::process::Signal;

use crate::BOUND;
use crate::client::{self, Connection};
use crate::config::replace;
use crate::dns::Dns;
use crate::process::{POLL, Process, free_address};
use crate::site::{Instance, Site, assert_ends, directory, start};

pub(crate) fn trials() -> impl Iterator<Item = Trial> {
    let trials: [(&str, Check); 5] = [
        ("manifests_are_sound", manifests_are_sound),
        ("sidecar_serves", sidecar_serves),
        ("sidecar_ends_in_order", sidecar_ends_in_order),
        ("front_follows_the_dns", front_follows_the_dns),
        ("front_finishes_what_is_under_way", front_finishes_what_is_under_way),
    ];
    trials.into_iter().map(|(name, trial)| Trial::test(format!("kubernetes::{name}"), trial))
}

type Check = fn() -> Result<(), Failed>;

/// By the schema of the oldest version that has all of it, and of the newest that the validator knows.
fn manifests_are_sound() -> Result<(), Failed> {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("it is in target");
    let program = target.join("kubernetes-validate/bin/kubernetes-validate");
    for version in [&["-k", "1.30"][..], &[]] {
        let mut validate = Command::new(&program);
        validate.arg("--strict").args(version).args(["sidecar.yaml", "front.yaml"]);
        validate.current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/kubernetes"));
        let output = validate
            .output()
            .map_err(|error| format!("{}: {error}; scripts/test installs it", program.display()))?;
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(text.matches("passed for resource").count(), 9, "{text}");
    }
    Ok(())
}

fn sidecar_serves() -> Result<(), Failed> {
    let (site, _application) = sidecar()?;
    assert_eq!(site.get("/nginx-healthz").status, 204);
    assert_eq!(site.get("/healthz").status, 200);
    let seen =
        site.get_with("/a", &["X-Forwarded-For: 203.0.113.9, 198.51.100.7, 127.0.0.9"]).seen();
    assert_eq!((&seen["uri"], &seen["client"]), (&"/a".into(), &"198.51.100.7".into()), "{seen}");
    Ok(())
}

/// As Kubernetes ends the pod: first nginx, then the application.
fn sidecar_ends_in_order() -> Result<(), Failed> {
    let (mut site, mut application) = sidecar()?;
    let address = site.address;
    let held = thread::spawn(move || client::get(address, "/held/1", &["Connection: close"]));
    wait_until("the request arrives", || application.log().contains("held 1"));
    site.server.signal(Signal::QUIT);
    wait_until("nginx is ending", || Connection::open(address).is_err());
    assert_eq!(site.server.exited(), None);
    fs::write(site.dir.path().join("answer"), "")?;
    let answer = held.join().expect("no client panics")?;
    assert_eq!((answer.status, &*answer.body), (200, "one"));
    assert_ends(&mut site.server);
    application.signal(Signal::TERM);
    assert_ends(&mut application);
    Ok(())
}

fn sidecar() -> io::Result<(Site, Process)> {
    let dir = directory()?;
    let socket = dir.path().join("app.sock").display().to_string();
    let application = start(dir.path(), "one", &format!("unix:{socket}"))?;
    let command = |address: SocketAddr, dir: &Path| {
        let config = file(include_str!("../../examples/kubernetes/sidecar.yaml"), "nginx.conf");
        let config = replace(&config, "listen 8080;", &format!("listen {address};"));
        let config = replace(&config, "from 10.0.0.0/8", "from 127.0.0.0/8");
        let config = config.replace("/tmp/", &format!("{}/", dir.display()));
        let config = replace(&config, "unix:/run/app/app.sock", &format!("unix:{socket}"));
        let path = dir.join("nginx.conf");
        fs::write(&path, config)?;
        checked(Command::new("nginx").args(["-t", "-e", "stderr", "-c"]).arg(&path))?;
        let mut nginx = Command::new("nginx");
        nginx.args(["-e", "stderr", "-g", "daemon off; user root;", "-c"]).arg(path);
        Ok(nginx)
    };
    Ok((Site::with(dir, Vec::new(), command, is_ready)?, application))
}

/// Instances that become ready and end are found and left, without a request that is lost.
fn front_follows_the_dns() -> Result<(), Failed> {
    let (mut site, dns) = front()?;
    let name = |site: &Site| {
        let seen = site.get("/healthz").seen();
        seen["name"].as_str().map(ToOwned::to_owned)
    };
    wait_until("the second is found", || name(&site).as_deref() == Some("two"));
    dns.set(vec![site.instances[1].address.ip()]);
    let mut in_a_row = 0;
    wait_until("the first is left", || {
        in_a_row = if name(&site).as_deref() == Some("two") { in_a_row + 1 } else { 0 };
        in_a_row == 50
    });
    site.instances[0].process.signal(Signal::TERM);
    assert_ends(&mut site.instances[0].process);
    for _ in 0..20 {
        assert_eq!(name(&site).as_deref(), Some("two"));
    }
    assert_eq!(site.get("/haproxy-healthz").status, 204);
    let forwarded = "X-Forwarded-For: 203.0.113.9, 198.51.100.7";
    assert_eq!(site.get_with("/", &[forwarded]).seen()["client"], "198.51.100.7");
    Ok(())
}

fn front_finishes_what_is_under_way() -> Result<(), Failed> {
    let (mut site, _dns) = front()?;
    let address = site.address;
    let held = thread::spawn(move || client::get(address, "/held/1", &["Connection: close"]));
    let arrived = || site.instances.iter().any(|it| it.process.log().contains("held 1"));
    wait_until("the request arrives", arrived);
    site.server.signal(Signal::USR1);
    wait_until("HAProxy is ending", || Connection::open(address).is_err());
    assert_eq!(site.server.exited(), None);
    fs::write(site.dir.path().join("answer"), "")?;
    assert_eq!(held.join().expect("no client panics")?.status, 200);
    // Well or not: now and then HAProxy 2.6 crashes at its very end, when everything is served.
    wait_until("HAProxy ends", || site.server.exited().is_some());
    Ok(())
}

/// With two instances that have one port and two addresses.
fn front() -> io::Result<(Site, Dns)> {
    let dir = directory()?;
    let instances = two_on_one_port(dir.path())?;
    let port = instances[0].address.port();
    let dns = Dns::start(instances.iter().map(|instance| instance.address.ip()).collect())?;
    let command = |address: SocketAddr, dir: &Path| {
        let config = file(include_str!("../../examples/kubernetes/front.yaml"), "haproxy.cfg");
        let config = replace(&config, "bind :8080", &format!("bind {address}"));
        let config = replace(&config, ".cluster.local:9000", &format!(".cluster.local:{port}"));
        let config =
            replace(&config, "parse-resolv-conf", &format!("nameserver test {}", dns.address));
        let config = replace(&config, "src 10.0.0.0/8", "src 127.0.0.0/8");
        let path = dir.join("haproxy.cfg");
        fs::write(&path, config)?;
        checked(Command::new("haproxy").args(["-c", "-f"]).arg(&path))?;
        let mut haproxy = Command::new("haproxy");
        haproxy.args(["-db", "-f"]).arg(path);
        Ok(haproxy)
    };
    Ok((Site::with(dir, instances, command, is_ready)?, dns))
}

fn two_on_one_port(dir: &Path) -> io::Result<Vec<Instance>> {
    let mut last = Ok(Vec::new());
    for _ in 0..5 {
        let one = free_address()?;
        let SocketAddr::V4(mut two) = one else { unreachable!("it is one of IPv4") };
        let [_, a, b, c] = two.ip().octets();
        // No other test has this one.
        two.set_ip([127, 128 | a, b, c].into());
        let started = [("one", one), ("two", two.into())].into_iter().map(|(name, address)| {
            let process = start(dir, name, &address.to_string())?;
            Ok(Instance { address, process })
        });
        last = started.collect();
        if last.is_ok() {
            break;
        }
    }
    last
}

/// A file in a ConfigMap.
fn file(manifest: &str, name: &str) -> String {
    let (_, rest) = manifest.split_once(&format!("\n  {name}: |\n")).expect("it is there");
    let lines = rest.lines().map_while(|line| match line {
        "" => Some(""),
        _ => line.strip_prefix("    "),
    });
    lines.map(|line| line.to_owned() + "\n").collect()
}

fn checked(command: &mut Command) -> io::Result<()> {
    let output = command.output()?;
    let text = [output.stdout, output.stderr].concat();
    match output.status.success() {
        true => Ok(()),
        false => Err(io::Error::other(String::from_utf8_lossy(&text).into_owned())),
    }
}

fn is_ready(address: SocketAddr) -> bool {
    client::get(address, "/healthz", &[]).is_ok_and(|answer| answer.status == 200)
}

fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + BOUND;
    while !holds() {
        assert!(Instant::now() < deadline, "{what}");
        thread::sleep(POLL);
    }
}
