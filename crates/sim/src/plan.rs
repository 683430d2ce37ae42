//! Turns an answer and a fault into the steps a body takes.

use crate::check::Refusal;
use crate::dialect::Dialect;
use crate::render::{self, Event, Part};
use crate::script::{Behaviour, Fault, What};
use bytes::{BufMut, Bytes, BytesMut};
use std::time::Duration;

/// Above the 16 MiB that a reader of events must bear.
const OVERSIZED_EVENT: usize = 17 * 1024 * 1024;
/// What was written before a cut must have left the process, or the cut would swallow it.
const BEFORE_CUT: Duration = Duration::from_millis(3);

/// One step of a response body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Moves the schedule on; what is late is not delayed further.
    Pause(Duration),
    Data {
        bytes: Bytes,
        is_content: bool,
    },
    /// Nothing more, for ever.
    Hang,
    /// The connection goes away, by TCP reset or by an orderly close without the body's end.
    Abort {
        is_reset: bool,
    },
}

fn data(bytes: Bytes) -> Step {
    Step::Data {
        bytes,
        is_content: false,
    }
}

/// The error that a fault makes the provider report.
pub(crate) fn refusal(dialect: Dialect, fault: &Fault) -> Refusal {
    let status = fault.status.unwrap_or(500);
    let (code, message) = render::words_for(dialect, status);
    let mut refusal = Refusal::new(status, code, message);
    if let Some(message) = &fault.message {
        refusal.message.clone_from(message);
    }
    if let Some(code) = &fault.code {
        refusal.code = code.clone().into();
    }
    refusal
}

/// The steps of a streamed answer.
pub(crate) fn stream(
    dialect: Dialect,
    events: Vec<Event>,
    behaviour: &Behaviour,
    fault: &Fault,
) -> Vec<Step> {
    let mut steps = Vec::with_capacity(2 * events.len() + 2);
    match fault.what {
        What::EmptyBody => return steps,
        What::HangAfterHeaders => return vec![Step::Hang],
        What::ErrorFirstEvent => return vec![data(error_event(dialect, fault))],
        What::CommentsFirst => {
            for _ in 0..fault.after {
                steps.push(data(render::keep_alive(dialect)));
                steps.push(Step::Pause(Duration::from_millis(
                    fault.delay_ms.unwrap_or(0),
                )));
            }
        }
        _ => {}
    }
    let mut sent = 0;
    for event in events {
        let is_content = event.part == Part::Content;
        let is_due = (is_content && sent >= fault.after) || event.part == Part::Finish;
        if is_due && let Some(strike) = strike(dialect, fault) {
            steps.extend(strike);
            return shape(steps, behaviour, fault);
        }
        if event.part == Part::Done && fault.what == What::NoDone {
            continue;
        }
        if is_content {
            let pause = if sent == 0 {
                Duration::from_millis(behaviour.first_token_delay_ms)
            } else {
                chunk_delay(behaviour)
            };
            if !pause.is_zero() {
                steps.push(Step::Pause(pause));
            }
            sent += 1;
        }
        let step = Step::Data {
            bytes: event.bytes,
            is_content,
        };
        if fault.what == What::DuplicateUsage && reports_usage(dialect, event.part) {
            steps.push(step.clone());
        }
        steps.push(step);
    }
    shape(steps, behaviour, fault)
}

fn chunk_delay(behaviour: &Behaviour) -> Duration {
    match behaviour.tokens_per_second {
        Some(rate) => Duration::from_secs(1) / rate.max(1),
        None => Duration::from_millis(behaviour.chunk_delay_ms),
    }
}

fn reports_usage(dialect: Dialect, part: Part) -> bool {
    let last = if dialect == Dialect::OpenaiChat {
        Part::Usage
    } else {
        Part::Finish
    };
    part == last
}

/// What happens in place of the rest of the stream; `None` if this fault does not end it.
fn strike(dialect: Dialect, fault: &Fault) -> Option<Vec<Step>> {
    Some(match fault.what {
        What::HangMidStream => vec![Step::Hang],
        What::ResetMidStream => cut(true),
        What::CloseMidStream => cut(false),
        What::EndWithoutFinish => Vec::new(),
        What::ErrorMidStream => vec![data(error_event(dialect, fault))],
        What::MalformedJson => {
            vec![data(render::raw_frame(
                dialect,
                "content_block_delta",
                "{\"choices\":[{\"delta\":",
            ))]
        }
        What::MalformedSse => vec![data(Bytes::from_static(
            b"<html>\nBad Gateway\n</html>\n\n",
        ))],
        What::OversizedEvent => {
            let text = "x".repeat(fault.bytes.unwrap_or(OVERSIZED_EVENT));
            vec![data(render::content(dialect, &text))]
        }
        What::TruncatedUtf8 => {
            let event = render::content(dialect, "é");
            let half = event
                .iter()
                .position(|byte| *byte == 0xC3)
                .map_or(0, |at| at + 1);
            vec![data(event.slice(..half))]
        }
        _ => return None,
    })
}

fn cut(is_reset: bool) -> Vec<Step> {
    vec![Step::Pause(BEFORE_CUT), Step::Abort { is_reset }]
}

fn error_event(dialect: Dialect, fault: &Fault) -> Bytes {
    render::frame(
        dialect,
        &render::error(dialect, &refusal(dialect, fault), fault.retry_after_s),
    )
}

/// The steps of a whole body, and the length to announce if it is known.
pub(crate) fn whole(
    dialect: Dialect,
    body: Bytes,
    behaviour: &Behaviour,
    fault: &Fault,
) -> (Vec<Step>, Option<u64>) {
    let length = u64::try_from(body.len()).ok();
    let half = body.slice(..body.len() / 2);
    let mut steps = Vec::new();
    match fault.what {
        What::EmptyBody => return (steps, Some(0)),
        What::HangAfterHeaders => return (vec![Step::Hang], length),
        What::HangMidStream => return (vec![data(half), Step::Hang], length),
        What::ResetMidStream | What::CloseMidStream => {
            steps.push(data(half));
            steps.extend(cut(fault.what == What::ResetMidStream));
            return (steps, length);
        }
        What::MalformedJson | What::EndWithoutFinish => return (vec![data(half)], None),
        What::MalformedSse => {
            return (
                vec![data(Bytes::from_static(b"<html>Bad Gateway</html>"))],
                None,
            );
        }
        What::TruncatedUtf8 => {
            return (vec![data(half), data(Bytes::from_static(b"\xC3"))], None);
        }
        What::ErrorBody | What::ErrorFirstEvent | What::ErrorMidStream => {
            let error = render::error(dialect, &refusal(dialect, fault), fault.retry_after_s);
            return (vec![data(Bytes::from(error.to_string()))], None);
        }
        What::OversizedEvent => {
            let size = fault.bytes.unwrap_or(OVERSIZED_EVENT);
            steps.push(data(Bytes::from(vec![b' '; size])));
            steps.push(data(body));
            return (steps, None);
        }
        // Some providers keep a connection alive with white space ahead of the JSON.
        What::CommentsFirst => {
            for _ in 0..fault.after {
                steps.push(data(Bytes::from_static(b" \n")));
                steps.push(Step::Pause(Duration::from_millis(
                    fault.delay_ms.unwrap_or(0),
                )));
            }
            steps.push(data(body));
            return (steps, None);
        }
        _ => {}
    }
    steps.push(Step::Data {
        bytes: body,
        is_content: true,
    });
    (shape(steps, behaviour, fault), length)
}

/// Re-cuts the bytes where the script says so.
fn shape(steps: Vec<Step>, behaviour: &Behaviour, fault: &Fault) -> Vec<Step> {
    if fault.what == What::SlowDrip {
        let delay = Duration::from_millis(fault.delay_ms.unwrap_or(50));
        return recut(steps, fault.bytes.unwrap_or(1), delay);
    }
    match behaviour.split_bytes {
        Some(size) => recut(steps, size, Duration::ZERO),
        None => steps,
    }
}

fn recut(steps: Vec<Step>, size: usize, delay: Duration) -> Vec<Step> {
    let size = size.max(1);
    let mut recut = Vec::new();
    let mut waiting = BytesMut::new();
    for step in steps {
        if let Step::Data { bytes, .. } = step {
            waiting.put(bytes);
        } else {
            drain(&mut waiting, size, delay, &mut recut);
            recut.push(step);
        }
    }
    drain(&mut waiting, size, delay, &mut recut);
    recut
}

fn drain(waiting: &mut BytesMut, size: usize, delay: Duration, steps: &mut Vec<Step>) {
    while !waiting.is_empty() {
        let piece = waiting.split_to(size.min(waiting.len())).freeze();
        steps.push(Step::Data {
            bytes: piece,
            is_content: true,
        });
        if !delay.is_zero() {
            steps.push(Step::Pause(delay));
        }
    }
}
