"""
JSON-RPC as bytes: kept connections for reads, a fresh one for every send, bounds on time and memory.

No request that broadcasts is ever repeated here. A read whose kept connection had gone stale is
repeated once, on a new connection; anything else that fails is told as it is:

- `VenueUnavailable`: nothing reached the node, or a read got no usable answer; safe to try again.
  Its kinds in `adapters.evm.rpc` say which (faults F58)
- `OutcomeUnknown`: a send left this machine and no usable answer came back
"""

import http.client
import io
import json
import re
import socket
import time
from base64 import b64encode
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from threading import Lock
from typing import Any
from urllib.parse import unquote, urlsplit

from adapters.evm.rpc import (
    BROADCASTS,
    Limits,
    RateLimited,
    Reply,
    ReplyMalformed,
    ReplyTooLarge,
    ReplyTooSlow,
    Request,
    understood,
)
from engine.errors import ConfigError, OutcomeUnknown, VenueUnavailable

_LIMIT_CODES = frozenset({429, -32005, -32097})
_PRINTABLE = re.compile(r"[!-~]+")
_TOO_MANY = http.HTTPStatus.TOO_MANY_REQUESTS


class HttpNode:
    """
    A node behind an `http(s)://` URL.

    Parameters
    ----------
    url : where it listens; credentials in it are never shown
    timeout : seconds for one exchange, in place of `limits.seconds`
    finality_depth : see `Node`
    limits : what the endpoint takes and gives
    """

    name = "http"
    can_fork, takes_overrides = False, True

    def __init__(
        self,
        url: str,
        *,
        timeout: float | None = None,
        finality_depth: int | None = None,
        limits: Limits | None = None,
    ) -> None:
        self._secure, self._host, self._port, self._path, self._headers = _place(url)
        limits = limits or Limits()
        self.limits = limits if timeout is None else replace(limits, seconds=timeout)
        self.url, self.finality_depth = url, finality_depth
        self._idle: list[http.client.HTTPConnection] = []
        self._serial = 0
        self._lock = Lock()

    def ask(self, method: str, params: Sequence[object]) -> Reply:
        """The whole reply to one request. Raises `VenueUnavailable` or `OutcomeUnknown`."""
        body = self._body(method, params)
        if method in BROADCASTS:
            return self._send(body)
        return _reply(self._read(json.dumps(body).encode()), body["id"])

    def ask_many(self, requests: Sequence[Request]) -> list[Reply]:
        """Replies to several reads, in the order asked; as few HTTP requests as the limits allow, side by side."""
        if any(method in BROADCASTS for method, _ in requests):
            raise ValueError("sends travel one by one")
        batches = list(self._batches([self._body(method, params) for method, params in requests]))
        if len(batches) <= 1:
            return [reply for batch in batches for reply in self._answered(batch)]
        with ThreadPoolExecutor(min(self.limits.connections, len(batches))) as side_by_side:
            return [reply for replies in side_by_side.map(self._answered, batches) for reply in replies]

    def close(self) -> None:
        """Close the kept connections."""
        with self._lock:
            while self._idle:
                self._idle.pop().close()

    def _body(self, method: str, params: Sequence[object]) -> dict[str, Any]:
        with self._lock:
            self._serial += 1
            return {"jsonrpc": "2.0", "id": self._serial, "method": method, "params": list(params)}

    def _batches(self, bodies: Sequence[dict[str, Any]]) -> Iterator[list[tuple[int, str]]]:
        batch: list[tuple[int, str]] = []
        length = 0
        for body in bodies:
            text = json.dumps(body)
            full = len(batch) >= self.limits.requests_per_batch or length + len(text) > self.limits.request_bytes
            if batch and full:
                yield batch
                batch, length = [], 0
            batch.append((body["id"], text))
            length += len(text)
        if batch:
            yield batch

    def _answered(self, batch: Sequence[tuple[int, str]]) -> list[Reply]:
        answer = self._read(f"[{','.join(text for _, text in batch)}]".encode())
        if isinstance(answer, dict) and "error" in answer:
            raise _batch_refused(answer["error"])
        if not isinstance(answer, list) or not all(isinstance(reply, dict) for reply in answer):
            raise ReplyMalformed("the batch was not answered as a batch")
        with understood("a batch"):
            by_id: dict[object, Reply] = {reply.get("id"): reply for reply in answer}
        if len(answer) != len(batch) or by_id.keys() != {serial for serial, _ in batch}:
            raise ReplyMalformed("the batch was answered in part")
        return [_reply(by_id[serial], serial) for serial, _ in batch]

    def _connect(self) -> http.client.HTTPConnection:
        kind = http.client.HTTPSConnection if self._secure else http.client.HTTPConnection
        connection = kind(self._host, self._port, timeout=self.limits.seconds)
        try:
            connection.connect()
        except OSError as error:
            raise _unavailable(f"no connection to {self._host}: {error}") from error
        return connection

    def _read(self, payload: bytes) -> object:
        for last in (False, True):
            with self._lock:
                kept = self._idle.pop() if self._idle else None
            connection = kept or self._connect()
            try:
                answer = self._exchange(connection, payload)
            except (http.client.HTTPException, OSError, ValueError, VenueUnavailable) as error:
                connection.close()
                stale = isinstance(error, ConnectionError | http.client.RemoteDisconnected) and kept is not None
                if last or not stale:
                    raise self._failure(error) from error
            else:
                with self._lock:
                    self._idle.append(connection)
                return answer
        raise AssertionError("unreachable")

    def _send(self, body: dict[str, Any]) -> Reply:
        connection = self._connect()
        try:
            return _reply(self._exchange(connection, json.dumps(body).encode()), body["id"])
        except (http.client.HTTPException, OSError, ValueError, VenueUnavailable) as error:
            raise OutcomeUnknown(
                "the transaction may have been broadcast",
                why=self._failure(error).why,
                todo="look its hash up before anything else",
            ) from error
        finally:
            connection.close()

    def _failure(self, error: Exception) -> VenueUnavailable:
        if isinstance(error, VenueUnavailable):
            return error
        if isinstance(error, TimeoutError):
            return ReplyTooSlow(self.limits.seconds)
        return _unavailable(str(error) or type(error).__name__)

    def _exchange(self, connection: http.client.HTTPConnection, payload: bytes) -> object:
        until, bound = time.monotonic() + self.limits.seconds, self.limits.reply_bytes
        if connection.sock is not None:
            connection.sock.settimeout(self.limits.seconds)
        connection.response_class = partial(_TimedResponse, until=until)  # type: ignore[assignment]
        connection.request("POST", self._path, payload, self._headers)
        with connection.getresponse() as response:
            if response.status == _TOO_MANY:
                raise RateLimited("HTTP 429", _seconds(response.getheader("Retry-After")))
            if response.length is not None and response.length > bound:
                raise ReplyTooLarge(bound)
            text = response.read(bound + 1)
        if len(text) > bound:
            raise ReplyTooLarge(bound)
        if response.status != http.HTTPStatus.OK and not text.lstrip().startswith((b"{", b"[")):
            raise _unavailable(f"HTTP {response.status}")
        try:
            return json.loads(text)
        except (ValueError, RecursionError) as error:
            raise ReplyMalformed(f"it is not JSON ({error})") from error


class _Timed(io.RawIOBase):
    """A socket read against one deadline, so that a drip of bytes cannot stretch it."""

    def __init__(self, sock: socket.socket, until: float, held: io.BufferedIOBase) -> None:
        self._sock, self._until, self._held = sock, until, held  # what is held keeps the socket open

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        left = self._until - time.monotonic()
        if left <= 0:
            raise TimeoutError("deadline")
        self._sock.settimeout(left)
        return self._sock.recv_into(buffer)

    def close(self) -> None:
        self._held.close()
        super().close()


class _TimedResponse(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *arguments: Any, until: float, **named: Any) -> None:
        super().__init__(sock, *arguments, **named)
        self.fp = io.BufferedReader(_Timed(sock, until, self.fp))


def _place(url: str) -> tuple[bool, str, int | None, str, dict[str, str]]:
    """Whether secure, host, port, path and headers of an address; a name and password in it become a header."""
    try:
        parts = urlsplit(url)
        port, host = parts.port, parts.hostname
        (host or "").encode("idna")
    except ValueError:  # UnicodeError among them: no name of a host
        port = host = None
    if host is None or parts.scheme not in {"http", "https"} or not _PRINTABLE.fullmatch(url):
        raise ConfigError("RPC address refused", why="it is not an http(s) URL", todo="correct chain.rpc")
    headers = {"Content-Type": "application/json"}
    if parts.username is not None:
        secret = f"{unquote(parts.username)}:{unquote(parts.password or '')}".encode()
        headers["Authorization"] = f"Basic {b64encode(secret).decode()}"
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return parts.scheme == "https", host, port, path, headers


def _reply(answer: object, serial: object) -> Reply:
    if not isinstance(answer, dict) or not ({"result", "error"} & answer.keys()):
        raise ReplyMalformed("it is not JSON-RPC")
    if answer.get("error") is None and "result" in answer:
        answer.pop("error", None)
    elif not isinstance(answer["error"], dict) or not isinstance(answer["error"].get("code", 0), int):
        raise ReplyMalformed("its error is not JSON-RPC")
    elif answer["error"].get("code") in _LIMIT_CODES:
        raise RateLimited(str(answer["error"].get("message", "")))
    if answer.get("id") != serial and not ("error" in answer and answer.get("id") is None):
        raise ReplyMalformed("it answers another request")
    return answer


def _batch_refused(error: object) -> VenueUnavailable:
    words = str(error.get("message", error)) if isinstance(error, dict) else str(error)
    code = error.get("code") if isinstance(error, dict) else None
    if isinstance(code, int) and code in _LIMIT_CODES:
        return RateLimited(words)
    return _unavailable(f"the batch was refused: {words}")


def _seconds(header: str | None) -> float | None:
    return float(header) if header is not None and header.strip().isdigit() else None


def _unavailable(why: str) -> VenueUnavailable:
    return VenueUnavailable("the node gave no answer", why=why, todo="check the RPC endpoint and try again")
