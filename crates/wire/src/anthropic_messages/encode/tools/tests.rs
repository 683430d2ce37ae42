use crate::anthropic_messages::encode::encode;
use crate::anthropic_messages::encode::testing::{Model, ask, call, chat, tool};
use crate::chat::parse::parse;
use serde_json::{Value, json};

#[test]
fn tool_choice_is_translated() {
    let check = |forced_tools: bool, fields: Value, choice: Value, tools: &[&str], told: bool| {
        let mut request = ask(json!({"tools": [tool("f"), tool("g")]}));
        for (key, value) in fields.as_object().unwrap() {
            request[key] = value.clone();
        }
        let body = Model::with(|quirks| quirks.forced_tools = forced_tools).body(&request);
        assert_eq!(body["tool_choice"], choice, "{fields}");
        let names: Vec<_> = body["tools"]
            .as_array()
            .unwrap()
            .iter()
            .map(|tool| &tool["name"])
            .collect();
        assert_eq!(names, tools, "{fields}");
        assert_eq!(body.get("system").is_some(), told, "{fields}");
    };
    let both = ["f", "g"];
    let named = json!({"type": "function", "function": {"name": "g"}});
    check(true, json!({}), Value::Null, &both, false);
    check(
        true,
        json!({"tool_choice": "auto"}),
        json!({"type": "auto"}),
        &both,
        false,
    );
    check(
        true,
        json!({"tool_choice": "none"}),
        json!({"type": "none"}),
        &both,
        false,
    );
    check(
        true,
        json!({"tool_choice": "required"}),
        json!({"type": "any"}),
        &both,
        false,
    );
    check(
        true,
        json!({"tool_choice": named}),
        json!({"type": "tool", "name": "g"}),
        &both,
        false,
    );
    check(
        true,
        json!({"tool_choice": "required", "parallel_tool_calls": false}),
        json!({"type": "any", "disable_parallel_tool_use": true}),
        &both,
        false,
    );
    check(
        true,
        json!({"tool_choice": "none", "parallel_tool_calls": false}),
        json!({"type": "none"}),
        &both,
        false,
    );
    check(
        false,
        json!({"tool_choice": "required"}),
        json!({"type": "auto"}),
        &both,
        true,
    );
    check(
        false,
        json!({"tool_choice": named}),
        json!({"type": "auto"}),
        &["g"],
        true,
    );
    check(
        false,
        json!({"tool_choice": "none"}),
        json!({"type": "none"}),
        &both,
        false,
    );
}

#[test]
fn tools_are_carried_byte_for_byte() {
    let request = r#"{"model":"m","stream":true,"messages":[{"role":"user","content":"Hi"}],"tools":[
        {"type":"function","function":{"name":"f","description":"","strict":true,"parameters":{ "type" : "object", "properties":{"z":{"default":1.0},"a":{}} }},"cache_control":{"type":"ephemeral"}},
        {"type":"function","function":{"name":"g"}},
        {"type":"function","function":{"name":"h","parameters":{"properties":{"x":{}}}}},
        {"type":"function","function":{"name":"i","parameters":{}}}]}"#;
    let request = parse(request.as_bytes()).unwrap();
    let model = Model::default();
    let encoded = encode(&request, &model.target()).unwrap();
    let body = std::str::from_utf8(&encoded.body).unwrap();
    let expected = r#""tools":[{"name":"f","input_schema":{ "type" : "object", "properties":{"z":{"default":1.0},"a":{}} },"eager_input_streaming":true,"cache_control":{"type":"ephemeral"}},{"name":"g","input_schema":{"type":"object","properties":{}},"eager_input_streaming":true},{"name":"h","input_schema":{"type":"object","properties":{"x":{}}},"eager_input_streaming":true},{"name":"i","input_schema":{"type":"object","properties":{}},"eager_input_streaming":true}],"messages""#;
    assert!(body.contains(expected), "{body}");
}

#[test]
fn a_history_with_calls_keeps_definitions() {
    let messages = json!([
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "tool_calls": [call("a", "f", ""), call("b", "f", "")]},
        {"role": "tool", "tool_call_id": "a", "content": "r"},
        {"role": "tool", "tool_call_id": "b", "content": "r"},
    ]);
    let body = Model::default().body(&chat(messages, json!({})));
    let schema = json!({"type": "object", "properties": {}});
    assert_eq!(
        body["tools"],
        json!([{"name": "f", "input_schema": schema}])
    );
    assert_eq!(body["tool_choice"], json!({"type": "none"}));
}

/// T42: names that Anthropic refuses are mapped, and the way back is handed out.
#[test]
fn t42_tool_names_are_mapped() {
    let request = parse(
        br#"{"model":"m","messages":[{"role":"user","content":"Hi"}],
            "tools":[{"type":"function","function":{"name":"ok"}}]}"#,
    )
    .unwrap();
    let mut request = request.clone();
    request.tools.push(request.tools[0].clone());
    request.tools[1].name = "mcp.server.tool".into();
    request.tool_choice = Some(crate::chat::request::ToolChoice::Named(
        "mcp.server.tool".into(),
    ));
    let model = Model::default();
    let encoded = encode(&request, &model.target()).unwrap();
    let [(sent, original)] = encoded.read_back.tool_names.as_slice() else {
        panic!("{:?}", encoded.read_back);
    };
    assert_eq!(original, "mcp.server.tool");
    assert!(sent.starts_with("mcp_server_tool_"), "{sent}");
    let body: Value = serde_json::from_slice(&encoded.body).unwrap();
    assert_eq!(body["tools"][1]["name"], *sent);
    assert_eq!(body["tool_choice"]["name"], *sent);
    assert_eq!(encode(&request, &model.target()).unwrap(), encoded);
}
