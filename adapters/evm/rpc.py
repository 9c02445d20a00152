"""
JSON-RPC as bytes: one keep-alive connection for reads, a fresh one for every send.

No request that broadcasts is ever repeated here. A read whose kept connection had gone stale is
repeated once, on a new connection; anything else that fails is told as it is:

- `VenueUnavailable`: nothing reached the node, or a read got no usable answer; safe to try again
- `OutcomeUnknown`: a send left this machine and no answer came back
"""

import http.client
import json
from collections.abc import Sequence
from threading import Lock
from typing import Any, Protocol
from urllib.parse import urlsplit

from engine.errors import ConfigError, OutcomeUnknown, VenueUnavailable

BROADCASTS = frozenset({"eth_sendRawTransaction", "eth_sendTransaction"})
"""Methods that broadcast."""

LARGEST_REPLY = 256 * 1024 * 1024

Reply = dict[str, Any]
"""One JSON-RPC reply object: it holds `result` or `error`."""


class Node(Protocol):
    """
    Something that answers JSON-RPC.

    `finality_depth` is how many blocks on top make a block final; None when only the node's own
    `finalized` tag can say.
    """

    name: str
    can_fork: bool
    finality_depth: int | None

    def ask(self, method: str, params: Sequence[object]) -> Reply:
        """The whole reply to one request. Raises `VenueUnavailable` or `OutcomeUnknown`."""

    def ask_many(self, requests: Sequence[tuple[str, Sequence[object]]]) -> list[Reply]:
        """Replies to several reads, in the order asked. Raises `VenueUnavailable`."""

    def close(self) -> None:
        """Let go of the node; stops it when it is ours. May be called twice."""


class HttpNode:
    """
    A node behind an `http(s)://` URL.

    Parameters
    ----------
    url : where it listens; credentials in it are never shown
    timeout : seconds for one request
    finality_depth : see `Node`
    """

    name = "http"
    can_fork = False

    def __init__(self, url: str, *, timeout: float = 30.0, finality_depth: int | None = None) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ConfigError("RPC address refused", why="it is not an http(s) URL", todo="correct chain.rpc_url")
        self.url, self._timeout, self.finality_depth = url, timeout, finality_depth
        self._secure, self._host, self._port = parts.scheme == "https", parts.hostname, parts.port
        self._path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._kept: http.client.HTTPConnection | None = None
        self._serial = 0
        self._lock = Lock()

    def ask(self, method: str, params: Sequence[object]) -> Reply:
        """The whole reply to one request. Raises `VenueUnavailable` or `OutcomeUnknown`."""
        self._serial += 1
        body = _body(self._serial, method, params)
        answer = self._send(body) if method in BROADCASTS else self._read(body)
        if not isinstance(answer, dict) or not ({"result", "error"} & answer.keys()):
            if method in BROADCASTS:
                raise _lost("the reply is not JSON-RPC")
            raise _unavailable("the reply is not JSON-RPC")
        return answer

    def ask_many(self, requests: Sequence[tuple[str, Sequence[object]]]) -> list[Reply]:
        """Replies to several reads, in the order asked, in one HTTP request."""
        if not requests:
            return []
        if any(method in BROADCASTS for method, _ in requests):
            raise ValueError("sends travel one by one")
        bodies = [_body(serial, method, params) for serial, (method, params) in enumerate(requests)]
        answer = self._read(bodies)
        if not isinstance(answer, list) or not all(isinstance(reply, dict) for reply in answer):
            raise _unavailable("the batch was not answered as a batch")
        by_id: dict[object, Reply] = {reply.get("id"): reply for reply in answer}
        if by_id.keys() != set(range(len(requests))):
            raise _unavailable("the batch was answered in part")
        return [by_id[serial] for serial in range(len(requests))]

    def close(self) -> None:
        """Close the kept connection."""
        with self._lock:
            if self._kept is not None:
                self._kept.close()
                self._kept = None

    def _connect(self) -> http.client.HTTPConnection:
        kind = http.client.HTTPSConnection if self._secure else http.client.HTTPConnection
        connection = kind(self._host, self._port, timeout=self._timeout)
        try:
            connection.connect()
        except OSError as error:
            raise _unavailable(f"no connection to {self._host}: {error}") from error
        return connection

    def _read(self, body: object) -> object:
        payload = json.dumps(body).encode()
        with self._lock:
            for last in (False, True):
                fresh = self._kept is None
                connection = self._kept = self._kept or self._connect()
                try:
                    return self._exchange(connection, payload)
                except (http.client.HTTPException, OSError, ValueError) as error:
                    connection.close()
                    self._kept = None
                    stale = isinstance(error, ConnectionError | http.client.RemoteDisconnected) and not fresh
                    if last or not stale:
                        raise _unavailable(_said(error)) from error
        raise AssertionError("unreachable")

    def _send(self, body: object) -> object:
        connection = self._connect()
        try:
            return self._exchange(connection, json.dumps(body).encode())
        except (http.client.HTTPException, OSError, ValueError) as error:
            raise _lost(_said(error)) from error
        finally:
            connection.close()

    def _exchange(self, connection: http.client.HTTPConnection, payload: bytes) -> object:
        connection.request("POST", self._path, payload, {"Content-Type": "application/json"})
        response = connection.getresponse()
        text = response.read(LARGEST_REPLY + 1)
        if len(text) > LARGEST_REPLY:
            raise ValueError("the reply is larger than the bound")
        if response.status != http.HTTPStatus.OK and not text.lstrip().startswith((b"{", b"[")):
            raise ValueError(f"HTTP {response.status}")
        return json.loads(text)


def _body(serial: int, method: str, params: Sequence[object]) -> dict[str, object]:
    return {"jsonrpc": "2.0", "id": serial, "method": method, "params": list(params)}


def _said(error: Exception) -> str:
    return str(error) or type(error).__name__


def _unavailable(why: str) -> VenueUnavailable:
    return VenueUnavailable("the node gave no answer", why=why, todo="check the RPC endpoint and try again")


def _lost(why: str) -> OutcomeUnknown:
    return OutcomeUnknown(
        "the transaction may have been broadcast", why=why, todo="look its hash up before anything else"
    )
