"""Finding 4 of the requirements: the golden condor under two-sigma sessions, worked out once by hand."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import numpy as np
import pytest

from engine.money import Money
from engine.positions import Book, Position, Sleeve
from engine.pricing.black import forward_value
from engine.risk.drawdown import book_drawdown, two_sd_scenarios
from engine.risk.margin import max_payout
from engine.risk.scenarios import Scenarios
from engine.risk.smile import Smile
from engine.risk.valuation import PricingView, book_values
from tests.engine.terms import condor

ASOF = datetime(2025, 1, 2, 21, 15, tzinfo=UTC)
EXPIRY = ASOF + timedelta(days=45)
S, R, Q, VOL = 6000.0, 0.042, 0.013, 0.18


@pytest.fixture
def view():
    years = 45 / 365
    smile = Smile(EXPIRY, years, S * np.exp((R - Q) * years), R, np.array([-1.0, 1.0]), np.array([VOL, VOL]))
    return PricingView(ASOF, S, {("SPXW", EXPIRY): smile}, {}, {})


@pytest.fixture
def book():
    legs = condor(5425, 5475, 6625, 6675, expiry=EXPIRY)
    return Book(
        tuple(
            Position(leg, Money(quantity, leg.unit), Sleeve.CONDOR, "paper")
            for leg, quantity in zip(legs.legs, legs.quantities, strict=True)
        )
    )


@pytest.mark.requirement("D03")
def test_the_golden_condor_has_the_stated_credit_and_maximum_loss(view, book):
    credit = -book_values(book, view, Scenarios.now())[0] / 100

    assert credit == pytest.approx(5.7612, abs=5e-5)
    assert max_payout([5425, 5475, 6625, 6675], [-1, -1, 1, 1], [1, -1, -1, 1]) * 100 - credit * 100 == pytest.approx(
        4423.88, abs=0.01
    )


@pytest.mark.requirement("D11")
@pytest.mark.parametrize(("dvol", "loss"), [(0.0, 115.0), (0.025, 359.7), (0.04, 505.0), (0.06, 692.9)])
def test_a_two_sigma_session_loses_what_finding_four_says(view, book, dvol, loss):
    spot = -2 * VOL * np.sqrt(1 / 252)
    years_left = 44 / 365
    parallel = dvol / np.sqrt((30 / 365) / years_left)  # the finding moves every tenor by the same points
    one = Scenarios.of(np.array([spot]), np.array([parallel]), np.array([1.0]))

    change = book_values(book, view, one)[0] - book_values(book, view, Scenarios.now())[0]

    assert -change == pytest.approx(loss, abs=0.6)


@pytest.mark.requirement("D11")
def test_a_move_to_expiry_loses_the_whole_width_less_credit(view, book):
    scenarios = two_sd_scenarios(view, next_expiry=EXPIRY, crypto_beta=0.0, crypto_idiosyncratic_vol=0.0)

    worst = book_drawdown(book, view, scenarios, 1_000_000.0)

    assert worst.share * 1_000_000 == pytest.approx(4423.88, abs=1.0)
    assert worst.cell.startswith("to expiry")


@pytest.mark.requirement("D11")
def test_drawdown_rises_strictly_with_units(view, book):
    scenarios = two_sd_scenarios(view, next_expiry=EXPIRY, crypto_beta=0.0, crypto_idiosyncratic_vol=0.0)
    shares = []
    for units in range(1, 6):
        more = Book(tuple(Position(p.instrument, p.held * units, p.sleeve, p.venue) for p in book))
        shares.append(book_drawdown(more, view, scenarios, 1e6).share)

    assert all(low < high for low, high in pairwise(shares))


def test_value_without_a_shock_is_blacks_formula(view, book):
    forward = S * np.exp((R - Q) * 45 / 365)
    strikes, signs, quantities = [5425, 5475, 6625, 6675], [-1, -1, 1, 1], [1, -1, -1, 1]
    undiscounted = sum(
        q * float(forward_value(forward, k, 45 / 365, VOL, sign=s))
        for k, s, q in zip(strikes, signs, quantities, strict=True)
    )

    value = book_values(book, view, Scenarios.now())[0]

    assert value == pytest.approx(undiscounted * np.exp(-R * 45 / 365) * 100, rel=1e-12)


@pytest.mark.requirement("D11")
def test_shocks_are_two_deviations_of_their_horizon_and_volatility_answers_against_them(view):
    scenarios = two_sd_scenarios(view, next_expiry=EXPIRY, crypto_beta=1.5, crypto_idiosyncratic_vol=0.5)
    at = {name: i for i, name in enumerate(scenarios.names)}
    down, up = at["1 session, -2 SD, mid vol, model corr"], at["1 session, +2 SD, mid vol, model corr"]

    assert len(scenarios) == 4 * 2 * 3 * 2
    assert scenarios.spot[down] == pytest.approx(-2 * 0.18 / np.sqrt(252))
    assert scenarios.vol[down] == pytest.approx(1.2 * 2 * 0.18 / np.sqrt(252))  # points per percent
    assert scenarios.vol[up] == pytest.approx(-scenarios.vol[down])
    assert scenarios.vol.min() >= -0.05
    assert scenarios.vol.max() <= 0.25
    assert scenarios.crypto[down] == pytest.approx(1.5 * scenarios.spot[down] - 2 * 0.5 / np.sqrt(252))
    assert scenarios.vol[at["1 session, -2 SD, high vol, model corr"]] > scenarios.vol[down]
    assert scenarios.days[at["to expiry, -2 SD, mid vol, corr 1"]] == pytest.approx(45)
