"""Noise: the offline solver goes wrong on purpose, always the same way for a seed, and says so."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx2
import pytest

from rlm_kernel import Run, solve
from rlm_kernel.models.client import Completion
from rlm_kernel.models.endpoint import endpoint_for
from rlm_kernel.models.models import Models
from rlm_kernel.models.offline.pieces import END, FIND, head
from rlm_kernel.models.offline.transport import OfflineTransport
from rlm_kernel.models.where import Where
from rlm_kernel.settings import resolve
from rlm_kernel.trajectory.records import Message
from rlm_kernel.trajectory.redact import Redactor

ROWS = [{"region": region, "amount": n} for n, region in enumerate(("north", "south") * 20)]
QUESTION = "What is the total amount?"
TRUTH = sum(range(40))
PIECE = head(FIND, "What is the code?") + "The code is 4711." + END


def ask(noise: float, seed: int) -> Run:
    return solve(QUESTION, context=ROWS, namespace={}, model="offline", noise=noise, seed=seed, branch="spawn")


def sub_calls(
    seeds: range, *, times: int = 1, noise: float = 1.0, prompt: str = PIECE
) -> dict[int, list[tuple[int, str]]]:
    """Send one prompt `times` times with each seed; return the status and text of each reply."""

    async def send(http: httpx2.AsyncClient, seed: int) -> list[tuple[int, str]]:
        body = {"model": "offline", "messages": [{"role": "user", "content": prompt}], "noise": noise, "seed": seed}
        replies = [await http.post("http://offline/v1/chat/completions", json=body) for _ in range(times)]
        return [(r.status_code, _text(r.json())) for r in replies]

    async def send_all() -> list[list[tuple[int, str]]]:
        async with httpx2.AsyncClient(transport=OfflineTransport()) as http:
            return await asyncio.gather(*(send(http, seed) for seed in seeds))

    return dict(zip(seeds, asyncio.run(send_all()), strict=True))


def _text(body: dict[str, Any]) -> str:
    return str(body["error"]["message"] if "error" in body else body["choices"][0]["message"]["content"])


def test_without_noise_nothing_changes() -> None:
    assert ask(0.0, 1).answer == TRUTH
    assert sub_calls(range(9), noise=0.0) == {seed: [(200, "4711\nThe code is 4711.")] for seed in range(9)}


def test_noise_makes_some_answers_wrong_and_says_so() -> None:
    run = ask(1.0, 3)
    assert isinstance(run.answer, int)
    assert run.answer != TRUTH
    said = " ".join(turn.text for turn in run.iterations)
    assert "Noise is on" in said
    assert "wrong on purpose" in run.iterations[-1].cells[-1].code


def test_noise_is_the_same_for_a_seed_and_differs_between_seeds() -> None:
    first = [ask(0.5, seed).answer for seed in range(4)]
    assert [ask(0.5, seed).answer for seed in range(4)] == first
    assert TRUTH in first
    assert len(set(first)) > 1


def test_sub_calls_go_wrong_in_every_documented_way() -> None:
    ways = sub_calls(range(60), times=2)
    good, bad = (200, "4711\nThe code is 4711."), (200, "4711")
    busy, refused = (503, "turned away on purpose: noise is on"), (400, "refused on purpose: noise is on")
    assert {tuple(way) for way in ways.values()} == {(good, good), (busy, good), (refused, refused), (bad, bad)}
    assert ways == sub_calls(range(60), times=2)


def test_the_share_of_noise_is_what_the_setting_says() -> None:
    disturbed = sub_calls(range(400), noise=0.25, prompt="hello").values()
    assert 30 <= sum(status != 200 for [(status, _)] in disturbed) <= 75  # half of a quarter are errors


def test_a_sub_call_that_was_turned_away_is_asked_again() -> None:
    seed = next(seed for seed, [(status, _)] in sub_calls(range(100)).items() if status == 503)
    settings = resolve({"model": "offline", "noise": 1.0, "seed": seed})

    async def ask_once() -> Completion:
        models = Models(settings, endpoint_for(settings, {}), redactor=Redactor({}))
        try:
            return await models.complete([Message(role="user", content=PIECE)], "offline", where=Where("llm_query"))
        finally:
            await models.close()

    assert asyncio.run(ask_once()).text == "4711\nThe code is 4711."


@pytest.mark.parametrize(("noise", "low", "high"), [(0.0, 70, 99), (1.0, 30, 79)])
def test_confidence_is_stated_where_it_is_asked_for(noise: float, low: int, high: int) -> None:
    prompt = 'Reply, and end with {"confidence": N}.'
    replies = sub_calls(range(40), noise=noise, prompt=prompt).values()
    texts = [text for [(status, text)] in replies if status == 200]
    stated = [int(text.rpartition('{"confidence": ')[2].rstrip("}")) for text in texts]
    assert low <= min(stated) < max(stated) <= high
