use crate::testing::{KEY, MANAGEMENT_KEY, OTHER_KEY, TestApp};
use serde_json::json;

#[tokio::test]
async fn a_key_is_shown_to_its_holder() {
    let app = TestApp::start().await;
    let answer = app.get("/api/v1/key", Some(KEY)).await;
    assert_eq!(answer.header("cache-control"), "private, no-store");
    assert!(answer.text.contains("\"limit\":5.5,"), "{}", answer.text);
    let data = &answer.json()["data"];
    for (name, expected) in [
        ("limit_remaining", json!(5.5)),
        ("limit_reset", json!("monthly")),
        ("usage", json!(0)),
        ("is_free_tier", json!(false)),
        ("is_management_key", json!(false)),
        ("expires_at", json!("2030-03-17T17:46:40Z")),
    ] {
        assert_eq!(data[name], expected, "{name}");
    }
    for secret in [KEY, &interline_gateway::keys::hash_of(KEY)] {
        assert!(!answer.text.contains(secret));
    }
    let old_path = app.get("/api/v1/auth/key", Some(KEY)).await;
    assert_eq!(old_path.text, answer.text);
    let management = app.get("/api/v1/key", Some(MANAGEMENT_KEY)).await.json();
    assert_eq!(management["data"]["is_management_key"], true);
    assert_eq!(management["data"]["is_provisioning_key"], true);
    assert_eq!(
        app.get("/api/v1/key", Some(OTHER_KEY)).await.json()["data"]["is_free_tier"],
        true
    );
}

#[tokio::test]
async fn credit_is_for_management() {
    let app = TestApp::start().await;
    for (key, status) in [
        (Some(MANAGEMENT_KEY), 200),
        (Some(KEY), 403),
        (Some("sk-il-v1-unknown"), 401),
        (None, 401),
    ] {
        let answer = app.get("/api/v1/credits", key).await;
        assert_eq!(answer.status, status, "{key:?}");
        if status == 200 {
            assert_eq!(
                answer.json(),
                json!({ "data": { "total_credits": 10, "total_usage": 0 } })
            );
        }
    }
}
