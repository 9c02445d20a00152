"""Each shock on a fork of the local world: what it moves, what it leaves, and which guard it meets."""

from dataclasses import dataclass, replace
from decimal import Decimal

import pytest

from adapters.evm import shocks
from adapters.evm.anvil import start_anvil
from adapters.evm.chain import connect
from adapters.evm.contract import Contract
from adapters.evm.deploy_aave import MARKETS
from adapters.evm.deploy_builder import Builder, account
from adapters.evm.erc20 import Token
from adapters.evm.feed_code import feed_code
from adapters.evm.fork import Fork, Sent
from adapters.evm.price_guard import Feed
from adapters.evm.shock import Stage
from adapters.evm.shock_pools import taken
from adapters.evm.shocks import Scenario, scenarios
from adapters.evm.uniswap_wire import swap
from adapters.safe.simulation import approved_by, as_if_approved
from contracts_abi import load
from engine.errors import ConfigError, InputError, OrderRejected
from engine.money import Money
from engine.ports import SignedSafeTx
from tests.chain.vault_stage import SPOT, SUSD, USDC, buy, stage

pytestmark = [pytest.mark.chain, pytest.mark.timeout(240)]

FEED = "0x00000000000000000000000000000000000FeED1"


@dataclass
class Bench:
    """A desk on a fork, and what shocks are applied to."""

    desk: object
    stage: Stage
    mark: object

    @property
    def chain(self):
        return self.stage.fork.chain

    def shocked(self, scenario, swapped=None):
        return shocks.apply(scenario, self.stage, swapped)


@pytest.fixture(scope="module")
def built(fetched_packages):
    with stage() as desk:
        here = Stage(Fork(desk.chain), desk.world.addresses, (desk.cheap, desk.dear), desk.lyra, desk.uniswap)
        yield Bench(desk, here, here.fork.mark())


@pytest.fixture
def bench(built):
    """Each test begins where the desk was built."""
    yield built
    built.mark = built.stage.fork.back(built.mark)


def effects(shock):
    assert shock.applied, shock.why_not
    return {effect.what: effect for effect in shock.effects}


def test_ether_halves_in_every_oracle_on_the_options_venue_and_in_its_pool_at_once(bench):
    found = effects(bench.shocked(Scenario.PRICE_HALVED))

    half = float(SPOT) / 2
    assert bench.desk.cheap.prices()["WETH"] == bench.desk.dear.prices()["WETH"] == half
    assert found["ether at lyra"].after == half
    assert found["WETH in pool WETH/USDC"].after == pytest.approx(half, rel=1e-9)
    assert bench.desk.reader.state().prices["WETH"] == half  # and the two oracles agree, as a reading demands


def test_a_market_that_reads_a_feed_is_moved_through_the_feed_which_stays_fresh(bench):
    fed(bench, FEED, 2_000 * 10**8)

    bench.shocked(Scenario.PRICE_HALVED)

    assert bench.desk.cheap.prices()["WETH"] == 1_000.0
    feed = Feed("WETH", FEED, 8, 3_600)
    assert feed.price(feed.reads().at(bench.chain), bench.chain.block().timestamp) == 1_000.0


@pytest.mark.fault("F45")
def test_a_lost_peg_stands_in_every_oracle_and_pool_of_the_stablecoin(bench):
    here = replace(bench.stage, lending=[in_dollars(bench.desk.cheap), in_dollars(bench.desk.dear)])

    found = effects(shocks.apply(Scenario.PEG_LOST, here))

    assert {effect.after for what, effect in found.items() if "at aave" in what} == {0.88}
    assert found["USDC in pool USDC/sUSD"].after == pytest.approx(0.88, rel=1e-6)
    assert bench.desk.reader.state().prices["USDC"] == 0.88


def test_rates_at_the_kink_are_base_and_first_slope_of_each_curve(bench):
    bench.shocked(Scenario.RATE_AT_KINK)

    for market in (bench.desk.cheap, bench.desk.dear):
        curve, lent = MARKETS[market.name], market.lending()
        assert lent.utilisation == pytest.approx(float(curve.kink), abs=1e-8)
        assert lent.borrow_rate == pytest.approx(float(curve.base + curve.slope1), abs=1e-8)


@pytest.mark.requirement("D22")
def test_eight_percent_of_what_is_supplied_leaves_every_reserve(bench):
    data = Contract(bench.desk.cheap.addresses.data_provider, load("aave-v3-data-provider"))
    before = {code: data.read(bench.chain, "getATokenTotalSupply", t.address) for code, t in bench.stage.tokens.items()}

    found = effects(bench.shocked(Scenario.TVL_DOWN))

    for effect in found.values():
        assert effect.after / effect.before == pytest.approx(0.92, rel=1e-12)
    for code, token in bench.stage.tokens.items():
        left = data.read(bench.chain, "getATokenTotalSupply", token.address)
        assert left / before[code] == pytest.approx(0.92, abs=1e-6)  # interest of the seconds since


@pytest.mark.fault("F47")
def test_gas_at_ten_times_its_price_is_what_the_executor_then_pays(bench):
    executor, usual = bench.desk.vault.executor, bench.chain.gas_price_wei()

    shock = bench.shocked(Scenario.GAS_TENFOLD)
    receipt = executor.send(account(5).address, b"")

    assert receipt.gas_price_wei == 10 * usual
    assert effects(shock)["gas price"].after == pytest.approx(10 * usual / 1e9)


def test_going_back_to_a_mark_brings_the_old_price_of_gas_back(bench):
    usual, mark = bench.chain.gas_price_wei(), bench.stage.fork.mark()
    bench.shocked(Scenario.GAS_TENFOLD)

    bench.stage.fork.back(mark)

    assert bench.chain.gas_price_wei() == usual


@pytest.mark.fault("F41")
def test_a_frozen_oracle_is_refused_by_the_feeds_heartbeat_and_by_the_options_venue(bench):
    fed(bench, FEED, 2_000 * 10**8, updated=bench.chain.block().timestamp)

    shock = bench.shocked(Scenario.ORACLE_FROZEN)

    said = {verdict.guard: verdict for verdict in shock.verdicts}
    assert said["aave-cheap price of WETH"].refuses
    assert "s old, 3660 s are allowed" in said["aave-cheap price of WETH"].says
    assert said["lyra spot"].refuses
    assert "RateIsInvalid" in said["lyra spot"].says
    with pytest.raises(OrderRejected, match="RateIsInvalid"):
        Contract(bench.desk.lyra.addresses.exchange, load("lyra-synthetix-adapter")).read(
            bench.chain, "getSpotPriceForMarket", bench.desk.lyra.addresses.market
        )


def test_a_price_that_carries_no_time_is_said_to_have_no_freshness_guard(bench):
    shock = bench.shocked(Scenario.ORACLE_FROZEN)

    (said,) = [verdict for verdict in shock.verdicts if verdict.guard == "aave-dear price of WETH"]
    assert not said.refuses
    assert "carries no time" in said.says


@pytest.mark.fault("F46")
def test_a_sandwiched_swap_reverts_by_its_price_bound_and_keeps_the_nonce(bench):
    asked = bounded_swap(bench, Decimal("0.003"))

    ours, shock = sandwiched(bench, asked)

    assert ours.status == 0
    assert bench.desk.vault.state().nonce == 0
    assert bench.desk.balance("sUSD") == 50_000 * 10**18
    assert taken(bench.stage, shock.around).after < 0  # the stranger paid two fees for nothing


@pytest.mark.fault("F46")
def test_a_swap_bounded_loosely_executes_inside_the_sandwich_at_no_more_than_its_bound(bench):
    asked = bounded_swap(bench, Decimal("0.05"))
    held = bench.desk.balance("USDC")

    ours, _ = sandwiched(bench, asked)

    assert ours.status == 1
    paid = held - bench.desk.balance("USDC")
    assert 1_020 * 10**6 < paid <= -asked.limit.units


def test_the_strangers_trades_stand_right_before_and_right_after_ours_in_one_block(bench):
    ours, _ = sandwiched(bench, bounded_swap(bench, Decimal("0.05")))

    block = bench.chain.request("eth_getBlockByNumber", hex(ours.block), False)
    assert len(block["transactions"]) == 3
    assert block["transactions"][1] == ours.transaction_hash


@pytest.mark.parametrize("absent", ["lyra-rates"])
def test_without_the_test_exchange_the_price_shock_says_that_it_cannot_be_applied_and_why(bench, absent):
    book = {name: place for name, place in bench.stage.book.items() if name != absent}

    shock = shocks.apply(Scenario.PRICE_HALVED, replace(bench.stage, book=book))

    assert not shock.applied
    assert absent in shock.why_not


def test_without_feed_and_test_oracle_the_price_shock_says_that_it_cannot_be_applied_and_why(bench):
    bench.stage.fork.put_code(bench.desk.world["aave-cheap-prices"], feed_code(1, 8))  # takes no price from anybody

    shock = bench.shocked(Scenario.PRICE_HALVED)

    assert not shock.applied
    assert shock.why_not


def test_a_chain_whose_node_we_did_not_start_is_never_bent(bench):
    with connect(bench.chain.node.url) as other, pytest.raises(ConfigError, match="throw-away"):
        Fork(other)


def test_what_is_done_to_a_fork_never_reaches_the_chain_below(bench):
    original, watched = bench.chain, [account(0).address, account(9).address, bench.desk.holder.safe]
    before = seen(original, watched)

    with start_anvil(fork=original) as copy:
        here = replace(bench.stage, fork=Fork(copy))
        here.fork.give(bench.stage.tokens["USDC"], watched[2], 1)
        here.fork.put_code(watched[2], b"\x00")
        here.fork.carry_out(Sent(watched[2], watched[0], b""))

    assert seen(original, watched) == before


def test_a_balance_behind_a_proxy_is_found_and_written(bench):
    data = Contract(bench.desk.cheap.addresses.data_provider, load("aave-v3-data-provider"))
    proxy = data.read(bench.chain, "getReserveTokensAddresses", bench.desk.world["USDC"])["aTokenAddress"]
    receipts, lender = Token(USDC, proxy), account(9).address

    given = bench.stage.fork.give(receipts, lender, 12_345)

    assert given
    assert receipts.contract.read(bench.chain, "balanceOf", lender) == 12_345


def test_a_token_whose_balances_are_in_no_storage_cannot_be_handed_out(bench):
    sevens = Token(USDC, FEED)
    bench.stage.fork.put_code(FEED, bytes.fromhex("60075f5260205ff3"))  # whatever is asked, 7

    assert not bench.stage.fork.give(sevens, account(9).address, 12_345)


@pytest.mark.parametrize(
    ("written", "near"), [("price-halfed", "price-halved"), ("sandwhich", "sandwich"), ("gas", "gas-tenfold")]
)
def test_an_unknown_scenario_is_refused_with_the_nearest_known(written, near):
    with pytest.raises(InputError, match=f"did you mean {near}"):
        scenarios([written])


def test_all_names_every_scenario_once():
    assert scenarios(["sandwich", "all"]) == (Scenario.SANDWICH, *(s for s in Scenario if s is not Scenario.SANDWICH))


def fed(bench, place, answer, *, updated=None):
    """Let both markets read ether from a feed; one that was updated then answers so ever after."""
    code = feed_code(answer, 8)
    if updated is not None:  # TIMESTAMP, twice, becomes PUSH4 of that instant
        code = frozen_code(answer, updated)
    bench.stage.fork.put_code(place, code)
    entry = {
        "type": "function",
        "name": "setAssetSources",
        "outputs": [],
        "inputs": [{"name": "assets", "type": "address[]"}, {"name": "sources", "type": "address[]"}],
    }
    for market in (bench.desk.cheap, bench.desk.dear):
        oracle = Contract(market.addresses.oracle, [entry])
        Builder(bench.chain).send(oracle, "setAssetSources", [bench.desk.world["WETH"]], [place])


def frozen_code(answer, updated):
    """A feed whose round stands still: five words returned whatever is asked, `latestAnswer` apart."""
    words = [1, answer, updated, updated, 1]
    stores = b"".join(b"\x7f" + w.to_bytes(32) + b"\x60" + bytes([32 * at]) + b"\x52" for at, w in enumerate(words))
    rounds = b"\x5b" + stores + b"\x60\xa0\x5f\xf3"
    single = b"\x5b\x7f" + answer.to_bytes(32) + b"\x5f\x52\x60\x20\x5f\xf3"
    eight = b"\x5b\x60\x08\x5f\x52\x60\x20\x5f\xf3"
    head = 5 + 2 * 10 + 4
    start = head
    at_single, at_eight, at_rounds = start, start + len(single), start + len(single) + len(eight)
    code = b"\x5f\x35\x60\xe0\x1c"
    code += b"\x80\x63\x50\xd2\x5b\xcd\x14\x60" + bytes([at_single]) + b"\x57"
    code += b"\x80\x63\x31\x3c\xe5\x67\x14\x60" + bytes([at_eight]) + b"\x57"
    code += b"\x60" + bytes([at_rounds]) + b"\x56"
    return code.ljust(head, b"\x00") + single + eight + rounds


def in_dollars(market):
    """The same market with dollars as what secures its loans."""
    from copy import copy

    made = copy(market)
    made.collateral = market.pool.tokens["USDC"]
    return made


def bounded_swap(bench, share):
    """An order for 1,000 sUSD that pays at most so much more than the pool asks now."""
    return bench.desk.uniswap.bounded(buy(SUSD, "1000", Money.of("-1000", USDC)), share)


def sandwiched(bench, asked):
    """Our batch with one swap, approved by a quorum, between a stranger's two trades in one block."""
    desk, fork = bench.desk, bench.stage.fork
    transaction = desk.vault.propose(desk.uniswap.calls(asked), deadline=desk.deadline())
    quorum = sorted(desk.vault.terms().owners)[:2]
    for slot, word in as_if_approved(transaction, quorum)[transaction.safe]["stateDiff"].items():
        if int(slot, 16) != 5:
            fork.store(transaction.safe, int(slot, 16), bytes.fromhex(word[2:]))
    data = desk.vault.calldata(SignedSafeTx(transaction, approved_by(quorum)))
    shock = bench.shocked(Scenario.SANDWICH, swap(desk.uniswap.pools, asked))
    here = Sent(account(4).address, desk.holder.safe, data, 2_000_000)
    _, ours, _ = fork.in_one_block([shock.around.front, here, shock.around.back])
    return ours, shock


def seen(chain, accounts):
    """Block, nonces, balances and code of a chain."""
    return chain.height(), [(chain.nonce(a), chain.balance(a), chain.code(a)) for a in accounts]
