"""
What is asked of a node and how it may fail: requests, replies, limits, and the port that every node fills.

Whoever answers (`HttpNode`, a quorum of them, a chain in this process) is a `Node`.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from engine.errors import VenueUnavailable

_QUANTITY = re.compile(r"(?:0x)?[0-9a-fA-F]{1,64}")

BROADCASTS = frozenset({"eth_sendRawTransaction", "eth_sendTransaction"})
"""Methods that broadcast."""


Request = tuple[str, Sequence[object]]
Reply = dict[str, Any]
"""One JSON-RPC reply object: it holds `result` or `error`."""


class RateLimited(VenueUnavailable):
    """The endpoint asks for fewer requests; `retry_after` in seconds, None where it does not say."""

    def __init__(self, why: str, retry_after: float | None = None) -> None:
        self.retry_after = retry_after
        wait = f"wait {retry_after:g} s" if retry_after is not None else "wait"
        super().__init__("the node asks for fewer requests", why=why, todo=f"{wait}, or use another endpoint")


class ReplyTooLarge(VenueUnavailable):
    """The reply is larger than the bound; what is beyond it is never read."""

    def __init__(self, bound: int) -> None:
        super().__init__("the node's reply is too large", why=f"more than {bound:,} bytes", todo="ask for less at once")


class ReplyTooSlow(VenueUnavailable):
    """The whole reply did not come within its time, however steadily it dripped."""

    def __init__(self, seconds: float) -> None:
        super().__init__(
            "the node's reply is too slow", why=f"not whole after {seconds:g} s", todo="use another endpoint"
        )


class ReplyMalformed(VenueUnavailable):
    """The reply is not what the method answers."""

    def __init__(self, why: str) -> None:
        super().__init__("the node's reply is not readable", why=why, todo="check the RPC endpoint and try again")


@contextmanager
def understood(method: str) -> Iterator[None]:
    """Turns whatever goes wrong in reading a reply of `method` into `ReplyMalformed`."""
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError) as error:
        raise ReplyMalformed(f"{method} answered something else ({type(error).__name__}: {error})") from error


def quantity(text: object, *, bits: int = 256) -> int:
    """
    The number behind a JSON-RPC quantity. Raises `ValueError` for anything but hex of at most so many bits.

    >>> quantity("0x10", bits=64)
    16
    """
    if not isinstance(text, str) or not _QUANTITY.fullmatch(text) or int(text, 16) >> bits:
        raise ValueError(f"{str(text)[:80]!r} is no number of {bits} bits")
    return int(text, 16)


@dataclass(frozen=True, slots=True)
class Limits:
    """
    What one endpoint takes and gives at most.

    Parameters
    ----------
    requests_per_batch, request_bytes : a longer batch travels in several, side by side
    connections : how many side by side
    reply_bytes, seconds : of one reply, and for one whole exchange
    multicall : whether `eth_call` takes a state override, and so many reads in one call
    calls_per_multicall : reads in one such call
    """

    requests_per_batch: int = 100
    request_bytes: int = 1_000_000
    connections: int = 4
    reply_bytes: int = 64 * 1024 * 1024
    seconds: float = 30.0
    multicall: bool = True
    calls_per_multicall: int = 200


class Node(Protocol):
    """
    Something that answers JSON-RPC.

    `finality_depth` is how many blocks on top make a block final; None when only the node's own
    `finalized` tag can say. `takes_overrides` is whether it runs calls on a state as if it were another,
    and traces them: what rehearsals need.
    """

    name: str
    can_fork: bool
    takes_overrides: bool
    finality_depth: int | None

    def ask(self, method: str, params: Sequence[object]) -> Reply:
        """The whole reply to one request. Raises `VenueUnavailable` or `OutcomeUnknown`."""

    def ask_many(self, requests: Sequence[Request]) -> list[Reply]:
        """Replies to several reads, in the order asked. Raises `VenueUnavailable`."""

    def close(self) -> None:
        """Let go of the node; stops it when it is ours. May be called twice."""
