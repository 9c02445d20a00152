"""Every limit read off a book: levels, readings, and which of them bind."""

import math
from dataclasses import replace

import pytest

from engine.errors import MissingQuote
from engine.instruments import Cash, LendingDebt, LendingSupply
from engine.money import Currency, Money
from engine.positions import Book, Position, Sleeve
from engine.risk.concentration import Stands
from engine.risk.drawdown import two_sd_scenarios
from engine.risk.limits import LimitReading, LimitSet, health_by_scenario, health_factors, limit_readings
from engine.risk.scenarios import Scenarios
from tests.engine.risk.golden import EXPIRY, condors, golden_view
from tests.engine.terms import spx

WETH, DAI, USDC = Currency("WETH", 18), Currency("DAI", 18), Currency("USDC", 6)
VIEW = golden_view(token_usd={"WETH": 2000.0, "DAI": 1.0, "USDC": 1.0})
RULE = two_sd_scenarios(VIEW, next_expiry=EXPIRY, crypto_beta=1.2, crypto_idiosyncratic_vol=0.5)
LIMITS = LimitSet(
    capital=1e6, sleeve_cap=0.2, drawdown_2sd=0.06, session_new_outer=0.25, defined_risk=300_000.0,
    quick_ratio_min=1.0, health_factor_min=1.5, own_margin=30_000.0,
)  # fmt: skip
THRESHOLDS = {("aave", "USDC"): 0.8, ("aave", "WETH"): 0.8}


def held(instrument, amount, sleeve=Sleeve.DEFI):
    return Position(instrument, Money.of(amount, instrument.unit), sleeve, "vault")


def read(book, **how):
    found = limit_readings(book, VIEW, RULE, LIMITS, **({"thresholds": THRESHOLDS, "crypto_beta": 1.2} | how))
    return {reading.limit: reading for reading in found}


@pytest.mark.requirement("S40")
@pytest.mark.parametrize(("units", "holds"), [(13, True), (14, False)])
def test_thirteen_condors_per_million_keep_six_percent_and_fourteen_break_it(units, holds):
    """Finding 4: to expiry each loses its whole USD 4,424."""
    reading = read(condors(units, cash=1_000_000))["drawdown_2sd"]

    assert reading.holds is holds
    assert reading.reading == pytest.approx(units * 4423.88 / 1e6, rel=1e-4)
    assert reading.detail.startswith("to expiry")
    assert reading.detail.endswith("; 88% of margin")  # 4,423.88 of 5,000, reported and not limited


@pytest.mark.requirement("S41")
def test_the_session_cap_is_always_read_and_binds_in_high_volatility_only():
    calm = read(condors(1, cash=1e6), session_new_outer=90_000.0)["session_new_outer"]
    wild = read(condors(1, cash=1e6), session_new_outer=90_000.0, high_vol=True)["session_new_outer"]

    assert calm.reading == wild.reading == pytest.approx(0.3)
    assert calm.breach() is None
    assert "0.3" in str(wild.breach())


@pytest.mark.requirement("S42")
def test_beta_is_always_read_and_binds_only_when_gdp_is_uncertain():
    put = spx(5900, "P", EXPIRY)
    book = condors(1, cash=1e6).plus([held(put, -6, Sleeve.CONDOR)])

    certain, uncertain = read(book)["beta"], read(book, gdp_uncertain=True)["beta"]

    assert certain.reading == uncertain.reading > 0.7
    assert certain.breach() is None
    assert uncertain.breach() is not None


@pytest.mark.requirement("S47")
def test_margin_beyond_cash_breaks_the_quick_ratio():
    short = read(condors(3, cash=14_000).plus([held(Cash(USDC), 100_000)]))["quick_ratio"]
    enough = read(condors(3, cash=16_000))["quick_ratio"]

    assert (short.reading, short.holds) == (0.0, False)
    assert enough.reading == math.inf
    assert "below the warning at 1.5" in short.detail


@pytest.mark.requirement("S39")
def test_the_sleeve_is_its_share_of_the_whole():
    book = condors(1, cash=800_000).plus([held(Cash(USDC), 100_000), held(Cash(DAI), 100_000, Sleeve.TRANSIT)])

    assert read(book)["sleeve_cap"].reading == pytest.approx(0.2, rel=2e-3)


@pytest.mark.requirement("D17")
def test_health_is_that_of_the_worst_cell_with_a_haircut_on_what_secures_and_none_on_what_is_owed():
    """10,000 USDC at 0.99 and a threshold of 0.8 against 4,000 DAI at par: 1.98 where no time passes."""
    book = Book((held(LendingSupply("aave", USDC), 10_000), held(LendingDebt("aave", DAI), -4_000)))

    by_cell = health_by_scenario(book, VIEW, replace(RULE, days=0 * RULE.days), THRESHOLDS)

    assert by_cell["aave"] == pytest.approx([1.98] * len(RULE))
    assert health_factors(book, VIEW, RULE, THRESHOLDS)["aave"] == pytest.approx(1.98, rel=1e-9)


def test_interest_over_the_horizon_counts_against_health():
    book = Book((held(LendingSupply("aave", USDC), 10_000), held(LendingDebt("aave", DAI), -4_000)))
    year = Scenarios.of(days=365.0, borrow=0.10)

    assert health_factors(book, VIEW, year, THRESHOLDS)["aave"] == pytest.approx(2.0 * math.exp(-0.10))


def test_a_market_without_debt_has_no_factor_and_one_without_threshold_is_refused():
    assert health_factors(Book((held(LendingSupply("aave", WETH), 1),)), VIEW, RULE, {}) == {}
    owed = Book((held(LendingDebt("aave", DAI), -1),))
    assert health_factors(owed, VIEW, RULE, {}) == {"aave": 0.0}
    with pytest.raises(MissingQuote, match="threshold for WETH in aave"):
        health_factors(owed.plus([held(LendingSupply("aave", WETH), 1)]), VIEW, RULE, {})


@pytest.mark.requirement("D17")
def test_each_token_secures_at_its_own_threshold():
    """Aave's published sum: (10 ether at 2,000 USD x 0.825 + 10,000 USDC x 0.78) / 12,150 DAI owed = 2."""
    supplied = held(LendingSupply("aave", WETH), 10), held(LendingSupply("aave", USDC), 10_000)
    book = Book((*supplied, held(LendingDebt("aave", DAI), -12_150)))
    thresholds = {("aave", "WETH"): 0.825, ("aave", "USDC"): 0.78}

    assert health_factors(book, VIEW, Scenarios.now(), thresholds)["aave"] == pytest.approx(2.0)


def test_a_reading_that_is_no_number_never_holds():
    assert not LimitReading("x", "S", 1.0, math.nan, True, "").holds


@pytest.mark.requirement("D17")
def test_each_lending_market_is_a_subject_of_its_own():
    thresholds = {(market, "USDC"): 0.8 for market in ("aave", "spark")}
    loans = [
        held(terms(market, token), amount)
        for market in ("aave", "spark")
        for terms, token, amount in ((LendingSupply, USDC, 9_000), (LendingDebt, DAI, -1_000))
    ]
    readings = limit_readings(Book(tuple(loans)), VIEW, RULE, LIMITS, thresholds=thresholds)

    assert {r.subject for r in readings if r.limit == "health_factor"} == {"aave", "spark"}


@pytest.mark.requirement("S55", "D22")
@pytest.mark.parametrize(
    ("cap", "named"), [(0.9, ["aave"]), (0.35, ["aave", "spark"]), (0.1, ["aave", "spark", "eul"])]
)
def test_the_largest_exposure_and_every_other_over_the_limit_are_read_by_name(cap, named):
    supplied = [held(LendingSupply(market, USDC), usd) for market, usd in (("spark", 4), ("aave", 5), ("eul", 2))]
    limits = replace(LIMITS, stands={Stands.PROTOCOL: cap})

    readings = limit_readings(Book(tuple(supplied)), VIEW, RULE, limits, thresholds=THRESHOLDS)

    assert [reading.subject for reading in readings if reading.limit == "protocol_cap"] == named
