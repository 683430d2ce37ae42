use super::*;
use axum::Router;
use axum::routing::get;
use http_body_util::BodyExt;
use tower::ServiceExt;

fn front() -> Front<Router> {
    async fn breaks() -> &'static str {
        panic!("on purpose")
    }
    Front::new(
        Router::new()
            .route("/api/v1/well", get(|| async { "well" }))
            .route("/api/v1/breaks", get(breaks))
            .route("/page", get(|| async { "page" })),
    )
}

async fn send(method: &str, path: &str, headers: &[(&str, &str)]) -> Response {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    front()
        .oneshot(request.body(Body::empty()).unwrap())
        .await
        .unwrap()
}

fn header<'a>(response: &'a Response, name: &str) -> Option<&'a str> {
    response
        .headers()
        .get(name)
        .map(|value| value.to_str().unwrap())
}

#[tokio::test]
async fn a_well_formed_request_id_comes_back_and_others_are_replaced() {
    for (given, is_kept) in [
        ("abcd_EF-12", true),
        ("short", false),
        ("has a space in it", false),
        (&"x".repeat(128), true),
        (&"x".repeat(129), false),
    ] {
        let response = send("GET", "/api/v1/well", &[("x-request-id", given)]).await;
        let id = header(&response, "x-request-id").unwrap();
        assert_eq!(id == given, is_kept, "{given}");
        assert!(is_request_id(id.as_bytes()), "{id}");
    }
}

#[test]
fn ids_differ() {
    let ids = Ids::new();
    let made: std::collections::HashSet<_> = (0..1_000).map(|_| ids.next()).collect();
    assert_eq!(made.len(), 1_000);
    assert!(made.iter().all(|id| is_request_id(id.as_bytes())));
}

#[tokio::test]
async fn a_preflight_is_answered_for_the_api_and_only_for_it() {
    let asked = [
        ("origin", "https://app.example"),
        ("access-control-request-method", "POST"),
        (
            "access-control-request-headers",
            "authorization,x-stainless-lang,x-evil",
        ),
    ];
    let response = send("OPTIONS", "/api/v1/well", &asked).await;
    assert_eq!(response.status(), 204);
    assert_eq!(header(&response, "access-control-allow-origin"), Some("*"));
    assert_eq!(header(&response, "access-control-allow-credentials"), None);
    let allowed = header(&response, "access-control-allow-headers").unwrap();
    for name in [
        "authorization",
        "content-type",
        "x-stainless-lang",
        "anthropic-version",
    ] {
        assert!(allowed.split(", ").any(|other| other == name), "{name}");
    }
    assert!(!allowed.contains("x-evil"));
    assert_eq!(send("OPTIONS", "/page", &asked).await.status(), 405);
}

#[tokio::test]
async fn cors_headers_are_for_browsers_only() {
    for (path, origin, expected) in [
        ("/api/v1/well", Some("https://app.example"), Some("*")),
        ("/api/v1/nowhere", Some("https://app.example"), Some("*")),
        ("/api/v1/well", None, None),
        ("/page", Some("https://app.example"), None),
    ] {
        let headers: Vec<_> = origin
            .map(|origin| ("origin", origin))
            .into_iter()
            .collect();
        let response = send("GET", path, &headers).await;
        assert_eq!(
            header(&response, "access-control-allow-origin"),
            expected,
            "{path}"
        );
        let exposed = header(&response, "access-control-expose-headers");
        assert_eq!(
            exposed.is_some_and(|names| names.contains("x-generation-id")),
            expected.is_some()
        );
    }
}

#[tokio::test]
async fn a_panic_is_a_masked_500() {
    let response = send(
        "GET",
        "/api/v1/breaks",
        &[("origin", "https://app.example")],
    )
    .await;
    assert_eq!(response.status(), 500);
    assert!(header(&response, "x-request-id").is_some());
    assert_eq!(header(&response, "access-control-allow-origin"), Some("*"));
    let body = response.into_body().collect().await.unwrap().to_bytes();
    let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(body["error"]["metadata"]["error_type"], "server");
    assert!(!body.to_string().contains("panicked"), "{body}");
}
