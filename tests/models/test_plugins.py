"""Models of installed packages, found by their entry point; proven with a toy that passes the contract."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.metadata import EntryPoint
from typing import Any

import pytest

from rlm_kernel import RLM
from rlm_kernel.errors import ModelRejected, OptionError
from rlm_kernel.models import plugins, references
from rlm_kernel.models.client import Completion
from rlm_kernel.models.contract import ModelContract
from rlm_kernel.models.endpoint import endpoint_for
from rlm_kernel.models.plugins import ModelPlugin
from rlm_kernel.settings import resolve
from rlm_kernel.trajectory.records import Message, Usage
from support.solving import cell

TURNS = [cell("print(llm_query('ping'))"), cell('answer["content"] = len(context); answer["ready"] = True')]


class Toy:
    """Plays a fixed run, and repeats what sub-calls say."""

    closed = 0

    async def complete(
        self, messages: Sequence[Message], model: str, *, images: Sequence[str] = (), **options: Any
    ) -> Completion:
        if model == "bad":
            raise KeyError("nothing here")
        if model == "strict":
            raise ModelRejected("The toy refuses.")
        turn = sum(message["role"] == "assistant" for message in messages)
        text = TURNS[turn] if messages[0]["role"] == "system" and turn < len(TURNS) else messages[-1]["content"].upper()
        return Completion(text, "", "stop", Usage(1, 5, 5, 0.001), 0.0)

    async def close(self) -> None:
        Toy.closed += 1


class Half:
    """Is no plugin: it cannot be closed."""

    async def complete(self) -> None:
        """Do nothing."""


class TestToy(ModelContract):
    """The toy keeps the contract."""

    model = "small"

    def make(self) -> ModelPlugin:
        return Toy()


@pytest.fixture(autouse=True)
def toys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Install the toy, one that is half done, and one whose module is missing."""
    values = {"toy": "Toy", "half": "Half", "gone": "Gone", "openai": "Toy"}
    points = {name: EntryPoint(name, f"{__name__}:{value}", plugins.GROUP) for name, value in values.items()}
    monkeypatch.setattr(EntryPoint, "load", lambda point: globals()[point.value.partition(":")[2]])
    installed: Mapping[str, EntryPoint] = points
    monkeypatch.setattr(plugins, "installed", lambda: installed)
    Toy.closed = 0


def test_engines_61_a_run_with_the_model_of_a_plugin() -> None:
    run = RLM(namespace={}, model="toy:small").solve("How long is it?", "some text")
    assert (run.status, run.answer_object) == ("answered", (9,))
    assert (run.model, run.base_url) == ("toy:small", "toy:")
    assert run.candidates[0].subcalls[0].text == "PING"
    assert run.usage.cost == pytest.approx(0.003)
    assert Toy.closed == 1


def test_a_prefix_of_the_table_is_the_tables() -> None:
    assert references.split("openai:m") == ("openai", "m")
    assert endpoint_for(resolve({"model": "openai:m"}, {}), {"OPENAI_API_KEY": "k"}).http


@pytest.mark.parametrize(("model", "words"), [("bad", "plugin 'toy' failed: KeyError"), ("strict", "The toy refuses")])
def test_what_goes_wrong_in_a_plugin_is_a_model_error(model: str, words: str) -> None:
    run = RLM(namespace={}, model="toy:small", sub_model=f"toy:{model}").solve("How long is it?", "some text")
    assert words in run.candidates[0].subcalls[0].error


@pytest.mark.parametrize(("name", "words"), [("half", "makes no model"), ("gone", "cannot be loaded: KeyError")])
def test_a_plugin_that_is_none_is_an_error(name: str, words: str) -> None:
    with pytest.raises(OptionError, match=words):
        plugins.make(name)
