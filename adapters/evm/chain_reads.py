"""What a chain says, at one block: blocks, calls, balances, code, storage and logs, many in one round trip."""

from collections.abc import Sequence
from typing import Any

from adapters.evm.batch_reads import PROGRAM, READER, packed, unpacked
from adapters.evm.contract import Query
from adapters.evm.node_replies import (
    BLOCK_BITS,
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
    gas_in,
    is_hash,
    logs_in,
    octets,
    result_in,
    tag_terms,
)
from adapters.evm.reverts import reason_of
from adapters.evm.rpc import Limits, Node, ReplyMalformed, Request, quantity, understood

_WORD = 32
_NONCE_BITS = 64  # EIP-2681


class ChainReads:
    """The reads of a chain behind one node; `Chain` adds what is done to it."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self._limits: Limits = getattr(node, "limits", Limits())
        self._multicall = self._limits.multicall

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
            wei = quantity(price)
        depth = self.node.finality_depth
        last = block_in(final[0], "finalized").number if depth is None else max(0, head.number - depth)
        return Heads(head, last, wei)

    def height(self) -> int:
        """Number of the latest block."""
        return self._number("eth_blockNumber", bits=BLOCK_BITS)

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

    def sender(self, address: str, call: tuple[str, bytes] | None = None) -> SenderState:
        """The account that is to send, with the node's estimate of `call` (target and data), in one round trip."""
        asked: list[Request] = [
            ("eth_getTransactionCount", (address, "latest")),
            ("eth_getTransactionCount", (address, "pending")),
            ("eth_getBalance", (address, "latest")),
            ("eth_getBlockByNumber", ("latest", False)),
        ]
        if call is not None:
            asked.append(("eth_estimateGas", (call_terms(*call, address),)))
        replies = self.node.ask_many(asked)
        *counts, head = (result_in(reply) for reply in replies[:4])
        with understood("eth_getTransactionCount"):
            nonce, pending = (quantity(count, bits=_NONCE_BITS) for count in counts[:2])
            balance = quantity(counts[2])
        return SenderState(nonce, pending, balance, block_in(head, "latest"), gas_in(replies[4]) if call else None)

    def nonce(self, address: str, *, block: BlockTag = "latest") -> int:
        """Transactions sent by `address` up to `block`."""
        return self._number("eth_getTransactionCount", address, tag_terms(block), bits=_NONCE_BITS)

    def code(self, address: str, *, block: BlockTag = "latest") -> bytes:
        """Deployed code, empty for an account without code."""
        found = self.request("eth_getCode", address, tag_terms(block))
        with understood("eth_getCode"):
            return octets(found)

    def storage(self, address: str, slot: int, *, block: BlockTag = "latest") -> bytes:
        """The 32 bytes at `slot`."""
        found = self.request("eth_getStorageAt", address, hex(slot), tag_terms(block))
        with understood("eth_getStorageAt"):
            word = octets(found)
        if len(word) > _WORD:
            raise ReplyMalformed(f"eth_getStorageAt answered {len(word)} bytes, a slot has {_WORD}")
        return word.rjust(_WORD, b"\0")

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

    def _number(self, method: str, *params: object, bits: int = 256) -> int:
        found = self.request(method, *params)
        with understood(method):
            return quantity(found, bits=bits)
