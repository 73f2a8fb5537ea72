"""The offline solver through the real OpenAI client, and its behaviour on any messages at all."""

from __future__ import annotations

import ast
import asyncio
import re
from typing import TYPE_CHECKING, Any

import httpx2
import openai
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rlm_kernel.branches.result import CellResult
from rlm_kernel.engine import feedback, prompt
from rlm_kernel.engine.outputs import Outputs
from rlm_kernel.models.offline import reply
from rlm_kernel.models.offline.transport import OfflineTransport

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

CARD = (
    'DataFrame: 3 rows x 2 columns, 1 kB\ncolumns:\n- "a": int64; distinct 3; range 1 .. 3\n- "b": str; values "x", "y"'
)
MESSAGES: Any = [
    {"role": "system", "content": prompt.SYSTEM},
    {"role": "user", "content": prompt.opening("How many rows with b x?", CARD)},
]


def with_client(use: Callable[[openai.AsyncOpenAI], Awaitable[Any]]) -> Any:
    async def run() -> Any:
        http = httpx2.AsyncClient(transport=OfflineTransport())
        async with openai.AsyncOpenAI(base_url="http://offline/v1", api_key="offline", http_client=http) as client:
            return await use(client)

    return asyncio.run(run())


def test_a_completion_through_the_client() -> None:
    done = with_client(lambda c: c.chat.completions.create(model="offline", messages=MESSAGES))
    assert done.choices[0].message.content == reply(MESSAGES)
    assert done.choices[0].finish_reason == "stop"
    assert (done.model, done.created) == ("offline", 0)
    assert done.usage is not None
    assert done.usage.total_tokens == done.usage.prompt_tokens + done.usage.completion_tokens > 100


def test_the_same_request_gets_the_same_bytes() -> None:
    async def twice(client: openai.AsyncOpenAI) -> list[bytes]:
        ask = client.chat.completions.with_raw_response.create
        return [(await ask(model="offline", messages=MESSAGES)).content for _ in range(2)]

    first, second = with_client(twice)
    assert first == second


@pytest.mark.parametrize("usage", [True, False])
def test_a_stream_through_the_client(usage: bool) -> None:
    async def stream(client: openai.AsyncOpenAI) -> list[Any]:
        options: Any = {"include_usage": usage}
        chunks = await client.chat.completions.create(
            model="offline", messages=MESSAGES, stream=True, stream_options=options
        )
        return [chunk async for chunk in chunks]

    chunks = with_client(stream)
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == reply(MESSAGES)
    assert [c.choices[0].finish_reason for c in chunks if c.choices][-1] == "stop"
    assert (chunks[-1].usage is not None) is usage


def test_the_model_is_listed() -> None:
    async def models(client: openai.AsyncOpenAI) -> list[str]:
        return [model.id async for model in client.models.list()]

    assert with_client(models) == ["offline"]


def test_other_requests_fail_as_openai_servers_fail() -> None:
    with pytest.raises(openai.NotFoundError, match="Unknown request"):
        with_client(lambda c: c.embeddings.create(model="offline", input="x"))
    with pytest.raises(openai.BadRequestError, match="not a chat completion request"):
        with_client(lambda c: c.post("/chat/completions", body={"model": "offline"}, cast_to=object))


def code_of(text: str) -> str:
    assert text.count("```") == 2, "no value may open or close a fence"
    [code] = re.findall(r"^```repl\n(.*?)\n```$", text, re.DOTALL | re.MULTILINE)
    return str(code)


ANY = st.text(max_size=300)
PIECES = st.lists(
    st.sampled_from(
        [
            "how many",
            "rows",
            "which",
            "a",
            "b",
            "c d",
            '"',
            "`",
            "```",
            "'",
            "average",
            "per",
            "top",
            "5",
            "over",
            "-3.5",
            "1,000",
            "between",
            "and",
            "or",
            "x",
            '"x"',
            "list all",
            "classes",
            "where is",
            "mentioned",
            "highest",
            "missing",
            "not",
            "distinct",
            "what is the",
            "\n",
            "{x}",
            "\\",
            "%",
            "# Context",
            "=====",
            "\u0661",
            "by",
            "number of",
        ]
    ),
    max_size=14,
).map(" ".join)
CARDS = st.one_of(
    ANY,
    st.just(CARD),
    ANY.map(lambda t: f"{CARD}\n- {t}"),
    st.sampled_from(["str: 9 characters, 1 lines", "list of str: 2 documents", "dict of str: 2", "Series: 3 values"]),
)


def told_of(result: CellResult, question: str) -> str:
    return feedback.message([feedback.told_of([result], Outputs(1000))], question, turns=3)


@settings(deadline=None)
@given(
    question=st.one_of(ANY, PIECES), card=CARDS, alias=st.sampled_from(["", "df", "orders"]), told=ANY, ok=st.booleans()
)
def test_any_conversation_gets_one_cell_that_is_python(
    question: str, card: str, alias: str, told: str, ok: bool
) -> None:
    user = f" (the user's `{alias}`)" if alias else ""
    messages = [
        {"role": "system", "content": prompt.SYSTEM},
        {"role": "user", "content": prompt.opening(question, f"`context`{user}:\n{card}")},
    ]
    for _ in range(3):
        text = reply(messages)
        ast.parse(code_of(text))
        result = CellResult("ok" if ok else "timeout", 0.0, stdout=f"found: ['b', {told!r}]\n{told}")
        messages += [
            {"role": "assistant", "content": text},
            {"role": "user", "content": told_of(result, question)},
        ]


@settings(deadline=None)
@given(
    st.lists(
        st.fixed_dictionaries({"role": st.sampled_from(["system", "user", "assistant"]), "content": ANY}), max_size=4
    )
)
def test_any_messages_get_a_reply(messages: list[dict[str, str]]) -> None:
    assert reply(messages) == reply(messages) != ""
    assert reply([{"role": "system", "content": prompt.SYSTEM}, *messages])
