use super::*;
use crate::testing::TestApp;

#[test]
fn the_base_url_is_the_readers_own() {
    let public = "https://router.example/";
    for (host, proto, expected) in [
        (None, None, "https://router.example"),
        (Some("router.example"), None, "https://router.example"),
        (Some("127.0.0.1:8080"), None, "http://127.0.0.1:8080"),
        (Some("[::1]:8080"), None, "http://[::1]:8080"),
        (
            Some("other.example"),
            Some("https"),
            "https://other.example",
        ),
        (
            Some("other.example"),
            Some("javascript"),
            "http://other.example",
        ),
        (Some("x\"><script>"), None, "https://router.example"),
        (Some("$(touch x)"), None, "https://router.example"),
    ] {
        let mut headers = HeaderMap::new();
        if let Some(host) = host {
            headers.insert("host", host.parse().unwrap());
        }
        if let Some(proto) = proto {
            headers.insert("x-forwarded-proto", proto.parse().unwrap());
        }
        assert_eq!(base_url(&headers, public), expected, "{host:?} {proto:?}");
    }
}

#[tokio::test]
async fn pages_are_whole_and_locked_down() {
    let app = TestApp::start().await;
    for path in ["/", "/docs/api", "/assets/page.css"] {
        let answer = app.send("GET", path, &[("host", "here.example")]).await;
        let policy = answer.header("content-security-policy");
        assert!(
            policy.starts_with("default-src 'none'; style-src 'self';"),
            "{path}: {policy}"
        );
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(answer.header("referrer-policy"), "no-referrer", "{path}");
        assert!(!answer.text.contains("{{"), "{path} has an unfilled place");
        for forbidden in ["<script", " style=", " onclick=", "https://fonts"] {
            assert!(!answer.text.contains(forbidden), "{path} has {forbidden}");
        }
    }
    let page = app.send("GET", "/", &[("host", "here.example")]).await.text;
    for expected in [
        "curl -N http://here.example/api/v1/chat/completions",
        "<dd>3</dd>",
        "<code>acme/dear</code>",
        "not built yet",
    ] {
        assert!(page.contains(expected), "{expected}");
    }
}

#[test]
fn the_page_says_what_can_be_called() {
    for (demo, real, expected, unexpected) in [
        (&[][..], &[][..], "OPENAI_API_KEY", "simulated"),
        (&["demo/story"], &[], "demo/story", "more"),
        (&[], &["a/b"], "<code>a/b</code>", "OPENAI_API_KEY"),
        (&[], &["a/b"; 20], "and 8 more", "OPENAI_API_KEY"),
    ] {
        let text = callable(demo, real);
        assert!(
            text.contains(expected) && !text.contains(unexpected),
            "{text}"
        );
    }
}
