use super::*;
use crate::testing::TestApp;
use serde_json::Value;

fn tags(endpoints: &Value) -> Vec<(String, i64)> {
    endpoints
        .as_array()
        .unwrap()
        .iter()
        .map(|e| {
            (
                e["tag"].as_str().unwrap().to_owned(),
                e["status"].as_i64().unwrap(),
            )
        })
        .collect()
}

#[test]
fn states() {
    for (standing, is_unstable, is_resting, expected) in [
        (Standing::Ready, false, false, 0),
        (Standing::Ready, true, false, -1),
        (Standing::Ready, true, true, -2),
        (Standing::Ready, false, true, -5),
        (Standing::NoCredential, false, false, -3),
        (Standing::Unpriced, true, true, -3),
        (Standing::NotSpoken, false, false, -3),
        (Standing::Disabled, false, false, -3),
    ] {
        let health = EndpointHealth {
            is_unstable,
            is_resting,
            ..EndpointHealth::default()
        };
        assert_eq!(status(standing, health), expected, "{standing:?}");
    }
}

#[tokio::test]
async fn a_model_shows_all_its_endpoints() {
    let app = TestApp::start().await;
    for (path, expected) in [
        ("acme/cheap", &[("loud", 0), ("quiet", -3)][..]),
        ("~acme/latest", &[("quiet/fp8", 0)]),
        ("acme/cheap:free", &[("loud", 0)]),
        ("other/draws", &[("loud", -3)]),
    ] {
        let body = app
            .get(&format!("/api/v1/models/{path}/endpoints"), None)
            .await
            .json();
        let expected: Vec<_> = expected
            .iter()
            .map(|(tag, state)| ((*tag).to_owned(), *state))
            .collect();
        assert_eq!(tags(&body["data"]["endpoints"]), expected, "{path}");
    }
    assert_eq!(
        app.get("/api/v1/models/acme/none/endpoints", None)
            .await
            .status,
        404
    );
}

#[tokio::test]
async fn zero_retention_is_a_promise_of_the_provider() {
    let app = TestApp::start().await;
    let body = app.get("/api/v1/endpoints/zdr", None).await.json();
    let all: Vec<_> = body["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| &e["provider_name"])
        .collect();
    assert_eq!(all, ["QUIET", "QUIET"]);
}
