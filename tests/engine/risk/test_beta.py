"""Portfolio beta against Black's delta in closed form (QuantLib), at spot and after the fall."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np
import pytest

from engine.errors import InputError
from engine.instruments import Cash, Future
from engine.money import USD, Currency, Money, usd
from engine.positions import Book, Position, Sleeve
from engine.risk.beta import portfolio_beta
from engine.risk.smile import Smile
from engine.risk.valuation import PricingView
from tests.engine.terms import spx

ASOF = datetime(2025, 1, 2, 21, 15, tzinfo=UTC)
EXPIRY = ASOF + timedelta(days=45)
YEARS, S, R, VOL = 45 / 365, 6000.0, 0.042, 0.18
FORWARD = S * np.exp((R - 0.013) * YEARS)
WETH = Currency("WETH", 18)
SMILE = Smile(EXPIRY, YEARS, FORWARD, R, np.array([-1.0, 1.0]), np.array([VOL, VOL]))
VIEW = PricingView(ASOF, S, {("SPXW", EXPIRY): SMILE}, {"WETH": 3000.0}, {}, vix_futures={EXPIRY: 18.0})


def book(*rows, cash=1_000_000):
    held = [Position(instrument, Money.of(n, instrument.unit), Sleeve.CONDOR, "broker") for instrument, n in rows]
    return Book((Position(Cash(USD), usd(cash), Sleeve.CONDOR, "broker"), *held))


def quantlib(strike, spot_move):
    ql = pytest.importorskip("QuantLib")
    forward = FORWARD * np.exp(spot_move)
    payoff = ql.PlainVanillaPayoff(ql.Option.Put, strike)
    black = ql.BlackCalculator(payoff, forward, VOL * np.sqrt(YEARS), np.exp(-R * YEARS))
    return black.value(), black.deltaForward() * forward


@pytest.mark.requirement("D20")
def test_a_put_has_its_dollar_delta_over_nav_at_both_points():
    found = portfolio_beta(book((spx(5900, "P", EXPIRY), -2)), VIEW, crypto_beta=0.0)

    for reading, move in ((found.at_spot, 0.0), (found.after_fall, np.log(0.95))):
        value, dollar_delta = quantlib(5900.0, move)
        assert reading == pytest.approx(-200 * dollar_delta / (1_000_000 - 200 * value), rel=1e-6)
    assert found.after_fall > found.at_spot > 0


@pytest.mark.requirement("D20")
def test_a_token_counts_with_its_beta():
    found = portfolio_beta(book((Cash(WETH), 100), cash=700_000), VIEW, crypto_beta=1.4)

    assert found.at_spot == pytest.approx(0.3 * 1.4, rel=1e-6)


@pytest.mark.requirement("D20")
def test_a_volatility_future_counts_with_its_negative_beta():
    future = Future("VX", "VIX", EXPIRY, Decimal(1000))
    found = portfolio_beta(book((future, 10)), VIEW, crypto_beta=0.0)

    assert found.at_spot == pytest.approx(10 * 18_000 * -2.02 / 1e6, rel=0.05)  # the second month's, D06


@pytest.mark.requirement("D20")
def test_parts_add_up_and_the_larger_point_is_the_reading():
    found = portfolio_beta(
        book((spx(5900, "P", EXPIRY), -40), (spx(6200, "C", EXPIRY), -30), (Cash(WETH), 50)), VIEW, crypto_beta=1.2
    )

    assert sum(now for now, _ in found.by_instrument.values()) == pytest.approx(found.at_spot)
    assert sum(later for _, later in found.by_instrument.values()) == pytest.approx(found.after_fall)
    assert found.reading == max(abs(found.at_spot), abs(found.after_fall))


@pytest.mark.requirement("D20")
@pytest.mark.requirement("S42")
@pytest.mark.parametrize(("contracts", "holds"), [(0, True), (-2, True), (-4, False)])
def test_beta_must_hold_after_the_fall_too(contracts, holds):
    """Two short 5700 puts are near beta 0.2 at spot and 0.6 when the index is at 5700, four twice that."""
    rows = [(spx(5700, "P", EXPIRY), contracts)] if contracts else []
    found = portfolio_beta(book(*rows), VIEW, crypto_beta=0.0)

    assert found.at_spot < 0.7
    assert found.holds() is holds


def test_a_book_without_value_has_no_beta():
    with pytest.raises(InputError, match="net asset value"):
        portfolio_beta(book((spx(5900, "P", EXPIRY), -40), cash=1), VIEW, crypto_beta=0.0)
