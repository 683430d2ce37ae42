// The `openai` client, unchanged but for its base URL and key.

import assert from "node:assert/strict";
import { test } from "node:test";
import OpenAI from "openai";
import { zodResponseFormat } from "openai/helpers/zod";
import { z } from "zod";
import {
  ANSWER, BASE_URL, DIALECTS, KEY, MANAGEMENT_KEY, MID_STREAM, PIXEL, SAW_PIXEL, THOUGHT, TIME,
  TIME_ARGUMENTS, WEATHER, WEATHER_ARGUMENTS, checkReplay, collect, each, lastUpstream, nano,
} from "./support.mjs";

const connect = (apiKey) => new OpenAI({ baseURL: BASE_URL, apiKey, maxRetries: 0 });
const client = connect(KEY);
const user = (content) => [{ role: "user", content }];
const chat = (body) => client.chat.completions.create(body);

function checkUsage(usage, dialect, kind) {
  const expected = dialect.usage(kind);
  assert.equal(usage.prompt_tokens, expected.prompt);
  assert.equal(usage.completion_tokens, expected.completion);
  assert.equal(usage.total_tokens, expected.total);
  assert.equal(usage.prompt_tokens_details.cached_tokens, expected.cached);
  assert.equal(usage.completion_tokens_details.reasoning_tokens, expected.reasoning);
  assert.equal(nano(usage.cost), dialect.costNano(kind));
}

each("openai: chat", async (dialect) => {
  const answer = await chat({ model: dialect.model("large"), messages: user("Good morning: ü 🦀") });
  assert.match(answer.id, /^gen-/);
  assert.equal(answer.object, "chat.completion");
  assert.equal(answer.model, dialect.model("large"));
  assert.equal(answer.provider, dialect.provider);
  assert.equal(answer.choices.length, 1);
  assert.equal(answer.choices[0].finish_reason, "stop");
  assert.equal(answer.choices[0].message.content, "Good morning: ü 🦀");
  checkUsage(answer.usage, dialect, "large");
});

each("openai: stream", async (dialect) => {
  const stream = await chat({
    model: dialect.model("large"), messages: user("one two three 🦀 five"), stream: true,
  });
  const chunks = await collect(stream);
  assert.equal(new Set(chunks.map((chunk) => chunk.id)).size, 1);
  assert.match(chunks[0].id, /^gen-/);
  const choices = chunks.flatMap((chunk) => chunk.choices);
  assert.equal(choices.map((choice) => choice.delta.content ?? "").join(""), "one two three 🦀 five");
  assert.deepEqual(choices.map((choice) => choice.finish_reason).filter(Boolean), ["stop"]);
  assert.deepEqual(chunks.filter((chunk) => chunk.usage), [chunks.at(-1)]);
  checkUsage(chunks.at(-1).usage, dialect, "large");
});

each("openai: a forced tool", async (dialect) => {
  const answer = await chat({
    model: dialect.model("large"), messages: user("Weather?"), tools: [WEATHER], tool_choice: "required",
  });
  const [choice] = answer.choices;
  assert.equal(choice.finish_reason, "tool_calls");
  assert.equal(choice.message.tool_calls.length, 1);
  assert.equal(choice.message.tool_calls[0].function.name, "get_weather");
  assert.deepEqual(JSON.parse(choice.message.tool_calls[0].function.arguments), WEATHER_ARGUMENTS);
  checkUsage(answer.usage, dialect, "large");
});

each("openai: parallel tools, streamed, run by the client", async (dialect) => {
  const seen = [];
  const tool = ({ function: about }, result) => ({
    type: "function",
    function: {
      ...about,
      parse: JSON.parse,
      function: (given) => {
        seen.push([about.name, given]);
        return result;
      },
    },
  });
  const runner = client.chat.completions.runTools({
    model: dialect.model("large"),
    messages: user("SIM:tools=offered;Both, please."),
    tools: [tool(WEATHER, "21 degrees"), tool(TIME, "half past nine")],
    stream: true,
  });
  const said = await runner.finalContent();
  assert.deepEqual(seen, [["get_weather", WEATHER_ARGUMENTS], ["get_time", TIME_ARGUMENTS]]);
  // The provider says back what the last turn told it, in its own wrapping.
  assert.match(said, /half past nine/);
  const ids = runner.messages.flatMap((message) => message.tool_calls ?? []).map((call) => call.id);
  assert.equal(new Set(ids).size, 2);
});

each("openai: image", async (dialect) => {
  const answer = await chat({
    model: dialect.model("large"),
    messages: user([
      { type: "text", text: "SIM:text=report;What is this?" },
      { type: "image_url", image_url: { url: `data:image/png;base64,${PIXEL}` } },
    ]),
  });
  assert.equal(answer.choices[0].message.content, SAW_PIXEL);
});

each("openai: structured output", async (dialect) => {
  const verdict = z.object({
    grade: z.enum(["good", "bad"]), score: z.number().int(), reasons: z.array(z.string()),
  });
  const answer = await client.chat.completions.parse({
    model: dialect.model("large"),
    messages: user("Judge it."),
    response_format: zodResponseFormat(verdict, "verdict"),
  });
  const { parsed } = answer.choices[0].message;
  assert.equal(parsed.grade, "good");
  assert.ok(Number.isInteger(parsed.score));
  assert.deepEqual(parsed.reasons, ["sim"]);
});

each("openai: reasoning is shown and replayed", async (dialect) => {
  const messages = user("SIM:tools=offered;Two and two, and the weather?");
  const ask = { model: dialect.model("thinker"), tools: [WEATHER], reasoning_effort: "high" };
  const first = await chat({ messages, ...ask });
  checkUsage(first.usage, dialect, "thinker");
  const { message } = first.choices[0];
  assert.equal(message.reasoning, THOUGHT);
  assert.equal(message.reasoning_details[0].text, THOUGHT);
  messages.push(message);
  messages.push({ role: "tool", tool_call_id: message.tool_calls[0].id, content: "21 degrees" });
  const second = await chat({ messages, ...ask });
  assert.equal(second.choices[0].message.content, ANSWER);
  checkReplay(dialect, await lastUpstream(), message.reasoning_details);
});

test("openai: models", async () => {
  const models = new Map();
  for await (const model of client.models.list()) models.set(model.id, model);
  assert.ok(models.size > 100, "the built-in catalogue is listed too");
  for (const dialect of DIALECTS) {
    const { pricing } = models.get(dialect.model("large"));
    for (const [name, price] of Object.entries(dialect.prices)) assert.equal(pricing[name], price);
  }
});

async function refusal(promise, type, status) {
  try {
    await promise;
  } catch (error) {
    assert.ok(error instanceof type, `${error.constructor.name}: ${error.message}`);
    assert.equal(error.status, status);
    assert.equal(error.code, status);
    assert.equal(error.message, `${status} ${error.error.message}`);
    return error.error;
  }
  assert.fail("it was answered");
}

test("openai: a wrong key", async () => {
  const promise = connect("sk-or-v1-nobody").chat.completions.create({
    model: "acme/openai-large", messages: user("hi"),
  });
  const error = await refusal(promise, OpenAI.AuthenticationError, 401);
  assert.equal(error.message, "User not found.");
});

test("openai: a management key cannot infer", async () => {
  const promise = connect(MANAGEMENT_KEY).chat.completions.create({
    model: "acme/openai-large", messages: user("hi"),
  });
  await refusal(promise, OpenAI.PermissionDeniedError, 403);
});

for (const stream of [false, true]) {
  for (const [kind, type, status, errorType] of [
    ["gold", OpenAI.APIError, 402, "payment_required"],
    ["limited", OpenAI.RateLimitError, 429, "rate_limit_exceeded"],
    ["strict", OpenAI.BadRequestError, 400, "invalid_request"],
    ["down", OpenAI.InternalServerError, 503, "provider_overloaded"],
    ["locked", OpenAI.InternalServerError, 503, "provider_overloaded"],
  ]) {
    each(`openai: refusal ${kind}, stream ${stream}`, async (dialect) => {
      const promise = chat({ model: dialect.model(kind), messages: user("hi"), stream });
      const error = await refusal(promise, type, status);
      assert.equal(error.metadata.error_type, errorType);
    });
  }
}

test("openai: an unknown model", async () => {
  const promise = chat({ model: "acme/nothing-of-the-kind", messages: user("hi") });
  const error = await refusal(promise, OpenAI.BadRequestError, 400);
  assert.match(error.message, /^acme\/nothing-of-the-kind is not a valid model ID/);
});

test("openai: nobody serves it", async () => {
  const promise = chat({
    model: "acme/everywhere", messages: user("hi"), provider: { only: ["openai"] },
  });
  const error = await refusal(promise, OpenAI.NotFoundError, 404);
  assert.match(error.message, /^No endpoints found for acme\/everywhere\./);
});

test("openai: bad input", async () => {
  const promise = chat({ model: "acme/openai-large", messages: [{ role: "user", content: 7 }] });
  const error = await refusal(promise, OpenAI.BadRequestError, 400);
  assert.match(error.message, /^messages\[0\]\.content:/);
});

for (const [kind, code, errorType, message] of MID_STREAM) {
  each(`openai: an error in the middle of a stream, ${kind}`, async (dialect) => {
    const stream = await chat({ model: dialect.model(kind), messages: user("hi"), stream: true });
    let text = "";
    await assert.rejects(
      async () => {
        for await (const chunk of stream) text += chunk.choices[0]?.delta.content ?? "";
      },
      (error) => {
        assert.ok(error instanceof OpenAI.APIError);
        assert.equal(error.status, undefined);
        assert.equal(error.code, code);
        assert.equal(error.message, message);
        assert.equal(error.error.metadata.error_type, errorType);
        return true;
      },
    );
    assert.equal(text, "one two ");
  });
}
