"""Replies written down, so that a run can be had again without its model: byte for byte, offline, for nothing.

    off       nothing is read or written
    record    what is recorded is used; what is missing is asked for and written down
    replay    what is recorded is used; what is missing is asked for, and nothing is written
    strict    only what is recorded is used: no call is made, and a request without a reply is a `DivergenceError`
    refresh   everything is asked for anew, and takes the place of what was recorded

One file per reply, `<folder>/<role>/<key>.json`, whose key is a digest of the request (see `keys`): written whole or
not at all, so any number of processes can share a folder, and merged by version control without conflicts. A request
that goes on from an earlier one says which it follows and holds the new messages only. There is no time, no path and
no secret in a file; long texts are lists of lines, to be read in a diff.

A refusal is a reply too: what a server will always refuse (`ModelRejected`) is repeated from the recording. Failures
that come and go are repeated in strict mode only, where the run has to take the same way again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import DivergenceError, ModelError, OptionError
from .divergence import divergence
from .entries import failure, lined, plain, read, reply_of, write
from .keys import Content, content_of

if TYPE_CHECKING:
    from ..trajectory.redact import Redactor
    from .client import Completion
    from .where import Where

__all__ = ["Recording"]

_VERSION = 1
_FACTS = "server"


class Recording:
    """The recording of one run: counts its equal requests, so make a new one for every run.

    Args:
        folder: where the files are; several runs and processes may share it.
        mode: see above.
        redactor: masks secrets, in keys as well as in files.

    Raises:
        OptionError: the mode writes, and the folder cannot be made.

    """

    def __init__(self, folder: Path, mode: str, redactor: Redactor) -> None:
        self._folder = folder
        self._mode = mode
        self._redactor = redactor
        self._asked: Counter[str] = Counter()
        self._said: dict[tuple[int, int, str], str] = {}
        self._diverged: DivergenceError | None = None
        if self._writes:
            try:
                folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                reason = error.strerror or str(error)
                raise OptionError(f"No recording can be made in {folder}: {reason}.", "set recordings_dir") from None

    async def reply(
        self, request: Mapping[str, Any], where: Where, ask: Callable[[], Awaitable[Completion]]
    ) -> Completion:
        """Return the recorded reply to `request`, or what `ask` gives.

        A recorded one costs nothing: its `usage` is empty, and `saved` has what it once took.

        Args:
            request: see `keys.content_of`.
            where: the place of the call.
            ask: makes the call.

        Raises:
            DivergenceError: in strict mode nothing is recorded for this request; from then on for every request.
            ModelError: as `ask`, or as recorded.

        """
        if self._mode == "off":
            return await ask()
        self.check()
        content = content_of(request, where.role, self._redactor)
        first = content.key(where.candidate, 0)
        sample = self._asked[first]
        self._asked[first] += 1
        key = content.key(where.candidate, sample)
        follows = self._follows(content, where, key)
        path = self._folder / where.role / f"{key}.json"
        entry = self._entry(path)
        if entry is not None and (found := reply_of(entry, all_failures=self._mode == "strict")) is not None:
            return found
        if self._mode == "strict":
            self._diverged = divergence(path.parent, content, where)
            raise self._diverged
        place = {"candidate": where.candidate, "iteration": where.iteration, "depth": where.depth, "sample": sample}
        facts = {"at": place, "request": {**content.parameters, **follows}}
        try:
            done = await ask()
        except ModelError as error:
            self._write(path, {**facts, "error": self._redactor.record(failure(error))})
            raise
        self._write(path, {**facts, "reply": lined(self._redactor.record(plain(done)))})
        return done

    async def fact(self, name: str, ask: Callable[[], Awaitable[dict[str, Any]]]) -> dict[str, Any]:
        """Return what a server says of itself, such as its window: recorded like a reply, because prompts depend on it.

        Args:
            name: what is asked for, fit for the name of a file.
            ask: returns JSON values by name.

        Raises:
            DivergenceError: in strict mode it is not recorded.

        """
        if self._mode == "off":
            return await ask()
        path = self._folder / _FACTS / f"{name}.json"
        entry = self._entry(path)
        if entry is not None:
            return dict(entry["said"])
        if self._mode == "strict":
            self._diverged = DivergenceError(
                f"The recording in {self._folder} does not say what the server told of itself ({name}).",
                "run once with recording=record",
            )
            raise self._diverged
        said = await ask()
        self._write(path, {"said": self._redactor.record(said)})
        return said

    def check(self) -> None:
        """Raise the first `DivergenceError` again, if there was one: a cell may have taken it for a failed sub-call."""
        if self._diverged is not None:
            raise self._diverged

    @property
    def _writes(self) -> bool:
        return self._mode in ("record", "refresh")

    def _follows(self, content: Content, where: Where, key: str) -> dict[str, Any]:
        """Return the messages that are new since an earlier request of the same trajectory, and that request's key."""
        places = [(where.candidate, where.depth, f"{where.role}:{prefix}") for prefix in content.prefixes]
        known = next((n for n in range(len(places) - 1, 0, -1) if places[n - 1] in self._said), 0)
        before = {"follows": self._said[places[known - 1]]} if known else {}
        self._said.setdefault(places[-1], key)
        return {**before, "messages": [lined(message) for message in content.messages[known:]]}

    def _entry(self, path: Path) -> dict[str, Any] | None:
        return None if self._mode == "refresh" else read(path)

    def _write(self, path: Path, entry: Mapping[str, Any]) -> None:
        if self._writes:
            write(path, {"v": _VERSION, **entry})
