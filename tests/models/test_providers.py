"""Each provider is asked in its dialect, and the environment says whom to ask where nothing is named."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import pytest

from rlm_kernel import RLM
from rlm_kernel.errors import OptionError
from rlm_kernel.models.dialect import Dialect, Request
from rlm_kernel.models.discovery import pages
from rlm_kernel.models.endpoint import Endpoint, endpoint_for
from rlm_kernel.models.providers import PROVIDERS, Provider
from rlm_kernel.settings import resolve
from rlm_kernel.trajectory.records import Message
from support.openai_server import Answer, Raw, ScriptedModel
from support.rerouting import rerouted
from support.solving import cell

KEY = "key-of-the-user-1234567890"
BEARER = ("authorization", f"Bearer {KEY}")
AZURE = {"AZURE_OPENAI_ENDPOINT": "https://mine.openai.azure.com/", "AZURE_OPENAI_DEPLOYMENT": "my model"}

DIALECTS: dict[str, tuple[str, str, tuple[str, str], str, dict[str, str]]] = {
    "openai": ("OPENAI_API_KEY", "https://api.openai.com/v1/chat/completions", BEARER, "gpt-5-mini", {}),
    "anthropic": (
        "ANTHROPIC_API_KEY",
        "https://api.anthropic.com/v1/chat/completions",
        BEARER,
        "claude-sonnet-5-5",
        {},
    ),
    "gemini": (
        "GEMINI_API_KEY",
        "https://generativelanguage.googleapis.com/v1beta/openai/chat/completions",
        BEARER,
        "gemini-3.8-flash",
        {},
    ),
    "azure": (
        "AZURE_OPENAI_API_KEY",
        "https://mine.openai.azure.com/openai/deployments/my%20model/chat/completions?api-version=2024-10-21",
        ("api-key", KEY),
        "my model",
        AZURE,
    ),
    "openrouter": (
        "OPENROUTER_API_KEY",
        "https://openrouter.ai/api/v1/chat/completions",
        BEARER,
        "openai/gpt-5-mini",
        {},
    ),
    "portkey": (
        "PORTKEY_API_KEY",
        "https://api.portkey.ai/v1/chat/completions",
        ("x-portkey-api-key", KEY),
        "@openai/gpt-5-mini",
        {},
    ),
    "vercel": (
        "AI_GATEWAY_API_KEY",
        "https://ai-gateway.vercel.sh/v1/chat/completions",
        BEARER,
        "openai/gpt-5-mini",
        {},
    ),
    "groq": ("GROQ_API_KEY", "https://api.groq.com/openai/v1/chat/completions", BEARER, "openai/gpt-oss-120b", {}),
    "mistralai": (
        "MISTRAL_API_KEY",
        "https://api.mistral.ai/v1/chat/completions",
        BEARER,
        "mistral-medium-latest",
        {},
    ),
    "deepseek": ("DEEPSEEK_API_KEY", "https://api.deepseek.com/chat/completions", BEARER, "deepseek-v4-flash", {}),
    "together": (
        "TOGETHER_API_KEY",
        "https://api.together.xyz/v1/chat/completions",
        BEARER,
        "openai/gpt-oss-120b",
        {},
    ),
    "xai": ("XAI_API_KEY", "https://api.x.ai/v1/chat/completions", BEARER, "grok-4.3", {}),
    "huggingface": (
        "HF_TOKEN",
        "https://router.huggingface.co/v1/chat/completions",
        BEARER,
        "openai/gpt-oss-120b",
        {},
    ),
    "litellm": ("LITELLM_API_KEY", "http://localhost:4000/v1/chat/completions", BEARER, "listed-first", {}),
    "ollama": ("", "http://localhost:11434/v1/chat/completions", ("", ""), "listed-first", {}),
    "vllm": ("", "http://localhost:8000/v1/chat/completions", ("", ""), "listed-first", {}),
    "llamacpp": ("", "http://localhost:8080/v1/chat/completions", ("", ""), "listed-first", {}),
}
"""The variable of the key, where a completion is asked for, the header that lets in, the default model, the rest."""

TURNS = [cell("print(llm_query('ping'))"), cell('answer["content"] = str(len(context)); answer["ready"] = True')]


@pytest.fixture(autouse=True)
def nothing_known() -> None:
    """Forget what servers said."""
    pages.clear()


def strict(row: Provider) -> ScriptedModel:
    """Return a server that refuses what this provider refuses."""
    turns = iter(TURNS)

    def respond(body: dict[str, Any]) -> Answer:
        unknown = sorted(row.refused & body.keys())
        roles = [message["role"] for message in body["messages"]]
        if unknown:
            return Raw.error(422, f"{unknown[0]}: Extra inputs are not permitted")
        if row.merges and any(a == b for a, b in pairwise(roles)):
            return Raw.error(500, "Conversation roles must alternate user/assistant/user/assistant/...")
        return next(turns) if roles[0] == "system" else "pong"

    return ScriptedModel(respond=respond, pages={"/v1/models": {"data": [{"id": "listed-first"}, {"id": "other"}]}})


def test_every_provider_has_its_contract() -> None:
    assert DIALECTS.keys() == PROVIDERS.keys()
    assert all(row.docs for row in PROVIDERS.values())


@pytest.mark.parametrize("name", DIALECTS)
def test_engines_60_a_run_completes_with_the_defaults_of_the_provider(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also peers 40, peers 41."""
    variable, url, (header, value), model, more = DIALECTS[name]
    for key, text in ({variable: KEY} if variable else {} | more).items() | more.items():
        monkeypatch.setenv(key, text)
    with strict(PROVIDERS[name]) as server, rerouted(server) as meant:
        run = RLM(namespace={}, provider=name).solve("How long is it?", "some text")
    assert (run.status, run.answer, run.model, run.sub_model) == ("answered", "9", model, model)
    assert {there for there in meant if "completions" in there} == {url}
    for request in server.requests:
        headers = {key.lower(): text for key, text in request["headers"].items()}
        assert headers.get("authorization") == (value if header == "authorization" else None)
        assert not header or headers[header] == value
    assert len(server.requests) == 3, "nothing had to be learned from a refusal"


def found(environ: Mapping[str, str], **options: Any) -> Endpoint:
    return endpoint_for(resolve(options, environ), environ)


@pytest.mark.parametrize(
    ("environ", "options", "name", "base_url"),
    [
        ({}, {}, "", ""),
        ({"HF_TOKEN": KEY}, {}, "", ""),
        ({"OLLAMA_API_KEY": KEY}, {}, "", ""),
        ({"LLM_API_KEY": KEY}, {}, "", ""),
        ({"OPENAI_API_KEY": KEY}, {"model": "offline"}, "", ""),
        ({"GROQ_API_KEY": KEY}, {}, "groq", "https://api.groq.com/openai/v1"),
        ({"GROQ_API_KEY": KEY, "OPENAI_API_KEY": KEY}, {}, "openai", "https://api.openai.com/v1"),
        ({"GROQ_API_KEY": KEY, "OPENAI_API_KEY": KEY}, {"provider": "groq"}, "groq", "https://api.groq.com/openai/v1"),
        ({"GROQ_API_KEY": KEY, "OPENAI_API_KEY": KEY}, {"model": "groq:m"}, "groq", "https://api.groq.com/openai/v1"),
        ({"OLLAMA_HOST": "gpu"}, {"model": "m"}, "ollama", "http://gpu:11434/v1"),
        ({"OLLAMA_HOST": "gpu", "OPENAI_API_KEY": KEY}, {}, "openai", "https://api.openai.com/v1"),
        ({"AZURE_OPENAI_API_KEY": KEY, "XAI_API_KEY": KEY}, {}, "xai", "https://api.x.ai/v1"),
        ({"RLM_API_URL": "http://a/v1", "LLM_BASE_URL": "http://b"}, {"model": "m"}, "", "http://a/v1"),
        ({"LLM_BASE_URL": "http://b/", "OPENAI_BASE_URL": "http://c"}, {"model": "m"}, "", "http://b"),
        ({"OPENAI_BASE_URL": "http://c"}, {"model": "m"}, "", "http://c"),
        ({"RLM_API_URL": "http://a"}, {"model": "m", "base_url": "http://given"}, "", "http://given"),
        ({"OPENAI_BASE_URL": "http://c", "XAI_API_KEY": KEY}, {"provider": "xai"}, "xai", "https://api.x.ai/v1"),
        ({"OPENAI_BASE_URL": "http://c", "OPENAI_API_KEY": KEY}, {"provider": "openai"}, "openai", "http://c"),
        ({}, {"provider": "ollama", "base_url": "http://gpu/v1", "model": "m"}, "ollama", "http://gpu/v1"),
        ({}, {"provider": "openai", "base_url": "http://proxy", "model": "m"}, "openai", "http://proxy"),
        ({"RLM_MODEL": "ollama:qwen3:32b"}, {}, "ollama", "http://localhost:11434/v1"),
    ],
)
def test_peers_40_what_is_explicit_comes_first(
    environ: dict[str, str], options: dict[str, Any], name: str, base_url: str
) -> None:
    endpoint = found(environ, **options)
    assert (endpoint.provider.name, endpoint.base_url) == (name, base_url)
    assert endpoint.offline == (base_url == "")


@pytest.mark.parametrize(
    ("environ", "options", "key"),
    [
        ({"OPENAI_API_KEY": "o", "LLM_API_KEY": "l"}, {"base_url": "http://x"}, "o"),
        ({"LLM_API_KEY": "l"}, {"base_url": "http://x"}, "l"),
        ({"OPENAI_API_KEY": "o", "LLM_API_KEY": "l", "LLM_BASE_URL": "http://x"}, {}, "l"),
        ({"OPENAI_API_KEY": "o", "GROQ_API_KEY": "g"}, {"base_url": "https://api.groq.com/openai/v1"}, "g"),
        ({"OPENAI_API_KEY": "o"}, {"base_url": "https://api.groq.com/openai/v1"}, "o"),
        ({"OPENAI_API_KEY": "o"}, {"provider": "ollama"}, None),
        ({"OPENAI_API_KEY": "o", "OLLAMA_HOST": "x"}, {"model": "ollama:m"}, None),
    ],
)
def test_a_key_goes_only_where_it_belongs(environ: dict[str, str], options: dict[str, Any], key: str | None) -> None:
    assert found(environ, **{"model": "m", **options}).api_key == key


@pytest.mark.parametrize("name", [name for name, row in PROVIDERS.items() if row.needs_key])
def test_a_provider_without_its_key_is_an_error_that_names_the_variable(name: str) -> None:
    with pytest.raises(OptionError, match=r"no API key|No URL") as caught:
        found({}, provider=name, model="m")
    variables = PROVIDERS[name].urls or PROVIDERS[name].keys
    assert variables[0] in caught.value.hint


def test_a_model_without_any_key_names_the_variable() -> None:
    with pytest.raises(OptionError, match="no API key for openai") as caught:
        found({}, model="gpt-5-mini")
    assert "OPENAI_API_KEY" in caught.value.hint


def test_a_strict_replay_needs_no_key() -> None:
    endpoint = found({}, model="gpt-5-mini", sub_model="groq:small", recording="strict")
    assert (endpoint.model, endpoint.sub_model, endpoint.api_key) == ("gpt-5-mini", "groq:small", None)


def test_an_unknown_provider_is_named_with_its_neighbour() -> None:
    with pytest.raises(OptionError, match="no provider 'gorq'") as caught:
        found({}, provider="gorq")
    assert caught.value.hint == "did you mean groq?"


@pytest.mark.parametrize(
    ("host", "base_url"),
    [
        ("0.0.0.0", "http://127.0.0.1:11434/v1"),
        (":8123", "http://127.0.0.1:8123/v1"),
        ("gpu:8123", "http://gpu:8123/v1"),
        ("http://gpu", "http://gpu/v1"),
        ("https://gpu:443/", "https://gpu:443/v1"),
    ],
)
def test_ollamas_own_variable_is_read_as_ollama_reads_it(host: str, base_url: str) -> None:
    assert found({"OLLAMA_HOST": host}, model="m").base_url == base_url


def test_a_variable_that_is_no_url_is_blamed() -> None:
    with pytest.raises(OptionError, match="RLM_API_URL must be a URL"):
        found({"RLM_API_URL": "localhost"}, model="m")


@pytest.mark.parametrize(
    ("url", "path", "query"),
    [
        ("https://x.openai.azure.com", "/openai/deployments/d/chat/completions", {"api-version": "2024-10-21"}),
        ("https://x.openai.azure.com/?api-version=v9", "/openai/deployments/d/chat/completions", {"api-version": "v9"}),
        ("https://x.openai.azure.com/openai/v1/", "/chat/completions", {}),
    ],
)
def test_azure_is_known_by_its_host(url: str, path: str, query: dict[str, str]) -> None:
    for options in ({"base_url": url}, {"provider": "azure", "base_url": url}):
        endpoint = found({"AZURE_OPENAI_API_KEY": KEY}, model="d", **options)
        assert endpoint.headers == {"api-key": KEY}
        assert (endpoint.path("d"), endpoint.query) == (path, query)


def test_azure_without_a_deployment_names_the_variable() -> None:
    with pytest.raises(OptionError, match="No model is named for azure") as caught:
        found({"AZURE_OPENAI_API_KEY": KEY, "AZURE_OPENAI_ENDPOINT": "https://x.openai.azure.com"})
    assert "AZURE_OPENAI_DEPLOYMENT" in caught.value.hint


def test_portkey_gets_its_headers_from_the_environment() -> None:
    endpoint = found({"PORTKEY_API_KEY": KEY, "PORTKEY_PROVIDER": "openai"})
    assert endpoint.headers == {"x-portkey-api-key": KEY, "x-portkey-provider": "openai"}
    assert KEY not in repr(endpoint)


def test_mistral_has_a_name_of_its_own_for_the_seed() -> None:
    dialect = Dialect("m", own=False, provider=PROVIDERS["mistralai"])
    body = dialect.body(Request([Message(role="user", content="hello")], extra={"seed": 3}))
    assert body == {"model": "m", "messages": body["messages"], "stream": True, "random_seed": 3}
