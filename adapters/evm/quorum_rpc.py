"""
Several endpoints read as one: what sizes money must be said alike by a quorum of them (faults F56).

A lagging endpoint is asked about the block that the slowest of the quorum has, not left to answer from its
own past. One whose height is far from the rest's, above or below, or that says another thing about the same
block, is out-voted; where no quorum is left `NodesDisagree` stops everything. Sends go through the first
endpoint alone.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from adapters.evm.http_node import HttpNode
from adapters.evm.rpc import BROADCASTS, Limits, Node, Reply, Request, quantity, understood
from engine.errors import ConfigError, VenueError, VenueUnavailable

_HEAD = ("number", "hash", "parentHash", "timestamp", "baseFeePerGas", "gasLimit")
_RECEIPT = ("transactionHash", "blockHash", "blockNumber", "status", "gasUsed", "effectiveGasPrice", "from", "to")
_LOG = ("address", "topics", "data", "transactionHash", "logIndex")
_OWN_OPINION = frozenset({"eth_gasPrice", "eth_estimateGas", "eth_getTransactionByHash", "eth_maxPriorityFeePerGas"})
"""Answers that may differ between honest nodes: the first usable one is taken."""

_READS = frozenset(
    {"eth_call", "eth_getBalance", "eth_getStorageAt", "eth_getCode", "eth_getTransactionCount", "debug_traceCall"}
)
_TAGS = ("latest", "safe", "finalized")


class NodesDisagree(VenueError):
    """Endpoints say different things of one block, or too few keep up: nothing may be sized from them."""

    def __init__(self, method: str, why: str) -> None:
        self.method = method
        super().__init__(
            f"endpoints disagree on {method}", why=why, todo="halt; find out which endpoint is wrong and replace it"
        )


class QuorumNode:
    """
    A `Node` made of several.

    Parameters
    ----------
    nodes : endpoints of different operators; the first one also sends
    least : how many must say the same
    most_lag : blocks that one may be behind the furthest of its quorum and still count
    """

    name = "quorum"
    can_fork, takes_overrides = False, True

    def __init__(self, nodes: Sequence[Node], *, least: int = 2, most_lag: int = 5) -> None:
        if not 2 <= least <= len(nodes):
            raise ConfigError(
                f"quorum of {least} refused", why=f"{len(nodes)} endpoints are given", todo="name at least two"
            )
        self.nodes, self.least, self.most_lag = tuple(nodes), least, most_lag
        depths = [node.finality_depth for node in nodes]
        self.finality_depth = None if None in depths else max(depth for depth in depths if depth is not None)
        self.limits: Limits = getattr(nodes[0], "limits", Limits())

    def ask(self, method: str, params: Sequence[object]) -> Reply:
        """The reply a quorum gives. Raises `NodesDisagree`, `VenueUnavailable` or `OutcomeUnknown`."""
        if method in BROADCASTS:
            return self.nodes[0].ask(method, params)
        return self.ask_many([(method, params)])[0]

    def ask_many(self, requests: Sequence[Request]) -> list[Reply]:
        """The replies a quorum gives to several reads, all at the block that the quorum has."""
        if any(method in BROADCASTS for method, _ in requests):
            raise ValueError("sends travel one by one")
        moving = any(_moves(request) or request[0] == "eth_blockNumber" for request in requests)
        heads, keeping_up = self._agreed_heads() if moving else ({}, self.nodes)
        asked = [_fixed(request, heads) for request in requests]
        answers = self._everywhere(keeping_up, lambda node: node.ask_many(asked))
        return [
            {"result": hex(heads["latest"])} if method == "eth_blockNumber" else self._voted(method, replies)
            for (method, _), replies in zip(asked, zip(*answers, strict=True), strict=True)
        ]

    def close(self) -> None:
        """Let go of every endpoint."""
        for node in self.nodes:
            node.close()

    def _agreed_heads(self) -> tuple[dict[str, int], Sequence[Node]]:
        """Heights that all of those who keep up have, by tag, and who they are: the highest quorum there is."""
        seen = sorted(self._everywhere(self.nodes, _heights), key=lambda each: -each[1][0])
        keeping_up: list[tuple[Node, list[int]]] = next(
            (group for top in seen if len(group := self._beside(top[1][0], seen)) >= self.least), []
        )
        if not keeping_up:
            behind = seen[0][1][0] - seen[-1][1][0]
            raise NodesDisagree("eth_blockNumber", f"an endpoint is {behind} blocks behind, {self.most_lag} allowed")
        latest = min(heights[0] for _, heights in keeping_up)
        by_tag = zip(_TAGS, zip(*(heights for _, heights in keeping_up), strict=True), strict=True)
        backed = {tag: sorted(heights, reverse=True)[self.least - 1] for tag, heights in by_tag}
        return {tag: min(latest, height) for tag, height in backed.items()}, [node for node, _ in keeping_up]

    def _beside(self, top: int, seen: Sequence[tuple[Node, list[int]]]) -> list[tuple[Node, list[int]]]:
        return [(node, heights) for node, heights in seen if 0 <= top - heights[0] <= self.most_lag]

    def _everywhere(self, nodes: Sequence[Node], ask: Callable[[Node], Any]) -> list[Any]:
        """What each usable endpoint says, side by side; raises where fewer than the quorum are."""

        def attempt(node: Node) -> Any:
            try:
                return ask(node)
            except VenueUnavailable as down:
                return down

        with ThreadPoolExecutor(len(nodes)) as side_by_side:
            answers = list(side_by_side.map(attempt, nodes))
        usable = [answer for answer in answers if not isinstance(answer, VenueUnavailable)]
        if len(usable) < self.least:
            raise next(answer for answer in answers if isinstance(answer, VenueUnavailable))
        return usable

    def _voted(self, method: str, replies: Sequence[Reply]) -> Reply:
        if method in _OWN_OPINION:
            return next((reply for reply in replies if reply.get("result") is not None), replies[0])
        votes: dict[str, list[Reply]] = {}
        for reply in replies:
            with understood(method):
                votes.setdefault(json.dumps(_said(method, reply), sort_keys=True), []).append(reply)
        most = max(votes.values(), key=len)
        if len(most) >= self.least:
            return most[0]
        if method == "eth_getTransactionReceipt" and any(reply.get("result") is None for reply in replies):
            return {"result": None}  # not everybody has it yet
        shown = " and ".join(sorted(vote if len(vote) < 80 else vote[:77] + "..." for vote in votes))
        raise NodesDisagree(method, f"they say {shown}")


def node_at(addresses: str, *, timeout: float | None = None, limits: Limits | None = None) -> Node:
    """
    The node at one RPC address, or a quorum of two of those at several, separated by spaces.

    Raises `ConfigError` for what is no http(s) URL; an address is never repeated in it, since it may hold a key.
    """
    nodes = [HttpNode(url, timeout=timeout, limits=limits) for url in addresses.split() or [addresses]]
    return nodes[0] if len(nodes) == 1 else QuorumNode(nodes)


def _said(method: str, reply: Reply) -> object:
    """What of a reply honest nodes say alike."""
    if "error" in reply:
        return {"error": reply["error"].get("data") or True}
    found = reply["result"]
    if found is None:
        return None
    if method.startswith("eth_getBlockBy"):
        return {name: found.get(name) for name in _HEAD}
    if method == "eth_getTransactionReceipt":
        return [_lower(found, _RECEIPT), [_lower(log, _LOG) for log in found["logs"]]]
    if method == "eth_getLogs":
        return [_lower(log, _LOG) for log in found]
    return found


def _lower(found: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    return {name: value.lower() if isinstance(value := found.get(name), str) else value for name in names}


def _heights(node: Node) -> tuple[Node, list[int]]:
    """What one endpoint calls latest, safe and final; a tag that it has no block for counts as the first block."""
    replies = node.ask_many([("eth_getBlockByNumber", (tag, False)) for tag in _TAGS])
    with understood("eth_getBlockByNumber"):
        return node, [quantity(reply["result"]["number"], bits=63) if reply.get("result") else 0 for reply in replies]


def _moves(request: Request) -> bool:
    """Whether a request asks at a tag whose block changes; a block named by its hash (EIP-1898) is a mapping."""
    tag = _tag_of(request)
    return isinstance(tag, str) and tag in _TAGS


def _tag_of(request: Request) -> object:
    method, params = request
    if method == "eth_getLogs" and params and isinstance(params[0], Mapping):
        return params[0].get("toBlock")
    if method in _READS and len(params) > 1:
        return params[2 if method == "eth_getStorageAt" else 1]
    return params[0] if method == "eth_getBlockByNumber" and params else None


def _fixed(request: Request, heads: Mapping[str, int]) -> Request:
    """The request with a moving tag as the number it stands for."""
    method, params = request
    tag = _tag_of(request)
    if not isinstance(tag, str) or tag not in heads:
        return request
    number, rest = hex(heads[tag]), list(params)
    if method == "eth_getLogs" and isinstance(rest[0], Mapping):
        rest[0] = {**rest[0], "toBlock": number}
    else:
        rest[rest.index(tag)] = number
    return method, rest
