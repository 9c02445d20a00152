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
from datetime import datetime
from types import TracebackType
from typing import Any, Self

from eth_utils.crypto import keccak

from adapters.evm.batch_reads import PROGRAM, READER, packed, unpacked
from adapters.evm.contract import Query
from adapters.evm.node_replies import (
    Block,
    BlockHash,
    BlockTag,
    Heads,
    Reverted,
    SenderState,
    answer_in,
    block_in,
    call_terms,
    decoded,
    is_hash,
    logs_in,
    octets,
    receipt_in,
    result_in,
    send_error,
    tag_terms,
)
from adapters.evm.reverts import reason_of
from adapters.evm.rpc import HttpNode, Limits, Node, ReplyMalformed, Request, understood
from engine.errors import ChainMismatch, ConfigError, OutcomeUnknown, VenueUnavailable
from engine.orders import Address
from engine.ports import Receipt


class Chain:
    """
    A chain, read and written through one node.

    Parameters
    ----------
    node : who answers (`HttpNode`, anvil, in process)
    expected_chain_id : refuse any other with `ChainMismatch`
    anchor : number and hash of a block that this chain must have; refuse another history with `ConfigError`

    Notes
    -----
    `warp`, `mine`, `mine_to_final`, `snapshot` and `revert` work on local chains only. Used as a
    context manager the node is closed (and stopped if it is ours) at the end.
    """

    def __init__(
        self, node: Node, *, expected_chain_id: int | None = None, anchor: tuple[int, str] | None = None
    ) -> None:
        self.node = node
        self._limits: Limits = getattr(node, "limits", Limits())
        self._multicall = self._limits.multicall
        self.chain_id = self._number("eth_chainId")
        if expected_chain_id is not None and self.chain_id != expected_chain_id:
            node.close()
            raise ChainMismatch(expected=expected_chain_id, found=self.chain_id)
        if anchor is not None and (found := self.block(anchor[0]).hash) != anchor[1]:
            node.close()
            raise ConfigError(
                f"block {anchor[0]} of chain {self.chain_id} refused",
                why=f"its hash is {found}, not {anchor[1]}: another history under the same id",
                todo="point the RPC at the chain that was set up",
            )

    @property
    def can_fork(self) -> bool:
        """Whether a local chain can be started on top of this one (anvil only)."""
        return self.node.can_fork

    # reads

    def request(self, method: str, *params: object) -> Any:
        """The `result` of a raw JSON-RPC request; an `error` is raised as one of ours."""
        return result_in(self.node.ask(method, params))

    def block(self, tag: BlockTag = "latest") -> Block:
        """Head of the block at `tag`. Raises `VenueUnavailable` if the node has none."""
        if tag == "finalized" and self.node.finality_depth is not None:
            tag = max(0, self.height() - self.node.finality_depth)
        method = "eth_getBlockByHash" if is_hash(tag) else "eth_getBlockByNumber"
        return block_in(self.request(method, tag if is_hash(tag) else tag_terms(tag), False), str(tag))

    def blocks(self, numbers: Sequence[int]) -> list[Block]:
        """Heads of those of these blocks that the node has, in the order asked, in one round trip."""
        asked: list[Request] = [("eth_getBlockByNumber", (hex(number), False)) for number in numbers]
        replies = self.node.ask_many(asked) if asked else []
        found = [result_in(reply) for reply in replies]
        return [block_in(head, str(number)) for number, head in zip(numbers, found, strict=True) if head is not None]

    def heads(self) -> Heads:
        """Latest block, latest final block's number and gas price, in one round trip."""
        asked: list[Request] = [
            ("eth_getBlockByNumber", ("latest", False)),
            ("eth_gasPrice", ()),
            *([] if self.node.finality_depth is not None else [("eth_getBlockByNumber", ("finalized", False))]),
        ]
        latest, price, *final = [result_in(reply) for reply in self.node.ask_many(asked)]
        head = block_in(latest, "latest")
        with understood("eth_gasPrice"):
            wei = int(price, 16)
        depth = self.node.finality_depth
        last = block_in(final[0], "finalized").number if depth is None else max(0, head.number - depth)
        return Heads(head, last, wei)

    def height(self) -> int:
        """Number of the latest block."""
        return self._number("eth_blockNumber")

    def call(
        self, to: str, data: bytes, *, block: BlockTag = "latest", sender: str | None = None, value: int = 0
    ) -> bytes:
        """What calling `to` with `data` returns at `block`; sends nothing. Raises `Reverted`."""
        found = self.request("eth_call", call_terms(to, data, sender, value), tag_terms(block))
        with understood("eth_call"):
            return octets(found)

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
                return [decoded(query, answer) for query, answer in zip(queries, found, strict=True)]
        return self.answers_at([(queries, block)])[0]

    def answers_at(self, groups: Sequence[tuple[Sequence[Query], BlockTag]]) -> list[list[Any]]:
        """As `answers`, for several groups of reads, each at a block of its own, in one round trip."""
        wanted = [
            (query, where)
            for queries, block in groups
            if queries
            for where in [block if isinstance(block, int) or is_hash(block) else self.block(block).pinned]
            for query in queries
        ]
        found: list[bytes | Reverted | None] = [None] * len(wanted)
        if self._multicall and len(wanted) > 1:
            found = self._in_one_call(wanted)
        left = [at for at, answer in enumerate(found) if answer is None]
        asked = [("eth_call", (call_terms(q.to, q.data), tag_terms(where))) for q, where in (wanted[at] for at in left)]
        for at, reply in zip(left, self.node.ask_many(asked) if asked else [], strict=True):
            found[at] = answer_in(reply)
        answers = (decoded(query, answer) for (query, _), answer in zip(wanted, found, strict=True))
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
            [("eth_call", (call_terms(READER, packed(part)), tag_terms(where), there)) for where, part in parts]
        )
        found: list[bytes | Reverted | None] = []
        for (_, part), reply in zip(parts, replies, strict=True):
            try:
                answers = unpacked(octets(reply["result"]), len(part))
            except (KeyError, ValueError, TypeError, AttributeError):
                self._multicall = False  # this endpoint takes no override, or not so much at once
                found += [None] * len(part)
            else:  # a failure without a reason may be the gas of the whole call: it is asked again by itself
                found += [data if done else Reverted(reason_of(data), data) if data else None for done, data in answers]
        return found

    def balance(self, address: str, *, block: BlockTag = "latest") -> int:
        """Native balance in wei."""
        return self._number("eth_getBalance", address, tag_terms(block))

    def sender(self, address: str) -> SenderState:
        """The account that is to send, in one round trip."""
        asked: list[Request] = [
            ("eth_getTransactionCount", (address, "latest")),
            ("eth_getTransactionCount", (address, "pending")),
            ("eth_getBalance", (address, "latest")),
            ("eth_getBlockByNumber", ("latest", False)),
        ]
        *counts, head = [result_in(reply) for reply in self.node.ask_many(asked)]
        with understood("eth_getTransactionCount"):
            nonce, pending, balance = (int(count, 16) for count in counts)
        return SenderState(nonce, pending, balance, block_in(head, "latest"))

    def nonce(self, address: str, *, block: BlockTag = "latest") -> int:
        """Transactions sent by `address` up to `block`."""
        return self._number("eth_getTransactionCount", address, tag_terms(block))

    def code(self, address: str, *, block: BlockTag = "latest") -> bytes:
        """Deployed code, empty for an account without code."""
        found = self.request("eth_getCode", address, tag_terms(block))
        with understood("eth_getCode"):
            return octets(found)

    def storage(self, address: str, slot: int, *, block: BlockTag = "latest") -> bytes:
        """The 32 bytes at `slot`."""
        found = self.request("eth_getStorageAt", address, hex(slot), tag_terms(block))
        with understood("eth_getStorageAt"):
            return octets(found).rjust(32, b"\0")

    def estimate_gas(self, to: str, data: bytes, *, sender: str, value: int = 0) -> int:
        """The node's estimate; it may be 6-13 % too low: submit with at least 1.3 times it."""
        return self._number("eth_estimateGas", call_terms(to, data, sender, value))

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
            "fromBlock": tag_terms(first),
            "toBlock": tag_terms(last),
        }
        return self._logs(query)

    def block_logs(self, block: BlockHash, *, address: Sequence[str]) -> list[dict[str, Any]]:
        """Raw logs of `address` in one block and no other, in order."""
        return self._logs({"address": list(address), "topics": [], "blockHash": block})

    def logs_many(self, queries: Sequence[dict[str, object]]) -> list[list[dict[str, Any]]]:
        """Raw logs of several filters as `eth_getLogs` takes them, in one round trip."""
        replies = self.node.ask_many([("eth_getLogs", (query,)) for query in queries]) if queries else []
        return [logs_in(result_in(reply)) for reply in replies]

    def _logs(self, query: dict[str, object]) -> list[dict[str, Any]]:
        return logs_in(self.request("eth_getLogs", query))

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
            raise send_error(reply["error"], expected)
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
            result_in(reply) for reply in self.node.ask_many([("eth_getBlockByNumber", (hex(number), False)), final])
        ]
        with understood("eth_getTransactionReceipt"):
            reached = int(last, 16) - depth if depth is not None else int(last["number"], 16)
            if block is None or block["hash"] != found["blockHash"]:
                return None  # its block has just left the chain
            return receipt_in(found, block_in(block, str(number)), final=reached >= number)

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
        for reply in self.node.ask_many([("evm_mine", ())] * blocks):
            result_in(reply)
        return self.block()

    def mine_to_final(self) -> Block:
        """Mine until what is now the latest block is final; returns that block."""
        target, depth = self.block(), self.node.finality_depth
        if depth is not None:
            self.mine(depth)
            return target
        for _ in range(512):
            if self.block("finalized").number >= target.number:
                return target
            self.mine(8)
        raise VenueUnavailable("finality not reached", why="512 rounds of blocks", todo="restart the local chain")

    def snapshot(self) -> str:
        """An id to go back to; it works once."""
        return str(self.request("evm_snapshot"))

    def revert(self, snapshot: str) -> None:
        """Go back to `snapshot`, clock included; nothing is pending then."""
        if self.request("evm_revert", snapshot) is not True:
            raise ConfigError("snapshot refused", why="a snapshot works once", todo="take a new one")
        if self.can_fork:
            self.request("anvil_dropAllTransactions")  # anvil keeps what was pending, or was mined since

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


def connect(
    url: str,
    *,
    expected_chain_id: int | None = None,
    anchor: tuple[int, str] | None = None,
    timeout: float = 30.0,
    limits: Limits | None = None,
) -> Chain:
    """A chain behind an RPC URL, which must serve `expected_chain_id` and have the block `anchor` if given."""
    node = HttpNode(url, timeout=timeout, limits=limits)
    return Chain(node, expected_chain_id=expected_chain_id, anchor=anchor)


__all__ = ["Address", "Block", "BlockHash", "BlockTag", "Chain", "Heads", "Reverted", "connect"]
