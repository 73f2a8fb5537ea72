r"""A real HTTP server on loopback that speaks the OpenAI API and replies as a test has scripted.

    with ScriptedModel(root=["```repl\nprint(1)\n```", …], sub=lambda prompt: prompt.upper()) as server:
        solve("…", context=…, base_url=server.base_url, model="scripted")
        assert len(server.root_requests) == 2

A root request is one whose first message is a system message; every other is a sub-call.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

__all__ = ["Raw", "ScriptedModel"]


class Raw:
    """A reply below the level of completions: a status and a body as they are."""

    def __init__(self, status: int, body: str, content_type: str = "application/json") -> None:
        self.status = status
        self.body = body
        self.content_type = content_type


class ScriptedModel:
    """The server; use it as a context manager.

    Args:
        root: replies to the root model's turns, in order; the last one is repeated.
        sub: the reply to a sub-call's prompt.

    Attributes:
        requests: bodies of all chat requests so far, with their headers under `"headers"`.
        arrived: released once for every chat request that has come in.
        held: while cleared, requests wait here before they are answered.

    """

    def __init__(self, root: Sequence[str | Raw] = (), sub: Callable[[str], str | Raw] = lambda prompt: prompt) -> None:
        self._root = list(root)
        self._sub = sub
        self._turn = 0
        self._lock = threading.Lock()
        self.requests: list[dict[str, Any]] = []
        self.arrived = threading.Semaphore(0)
        self.held = threading.Event()
        self.held.set()
        self._passes = threading.Semaphore(0)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, args=[0.01], daemon=True)

    @property
    def base_url(self) -> str:
        """Root of the API."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    @property
    def root_requests(self) -> list[dict[str, Any]]:
        """Requests of the root model."""
        return [r for r in self.requests if r["messages"][0]["role"] == "system"]

    @property
    def sub_prompts(self) -> list[str]:
        """Prompts of all sub-calls."""
        return [r["messages"][0]["content"] for r in self.requests if r["messages"][0]["role"] != "system"]

    def hold(self) -> None:
        """Let requests come in and answer none until `held` is set again."""
        self.held.clear()

    def let_through(self) -> None:
        """While requests are held, answer just one."""
        self._passes.release()

    def __enter__(self) -> ScriptedModel:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.held.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def wait_for_turn(self) -> None:
        """Wait, at most a minute, until requests are no longer held or one is let through."""
        for _ in range(3000):
            if self.held.is_set() or self._passes.acquire(timeout=0.02):
                return

    def reply_to(self, body: dict[str, Any]) -> str | Raw:
        """Return what the script says to one request."""
        if body["messages"][0]["role"] != "system":
            return self._sub(body["messages"][0]["content"])
        with self._lock:
            reply = self._root[min(self._turn, len(self._root) - 1)]
            self._turn += 1
        return reply

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        model = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                model.requests.append({**body, "headers": dict(self.headers)})
                model.arrived.release()
                model.wait_for_turn()
                reply = model.reply_to(body)
                self._send(reply if isinstance(reply, Raw) else Raw(200, json.dumps(completion(reply, body["model"]))))

            def _send(self, reply: Raw) -> None:
                data = reply.body.encode()
                try:
                    self.send_response(reply.status)
                    self.send_header("Content-Type", reply.content_type)
                    self.send_header("Content-Length", str(len(data)))
                    self.end_headers()
                    self.wfile.write(data)
                except (BrokenPipeError, ConnectionResetError):
                    self.close_connection = True  # the client gave up: an interrupt

            def log_message(self, *_: object) -> None:
                """Stay silent."""

        return Handler


def completion(text: str, model: str) -> dict[str, Any]:
    """Return a chat completion as the API sends it."""
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 0,
        "model": model,
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15},
    }
