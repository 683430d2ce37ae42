use super::*;
use interline_domain::Retry;
use serde_json::{Value, json};

/// What is written under `error`, in the envelope and alone.
fn written(body: &ErrorBody) -> Value {
    let alone: Value = serde_json::from_str(&body.error_object()).unwrap();
    let envelope: Value = serde_json::from_slice(&body.envelope(None)).unwrap();
    assert_eq!(alone, envelope["error"]);
    alone
}

fn failure(status: u16, blame: Blame) -> Failure {
    Failure {
        error_type: ErrorType::InvalidRequest,
        status: Some(status),
        provider_code: Some("their_code".to_owned()),
        message: "their message".to_owned(),
        raw: Some("{\"their\":\"body\"}".to_owned()),
        retry: Retry::No,
        blame,
        retry_after: None,
    }
}

#[test]
fn the_envelope_is_exactly_so() {
    let mut body = ErrorBody::new(429, ErrorType::RateLimitExceeded, "Slow \"down\"");
    body.user_id = Some("user_1".to_owned());
    let expected = concat!(
        r#"{"error":{"code":429,"message":"Slow \"down\"","error_type":"rate_limit_exceeded","#,
        r#""http_status":429,"metadata":{"error_type":"rate_limit_exceeded"}},"#,
        r#""user_id":"user_1","openrouter_metadata":{"attempt":1}}"#,
    );
    assert_eq!(body.envelope(Some(r#"{"attempt":1}"#)), expected);
    body.user_id = None;
    let envelope: Value = serde_json::from_slice(&body.envelope(None)).unwrap();
    assert_eq!(envelope["user_id"], Value::Null);
    assert_eq!(envelope.get("openrouter_metadata"), None);
}

#[test]
fn metadata_is_written_where_there_is_any() {
    let mut body = ErrorBody::new(402, ErrorType::PaymentRequired, "m");
    body.metadata = ErrorMetadata {
        provider_code: Some("c".to_owned()),
        provider_name: Some("P".to_owned()),
        raw: Some("line\nbreak".to_owned()),
        is_byok: Some(false),
        previous_errors: vec![PreviousError {
            provider: "Q".to_owned(),
            code: None,
            status: Some(503),
        }],
        limit_source: Some("openrouter_credits"),
        reason: Some("in_flight_budget_exhausted"),
        remedy_hint: Some("h".to_owned()),
        headers: vec![("X-RateLimit-Limit".to_owned(), "20".to_owned())],
        more: vec![("reasons", "[\"a\"]".to_owned())],
    };
    assert_eq!(
        written(&body)["metadata"],
        json!({
            "error_type": "payment_required", "provider_code": "c", "provider_name": "P",
            "raw": "line\nbreak", "is_byok": false, "limit_source": "openrouter_credits",
            "previous_errors": [{"provider": "Q", "code": null, "status": 503}],
            "reason": "in_flight_budget_exhausted", "remedy_hint": "h",
            "headers": {"X-RateLimit-Limit": "20"}, "reasons": ["a"],
        })
    );
    assert!(
        !body.error_object().contains('\n'),
        "it must fit on one SSE line"
    );
}

#[test]
fn availability_is_written_without_empty_members() {
    let mut body = ErrorBody::new(429, ErrorType::RateLimitExceeded, "m");
    let mut availability = Availability::new(AvailabilityCode::CapacityExhausted, true, "/docs");
    body.availability = Some(availability.clone());
    assert_eq!(
        written(&body)["availability"],
        json!({"code": "capacity_exhausted", "retryable": true, "requested_models": [], "docs_url": "/docs"})
    );
    availability.requested_models = vec!["a/b".to_owned()];
    availability.retry_after = Some(Duration::from_millis(1400));
    availability.affected_providers = vec!["P".to_owned()];
    availability.excluded_by = vec!["max_price".to_owned()];
    availability.fallback_models = vec!["a/c".to_owned()];
    availability.constraint = Some(Constraint {
        field: "provider.max_price".to_owned(),
        detail: "d".to_owned(),
    });
    body.availability = Some(availability);
    assert_eq!(
        written(&body)["availability"],
        json!({
            "code": "capacity_exhausted", "retryable": true, "requested_models": ["a/b"],
            "docs_url": "/docs", "retry_after": 2, "affected_providers": ["P"],
            "excluded_by": ["max_price"], "fallback_models": ["a/c"],
            "constraint": {"field": "provider.max_price", "detail": "d"},
        })
    );
}

#[test]
fn a_500_tells_nothing() {
    let failure = failure(500, Blame::Endpoint);
    let mut body = ErrorBody::from_failure(&failure, 500, "P", false);
    body.error_type = ErrorType::Server;
    body.message = "the disk is full".to_owned();
    let expected = concat!(
        r#"{"error":{"code":500,"message":"Internal Server Error","error_type":"server","#,
        r#""http_status":500,"metadata":{"error_type":"server"}},"user_id":null}"#,
    );
    assert_eq!(body.envelope(Some("{\"attempt\":1}")), expected);
}

#[test]
fn a_provider_is_quoted_where_the_request_is_at_fault() {
    let check = |status, blame, is_byok, expected: (&str, Option<&str>, Option<&str>)| {
        let body = ErrorBody::from_failure(&failure(status, blame), 400, "P", is_byok);
        let metadata = &body.metadata;
        let said = (
            body.message.as_str(),
            metadata.raw.as_deref(),
            metadata.provider_code.as_deref(),
        );
        assert_eq!(said, expected, "{status} {blame:?} {is_byok}");
        assert_eq!(metadata.provider_name.as_deref(), Some("P"));
        assert_eq!(metadata.is_byok, Some(is_byok));
    };
    let raw = Some("{\"their\":\"body\"}");
    let code = Some("their_code");
    check(
        400,
        Blame::Caller,
        false,
        ("Provider returned error", raw, code),
    );
    check(503, Blame::Endpoint, false, ("their message", None, code));
    // Our own credential: nothing. The caller's: everything.
    check(401, Blame::Credential, false, ("their message", None, None));
    check(
        401,
        Blame::Credential,
        true,
        ("Provider returned error", raw, code),
    );
}
