"""Who serves models, as data: where each provider is, which key it takes, what it is called first, and its quirks.

Every row speaks OpenAI's chat protocol; what it does otherwise is a field of its row, so that there is one client for
all. A reference `NAME:MODEL` names a row and one of its models: `groq:openai/gpt-oss-120b`. The facts are those of the
providers' own pages, in `docs`; the default models are a start, not a recommendation.

The order of the table is the order in which keys in the environment are looked at where nothing is named.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from urllib.parse import urlsplit

__all__ = ["AUTO", "COMMAND", "OFFLINE", "OTHER", "PROVIDERS", "Provider", "at"]

OFFLINE = "offline"
"""The model name of the embedded rule-based solver, which answers when nothing is configured."""

AUTO = "auto"
"""The model name that means the first one that the server lists."""

COMMAND = "cmd"
"""The prefix of a model that is a command: it gets the prompt on its standard input and prints the reply."""


@dataclass(frozen=True, slots=True)
class Provider:
    """One row of the table.

    Attributes:
        name: the prefix in a reference.
        base_url: root of its API; empty where only the user can know it.
        docs: the page the row follows.
        keys: environment variables for the key; the first that is set counts.
        model: asked where none is named; `AUTO` for the first listed, empty where only the user can know it.
        urls: environment variables for another base URL; one of them is enough to choose a provider without a key.
        model_variables: environment variables for another default model.
        needs_key: whether nothing can be asked without a key.
        implied: whether its key in the environment is enough to choose it where nothing is named.
        key_header: header for the key; empty for `Authorization: Bearer`.
        headers: further headers, each with the environment variable that has its value, sent where that is set.
        query: parameters of the URL, each with an environment variable for its value and what it is without.
        chat_path: of a chat completion, below the base URL; `{model}` stands for the model.
        renamed: fields of a request that have another name here.
        refused: fields of a request that are not taken here.
        merges: whether messages of the same role in a row must be one, as in the templates of many open models.
        local: whether it is a server of the user's own: its tokens have no price list, and it may tell its window.
        prices: its name in the price library; empty for none.

    """

    name: str
    base_url: str
    docs: str = ""
    keys: tuple[str, ...] = ()
    model: str = AUTO
    urls: tuple[str, ...] = ()
    model_variables: tuple[str, ...] = ()
    needs_key: bool = True
    implied: bool = True
    key_header: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    chat_path: str = "/chat/completions"
    renamed: Mapping[str, str] = field(default_factory=dict)
    refused: frozenset[str] = frozenset()
    merges: bool = False
    local: bool = False
    prices: str = ""


_ROWS = (
    Provider(
        "openai",
        "https://api.openai.com/v1",
        "platform.openai.com/docs/api-reference/chat",
        keys=("OPENAI_API_KEY",),
        model="gpt-5-mini",
        prices="openai",
    ),
    Provider(
        "anthropic",
        "https://api.anthropic.com/v1",
        "platform.claude.com/docs/en/api/openai-sdk",
        keys=("ANTHROPIC_API_KEY",),
        model="claude-sonnet-5-5",
        prices="anthropic",
    ),
    Provider(
        "gemini",
        "https://generativelanguage.googleapis.com/v1beta/openai",
        "ai.google.dev/gemini-api/docs/openai",
        keys=("GEMINI_API_KEY", "GOOGLE_API_KEY"),
        model="gemini-3.8-flash",
        prices="google",
    ),
    Provider(
        "azure",
        "",
        "learn.microsoft.com/azure/ai-services/openai/reference",
        keys=("AZURE_OPENAI_API_KEY",),
        model="",
        urls=("AZURE_OPENAI_ENDPOINT",),
        model_variables=("AZURE_OPENAI_DEPLOYMENT",),
        key_header="api-key",
        query={"api-version": ("AZURE_OPENAI_API_VERSION", "2024-10-21")},
        chat_path="/openai/deployments/{model}/chat/completions",
        prices="azure",
    ),
    Provider(
        "openrouter",
        "https://openrouter.ai/api/v1",
        "openrouter.ai/docs/api-reference/overview",
        keys=("OPENROUTER_API_KEY",),
        model="openai/gpt-5-mini",
        prices="openrouter",
    ),
    Provider(
        "portkey",
        "https://api.portkey.ai/v1",
        "portkey.ai/docs/api-reference/inference-api/headers",
        keys=("PORTKEY_API_KEY",),
        model="@openai/gpt-5-mini",
        key_header="x-portkey-api-key",
        headers={
            "x-portkey-config": "PORTKEY_CONFIG",
            "x-portkey-provider": "PORTKEY_PROVIDER",
            "x-portkey-virtual-key": "PORTKEY_VIRTUAL_KEY",
        },
    ),
    Provider(
        "vercel",
        "https://ai-gateway.vercel.sh/v1",
        "vercel.com/docs/ai-gateway/openai-compat",
        keys=("AI_GATEWAY_API_KEY", "VERCEL_OIDC_TOKEN"),
        model="openai/gpt-5-mini",
    ),
    Provider(
        "groq",
        "https://api.groq.com/openai/v1",
        "console.groq.com/docs/openai",
        keys=("GROQ_API_KEY",),
        model="openai/gpt-oss-120b",
        prices="groq",
    ),
    Provider(  # not "mistral": mistral:7b is a model of Ollama's
        "mistralai",
        "https://api.mistral.ai/v1",
        "docs.mistral.ai/api/endpoint/chat",
        keys=("MISTRAL_API_KEY",),
        model="mistral-medium-latest",
        renamed={"seed": "random_seed", "max_completion_tokens": "max_tokens"},
        refused=frozenset({"stream_options"}),
        prices="mistral",
    ),
    Provider(
        "deepseek",
        "https://api.deepseek.com",
        "api-docs.deepseek.com",
        keys=("DEEPSEEK_API_KEY",),
        model="deepseek-v4-flash",
        prices="deepseek",
    ),
    Provider(
        "together",
        "https://api.together.xyz/v1",
        "docs.together.ai/docs/openai-api-compatibility",
        keys=("TOGETHER_API_KEY",),
        model="openai/gpt-oss-120b",
        prices="together",
    ),
    Provider(
        "xai",
        "https://api.x.ai/v1",
        "docs.x.ai/docs/api-reference",
        keys=("XAI_API_KEY",),
        model="grok-4.3",
        prices="x-ai",
    ),
    Provider(  # its token is on many machines for downloads: no leave to send data there
        "huggingface",
        "https://router.huggingface.co/v1",
        "huggingface.co/docs/inference-providers",
        keys=("HF_TOKEN",),
        model="openai/gpt-oss-120b",
        implied=False,
    ),
    Provider(
        "litellm",
        "http://localhost:4000/v1",
        "docs.litellm.ai/docs/proxy/user_keys",
        keys=("LITELLM_PROXY_API_KEY", "LITELLM_API_KEY"),
        urls=("LITELLM_PROXY_API_BASE",),
        needs_key=False,
    ),
    Provider(
        "ollama",
        "http://localhost:11434/v1",
        "docs.ollama.com/api/openai-compatibility",
        keys=("OLLAMA_API_KEY",),
        urls=("OLLAMA_HOST",),
        needs_key=False,
        local=True,
    ),
    Provider(
        "vllm",
        "http://localhost:8000/v1",
        "docs.vllm.ai/en/latest/serving/openai_compatible_server.html",
        keys=("VLLM_API_KEY",),
        needs_key=False,
        merges=True,
        local=True,
    ),
    Provider(
        "llamacpp",
        "http://localhost:8080/v1",
        "github.com/ggml-org/llama.cpp/blob/master/tools/server/README.md",
        keys=("LLAMA_API_KEY",),
        needs_key=False,
        merges=True,
        local=True,
    ),
)

PROVIDERS: Mapping[str, Provider] = MappingProxyType({row.name: row for row in _ROWS})
"""The table, by name."""

OTHER = Provider("", "", keys=("OPENAI_API_KEY", "LLM_API_KEY"), needs_key=False, local=True)
"""Any other server, known by its URL alone."""

_AZURE_HOST = ".openai.azure.com"


def at(url: str) -> Provider:
    """Return the provider whose API is at the host of `url`; `OTHER` for none.

    Azure has two: deployments, and below `/openai/v1` the same paths as everybody.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    if host.endswith(_AZURE_HOST):
        row = PROVIDERS["azure"]
        return replace(row, chat_path=OTHER.chat_path, query={}) if parts.path.startswith("/openai/v1") else row
    hosted = (row for row in _ROWS if not row.local and urlsplit(row.base_url).hostname == host)
    return next(hosted, OTHER) if host not in ("", "localhost") else OTHER
