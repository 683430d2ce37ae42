// The AI SDK (`ai`) with `@openrouter/ai-sdk-provider`, unchanged but for its base URL and key, in
// every major that Node 20 runs.

import assert from "node:assert/strict";
import { test } from "node:test";
import * as provider2 from "@openrouter/ai-sdk-provider";
import * as ai6 from "ai";
import * as ai5 from "ai5";
import * as provider1 from "ai5-openrouter";
import { z } from "zod";
import {
  ANSWER, BASE_URL, KEY, MANAGEMENT_KEY, MID_STREAM, PIXEL, SAW_PIXEL, THOUGHT, TIME_ARGUMENTS,
  TIME_SCHEMA, WEATHER_ARGUMENTS, WEATHER_SCHEMA, checkReplay, collect, each, lastUpstream, nano,
} from "./support.mjs";

suite("ai 5", ai5, provider1, {
  detailsOf: (usage) => ({ cached: usage.cachedInputTokens, reasoning: usage.reasoningTokens }),
  // This client shows sealed reasoning as a word of its own.
  sealed: "[REDACTED]",
  // It also sends the last fragment of a streamed thought before the whole thought.
});
suite("ai 6", ai6, provider2, {
  detailsOf: (usage) => ({
    cached: usage.inputTokenDetails.cacheReadTokens,
    reasoning: usage.outputTokenDetails.reasoningTokens,
  }),
  sealed: "",
});

function suite(name, ai, { createOpenRouter }, { detailsOf, sealed }) {
  const { APICallError, generateObject, generateText, jsonSchema, stepCountIs, streamText, tool } = ai;
  const connect = (apiKey) => createOpenRouter({ apiKey, baseURL: BASE_URL });
  const openrouter = connect(KEY);
  const ask = (dialect, kind, settings) => ({
    model: openrouter(dialect.model(kind), { usage: { include: true }, ...settings }),
    maxRetries: 0,
  });

  function checkUsage(usage, metadata, dialect, kind) {
    const expected = dialect.usage(kind);
    assert.equal(usage.inputTokens, expected.prompt);
    assert.equal(usage.outputTokens, expected.completion);
    assert.equal(usage.totalTokens, expected.total);
    const { cached, reasoning } = detailsOf(usage);
    assert.equal(cached, expected.cached);
    assert.equal(reasoning, expected.reasoning);
    assert.equal(nano(metadata.openrouter.usage.cost), dialect.costNano(kind));
  }

  each(`${name}: text`, async (dialect) => {
    const answer = await generateText({ ...ask(dialect, "large"), prompt: "Good morning: ü 🦀" });
    assert.equal(answer.text, "Good morning: ü 🦀");
    assert.equal(answer.finishReason, "stop");
    assert.match(answer.response.id, /^gen-/);
    assert.equal(answer.response.modelId, dialect.model("large"));
    assert.equal(answer.providerMetadata.openrouter.provider, dialect.provider);
    checkUsage(answer.usage, answer.providerMetadata, dialect, "large");
  });

  each(`${name}: stream`, async (dialect) => {
    const stream = streamText({ ...ask(dialect, "large"), prompt: "one two three 🦀 five" });
    const pieces = await collect(stream.textStream);
    assert.ok(pieces.length > 1, "one piece is no stream");
    assert.equal(pieces.join(""), "one two three 🦀 five");
    assert.equal(await stream.finishReason, "stop");
    assert.match((await stream.response).id, /^gen-/);
    checkUsage(await stream.usage, await stream.providerMetadata, dialect, "large");
  });

  // Two tools that note what they were given.
  function tools(seen) {
    const noting = (name, schema, result) =>
      tool({
        description: name,
        inputSchema: jsonSchema(schema),
        execute: (given) => {
          seen.push([name, given]);
          return result;
        },
      });
    return {
      get_weather: noting("get_weather", WEATHER_SCHEMA, "21 degrees"),
      get_time: noting("get_time", TIME_SCHEMA, "half past nine"),
    };
  }

  each(`${name}: parallel tools and their results`, async (dialect) => {
    const seen = [];
    const answer = await generateText({
      ...ask(dialect, "large"),
      prompt: "SIM:tools=offered;Both, please.",
      tools: tools(seen),
      stopWhen: stepCountIs(2),
    });
    assert.deepEqual(seen, [["get_weather", WEATHER_ARGUMENTS], ["get_time", TIME_ARGUMENTS]]);
    assert.deepEqual(answer.steps.map((step) => step.finishReason), ["tool-calls", "stop"]);
    assert.match(answer.text, /half past nine/);
  });

  each(`${name}: parallel tools and their results, streamed`, async (dialect) => {
    const seen = [];
    const stream = streamText({
      ...ask(dialect, "large"),
      prompt: "SIM:tools=offered;Both, please.",
      tools: tools(seen),
      stopWhen: stepCountIs(2),
    });
    const text = await stream.text;
    assert.deepEqual(seen, [["get_weather", WEATHER_ARGUMENTS], ["get_time", TIME_ARGUMENTS]]);
    assert.match(text, /half past nine/);
    assert.equal((await stream.totalUsage).totalTokens, 2 * dialect.usage("large").total);
  });

  each(`${name}: a forced tool`, async (dialect) => {
    const { get_weather } = tools([]);
    const answer = await generateText({
      ...ask(dialect, "large"),
      prompt: "Weather?",
      tools: { get_weather: { ...get_weather, execute: undefined } },
      toolChoice: { type: "tool", toolName: "get_weather" },
    });
    assert.equal(answer.finishReason, "tool-calls");
    assert.equal(answer.toolCalls.length, 1);
    assert.equal(answer.toolCalls[0].toolName, "get_weather");
    assert.deepEqual(answer.toolCalls[0].input, WEATHER_ARGUMENTS);
  });

  each(`${name}: image`, async (dialect) => {
    const content = [
      { type: "text", text: "SIM:text=report;What is this?" },
      { type: "image", image: Buffer.from(PIXEL, "base64"), mediaType: "image/png" },
    ];
    const messages = [{ role: "user", content }];
    const answer = await generateText({ ...ask(dialect, "large"), messages });
    assert.equal(answer.text, SAW_PIXEL);
  });

  each(`${name}: structured output`, async (dialect) => {
    const schema = z.object({ grade: z.enum(["good", "bad"]), reasons: z.array(z.string()) });
    const answer = await generateObject({ ...ask(dialect, "large"), prompt: "Judge it.", schema });
    assert.deepEqual(answer.object, { grade: "good", reasons: ["sim"] });
  });

  // Calls of Gemini bear a sealed thought.
  const thoughtOf = (dialect) => THOUGHT + (dialect.name === "gemini" ? sealed : "");

  each(`${name}: reasoning is shown and replayed`, async (dialect) => {
    const { get_weather } = tools([]);
    const answer = await generateText({
      ...ask(dialect, "thinker", { reasoning: { effort: "high" } }),
      prompt: "SIM:tools=offered;Two and two, and the weather?",
      tools: { get_weather },
      stopWhen: stepCountIs(2),
    });
    const [first, second] = answer.steps;
    assert.equal(first.reasoningText, thoughtOf(dialect));
    checkUsage(first.usage, first.providerMetadata, dialect, "thinker");
    assert.equal(second.text, ANSWER);
    const details = first.providerMetadata.openrouter.reasoning_details;
    checkReplay(dialect, await lastUpstream(), details);
  });

  each(`${name}: streamed reasoning is shown and replayed`, async (dialect) => {
    const { get_weather } = tools([]);
    const stream = streamText({
      ...ask(dialect, "thinker", { reasoning: { effort: "high" } }),
      prompt: "SIM:tools=offered;Two and two, and the weather?",
      tools: { get_weather },
      stopWhen: stepCountIs(2),
    });
    await stream.consumeStream();
    const [first, second] = await stream.steps;
    assert.equal(first.reasoningText, thoughtOf(dialect));
    assert.equal(second.text, ANSWER);
    const details = first.providerMetadata.openrouter.reasoning_details;
    checkReplay(dialect, await lastUpstream(), details);
  });

  async function refusal(promise, status) {
    try {
      await promise;
    } catch (error) {
      assert.ok(APICallError.isInstance(error), `${error.name}: ${error.message}`);
      assert.equal(error.statusCode, status);
      const told = JSON.parse(error.responseBody).error;
      assert.equal(told.code, status);
      assert.equal(error.isRetryable, status === 429 || status >= 500);
      return { ...told, shown: error.message };
    }
    assert.fail("it was answered");
  }

  for (const [name, key, status, message] of [
    ["a wrong key", "sk-or-v1-nobody", 401, "User not found."],
    [
      "a management key",
      MANAGEMENT_KEY,
      403,
      "This is a management key. Use an inference key for completions.",
    ],
  ]) {
    test(`${name}: ${name}`, async () => {
      const model = connect(key)("acme/openai-large");
      const error = await refusal(generateText({ model, prompt: "hi", maxRetries: 0 }), status);
      assert.equal(error.shown, message);
    });
  }

  for (const [kind, status, errorType] of [
    ["gold", 402, "payment_required"],
    ["limited", 429, "rate_limit_exceeded"],
    ["strict", 400, "invalid_request"],
    ["down", 503, "provider_overloaded"],
  ]) {
    each(`${name}: refusal ${kind}`, async (dialect) => {
      const error = await refusal(generateText({ ...ask(dialect, kind), prompt: "hi" }), status);
      assert.equal(error.metadata.error_type, errorType);
    });
  }

  test(`${name}: an unknown model`, async () => {
    const model = openrouter("acme/nothing-of-the-kind");
    const error = await refusal(generateText({ model, prompt: "hi", maxRetries: 0 }), 400);
    assert.match(error.message, /^acme\/nothing-of-the-kind is not a valid model ID/);
  });

  for (const [kind, code, , message] of MID_STREAM) {
    each(`${name}: an error in the middle of a stream, ${kind}`, async (dialect) => {
      const seen = [];
      const stream = streamText({
        ...ask(dialect, kind), prompt: "hi", onError: ({ error }) => seen.push(error),
      });
      const parts = await collect(stream.fullStream);
      const text = parts.filter((part) => part.type === "text-delta").map((part) => part.text);
      assert.equal(text.join(""), "one two ");
      assert.equal(seen.length, 1);
      assert.equal(seen[0].code, code);
      assert.equal(seen[0].message, message);
      assert.equal(await stream.finishReason, "error");
    });
  }
}
