use super::*;
use crate::testing::{KEY, MANAGEMENT_KEY, NOW, OTHER_KEY, TestApp};
use interline_domain::id::NodeId;
use interline_store::{ChargeKind, NewCharge, NewGeneration};
use serde_json::json;

fn record(account: &AccountId) -> Record {
    Record {
        id: GenerationId::new(NOW, 7).to_string(),
        request_id: "req-1760000000-aaaaaaaaaaaaaaaaaaaa".into(),
        account: account.to_string(),
        created_at: NOW.micros(),
        requested_model: "acme/dear".into(),
        model: "acme/dear".into(),
        provider_name: "QUIET".into(),
        streamed: true,
        finish_reason: Some("stop".into()),
        latency_ms: 120,
        generation_ms: 500,
        prompt_tokens: 10,
        completion_tokens: 20,
        cached_tokens: 4,
        charged_nano: 1,
        cache_saved_nano: -25,
        region: "eu".into(),
        attempts: vec![AttemptRecord {
            endpoint_id: "acme/dear@quiet/fp8".into(),
            provider_name: "QUIET".into(),
            model: "acme/dear".into(),
            status: None,
            latency_ms: 100,
            ..AttemptRecord::default()
        }],
        ..Record::default()
    }
}

/// Leaves a finished call of the app's account in its spool.
pub(crate) async fn spool(app: &TestApp) -> String {
    let record = record(&app.account);
    let payload = serde_json::to_vec(&record).unwrap();
    app.app
        .gateway
        .spool
        .close_record(&record.id, payload)
        .unwrap()
        .await
        .unwrap();
    record.id
}

async fn post(app: &TestApp, record: &Record) {
    let charge = NewCharge {
        generation_id: GenerationId::parse(&record.id).unwrap(),
        kind: ChargeKind::Charge,
        account: app.account.clone(),
        key_hash: None,
        node: NodeId::parse("node_test").unwrap(),
        amount: Money::from_nano(record.charged_nano),
        absorbed: Money::ZERO,
        byok_usage: Money::ZERO,
        delivery_unknown: false,
        created_at: NOW,
        generation: Some(NewGeneration {
            record: serde_json::to_string(record).unwrap(),
            ..NewGeneration::default()
        }),
    };
    let outcome = app.app.store.ledger().post(&[charge]).await.unwrap();
    assert_eq!(outcome.posted, 1, "{outcome:?}");
}

#[tokio::test]
async fn a_call_is_shown_from_the_spool_and_then_from_the_ledger() {
    let app = TestApp::start().await;
    let id = spool(&app).await;
    let path = format!("/api/v1/generation?id={id}");
    let fresh = app.get(&path, Some(KEY)).await;
    assert_eq!(fresh.status, 200, "{}", fresh.text);
    app.app.gateway.spool.forget([id.as_str()]);
    assert_eq!(app.get(&path, Some(KEY)).await.status, 404);
    post(&app, &record(&app.account)).await;
    let posted = app.get(&path, Some(MANAGEMENT_KEY)).await;
    assert_eq!(posted.text, fresh.text);

    assert!(
        fresh.text.contains("\"total_cost\":0.000000001,"),
        "{}",
        fresh.text
    );
    let data = &fresh.json()["data"];
    for (name, expected) in [
        ("id", json!(id)),
        ("model", json!("acme/dear-20250101")),
        ("created_at", json!("2025-10-09T08:53:20Z")),
        ("latency", json!(120)),
        ("generation_time", json!(380)),
        ("cache_discount", json!(-0.000_000_025)),
        ("cancelled", json!(false)),
        ("data_region", json!("europe")),
        ("native_tokens_cached", json!(4)),
        ("native_tokens_reasoning", json!(null)),
        ("upstream_inference_cost", json!(0)),
    ] {
        assert_eq!(data[name], expected, "{name}");
    }
    assert_eq!(
        data["provider_responses"],
        json!([{
            "endpoint_id": "acme/dear@quiet/fp8",
            "model_permaslug": "acme/dear-20250101",
            "provider_name": "QUIET",
            "status": null,
            "latency": 100,
            "is_byok": false,
        }])
    );
}

#[tokio::test]
async fn what_is_not_the_callers_is_not_there() {
    let app = TestApp::start().await;
    let id = spool(&app).await;
    let unknown = GenerationId::new(NOW, 8);
    for (query, key, status) in [
        (format!("id={id}"), Some(OTHER_KEY), 404),
        (format!("id={unknown}"), Some(KEY), 404),
        ("id=not-an-id".to_owned(), Some(KEY), 404),
        (String::new(), Some(KEY), 400),
        ("id=".to_owned(), Some(KEY), 400),
        (format!("id={id}"), None, 401),
    ] {
        let answer = app.get(&format!("/api/v1/generation?{query}"), key).await;
        assert_eq!(answer.status, status, "{query} {key:?}");
    }
    // Another's and nobody's are told in the same words.
    let other = app
        .get(&format!("/api/v1/generation?id={id}"), Some(OTHER_KEY))
        .await
        .text;
    let none = app
        .get(&format!("/api/v1/generation?id={unknown}"), Some(OTHER_KEY))
        .await
        .text;
    assert_eq!(other.replace(&id, ""), none.replace(unknown.as_str(), ""));
}

#[test]
fn a_refused_call_has_no_provider() {
    let mut refused = record(&AccountId::parse("acct_owner").unwrap());
    refused.model = String::new();
    refused.provider_name = String::new();
    refused.requested_model = "gone/model".into();
    let catalogue = Catalogue::default();
    let shown = serde_json::to_value(Generation::new(&refused, &catalogue)).unwrap();
    assert_eq!(shown["provider_name"], json!(null));
    assert_eq!(shown["model"], "gone/model");
}
