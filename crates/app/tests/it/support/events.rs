//! What a streamed answer said.

use serde_json::Value;

/// A chat stream, taken apart.
#[derive(Debug, Default)]
pub(crate) struct Events {
    pub(crate) comments: usize,
    pub(crate) chunks: Vec<Value>,
    /// `[DONE]` came, and nothing after it.
    pub(crate) is_done: bool,
    /// What a stream must not hold.
    pub(crate) strange: Vec<String>,
}

impl Events {
    pub(crate) fn read(body: &[u8]) -> Self {
        let mut events = Self::default();
        let text = String::from_utf8_lossy(body);
        let mut frames: Vec<&str> = text.split("\n\n").collect();
        // What follows the last blank line never became an event.
        if let Some(rest) = frames.pop()
            && !rest.is_empty()
        {
            events.strange.push(format!("unfinished: {rest}"));
        }
        for frame in frames {
            if frame.starts_with(':') {
                events.comments += 1;
            } else if events.is_done {
                events.strange.push(format!("after [DONE]: {frame}"));
            } else if frame == "data: [DONE]" {
                events.is_done = true;
            } else {
                let data = frame.strip_prefix("data: ").map(serde_json::from_str);
                match data {
                    Some(Ok(chunk)) => events.chunks.push(chunk),
                    _ => events.strange.push(frame.to_owned()),
                }
            }
        }
        events
    }

    /// All content, joined.
    pub(crate) fn text(&self) -> String {
        let content = |chunk: &Value| {
            chunk
                .pointer("/choices/0/delta/content")
                .and_then(Value::as_str)
                .map(str::to_owned)
        };
        self.chunks.iter().filter_map(content).collect()
    }

    pub(crate) fn finish_reasons(&self) -> Vec<&str> {
        self.chunks
            .iter()
            .filter_map(|chunk| chunk.pointer("/choices/0/finish_reason")?.as_str())
            .collect()
    }

    pub(crate) fn error(&self) -> Option<&Value> {
        self.chunks.iter().find_map(|chunk| chunk.get("error"))
    }

    pub(crate) fn usages(&self) -> Vec<&Value> {
        self.chunks
            .iter()
            .filter_map(|chunk| chunk.get("usage").filter(|usage| !usage.is_null()))
            .collect()
    }

    /// The end marker came, after a finish that is no error.
    pub(crate) fn is_complete(&self) -> bool {
        let finishes = self.finish_reasons();
        self.is_done
            && self.error().is_none()
            && self.strange.is_empty()
            && finishes.len() == 1
            && !finishes.contains(&"error")
    }
}
