"""
The one seam to a chain: its reads (`ChainReads`), sends, and for a local chain its clock.

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
from datetime import datetime
from types import TracebackType
from typing import Any, Self

from eth_utils.crypto import keccak

from adapters.evm.chain_reads import ChainReads
from adapters.evm.node_replies import (
    BLOCK_BITS,
    Block,
    BlockHash,
    BlockTag,
    Heads,
    Reverted,
    block_in,
    receipt_in,
    result_in,
    send_error,
)
from adapters.evm.quorum_rpc import node_at
from adapters.evm.rpc import Limits, Node, ReplyMalformed, Request, quantity, understood
from engine.errors import ChainMismatch, ConfigError, OutcomeUnknown, VenueUnavailable
from engine.orders import Address
from engine.ports import Receipt


class Chain(ChainReads):
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
        super().__init__(node)
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
        depth = self.node.finality_depth
        asked: list[Request] = [
            ("eth_getTransactionReceipt", (transaction_hash,)),
            ("eth_getBlockByNumber", ("latest", False)),
            *([] if depth is not None else [("eth_getBlockByNumber", ("finalized", False))]),
        ]
        found, latest, *final = [result_in(reply) for reply in self.node.ask_many(asked)]
        with understood("eth_getTransactionReceipt"):
            mined = found is not None and found["blockNumber"] is not None
        if not mined:
            return None
        head = block_in(latest, "latest")
        reached = head.number - depth if depth is not None else block_in(final[0], "finalized").number
        with understood("eth_getTransactionReceipt"):
            number = quantity(found["blockNumber"], bits=BLOCK_BITS)
            block = [head] if head.number == number else self.blocks([number])
            if not block or block[0].hash != found["blockHash"]:
                return None  # its block has just left the chain
            return receipt_in(found, block[0], final=reached >= number)

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
        self._mine(blocks)
        return self.block()

    def mine_to_final(self) -> Block:
        """Mine until what is now the latest block is final; returns that block."""
        target = self.block()
        self.bury()
        return target

    def bury(self) -> None:
        """Mine until what is now the latest block is final."""
        if self.node.finality_depth is not None:
            return self._mine(self.node.finality_depth)
        target = self.block()
        for _ in range(512):
            if self.block("finalized").number >= target.number:
                return None
            self._mine(8)
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

    def _mine(self, blocks: int) -> None:
        for reply in self.node.ask_many([("evm_mine", ())] * blocks) if blocks else ():
            result_in(reply)


def connect(
    url: str,
    *,
    expected_chain_id: int | None = None,
    anchor: tuple[int, str] | None = None,
    timeout: float = 30.0,
    limits: Limits | None = None,
) -> Chain:
    """
    A chain behind an RPC URL, which must serve `expected_chain_id` and have the block `anchor` if given.

    Several URLs, separated by spaces, are read as one that two of them must agree on (`QuorumNode`).
    """
    node = node_at(url, timeout=timeout, limits=limits)
    return Chain(node, expected_chain_id=expected_chain_id, anchor=anchor)


__all__ = ["Address", "Block", "BlockHash", "BlockTag", "Chain", "Heads", "Reverted", "connect"]
