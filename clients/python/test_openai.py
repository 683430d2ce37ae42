"""The `openai` client, unchanged but for its base URL and key."""

import asyncio
import json
import re
from decimal import Decimal
from typing import Literal

import openai
import pytest
from common import (
    MID_STREAM,
    PIXEL,
    TIME,
    TIME_ARGUMENTS,
    WEATHER,
    WEATHER_ARGUMENTS,
    Dialect,
    check_replay,
    check_results,
    exact,
)
from pydantic import BaseModel

@pytest.fixture(scope="module")
def client(world):
    with openai.OpenAI(base_url=world.base_url, api_key=world.key, max_retries=0) as client:
        yield client


def user(content) -> list[dict]:
    return [{"role": "user", "content": content}]


def check_usage(usage, dialect: Dialect, kind: str):
    expected = dialect.usage(kind)
    assert usage.prompt_tokens == expected.prompt
    assert usage.completion_tokens == expected.completion
    assert usage.total_tokens == expected.total
    assert usage.prompt_tokens_details.cached_tokens == expected.cached
    assert usage.prompt_tokens_details.cache_write_tokens == expected.written
    assert usage.completion_tokens_details.reasoning_tokens == expected.reasoning
    assert exact(usage.cost) == dialect.cost(kind)
    assert usage.is_byok is False


def test_chat(client, dialect):
    answer = client.chat.completions.create(
        model=dialect.model("large"),
        messages=[{"role": "system", "content": "Be brief."}, *user("Good morning, world: ü 🦀")],
    )
    assert answer.id.startswith("gen-")
    assert answer.object == "chat.completion"
    assert answer.model == dialect.model("large")
    assert answer.provider == dialect.provider
    (choice,) = answer.choices
    assert choice.index == 0
    assert choice.finish_reason == "stop"
    assert choice.message.role == "assistant"
    assert choice.message.content == "Good morning, world: ü 🦀"
    assert not choice.message.tool_calls
    assert choice.message.refusal is None
    check_usage(answer.usage, dialect, "large")


def test_chat_names_the_generation_in_a_header(client, dialect):
    raw = client.chat.completions.with_raw_response.create(
        model=dialect.model("large"), messages=user("hi")
    )
    assert raw.headers["x-generation-id"] == raw.parse().id


def test_stream(client, dialect):
    stream = client.chat.completions.create(
        model=dialect.model("large"), messages=user("one two three 🦀 five"), stream=True
    )
    chunks = list(stream)
    assert chunks[0].id.startswith("gen-")
    heads = {(chunk.id, chunk.created, chunk.model, chunk.object) for chunk in chunks}
    expected = (chunks[0].id, chunks[0].created, dialect.model("large"), "chat.completion.chunk")
    assert heads == {expected}
    choices = [choice for chunk in chunks for choice in chunk.choices]
    assert {choice.index for choice in choices} == {0}
    pieces = [choice.delta.content for choice in choices if choice.delta.content]
    assert len(pieces) > 1, "one piece is no stream"
    assert "".join(pieces) == "one two three 🦀 five"
    assert choices[0].delta.role == "assistant"
    assert [c.finish_reason for c in choices if c.finish_reason] == ["stop"]
    assert [chunk.usage is not None for chunk in chunks] == [False] * (len(chunks) - 1) + [True]
    check_usage(chunks[-1].usage, dialect, "large")


def test_async_stream(world, dialect):
    async def run() -> str:
        async with openai.AsyncOpenAI(
            base_url=world.base_url, api_key=world.key, max_retries=0
        ) as client:
            stream = await client.chat.completions.create(
                model=dialect.model("large"), messages=user("from the loop"), stream=True
            )
            text = ""
            async for chunk in stream:
                for choice in chunk.choices:
                    text += choice.delta.content or ""
            return text

    assert asyncio.run(run()) == "from the loop"


def test_length(client, dialect):
    answer = client.chat.completions.create(
        model=dialect.model("large"), messages=user("one two three four five"), max_tokens=3
    )
    assert answer.choices[0].message.content.strip() == "one two three"
    assert answer.choices[0].finish_reason == "length"


def test_stop(client, dialect):
    answer = client.chat.completions.create(
        model=dialect.model("large"), messages=user("one two three four"), stop=["three"]
    )
    assert answer.choices[0].message.content.strip() == "one two"
    assert answer.choices[0].finish_reason == "stop"


def test_content_filter(client, dialect):
    answer = client.chat.completions.create(
        model=dialect.model("large"), messages=user("SIM:finish=content_filter;half an answer")
    )
    assert answer.choices[0].finish_reason == "content_filter"
    assert answer.choices[0].message.content == "half an answer"


@pytest.mark.parametrize(
    "choice", ["required", {"type": "function", "function": {"name": "get_weather"}}]
)
def test_forced_tool(client, dialect, choice):
    answer = client.chat.completions.create(
        model=dialect.model("large"),
        messages=user("What is the weather?"),
        tools=[WEATHER],
        tool_choice=choice,
    )
    (choice,) = answer.choices
    assert choice.finish_reason == "tool_calls"
    assert not choice.message.content
    (call,) = choice.message.tool_calls
    assert call.type == "function"
    assert call.id
    assert call.function.name == "get_weather"
    assert json.loads(call.function.arguments) == WEATHER_ARGUMENTS
    check_usage(answer.usage, dialect, "large")


def test_parallel_tools(client, dialect):
    answer = client.chat.completions.create(
        model=dialect.model("large"),
        messages=user("SIM:tools=offered;Both, please."),
        tools=[WEATHER, TIME],
    )
    calls = answer.choices[0].message.tool_calls
    assert [(call.function.name, json.loads(call.function.arguments)) for call in calls] == [
        ("get_weather", WEATHER_ARGUMENTS),
        ("get_time", TIME_ARGUMENTS),
    ]
    assert len({call.id for call in calls}) == 2
    assert answer.choices[0].finish_reason == "tool_calls"


def test_streamed_parallel_tools(client, dialect):
    with client.chat.completions.stream(
        model=dialect.model("large"),
        messages=user("SIM:tools=offered;Both, please."),
        tools=[WEATHER, TIME],
    ) as stream:
        done = [event for event in stream if event.type == "tool_calls.function.arguments.done"]
        answer = stream.get_final_completion()
    expected = [("get_weather", WEATHER_ARGUMENTS), ("get_time", TIME_ARGUMENTS)]
    assert [(event.name, json.loads(event.arguments)) for event in done] == expected
    calls = answer.choices[0].message.tool_calls
    assert [(c.function.name, json.loads(c.function.arguments)) for c in calls] == expected
    assert [call.index for call in calls] == [0, 1]
    assert answer.choices[0].finish_reason == "tool_calls"


def test_tool_round(client, dialect, last_upstream):
    messages = user("SIM:tools=offered;Both, please.")
    first = client.chat.completions.create(
        model=dialect.model("large"), messages=messages, tools=[WEATHER, TIME]
    )
    calls = first.choices[0].message.tool_calls
    messages.append(first.choices[0].message.model_dump(exclude_none=True))
    messages.append({"role": "tool", "tool_call_id": calls[0].id, "content": "21 degrees"})
    messages.append({"role": "tool", "tool_call_id": calls[1].id, "content": "half past nine"})
    second = client.chat.completions.create(
        model=dialect.model("large"), messages=messages, tools=[WEATHER, TIME]
    )
    (choice,) = second.choices
    assert choice.finish_reason == "stop"
    assert not choice.message.tool_calls
    # The provider says back what the last turn told it, in its own wrapping.
    assert "half past nine" in choice.message.content
    check_usage(second.usage, dialect, "large")
    check_results(dialect.name, last_upstream(), [call.id for call in calls])


def test_image(client, dialect):
    answer = client.chat.completions.create(
        model=dialect.model("large"),
        messages=user(
            [
                {"type": "text", "text": "SIM:text=report;What is this?"},
                {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}},
            ]
        ),
    )
    assert answer.choices[0].message.content == (
        f"I saw 1 message(s), one image/png of {len(PIXEL)} characters of base64."
        " You said: What is this?"
    )


class Verdict(BaseModel):
    grade: Literal["good", "bad"]
    score: int
    reasons: list[str]


def test_structured_output(client, dialect):
    answer = client.chat.completions.parse(
        model=dialect.model("large"), messages=user("Judge it."), response_format=Verdict
    )
    (choice,) = answer.choices
    assert choice.finish_reason == "stop"
    assert choice.message.parsed == Verdict(grade="good", score=1, reasons=["sim"])
    check_usage(answer.usage, dialect, "large")


def test_streamed_structured_output(client, dialect):
    with client.chat.completions.stream(
        model=dialect.model("large"), messages=user("Judge it."), response_format=Verdict
    ) as stream:
        answer = stream.get_final_completion()
    assert answer.choices[0].message.parsed == Verdict(grade="good", score=1, reasons=["sim"])
    assert answer.choices[0].finish_reason == "stop"


def test_reasoning(client, dialect):
    answer = client.chat.completions.create(
        model=dialect.model("thinker"), messages=user("Two and two?"), reasoning_effort="high"
    )
    message = answer.choices[0].message
    assert message.content == "It is four."
    assert message.reasoning == "Two and two make four."
    (detail,) = message.reasoning_details
    assert detail["type"] == "reasoning.text"
    assert detail["text"] == "Two and two make four."
    check_usage(answer.usage, dialect, "thinker")


def test_streamed_reasoning(client, dialect):
    stream = client.chat.completions.create(
        model=dialect.model("thinker"),
        messages=user("Two and two?"),
        extra_body={"reasoning": {"effort": "high"}},
        stream=True,
    )
    reasoning = details = text = ""
    for chunk in stream:
        for choice in chunk.choices:
            extra = choice.delta.model_extra
            reasoning += extra.get("reasoning") or ""
            for detail in extra.get("reasoning_details") or []:
                details += detail.get("text") or ""
            text += choice.delta.content or ""
    assert reasoning == details == "Two and two make four."
    assert text == "It is four."


def test_reasoning_is_replayed(client, dialect, last_upstream):
    messages = user("SIM:tools=offered;Two and two, and the weather?")
    ask = {
        "model": dialect.model("thinker"),
        "tools": [WEATHER],
        "extra_body": {"reasoning": {"effort": "high"}},
    }
    first = client.chat.completions.create(messages=messages, **ask).choices[0].message
    assert first.reasoning == "Two and two make four."
    messages.append(first.model_dump(exclude_none=True))
    messages.append(
        {"role": "tool", "tool_call_id": first.tool_calls[0].id, "content": "21 degrees"}
    )
    second = client.chat.completions.create(messages=messages, **ask).choices[0]
    assert second.message.content == "It is four."
    check_replay(dialect.name, last_upstream(), first.reasoning_details)


def test_models(client):
    models = {model.id: model for model in client.models.list()}
    assert len(models) > 100, "the built-in catalogue is listed too"
    for name in ("openai", "claude", "gemini"):
        dialect = Dialect(name)
        pricing = models[dialect.model("large")].pricing
        assert {key: pricing[key] for key in dialect.prices()} == dialect.prices()


def test_provider_order(client, dialect):
    answer = client.chat.completions.create(
        model="acme/everywhere",
        messages=user("hi"),
        extra_body={"provider": {"order": [f"acme-{dialect.name}"], "allow_fallbacks": False}},
    )
    assert answer.provider == dialect.provider
    assert answer.model == "acme/everywhere"


def test_model_fallback(client, dialect):
    answer = client.chat.completions.create(
        model=dialect.model("down"),
        messages=user("hi"),
        extra_body={"models": [dialect.model("large")]},
    )
    assert answer.model == dialect.model("large")
    assert answer.choices[0].message.content == "hi"
    assert exact(answer.usage.cost) == dialect.cost("large")


def test_wrong_key(world):
    with openai.OpenAI(base_url=world.base_url, api_key="sk-or-v1-nobody", max_retries=0) as client:
        with pytest.raises(openai.AuthenticationError) as caught:
            client.chat.completions.create(model="acme/openai-large", messages=user("hi"))
    assert caught.value.status_code == 401
    assert caught.value.body["code"] == 401
    assert caught.value.body["message"] == "User not found."
    assert caught.value.body["metadata"]["error_type"] == "authentication"


def test_management_key_cannot_infer(world):
    with openai.OpenAI(
        base_url=world.base_url, api_key=world.management_key, max_retries=0
    ) as client:
        with pytest.raises(openai.PermissionDeniedError) as caught:
            client.chat.completions.create(model="acme/openai-large", messages=user("hi"))
    assert caught.value.status_code == 403
    assert caught.value.body["message"] == (
        "This is a management key. Use an inference key for completions."
    )


@pytest.mark.parametrize("stream", [False, True])
def test_no_credit(client, dialect, stream):
    with pytest.raises(openai.APIStatusError) as caught:
        client.chat.completions.create(
            model=dialect.model("gold"), messages=user("hi"), stream=stream
        )
    assert caught.value.status_code == 402
    assert caught.value.body["code"] == 402
    assert caught.value.body["metadata"]["error_type"] == "payment_required"
    assert caught.value.body["metadata"]["limit_source"] == "openrouter_credits"
    assert "nsufficient credits" in caught.value.body["message"]


def test_refusals_name_what_is_left(client):
    for _ in range(2):
        with pytest.raises(openai.APIStatusError) as caught:
            client.chat.completions.create(model="acme/openai-gold", messages=user("hi"))
        left = re.search(r"\$([0-9.]+) are left", caught.value.body["message"])
        assert 0 < Decimal(left[1]) <= 25


def test_key_limit(world, dialect):
    with openai.OpenAI(base_url=world.base_url, api_key=world.small_key, max_retries=0) as client:
        with pytest.raises(openai.APIStatusError) as caught:
            client.chat.completions.create(model=dialect.model("large"), messages=user("hi"))
    assert caught.value.status_code == 402
    assert caught.value.body["metadata"]["limit_source"] == "openrouter_key_limit"
    assert caught.value.body["message"].startswith("Key limit exceeded")


@pytest.mark.parametrize("stream", [False, True])
def test_unknown_model(client, stream):
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(
            model="acme/nothing-of-the-kind", messages=user("hi"), stream=stream
        )
    assert caught.value.status_code == 400
    assert caught.value.body["message"].startswith(
        "acme/nothing-of-the-kind is not a valid model ID"
    )
    assert caught.value.body["metadata"]["error_type"] == "invalid_request"
    assert caught.value.body["availability"]["code"] == "model_not_found"


def test_nobody_serves_it(client):
    with pytest.raises(openai.NotFoundError) as caught:
        client.chat.completions.create(
            model="acme/everywhere",
            messages=user("hi"),
            extra_body={"provider": {"max_price": {"prompt": 0.000001}}},
        )
    assert caught.value.body["message"].startswith("No endpoints found for acme/everywhere.")
    assert caught.value.body["metadata"]["error_type"] == "not_found"


@pytest.mark.parametrize("stream", [False, True])
def test_rate_limit(client, dialect, stream):
    with pytest.raises(openai.RateLimitError) as caught:
        client.chat.completions.create(
            model=dialect.model("limited"), messages=user("hi"), stream=stream
        )
    assert caught.value.status_code == 429
    assert caught.value.response.headers["retry-after"] == "7"
    assert caught.value.body["metadata"]["error_type"] == "rate_limit_exceeded"
    assert caught.value.body["availability"]["code"] == "capacity_exhausted"


def test_bad_input(client):
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(
            model="acme/openai-large", messages=[{"role": "user", "content": 7}]
        )
    assert caught.value.body["message"].startswith("messages[0].content:")
    assert caught.value.body["metadata"]["error_type"] == "invalid_request"


@pytest.mark.parametrize("stream", [False, True])
def test_refused_by_the_provider(client, dialect, stream):
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(
            model=dialect.model("strict"), messages=user("hi"), stream=stream
        )
    assert caught.value.body["code"] == 400
    assert "temperature: the sky is the limit" in caught.value.body["metadata"]["raw"]
    assert caught.value.body["metadata"]["provider_name"] == dialect.provider


@pytest.mark.parametrize("kind", ["down", "locked"])
def test_provider_trouble(client, dialect, kind):
    with pytest.raises(openai.InternalServerError) as caught:
        client.chat.completions.create(model=dialect.model(kind), messages=user("hi"))
    assert caught.value.status_code == 503
    assert caught.value.body["metadata"]["error_type"] == "provider_overloaded"
    assert "key" not in caught.value.body["message"].lower()


@pytest.mark.parametrize(
    ("kind", "code", "error_type", "message"),
    MID_STREAM,
)
def test_error_in_the_middle_of_a_stream(client, dialect, kind, code, error_type, message):
    stream = client.chat.completions.create(
        model=dialect.model(kind), messages=user("hi"), stream=True
    )
    text = ""
    with pytest.raises(openai.APIError) as caught:
        for chunk in stream:
            for choice in chunk.choices:
                text += choice.delta.content or ""
    assert text == "one two "
    assert not isinstance(caught.value, openai.APIStatusError)
    assert caught.value.body["code"] == code
    assert caught.value.body["metadata"]["error_type"] == error_type
    assert caught.value.message == caught.value.body["message"] == message
