"""
A loopback door to a node whose address may hold a key: a child process is told the door, never the address.

What a local chain is started with stands in the process list, in its own log and in its answers; with the
door in between the key is in none of them (invariant I11). Reads go through under the node's own bounds on
time and size; what would broadcast is refused, so that nothing done on a fork can reach the original.
"""

import json
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from types import TracebackType
from typing import Any, Self

from adapters.evm.rpc import BROADCASTS, Node, RateLimited, Reply, Request
from engine.errors import VenueUnavailable

_LARGEST_QUESTION = 16 * 1024 * 1024


class Relay:
    """
    Answers on `url` what `node` answers, until it is closed; closes the node too.

    Source
    ------
    JSON-RPC 2.0, sections 4 and 6: a request is an object, a batch an array of them.
    """

    def __init__(self, node: Node) -> None:
        self.node = node
        self._server = _Server(("127.0.0.1", 0), _Answering)
        self._server.node = node
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        """Stop answering; may be called twice."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        self.node.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    node: Node

    def handle_error(self, *_: object) -> None:
        """A child that ends in the middle of an answer is no news."""


class _Answering(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length", "")
        if not length.isdigit() or int(length) > _LARGEST_QUESTION:
            self.close_connection = True
            return self._answer(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, b"")
        try:
            answer = _answer(self.server.node, json.loads(self.rfile.read(int(length))))
        except _Refused:
            return self._answer(HTTPStatus.FORBIDDEN, b"")
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            return self._answer(HTTPStatus.BAD_REQUEST, b"")
        except RateLimited:
            return self._answer(HTTPStatus.TOO_MANY_REQUESTS, b"")
        except VenueUnavailable:
            return self._answer(HTTPStatus.BAD_GATEWAY, b"")
        return self._answer(HTTPStatus.OK, json.dumps(answer).encode())

    def log_message(self, *_: object) -> None:
        """Nothing is logged."""

    def _answer(self, status: HTTPStatus, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class _Refused(Exception):
    """A question that would broadcast."""


def _answer(node: Node, question: Any) -> Reply | list[Reply]:
    """The node's answer under the question's own ids."""
    parts = question if isinstance(question, list) else [question]
    asked: list[Request] = [(part["method"], part.get("params", [])) for part in parts]
    if any(method in BROADCASTS for method, _ in asked):
        raise _Refused
    replies = node.ask_many(asked)
    answers = [{**reply, "jsonrpc": "2.0", "id": part.get("id")} for part, reply in zip(parts, replies, strict=True)]
    return answers if isinstance(question, list) else answers[0]
