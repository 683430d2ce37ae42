//! Embeddings in OpenAI's shape: vectors made from the text's hash, the same every time.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use std::hash::{DefaultHasher, Hash, Hasher};

const DIMENSIONS: u64 = 8;
const MAX_DIMENSIONS: u64 = 4096;

/// The answer and its prompt tokens; `None` if `input` is not what an embedding takes.
pub(crate) fn answer(body: &Value) -> Option<(Value, u64)> {
    let inputs: Vec<String> = match &body["input"] {
        Value::String(text) => vec![text.clone()],
        // A list of numbers is one text in tokens.
        Value::Array(items) if items.first().is_some_and(Value::is_number) => {
            vec![body["input"].to_string()]
        }
        Value::Array(items) if !items.is_empty() => items.iter().map(Value::to_string).collect(),
        _ => return None,
    };
    let dimensions = body["dimensions"]
        .as_u64()
        .unwrap_or(DIMENSIONS)
        .clamp(1, MAX_DIMENSIONS);
    let is_base64 = body["encoding_format"] == "base64";
    let tokens: usize = inputs.iter().map(|input| input.len().div_ceil(4)).sum();
    let tokens = u64::try_from(tokens).unwrap_or(u64::MAX);
    let data: Vec<Value> = inputs
        .iter()
        .enumerate()
        .map(|(index, input)| {
            let vector = vector(input, dimensions);
            let embedding = if is_base64 {
                encoded(&vector)
            } else {
                json!(vector)
            };
            json!({"object": "embedding", "index": index, "embedding": embedding})
        })
        .collect();
    let usage = json!({"prompt_tokens": tokens, "total_tokens": tokens});
    Some((
        json!({"object": "list", "data": data, "model": body["model"], "usage": usage}),
        tokens,
    ))
}

/// Unit length, as OpenAI's are.
fn vector(text: &str, dimensions: u64) -> Vec<f32> {
    let raw: Vec<f32> = (0..dimensions)
        .map(|dimension| {
            let mut hasher = DefaultHasher::new();
            (text, dimension).hash(&mut hasher);
            let [low, high, ..] = hasher.finish().to_le_bytes();
            f32::from(i16::from_le_bytes([low, high])) / 32_768.0
        })
        .collect();
    let length = raw
        .iter()
        .map(|value| value * value)
        .sum::<f32>()
        .sqrt()
        .max(f32::EPSILON);
    raw.into_iter().map(|value| value / length).collect()
}

fn encoded(vector: &[f32]) -> Value {
    let bytes: Vec<u8> = vector
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect();
    json!(STANDARD.encode(bytes))
}
