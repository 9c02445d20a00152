"""Two endpoints or more: what they say alike is believed, what they do not stops everything (faults F56)."""

from collections.abc import Sequence
from typing import Any

import pytest

from adapters.evm.chain import BlockHash, Chain
from adapters.evm.quorum_rpc import NodesDisagree, QuorumNode
from adapters.evm.rpc import Reply, Request
from engine.errors import ConfigError, OutcomeUnknown, VenueUnavailable

pytestmark = pytest.mark.fault("F56")
WHO = "0x" + "11" * 20
HASH = "0x" + "ab" * 32


class Endpoint:
    """An endpoint whose chain, lag and lies the test chooses."""

    can_fork, finality_depth = False, 2

    def __init__(self, name: str = "a", *, height: int = 100, down: bool = False, **lies: Any) -> None:
        self.name, self.height, self.down, self.lies = name, height, down, lies
        self.asked: list[Request] = []

    def ask(self, method: str, params: Sequence[object]) -> Reply:
        return self.ask_many([(method, params)])[0]

    def ask_many(self, requests: Sequence[Request]) -> list[Reply]:
        self.asked += requests
        if self.down:
            raise VenueUnavailable("down", why="down", todo="wait")
        return [self.reply(method, list(params)) for method, params in requests]

    def reply(self, method: str, params: list[Any]) -> Reply:
        if method in self.lies:
            return {"result": self.lies[method]}
        if method == "eth_getBlockByNumber":
            tags = {"latest": self.height, "safe": self.height - 1, "finalized": self.height - 2}
            number = tags.get(params[0]) or int(params[0], 16)
            return {"result": self.block(number) if number <= self.height else None}
        if method == "eth_getBalance":
            return {"result": hex(1000 + int(params[1], 16))}
        if method == "eth_sendRawTransaction":
            return {"result": HASH}
        answers = {"eth_chainId": "0x1", "eth_blockNumber": hex(self.height), "eth_call": "0x2a", "eth_gasPrice": "0x7"}
        return {"result": answers.get(method)}

    def block(self, number: int) -> dict[str, str]:
        mark = self.lies.get("fork", 0) if number >= self.lies.get("fork_at", 0) else 0
        return {
            "number": hex(number),
            "hash": "0x" + f"{number + mark:064x}",
            "timestamp": hex(12 * number),
            "gasLimit": "0x1",
            "baseFeePerGas": "0x1",
        }

    def close(self) -> None:
        """Nothing is held."""


def quorum(*nodes: Endpoint, **terms: int) -> Chain:
    return Chain(QuorumNode(nodes, **terms))


def test_what_all_say_is_believed():
    chain = quorum(Endpoint(), Endpoint("b"))

    assert (chain.height(), chain.balance(WHO), chain.block().number) == (100, 1100, 100)


def test_one_that_lags_a_little_sets_the_block_for_all():
    first, second = Endpoint(height=103), Endpoint("b", height=100)
    chain = quorum(first, second)

    assert chain.balance(WHO) == 1100
    assert chain.height() == 100
    assert ("eth_getBalance", [WHO, "0x64"]) in [(m, list(p)) for m, p in first.asked]


def test_one_that_lags_too_far_leaves_no_quorum_of_two():
    with pytest.raises(NodesDisagree, match="20 blocks behind, 5 allowed"):
        quorum(Endpoint(height=120), Endpoint("b", height=100)).balance(WHO)


def test_of_three_the_one_that_lags_too_far_is_left_out():
    late = Endpoint("c", height=3)

    assert quorum(Endpoint(), Endpoint("b"), late).balance(WHO) == 1100
    assert not [method for method, _ in late.asked if method == "eth_getBalance"]


def test_a_read_of_one_block_by_its_hash_is_asked_as_it_is():
    first = Endpoint()
    chain = quorum(first, Endpoint("b"))

    assert chain.call(WHO, b"", block=BlockHash(HASH)) == b"\x2a"
    assert first.asked[-1][1][1] == {"blockHash": HASH, "requireCanonical": True}


@pytest.mark.parametrize("height", [10**9, 106, 3])
def test_of_three_the_one_whose_height_is_far_from_the_others_is_out_voted(height):
    assert quorum(Endpoint("liar", height=height), Endpoint(), Endpoint("b")).balance(WHO) == 1100


@pytest.mark.parametrize("final", [0, 100])
def test_of_three_the_one_that_lies_about_what_is_final_is_out_voted(final):
    class Liar(Endpoint):
        def reply(self, method, params):
            honest = super().reply(method, params)
            return {"result": self.block(final)} if params[:1] == ["finalized"] else honest

    node = QuorumNode([Liar(), Endpoint(), Endpoint("b")])

    assert node.ask("eth_getBalance", (WHO, "finalized")) == {"result": hex(1098)}


@pytest.mark.parametrize("number", ["-0x1", "0x" + "f" * 20, "latest", None])
def test_of_three_the_one_whose_height_is_no_number_is_left_out(number):
    broken = Endpoint("broken", eth_getBlockByNumber={"number": number})

    assert quorum(Endpoint(), broken, Endpoint("b")).balance(WHO) == 1100


@pytest.mark.parametrize(
    ("method", "lie", "read"),
    [
        ("eth_getBalance", "0xffff", lambda chain: chain.balance(WHO)),
        ("eth_call", "0x2b", lambda chain: chain.call(WHO, b"")),
        ("eth_getCode", "0x60", lambda chain: chain.code(WHO)),
        ("eth_getLogs", [{"address": WHO, "topics": [], "data": "0x"}], lambda chain: chain.logs(address=WHO)),
    ],
)
def test_a_lie_stops_two_and_is_out_voted_by_three(method, lie, read):
    liar = Endpoint("liar", **{method: lie})
    honest = [Endpoint(eth_getCode="0x", eth_getLogs=[]) for _ in range(2)]

    with pytest.raises(NodesDisagree, match=f"disagree on {method}"):
        read(quorum(honest[0], liar))
    assert read(quorum(liar, *honest)) == read(quorum(*honest))


def test_another_block_hash_at_the_same_height_stops_everything():
    forked = Endpoint("b", fork=7, fork_at=90)

    with pytest.raises(NodesDisagree, match="eth_getBlockByNumber"):
        quorum(Endpoint(), forked).block()


def test_another_chain_is_refused_at_start():
    with pytest.raises(NodesDisagree, match="eth_chainId"):
        quorum(Endpoint(), Endpoint("b", eth_chainId="0x5"))


def test_one_that_is_down_leaves_no_quorum_of_two_and_does_not_stop_three():
    down = Endpoint("c", down=True)

    with pytest.raises(VenueUnavailable):
        quorum(Endpoint(), down)
    assert quorum(Endpoint(), Endpoint("b"), down).balance(WHO) == 1100


def test_a_receipt_that_not_all_have_is_not_there_yet_and_another_one_is_a_lie():
    receipt = {"transactionHash": HASH, "blockHash": HASH, "blockNumber": "0x1", "status": "0x1", "logs": []}
    has, lies = Endpoint(eth_getTransactionReceipt=receipt), {**receipt, "status": "0x0"}

    assert quorum(has, Endpoint("b")).receipt(HASH) is None
    with pytest.raises(NodesDisagree):
        quorum(has, Endpoint("b", eth_getTransactionReceipt=lies)).receipt(HASH)


def test_what_honest_nodes_differ_in_is_taken_from_the_first():
    assert quorum(Endpoint(eth_gasPrice="0x9"), Endpoint("b")).gas_price_wei() == 9


def test_a_send_goes_to_the_first_alone_and_is_never_repeated():
    first, second = Endpoint(), Endpoint("b")
    chain = quorum(first, second)

    with pytest.raises(OutcomeUnknown):  # the hash it answers is not the transaction's
        chain.send_raw(b"\x02")
    assert [m for m, _ in first.asked + second.asked].count("eth_sendRawTransaction") == 1
    with pytest.raises(ValueError, match="one by one"):
        chain.node.ask_many([("eth_sendRawTransaction", ["0x"])])


@pytest.mark.parametrize(("count", "least"), [(1, 2), (2, 1), (2, 3)])
def test_fewer_than_two_are_no_quorum(count, least):
    with pytest.raises(ConfigError, match="at least two"):
        QuorumNode([Endpoint() for _ in range(count)], least=least)
