"""
Many reads in one: what a decision needs from a chain as one value, asked at one block in one round trip.

A read that is not yet made is a `Query`; `Reads` are several of them with what their answers make, so
that whole venues can be read together. They travel as one `eth_call` to a program that is only there for
that call (a state override puts it there), or as a JSON-RPC batch where the endpoint takes no overrides.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from adapters.evm.contract import Query
from engine.errors import VenueUnavailable

if TYPE_CHECKING:
    from adapters.evm.chain import BlockTag, Chain

T = TypeVar("T")
WORD = 32
_ROUNDS = 3
READER = "0x00000000000000000000000000000000fEEdBead"
"""Where the program stands during a call; nobody holds this address."""

# Call data is a row of calls: one word of length * 2**160 + target, then that many bytes. What comes back
# is a row of answers: one word of length * 2 + success, then that many bytes. Every call is a STATICCALL.
PROGRAM = bytes.fromhex(
    "60006000"  # from the first byte of the call data, to the first byte of memory
    "5b36821015604857"  # next: while call data is left
    "81358060a01c"  # its word, and the length in it
    "80846020018460200137"  # the call's bytes into memory, behind the answer's word
    "600060008285602001855afa"  # make it
    "3d60011b178352"  # length * 2 + success
    "3d6000846020013e"  # the answer's bytes behind that
    "9050820160200191503d01602001"  # both places move on
    "6004565b6000f3"
)


@dataclass(frozen=True, slots=True)
class Reads(Generic[T]):
    """
    Queries, and what their answers make.

    `make` gets the answers in order; it may raise `Moved`, or `MarketDataError` for answers that
    cannot support a decision. A read that reverts is raised as `Reverted`, unless `reverts_tell`: then it
    is an answer like any other.
    """

    queries: tuple[Query, ...]
    make: Callable[[Sequence[Any]], T]
    reverts_tell: bool = False

    def at(self, chain: "Chain", block: "BlockTag" = "latest") -> T:
        """What the answers at one block make. Raises `Reverted` or `VenueUnavailable`."""
        return self.of(chain.answers(self.queries, block=block))

    def of(self, answers: Sequence[Any]) -> T:
        """What these answers make. Raises `Reverted` for the first that reverted."""
        return self.make(answers if self.reverts_tell else told(answers))


class Moved(VenueUnavailable):
    """An address that was known has moved; whoever raises it has learnt the new one, so asking again helps."""

    def __init__(self, what: str) -> None:
        super().__init__(f"{what} moved", why="it is not where it was when last read", todo="read again")


def told(answers: Sequence[Any]) -> Sequence[Any]:
    """The answers, once none of them reverted. Raises the first `Reverted` among them."""
    for answer in answers:
        if isinstance(answer, Exception):
            raise answer
    return answers


def together(reads: Mapping[str, Reads[Any]]) -> Reads[dict[str, Any]]:
    """
    Several reads as one, what each makes under its name.

    >>> numbers = Reads((), lambda answers: len(answers))
    >>> together({"a": numbers, "b": numbers}).make([])
    {'a': 0, 'b': 0}
    """

    def make(answers: Sequence[Any]) -> dict[str, Any]:
        found, at, moved = {}, 0, []
        for name, part in reads.items():
            try:
                found[name] = part.of(answers[at : at + len(part.queries)])
            except Moved as elsewhere:
                moved.append(elsewhere)
            at += len(part.queries)
        if moved:  # raised once all have learnt where things are
            raise moved[0]
        return found

    return Reads(tuple(query for part in reads.values() for query in part.queries), make, reverts_tell=True)


def steady(read: Callable[[], T]) -> T:
    """What `read` gives, asked again where an address moved: it knows the new one then. Raises `Moved` in the end."""
    for _ in range(_ROUNDS):
        try:
            return read()
        except Moved:
            continue
    return read()


def packed(queries: Sequence[Query]) -> bytes:
    """Call data for the program."""
    return b"".join((len(q.data) << 160 | int(q.to, 16)).to_bytes(WORD) + q.data for q in queries)


def unpacked(returned: bytes, count: int) -> list[tuple[bool, bytes]]:
    """
    Success and bytes of each of `count` calls. Raises `ValueError` for anything but the program's answer.

    >>> unpacked((2 * 1 + 1).to_bytes(32) + b"x" + (0).to_bytes(32), 2)
    [(True, b'x'), (False, b'')]
    """
    found, at = [], 0
    for _ in range(count):
        word = int.from_bytes(returned[at : at + WORD])
        start, at = at + WORD, at + WORD + (word >> 1)
        if at > len(returned):
            raise ValueError("the answer is too short")
        found.append((bool(word & 1), returned[start:at]))
    if at != len(returned):
        raise ValueError("the answer is too long")
    return found
