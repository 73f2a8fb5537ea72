"""A scripted model that answers by rules, and tells when the script and the run disagree."""

from __future__ import annotations

import re
from typing import Any

import pytest

from support.asking import ask
from support.openai_server import ScriptedModel
from support.scripted_rules import Rules


def request(text: str) -> dict[str, Any]:
    return {"model": "m", "messages": [{"role": "user", "content": text}]}


def test_the_first_rule_that_fits_replies() -> None:
    with Rules() as rules:
        rules.once("colour", "green").on("colour", "red").on(re.compile(r"piece \d"), "none")
        rules.on(lambda body: body["model"] == "m", lambda body: body["messages"][0]["content"].upper())
        replies = [rules(request(text)) for text in ("the colour", "a colour", "piece 3", "piece x")]
    assert replies == ["green", "red", "none", "PIECE X"]
    assert [asked.rule for asked in rules.log] == [0, 1, 2, 3]
    assert rules.log[0].said == "the colour"


def test_rules_that_nothing_used_are_errors() -> None:
    with pytest.raises(AssertionError, match="nothing used"), Rules() as rules:
        rules.on("colour", "red")


def test_requests_without_a_rule_are_errors() -> None:
    with pytest.raises(AssertionError, match="no rule for"), Rules() as rules:
        rules(request("hello"))


def test_the_rules_serve_over_http() -> None:
    with Rules().on("hello", "good day") as rules, ScriptedModel(respond=rules) as server:
        assert ask(server.base_url).text == "good day"
