use crate::testing::{KEY, TestApp};
use serde_json::{Value, json};

fn ids(body: &Value) -> Vec<&str> {
    body["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|model| model["id"].as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn pages_lead_to_one_another() {
    let app = TestApp::start().await;
    let first = app.get("/api/v1/models?q=acme&limit=2", None).await.json();
    assert_eq!(ids(&first), ["acme/cheap", "acme/dear"]);
    assert_eq!(first["total_count"], 4);
    assert_eq!(
        first["links"]["next"],
        "/api/v1/models?q=acme&offset=2&limit=2"
    );
    let second = app
        .get(first["links"]["next"].as_str().unwrap(), None)
        .await
        .json();
    assert_eq!(ids(&second), ["~acme/latest", "acme/cheap:free"]);
    assert_eq!(second["links"]["next"], Value::Null);
    let beyond = app.get("/v1/models?offset=9", None).await.json();
    assert_eq!((ids(&beyond).len(), &beyond["total_count"]), (0, &json!(4)));
}

#[tokio::test]
async fn the_list_is_cached_by_its_tag() {
    let app = TestApp::start().await;
    let answer = app.get("/api/v1/models", None).await;
    assert_eq!(answer.header("cache-control"), "public, max-age=60");
    let again = app
        .send(
            "GET",
            "/api/v1/models",
            &[("if-none-match", answer.header("etag"))],
        )
        .await;
    assert_eq!((again.status.as_u16(), again.text.as_str()), (304, ""));
    let filtered = app.get("/api/v1/models?zdr=true", None).await;
    assert_ne!(filtered.header("etag"), answer.header("etag"));
    let mine = app.get("/api/v1/models/user", Some(KEY)).await;
    assert_eq!(mine.header("cache-control"), "private, no-store");
    assert_eq!(mine.json()["data"], answer.json()["data"]);
}

#[tokio::test]
async fn a_new_snapshot_is_seen_at_once() {
    let app = TestApp::start().await;
    assert_eq!(
        app.get("/api/v1/models/count", None).await.json()["data"]["count"],
        4
    );
    let catalogue = interline_domain::catalogue::Catalogue::new(
        vec![crate::testing::model("new/one")],
        Vec::new(),
        Vec::new(),
    );
    app.app
        .gateway
        .replace_snapshot(interline_gateway::snapshot::Snapshot::new(
            catalogue.unwrap(),
            interline_providers::Names::default(),
            |_, _| None,
        ));
    assert_eq!(
        ids(&app.get("/api/v1/models", None).await.json()),
        ["new/one"]
    );
}

#[tokio::test]
async fn one_model_is_found_by_any_of_its_names() {
    let app = TestApp::start().await;
    for (path, expected) in [
        ("acme/dear", Some("acme/dear")),
        ("ACME/Dear", Some("acme/dear")),
        ("acme/dear-20250101", Some("acme/dear")),
        ("acme/cheap:free", Some("acme/cheap:free")),
        ("acme/cheap%3Afree", Some("acme/cheap:free")),
        ("acme/dear:nitro", Some("acme/dear")),
        ("~acme/latest", Some("acme/dear")),
        ("acme/dear:free", None),
        ("acme/dera", None),
    ] {
        let answer = app.get(&format!("/api/v1/model/{path}"), None).await;
        let body = answer.json();
        if let Some(id) = expected {
            assert_eq!(body["data"]["id"], id, "{path}");
        } else {
            assert_eq!(answer.status, 404, "{path}");
            let message = body["error"]["message"].as_str().unwrap();
            assert!(message.contains("Did you mean acme/dear"), "{message}");
        }
    }
}

#[tokio::test]
async fn the_object_has_exact_figures() {
    let app = TestApp::start().await;
    let all = app.get("/api/v1/models?output_modalities=all", None).await;
    // `min_p` has no place in the published shape; numbers are as written.
    assert!(
        all.text
            .contains("\"default_parameters\":{\"temperature\":0.30,\"top_p\":null,\"top_k\":20,")
    );
    let all = all.json();
    let model = |id: &str| {
        all["data"]
            .as_array()
            .unwrap()
            .iter()
            .find(|model| model["id"] == id)
            .unwrap()
            .clone()
    };
    let dear = model("acme/dear");
    assert_eq!(
        dear["pricing"],
        json!({
            "prompt": "0.00001",
            "completion": "0.00003",
            "input_cache_read": "0.000000000001",
            "overrides": [{ "min_prompt_tokens": 128_000, "prompt": "0.00002" }],
        })
    );
    assert_eq!(dear["architecture"]["modality"], "text+image->text");
    assert_eq!(
        dear["links"]["details"],
        "/api/v1/models/acme/dear-20250101/endpoints"
    );
    assert_eq!(
        dear["reasoning"],
        json!({ "mandatory": true, "supported_efforts": ["high", "low"], "default_effort": "high", "default_enabled": true })
    );
    let alias = model("~acme/latest");
    assert_eq!(
        alias["alias_target"],
        json!({ "slug": "acme/dear", "name": "ACME/DEAR" })
    );
    for same in [
        "pricing",
        "architecture",
        "context_length",
        "supported_parameters",
        "created",
    ] {
        assert_eq!(alias[same], dear[same], "{same}");
    }
    // The routable endpoint stands for the model, though another is cheaper.
    assert_eq!(model("acme/cheap")["pricing"]["prompt"], "0.000001");
    assert_eq!(model("acme/cheap:free")["pricing"]["prompt"], "0");
    assert_eq!(model("other/draws")["pricing"]["prompt"], "-1");
}

#[tokio::test]
async fn the_feed_is_well_formed() {
    let app = TestApp::start().await;
    let feed = app.get("/api/v1/models?use_rss=true", None).await;
    assert_eq!(feed.header("content-type"), "application/rss+xml");
    assert!(
        feed.text
            .contains("<description>A &lt;model&gt; &amp; more</description>")
    );
    assert!(
        feed.text
            .contains("<pubDate>Sun, 15 Jun 2025 15:06:40 GMT</pubDate>"),
        "{}",
        feed.text
    );
    let chat = app
        .get("/api/v1/models?use_rss=true&use_rss_chat_links=true", None)
        .await;
    assert!(chat.text.contains("/chat?models=acme/cheap</link>"));
}
