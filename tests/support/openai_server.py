r"""A real HTTP server on loopback that speaks the OpenAI API and replies as a test has scripted.

    with ScriptedModel(root=["```repl\nprint(1)\n```", …], sub=lambda prompt: prompt.upper()) as server:
        solve("…", context=…, base_url=server.base_url, model="scripted")
        assert len(server.root_requests) == 2

A root request is one whose first message is a system message; every other is a sub-call. Replies are streamed to those
who ask for it. A test that cares how gives a `Reply` with its chunks: texts, events to wait for, `CUT`.
"""

from __future__ import annotations

import json
import select
import socket
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import MappingProxyType
from typing import Any, Final, Self

__all__ = ["CUT", "Raw", "Reply", "ScriptedModel"]

CUT: Final = object()
"""As a chunk: the connection breaks here."""

_USAGE: Final = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}


class Raw:
    """A reply below the level of completions: a status and a body as they are, `headers` beside the usual ones."""

    def __init__(
        self,
        status: int,
        body: str,
        content_type: str = "application/json",
        headers: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self.status = status
        self.body = body
        self.content_type = content_type
        self.headers = headers

    @classmethod
    def error(cls, status: int, message: str, **more: object) -> Raw:
        """Return an error as OpenAI-compatible servers send it."""
        return cls(status, json.dumps({"error": {"message": message, "type": "error", "code": None, **more}}))


@dataclass(frozen=True)
class Reply:
    """A completion in detail.

    Attributes:
        text: the content.
        reasoning: sent before the text, as `reasoning_content`.
        finish_reason: `None` for none.
        usage: token counts, 10 in and 5 out unless given; `None` for a server that does not count.
        chunks: streamed one by one in place of reasoning and text: a text is content, a dict a delta, an event is
            waited for, `CUT` breaks the connection.
        plain: answer with one JSON body even where a stream is asked for.

    """

    text: str = ""
    reasoning: str = ""
    finish_reason: str | None = "stop"
    usage: Mapping[str, Any] | None = field(default_factory=lambda: _USAGE)
    chunks: Iterable[Any] | None = None
    plain: bool = False


Answer = str | Raw | Reply


class ScriptedModel:
    """The server; use it as a context manager.

    Args:
        root: replies to the root model's turns, in order; the last one is repeated.
        sub: the reply to a sub-call's prompt.
        respond: the reply to any request, given its body; in place of `root` and `sub`.
        pages: what GET requests find, by path, such as `/props` or `/v1/models`; all else is 404.
        routes: what POST requests get in place of a reply, by path, such as a 404 at `/v1/chat/completions`.

    Attributes:
        requests: bodies of all chat requests so far, with their headers under `"headers"`.
        visited: paths of all GET requests so far.
        posted: paths, with their queries, of all POST requests so far.
        arrived: released once for every chat request that has come in.
        held: while cleared, requests wait here before they are answered.
        disconnected: set once a client has hung up before its reply was complete.

    """

    def __init__(
        self,
        root: Sequence[Answer] = (),
        sub: Callable[[str], Answer] = lambda prompt: prompt,
        *,
        respond: Callable[[dict[str, Any]], Answer] | None = None,
        pages: Mapping[str, Any] | None = None,
        routes: Mapping[str, Raw] | None = None,
    ) -> None:
        self._root = list(root)
        self._sub = sub
        self._respond = respond
        self._pages = pages or {}
        self._routes = routes or {}
        self._turn = 0
        self._lock = threading.Lock()
        self.requests: list[dict[str, Any]] = []
        self.visited: list[str] = []
        self.posted: list[str] = []
        self.arrived = threading.Semaphore(0)
        self.held = threading.Event()
        self.held.set()
        self.disconnected = threading.Event()
        self._passes = threading.Semaphore(0)
        self._closing = threading.Event()
        self._server = _Server(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, args=[0.01], daemon=True)

    @property
    def base_url(self) -> str:
        """Root of the API."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    @property
    def root_requests(self) -> list[dict[str, Any]]:
        """Requests of the root model."""
        return [r for r in self.requests if _opening(r)[0] == "system"]

    @property
    def sub_prompts(self) -> list[str]:
        """Prompts of all sub-calls."""
        return [_opening(r)[1] for r in self.requests if _opening(r)[0] != "system"]

    def hold(self) -> None:
        """Let requests come in and answer none until `held` is set again."""
        self.held.clear()

    def let_through(self) -> None:
        """While requests are held, answer just one."""
        self._passes.release()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.held.set()
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def wait_for_turn(self) -> None:
        """Wait, at most a minute, until requests are no longer held or one is let through."""
        for _ in range(3000):
            if self.held.is_set() or self._passes.acquire(timeout=0.02):
                return

    def reply_to(self, body: dict[str, Any]) -> Answer:
        """Return what the script says to one request."""
        if self._respond is not None:
            return self._respond(body)
        role, content = _opening(body)
        if role != "system":
            return self._sub(content)
        with self._lock:
            reply = self._root[min(self._turn, len(self._root) - 1)]
            self._turn += 1
        return reply

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        model = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True  # else each small write waits 40 ms for the client to acknowledge the last

            def do_GET(self) -> None:
                model.visited.append(self.path)
                page = model._pages.get(self.path, Raw.error(404, "File Not Found"))
                self._send(page if isinstance(page, Raw) else Raw(200, json.dumps(page)))

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                model.requests.append({**body, "headers": dict(self.headers)})
                model.posted.append(self.path)
                model.arrived.release()
                model.wait_for_turn()
                answer = model._routes.get(self.path) or model.reply_to(body)
                if isinstance(answer, Raw):
                    self._send(answer)
                    return
                reply = answer if isinstance(answer, Reply) else Reply(answer)
                if body.get("stream") and not reply.plain:
                    self._stream(reply, body)
                else:
                    self._send(Raw(200, json.dumps(completion(reply, body["model"], plain="prompt" in body))))

            def _send(self, reply: Raw) -> None:
                data = reply.body.encode()
                try:
                    self.send_response(reply.status)
                    self.send_header("Content-Type", reply.content_type)
                    self.send_header("Content-Length", str(len(data)))
                    for name, value in reply.headers.items():
                        self.send_header(name, value)
                    self.end_headers()
                    self.wfile.write(data)
                except (BrokenPipeError, ConnectionResetError):
                    self._hung_up()

            def _stream(self, reply: Reply, body: dict[str, Any]) -> None:
                try:
                    self.send_response(200)
                    self.send_header("Content-Type", "text/event-stream")
                    self.send_header("Transfer-Encoding", "chunked")
                    self.end_headers()
                    if self._pieces(reply, body):
                        self._write(*_ending(reply, body), "[DONE]")
                        self.wfile.write(b"0\r\n\r\n")
                except (BrokenPipeError, ConnectionResetError):
                    self._hung_up()

            def _pieces(self, reply: Reply, body: dict[str, Any]) -> bool:
                """Send what is said; false if the stream is not to be completed."""
                whole = [{"reasoning_content": reply.reasoning}] * bool(reply.reasoning) + [reply.text]
                for piece in whole if reply.chunks is None else reply.chunks:
                    if piece is CUT or (isinstance(piece, threading.Event) and not self._wait(piece)):
                        self.close_connection = True
                        return False
                    if not isinstance(piece, threading.Event):
                        delta = {"content": piece} if isinstance(piece, str) else piece
                        said = {"text": delta["content"]} if "prompt" in body else {"delta": delta}
                        self._write(_chunk(body["model"], {"index": 0, **said, "finish_reason": None}))
                return True

            def _write(self, *events: str) -> None:
                data = "".join(f"data: {event}\n\n" for event in events).encode()
                self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))

            def _wait(self, event: threading.Event) -> bool:
                """Wait for the event; false if the client hangs up first, or the test is over."""
                while not event.wait(0.01):
                    if self._is_gone():
                        self._hung_up()
                        return False
                    if model._closing.is_set():
                        return False
                return True

            def _is_gone(self) -> bool:
                try:
                    ready, _, _ = select.select([self.connection], [], [], 0)
                    return bool(ready) and not self.connection.recv(1, socket.MSG_PEEK)
                except ConnectionResetError:
                    return True

            def _hung_up(self) -> None:
                self.close_connection = True
                model.disconnected.set()

            def log_message(self, *_: object) -> None:
                """Stay silent."""

        return Handler


class _Server(ThreadingHTTPServer):
    request_queue_size = 128


def _opening(body: dict[str, Any]) -> tuple[str, str]:
    """Return the role and the content of a request's first message; a plain completion has both in its prompt."""
    if "prompt" in body:
        role, _, rest = body["prompt"].partition(": ")
        return role.lower(), rest.removesuffix("\n\nAssistant:")
    return body["messages"][0]["role"], body["messages"][0]["content"]


def completion(reply: Reply, model: str, *, plain: bool = False) -> dict[str, Any]:
    """Return a chat completion, or a plain one, as the API sends it."""
    message = {"role": "assistant", "content": reply.text}
    if reply.reasoning:
        message["reasoning_content"] = reply.reasoning
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 0,
        "model": model,
        "choices": [
            {
                "index": 0,
                **({"text": reply.text} if plain else {"message": message}),
                "finish_reason": reply.finish_reason,
            }
        ],
        **({"usage": reply.usage} if reply.usage is not None else {}),
    }


def _ending(reply: Reply, body: dict[str, Any]) -> Iterator[str]:
    """Yield the last chunks of a stream: why it ends, and what it took, for those who asked."""
    if reply.finish_reason is not None:
        yield _chunk(body["model"], {"index": 0, "delta": {}, "finish_reason": reply.finish_reason})
    if reply.usage is not None and (body.get("stream_options") or {}).get("include_usage"):
        yield _chunk(body["model"], usage=reply.usage)


def _chunk(model: str, *choices: dict[str, Any], **more: Any) -> str:
    base = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 0, "model": model}
    return json.dumps({**base, "choices": choices, **more})
