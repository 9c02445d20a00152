"""Leaving costs the spread that is quoted, what the model misses, and gas: never more than what is held is worth."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import MissingQuote
from engine.instruments import Cash, Settlement
from engine.market import ExpiryQuotes, OptionListing
from engine.money import ETH, USD
from engine.pricing.black import forward_value
from engine.risk.exits import assumed, exit_costs, half_spread, liquidation_values
from engine.risk.scenarios import Scenarios
from engine.risk.valuation import book_values, unit_values
from tests.engine.risk import cross_domain as x

NOW = Scenarios.now()
STRIKES = np.array([4600.0, 4700.0, 4750.0, 4800.0])


def quoted(*, mid=None, half=(0.5, 0.75, 1.0, 1.25)):
    """The market with put quotes whose mid at 4750 is the model's, or `mid`."""
    view = x.view()
    model = [float(unit_values(replace(x.PUT, strike=Decimal(int(k))), view, NOW)[0]) / 100 for k in STRIKES]
    mids, halves = np.array(model), np.array(half)
    if mid is not None:
        mids[2] = mid
    none = np.full(4, np.nan)
    quotes = ExpiryQuotes(
        "SPXW", x.SPX_EXPIRY, Settlement.PM, STRIKES, none, none, mids - halves, mids + halves, none, none
    )
    return replace(view, quotes={("SPXW", x.SPX_EXPIRY): quotes})


def costs(book, view=None, **shocks):
    return float(exit_costs(book, view or x.view(), Scenarios.of(**shocks))[0])


@pytest.mark.requirement("D11")
def test_an_option_leaves_at_its_quoted_half_spread_times_liquidity():
    held = x.book((x.PUT,), (-10,))

    assert costs(held, quoted()) == pytest.approx(10 * 1.0 * 100)
    assert costs(held, quoted(), liquidity=3.0) == pytest.approx(3 * 10 * 1.0 * 100)
    assert costs(held, quoted(), liquidity=0.0) == 0.0


@pytest.mark.requirement("D11")
def test_what_the_model_misses_the_quotes_by_is_carried():
    view = x.view()
    model = float(unit_values(x.PUT, view, NOW)[0]) / 100

    assert half_spread(x.PUT, quoted(mid=model + 0.3)) == pytest.approx((1.0 + 0.3) * 100)


@pytest.mark.requirement("D11")
def test_an_unlisted_strike_leaves_at_its_neighbours_spread():
    between = replace(x.PUT, strike=Decimal(4725))

    assert half_spread(between, quoted()) == pytest.approx(0.875 * 100)
    assert half_spread(x.MINI, quoted()) == pytest.approx(1.0 * 10)


@pytest.mark.fault("F76")
def test_an_expiry_without_a_two_sided_quote_has_no_exit():
    crossed = quoted(half=(-1.0, -1.0, -1.0, -1.0))

    with pytest.raises(MissingQuote, match="no spread"):
        half_spread(x.PUT, crossed)
    with pytest.raises(MissingQuote, match="no spread"):
        half_spread(replace(x.PUT, expiry=x.SPX_EXPIRY + timedelta(days=7)), quoted())


@pytest.mark.requirement("D11")
def test_what_is_owned_never_costs_more_to_leave_than_it_is_worth():
    far = x.book((x.PUT,), (10,))
    view = quoted()
    scenarios = Scenarios.of(spot=[0.0, 0.3, 0.6], liquidity=50.0)

    left = liquidation_values(far, view, scenarios)

    assert np.all(left >= -1e-9)
    assert exit_costs(far, view, scenarios)[2] == pytest.approx(book_values(far, view, scenarios)[2])


@pytest.mark.requirement("D11")
def test_on_chain_positions_pay_gas_in_ether():
    loan, cash = x.book((x.DEBT,), (-1000,)), x.book((Cash(USD), Cash(ETH), x.VIXY), (5, 5, 0))

    assert costs(loan) == pytest.approx(19.0)
    assert costs(loan, gas=5.0) == pytest.approx(95.0)
    assert costs(loan, gas=5.0, crypto=np.log(0.5)) == pytest.approx(47.5)
    assert costs(cash, gas=5.0) == 0.0


@pytest.mark.requirement("D11")
@pytest.mark.parametrize(
    ("instrument", "quantity", "expected"),
    [
        (x.VX, 2, 2 * 0.025 * 1000),  # half of the exchange's least step
        (x.PERP, -4, 4 * 1.5 + 45),
        (x.COIN_PERP, 200, 200 * 0.5 * 10 / 3005 + 45),
        (x.SQUEETH, -20, 20 * 2.0 + 15),
        (x.VIXY, 300, 3.0),
        (Cash(x.WETH), 2, 2 * 3000 * 0.003 + 12),  # the pool's fee
        (x.RANGE, 1, 30.0),
        (x.SUPPLY, 1000, 20.0),
    ],
    ids=lambda value: getattr(value, "id", str(value)),
)
def test_every_kind_has_its_own_way_out(instrument, quantity, expected):
    assert costs(x.book((instrument,), (quantity,))) == pytest.approx(expected)


@pytest.mark.requirement("D11")
def test_a_protocols_option_carries_its_distance_to_the_protocols_own_volatility():
    listing = OptionListing("lyra", "7", x.LYRA_PUT.expiry, 2700.0, 0.8, 0.8)
    view = replace(x.view(), listings={("lyra", x.LYRA_PUT.expiry, 2700.0): listing})
    at = [float(forward_value(3000.0, 2700.0, 28 / 365, vol, sign=-1)) for vol in (0.7, 0.8)]

    assert half_spread(x.LYRA_PUT, view) == pytest.approx(0.999 * (at[1] - at[0]))


@given(st.floats(0.0, 10.0), st.floats(0.0, 10.0), st.floats(-1.0, 1.0))
def test_worse_markets_are_never_cheaper_to_leave(liquidity, gas, spot):
    calm = Scenarios.of(spot=spot, liquidity=liquidity, gas=gas)
    worse = Scenarios.of(spot=spot, liquidity=liquidity + 1.0, gas=gas + 1.0)
    book, view = x.book(), x.view()

    assert exit_costs(book, view, worse)[0] >= exit_costs(book, view, calm)[0] >= 0.0


def test_mid_values_stay_mid():
    scenarios = Scenarios.of([-0.1, 0.0], gas=5.0, liquidity=3.0)
    book, view = x.book(), x.view()

    assert book_values(book, view, scenarios).tolist() == book_values(book, view, Scenarios.of([-0.1, 0.0])).tolist()
    assert liquidation_values(book, view, scenarios) == pytest.approx(
        book_values(book, view, scenarios) - exit_costs(book, view, scenarios)
    )


def test_what_is_taken_for_granted_is_said():
    bare = replace(x.view(), lending={}, pools={}, exit_gas_usd={}, perpetuals={})

    said = "\n".join(assumed(x.book((x.DEBT, x.RANGE, x.LYRA_PUT, x.PUT), (-1, 1, 1, 1)), bare))

    for fact in (
        "no rate quoted",
        "uncollected fees",
        "no pool state",
        "no perpetual quoted",
        "no gas price",
        "no quotes",
    ):
        assert fact in said
    assert assumed(x.book((x.VX,), (1,)), x.view()) == ()
