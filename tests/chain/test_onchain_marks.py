"""Marks of perpetuals, power perpetuals and vault shares, read with everything else at one block hash."""

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from types import SimpleNamespace

import pytest

from adapters.evm.chain import Chain
from adapters.evm.deploy_perp import open_markets
from adapters.evm.onchain_state import OnchainReader
from adapters.evm.share_vault import SharePriceGuard, ShareVaults
from engine.errors import VenueUnavailable
from engine.instruments import Perpetual, VaultShare
from engine.money import Currency
from engine.risk.pricing_view import PricingView
from engine.risk.scenarios import Scenarios
from engine.risk.valuation import unit_gains, unit_values
from tests.chain.test_batch_reads import Counting
from tests.chain.test_perp import venue_of
from tests.chain.test_power import SQUEETH, VOL, Protocol
from tests.chain.test_share_vault import Vaults
from tests.chain.vault_stage import stage

pytestmark = [pytest.mark.chain]
USDC = Currency("USDC", 6)


@pytest.fixture(scope="module")
def made() -> Iterator[SimpleNamespace]:
    with stage() as base:
        open_markets(base.chain, base.world.addresses, {"ETH": Decimal(2000), "VOL": Decimal(65)})
        base.chain.warp(base.chain.block().timestamp + 1900)
        bare = base.chain.height()
        yield SimpleNamespace(stage=base, bare=bare, vaults=Vaults(base), power=Protocol(base))


@pytest.fixture
def s(made) -> Iterator[SimpleNamespace]:
    """The stage with its vaults and power perpetual, put back afterwards."""
    snapshot = made.stage.chain.snapshot()
    yield made
    made.stage.chain.revert(snapshot)


def reader(made, chain: Chain, **changes) -> OnchainReader:
    """Everything there is to mark, read through `chain`."""
    on = replace(made.stage, chain=chain)
    whole = OnchainReader(
        chain,
        (made.stage.cheap,),
        perpetuals=[venue_of(on)],
        powers=[made.power.venue(on)],
        shares=ShareVaults(chain, on.holder, made.vaults.listed),
    )
    return replace(whole, **changes)


def test_all_marks_are_read_in_the_same_two_round_trips_at_one_block_hash(s):
    node = Counting(s.stage.chain.node)
    reading = reader(s, Chain(node))
    reading.state()  # the address book is learnt
    node.trips.clear()
    s.stage.chain.mine()

    state = reading.state()

    heads, reads = node.trips
    wheres = [params[1] for method, params in reads if method == "eth_call"]
    past = hex(state.block - SharePriceGuard().blocks)
    assert {method for method, _ in heads} == {"eth_getBlockByNumber", "eth_gasPrice"}
    assert wheres == [{"blockHash": state.block_hash, "requireCanonical": True}, past]
    assert {mark.underlying for mark in state.perpetuals} == {"WETH", "EVIV"}


def test_positions_on_these_venues_are_worth_what_the_venues_say(s):
    state = reader(s, s.stage.chain).state()

    marks = {mark.underlying: mark for mark in state.perpetuals}
    view = PricingView(
        asof=state.at,
        spot=2640.0,
        smiles={},
        token_usd=dict(state.prices),
        token_vol={},
        perpetuals={(mark.venue, mark.underlying): mark for mark in state.perpetuals},
        powers={(mark.venue, mark.underlying): mark for mark in state.powers},
    )
    # 800,000 USDC bought 800,000 shares, 200,000 USDC were given: 1,000,000 / 800,000 = 1.25 USDC, a dollar each
    assert unit_values(VaultShare("calm", USDC), view, Scenarios.now())[0] == pytest.approx(1.25, rel=1e-6)
    # markets were opened at 2,000 USD of ether and 65 points of volatility
    assert marks["WETH"].price == pytest.approx(2000, rel=5e-3)
    assert marks["EVIV"].price == pytest.approx(65, rel=5e-3)
    up = Scenarios.of(crypto=[0.1])
    gained = unit_gains(Perpetual("perp", "WETH", USDC), view, up)[0]
    assert gained == pytest.approx(marks["WETH"].price * (2.718281828459045**0.1 - 1), rel=1e-9)
    # S28: the pool was filled at the price of 80 % volatility
    (power,) = state.powers
    assert (power.venue, power.vol) == ("squeeth", pytest.approx(VOL, rel=1e-3))
    assert unit_values(SQUEETH, view, Scenarios.now())[0] > 0


@pytest.mark.fault("F44")
def test_a_share_whose_price_jumped_is_marked_at_the_lower_of_now_and_then(s):
    before = reader(s, s.stage.chain).state().prices["calm"]
    token = s.stage.tokens["USDC"].contract
    s.vaults.keeper.send(token, "transfer", s.vaults.own[0].address, 6 * 10**10)  # 1.06 M for 800,000: 1.325, +6 %

    jumped = reader(s, s.stage.chain).state().prices
    s.stage.chain.mine(SharePriceGuard().blocks)
    settled = reader(s, s.stage.chain).state().prices

    assert jumped["calm"] == pytest.approx(before, rel=1e-6)
    assert settled["calm"] == pytest.approx(1.325, rel=1e-6)
    assert jumped["slow"] == pytest.approx(1.25, rel=1e-6)


@pytest.mark.fault("F44")
def test_a_share_of_a_vault_younger_than_its_guard_looks_back_has_no_price(s):
    since = s.stage.chain.height() - s.bare
    young = ShareVaults(s.stage.chain, s.stage.holder, s.vaults.listed, guard=SharePriceGuard(blocks=since))

    with pytest.raises(VenueUnavailable, match="the answer of convertToAssets is not readable"):
        reader(s, s.stage.chain, shares=young).state()
