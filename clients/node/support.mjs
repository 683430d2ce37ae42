// The world that `scripts/clients.sh` sets up, and what every client is asked.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

const WORLD = JSON.parse(readFileSync(new URL("../world.json", import.meta.url)));

export const BASE_URL = environment("CLIENTS_BASE_URL");
export const KEY = environment("CLIENTS_KEY");
export const MANAGEMENT_KEY = environment("CLIENTS_MANAGEMENT_KEY");
// Used by one test only, so that its usage is that test's.
export const QUIET_KEY = environment("CLIENTS_QUIET_KEY");
const SIM = environment("CLIENTS_SIM");

// A red pixel.
export const PIXEL =
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8Dwn4GBgYEBAAkAAgH/Yzp2AAAAAElFTkSuQmCC";
export const SAW_PIXEL =
  `I saw 1 message(s), one image/png of ${PIXEL.length} characters of base64.` +
  " You said: What is this?";

export const THOUGHT = "Two and two make four.";
export const ANSWER = "It is four.";

export const WEATHER_SCHEMA = {
  type: "object",
  properties: {
    city: { type: "string" },
    days: { type: "integer", minimum: 3 },
    unit: { type: "string", enum: ["celsius", "fahrenheit"] },
  },
  required: ["city", "days", "unit"],
};
export const TIME_SCHEMA = {
  type: "object",
  properties: { zones: { type: "array", items: { type: "string" } } },
  required: ["zones"],
};
export const WEATHER = {
  type: "function",
  function: {
    name: "get_weather",
    description: "The weather of a place.",
    parameters: WEATHER_SCHEMA,
  },
};
export const TIME = {
  type: "function",
  function: { name: "get_time", parameters: TIME_SCHEMA },
};
export const WEATHER_ARGUMENTS = { city: "sim", days: 3, unit: "celsius" };
export const TIME_ARGUMENTS = { zones: ["sim"] };

// Models that fail after two words: code, type and message of what their reader is told.
export const MID_STREAM = [
  ["cut", 503, "provider_overloaded", "The engine overheated."],
  ["torn", 502, "provider_unavailable", "The provider's connection broke off."],
];

function environment(name) {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set: run scripts/clients.sh`);
  return value;
}

// One provider, and the wire format it speaks.
class Dialect {
  constructor(name) {
    this.name = name;
    this.provider = `Acme ${name[0].toUpperCase()}${name.slice(1)}`;
    this.prices = WORLD.prices[name];
  }

  model(kind) {
    return `acme/${this.name}-${kind}`;
  }

  usage(kind) {
    const facts = WORLD.usage[kind];
    const { prompt, completion } = facts;
    return { ...facts, written: facts.written[this.name], total: prompt + completion };
  }

  // Price times tokens, rounded up once, in whole nano-dollars.
  costNano(kind) {
    const usage = this.usage(kind);
    const pico = (name) => picoDollars(this.prices[name] ?? this.prices.prompt);
    const plain = usage.prompt - usage.cached - usage.written;
    const sum =
      BigInt(plain) * pico("prompt") +
      BigInt(usage.cached) * pico("input_cache_read") +
      BigInt(usage.written) * pico("input_cache_write") +
      BigInt(usage.completion) * pico("completion");
    return (sum + 999n) / 1000n;
  }
}

export const DIALECTS = ["openai", "claude", "gemini"].map((name) => new Dialect(name));

function picoDollars(price) {
  const [whole, fraction = ""] = price.split(".");
  return BigInt(whole + fraction.padEnd(12, "0"));
}

// A JSON number of dollars as nano-dollars; fails if it is not a whole number of them.
export function nano(dollars) {
  const [mantissa, exponent = "0"] = String(dollars).split("e");
  const [whole, fraction = ""] = mantissa.split(".");
  const places = Number(exponent) + 9 - fraction.length;
  const digits = BigInt(whole + fraction);
  if (places >= 0) return digits * 10n ** BigInt(places);
  const unit = 10n ** BigInt(-places);
  assert.equal(digits % unit, 0n, `${dollars} is no whole number of nano-dollars`);
  return digits / unit;
}

// One test for each dialect. `optionsOf` gives the runner's options for a dialect.
export function each(name, body, optionsOf = () => ({})) {
  for (const dialect of DIALECTS) {
    test(`${name} (${dialect.name})`, optionsOf(dialect), () => body(dialect));
  }
}

// The body that a simulated provider received last.
export async function lastUpstream() {
  const log = await (await fetch(`${SIM}/_sim/log`)).json();
  return JSON.parse(log.at(-1).body);
}

// The provider gets its own reasoning back, sealed as it was.
export function checkReplay(dialect, body, details) {
  if (dialect.name === "openai") {
    const turn = body.messages.find((message) => message.role === "assistant");
    assert.equal(turn.reasoning_content, THOUGHT);
  } else if (dialect.name === "claude") {
    const turn = body.messages.find((message) => message.role === "assistant");
    const sealed = details.filter((detail) => detail.signature);
    assert.equal(sealed.length, 1);
    const { signature } = sealed[0];
    assert.deepEqual(turn.content[0], { type: "thinking", thinking: THOUGHT, signature });
  } else {
    const turn = body.contents.find((content) => content.role === "model");
    const sealed = details.filter((detail) => detail.type === "reasoning.encrypted");
    const calls = turn.parts.filter((part) => part.functionCall);
    assert.equal(sealed.length, 1);
    assert.equal(calls.length, 1);
    assert.equal(calls[0].thoughtSignature, sealed[0].data);
  }
}

// Reads until it is as expected (postings come a moment later), then asserts.
export async function eventually(read, expected) {
  const deadline = Date.now() + 10_000;
  let found = await read();
  while (found !== expected && Date.now() < deadline) {
    await new Promise((resolve) => setTimeout(resolve, 50));
    found = await read();
  }
  assert.equal(found, expected);
}

// Reads until nothing has changed for a second: what others caused is posted by then.
export async function settled(read) {
  let [found, since] = [await read(), Date.now()];
  while (Date.now() - since < 1_000) {
    await new Promise((resolve) => setTimeout(resolve, 100));
    const now = await read();
    if (now !== found) [found, since] = [now, Date.now()];
  }
  return found;
}

// Everything a stream gives. (`Array.fromAsync` came after Node 20.)
export async function collect(stream) {
  const items = [];
  for await (const item of stream) items.push(item);
  return items;
}
