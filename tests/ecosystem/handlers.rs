//! axum's extractors, responses and routing.

use std::collections::BTreeMap;

use axum::extract::{
    DefaultBodyLimit, Form, Json, MatchedPath, Multipart, NestedPath, OriginalUri, Path, Query,
    State,
};
use axum::http::{Method, StatusCode, Uri, Version, header};
use axum::response::{AppendHeaders, Html, Redirect};
use axum::routing::{any, get, post};
use axum::{Router, middleware};
use bytes::Bytes;
use http::{HeaderMap, Request};

use crate::both::Both;

type Fields = BTreeMap<String, String>;

#[tokio::test]
async fn json() {
    let echo = async |Json(value): Json<BTreeMap<String, u32>>| Json(value);
    let both = Both::of(Router::new().route("/", post(echo))).await;
    let json = |body: &str| {
        let request = Request::post("/").header(header::CONTENT_TYPE, "application/json");
        request.body(body.to_owned()).unwrap()
    };
    let response = both.ask(json(r#"{ "one": 1 }"#)).await;
    assert_eq!(response.headers()[header::CONTENT_TYPE], "application/json");
    assert_eq!(response.body(), r#"{"one":1}"#);

    assert_eq!(both.ask(json(r#"{ "one": "#)).await.status(), StatusCode::BAD_REQUEST);
    let untyped = Request::post("/").body("{}").unwrap();
    assert_eq!(both.ask(untyped).await.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE);
}

#[tokio::test]
async fn forms_in_the_body_and_in_the_query() {
    let handler = async |Form(fields): Form<Fields>| Json(fields);
    let both = Both::of(Router::new().route("/", get(handler).post(handler))).await;
    let request = Request::post("/")
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body("name=J%C3%BCrgen&city=K+%26+B")
        .unwrap();
    let expected = r#"{"city":"K & B","name":"Jürgen"}"#;
    assert_eq!(both.ask(request).await.body(), expected);
    assert_eq!(both.get("/?name=J%C3%BCrgen&city=K+%26+B").await.body(), expected);
}

#[tokio::test]
async fn multipart() {
    let handler = async |mut form: Multipart| {
        let mut seen = Vec::new();
        while let Some(field) = form.next_field().await.unwrap() {
            let (name, file) =
                (field.name().map(str::to_owned), field.file_name().map(str::to_owned));
            seen.push(format!("{name:?} {file:?} {}", field.bytes().await.unwrap().len()));
        }
        seen.join("\n")
    };
    let app = Router::new().route("/", post(handler)).layer(DefaultBodyLimit::disable());
    let both = Both::of(app).await;
    let file = "x".repeat(3 * 1024 * 1024);
    let body = format!(
        "--cut\r\nContent-Disposition: form-data; name=\"title\"\r\n\r\nhello\r\n\
         --cut\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.bin\"\r\n\
         Content-Type: application/octet-stream\r\n\r\n{file}\r\n--cut--\r\n"
    );
    let request = Request::post("/")
        .header(header::CONTENT_TYPE, "multipart/form-data; boundary=cut")
        .body(body)
        .unwrap();
    let response = both.ask(request).await;
    assert_eq!(response.body(), "Some(\"title\") None 5\nSome(\"file\") Some(\"a.bin\") 3145728");
}

#[tokio::test]
async fn nested_routers() {
    let tell = async |Path(id): Path<String>,
                      matched: MatchedPath,
                      nested: NestedPath,
                      OriginalUri(original): OriginalUri,
                      uri: Uri| {
        format!("{id} {} {} {original} {uri}", matched.as_str(), nested.as_str())
    };
    let items = Router::new().route("/items/{id}", get(tell));
    let app = Router::new()
        .nest("/api", Router::new().nest("/v1", items))
        .merge(Router::new().route("/", get("root")))
        .fallback(async |uri: Uri| (StatusCode::NOT_FOUND, format!("nothing at {uri}")));
    let both = Both::of(app).await;
    assert_eq!(
        both.get("/api/v1/items/a%20b?x=1").await.body(),
        "a b /api/v1/items/{id} /api/v1 /api/v1/items/a%20b?x=1 /items/a%20b?x=1"
    );
    assert_eq!(both.get("/").await.body(), "root");
    let missing = both.get("/api/v2//items?y").await;
    assert_eq!(missing.status(), StatusCode::NOT_FOUND);
    assert_eq!(missing.body(), "nothing at /api/v2//items?y");
}

#[tokio::test]
async fn methods() {
    let tell = async |method: Method| method.to_string();
    let app = Router::new().route("/any", any(tell)).route("/get", get(tell));
    let both = Both::of(app).await;
    for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "PROPFIND"] {
        let request = Request::builder().method(method).uri("/any").body("").unwrap();
        assert_eq!(both.ask(request).await.body(), method);
    }
    let head = Request::head("/get").body("").unwrap();
    let response = both.ask(head).await;
    assert_eq!((response.status(), response.body().len()), (StatusCode::OK, 0));
    let wrong = Request::post("/get").body("").unwrap();
    let response = both.ask(wrong).await;
    assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(response.headers()[header::ALLOW], "GET,HEAD");
}

#[tokio::test]
async fn queries_headers_and_version() {
    let tell = async |Query(query): Query<Fields>, version: Version, headers: HeaderMap| {
        format!("{query:?} {version:?} {:?} {:?}", headers["host"], headers["x-several-words"])
    };
    let both = Both::of(Router::new().route("/", get(tell))).await;
    let request = Request::get("/?a=1&b=%26")
        .header(header::HOST, "app.example:8080")
        .header("X-Several-Words", "caf\u{e9}")
        .body("")
        .unwrap();
    assert_eq!(
        both.ask(request).await.body(),
        r#"{"a": "1", "b": "&"} HTTP/1.1 "app.example:8080" "caf\xc3\xa9""#
    );
}

#[tokio::test]
async fn redirects_cookies_and_empty_responses() {
    let cookies = [(header::SET_COOKIE, "a=1; Path=/"), (header::SET_COOKIE, "b=2; HttpOnly")];
    let app = Router::new()
        .route("/see-other", post(async || Redirect::to("/new?x=1")))
        .route("/permanent", get(async || Redirect::permanent("https://example.com/new")))
        .route("/cookies", get(async move || (AppendHeaders(cookies), Html("<p>hello"))))
        .route("/no-content", get(async || StatusCode::NO_CONTENT))
        .route("/not-modified", get(async || StatusCode::NOT_MODIFIED))
        .route("/teapot", get(async || (StatusCode::IM_A_TEAPOT, "short and stout")));
    let both = Both::of(app).await;
    let response = both.ask(Request::post("/see-other").body("").unwrap()).await;
    assert_eq!(response.status(), StatusCode::SEE_OTHER);
    assert_eq!(response.headers()[header::LOCATION], "/new?x=1");
    assert_eq!(both.get("/permanent").await.status(), StatusCode::PERMANENT_REDIRECT);
    let response = both.get("/cookies").await;
    let cookies: Vec<_> = response.headers().get_all(header::SET_COOKIE).iter().collect();
    assert_eq!(cookies, ["a=1; Path=/", "b=2; HttpOnly"]);
    assert_eq!(both.get("/no-content").await.status(), StatusCode::NO_CONTENT);
    assert_eq!(both.get("/not-modified").await.status(), StatusCode::NOT_MODIFIED);
    assert_eq!(both.get("/teapot").await.body(), "short and stout");
}

#[tokio::test]
async fn state_and_a_middleware_of_functions() {
    #[derive(Clone)]
    struct App {
        greeting: &'static str,
    }

    let stamp =
        async |State(app): State<App>, request: axum::extract::Request, next: middleware::Next| {
            let path = request.uri().path().to_owned();
            let mut response = next.run(request).await;
            response
                .headers_mut()
                .insert("x-stamp", format!("{}{path}", app.greeting).parse().unwrap());
            response
        };
    let app = App { greeting: "hello" };
    let router = Router::new()
        .route(
            "/{name}",
            get(async |State(app): State<App>, Path(name): Path<String>| {
                format!("{} {name}", app.greeting)
            }),
        )
        .layer(middleware::from_fn_with_state(app.clone(), stamp))
        .with_state(app);
    let response = Both::of(router).await.get("/world").await;
    assert_eq!(response.body(), "hello world");
    assert_eq!(response.headers()["x-stamp"], "hello/world");
}

#[tokio::test]
async fn bodies_of_known_and_of_unknown_length() {
    let echo = async |body: Bytes| body;
    let both = Both::of(Router::new().route("/", post(echo))).await;
    let body = "0123456789".repeat(10_000);
    let known = Request::post("/").body(body.clone()).unwrap();
    assert_eq!(both.ask(known).await.body(), &body);
    let unknown = Request::post("/").header(header::TRANSFER_ENCODING, "chunked");
    assert_eq!(both.ask(unknown.body(body.clone()).unwrap()).await.body(), &body);
    let too_large = Request::post("/").body("x".repeat(3 * 1024 * 1024)).unwrap();
    assert_eq!(both.ask(too_large).await.status(), StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn fallbacks() {
    let inner = Router::new()
        .route("/item", get("item"))
        .fallback(async |uri: Uri| (StatusCode::GONE, format!("inner {uri}")));
    let app = Router::new()
        .route("/", get("root"))
        .nest("/inner", inner)
        .fallback(async |method: Method, uri: Uri| {
            (StatusCode::NOT_FOUND, format!("outer {method} {uri}"))
        })
        .method_not_allowed_fallback(async || (StatusCode::METHOD_NOT_ALLOWED, "not so"));
    let both = Both::of(app).await;
    assert_eq!(both.get("/inner/item").await.body(), "item");
    let inner = both.get("/inner/none?a=1").await;
    assert_eq!((inner.status(), &inner.body()[..]), (StatusCode::GONE, &b"inner /none?a=1"[..]));
    let outer = both.ask(Request::put("/none/%20").body("ignored").unwrap()).await;
    assert_eq!(outer.status(), StatusCode::NOT_FOUND);
    assert_eq!(outer.body(), "outer PUT /none/%20");
    let method = both.ask(Request::delete("/").body("").unwrap()).await;
    assert_eq!(method.status(), StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(
        (&method.headers()[header::ALLOW], &method.body()[..]),
        (&"GET,HEAD".parse().unwrap(), &b"not so"[..])
    );
}
