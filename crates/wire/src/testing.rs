//! Tests only: the normal form of an answer, collected from events and compared with what
//! `golden/<dialect>/expected.json` promises for a fixture.

use crate::event::{Event, ReasoningFormat, Sink, StreamDecoder};
use interline_domain::{Failure, FinishReason, Usage};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Everything an answer said, whatever the pieces it came in.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Collected {
    pub upstream_id: Option<String>,
    pub upstream_model: Option<String>,
    pub choices: BTreeMap<u32, Choice>,
    pub usage: Option<Usage>,
    /// What was reported inside the answer, or what the decoder returned.
    pub error: Option<Failure>,
}

/// One choice; texts are joined.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Choice {
    pub content: String,
    pub reasoning: String,
    pub refusal: String,
    pub tool_calls: Vec<Call>,
    pub details: Vec<Detail>,
    pub images: Vec<String>,
    pub audio: String,
    pub transcript: String,
    pub citations: Vec<Citation>,
    pub finish: Option<(FinishReason, Option<String>)>,
    /// Stays `false` for a well-behaved decoder.
    pub has_content_after_finish: bool,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Call {
    pub id: String,
    pub name: String,
    pub arguments: String,
}

/// One block of reasoning, its neighbours joined.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Detail {
    /// `reasoning.text`, `reasoning.summary` or `reasoning.encrypted`.
    pub kind: &'static str,
    pub block: u32,
    pub format: ReasoningFormat,
    pub id: Option<String>,
    pub text: String,
    /// The signature, or the sealed data.
    pub sealed: Option<String>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Citation {
    pub url: String,
    pub title: Option<String>,
    pub content: Option<String>,
    pub start_index: u64,
    pub end_index: u64,
}

impl Choice {
    fn detail(&mut self, kind: &'static str, block: u32, format: ReasoningFormat) -> &mut Detail {
        let known = self
            .details
            .last()
            .is_some_and(|last| last.block == block && last.kind == kind);
        if !known {
            self.details.push(Detail {
                kind,
                block,
                format,
                id: None,
                text: String::new(),
                sealed: None,
            });
        }
        self.details.last_mut().expect("pushed above")
    }
}

impl Sink for Collected {
    #[expect(clippy::too_many_lines, reason = "one arm per event")]
    fn event(&mut self, event: Event<'_>) {
        match event {
            Event::Start {
                upstream_id,
                upstream_model,
            } => {
                assert!(self.choices.is_empty(), "start comes first");
                self.upstream_id = upstream_id.map(Into::into);
                self.upstream_model = upstream_model.map(Into::into);
            }
            Event::Usage(usage) => self.usage = Some(usage),
            Event::Failed(failure) => {
                assert!(self.error.is_none(), "one failure is enough");
                self.error = Some(failure);
            }
            Event::Finish {
                choice,
                reason,
                native,
            } => {
                let choice = self.choices.entry(choice).or_default();
                assert!(choice.finish.is_none(), "one finish per choice");
                choice.finish = Some((reason, native.map(Into::into)));
            }
            Event::Text { choice, text } => self.open(choice).content.push_str(&text),
            Event::Refusal { choice, text } => self.open(choice).refusal.push_str(&text),
            Event::Reasoning {
                choice,
                block,
                is_summary,
                text,
                format,
            } => {
                let kind = if is_summary {
                    "reasoning.summary"
                } else {
                    "reasoning.text"
                };
                let choice = self.open(choice);
                choice.reasoning.push_str(&text);
                choice.detail(kind, block, format).text.push_str(&text);
            }
            Event::ReasoningSignature {
                choice,
                block,
                signature,
                format,
            } => {
                let choice = self.open(choice);
                let detail = choice.detail("reasoning.text", block, format);
                detail.sealed.get_or_insert_default().push_str(&signature);
            }
            Event::ReasoningOpaque {
                choice,
                block,
                id,
                data,
                format,
            } => self.open(choice).details.push(Detail {
                kind: "reasoning.encrypted",
                block,
                format,
                id: id.map(Into::into),
                text: String::new(),
                sealed: Some(data.into()),
            }),
            Event::ToolStart {
                choice,
                call,
                id,
                name,
            } => {
                let calls = &mut self.open(choice).tool_calls;
                assert_eq!(calls.len(), call as usize, "call indices are dense");
                calls.push(Call {
                    id: id.into(),
                    name: name.into(),
                    arguments: String::new(),
                });
            }
            Event::ToolArguments {
                choice,
                call,
                fragment,
            } => self.open(choice).tool_calls[call as usize]
                .arguments
                .push_str(&fragment),
            Event::Image { choice, url } => self.open(choice).images.push(url.into()),
            Event::Audio {
                choice,
                data,
                transcript,
                ..
            } => {
                let choice = self.open(choice);
                choice.audio.push_str(&data.unwrap_or_default());
                choice.transcript.push_str(&transcript.unwrap_or_default());
            }
            Event::UrlCitation {
                choice,
                url,
                title,
                content,
                start_index,
                end_index,
            } => self.open(choice).citations.push(Citation {
                url: url.into(),
                title: title.map(Into::into),
                content: content.map(Into::into),
                start_index,
                end_index,
            }),
        }
    }
}

impl Collected {
    fn open(&mut self, choice: u32) -> &mut Choice {
        let choice = self.choices.entry(choice).or_default();
        choice.has_content_after_finish |= choice.finish.is_some();
        choice
    }

    /// The first choice; empty if nothing was said.
    pub(crate) fn first(&self) -> Choice {
        self.choices.get(&0).cloned().unwrap_or_default()
    }

    /// Feeds a stream in pieces of `size` bytes, then ends it. What the decoder returns as an
    /// error counts as the answer's failure.
    pub(crate) fn from_stream(decoder: &mut dyn StreamDecoder, bytes: &[u8], size: usize) -> Self {
        let mut collected = Self::default();
        let mut result = Ok(());
        for piece in bytes.chunks(size.max(1)) {
            result = result.and_then(|()| decoder.feed(piece, &mut collected));
        }
        result = result.and_then(|()| decoder.end(&mut collected));
        collected.settle(result)
    }

    /// A whole answer, with the decoder's own verdict.
    pub(crate) fn settle(mut self, result: Result<(), Failure>) -> Self {
        if let Err(failure) = result {
            self.error.get_or_insert(failure);
        }
        self
    }

    /// Compares with the `expect` object of a fixture. Absent keys are not looked at, `null` and
    /// empty text are the same.
    pub(crate) fn check(&self, fixture: &str, expect: &Value) {
        if let Some(choices) = expect["choices"].as_array() {
            for (index, expect) in choices.iter().enumerate() {
                self.check_choice(fixture, u32::try_from(index).expect("few"), expect);
            }
        } else {
            self.check_choice(fixture, 0, expect);
        }
        if let Some(expected) = expect.get("usage") {
            let usage = self.usage.as_ref().expect(fixture);
            let actual = json!({
                "prompt_tokens": usage.prompt_tokens,
                "completion_tokens": usage.completion_tokens,
                "total_tokens": usage.total_tokens(),
                "cached_tokens": usage.cached_tokens,
                "cache_write_tokens": usage.cache_write_tokens,
                "reasoning_tokens": usage.reasoning_tokens,
            });
            assert_eq!(&actual, expected, "{fixture}: usage");
        }
        let error = self.error.as_ref().map(|error| error.error_type.as_str());
        assert_eq!(
            error,
            expect["error"]["error_type"].as_str(),
            "{fixture}: {:?}",
            self.error
        );
    }

    fn check_choice(&self, fixture: &str, index: u32, expect: &Value) {
        let choice = self.choices.get(&index).cloned().unwrap_or_default();
        assert!(!choice.has_content_after_finish, "{fixture}");
        let (finish, native) = match (&self.error, &choice.finish) {
            (Some(error), None) => (Some("error"), error.provider_code.clone()),
            (_, Some((reason, native))) => (Some(reason.as_str()), native.clone()),
            (None, None) => (None, None),
        };
        let calls = choice
            .tool_calls
            .iter()
            .map(|call| json!({"id": call.id, "name": call.name, "arguments": call.arguments}));
        let details = choice.details.iter().map(|detail| {
            json!({
                "type": detail.kind,
                "format": detail.format.as_str(),
                "opaque": detail.sealed.as_ref().is_some_and(|sealed| !sealed.is_empty()),
            })
        });
        let actual = json!({
            "content": choice.content,
            "reasoning": choice.reasoning,
            "refusal": choice.refusal,
            "finish_reason": finish,
            "native_finish_reason": native,
            "tool_calls": calls.collect::<Vec<_>>(),
            "reasoning_details": details.collect::<Vec<_>>(),
            "url_citations": choice.citations.len(),
            "images": choice.images.len(),
        });
        for (key, actual) in actual.as_object().expect("an object") {
            let Some(expected) = expect.get(key) else {
                continue;
            };
            let mut expected = expected.clone();
            if key == "tool_calls" {
                fill_own_ids(fixture, &mut expected, actual);
            }
            let both_empty =
                (expected.is_null() || expected == "") && (actual.is_null() || actual == "");
            assert!(
                both_empty || *actual == expected,
                "{fixture}: {key} is {actual}, expected {expected}"
            );
        }
    }
}

/// An expected id of `null` is ours to make: `call_` and 24 alphanumerics.
fn fill_own_ids(fixture: &str, expected: &mut Value, actual: &Value) {
    let Some(expected) = expected.as_array_mut() else {
        return;
    };
    for (expected, actual) in expected
        .iter_mut()
        .zip(actual.as_array().into_iter().flatten())
    {
        if expected["id"].is_null() {
            let id = actual["id"].as_str().expect(fixture);
            let suffix = id.strip_prefix("call_").expect(fixture);
            assert!(
                suffix.len() == 24 && suffix.bytes().all(|byte| byte.is_ascii_alphanumeric()),
                "{fixture}: {id}"
            );
            expected["id"] = actual["id"].clone();
        }
    }
}
