use std::net::SocketAddr;

use http::Request;
use http_body_util::BodyExt;
use serde_json::Value;
use tower::ServiceExt;
use tower_fastcgi::client::Environment;
use tower_fastcgi::gateway::Gateway;
use tower_fastcgi::server::Forwarded;

use crate::application::app;
use crate::kit::{Client, Front, body, bounded};

struct Told {
    json: Value,
    client: SocketAddr,
}

impl Told {
    fn param(&self, name: &str) -> Option<&str> {
        self.json["params"][name].as_str()
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.json["headers"][name].as_str()
    }
}

/// What the application is told of a request with these header lines.
async fn told(front: &Front, target: &str, lines: &str) -> Told {
    let mut client: Client = front.connect().await;
    let addr = client.0.local_addr().unwrap();
    client
        .send(&format!(
            "GET {target} HTTP/1.1\r\nHost: a.example:81\r\n{lines}Connection: close\r\n\r\n"
        ))
        .await;
    let response = client.rest().await;
    let json = serde_json::from_str(body(&response)).unwrap_or_else(|_| panic!("{response}"));
    Told { json, client: addr }
}

#[tokio::test]
async fn addresses_are_those_of_the_connection() {
    let front = Front::to(app().await).await;
    let told = told(&front, "/", "").await;
    assert_eq!(told.param("REMOTE_ADDR"), Some("127.0.0.1"));
    assert_eq!(told.param("REMOTE_PORT"), Some(&*told.client.port().to_string()));
    assert_eq!(told.param("SERVER_ADDR"), Some("127.0.0.1"));
    assert_eq!(told.param("SERVER_PORT"), Some(&*front.addr.port().to_string()));
    assert_eq!(told.param("SERVER_NAME"), Some("a.example"));
    assert_eq!(told.param("REQUEST_SCHEME"), Some("http"));
    assert_eq!(told.param("HTTPS"), None);
}

#[tokio::test]
async fn an_environment_says_more_and_wins() {
    let mut environment = Environment::new();
    environment.server_name("example.org").script_name("/mounted").param("DEPLOYMENT", "blue");
    let application = app().await.to_string();
    let gateway = Gateway::builder().environment(environment).build([application]).unwrap();
    let told = told(&Front::of(gateway).await, "/mounted/a%20b?c=%20d", "").await;
    assert_eq!(told.param("SERVER_NAME"), Some("example.org"));
    assert_eq!(told.param("DEPLOYMENT"), Some("blue"));
    assert_eq!(told.param("SCRIPT_NAME"), Some("/mounted"));
    assert_eq!(told.param("PATH_INFO"), Some("/a b"));
    assert_eq!(told.param("QUERY_STRING"), Some("c=%20d"));
    assert_eq!(told.param("REQUEST_URI"), Some("/mounted/a%20b?c=%20d"));
    assert_eq!(told.param("REMOTE_ADDR"), Some("127.0.0.1"));
}

/// Under another server than `gateway::serve`, nobody else knows.
#[tokio::test]
async fn a_request_may_bring_its_environment() {
    let gateway = Gateway::new(&app().await.to_string()).unwrap();
    let ask = async |environment: Option<Environment>| {
        let mut request = Request::get("http://a.example/").body(String::new()).unwrap();
        environment.and_then(|environment| request.extensions_mut().insert(environment));
        let response = bounded(gateway.clone().oneshot(request)).await.unwrap();
        let body = bounded(response.into_body().collect()).await.unwrap().to_bytes();
        serde_json::from_slice::<Value>(&body).unwrap()
    };
    assert_eq!(ask(None).await["params"].get("REMOTE_ADDR"), None);
    let mut environment = Environment::new();
    environment.remote_addr("192.0.2.7:40000".parse().unwrap()).https(true);
    let told = ask(Some(environment)).await;
    assert_eq!(told["params"]["REMOTE_ADDR"], "192.0.2.7");
    assert_eq!(told["params"]["REMOTE_PORT"], "40000");
    assert_eq!(told["params"]["HTTPS"], "on");
}

#[tokio::test]
async fn the_path_arrives_as_it_was_written() {
    let front = Front::to(app().await).await;
    let told = told(&front, "//a/../%2e/%41?x=%41&y", "").await;
    assert_eq!(told.param("REQUEST_URI"), Some("//a/../%2e/%41?x=%41&y"));
    assert_eq!(told.param("SCRIPT_NAME"), Some(""));
    assert_eq!(told.param("PATH_INFO"), Some("//a/.././A"));
    assert_eq!(told.param("SERVER_PROTOCOL"), Some("HTTP/1.1"));
}

#[tokio::test]
async fn an_absolute_uri_replaces_the_host() {
    let front = Front::to(app().await).await;
    let told = told(&front, "http://b.example/x?y", "").await;
    assert_eq!(told.param("REQUEST_URI"), Some("/x?y"));
    assert_eq!(told.header("host"), Some("b.example"));
    assert_eq!(told.param("SERVER_NAME"), Some("b.example"));
}

#[tokio::test]
async fn claims_of_the_client_are_dropped() {
    let claims = "X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-Proto: https\r\nForwarded: for=6.6.6.6\r\n\
                  X-Real-IP: 6.6.6.6\r\nTrue-Client-IP: 6.6.6.6\r\nX-Original-URL: /admin\r\n\
                  X_Forwarded_For: 6.6.6.6\r\nRemote-Addr: 6.6.6.6\r\n";
    let application = app().await.to_string();
    let told_by = async |forwarded| {
        let gateway = Gateway::builder().forwarded(forwarded).build([&application]).unwrap();
        bounded(told(&Front::of(gateway).await, "/", claims)).await
    };
    let told = told_by(Forwarded::Remove).await;
    let names: Vec<_> = told.json["headers"].as_object().unwrap().keys().collect();
    assert_eq!(names, ["host"]);
    assert!(!told.json.to_string().contains("6.6.6.6"), "{}", told.json);

    // The application removes them as well, but its params show what has arrived.
    let told = told_by(Forwarded::Keep).await;
    assert_eq!(told.param("REMOTE_ADDR"), Some("127.0.0.1"));
}

#[tokio::test]
async fn what_concerns_the_connection_stays_behind() {
    let front = Front::to(app().await).await;
    let lines = "Keep-Alive: timeout=5\r\nTE: trailers\r\nProxy: http://6.6.6.6/\r\nProxy-Authorization: x\r\n\
                 Proxy-Anything: x\r\nUpgrade: h2c\r\nConnection: X-Mine, upgrade\r\nX-Mine: x\r\n\
                 X_Under: x\r\nX.Dot: x\r\nX-Kept: x\r\n";
    let told = told(&front, "/", lines).await;
    let names: Vec<_> = told.json["headers"].as_object().unwrap().keys().collect();
    assert_eq!(names, ["host", "x-kept"]);
}

#[tokio::test]
async fn methods_arrive_unchanged() {
    let front = Front::to(app().await).await;
    for method in ["GET", "PUT", "DELETE", "OPTIONS", "PATCH", "PROPFIND", "get"] {
        let request = format!("{method} / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        let response = front.talk(&request).await;
        assert!(body(&response).contains(&format!("\"method\":\"{method}\"")), "{response}");
    }
    let response = front.talk("OPTIONS * HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
    assert!(body(&response).contains("\"uri\":\"*\""), "{response}");
}

#[tokio::test]
async fn a_target_without_a_path_has_one() {
    let front = Front::to(app().await).await;
    for (target, told) in [("http://b.example?x", "/?x"), ("http://b.example", "/"), ("/?x", "/?x")]
    {
        let response = front.get(target).await;
        let all: Value = serde_json::from_str(body(&response)).unwrap();
        assert_eq!(all["params"]["REQUEST_URI"], told, "{target}");
        assert_eq!(all["params"]["PATH_INFO"], "/", "{target}");
        assert_eq!(all["uri"], told, "{target}");
    }
}
