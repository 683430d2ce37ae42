// The `@openrouter/sdk` client, unchanged but for its server URL and key. It validates every answer.

import assert from "node:assert/strict";
import { test } from "node:test";
import { OpenRouter } from "@openrouter/sdk";
import * as errors from "@openrouter/sdk/models/errors";
import {
  ANSWER, BASE_URL, DIALECTS, KEY, MANAGEMENT_KEY, MID_STREAM, PIXEL, QUIET_KEY, SAW_PIXEL,
  THOUGHT, TIME, TIME_ARGUMENTS, WEATHER, WEATHER_ARGUMENTS, checkReplay, collect, each,
  eventually, lastUpstream, nano, settled,
} from "./support.mjs";

const connect = (apiKey) =>
  new OpenRouter({ apiKey, serverURL: BASE_URL, retryConfig: { strategy: "none" } });
const client = connect(KEY);
const manager = connect(MANAGEMENT_KEY);
const user = (content) => [{ role: "user", content }];
const chat = (chatRequest) => client.chat.send({ chatRequest });

function checkUsage(usage, dialect, kind) {
  const expected = dialect.usage(kind);
  assert.equal(usage.promptTokens, expected.prompt);
  assert.equal(usage.completionTokens, expected.completion);
  assert.equal(usage.totalTokens, expected.total);
  assert.equal(usage.promptTokensDetails.cachedTokens, expected.cached);
  assert.equal(usage.promptTokensDetails.cacheWriteTokens, expected.written);
  assert.equal(usage.completionTokensDetails.reasoningTokens, expected.reasoning);
  assert.equal(nano(usage.cost), dialect.costNano(kind));
  assert.equal(usage.isByok, false);
}

each("openrouter: chat", async (dialect) => {
  const answer = await chat({ model: dialect.model("large"), messages: user("Good morning: ü 🦀") });
  assert.match(answer.id, /^gen-/);
  assert.equal(answer.model, dialect.model("large"));
  assert.equal(answer.choices[0].finishReason, "stop");
  assert.equal(answer.choices[0].message.content, "Good morning: ü 🦀");
  checkUsage(answer.usage, dialect, "large");
});

each("openrouter: stream", async (dialect) => {
  const stream = await chat({
    model: dialect.model("large"), messages: user("one two three 🦀 five"), stream: true,
  });
  const chunks = await collect(stream);
  const choices = chunks.flatMap((chunk) => chunk.choices);
  assert.equal(choices.map((choice) => choice.delta.content ?? "").join(""), "one two three 🦀 five");
  assert.deepEqual(choices.map((choice) => choice.finishReason).filter(Boolean), ["stop"]);
  assert.deepEqual(chunks.filter((chunk) => chunk.usage), [chunks.at(-1)]);
  checkUsage(chunks.at(-1).usage, dialect, "large");
});

each("openrouter: tool round", async (dialect) => {
  const messages = user("SIM:tools=offered;Both, please.");
  const ask = { model: dialect.model("large"), tools: [WEATHER, TIME] };
  const first = (await chat({ messages, ...ask })).choices[0];
  assert.equal(first.finishReason, "tool_calls");
  const calls = first.message.toolCalls;
  assert.deepEqual(
    calls.map((call) => [call.function.name, JSON.parse(call.function.arguments)]),
    [["get_weather", WEATHER_ARGUMENTS], ["get_time", TIME_ARGUMENTS]],
  );
  messages.push(first.message);
  messages.push({ role: "tool", toolCallId: calls[0].id, content: "21 degrees" });
  messages.push({ role: "tool", toolCallId: calls[1].id, content: "half past nine" });
  const second = await chat({ messages, ...ask });
  assert.equal(second.choices[0].finishReason, "stop");
  assert.match(second.choices[0].message.content, /half past nine/);
  checkUsage(second.usage, dialect, "large");
});

each("openrouter: streamed tool", async (dialect) => {
  const stream = await chat({
    model: dialect.model("large"), messages: user("Weather?"), tools: [WEATHER],
    toolChoice: "required", stream: true,
  });
  const deltas = (await collect(stream))
    .flatMap((chunk) => chunk.choices)
    .flatMap((choice) => choice.delta.toolCalls ?? []);
  assert.deepEqual([...new Set(deltas.map((delta) => delta.index))], [0]);
  assert.equal(deltas.map((delta) => delta.function?.name ?? "").join(""), "get_weather");
  const given = deltas.map((delta) => delta.function?.arguments ?? "").join("");
  assert.deepEqual(JSON.parse(given), WEATHER_ARGUMENTS);
});

each("openrouter: image", async (dialect) => {
  const answer = await chat({
    model: dialect.model("large"),
    messages: user([
      { type: "text", text: "SIM:text=report;What is this?" },
      { type: "image_url", imageUrl: { url: `data:image/png;base64,${PIXEL}` } },
    ]),
  });
  assert.equal(answer.choices[0].message.content, SAW_PIXEL);
});

each("openrouter: structured output", async (dialect) => {
  const schema = {
    type: "object",
    properties: { grade: { type: "string", enum: ["good", "bad"] }, score: { type: "integer" } },
    required: ["grade", "score"],
    additionalProperties: false,
  };
  const answer = await chat({
    model: dialect.model("large"),
    messages: user("Judge it."),
    responseFormat: { type: "json_schema", jsonSchema: { name: "verdict", strict: true, schema } },
  });
  assert.deepEqual(JSON.parse(answer.choices[0].message.content), { grade: "good", score: 1 });
});

each("openrouter: reasoning is shown and replayed", async (dialect) => {
  const messages = user("SIM:tools=offered;Two and two, and the weather?");
  const ask = { model: dialect.model("thinker"), tools: [WEATHER], reasoning: { effort: "high" } };
  const first = await chat({ messages, ...ask });
  checkUsage(first.usage, dialect, "thinker");
  const { message } = first.choices[0];
  assert.equal(message.reasoning, THOUGHT);
  assert.equal(message.reasoningDetails[0].type, "reasoning.text");
  assert.equal(message.reasoningDetails[0].text, THOUGHT);
  messages.push(message);
  messages.push({ role: "tool", toolCallId: message.toolCalls[0].id, content: "21 degrees" });
  const second = await chat({ messages, ...ask });
  assert.equal(second.choices[0].message.content, ANSWER);
  checkReplay(dialect, await lastUpstream(), message.reasoningDetails);
});

each("openrouter: streamed reasoning", async (dialect) => {
  const stream = await chat({
    model: dialect.model("thinker"), messages: user("Two and two?"), reasoning: { effort: "high" },
    stream: true,
  });
  const deltas = (await collect(stream)).flatMap((chunk) => chunk.choices).map((c) => c.delta);
  assert.equal(deltas.map((delta) => delta.reasoning ?? "").join(""), THOUGHT);
  const details = deltas.flatMap((delta) => delta.reasoningDetails ?? []);
  assert.equal(details.map((detail) => detail.text ?? "").join(""), THOUGHT);
  assert.equal(deltas.map((delta) => delta.content ?? "").join(""), ANSWER);
});

each("openrouter: router metadata", async (dialect) => {
  const answer = await client.chat.send({
    xOpenRouterMetadata: "enabled",
    chatRequest: { model: dialect.model("large"), messages: user("hi") },
  });
  const metadata = answer.openrouterMetadata;
  assert.equal(metadata.requested, dialect.model("large"));
  assert.equal(metadata.strategy, "direct");
  assert.equal(metadata.attempt, 1);
  assert.equal(metadata.endpoints.total, 1);
  assert.equal(metadata.endpoints.available[0].provider, dialect.provider);
});

each("openrouter: generation", async (dialect) => {
  const stream = await chat({ model: dialect.model("large"), messages: user("hi"), stream: true });
  const chunks = await collect(stream);
  const { data } = await client.generations.getGeneration({ id: chunks[0].id });
  const expected = dialect.usage("large");
  assert.equal(data.id, chunks[0].id);
  assert.equal(data.model, dialect.model("large"));
  assert.equal(data.providerName, dialect.provider);
  assert.equal(data.streamed, true);
  assert.equal(data.cancelled, false);
  assert.equal(data.finishReason, "stop");
  assert.equal(data.nativeTokensPrompt, expected.prompt);
  assert.equal(data.nativeTokensCompletion, expected.completion);
  assert.equal(data.nativeTokensCached, expected.cached);
  assert.equal(nano(data.totalCost), dialect.costNano("large"));
  assert.equal(data.providerResponses.length, 1);
  assert.equal(data.providerResponses[0].status, 200);
});

each("openrouter: key and credits", async (dialect) => {
  const quiet = connect(QUIET_KEY);
  const ofKey = async () => nano((await quiet.apiKeys.getCurrentKeyMetadata()).data.usage);
  const credits = async () => (await manager.credits.getCredits()).data;
  const ofAccount = async () => nano((await credits()).totalUsage);
  assert.equal((await credits()).totalCredits, 25);
  const [keyStart, accountStart] = [await ofKey(), await settled(ofAccount)];
  await quiet.chat.send({ chatRequest: { model: dialect.model("large"), messages: user("hi") } });
  await eventually(ofKey, keyStart + dialect.costNano("large"));
  await eventually(ofAccount, accountStart + dialect.costNano("large"));
});

test("openrouter: credits are for managers", async () => {
  await assert.rejects(client.credits.getCredits(), errors.ForbiddenResponseError);
});

test("openrouter: models", async () => {
  const found = [];
  for await (const page of await client.models.list()) found.push(...page.result.data);
  const models = new Map(found.map((model) => [model.id, model]));
  assert.equal(models.size, found.length);
  assert.ok(models.size > 100, "the built-in catalogue is listed too");
  for (const dialect of DIALECTS) {
    const { pricing } = models.get(dialect.model("large"));
    assert.equal(pricing.prompt, dialect.prices.prompt);
    assert.equal(pricing.completion, dialect.prices.completion);
    assert.equal(pricing.inputCacheRead, dialect.prices.input_cache_read);
  }
  const count = await client.models.count();
  assert.equal(count.data.count, found.length);
});

test("openrouter: one model", async () => {
  const { data } = await client.models.get({ author: "acme", slug: "openai-large" });
  assert.equal(data.id, "acme/openai-large");
  assert.equal(data.contextLength, 200_000);
});

test("openrouter: models of the caller", async () => {
  const ids = [];
  for await (const page of await client.models.listForUser({ bearer: KEY })) {
    ids.push(...page.result.data.map((model) => model.id));
  }
  assert.ok(ids.includes("acme/openai-large"));
});

test("openrouter: endpoints", async () => {
  const { data } = await client.endpoints.list({ author: "acme", slug: "everywhere" });
  assert.deepEqual(
    data.endpoints.map(({ tag, providerName, pricing }) => [tag, providerName, pricing.prompt]).sort(),
    DIALECTS.map(({ name, provider, prices }) => [`acme-${name}`, provider, prices.prompt]).sort(),
  );
});

test("openrouter: endpoints without retention", async () => {
  const { data } = await client.endpoints.listZdrEndpoints();
  assert.ok(data.every((endpoint) => endpoint.tag));
});

test("openrouter: providers", async () => {
  const { data } = await client.providers.list();
  const names = new Map(data.map((provider) => [provider.slug, provider.name]));
  for (const dialect of DIALECTS) assert.equal(names.get(`acme-${dialect.name}`), dialect.provider);
});

async function refusal(promise, type, code, errorType) {
  try {
    await promise;
  } catch (error) {
    assert.equal(error.name, type.name, error.message);
    assert.ok(error instanceof type);
    assert.equal(error.statusCode, code);
    assert.equal(error.error.code, code);
    assert.equal(error.error.metadata.error_type, errorType);
    assert.equal(error.message, error.error.message);
    return error;
  }
  assert.fail("it was answered");
}

test("openrouter: a wrong key", async () => {
  const promise = connect("sk-or-v1-nobody").chat.send({
    chatRequest: { model: "acme/openai-large", messages: user("hi") },
  });
  const error = await refusal(promise, errors.UnauthorizedResponseError, 401, "authentication");
  assert.equal(error.message, "User not found.");
});

for (const stream of [false, true]) {
  for (const [kind, type, code, errorType] of [
    ["gold", errors.PaymentRequiredResponseError, 402, "payment_required"],
    ["limited", errors.TooManyRequestsResponseError, 429, "rate_limit_exceeded"],
    ["strict", errors.BadRequestResponseError, 400, "invalid_request"],
    ["down", errors.ServiceUnavailableResponseError, 503, "provider_overloaded"],
    ["locked", errors.ServiceUnavailableResponseError, 503, "provider_overloaded"],
  ]) {
    each(`openrouter: refusal ${kind}, stream ${stream}`, async (dialect) => {
      const promise = chat({ model: dialect.model(kind), messages: user("hi"), stream });
      await refusal(promise, type, code, errorType);
    });
  }
}

test("openrouter: an unknown model", async () => {
  const promise = chat({ model: "acme/nothing-of-the-kind", messages: user("hi") });
  await refusal(promise, errors.BadRequestResponseError, 400, "invalid_request");
});

test("openrouter: nobody serves it", async () => {
  const promise = chat({
    model: "acme/everywhere", messages: user("hi"), provider: { only: ["openai"] },
  });
  await refusal(promise, errors.NotFoundResponseError, 404, "not_found");
});

test("openrouter: bad input", async () => {
  const promise = chat({ model: "acme/openai-large", messages: user("hi"), temperature: 7.5 });
  const error = await refusal(promise, errors.BadRequestResponseError, 400, "invalid_request");
  assert.match(error.message, /^temperature:/);
});

for (const [kind, code, errorType, message] of MID_STREAM) {
  each(`openrouter: an error in the middle of a stream, ${kind}`, async (dialect) => {
    const stream = await chat({ model: dialect.model(kind), messages: user("hi"), stream: true });
    const chunks = await collect(stream);
    const choices = chunks.flatMap((chunk) => chunk.choices);
    assert.equal(choices.map((choice) => choice.delta.content ?? "").join(""), "one two ");
    assert.deepEqual(chunks.filter((chunk) => chunk.error), [chunks.at(-1)]);
    assert.equal(chunks.at(-1).error.code, code);
    assert.equal(chunks.at(-1).error.message, message);
    assert.equal(chunks.at(-1).error.metadata.errorType, errorType);
    assert.equal(chunks.at(-1).choices[0].finishReason, "error");
  });
}
