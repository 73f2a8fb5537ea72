"""Each role has its model at its endpoint, sampled as the settings say; cells reach no further than the user chose."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import pytest

from rlm_kernel.errors import ModelNotFound, ModelUnreachable, OptionError
from rlm_kernel.models.discovery import pages
from rlm_kernel.models.endpoint import endpoint_for
from rlm_kernel.models.models import Models
from rlm_kernel.models.references import References, split
from rlm_kernel.models.roles import Roles
from rlm_kernel.models.where import Where
from rlm_kernel.settings import resolve
from rlm_kernel.trajectory.records import Message
from rlm_kernel.trajectory.redact import Redactor
from support.openai_server import Raw, ScriptedModel
from support.rerouting import rerouted

T = TypeVar("T")
HELLO = [Message(role="user", content="hello")]
KEYS = {"GROQ_API_KEY": "groq-key-0123456789", "OPENAI_API_KEY": "openai-key-0123456789"}
SUB = Where("llm_query")


@pytest.fixture(autouse=True)
def nothing_known() -> None:
    """Forget what servers said: loopback ports come back."""
    pages.clear()


def with_models(use: Callable[[Models], Awaitable[T]], environ: dict[str, str] | None = None, **options: Any) -> T:
    """Run `use` with the models of a run that is closed afterwards."""
    settings = resolve(options, {})

    async def run() -> T:
        home = endpoint_for(settings, environ or {})
        models = Models(settings, home, redactor=Redactor({}), environ=environ or {})
        try:
            return await use(models)
        finally:
            await models.close()

    return asyncio.run(run())


@pytest.mark.parametrize(
    ("reference", "parts"),
    [
        ("gpt-5-mini", ("", "gpt-5-mini")),
        ("qwen3:32b", ("", "qwen3:32b")),
        ("mistral:7b", ("", "mistral:7b")),
        ("ollama:qwen3:32b", ("ollama", "qwen3:32b")),
        ("groq:openai/gpt-oss-20b", ("groq", "openai/gpt-oss-20b")),
        ("cmd: llm -m small", ("cmd", "llm -m small")),
        ("groq:", ("", "groq:")),
        (":m", ("", ":m")),
    ],
)
def test_a_reference_names_a_provider_only_if_the_table_has_it(reference: str, parts: tuple[str, str]) -> None:
    assert split(reference) == parts


def roles(**options: Any) -> dict[str, str]:
    settings = resolve({"base_url": "http://x/v1", "model": "a", **options}, {})
    mine = Roles(settings, endpoint_for(settings, KEYS))
    return {role: mine.model(role) for role in ("root", "sub", "verifier", "judge", "memory")}


def test_roles_default_to_their_neighbours() -> None:
    assert set(roles().values()) == {"a"}
    assert roles(sub_model="b") == {"root": "a", "sub": "b", "verifier": "b", "judge": "b", "memory": "b"}
    assert roles(verifier_model="c")["judge"] == "c"
    assert roles(judge_model="groq:d", memory_model="e") == {
        "root": "a",
        "sub": "a",
        "verifier": "a",
        "judge": "groq:d",
        "memory": "e",
    }


def test_an_unknown_role_is_an_error() -> None:
    settings = resolve({}, {})
    with pytest.raises(OptionError, match="no role 'critic'"):
        Roles(settings, endpoint_for(settings, {})).model("critic")


@pytest.mark.parametrize("setting", ["sub_model", "verifier_model", "judge_model", "memory_model"])
def test_a_model_without_a_key_is_refused_before_the_run(setting: str) -> None:
    with pytest.raises(OptionError, match="no API key for groq"):
        endpoint_for(resolve({"base_url": "http://x/v1", "model": "a", setting: "groq:m"}, {}), {})


def test_engines_22_a_model_that_nobody_serves_is_never_another() -> None:
    with pytest.raises(OptionError, match="Nobody is named to ask for the model 'small'") as caught:
        endpoint_for(resolve({"model": "offline", "sub_model": "small"}, {}), {})
    assert "PROVIDER:small" in caught.value.hint
    unknown = {"/v1/chat/completions": Raw.error(404, "The model `b` does not exist")}
    with ScriptedModel(routes=unknown) as server, pytest.raises(ModelNotFound, match="'b'"):
        with_models(lambda m: m.complete(HELLO, "b"), base_url=server.base_url, model="a")


def test_engines_23_each_role_is_asked_at_its_own_endpoint_with_its_own_key() -> None:
    async def all_of_them(models: Models) -> list[str]:
        asked = [models.roles.model(role) for role in ("root", "sub", "verifier")]
        return [(await models.complete(HELLO, model)).text for model in asked]

    with ScriptedModel() as server, rerouted(server) as meant:
        options: dict[str, Any] = {"model": "gpt-x", "sub_model": "groq:small", "verifier_model": "ollama:qwen3:32b"}
        assert with_models(all_of_them, KEYS, **options) == ["hello"] * 3
    assert meant == [
        "https://api.openai.com/v1/chat/completions",
        "https://api.groq.com/openai/v1/chat/completions",
        "http://localhost:11434/v1/chat/completions",
    ]
    assert [request["model"] for request in server.requests] == ["gpt-x", "small", "qwen3:32b"]
    shown = [{k.lower(): v for k, v in r["headers"].items()}.get("authorization") for r in server.requests]
    assert shown == [f"Bearer {KEYS['OPENAI_API_KEY']}", f"Bearer {KEYS['GROQ_API_KEY']}", None]


def test_the_offline_solver_can_be_a_sub_model() -> None:
    with ScriptedModel() as server:
        options: dict[str, Any] = {"base_url": server.base_url, "model": "a", "sub_model": "offline"}
        done = with_models(lambda m: m.complete(HELLO, m.roles.model("sub")), **options)
    assert done.usage.cost == 0.0
    assert server.requests == []


def test_engines_62_sampling_is_per_role_and_the_seed_per_candidate() -> None:
    places = [Where("root", candidate=2), SUB, Where("root", depth=1), Where("compaction", candidate=1)]

    async def everywhere(models: Models) -> None:
        for where in places:
            await models.complete(HELLO, "a", where=where)
        await models.complete(HELLO, "a", temperature=1.5, extra={"seed": 1, "top_k": 2})

    options: dict[str, Any] = {"temperature": 0.1, "sub_temperature": 0.9, "seed": 40, "extra_body": '{"top_p": 0.5}'}
    with ScriptedModel() as server:
        with_models(everywhere, base_url=server.base_url, model="a", sub_extra_body={"min_p": 0.1}, **options)
    said = [[request.get(name) for name in ("temperature", "seed", "top_p", "min_p")] for request in server.requests]
    assert said[:4] == [[0.1, 42, 0.5, None], [0.9, 40, None, 0.1], [0.9, 40, None, 0.1], [0.1, 41, 0.5, None]]
    assert said[4] == [1.5, 1, 0.5, None]


def test_a_seed_that_is_refused_is_left_out() -> None:
    with ScriptedModel(
        respond=lambda body: Raw.error(422, "seed: extra_forbidden") if "seed" in body else "ok"
    ) as server:
        done = with_models(lambda m: m.complete(HELLO, "a"), base_url=server.base_url, model="a", seed=1)
    assert (done.text, done.notes) == ("ok", ("the server refuses seed; it was left out",))


def allowed(reference: str, **options: Any) -> str:
    settings = resolve({"base_url": "http://x/v1", "model": "a", **options}, {})
    return References(settings, endpoint_for(settings, KEYS), KEYS).allowed_for_cells(reference)


@pytest.mark.parametrize(
    ("reference", "options"),
    [
        ("a", {}),
        ("another", {}),
        ("groq:small", {"sub_model": "groq:small"}),
        ("groq:other", {"sub_model": "groq:small"}),
        ("a", {"sub_model": "groq:small"}),
        ("cmd:llm -m x", {"verifier_model": "cmd:llm -m x"}),
    ],
)
def test_engines_22_cells_may_ask_what_the_user_chose(reference: str, options: dict[str, Any]) -> None:
    assert allowed(reference, **options) == ""


@pytest.mark.parametrize(
    ("reference", "options"),
    [
        ("cmd:rm -rf .", {}),
        ("cmd:llm -m y", {"sub_model": "cmd:llm -m x"}),
        ("groq:small", {}),
        ("xai:grok", {}),
        ("another", {"sub_model": "groq:small"}),
        ("auto", {}),
        ("offline", {}),
    ],
)
def test_engines_22_cells_may_ask_nobody_else(reference: str, options: dict[str, Any]) -> None:
    told = allowed(reference, **options)
    assert f"model={reference!r} is not available here" in told
    assert "use one of: a" in told


def test_a_missing_model_is_noted_once() -> None:
    async def twice(models: Models) -> list[int]:
        assert await models.window("a") == 7_000
        return [len((await models.complete(HELLO, "b")).notes) for _ in range(2)]

    with ScriptedModel(pages={"/v1/models": {"data": [{"id": "a", "max_model_len": 7_000}]}}) as server:
        assert with_models(twice, base_url=server.base_url, model="a") == [1, 0]


def test_the_window_of_the_settings_is_about_the_runs_own_endpoint() -> None:
    async def both(models: Models) -> list[int]:
        return [await models.window("a"), await models.window("groq:gpt-oss-20b")]

    with ScriptedModel() as server, rerouted(server):
        assert with_models(both, KEYS, base_url=server.base_url, model="a", window=9_000) == [9_000, 131_072]


def test_a_call_ends_with_its_time() -> None:
    with ScriptedModel() as server:
        server.hold()
        with pytest.raises(ModelUnreachable, match="gave no whole reply"):
            with_models(lambda m: m.complete(HELLO, "a", timeout=0.05), base_url=server.base_url, model="a", retries=0)


def test_a_price_is_of_the_provider_and_unknown_for_a_server_of_ones_own() -> None:
    with ScriptedModel() as server, rerouted(server):
        priced = with_models(lambda m: m.complete(HELLO, "gpt-5-mini"), KEYS)
        unknown = with_models(lambda m: m.complete(HELLO, "gpt-5-mini"), base_url=server.base_url, model="gpt-5-mini")
        own: dict[str, Any] = {"prices": {"gpt-5-mini": {"input": 1.0, "output": 1.0}}}
        mine = with_models(
            lambda m: m.complete(HELLO, "gpt-5-mini"), base_url=server.base_url, model="gpt-5-mini", **own
        )
    assert priced.usage.cost
    assert unknown.usage.cost is None
    assert mine.usage.cost == pytest.approx(15e-6)
