//! More than the application takes at a time.

use std::sync::Arc;

use axum::http::StatusCode;
use tokio::task::JoinSet;

use crate::application::Options;
use crate::client::{Answer, request};
use crate::site::Site;

/// Connections above the limit wait, and each request is answered. A server that keeps connections may send a request on one that
/// is just being closed to make room: it repeats it, or its client has to.
pub(crate) async fn of_connections(site: Arc<Site>) {
    let keeps = site.variant.keeps_connections;
    let options = Options { max_connections: Some(FEW), ..Options::default() };
    let repeated = ask(site.another(options).await).await;
    assert!(repeated == 0 || keeps, "{repeated} of {REQUESTS}");
}

/// Requests above the limit of a connection are refused with 503. Where no connection has several, none is above it.
pub(crate) async fn of_requests(site: Arc<Site>) {
    let multiplexes = site.variant.multiplexes;
    let mut options = Options::default();
    options.builder.max_requests(FEW);
    let repeated = ask(site.another(options).await).await;
    assert!(repeated == 0 || multiplexes, "{repeated} of {REQUESTS}");
}

/// Many requests at a time, each until it is answered. How often one had to be repeated.
async fn ask(site: Site) -> usize {
    let site = Arc::new(site);
    let mut clients = JoinSet::new();
    for n in 0..CLIENTS {
        let site = site.clone();
        clients.spawn(async move {
            let mut repeated = 0;
            for m in 0..EACH {
                repeated += ask_until_answered(&site, &format!("/client/{n}/{m}")).await;
            }
            repeated
        });
    }
    let repeated = clients.join_all().await.iter().sum();
    assert_eq!(site.get("/status/200").await.status, StatusCode::OK);
    repeated
}

async fn ask_until_answered(site: &Site, path: &str) -> usize {
    for repeated in 0..PATIENCE {
        // HAProxy closes the client's connection instead of answering.
        let Ok(answer) = site.connect().await.try_send(request("GET", path, "")).await else {
            continue;
        };
        if [StatusCode::SERVICE_UNAVAILABLE, StatusCode::BAD_GATEWAY].contains(&answer.status()) {
            continue;
        }
        assert_eq!(Answer::of(answer).await.seen().get("uri"), path);
        return repeated;
    }
    panic!("{path} is never answered");
}

const FEW: usize = 4;
const CLIENTS: usize = 32;
const EACH: usize = 4;
const REQUESTS: usize = CLIENTS * EACH;
const PATIENCE: usize = 100;
