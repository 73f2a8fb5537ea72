"""Recorded replies: what they are filed under, what each mode does, and what a file may hold."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rlm_kernel.errors import (
    DivergenceError,
    ModelError,
    ModelOverflow,
    ModelUnreachable,
    OptionError,
    RecordingError,
)
from rlm_kernel.models.client import Completion
from rlm_kernel.models.keys import content_of
from rlm_kernel.models.recording import Recording
from rlm_kernel.models.where import Where
from rlm_kernel.trajectory.records import Usage
from rlm_kernel.trajectory.redact import Redactor

ROOT = Where(role="root", iteration=1)
SPENT = Usage(1, 100, 20, 0.5)


def request(*texts: str, **more: Any) -> dict[str, Any]:
    roles = ("system", *("user", "assistant") * len(texts))
    messages = [{"role": role, "content": text} for role, text in zip(roles, texts, strict=False)]
    return {"model": "m", "messages": messages, "max_tokens": 100, **more}


class Model:
    """Counts how often it is asked, and numbers its replies."""

    def __init__(self, *failures: ModelError) -> None:
        self.asked = 0
        self._failures = list(failures)

    async def __call__(self) -> Completion:
        self.asked += 1
        if self._failures:
            raise self._failures.pop(0)
        return Completion(f"reply\n{self.asked}", "thought", "stop", SPENT, 2.0, notes=("a note",))


class Session:
    """One run after another over the same folder."""

    def __init__(self, folder: Path, *failures: ModelError, environ: dict[str, str] | None = None) -> None:
        self.folder = folder
        self.model = Model(*failures)
        self._redactor = Redactor(environ or {})

    def run(self, mode: str, *asked: tuple[dict[str, Any], Where]) -> list[Completion]:
        recording = Recording(self.folder, mode, self._redactor)

        async def all_of_them() -> list[Completion]:
            return [await recording.reply(what, where, self.model) for what, where in asked]

        return asyncio.run(all_of_them())

    def text(self, mode: str, *texts: str, where: Where = ROOT) -> str:
        return self.run(mode, (request(*texts), where))[0].text

    def files(self) -> dict[str, bytes]:
        return {str(p.relative_to(self.folder)): p.read_bytes() for p in self.folder.rglob("*") if p.is_file()}


@pytest.fixture
def session(tmp_path: Path) -> Session:
    return Session(tmp_path / "recordings")


# ----- modes -------------------------------------------------------------------------------------------------


def test_peers_38_a_hit_costs_nothing_and_says_what_it_saved(session: Session) -> None:
    [asked] = session.run("record", (request("s", "q"), ROOT))
    [found] = session.run("record", (request("s", "q"), ROOT))
    assert session.model.asked == 1
    assert (asked.recorded, asked.usage, asked.counted) == (False, SPENT, SPENT)
    assert (found.recorded, found.usage, found.saved, found.counted) == (True, Usage(), SPENT, SPENT)
    assert (found.text, found.reasoning, found.finish_reason, found.notes, found.seconds) == (
        "reply\n1",
        "thought",
        "stop",
        ("a note",),
        0.0,
    )


@pytest.mark.parametrize(
    ("mode", "asks", "writes"), [("off", 2, False), ("record", 1, True), ("replay", 1, False), ("refresh", 2, True)]
)
def test_peers_38_what_each_mode_asks_and_writes(session: Session, mode: str, asks: int, writes: bool) -> None:
    session.text("record", "s", "known")
    before = session.files()
    session.model.asked = 0
    session.run(mode, (request("s", "known"), ROOT), (request("s", "new"), ROOT))
    assert session.model.asked == asks
    assert (session.files() != before) is writes


def test_peers_38_strict_asks_nothing(session: Session) -> None:
    session.text("record", "s", "known")
    assert session.text("strict", "s", "known") == "reply\n1"
    with pytest.raises(DivergenceError):
        session.text("strict", "s", "new")
    assert session.model.asked == 1


def test_refresh_takes_the_place_of_what_was_recorded(session: Session) -> None:
    session.text("record", "s", "q")
    session.text("refresh", "s", "q")
    assert session.text("strict", "s", "q") == "reply\n2"
    assert len(session.files()) == 1


def test_off_makes_no_folder(session: Session) -> None:
    session.text("off", "s", "q")
    assert not session.folder.exists()


# ----- keys --------------------------------------------------------------------------------------------------


def key(what: dict[str, Any], role: str = "root") -> str:
    return content_of(what, role, Redactor({})).key(0, 0)


@pytest.mark.parametrize(
    "other",
    [
        request("s", "Q"),
        request("s", "q", "more"),
        request("s", "q", model="other"),
        request("s", "q", max_tokens=101),
        request("s", "q", temperature=0.0),
        request("s", "q", schema={"type": "string"}),
        request("s", "q", images=["data:image/png;base64,aGVsbG8="]),
        request("s", "q", extra={"seed": 1}),
    ],
)
def test_peers_38_everything_that_determines_a_reply_is_in_the_key(other: dict[str, Any]) -> None:
    assert key(other) != key(request("s", "q"))


def test_peers_38_the_role_is_in_the_key() -> None:
    assert key(request("s", "q"), "map") != key(request("s", "q"), "reduce")


@pytest.mark.parametrize("more", [{"temperature": None}, {"images": ()}, {"extra": {}}, {"schema": None}])
def test_what_is_not_given_is_not_in_the_key(more: dict[str, Any]) -> None:
    assert key(request("s", "q", **more)) == key(request("s", "q"))


def test_memory_addresses_are_not_in_the_key_and_other_numbers_are() -> None:
    assert key(request("s", "<f at 0x7f01>")) == key(request("s", "<f at 0x55aa>"))
    assert key(request("s", "pay 0x7f01")) != key(request("s", "pay 0x55aa"))


def test_equal_requests_have_a_reply_each_and_candidates_too(session: Session) -> None:
    other = Where(role="root", candidate=1, iteration=1)
    asked = [(request("s", "q"), where) for where in (ROOT, ROOT, other)]
    first = [done.text for done in session.run("record", *asked)]
    assert first == ["reply\n1", "reply\n2", "reply\n3"]
    assert [done.text for done in session.run("strict", *asked)] == first
    assert session.model.asked == 3


def test_half_a_character_can_be_recorded(session: Session) -> None:
    session.text("record", "s", "half \ud83d")
    assert session.text("strict", "s", "half \ud83d") == "reply\n1"


# ----- failures ----------------------------------------------------------------------------------------------


def test_what_a_server_always_refuses_is_repeated(tmp_path: Path) -> None:
    session = Session(tmp_path, ModelOverflow("too long", "send less", 4096))
    for mode in ("record", "record", "replay", "strict"):
        with pytest.raises(ModelOverflow, match="too long") as caught:
            session.text(mode, "s", "q")
        assert caught.value.window == 4096
    assert session.model.asked == 1


def test_failures_that_come_and_go_are_repeated_in_strict_mode_only(tmp_path: Path) -> None:
    session = Session(tmp_path, ModelUnreachable("gone"))
    for mode in ("record", "strict"):
        with pytest.raises(ModelUnreachable, match="gone"):
            session.text(mode, "s", "q")
    assert session.text("record", "s", "q") == session.text("strict", "s", "q") == "reply\n2"


# ----- files -------------------------------------------------------------------------------------------------


def test_recording_again_gives_the_same_bytes(tmp_path: Path) -> None:
    asked = [(request("s", "q"), ROOT), (request("s", "q", "reply", "told"), Where(role="root", iteration=2))]
    kept = []
    for name in ("a", "b"):
        session = Session(tmp_path / name)
        session.run("record", *asked)
        kept.append(session.files())
    assert kept[0] == kept[1]
    assert not any(str(tmp_path).encode() in content for content in kept[0].values())


def test_a_request_that_goes_on_holds_its_new_messages_only(session: Session) -> None:
    texts = ["s" * 1000, "q"]
    asked = []
    for turn in range(1, 30):
        asked.append((request(*texts), Where(role="root", iteration=turn)))
        texts += [f"reply {turn}", f"told {turn}"]
    session.run("record", *asked)
    entries = [json.loads(content) for content in session.files().values()]
    assert sorted(len(entry["request"]["messages"]) for entry in entries) == [2] * 29
    assert sum(map(len, session.files().values())) < 40_000


def test_long_texts_are_lists_of_lines(session: Session) -> None:
    session.text("record", "s", "one\ntwo")
    [content] = session.files().values()
    entry = json.loads(content)
    assert entry["request"]["messages"][1]["content"] == ["one", "two"]
    assert entry["reply"]["text"] == ["reply", "1"]


def test_secrets_are_neither_in_files_nor_in_keys(tmp_path: Path) -> None:
    with_key = Session(tmp_path, environ={"SERVICE_TOKEN": "canary-in-the-environment"})
    with_key.text("record", "s", "it is canary-in-the-environment and sk-canary0123456789abcdef")
    assert not any(b"canary" in content for content in with_key.files().values())
    assert Session(tmp_path).text("strict", "s", "it is «secret» and «secret»") == "reply\n1"


def test_a_damaged_file_is_named(session: Session) -> None:
    session.text("record", "s", "q")
    [name] = session.files()
    (session.folder / name).write_text("<<<<<<< ours\n{")
    with pytest.raises(RecordingError, match=name):
        session.text("strict", "s", "q")


def test_a_folder_that_cannot_be_made_is_an_error_at_once(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OptionError, match="recordings_dir"):
        Recording(tmp_path / "file" / "recordings", "record", Redactor({}))


_WRITER = """
import asyncio, sys
from pathlib import Path
from rlm_kernel.models.client import Completion
from rlm_kernel.models.recording import Recording
from rlm_kernel.models.where import Where
from rlm_kernel.trajectory.records import Usage
from rlm_kernel.trajectory.redact import Redactor

async def ask():
    return Completion(sys.argv[2] * 50_000, "", "stop", Usage(1), 0.0)

async def main():
    for number in range(20):
        asked = {"model": "m", "messages": [{"role": "user", "content": f"question {number}"}]}
        await Recording(Path(sys.argv[1]), "refresh", Redactor({})).reply(asked, Where(), ask)

asyncio.run(main())
"""


def test_eight_processes_can_write_the_same_recording(tmp_path: Path) -> None:
    command = [sys.executable, "-c", _WRITER, str(tmp_path)]
    writers = [subprocess.Popen([*command, letter]) for letter in "abcdefgh"]
    assert [writer.wait() for writer in writers] == [0] * 8
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) == 20
    for path in files:
        text = json.loads(path.read_text())["reply"]["text"]
        assert text == text[0] * 50_000


# ----- divergence --------------------------------------------------------------------------------------------


def at(iteration: int, role: str = "root", candidate: int = 0) -> Where:
    return Where(role=role, candidate=candidate, iteration=iteration)


@pytest.mark.parametrize(
    ("asked", "where", "told"),
    [
        (request("s", "q", "r", "told 9 rows"), at(2), "message 4 (user) was 'told 7 rows', and is now 'told 9 rows'"),
        (request("s", "q", "r", "told 7 rows", model="n"), at(2), "model was 'm', and is 'n'"),
        (request("s", "q", "r"), at(2), "it had 4 messages, and has 3"),
        (request("s", "q2"), at(7), "nothing is recorded for this turn; against the nearest, message 2"),
        (request("q"), at(1, "map"), "no request of this role is recorded"),
    ],
)
def test_peers_38_a_divergence_says_where_and_what(
    session: Session, asked: dict[str, Any], where: Where, told: str
) -> None:
    session.run("record", (request("s", "q"), at(1)), (request("s", "q", "r", "told 7 rows"), at(2)))
    with pytest.raises(DivergenceError) as caught:
        session.run("strict", (asked, where))
    assert f"candidate 0, turn {where.iteration}, role {where.role}" in caught.value.message
    assert told in caught.value.message


def test_a_divergence_has_the_whole_difference(session: Session) -> None:
    session.text("record", "s", "one\ntwo\nthree")
    with pytest.raises(DivergenceError) as caught:
        session.text("strict", "s", "one\n2\nthree")
    assert {"-two", "+2"} <= set(caught.value.diff.splitlines())


def test_a_request_made_more_often_than_recorded_is_a_divergence(session: Session) -> None:
    session.text("record", "s", "q")
    with pytest.raises(DivergenceError, match="fewer times"):
        session.run("strict", (request("s", "q"), ROOT), (request("s", "q"), ROOT))


def test_a_run_that_has_diverged_stays_so(session: Session) -> None:
    """A cell takes any error for a failed sub-call; the run must not go on as if it were one."""
    session.text("record", "s", "q")
    recording = Recording(session.folder, "strict", Redactor({}))

    async def one(text: str) -> Completion:
        return await recording.reply(request("s", text), ROOT, session.model)

    errors = []
    for call in (lambda: asyncio.run(one("new")), lambda: asyncio.run(one("q")), recording.check):
        with pytest.raises(DivergenceError) as caught:
            _run(call)
        errors.append(caught.value)
    assert errors[0] is errors[1] is errors[2]


def _run(call: Callable[[], object]) -> None:
    call()


def test_what_a_server_says_of_itself_is_recorded_too(tmp_path: Path) -> None:
    async def says(window: int) -> dict[str, int]:
        return {"window": window}

    def fact(mode: str, window: int) -> dict[str, Any]:
        recording = Recording(tmp_path, mode, Redactor({}))
        return asyncio.run(recording.fact("window", lambda: says(window)))

    with pytest.raises(DivergenceError, match="window"):
        fact("strict", 1)
    assert [fact(mode, n)["window"] for n, mode in enumerate(("off", "record", "strict", "replay", "refresh"))] == [
        0,
        1,
        1,
        1,
        4,
    ]
