"""The view holds what the snapshot says, and refuses marks that are none."""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from adapters.files.observation import demo_day
from engine.errors import MarketDataError
from engine.market import (
    FundMark,
    LendingMarket,
    OnchainState,
    OptionListing,
    PerpetualMark,
    PoolState,
    PowerMark,
    RateCurve,
)
from engine.risk.view import EXIT_GAS, pricing_view

MARKET = demo_day(date(2018, 4, 24))
STATE = OnchainState(
    1, 10, "0xb", MARKET.asof, {"ETH": 700.0, "WETH": 700.0},
    (LendingMarket("m", "DAI", 0.04, 0.03, 0.8, 0.75, 1e6, 0.5, 0.0, 0.04, 0.6, 0.8),),
    (OptionListing("lyra", "1", MARKET.asof + timedelta(days=7), 700.0, 0.8, 0.8),), 20 * 10**9,
    (PerpetualMark("perp-v2", "WETH", 701.0, 0.1),), (PowerMark("squeeth", "WETH", 0.5, 0.8),),
    (PoolState("uni", "WETH", "DAI", 700.0, 3000, 60, 1e6, 1e5),),
)  # fmt: skip
SNAPSHOT = replace(MARKET.with_chain(STATE), funds=(FundMark("VIXY", 24.0, leverage=1.0),))


def test_everything_marked_is_found_by_the_name_a_contract_has():
    view = pricing_view(SNAPSHOT)

    assert view.perpetuals["perp-v2", "WETH"].price == 701.0
    assert view.powers["squeeth", "WETH"].normalisation == 0.5
    assert view.pools["uni"].fee == 3000
    assert view.funds["VIXY"].price == 24.0
    assert view.lending["m", "DAI"].borrow_rate == 0.04
    assert view.listings["lyra", MARKET.asof + timedelta(days=7), 700.0].listing == "1"
    assert view.quotes.keys() >= view.smiles.keys() | view.vix_smiles.keys()


def test_exit_gas_is_units_times_price_times_ether():
    view = pricing_view(SNAPSHOT)

    assert view.exit_gas_usd == pytest.approx({kind: units * 20e-9 * 700.0 for kind, units in EXIT_GAS.items()})


@pytest.mark.fault("F76")
def test_an_interest_rate_that_no_market_pays_is_refused_before_anything_is_valued():
    with pytest.raises(MarketDataError, match=r"parity: -7308\.00% a year to SPXW? 2018-"):
        pricing_view(replace(SNAPSHOT, rates=RateCurve((1.0,), (-73.08,), "parity")))


@pytest.mark.fault("F76")
@pytest.mark.parametrize("broken", [float("nan"), float("inf"), 0.0, -1.0])
@pytest.mark.parametrize(
    "spoil",
    [
        lambda s, bad: replace(s, funds=(FundMark("VIXY", bad),)),
        lambda s, bad: replace(s, vix_futures=((s.vix_futures[0][0], bad),)),
        lambda s, bad: replace(s, chain=replace(s.chain, perpetuals=(PerpetualMark("p", "WETH", bad, 0.1),))),
        lambda s, bad: replace(s, chain=replace(s.chain, powers=(PowerMark("p", "WETH", bad, 0.8),))),
        lambda s, bad: replace(s, chain=replace(s.chain, pools=(PoolState("p", "A", "B", bad, 1, 1, 1.0, 1.0),))),
    ],
    ids=["fund", "future", "perpetual", "power", "pool"],
)
def test_a_mark_that_is_no_price_is_refused_before_anything_is_valued(spoil, broken):
    with pytest.raises(MarketDataError, match="no price"):
        pricing_view(spoil(SNAPSHOT, broken))


@pytest.mark.fault("F76")
@pytest.mark.parametrize(
    "mark",
    [
        PerpetualMark("p", "WETH", 700.0, float("nan")),
        PerpetualMark("p", "WETH", 700.0, 0.1, -1.0),
        PerpetualMark("p", "WETH", 700.0, 0.1, float("nan")),
    ],
)
def test_funding_and_spreads_that_are_none_are_refused_too(mark):
    with pytest.raises(MarketDataError, match="refused"):
        pricing_view(replace(SNAPSHOT, chain=replace(STATE, perpetuals=(mark,))))


@pytest.mark.parametrize(
    "change",
    [
        lambda s: replace(s, funds=()),
        lambda s: replace(s, chain=replace(s.chain, perpetuals=(PerpetualMark("perp-v2", "WETH", 701.0, 0.11),))),
        lambda s: replace(s, chain=replace(s.chain, powers=())),
        lambda s: replace(s, chain=replace(s.chain, pools=())),
    ],
)
def test_every_mark_is_in_the_snapshots_digest(change):
    assert change(SNAPSHOT).digest != SNAPSHOT.digest


@pytest.mark.fault("F76")
@pytest.mark.parametrize("broken", [float("nan"), float("inf"), -1.0])
@pytest.mark.parametrize(
    "spoil",
    [
        lambda s, bad: replace(s, crypto_vol=bad),
        lambda s, bad: replace(s, chain=replace(s.chain, prices={"WETH": bad})),
        lambda s, bad: replace(s, chain=replace(s.chain, lending=(replace(STATE.lending[0], threshold=bad),))),
        lambda s, bad: replace(s, chain=replace(s.chain, lending=(replace(STATE.lending[0], liquidity=bad),))),
        lambda s, bad: replace(s, chain=replace(s.chain, options=(replace(STATE.options[0], put_iv=bad),))),
    ],
    ids=["volatility", "token", "threshold", "liquidity", "listing"],
)
def test_what_the_chain_says_is_a_number_or_refused(spoil, broken):
    with pytest.raises(MarketDataError, match="refused"):
        pricing_view(spoil(SNAPSHOT, broken))
