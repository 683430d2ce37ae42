//! OpenAI chat completions, and the embeddings that live beside them.

use super::{EPOCH, Event, Part};
use crate::answer::{Answer, Tokens};
use crate::script::{Call, Finish};
use bytes::{BufMut, Bytes, BytesMut};
use serde_json::{Map, Value, json};

const DONE: &[u8] = b"data: [DONE]\n\n";

pub(super) fn whole(answer: &Answer) -> Value {
    let mut message = Map::new();
    message.insert("role".into(), json!("assistant"));
    let said = answer.text.concat();
    let is_silent = said.is_empty() && !(answer.calls.is_empty() && answer.refusal.is_empty());
    message.insert(
        "content".into(),
        if is_silent { Value::Null } else { json!(said) },
    );
    if !answer.reasoning.is_empty() {
        message.insert("reasoning_content".into(), json!(answer.reasoning.concat()));
    }
    let refused = (!answer.refusal.is_empty()).then(|| answer.refusal.concat());
    message.insert("refusal".into(), json!(refused));
    if !answer.calls.is_empty() {
        let calls: Vec<Value> = answer
            .calls
            .iter()
            .enumerate()
            .map(|(index, call)| tool_call(answer, index, call))
            .collect();
        message.insert("tool_calls".into(), json!(calls));
    }
    let mut body = json!({
        "id": id(answer), "object": "chat.completion", "created": EPOCH + answer.number,
        "model": answer.model, "system_fingerprint": "fp_sim",
        "choices": [{"index": 0, "message": message, "logprobs": null, "finish_reason": finish(answer)}],
    });
    if let Some(tokens) = &answer.tokens {
        body["usage"] = usage(tokens);
    }
    body
}

/// A plain answer written without building it first: for load.
pub(crate) fn plain(answer: &Answer) -> Bytes {
    let text = serde_json::to_string(&answer.text.concat()).unwrap_or_default();
    let Tokens {
        prompt, completion, ..
    } = answer.tokens.unwrap_or_default();
    let model = serde_json::to_string(&answer.model).unwrap_or_default();
    Bytes::from(format!(
        r#"{{"id":"{}","object":"chat.completion","created":{},"model":{model},"system_fingerprint":"fp_sim","choices":[{{"index":0,"message":{{"role":"assistant","content":{text},"refusal":null}},"logprobs":null,"finish_reason":"{}"}}],"usage":{{"prompt_tokens":{prompt},"completion_tokens":{completion},"total_tokens":{},"prompt_tokens_details":{{"cached_tokens":0,"audio_tokens":0}},"completion_tokens_details":{{"reasoning_tokens":0,"audio_tokens":0,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}}}}}}"#,
        id(answer),
        EPOCH + answer.number,
        finish(answer),
        prompt + completion,
    ))
}

pub(super) fn events(answer: &Answer, include_usage: bool) -> Vec<Event> {
    let mut stream = Stream::new(answer, include_usage);
    stream.delta(
        Part::Frame,
        &json!({"role": "assistant", "content": "", "refusal": null}),
    );
    for piece in &answer.reasoning {
        stream.text("reasoning_content", piece);
    }
    for piece in &answer.text {
        stream.text("content", piece);
    }
    for piece in &answer.refusal {
        stream.text("refusal", piece);
    }
    for (index, call) in answer.calls.iter().enumerate() {
        let mut start = tool_call(answer, index, call);
        start["index"] = json!(index);
        start["function"]["arguments"] = json!("");
        stream.delta(Part::Content, &json!({"tool_calls": [start]}));
        for fragment in crate::answer::words(&call.arguments) {
            let fragment = json!({"index": index, "function": {"arguments": fragment}});
            stream.delta(Part::Content, &json!({"tool_calls": [fragment]}));
        }
    }
    stream.push(Part::Finish, |out, stream| {
        out.put_slice(&stream.head);
        out.put_slice(b"{},\"logprobs\":null,\"finish_reason\":\"");
        out.put_slice(finish(answer).as_bytes());
        out.put_slice(b"\"}]");
        out.put_slice(stream.tail);
    });
    if let Some(tokens) = answer.tokens.as_ref().filter(|_| include_usage) {
        let chunk = json!({
            "id": id(answer), "object": "chat.completion.chunk", "created": EPOCH + answer.number,
            "model": answer.model, "choices": [], "usage": usage(tokens),
        });
        stream.events.push(Event {
            part: Part::Usage,
            bytes: Bytes::from(format!("data: {chunk}\n\n")),
        });
    }
    stream.events.push(Event {
        part: Part::Done,
        bytes: Bytes::from_static(DONE),
    });
    stream.events
}

/// Writes chunks around a head and a tail that are the same for all: a load test asks for tens of
/// thousands a second.
struct Stream {
    head: Vec<u8>,
    tail: &'static [u8],
    space: BytesMut,
    events: Vec<Event>,
}

impl Stream {
    fn new(answer: &Answer, include_usage: bool) -> Self {
        let head = format!(
            "data: {{\"id\":\"{}\",\"object\":\"chat.completion.chunk\",\"created\":{},\"model\":{},\"system_fingerprint\":\"fp_sim\",\"choices\":[{{\"index\":0,\"delta\":",
            id(answer),
            EPOCH + answer.number,
            json!(answer.model),
        );
        let pieces = answer.text.len() + answer.reasoning.len() + 4;
        let tail: &[u8] = if include_usage {
            b",\"usage\":null}\n\n"
        } else {
            b"}\n\n"
        };
        Self {
            space: BytesMut::with_capacity(pieces * (head.len() + 96)),
            head: head.into_bytes(),
            tail,
            events: Vec::with_capacity(pieces),
        }
    }

    fn push(&mut self, part: Part, write: impl FnOnce(&mut BytesMut, &Self)) {
        let mut space = std::mem::take(&mut self.space);
        write(&mut space, self);
        let bytes = space.split().freeze();
        self.space = space;
        self.events.push(Event { part, bytes });
    }

    fn text(&mut self, field: &str, piece: &str) {
        let quoted = serde_json::to_string(piece).unwrap_or_default();
        self.push(Part::Content, |out, stream| {
            out.put_slice(&stream.head);
            out.put_slice(b"{\"");
            out.put_slice(field.as_bytes());
            out.put_slice(b"\":");
            out.put_slice(quoted.as_bytes());
            out.put_slice(b"},\"logprobs\":null,\"finish_reason\":null}]");
            out.put_slice(stream.tail);
        });
    }

    fn delta(&mut self, part: Part, delta: &Value) {
        let delta = delta.to_string();
        self.push(part, |out, stream| {
            out.put_slice(&stream.head);
            out.put_slice(delta.as_bytes());
            out.put_slice(b",\"logprobs\":null,\"finish_reason\":null}]");
            out.put_slice(stream.tail);
        });
    }
}

fn id(answer: &Answer) -> String {
    format!("chatcmpl-sim{}", answer.number)
}

fn tool_call(answer: &Answer, index: usize, call: &Call) -> Value {
    json!({"id": format!("call_sim{}x{index}", answer.number), "type": "function",
           "function": {"name": call.name, "arguments": call.arguments}})
}

fn finish(answer: &Answer) -> &'static str {
    match answer.finish {
        Finish::Stop => "stop",
        Finish::Length => "length",
        Finish::ToolCalls => "tool_calls",
        Finish::ContentFilter => "content_filter",
    }
}

fn usage(tokens: &Tokens) -> Value {
    json!({
        "prompt_tokens": tokens.prompt, "completion_tokens": tokens.completion,
        "total_tokens": tokens.prompt + tokens.completion,
        "prompt_tokens_details": {"cached_tokens": tokens.cached, "cache_write_tokens": tokens.cache_write, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": tokens.reasoning, "audio_tokens": 0,
            "accepted_prediction_tokens": 0, "rejected_prediction_tokens": 0},
    })
}
