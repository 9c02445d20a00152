"""What a node may say, as values and errors of our own: blocks, receipts, answers, reverts and refusals."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, NewType

from eth_utils.address import to_checksum_address

from adapters.evm.abi import decode_result
from adapters.evm.contract import Query
from adapters.evm.reverts import reason_of
from adapters.evm.rpc import Reply, ReplyMalformed, quantity, understood
from engine.errors import OrderRejected, OutcomeUnknown, VenueUnavailable
from engine.ports import Receipt

BlockHash = NewType("BlockHash", str)
"""One block and no other: a read at it fails once the block has left the chain (EIP-1898)."""

BlockTag = int | BlockHash | Literal["latest", "finalized", "safe", "pending", "earliest"]

BLOCK_BITS = 63
"""Of a block's number and of its gas: what every store of ours holds."""

_LAST_SECOND = int(datetime.max.replace(tzinfo=UTC).timestamp())
_LOG_PARTS = frozenset({"address", "topics", "data"})
_MAY_BE_IN = ("nonce too low", "already known", "already imported", "known transaction", "nonce is too low")
_REFUSED = (
    "insufficient funds",
    "intrinsic gas",
    "gas limit",
    "underpriced",
    "fee cap",
    "max fee",
    "less than block base fee",
    "invalid sender",
    "invalid signature",
    "chain id",
    "chainid",
    "revert",
    "exceeds",
    "failed to decode",
    "rlp",
    "gas too",
    "nonce too high",
    "initcode",
    "unsupported",
    "does not have enough",
    "balance",
)


class Reverted(OrderRejected):
    """
    A contract refused.

    `reason` is its text, e.g. ``GS020``, or a custom error with its arguments, e.g.
    ``TotalCostOutsideOfSpecifiedBounds(marketAddress=0x..., totalCost=5, ...)``; `data` are the
    bytes it came as.
    """

    def __init__(self, reason: str, data: bytes = b"") -> None:
        self.reason, self.data = reason, data
        super().__init__(
            "the contract refused the call",
            why=reason,
            todo="correct the call; the same call at the same state is refused again",
        )


@dataclass(frozen=True, slots=True)
class Block:
    """A block's head; `timestamp` in seconds since 1970, `at` the same as an aware instant."""

    number: int
    hash: str
    timestamp: int
    base_fee_wei: int
    gas_limit: int

    @property
    def pinned(self) -> BlockHash:
        """This block and no other, to read at."""
        return BlockHash(self.hash)

    @property
    def at(self) -> datetime:
        """When the block says it was made."""
        return datetime.fromtimestamp(self.timestamp, UTC)


@dataclass(frozen=True, slots=True)
class Heads:
    """Where a chain is, asked in one round trip: latest block, number of the latest final one, price of gas."""

    latest: Block
    final: int
    gas_price_wei: int


@dataclass(frozen=True, slots=True)
class SenderState:
    """
    What a sender must know before it sends: counts mined and pending, wei held, the latest block.

    `estimate` is the gas its call would take, or why it would revert; None where it was not asked.
    """

    nonce: int
    pending: int
    balance: int
    head: Block
    estimate: "int | Reverted | None"


def block_in(found: Any, tag: str) -> Block:
    """A block as a node tells it. Raises `VenueUnavailable` where it has none."""
    if found is None:
        raise VenueUnavailable(
            f"block {tag} not found", why="the node does not have it", todo="wait for it to be mined"
        )
    with understood("eth_getBlockByNumber"):
        return Block(
            quantity(found["number"], bits=BLOCK_BITS),
            found["hash"],
            _seconds(found["timestamp"]),
            quantity(found.get("baseFeePerGas") or "0x0"),
            quantity(found["gasLimit"], bits=BLOCK_BITS),
        )


def receipt_in(found: dict[str, Any], block: Block, *, final: bool) -> Receipt:
    """A receipt as a node tells it, in a block already read."""
    return Receipt(
        transaction_hash=found["transactionHash"],
        block=block.number,
        block_hash=block.hash,
        at=block.at,
        status=quantity(found["status"], bits=1),
        gas_used=quantity(found["gasUsed"], bits=BLOCK_BITS),
        gas_price_wei=quantity(found["effectiveGasPrice"]),
        sender=to_checksum_address(found["from"]),
        to=to_checksum_address(found["to"] or found["contractAddress"]),
        logs=tuple(logs_in(found["logs"])),
        final=final,
    )


def logs_in(found: Any) -> list[dict[str, Any]]:
    """Raw logs, if that is what was answered."""
    whole = isinstance(found, list) and all(isinstance(log, dict) and log.keys() >= _LOG_PARTS for log in found)
    if not whole or not all(isinstance(log["topics"], list) for log in found):
        raise ReplyMalformed("it holds logs that are none")
    return list(found)


def decoded(query: Query, answer: bytes | Reverted | None) -> Any:
    """What a read returned, decoded; a revert stays as it is."""
    return answer if isinstance(answer, Reverted) else decode_result(query.entry, answer or b"")


def answer_in(reply: Reply) -> bytes | Reverted:
    """The bytes of one call's reply, or its revert."""
    try:
        found = result_in(reply)
    except Reverted as reverted:
        return reverted
    with understood("eth_call"):
        return octets(found)


def gas_in(reply: Reply) -> int | Reverted:
    """An estimate of gas, or the revert it met."""
    try:
        found = result_in(reply)
    except Reverted as reverted:
        return reverted
    with understood("eth_estimateGas"):
        return quantity(found, bits=BLOCK_BITS)


def result_in(reply: Reply) -> Any:
    """The `result` of a reply; an `error` is raised as one of ours."""
    if "error" not in reply:
        return reply["result"]
    error = reply["error"]
    text = str(error.get("message", ""))
    with understood("the refusal"):
        data = _revert_data(error)
    if data or "revert" in text.lower():
        raise Reverted(reason_of(data) if data else _plain_reason(text), data)
    raise VenueUnavailable("the node refused the request", why=text or repr(error), todo="check the request")


def send_error(error: dict[str, Any], transaction_hash: str) -> OrderRejected | OutcomeUnknown:
    """What a refused send means: a revert, a refusal, or that it may be in."""
    text = str(error.get("message", ""))
    words = text.lower()
    try:
        data = _revert_data(error)
    except ValueError as broken:
        return _maybe_in(transaction_hash, f"{text} ({broken})")
    if data:
        return Reverted(reason_of(data), data)
    if not any(part in words for part in _MAY_BE_IN) and any(part in words for part in _REFUSED):
        return OrderRejected("the node refused the transaction", why=text, todo="correct it before another try")
    return _maybe_in(transaction_hash, text)


def _maybe_in(transaction_hash: str, why: str) -> OutcomeUnknown:
    return OutcomeUnknown(
        f"transaction {transaction_hash} may be in", why=why, todo="look its hash up before anything else"
    )


def _seconds(text: object) -> int:
    """An instant that a calendar has. Raises `ValueError` for a later one."""
    seconds = quantity(text, bits=BLOCK_BITS)
    if seconds > _LAST_SECOND:
        raise ValueError(f"{seconds} s since 1970 is no instant")
    return seconds


def _revert_data(error: dict[str, Any]) -> bytes:
    data = error.get("data")
    if isinstance(data, dict):
        data = data.get("data")
    return octets(data) if isinstance(data, str) and data.startswith("0x") else b""


def _plain_reason(text: str) -> str:
    _, found, reason = text.partition("revert")
    return reason.removeprefix("ed").lstrip(": ") or "no reason given" if found else text


def call_terms(to: str, data: bytes, sender: str | None = None, value: int = 0) -> dict[str, str]:
    """A call as JSON-RPC writes it."""
    call = {"to": to, "data": "0x" + data.hex(), "value": hex(value)}
    return call if sender is None else {**call, "from": sender}


def is_hash(tag: BlockTag) -> bool:
    """Whether a tag names one block by its hash."""
    return isinstance(tag, str) and tag.startswith("0x")


def tag_terms(tag: BlockTag) -> object:
    """A tag as JSON-RPC writes it."""
    if is_hash(tag):
        return {"blockHash": tag, "requireCanonical": True}
    return hex(tag) if isinstance(tag, int) else tag


def octets(text: str) -> bytes:
    """The bytes of hex; an odd digit in front is half a byte."""
    text = text.removeprefix("0x")
    return bytes.fromhex(text if len(text) % 2 == 0 else "0" + text)
