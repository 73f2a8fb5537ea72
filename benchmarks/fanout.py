"""What many sub-calls cost beside their server's latency: `python benchmarks/fanout.py`.

The server is a process of its own that answers each request 50 ms after it came, however many are in flight. Ideal is
that latency times the rounds it takes at the cap. The table shows wall times, how many times the ideal they are, and
the CPU time of a call; each is the best of three, since other work on the machine only ever adds to it. Calls are made
through `Models`, as the engine makes them, and from a cell of a whole run.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import tempfile
import time
from collections.abc import Iterator
from contextlib import chdir, contextmanager
from multiprocessing.connection import Connection

from rlm_kernel import solve
from rlm_kernel.models.endpoint import Endpoint
from rlm_kernel.models.models import Models
from rlm_kernel.settings import resolve
from rlm_kernel.trajectory.records import Message
from rlm_kernel.trajectory.redact import Redactor

LATENCY = 0.05
COUNTS = (256, 1000)
CAPS = (16, 64)
TIMES = 3
LIMITS = {"max_iterations": 2, "max_subcalls": 2000, "timeout": 300}

BATCH = "texts = llm_query_batched([f'number {n}' for n in range(int(context))])"
LOOP = "texts = [llm_query(f'number {n}') for n in range(int(context))]"
CELL = "```repl\nimport time\nbegan = time.perf_counter()\n%s\nFINAL(time.perf_counter() - began)\n```"

Measured = tuple[float, float]
"""Wall seconds, and CPU seconds of this process."""


# ----- the server --------------------------------------------------------------------------------------------


def stream(text: str) -> bytes:
    """Return a streamed reply as it is sent."""
    choices: list[dict[str, object]] = [
        {"index": 0, "delta": {"role": "assistant", "content": text}, "finish_reason": None},
        {"index": 0, "delta": {}, "finish_reason": "stop"},
    ]
    chunks: list[dict[str, object]] = [{"choices": [choice]} for choice in choices]
    chunks.append({"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 1}})
    events = [json.dumps({"id": "1", "object": "chat.completion.chunk", "model": "m", **chunk}) for chunk in chunks]
    body = "".join(f"data: {event}\n\n" for event in [*events, "[DONE]"]).encode()
    head = f"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


class Server(asyncio.Protocol):
    """One connection; requests with a system message are the root's, and their question says how to call."""

    def __init__(self) -> None:
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, gap, body = self._received.partition(b"\r\n\r\n")
        length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
        if gap and len(body) >= int(length or 0):
            self._received = b""
            self._answer(head, body)

    def _answer(self, head: bytes, body: bytes) -> None:
        if head.startswith(b"GET"):
            self._transport.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
        elif b'"system"' in body:
            self._transport.write(stream(CELL % (LOOP if b"in a loop" in body else BATCH)))
        else:
            asyncio.get_running_loop().call_later(LATENCY, self._transport.write, stream("ok"))


def serve(pipe: Connection) -> None:
    """Serve until the process is ended; send the port first."""

    async def main() -> None:
        server = await asyncio.get_running_loop().create_server(Server, "127.0.0.1", 0, backlog=1024)
        pipe.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(main())


@contextmanager
def server() -> Iterator[str]:
    """Start the server; the value is its base URL."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=serve, args=[theirs], daemon=True)
    process.start()
    try:
        yield f"http://127.0.0.1:{ours.recv()}/v1"
    finally:
        process.kill()
        process.join()


# ----- what is measured --------------------------------------------------------------------------------------


async def through_models(url: str, count: int, cap: int) -> list[Measured]:
    """Make all calls at once, on connections that are open."""
    settings = resolve({"max_concurrency": cap}, {})
    models = Models(settings, Endpoint(url, "m", "m", None), redactor=Redactor({}), environ={})

    async def call(number: int) -> None:
        done = await models.complete([Message(role="user", content=f"number {number}")], "m")
        assert done.text == "ok"

    measured = []
    await asyncio.gather(*map(call, range(cap)))
    for _ in range(TIMES):
        began, cpu = time.perf_counter(), time.process_time()
        await asyncio.gather(*map(call, range(count)))
        measured.append((time.perf_counter() - began, time.process_time() - cpu))
    await models.close()
    return measured


def from_a_cell(url: str, count: int, cap: int, way: str) -> Measured:
    """Make the calls from a cell of a run; the time is the cell's own."""
    cpu = time.process_time()
    run = solve(
        f"Call {way}.", context=str(count), namespace={}, base_url=url, model="m", max_concurrency=cap, **LIMITS
    )
    assert run.answer, run
    return float(run.answer), time.process_time() - cpu


def row(what: str, count: int, cap: int, ideal: float, measured: list[Measured]) -> None:
    wall, cpu = min(m[0] for m in measured), min(m[1] for m in measured)
    print(f"| {what} | {count:,} | {cap} | {ideal:.2f} | {wall:.2f} | {wall / ideal:.2f} | {1000 * cpu / count:.2f} |")


def main() -> None:
    """Measure all and print the table."""
    print("| calls made | calls | in flight | ideal, s | wall, s | wall / ideal | CPU per call, ms |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    with server() as url:
        for count in COUNTS:
            for cap in CAPS:
                ideal = LATENCY * -(-count // cap)
                row("at once, through `Models`", count, cap, ideal, asyncio.run(through_models(url, count, cap)))
                batch = [from_a_cell(url, count, cap, "in a batch") for _ in range(TIMES)]
                row("in a batch, from a cell", count, cap, ideal, batch)
        for count in COUNTS:
            row("in a loop, from a cell", count, 1, LATENCY * count, [from_a_cell(url, count, 16, "in a loop")])


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch, chdir(scratch):
        main()
