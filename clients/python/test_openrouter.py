"""The `openrouter` client, unchanged but for its server URL and key. It validates every answer."""

import json
from datetime import UTC, datetime, timedelta

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
    eventually,
    exact,
    settled,
)
from openrouter import OpenRouter, errors, utils

NO_RETRIES = utils.RetryConfig("none", None, False)
SCHEMA = {
    "type": "object",
    "properties": {
        "grade": {"type": "string", "enum": ["good", "bad"]},
        "score": {"type": "integer"},
    },
    "required": ["grade", "score"],
    "additionalProperties": False,
}


@pytest.fixture(scope="module")
def connect(world):
    def connect(key: str | None = None) -> OpenRouter:
        return OpenRouter(
            api_key=key or world.key, server_url=world.base_url, retry_config=NO_RETRIES
        )

    return connect


@pytest.fixture(scope="module")
def client(connect):
    with connect() as client:
        yield client


@pytest.fixture(scope="module")
def manager(connect, world):
    with connect(world.management_key) as client:
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
    answer = client.chat.send(model=dialect.model("large"), messages=user("Good morning: ü 🦀"))
    assert answer.id.startswith("gen-")
    assert answer.model == dialect.model("large")
    (choice,) = answer.choices
    assert choice.finish_reason == "stop"
    assert choice.message.role == "assistant"
    assert choice.message.content == "Good morning: ü 🦀"
    check_usage(answer.usage, dialect, "large")


def test_stream(client, dialect):
    with client.chat.send(
        model=dialect.model("large"), messages=user("one two three 🦀 five"), stream=True
    ) as stream:
        chunks = list(stream)
    heads = {(chunk.id, chunk.created, chunk.model) for chunk in chunks}
    assert heads == {(chunks[0].id, chunks[0].created, dialect.model("large"))}
    assert chunks[0].id.startswith("gen-")
    choices = [choice for chunk in chunks for choice in chunk.choices]
    assert "".join(c.delta.content or "" for c in choices) == "one two three 🦀 five"
    assert [c.finish_reason for c in choices if c.finish_reason] == ["stop"]
    assert [chunk.usage is not None for chunk in chunks] == [False] * (len(chunks) - 1) + [True]
    check_usage(chunks[-1].usage, dialect, "large")


def test_forced_tool(client, dialect):
    answer = client.chat.send(
        model=dialect.model("large"),
        messages=user("What is the weather?"),
        tools=[WEATHER],
        tool_choice="required",
    )
    (choice,) = answer.choices
    assert choice.finish_reason == "tool_calls"
    (call,) = choice.message.tool_calls
    assert call.function.name == "get_weather"
    assert json.loads(call.function.arguments) == WEATHER_ARGUMENTS
    check_usage(answer.usage, dialect, "large")


def test_streamed_parallel_tools(client, dialect):
    calls: dict[int, dict] = {}
    finish = []
    with client.chat.send(
        model=dialect.model("large"),
        messages=user("SIM:tools=offered;Both, please."),
        tools=[WEATHER, TIME],
        stream=True,
    ) as stream:
        for chunk in stream:
            for choice in chunk.choices:
                finish += [choice.finish_reason] if choice.finish_reason else []
                for delta in choice.delta.tool_calls or []:
                    call = calls.setdefault(delta.index, {"id": "", "name": "", "arguments": ""})
                    call["id"] += delta.id or ""
                    call["name"] += delta.function.name or ""
                    call["arguments"] += delta.function.arguments or ""
    assert sorted(calls) == [0, 1]
    assert [(calls[i]["name"], json.loads(calls[i]["arguments"])) for i in (0, 1)] == [
        ("get_weather", WEATHER_ARGUMENTS),
        ("get_time", TIME_ARGUMENTS),
    ]
    assert calls[0]["id"] != calls[1]["id"]
    assert finish == ["tool_calls"]


def test_tool_round(client, dialect, last_upstream):
    messages = user("SIM:tools=offered;Both, please.")
    ask = {"model": dialect.model("large"), "tools": [WEATHER, TIME]}
    first = client.chat.send(messages=messages, **ask).choices[0].message
    assert [call.function.name for call in first.tool_calls] == ["get_weather", "get_time"]
    messages.append(first)
    for call, result in zip(first.tool_calls, ("21 degrees", "half past nine"), strict=True):
        messages.append({"role": "tool", "tool_call_id": call.id, "content": result})
    second = client.chat.send(messages=messages, **ask)
    assert second.choices[0].finish_reason == "stop"
    assert "half past nine" in second.choices[0].message.content
    check_usage(second.usage, dialect, "large")
    check_results(dialect.name, last_upstream(), [call.id for call in first.tool_calls])


def test_image(client, dialect):
    answer = client.chat.send(
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


def test_structured_output(client, dialect):
    answer = client.chat.send(
        model=dialect.model("large"),
        messages=user("Judge it."),
        response_format={
            "type": "json_schema",
            "json_schema": {"name": "verdict", "strict": True, "schema": SCHEMA},
        },
    )
    assert json.loads(answer.choices[0].message.content) == {"grade": "good", "score": 1}
    assert answer.choices[0].finish_reason == "stop"


def test_reasoning_is_replayed(client, dialect, last_upstream):
    messages = user("SIM:tools=offered;Two and two, and the weather?")
    ask = {
        "model": dialect.model("thinker"),
        "tools": [WEATHER],
        "reasoning": {"effort": "high"},
    }
    answer = client.chat.send(messages=messages, **ask)
    check_usage(answer.usage, dialect, "thinker")
    first = answer.choices[0].message
    assert first.reasoning == "Two and two make four."
    assert first.reasoning_details[0].type == "reasoning.text"
    assert first.reasoning_details[0].text == "Two and two make four."
    messages.append(first)
    messages.append(
        {"role": "tool", "tool_call_id": first.tool_calls[0].id, "content": "21 degrees"}
    )
    second = client.chat.send(messages=messages, **ask)
    assert second.choices[0].message.content == "It is four."
    details = [detail.model_dump() for detail in first.reasoning_details]
    check_replay(dialect.name, last_upstream(), details)


def test_streamed_reasoning(client, dialect):
    with client.chat.send(
        model=dialect.model("thinker"),
        messages=user("Two and two?"),
        reasoning={"effort": "high"},
        stream=True,
    ) as stream:
        deltas = [choice.delta for chunk in stream for choice in chunk.choices]
    details = [detail for delta in deltas for detail in delta.reasoning_details or []]
    assert "".join(delta.reasoning or "" for delta in deltas) == "Two and two make four."
    texts = [detail.text or "" for detail in details if detail.type == "reasoning.text"]
    assert "".join(texts) == "Two and two make four."
    assert "".join(delta.content or "" for delta in deltas) == "It is four."


def test_router_metadata(client, dialect):
    answer = client.chat.send(
        model=dialect.model("large"), messages=user("hi"), x_open_router_metadata="enabled"
    )
    metadata = answer.openrouter_metadata
    assert metadata.requested == dialect.model("large")
    assert metadata.strategy == "direct"
    assert metadata.attempt == 1
    assert metadata.is_byok is False
    assert metadata.endpoints.total == 1
    (endpoint,) = metadata.endpoints.available
    assert (endpoint.provider, endpoint.model) == (dialect.provider, dialect.model("large"))
    assert endpoint.selected is True


def test_generation(client, dialect):
    answer = client.chat.send(
        model=dialect.model("large"), messages=user("hi"), user="user-7", session_id="session-7"
    )
    found = client.generations.get_generation(id=answer.id).data
    expected = dialect.usage("large")
    assert found.id == answer.id
    assert found.model == dialect.model("large")
    assert found.provider_name == dialect.provider
    assert found.api_type == "completions"
    assert found.streamed is False
    assert found.cancelled is False
    assert found.finish_reason == "stop"
    assert found.tokens_prompt == found.native_tokens_prompt == expected.prompt
    assert found.tokens_completion == found.native_tokens_completion == expected.completion
    assert found.native_tokens_cached == expected.cached
    assert exact(found.total_cost) == exact(found.usage) == dialect.cost("large")
    assert found.external_user == "user-7"
    assert found.session_id == "session-7"
    (response,) = found.provider_responses
    assert (response.provider_name, response.status) == (dialect.provider, 200)


def test_unknown_generation(client):
    with pytest.raises(errors.NotFoundResponseError) as caught:
        client.generations.get_generation(id="gen-0-nothing")
    assert caught.value.message == "Generation gen-0-nothing not found"


def test_key(connect, world, dialect):
    with connect(world.quiet_key) as client:
        before = client.api_keys.get_current_key_metadata().data
        assert before.label.startswith("sk-il-v1-")
        assert before.limit is before.limit_remaining is before.limit_reset is None
        assert before.budgets == []
        assert before.effective_budget is None
        assert before.is_management_key is before.is_provisioning_key is False
        client.chat.send(model=dialect.model("large"), messages=user("hi"))

        def used():
            data = client.api_keys.get_current_key_metadata().data
            return [exact(n) for n in (data.usage, data.usage_daily, data.usage_monthly)]

        eventually(used, [exact(before.usage) + dialect.cost("large")] * 3)


def test_key_with_a_limit(connect, world):
    with connect(world.small_key) as client:
        data = client.api_keys.get_current_key_metadata().data
    assert data.limit == data.limit_remaining == 0.000001
    assert data.limit_reset == "daily"
    (budget,) = data.budgets
    assert budget == data.effective_budget
    assert (budget.scope, budget.limit_usd, budget.spend_usd) == ("key_limit", 0.000001, 0)
    assert timedelta() < budget.resets_at - datetime.now(UTC) <= timedelta(days=1)


def test_credits(connect, world, manager, dialect):
    def used():
        found = manager.credits.get_credits().data
        assert found.total_credits == 25
        return exact(found.total_usage)

    start = settled(used)
    with connect(world.quiet_key) as client:
        client.chat.send(model=dialect.model("large"), messages=user("hi"))
    eventually(used, start + dialect.cost("large"))
    # So that the key's next reader finds it quiet.
    settled(used)


def test_credits_are_for_managers(client):
    with pytest.raises(errors.ForbiddenResponseError) as caught:
        client.credits.get_credits()
    assert caught.value.message == "Only management keys can perform this operation"


def test_models(client):
    found = []
    page = client.models.list()
    while page is not None:
        found += page.result.data
        page = page.next()
    models = {model.id: model for model in found}
    assert len(models) == len(found) > 100, "the built-in catalogue is listed too, once"
    for name in ("openai", "claude", "gemini"):
        dialect = Dialect(name)
        model = models[dialect.model("large")]
        pricing = model.pricing.model_dump()
        assert {key: pricing[key] for key in dialect.prices()} == dialect.prices()
        assert model.architecture.input_modalities == ["text", "image"]
        assert model.context_length == 200_000
    assert client.models.count().data.count == len(found)


def test_one_model(client, dialect):
    model = client.models.get(author="acme", slug=f"{dialect.name}-large").data
    assert model.id == dialect.model("large")
    assert model.top_provider.max_completion_tokens == 4096


def test_models_of_the_caller(client, world):
    page = client.models.list_for_user(security={"bearer": world.key})
    assert any(model.id == "acme/openai-large" for model in page.result.data)


def test_endpoints(client):
    data = client.endpoints.list(author="acme", slug="everywhere").data
    assert data.id == "acme/everywhere"
    tags = sorted(endpoint.tag for endpoint in data.endpoints)
    assert tags == ["acme-claude", "acme-gemini", "acme-openai"]
    for endpoint in data.endpoints:
        dialect = Dialect(endpoint.tag.removeprefix("acme-"))
        assert endpoint.provider_name == dialect.provider
        assert endpoint.model_id == "acme/everywhere"
        assert endpoint.context_length == 200_000
        assert endpoint.pricing.prompt == dialect.prices()["prompt"]
        assert endpoint.status == 0
        assert endpoint.supports_tool_choice.required is True


def test_endpoints_of_nothing(client):
    with pytest.raises(errors.NotFoundResponseError):
        client.endpoints.list(author="acme", slug="nothing-of-the-kind")


def test_endpoints_without_retention(client):
    found = client.endpoints.list_zdr_endpoints().data
    assert all(endpoint.tag for endpoint in found)


def test_providers(client):
    providers = {provider.slug: provider for provider in client.providers.list().data}
    for name in ("openai", "claude", "gemini"):
        assert providers[f"acme-{name}"].name == Dialect(name).provider
    assert providers["anthropic"].headquarters == "US"


def test_wrong_key(connect):
    with connect("sk-or-v1-nobody") as client, pytest.raises(
        errors.UnauthorizedResponseError
    ) as caught:
        client.chat.send(model="acme/openai-large", messages=user("hi"))
    assert caught.value.data.error.code == 401
    assert caught.value.message == "User not found."


def test_management_key_cannot_infer(manager):
    with pytest.raises(errors.ForbiddenResponseError) as caught:
        manager.chat.send(model="acme/openai-large", messages=user("hi"))
    assert caught.value.data.error.code == 403


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("kind", "error", "code", "error_type"),
    [
        ("gold", errors.PaymentRequiredResponseError, 402, "payment_required"),
        ("limited", errors.TooManyRequestsResponseError, 429, "rate_limit_exceeded"),
        ("strict", errors.BadRequestResponseError, 400, "invalid_request"),
        ("down", errors.ServiceUnavailableResponseError, 503, "provider_overloaded"),
        ("locked", errors.ServiceUnavailableResponseError, 503, "provider_overloaded"),
    ],
)
def test_refusals(client, dialect, stream, kind, error, code, error_type):
    with pytest.raises(error) as caught:
        client.chat.send(model=dialect.model(kind), messages=user("hi"), stream=stream)
    assert caught.value.status_code == caught.value.data.error.code == code
    assert caught.value.data.error.metadata["error_type"] == error_type
    assert caught.value.message == caught.value.data.error.message


def test_unknown_model(client):
    with pytest.raises(errors.BadRequestResponseError) as caught:
        client.chat.send(model="acme/nothing-of-the-kind", messages=user("hi"))
    assert caught.value.message.startswith("acme/nothing-of-the-kind is not a valid model ID")
    assert caught.value.data.error.metadata["error_type"] == "invalid_request"


def test_nobody_serves_it(client):
    with pytest.raises(errors.NotFoundResponseError) as caught:
        client.chat.send(
            model="acme/everywhere", messages=user("hi"), provider={"only": ["openai"]}
        )
    assert caught.value.message.startswith("No endpoints found for acme/everywhere.")


def test_bad_input(client):
    with pytest.raises(errors.BadRequestResponseError) as caught:
        client.chat.send(model="acme/openai-large", messages=user("hi"), temperature=7.5)
    assert caught.value.message.startswith("temperature:")


@pytest.mark.parametrize(
    ("kind", "code", "error_type", "message"),
    MID_STREAM,
)
def test_error_in_the_middle_of_a_stream(client, dialect, kind, code, error_type, message):
    with client.chat.send(
        model=dialect.model(kind), messages=user("hi"), stream=True
    ) as stream:
        chunks = list(stream)
    text = "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)
    assert text == "one two "
    assert [chunk.error is not None for chunk in chunks] == [False] * (len(chunks) - 1) + [True]
    last = chunks[-1]
    assert last.error.code == code
    assert last.error.message == message
    assert last.error.metadata.error_type == error_type
    assert [choice.finish_reason for choice in last.choices] == ["error"]
