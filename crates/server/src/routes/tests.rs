use super::*;
use crate::testing::{KEY, TestApp};

#[tokio::test]
async fn every_row_is_mounted_at_each_of_its_paths() {
    let app = TestApp::start().await;
    for route in TABLE {
        for path in route.paths() {
            let path = path.replace("{author}", "acme").replace("{slug}", "cheap");
            let path = path.replace("{name}", "page.css");
            let answer = app.send(route.verb.as_str(), &path, &[]).await;
            assert!(
                ![404, 405].contains(&answer.status.as_u16()),
                "{path}: {}",
                answer.text
            );
            assert!(!answer.header("x-request-id").is_empty(), "{path}");
            if route.access == Access::Public {
                assert_eq!(answer.status, 200, "{path}: {}", answer.text);
            } else {
                assert_eq!(answer.status, 401, "{path}: {}", answer.text);
            }
            let media = match route.answer {
                Answer::Media(media) => media,
                _ => "application/json",
            };
            assert!(answer.header("content-type").starts_with(media), "{path}");
        }
    }
}

#[tokio::test]
async fn refusals_have_the_envelope() {
    let app = TestApp::start().await;
    for (method, path, status, text) in [
        (
            "GET",
            "/api/v1/chat/completions",
            405,
            "takes POST, not GET",
        ),
        ("POST", "/v1/models", 405, "takes GET, not POST"),
        ("DELETE", "/health/live", 405, "takes GET, not DELETE"),
        (
            "GET",
            "/api/v1/modles",
            404,
            "Did you mean GET /api/v1/models?",
        ),
        (
            "POST",
            "/chat/completions",
            404,
            "Did you mean POST /api/v1/chat/completions?",
        ),
        ("GET", "/assets/none.css", 404, "no such file"),
        (
            "GET",
            "/api/v1/models?limit=0",
            400,
            "limit: `0` is not valid",
        ),
    ] {
        let answer = app.send(method, path, &[]).await;
        assert_eq!(answer.status, status, "{method} {path}");
        let body = answer.json();
        assert_eq!(body["error"]["code"], status, "{method} {path}");
        let message = body["error"]["message"].as_str().unwrap();
        assert!(message.contains(text), "{method} {path}: {message}");
    }
    let answer = app.send("GET", "/api/v1/chat/completions", &[]).await;
    assert!(
        answer.header("allow").contains("POST"),
        "{:?}",
        answer.headers
    );
}

#[tokio::test]
async fn a_draining_process_is_alive_and_not_ready() {
    let app = TestApp::start().await;
    app.app
        .gateway
        .is_draining
        .store(true, std::sync::atomic::Ordering::Relaxed);
    for (path, status) in [
        ("/health/live", 200),
        ("/health/ready", 503),
        ("/health/ready/management", 200),
    ] {
        assert_eq!(app.get(path, None).await.status, status, "{path}");
    }
}

#[tokio::test]
async fn a_lost_database_stops_management_only() {
    let app = TestApp::start().await;
    app.app.store.clone().close().await.unwrap();
    for (path, status) in [("/health/ready", 200), ("/health/ready/management", 503)] {
        assert_eq!(app.get(path, None).await.status, status, "{path}");
    }
    assert_eq!(app.get("/api/v1/key", Some(KEY)).await.status, 503);
}
