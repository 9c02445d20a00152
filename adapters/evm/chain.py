"""
The one seam to a chain: reads, sends, and for a local chain its clock.

Nothing above this module knows which node answers. Everything a node may say is turned here into

- values of our own (`Block`, `engine.ports.Receipt`, bytes, ints), or
- `Reverted` (an `OrderRejected` with the contract's reason in words), `OrderRejected` (the node
  refused the transaction), `OutcomeUnknown` (it may be in), `VenueUnavailable` (no answer), or
  `ChainMismatch`.

>>> from adapters.evm.anvil import start_anvil                                    # doctest: +SKIP
>>> with start_anvil() as chain:                                                  # doctest: +SKIP
...     chain.block().number
0
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Literal, NewType, Self

from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from adapters.evm.batch_reads import PROGRAM, READER, packed, unpacked
from adapters.evm.contract import Query, decode_result
from adapters.evm.reverts import reason_of
from adapters.evm.rpc import HttpNode, Limits, Node, Reply, ReplyMalformed, Request, understood
from engine.errors import ChainMismatch, ConfigError, OrderRejected, OutcomeUnknown, VenueUnavailable
from engine.orders import Address
from engine.ports import Receipt

BlockHash = NewType("BlockHash", str)
"""One block and no other: a read at it fails once the block has left the chain (EIP-1898)."""

BlockTag = int | BlockHash | Literal["latest", "finalized", "safe", "pending", "earliest"]

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


class Chain:
    """
    A chain, read and written through one node.

    Parameters
    ----------
    node : who answers (`HttpNode`, anvil, in process)
    expected_chain_id : refuse any other with `ChainMismatch`

    Notes
    -----
    `warp`, `mine`, `mine_to_final`, `snapshot` and `revert` work on local chains only. Used as a
    context manager the node is closed (and stopped if it is ours) at the end.
    """

    def __init__(self, node: Node, *, expected_chain_id: int | None = None) -> None:
        self.node = node
        self._limits: Limits = getattr(node, "limits", Limits())
        self._multicall = self._limits.multicall
        self.chain_id = self._number("eth_chainId")
        if expected_chain_id is not None and self.chain_id != expected_chain_id:
            node.close()
            raise ChainMismatch(expected=expected_chain_id, found=self.chain_id)

    @property
    def can_fork(self) -> bool:
        """Whether a local chain can be started on top of this one (anvil only)."""
        return self.node.can_fork

    # reads

    def request(self, method: str, *params: object) -> Any:
        """The `result` of a raw JSON-RPC request; an `error` is raised as one of ours."""
        return _result(self.node.ask(method, params))

    def block(self, tag: BlockTag = "latest") -> Block:
        """Head of the block at `tag`. Raises `VenueUnavailable` if the node has none."""
        if tag == "finalized" and self.node.finality_depth is not None:
            tag = max(0, self.height() - self.node.finality_depth)
        method = "eth_getBlockByHash" if _is_hash(tag) else "eth_getBlockByNumber"
        return _block(self.request(method, tag if _is_hash(tag) else _tag(tag), False), str(tag))

    def heads(self) -> Heads:
        """Latest block, latest final block's number and gas price, in one round trip."""
        asked: list[Request] = [
            ("eth_getBlockByNumber", ("latest", False)),
            ("eth_gasPrice", ()),
            *([] if self.node.finality_depth is not None else [("eth_getBlockByNumber", ("finalized", False))]),
        ]
        latest, price, *final = [_result(reply) for reply in self.node.ask_many(asked)]
        head = _block(latest, "latest")
        with understood("eth_gasPrice"):
            wei = int(price, 16)
        depth = self.node.finality_depth
        last = _block(final[0], "finalized").number if depth is None else max(0, head.number - depth)
        return Heads(head, last, wei)

    def height(self) -> int:
        """Number of the latest block."""
        return self._number("eth_blockNumber")

    def call(
        self, to: str, data: bytes, *, block: BlockTag = "latest", sender: str | None = None, value: int = 0
    ) -> bytes:
        """What calling `to` with `data` returns at `block`; sends nothing. Raises `Reverted`."""
        found = self.request("eth_call", _call(to, data, sender, value), _tag(block))
        with understood("eth_call"):
            return _octets(found)

    def read_many(self, queries: Sequence[Query], *, block: BlockTag = "latest") -> list[Any]:
        """
        Decoded answers to several `Contract.query(...)` at one and the same block, in one round trip.

        Where one call does not do, a tag is pinned to its block's hash first: answers cannot straddle two
        blocks, nor a reorganisation.
        Raises `Reverted` for the first that reverts.
        """
        answers = self.answers(queries, block=block)
        for answer in answers:
            if isinstance(answer, Reverted):
                raise answer
        return answers

    def answers(self, queries: Sequence[Query], *, block: BlockTag = "latest") -> list[Any]:
        """As `read_many`, with `Reverted` as the answer of a read that reverts."""
        if self._multicall and 1 < len(queries) <= self._limits.calls_per_multicall:
            found = self._in_one_call([(query, block) for query in queries])
            if None not in found:  # one call is one block, whatever its tag
                return [_decoded(query, answer) for query, answer in zip(queries, found, strict=True)]
        return self.answers_at([(queries, block)])[0]

    def answers_at(self, groups: Sequence[tuple[Sequence[Query], BlockTag]]) -> list[list[Any]]:
        """As `answers`, for several groups of reads, each at a block of its own, in one round trip."""
        wanted = [
            (query, where)
            for queries, block in groups
            if queries
            for where in [block if isinstance(block, int) or _is_hash(block) else self.block(block).pinned]
            for query in queries
        ]
        found: list[bytes | Reverted | None] = [None] * len(wanted)
        if self._multicall and len(wanted) > 1:
            found = self._in_one_call(wanted)
        left = [at for at, answer in enumerate(found) if answer is None]
        asked = [("eth_call", (_call(q.to, q.data, None, 0), _tag(where))) for q, where in (wanted[at] for at in left)]
        for at, reply in zip(left, self.node.ask_many(asked) if asked else [], strict=True):
            found[at] = _answer(reply)
        answers = (_decoded(query, answer) for (query, _), answer in zip(wanted, found, strict=True))
        return [[next(answers) for _ in queries] for queries, _ in groups]

    def _in_one_call(self, wanted: Sequence[tuple[Query, BlockTag]]) -> list[bytes | Reverted | None]:
        """Answers through the reading program; None for one it could not get."""
        parts: list[tuple[BlockTag, list[Query]]] = []
        for query, where in wanted:
            if not parts or parts[-1][0] != where or len(parts[-1][1]) >= self._limits.calls_per_multicall:
                parts.append((where, []))
            parts[-1][1].append(query)
        there = {READER: {"code": "0x" + PROGRAM.hex()}}
        replies = self.node.ask_many(
            [("eth_call", (_call(READER, packed(part), None, 0), _tag(where), there)) for where, part in parts]
        )
        found: list[bytes | Reverted | None] = []
        for (_, part), reply in zip(parts, replies, strict=True):
            try:
                answers = unpacked(_octets(reply["result"]), len(part))
            except (KeyError, ValueError, TypeError, AttributeError):
                self._multicall = False  # this endpoint takes no override, or not so much at once
                found += [None] * len(part)
            else:  # a failure without a reason may be the gas of the whole call: it is asked again by itself
                found += [data if done else Reverted(reason_of(data), data) if data else None for done, data in answers]
        return found

    def balance(self, address: str, *, block: BlockTag = "latest") -> int:
        """Native balance in wei."""
        return self._number("eth_getBalance", address, _tag(block))

    def nonce(self, address: str, *, block: BlockTag = "latest") -> int:
        """Transactions sent by `address` up to `block`."""
        return self._number("eth_getTransactionCount", address, _tag(block))

    def code(self, address: str, *, block: BlockTag = "latest") -> bytes:
        """Deployed code, empty for an account without code."""
        found = self.request("eth_getCode", address, _tag(block))
        with understood("eth_getCode"):
            return _octets(found)

    def storage(self, address: str, slot: int, *, block: BlockTag = "latest") -> bytes:
        """The 32 bytes at `slot`."""
        found = self.request("eth_getStorageAt", address, hex(slot), _tag(block))
        with understood("eth_getStorageAt"):
            return _octets(found).rjust(32, b"\0")

    def estimate_gas(self, to: str, data: bytes, *, sender: str, value: int = 0) -> int:
        """The node's estimate; it may be 6-13 % too low: submit with at least 1.3 times it."""
        return self._number("eth_estimateGas", _call(to, data, sender, value))

    def gas_price_wei(self) -> int:
        """What the node would pay per gas now."""
        return self._number("eth_gasPrice")

    def logs(
        self,
        *,
        address: str | Sequence[str],
        topics: Sequence[object] = (),
        first: BlockTag = 0,
        last: BlockTag = "latest",
    ) -> list[dict[str, Any]]:
        """Raw logs of `address` between two blocks, both included, in order."""
        query = {
            "address": address if isinstance(address, str) else list(address),
            "topics": list(topics),
            "fromBlock": _tag(first),
            "toBlock": _tag(last),
        }
        found = self.request("eth_getLogs", query)
        if not isinstance(found, list) or not all(isinstance(log, dict) for log in found):
            raise ReplyMalformed("eth_getLogs answered something else")
        return found

    # sends

    def send_raw(self, raw: bytes) -> str:
        """
        Broadcast a signed transaction once and return its hash.

        Raises
        ------
        OrderRejected : the node refused it; nothing is pending
        OutcomeUnknown : it may be in (time-out, lost reply, nonce used, already known); look up
            `keccak(raw)`, which is its hash
        VenueUnavailable : no connection; nothing was sent
        """
        expected = "0x" + keccak(raw).hex()
        reply = self.node.ask("eth_sendRawTransaction", ("0x" + raw.hex(),))
        if "error" in reply:
            raise _send_error(reply["error"], expected)
        if reply["result"] != expected:
            raise OutcomeUnknown(
                "the node names another transaction",
                why=f"sent {expected}, answered {reply['result']}",
                todo="look both hashes up before anything else",
            )
        return expected

    def receipt(self, transaction_hash: str) -> Receipt | None:
        """What the transaction did, None while it is not mined; `final` at the time of asking."""
        found = self.request("eth_getTransactionReceipt", transaction_hash)
        if not found or found.get("blockNumber") is None:
            return None
        with understood("eth_getTransactionReceipt"):
            number = int(found["blockNumber"], 16)
        depth = self.node.finality_depth
        final: Request = (
            ("eth_blockNumber", ()) if depth is not None else ("eth_getBlockByNumber", ("finalized", False))
        )
        block, last = [
            _result(reply) for reply in self.node.ask_many([("eth_getBlockByNumber", (hex(number), False)), final])
        ]
        with understood("eth_getTransactionReceipt"):
            reached = int(last, 16) - depth if depth is not None else int(last["number"], 16)
            if block is None or block["hash"] != found["blockHash"]:
                return None  # its block has just left the chain
            return _receipt(found, _block(block, str(number)), final=reached >= number)

    def mined(self, transaction_hash: str, *, seconds: float = 30.0) -> Receipt:
        """
        The receipt as soon as there is one; even a local node takes a moment after it accepts.

        Raises `OutcomeUnknown` after `seconds`: the transaction may still be mined.
        """
        deadline, pause = time.monotonic() + seconds, 0.001
        while time.monotonic() < deadline:
            if (found := self.receipt(transaction_hash)) is not None:
                return found
            time.sleep(pause)
            pause = min(2 * pause, 0.5)
        raise OutcomeUnknown(
            f"transaction {transaction_hash} is not mined",
            why=f"no receipt after {seconds:g} s",
            todo="look its hash up before anything else",
        )

    def transaction(self, transaction_hash: str) -> dict[str, Any] | None:
        """The transaction as the node knows it, pending ones included; None if it does not."""
        found = self.request("eth_getTransactionByHash", transaction_hash)
        if found is not None and (not isinstance(found, dict) or found.get("hash") != transaction_hash):
            raise ReplyMalformed("eth_getTransactionByHash answered something else")
        return found

    # a local chain's clock

    def warp(self, instant: datetime | int) -> Block:
        """Mine one block stamped `instant`, which must be later than the latest block's."""
        timestamp = instant if isinstance(instant, int) else int(instant.timestamp())
        latest = self.block()
        if timestamp <= latest.timestamp:
            raise ConfigError(
                "the chain's clock cannot go back",
                why=f"latest block is at {latest.at.isoformat()}",
                todo="start from a fresh chain",
            )
        self.request("evm_setNextBlockTimestamp", timestamp)
        return self.mine()

    def mine(self, blocks: int = 1) -> Block:
        """Mine `blocks` blocks a second apart and return the last."""
        for _ in range(blocks):
            self.request("evm_mine")
        return self.block()

    def mine_to_final(self) -> Block:
        """Mine until what is now the latest block is final; returns that block."""
        target = self.block()
        for _ in range(512):
            if self.block("finalized").number >= target.number:
                return target
            self.mine(8 if self.node.finality_depth is None else max(1, self.node.finality_depth))
        raise VenueUnavailable("finality not reached", why="512 rounds of blocks", todo="restart the local chain")

    def snapshot(self) -> str:
        """An id to go back to; it works once."""
        return str(self.request("evm_snapshot"))

    def revert(self, snapshot: str) -> None:
        """Go back to `snapshot`, clock included."""
        if self.request("evm_revert", snapshot) is not True:
            raise ConfigError("snapshot refused", why="a snapshot works once", todo="take a new one")

    def describe(self) -> dict[str, str]:
        """Which node, chain, block and clock, as words for a report."""
        head = self.block()
        return {
            "node": self.node.name,
            "chain id": str(self.chain_id),
            "block": str(head.number),
            "clock": head.at.isoformat(),
        }

    def close(self) -> None:
        """Let go of the node; may be called twice."""
        self.node.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _number(self, method: str, *params: object) -> int:
        found = self.request(method, *params)
        with understood(method):
            return int(found, 16)


def connect(url: str, *, expected_chain_id: int | None = None, timeout: float = 30.0) -> Chain:
    """A chain behind an RPC URL, which must serve `expected_chain_id` if given."""
    return Chain(HttpNode(url, timeout=timeout), expected_chain_id=expected_chain_id)


def _block(found: Any, tag: str) -> Block:
    if found is None:
        raise VenueUnavailable(
            f"block {tag} not found", why="the node does not have it", todo="wait for it to be mined"
        )
    with understood("eth_getBlockByNumber"):
        return Block(
            int(found["number"], 16),
            found["hash"],
            int(found["timestamp"], 16),
            int(found.get("baseFeePerGas") or "0x0", 16),
            int(found["gasLimit"], 16),
        )


def _receipt(found: dict[str, Any], block: Block, *, final: bool) -> Receipt:
    return Receipt(
        transaction_hash=found["transactionHash"],
        block=block.number,
        block_hash=block.hash,
        at=block.at,
        status=int(found["status"], 16),
        gas_used=int(found["gasUsed"], 16),
        gas_price_wei=int(found["effectiveGasPrice"], 16),
        sender=to_checksum_address(found["from"]),
        to=to_checksum_address(found["to"] or found["contractAddress"]),
        logs=tuple(found["logs"]),
        final=final,
    )


def _decoded(query: Query, answer: bytes | Reverted | None) -> Any:
    return answer if isinstance(answer, Reverted) else decode_result(query.entry, answer or b"")


def _answer(reply: Reply) -> bytes | Reverted:
    try:
        found = _result(reply)
    except Reverted as reverted:
        return reverted
    with understood("eth_call"):
        return _octets(found)


def _result(reply: Reply) -> Any:
    if "error" not in reply:
        return reply["result"]
    error = reply["error"]
    text, data = str(error.get("message", "")), _revert_data(error)
    if data or "revert" in text.lower():
        raise Reverted(reason_of(data) if data else _plain_reason(text), data)
    raise VenueUnavailable("the node refused the request", why=text or repr(error), todo="check the request")


def _send_error(error: dict[str, Any], transaction_hash: str) -> OrderRejected | OutcomeUnknown:
    text, data = str(error.get("message", "")), _revert_data(error)
    words = text.lower()
    if data:
        return Reverted(reason_of(data), data)
    if not any(part in words for part in _MAY_BE_IN) and any(part in words for part in _REFUSED):
        return OrderRejected("the node refused the transaction", why=text, todo="correct it before another try")
    return OutcomeUnknown(
        f"transaction {transaction_hash} may be in", why=text, todo="look its hash up before anything else"
    )


def _revert_data(error: dict[str, Any]) -> bytes:
    data = error.get("data")
    if isinstance(data, dict):
        data = data.get("data")
    return _octets(data) if isinstance(data, str) and data.startswith("0x") else b""


def _plain_reason(text: str) -> str:
    _, found, reason = text.partition("revert")
    return reason.removeprefix("ed").lstrip(": ") or "no reason given" if found else text


def _call(to: str, data: bytes, sender: str | None, value: int) -> dict[str, str]:
    call = {"to": to, "data": "0x" + data.hex(), "value": hex(value)}
    return call if sender is None else {**call, "from": sender}


def _is_hash(tag: BlockTag) -> bool:
    return isinstance(tag, str) and tag.startswith("0x")


def _tag(tag: BlockTag) -> object:
    if _is_hash(tag):
        return {"blockHash": tag, "requireCanonical": True}
    return hex(tag) if isinstance(tag, int) else tag


def _octets(text: str) -> bytes:
    text = text.removeprefix("0x")
    return bytes.fromhex(text if len(text) % 2 == 0 else "0" + text)


__all__ = ["Address", "Block", "BlockHash", "BlockTag", "Chain", "Heads", "Reverted", "connect"]
