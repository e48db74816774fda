use crate::machine::locked;
use crate::report::machine::Machine;
use crate::report::picture::{Group, draw};
use crate::servers::Server;

fn machine() -> Machine {
    Machine { place: "a <fast> one".to_owned(), versions: "Rust & Go".to_owned() }
}

fn group(bars: &[(Server, f64)]) -> Group {
    Group { label: "GET", bars: bars.to_vec() }
}

/// What stands between the first `attribute="` after `start` and the quotation mark.
fn attribute<'a>(svg: &'a str, start: &str, attribute: &str) -> &'a str {
    let (_, svg) = svg.split_once(start).expect(start);
    let (_, svg) = svg.split_once(&format!("{attribute}=\"")).expect(attribute);
    svg.split_once('"').expect("an end").0
}

#[test]
fn every_server_has_a_bar_and_its_number() {
    let svg = draw(&[group(&[(Server::TowerFastcgi, 0.5), (Server::Go, 2.25)])], &machine());
    for number in [">0.50<", ">2.25<", ">tower-fastcgi<", ">Go fcgi<"] {
        assert!(svg.contains(number), "{number} is not in {svg}");
    }
    assert!(!svg.contains("libfcgi"), "there is no legend for what was not measured");
    let bars: Vec<&str> =
        svg.lines().filter(|line| line.contains("<rect x=\"210\" y=\"5")).collect();
    let first: usize = attribute(bars[0], "<rect", "width").parse().unwrap();
    let line: usize =
        attribute(&svg, "<path", "d")[1..].split_once(' ').unwrap().0.parse().unwrap();
    assert_eq!(210 + 2 * first, line, "half as long as the way to the line at 1");
}

#[test]
fn a_bar_that_would_leave_the_picture_is_cut() {
    let svg = draw(&[group(&[(Server::Go, 50.0)])], &machine());
    let bar = svg.lines().find(|line| line.contains("<rect x=\"210\" y=\"56\"")).unwrap();
    let width: usize = attribute(bar, "<rect", "width").parse().unwrap();
    assert!(width < 560, "{width}");
    assert!(svg.contains(">50.00 \u{2192}<"));
}

#[test]
fn text_cannot_break_the_picture() {
    let svg = draw(&[], &machine());
    assert!(svg.contains("a &lt;fast> one") && svg.contains("Rust &amp; Go"));
}

#[test]
fn versions_come_from_the_lock_file() {
    let lock = "[[package]]\nname = \"axum-core\"\nversion = \"1.0.0\"\n\n\
                [[package]]\nname = \"axum\"\nversion = \"2.0.0\"\n";
    assert_eq!(locked(lock, "axum"), Some("2.0.0"));
    assert_eq!(locked(lock, "axu"), None);
}

#[test]
fn no_number_stands_on_the_line_at_1() {
    for hundredths in (1..150).map(f64::from) {
        let svg = draw(&[group(&[(Server::Go, hundredths / 100.0)])], &machine());
        let number = svg.lines().find(|line| line.contains("class=\"n\"")).unwrap();
        let at: usize = attribute(number, "<text", "x").parse().unwrap();
        assert!(at + 28 < 330 || at > 330, "{number}");
    }
}
