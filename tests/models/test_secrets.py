"""Planted secrets: nothing that is written, sent or shown holds them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from rlm_kernel import RLM, solve
from rlm_kernel.errors import ModelAuthError, ModelError, OptionError, RLMError
from rlm_kernel.models.endpoint import endpoint_for
from rlm_kernel.settings import resolve
from rlm_kernel.trajectory.journal import load
from rlm_kernel.trajectory.redact import Redactor
from support.notebooks import executed
from support.openai_server import Raw, ScriptedModel
from support.solving import cell

ENVIRONMENT = {
    "OPENAI_API_KEY": "canary-of-the-api-key",
    "SERVICE_TOKEN": "canary-of-the-service",
    "DB_PASSWORD": "canary-of-the-database",
    "DATABASE_URL": "postgresql://me:canary-in-a-url@db.example/sales?sslmode=require",
}
KEY_LIKE = "sk-canary0123456789abcdefgh"
PEEK = """
import os
print(sorted(os.environ.items()))
print(note)
print(llm_query(f"Which of these is odd? {dict(os.environ)} {note}"))
os.environ["SERVICE_TOKEN"]
"""
LEAK = "FINAL(f\"the token is {os.environ['SERVICE_TOKEN']}, the note {note}\")"


@pytest.fixture(autouse=True)
def planted(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)


def sent(server: ScriptedModel) -> str:
    """Return all bodies that were sent; the key belongs into the header, and only there."""
    bodies = [{k: v for k, v in body.items() if k != "headers"} for body in server.requests]
    return json.dumps(bodies, ensure_ascii=False)


def written(folder: Path) -> str:
    """Return every byte of every file under `folder`."""
    return "\n".join(file.read_text(errors="replace") for file in folder.rglob("*") if file.is_file())


def around(text: str) -> str:
    """Return what stands around a secret, for the report of a failing test."""
    at = text.index("canary")
    return text[max(0, at - 80) : at + 40]


def with_password(url: str) -> str:
    return url.replace("http://", "http://me:canary-of-the-url@")


def test_peers_62_secrets_are_neither_sent_nor_written(tmp_path: Path) -> None:
    namespace = {"note": f"remember {KEY_LIKE}"}
    script = [cell(PEEK), cell("1/0  # " + KEY_LIKE), cell(LEAK)]
    with ScriptedModel(script) as server:
        run = solve(
            "What is in it?",
            context="text",
            namespace=namespace,
            ship="note",
            model="scripted",
            base_url=with_password(server.base_url),
            window=100_000,
            recording="record",
        )
    assert run.status == "answered"
    [key] = {request["headers"].get("Authorization") for request in server.requests}
    assert key is not None
    assert "«secret»" in sent(server)
    texts = [sent(server), written(tmp_path), repr(run), str(run), run.text, json.dumps(run.settings), run.base_url]
    assert [around(text) for text in texts if "canary" in text] == []
    assert "canary" not in repr(load(run.journal_path))


def test_peers_62_hidden_columns_are_not_sent(tmp_path: Path) -> None:
    frame = pd.DataFrame({"region": ["north", "south"], "iban": ["canary-iban-1", "canary-iban-2"]})
    with ScriptedModel([cell("print(context.shape)"), cell("FINAL(len(context))")]) as server:
        options: dict[str, Any] = {"namespace": {}, "model": "scripted", "base_url": server.base_url}
        run = solve("How many?", context=frame, redact="iban", recording="record", **options)
    assert run.answer == 2
    assert "canary" not in sent(server) + written(tmp_path)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422])
def test_an_error_does_not_repeat_what_the_server_repeats(status: int, tmp_path: Path) -> None:
    told = f"Incorrect key {ENVIRONMENT['OPENAI_API_KEY']} or {KEY_LIKE} at https://me:canary-in-it@host/?key=canary-q"
    with ScriptedModel(respond=lambda _: Raw.error(status, told)) as server:
        options: dict[str, Any] = {"namespace": {}, "model": "scripted", "base_url": with_password(server.base_url)}
        with pytest.raises(ModelError) as caught:
            solve("What?", context="text", recording="record", **options)
    assert caught.value.run is not None
    shown = [str(caught.value), repr(caught.value), *caught.value._render_traceback_(), repr(caught.value.run)]
    assert "canary" not in "\n".join(shown) + written(tmp_path)
    assert isinstance(caught.value, ModelAuthError) is (status in (401, 403))


def test_a_server_that_is_not_there_is_named_without_its_password(tmp_path: Path) -> None:
    with pytest.raises(RLMError) as caught:
        solve("What?", context="x", namespace={}, model="m", base_url="http://me:canary-pw@127.0.0.1:9/v1", retries=0)
    assert "canary" not in f"{caught.value}{caught.value!r}{written(tmp_path)}"


def test_endpoints_and_the_front_door_do_not_show_keys() -> None:
    settings = resolve({"model": "m", "base_url": "http://me:canary-pw@127.0.0.1:9/v1"})
    endpoint = endpoint_for(settings, ENVIRONMENT)
    assert "canary" not in repr(endpoint) + endpoint.shown
    assert "canary" not in repr(RLM("m", "http://me:canary-pw@127.0.0.1:9/v1"))


@pytest.mark.parametrize("given", [{"base_url": "ftp://me:canary-pw@host/v1"}, {"base_url": "me:canary-pw@host"}])
def test_a_setting_that_is_wrong_is_shown_without_its_password(given: dict[str, str]) -> None:
    with pytest.raises(OptionError) as caught:
        resolve(given)
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("http://me:canary@host/v1?api_key=canary&x=1", "http://«secret»@host/v1?api_key=«secret»&x=1"),
        ("postgresql://canary@db/x", "postgresql://«secret»@db/x"),
        ("GET /?X-Amz-Signature=canary", "GET /?X-Amz-Signature=«secret»"),
        ("Authorization: Bearer canary-0123456789", "Authorization: Bearer «secret»"),
        ("AKIACANARYCANARYCANA and ghp_canary0123456789abcd", "«secret» and «secret»"),
        ("a bearer responsibilities, see http://host/@me?monkey=1 or me@host", None),
        ("x = a?b:c; key=1; 5 & token", None),
    ],
)
def test_what_looks_like_a_secret_is_masked_and_nothing_else(text: str, masked: str | None) -> None:
    assert Redactor({}).text(text) == (text if masked is None else masked)


@pytest.mark.kernel
def test_peers_62_a_saved_notebook_holds_no_secret(tmp_path: Path) -> None:
    setup = "note = 'remember sk-' + 'can' + 'ary0123456789abcdefgh'\nnotes = ['red', 'blue']"
    asked = "%%rlm context=notes out=run\nWhat is in it?"
    with ScriptedModel([cell(PEEK), cell(LEAK)]) as server, pytest.MonkeyPatch.context() as patch:
        patch.setenv("OPENAI_BASE_URL", with_password(server.base_url))
        patch.setenv("RLM_MODEL", "scripted")
        patch.setenv("RLM_RECORDING", "record")
        notebook = executed(tmp_path / "asked.ipynb", setup, asked, "run")
    outputs = json.dumps([c.outputs for c in notebook.cells], ensure_ascii=False)
    assert "answered" in outputs or "the token is" in outputs
    assert [around(text) for text in (outputs, sent(server)) if "canary" in text] == []
    assert "canary" not in written(tmp_path)
