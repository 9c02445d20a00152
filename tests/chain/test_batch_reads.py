"""Everything a rebalance looks at, at one block, in two round trips: and what happens when it cannot be so."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest

from adapters.evm.batch_reads import Moved, Reads, packed, steady, together, unpacked
from adapters.evm.chain import BlockHash, Chain, Reverted
from adapters.evm.deploy_builder import Builder, account
from adapters.evm.lyra import LyraOptions
from adapters.evm.onchain_state import OnchainReader
from adapters.evm.price_guard import pool_reads
from adapters.evm.rpc import Limits, Reply
from engine.errors import VenueUnavailable
from tests.chain.vault_stage import WETH, Stage, build, stage, supply

pytestmark = [pytest.mark.chain]


class Counting:
    """The real node; counts round trips, and refuses state overrides where a test asks for that."""

    def __init__(self, node, *, limits: Limits | None = None, overrides: str = "taken") -> None:
        self.node, self.name, self.can_fork, self.finality_depth = node, node.name, node.can_fork, node.finality_depth
        self.limits, self.overrides = limits or node.limits, overrides
        self.trips: list[list[tuple[str, Sequence[object]]]] = []

    def ask(self, method: str, params: Sequence[object]) -> Reply:
        self.trips.append([(method, params)])
        return self.node.ask(method, params)

    def ask_many(self, requests):
        self.trips.append(list(requests))
        if self.overrides == "taken":
            return self.node.ask_many(requests)
        plain = [(method, params) for method, params in requests if len(params) < 3]
        answers = iter(self.node.ask_many(plain)) if plain else iter(())
        wrong = {"refused": {"error": {"code": -32602, "message": "too many arguments"}}, "ignored": {"result": "0x"}}
        return [next(answers) if len(params) < 3 else wrong[self.overrides] for _, params in requests]

    def close(self) -> None:
        """The stage closes the real one."""


@pytest.fixture(scope="module")
def built() -> Iterator[Stage]:
    with stage() as made:
        yield made


@pytest.fixture
def s(built: Stage) -> Iterator[Stage]:
    snapshot = built.chain.snapshot()
    yield built
    built.chain.revert(snapshot)


def behind(s: Stage, node: Counting) -> tuple[Chain, OnchainReader]:
    """The stage's venues read through another node."""
    chain = Chain(node)
    lyra = LyraOptions(chain, s.holder, s.lyra.addresses, s.tokens["sUSD"])
    markets = [type(m)(chain, s.holder, m.addresses, s.tokens, name=m.name) for m in (s.cheap, s.dear)]
    return chain, OnchainReader(chain, markets, lyra)


def mixed(s: Stage):
    usdc, cheap = s.tokens["USDC"].contract, s.cheap.pool.contract
    return [usdc.query("symbol"), usdc.query("decimals"), cheap.query("getUserAccountData", s.holder.safe)] * 3


def whole(s: Stage, reader: OnchainReader) -> dict[str, Reads]:
    """The rest of what a rebalance looks at: the vault's balances, its Safe, and the pools."""
    reads = {market.name: market.balance_reads(s.holder.safe) for market in reader.lending}
    tokens = list(s.tokens.values())
    cash = tuple(token.contract.query("balanceOf", s.holder.safe) for token in tokens)
    safe = tuple(s.safe.query(name) for name in ("getOwners", "getThreshold", "nonce"))
    pools = {f"pool {pool.address}": pool_reads(pool, 300) for pool in s.uniswap.pools}
    return {**reads, **pools, "cash": Reads(cash, list), "safe": Reads(safe, tuple)}


def test_the_state_of_a_rebalance_is_two_round_trips_at_one_block_hash(s):
    node = Counting(s.chain.node)
    _, reader = behind(s, node)
    reader.read(also=whole(s, reader))  # the address book is learnt
    node.trips.clear()
    s.chain.mine()

    found = reader.read(also=whole(s, reader))

    heads, reads = node.trips
    wheres = [params[1] for method, params in reads if method == "eth_call"]
    assert {method for method, _ in heads} == {"eth_getBlockByNumber", "eth_gasPrice"}
    assert wheres == [{"blockHash": found.state.block_hash, "requireCanonical": True}] * len(wheres)
    assert found.state == replace(s.reader.state(block=found.state.block), gas_price_wei=found.state.gas_price_wei)
    assert found.also["safe"] == (list(s.vault.state().owners), 2, 0)
    assert found.also["cash"][0] == s.balance("USDC")


@pytest.mark.parametrize("overrides", ["taken", "refused", "ignored"])
@pytest.mark.parametrize("size", [2, 200])
def test_answers_do_not_depend_on_how_they_travel(s, overrides, size):
    limits = replace(s.chain.node.limits, calls_per_multicall=size)
    chain = Chain(Counting(s.chain.node, limits=limits, overrides=overrides))
    queries = mixed(s)

    alone = [query_alone(s, query) for query in queries]

    assert chain.read_many(queries) == alone
    assert chain.read_many(queries, block=s.chain.block().pinned) == alone
    assert chain.read_many(queries[:1]) == alone[:1]
    assert chain.read_many([]) == []


def query_alone(s: Stage, query):
    from adapters.evm.abi import decode_result

    return decode_result(query.entry, s.chain.call(query.to, query.data))


def test_an_endpoint_without_overrides_is_asked_only_once_for_them(s):
    node = Counting(s.chain.node, overrides="refused")
    chain = Chain(node)
    chain.read_many(mixed(s))
    node.trips.clear()

    chain.read_many(mixed(s), block=s.chain.block().pinned)

    assert [len(params) for trip in node.trips for _, params in trip] == [2] * 9


def test_the_same_in_process():
    from adapters.evm.world import open_world

    with open_world("in-process") as (chain, world):
        made = build(chain, world)
        symbols = [made.tokens[code].contract.query("symbol") for code in ("USDC", "WETH")]

        assert chain.read_many(symbols) == ["USDC", "WETH"]
        assert chain.read_many(symbols, block=chain.block().pinned) == ["USDC", "WETH"]


def test_one_that_reverts_is_told_in_its_words_and_spoils_no_other(s):
    lost = s.lyra.market.contract.query("settleExpiredBoard", 7)
    queries = [*mixed(s)[:2], lost]

    answers = s.chain.answers(queries)

    assert answers[:2] == ["USDC", 6]
    assert isinstance(answers[2], Reverted)
    with pytest.raises(Reverted, match="InvalidBoardId"):
        s.chain.read_many(queries)


@pytest.mark.fault("F28")
def test_a_read_of_an_account_without_code_is_no_answer(s):
    nobody = s.tokens["USDC"].contract.at("0x" + "77" * 20)

    with pytest.raises(VenueUnavailable, match="no such contract"):
        s.chain.read_many([nobody.query("decimals"), s.tokens["USDC"].contract.query("decimals")])


@pytest.mark.fault("F24")
def test_a_block_that_left_the_chain_answers_nothing(s):
    Builder(s.chain, account(8)).send(s.tokens["USDC"].contract, "approve", account(7).address, 1)
    gone = s.chain.block().pinned
    s.chain.request("anvil_reorg", 1, [])
    s.chain.mine(3)

    with pytest.raises(VenueUnavailable):
        s.chain.read_many(mixed(s), block=gone)
    with pytest.raises(VenueUnavailable):
        s.chain.read_many(mixed(s), block=BlockHash("0x" + "11" * 32))


def test_a_rate_model_that_moved_is_found_and_read_where_it_is_now(s):
    _, reader = behind(s, Counting(s.chain.node))
    before = reader.state()
    market = reader.lending[0]
    token, _ = market._known
    market._known = token, s.world["USDC"]  # what governance would do, seen from here

    assert reader.state().lending == before.lending


def test_a_change_between_two_readings_is_seen(s):
    _, reader = behind(s, Counting(s.chain.node))
    also = whole(s, reader)
    before = reader.read(also=also)
    s.run((s.cheap, supply("aave-cheap", WETH, "20")))

    after = reader.read(also=also)

    assert after.state.block > before.state.block
    assert before.also["cash"][2] - after.also["cash"][2] == 20 * 10**18
    assert after.also["aave-cheap"]["aave-cheap supply WETH"] == pytest.approx(20 * 10**18, rel=1e-8)  # and interest


def test_all_learn_where_they_are_before_any_is_asked_again():
    learnt: list[str] = []

    def elsewhere(name: str):
        def make(_answers):
            learnt.append(name)
            raise Moved(name)

        return Reads((), make)

    with pytest.raises(Moved, match="a moved"):
        together({"a": elsewhere("a"), "b": elsewhere("b")}).of([])
    assert learnt == ["a", "b"]


def test_what_never_stands_still_is_given_up_after_a_few_rounds():
    rounds: list[int] = []

    def read() -> int:
        rounds.append(1)
        raise Moved("it")

    with pytest.raises(Moved):
        steady(read)
    assert len(rounds) == 4


@pytest.mark.parametrize("returned", [b"", bytes(31), (9).to_bytes(32), (1).to_bytes(32) * 3])
def test_an_answer_that_the_program_cannot_have_given_is_none(returned):
    with pytest.raises(ValueError, match=r"too short|too long"):
        unpacked(returned, 2)


def test_call_data_is_a_row_of_lengths_targets_and_bytes(s):
    query = s.tokens["USDC"].contract.query("decimals")

    assert packed([query]).hex() == f"{4:024x}" + s.world["USDC"][2:].lower() + "313ce567"
