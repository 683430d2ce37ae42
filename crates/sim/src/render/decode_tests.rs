//! What the sim says, as the real decoders understand it.

use super::{events, whole};
use crate::answer::Answer;
use crate::dialect::Dialect;
use crate::plan::{self, Step};
use crate::script::{Behaviour, Call, Counts, Fault, Finish, Text, Tools, What};
use crate::seen::Seen;
use interline_domain::quirks::Quirks;
use interline_domain::{Failure, FinishReason, Usage};
use interline_wire::event::{Event, StreamDecoder};
use interline_wire::target::ReadBack;
use interline_wire::{anthropic_messages, gemini, openai_chat};

const DIALECTS: [Dialect; 3] = [
    Dialect::OpenaiChat,
    Dialect::AnthropicMessages,
    Dialect::Gemini,
];

/// What was understood.
#[derive(Debug, Default, PartialEq)]
struct Heard {
    text: String,
    reasoning: String,
    refusal: String,
    seals: usize,
    calls: Vec<(String, String)>,
    usage: Option<Usage>,
    finish: Option<FinishReason>,
    has_failed: bool,
}

impl Heard {
    fn take(&mut self, event: Event<'_>) {
        match event {
            Event::Text { text, .. } => self.text.push_str(&text),
            Event::Reasoning { text, .. } => self.reasoning.push_str(&text),
            Event::Refusal { text, .. } => self.refusal.push_str(&text),
            Event::ReasoningSignature { .. } | Event::ReasoningOpaque { .. } => self.seals += 1,
            Event::ToolStart { name, .. } => self.calls.push((name.into_owned(), String::new())),
            Event::ToolArguments { call, fragment, .. } => {
                self.calls[call as usize].1.push_str(&fragment);
            }
            Event::Usage(usage) => self.usage = Some(usage),
            Event::Finish { reason, .. } => self.finish = Some(reason),
            Event::Failed(_) => self.has_failed = true,
            _ => {}
        }
    }
}

fn options() -> gemini::Options {
    gemini::Options {
        generation_id: "gen-1".to_owned(),
        ..gemini::Options::default()
    }
}

fn decoder(dialect: Dialect) -> Box<dyn StreamDecoder> {
    let (quirks, read_back) = (Quirks::default(), ReadBack::default());
    match dialect {
        Dialect::OpenaiChat => Box::new(openai_chat::Decoder::new(&quirks, "gen-1", &read_back)),
        Dialect::AnthropicMessages => Box::new(anthropic_messages::stream::Decoder::new(read_back)),
        Dialect::Gemini => Box::new(gemini::Decoder::new(options())),
    }
}

/// Plays the steps of a streamed answer to the dialect's decoder.
fn streamed(dialect: Dialect, answer: &Answer, fault: &Fault) -> (Heard, Result<(), Failure>) {
    let behaviour = Behaviour {
        split_bytes: Some(11),
        ..Behaviour::default()
    };
    let steps = plan::stream(dialect, events(dialect, answer, true), &behaviour, fault);
    let mut heard = Heard::default();
    let mut decoder = decoder(dialect);
    let mut sink = |event: Event<'_>| heard.take(event);
    let mut result = Ok(());
    for step in steps {
        if let Step::Data { bytes, .. } = step
            && result.is_ok()
        {
            result = decoder.feed(&bytes, &mut sink);
        }
    }
    let result = result.and_then(|()| decoder.end(&mut sink));
    (heard, result)
}

fn decoded(dialect: Dialect, answer: &Answer) -> Heard {
    let body = whole(dialect, answer);
    let mut heard = Heard::default();
    let mut sink = |event: Event<'_>| heard.take(event);
    let (quirks, read_back) = (Quirks::default(), ReadBack::default());
    let result = match dialect {
        Dialect::OpenaiChat => openai_chat::decode(&body, &quirks, "gen-1", &read_back, &mut sink),
        Dialect::AnthropicMessages => {
            anthropic_messages::response::decode(&body, &read_back, &mut sink)
        }
        Dialect::Gemini => gemini::decode(&body, options(), &mut sink),
    };
    result.expect("a whole answer is understood");
    heard
}

fn answer(behaviour: &Behaviour) -> Answer {
    let seen = Seen {
        model: "m".into(),
        parallel: true,
        last_text: "hello \"you\" é🦀".into(),
        ..Seen::default()
    };
    Answer::new(1, &seen, behaviour)
}

fn check(behaviour: &Behaviour, expected: impl Fn(Dialect) -> Heard) {
    for dialect in DIALECTS {
        let answer = answer(behaviour);
        let (heard, result) = streamed(dialect, &answer, &Fault::default());
        assert!(result.is_ok(), "{dialect:?}: {result:?}");
        for (way, mut heard) in [("streamed", heard), ("whole", decoded(dialect, &answer))] {
            let usage = heard.usage.take().expect("usage");
            assert_eq!(
                (usage.prompt_tokens, usage.completion_tokens),
                (50, 40),
                "{dialect:?} {way}"
            );
            assert_eq!(usage.cached_tokens, 10, "{dialect:?} {way}");
            assert_eq!(heard, expected(dialect), "{dialect:?} {way}");
        }
    }
}

fn counted() -> Behaviour {
    let usage = Counts {
        prompt: Some(50),
        completion: Some(40),
        cached: Some(10),
        ..Counts::default()
    };
    Behaviour {
        usage,
        ..Behaviour::default()
    }
}

#[test]
fn text_is_understood() {
    check(&counted(), |_| Heard {
        text: "hello \"you\" é🦀".into(),
        finish: Some(FinishReason::Stop),
        ..Heard::default()
    });
}

#[test]
fn reasoning_and_parallel_calls_are_understood() {
    let call = |name: &str| Call {
        name: name.into(),
        arguments: "{\"city\":\"Paris\"}".into(),
    };
    let behaviour = Behaviour {
        reasoning: Some("Let me think.".into()),
        tools: Tools::Fixed(vec![call("a"), call("b")]),
        ..counted()
    };
    check(&behaviour, |dialect| Heard {
        reasoning: "Let me think.".into(),
        calls: ["a", "b"]
            .map(|name| (name.to_owned(), call(name).arguments))
            .to_vec(),
        // OpenAI's chat endpoint seals nothing.
        seals: usize::from(dialect != Dialect::OpenaiChat),
        finish: Some(FinishReason::ToolCalls),
        ..Heard::default()
    });
}

#[test]
fn ends_are_understood() {
    for (finish, reason) in [
        (Finish::Length, FinishReason::Length),
        (Finish::ContentFilter, FinishReason::ContentFilter),
    ] {
        check(
            &Behaviour {
                finish: Some(finish),
                ..counted()
            },
            |_| Heard {
                text: "hello \"you\" é🦀".into(),
                finish: Some(reason),
                ..Heard::default()
            },
        );
    }
}

#[test]
fn faults_are_faults_to_the_decoders() {
    let behaviour = Behaviour {
        text: Text::Tokens(6),
        ..Behaviour::default()
    };
    for dialect in DIALECTS {
        for what in [
            What::EndWithoutFinish,
            What::MalformedJson,
            What::TruncatedUtf8,
            What::EmptyBody,
            What::ErrorFirstEvent,
            What::ErrorMidStream,
        ] {
            let fault = Fault {
                what,
                after: 2,
                ..Fault::default()
            };
            let (heard, result) = streamed(dialect, &answer(&behaviour), &fault);
            assert!(
                result.is_err() || heard.has_failed,
                "{dialect:?} {what:?}: {heard:?}"
            );
            let looks_finished = !matches!(heard.finish, None | Some(FinishReason::Error));
            assert!(!looks_finished, "{dialect:?} {what:?}: {heard:?}");
        }
        for what in [What::CommentsFirst, What::DuplicateUsage, What::SlowDrip] {
            let fault = Fault {
                what,
                after: 2,
                ..Fault::default()
            };
            let (heard, result) = streamed(dialect, &answer(&behaviour), &fault);
            assert!(
                result.is_ok() && heard.finish.is_some(),
                "{dialect:?} {what:?}: {result:?}"
            );
        }
    }
}
