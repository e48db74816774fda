//! Applications that conform.

use crate::fcgi::{others, verdicts};
use crate::responder::{Fault, start};

#[test]
fn this_crates_server_conforms_in_every_case() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let socket = format!("unix:{}", folder.path().join("app.sock").display());
    for address in ["127.0.0.1:0", &*socket] {
        let address = runtime.block_on(crate::app::serve(address)).unwrap();
        let (report, exit) = verdicts(&[&PATHS[..], &[&address]].concat());
        let others = others(&report, "conforms");
        let are_roles = others.iter().all(|case| case.contains("FCGI_UNKNOWN_ROLE"));
        assert!(others.len() == 2 && are_roles, "{others:#?}");
        assert_eq!(report["status"], 200);
        assert_eq!(exit, 0);
    }
}

#[test]
fn so_does_it_without_paths_for_the_cases() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let address = runtime.block_on(crate::app::serve("127.0.0.1:0")).unwrap();
    let (report, exit) = verdicts(&[&address]);
    assert_eq!((&report["conforms"], exit), (&true.into(), 0));
    assert_eq!(report["counts"]["departs"], 0, "{report:#}");
    let unclear = others(&report, "conforms");
    assert!(unclear.iter().any(|case| case.contains("needs --large-path")), "{unclear:#?}");
}

#[test]
fn so_does_it_where_its_page_shows_the_params() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let address = runtime.block_on(crate::app::serve("127.0.0.1:0")).unwrap();
    let (report, exit) = verdicts(&["--path=/params", &address]);
    assert_eq!((&report["conforms"], exit), (&true.into(), 0), "{report:#}");
    assert_eq!(report["counts"]["departs"], 0, "{report:#}");
}

#[test]
fn another_application_conforms_too() {
    let (report, exit) = verdicts(&[&PATHS[..], &[&start(Fault::None)]].concat());
    let others = others(&report, "conforms");
    assert!(others.iter().all(|case| case.contains("FCGI_UNKNOWN_ROLE")), "{others:#?}");
    assert_eq!(exit, 0);
}

#[test]
fn who_does_not_multiplex_and_says_so_need_not() {
    let (report, exit) = verdicts(&[&PATHS[..], &[&start(Fault::NoMultiplexing)]].concat());
    let others = others(&report, "conforms");
    let permitted = |case: &&String| case.contains("FCGI_MPXS_CONNS is 0");
    assert_eq!(others.iter().filter(permitted).count(), 4, "{others:#?}");
    assert_eq!(others.len(), 6, "{others:#?}");
    assert_eq!(exit, 0);
}

pub(crate) const PATHS: [&str; 8] = [
    "--echo-path=/echo",
    "--params-path=/params",
    "--large-path=/large",
    "--stderr-path=/stderr",
    "--path=/",
    "--param=REMOTE_USER=me",
    "--timeout=20s",
    "--param=SERVER_PORT=8080",
];
