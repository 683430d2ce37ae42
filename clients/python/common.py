"""The world that `scripts/clients.sh` sets up, and what every client is asked."""

import json
import time
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal
from pathlib import Path

DIALECTS = ("openai", "claude", "gemini")
NANO = Decimal("0.000000001")
WORLD = json.loads((Path(__file__).parent.parent / "world.json").read_text())

# A red pixel.
PIXEL = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8Dwn4GBgYEBAAkAAgH/"
    "Yzp2AAAAAElFTkSuQmCC"
)

WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather of a place.",
        "parameters": {
            "type": "object",
            "properties": {
                "city": {"type": "string"},
                "days": {"type": "integer", "minimum": 3},
                "unit": {"type": "string", "enum": ["celsius", "fahrenheit"]},
            },
            "required": ["city", "days", "unit"],
        },
    },
}
TIME = {
    "type": "function",
    "function": {
        "name": "get_time",
        "parameters": {
            "type": "object",
            "properties": {"zones": {"type": "array", "items": {"type": "string"}}},
            "required": ["zones"],
        },
    },
}
# A model that fails after two words: code, type and message of what its reader is told.
MID_STREAM = [
    ("cut", 503, "provider_overloaded", "The engine overheated."),
    ("torn", 502, "provider_unavailable", "The provider's connection broke off."),
]
WEATHER_ARGUMENTS = {"city": "sim", "days": 3, "unit": "celsius"}
TIME_ARGUMENTS = {"zones": ["sim"]}


@dataclass(frozen=True)
class Usage:
    """What a simulated provider reports for every answer of a model."""

    prompt: int
    completion: int
    reasoning: int
    cached: int
    written: int

    @property
    def total(self) -> int:
        return self.prompt + self.completion


@dataclass(frozen=True)
class Dialect:
    """One provider, and the wire format it speaks."""

    name: str

    def model(self, kind: str) -> str:
        return f"acme/{self.name}-{kind}"

    @property
    def provider(self) -> str:
        return f"Acme {self.name.capitalize()}"

    def usage(self, kind: str) -> Usage:
        facts = WORLD["usage"][kind]
        return Usage(**{**facts, "written": facts["written"][self.name]})

    def prices(self) -> dict[str, str]:
        return WORLD["prices"][self.name]

    def parts(self, kind: str) -> tuple[Decimal, Decimal]:
        """Dollars for the prompt and for the completion, not rounded."""
        usage, prices = self.usage(kind), {k: Decimal(v) for k, v in self.prices().items()}
        plain = usage.prompt - usage.cached - usage.written
        prompt = (
            plain * prices["prompt"]
            + usage.cached * prices["input_cache_read"]
            + usage.written * prices.get("input_cache_write", prices["prompt"])
        )
        return prompt, usage.completion * prices["completion"]

    def cost(self, kind: str) -> Decimal:
        """Price times tokens, rounded up once, to a nano-dollar."""
        return sum(self.parts(kind)).quantize(NANO, rounding=ROUND_CEILING)


def exact(number: float) -> Decimal:
    """A JSON number as it was written."""
    return Decimal(repr(number))


def eventually(read, expected, seconds: float = 10.0):
    """What is posted a moment later: reads until it is as expected, then asserts."""
    deadline = time.monotonic() + seconds
    while (found := read()) != expected and time.monotonic() < deadline:
        time.sleep(0.05)
    assert found == expected


def settled(read, seconds: float = 1.0):
    """Reads until nothing has changed for a while: what others caused is posted by then."""
    found, since = read(), time.monotonic()
    while time.monotonic() - since < seconds:
        time.sleep(0.1)
        if (now := read()) != found:
            found, since = now, time.monotonic()
    return found


def check_replay(dialect: str, body: dict, details: list[dict]):
    """The provider gets its own reasoning back, sealed as it was."""
    if dialect == "openai":
        turn = next(turn for turn in body["messages"] if turn["role"] == "assistant")
        assert turn["reasoning_content"] == "Two and two make four."
    elif dialect == "claude":
        turn = next(turn for turn in body["messages"] if turn["role"] == "assistant")
        (detail,) = details
        assert turn["content"][0] == {
            "type": "thinking",
            "thinking": "Two and two make four.",
            "signature": detail["signature"],
        }
    else:
        turn = next(turn for turn in body["contents"] if turn["role"] == "model")
        (sealed,) = [detail for detail in details if detail["type"] == "reasoning.encrypted"]
        (part,) = [part for part in turn["parts"] if "functionCall" in part]
        assert part["thoughtSignature"] == sealed["data"]


def check_results(dialect: str, body: dict, ids: list[str]):
    """The provider gets each tool's result under the call it belongs to."""
    if dialect == "openai":
        turns = [turn for turn in body["messages"] if turn["role"] == "tool"]
        found = [(turn["tool_call_id"], turn["content"]) for turn in turns]
        assert found == [(ids[0], "21 degrees"), (ids[1], "half past nine")]
    elif dialect == "claude":
        blocks = body["messages"][-1]["content"]
        assert [block["type"] for block in blocks] == ["tool_result"] * 2
        found = [(block["tool_use_id"], block["content"]) for block in blocks]
        assert found == [(ids[0], "21 degrees"), (ids[1], "half past nine")]
    else:
        answers = [part["functionResponse"] for part in body["contents"][-1]["parts"]]
        found = [(answer["name"], answer["response"]) for answer in answers]
        assert found == [
            ("get_weather", {"output": "21 degrees"}),
            ("get_time", {"output": "half past nine"}),
        ]
