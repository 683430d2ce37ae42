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
    let budget = json!({
        "scope": "key_limit", "budget_id": null, "guardrail_id": null, "limit_usd": 5.5,
        "spend_usd": 0, "remaining_usd": 5.5, "include_byok": false, "reset_interval": "monthly",
        "resets_at": data["budgets"][0]["resets_at"],
    });
    assert_eq!(data["effective_budget"], budget);
    assert_eq!(data["budgets"], json!([budget]));
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

#[test]
fn limits_begin_anew_at_midnight() {
    use super::next_reset;
    use interline_domain::Timestamp;
    use interline_store::LimitReset::{Daily, Monthly, Weekly};
    // (now, the next day, Monday, first of a month)
    for (now, day, week, month) in [
        // 1970-01-01, a Thursday
        (0, 86_400, 4 * 86_400, 31 * 86_400),
        // 2024-12-31 23:59:59, a Tuesday
        (1_735_689_599, 1_735_689_600, 1_736_121_600, 1_735_689_600),
        // 2025-01-06, a Monday: this week ends with the next one
        (1_736_121_600, 1_736_208_000, 1_736_726_400, 1_738_368_000),
    ] {
        for (reset, expected) in [(Daily, day), (Weekly, week), (Monthly, month)] {
            let found = next_reset(reset, Timestamp::from_seconds(now));
            assert_eq!(
                found,
                Some(Timestamp::from_seconds(expected)),
                "{reset:?} after {now}"
            );
        }
    }
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
