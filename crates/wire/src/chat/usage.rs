//! The `usage` object: counters, what was charged, and how the charge came about.

use crate::json::ObjectWriter;
use bytes::BufMut;
use interline_domain::Usage;
use interline_domain::pricing::{Charge, Side};

/// Writes the `usage` object. Zero counters are written, as clients expect them; money goes out as
/// the exact decimal, as a number where clients read numbers and as a string in our `components`.
pub fn write_usage(usage: &Usage, charge: &Charge, is_byok: bool, out: &mut impl BufMut) {
    let mut object = ObjectWriter::open(out);
    object
        .int("prompt_tokens", usage.prompt_tokens)
        .int("completion_tokens", usage.completion_tokens)
        .int("total_tokens", usage.total_tokens())
        .raw("cost", &charge.total.to_decimal())
        .bool("is_byok", is_byok)
        .object("prompt_tokens_details", |details| {
            details
                .int("cached_tokens", usage.cached_tokens)
                .int("cache_write_tokens", usage.cache_write_tokens)
                .int("audio_tokens", usage.audio_prompt_tokens)
                .int("video_tokens", usage.video_prompt_tokens);
        })
        .object("cost_details", |details| {
            write_cost_details(charge, details);
        })
        .object("completion_tokens_details", |details| {
            details
                .int("reasoning_tokens", usage.reasoning_tokens.unwrap_or(0))
                .int("image_tokens", usage.image_completion_tokens)
                .int("audio_tokens", usage.audio_completion_tokens)
                .int(
                    "accepted_prediction_tokens",
                    usage.accepted_prediction_tokens,
                )
                .int(
                    "rejected_prediction_tokens",
                    usage.rejected_prediction_tokens,
                );
        });
    if usage.web_search_requests > 0 {
        // Both names: guides say the first, the published schema the second.
        for name in ["server_tool_use", "server_tool_use_details"] {
            object.object(name, |tools| {
                tools.int("web_search_requests", usage.web_search_requests);
            });
        }
    }
    object.close();
}

fn write_cost_details<B: BufMut>(charge: &Charge, details: &mut ObjectWriter<'_, B>) {
    details
        .raw("upstream_inference_cost", &charge.components().to_decimal())
        .raw(
            "upstream_inference_prompt_cost",
            &charge.side(Side::Prompt).to_decimal(),
        )
        .raw(
            "upstream_inference_completions_cost",
            &charge.side(Side::Completion).to_decimal(),
        )
        .array("components", |components| {
            for line in &charge.lines {
                components.object(|component| {
                    component
                        .str("name", line.name)
                        .int("units", line.units)
                        .str("unit_price", &line.price.to_decimal())
                        .str("cost", &line.cost().to_decimal());
                });
            }
        });
}

#[cfg(test)]
mod tests;
