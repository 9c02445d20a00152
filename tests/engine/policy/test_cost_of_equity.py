"""What the whole costs: equity dearer with every debt, rates effective for a year (D14)."""

import math

import pytest

from engine.instruments import LendingDebt, LendingSupply
from engine.policy.capital_cost import cost_of_capital
from engine.risk.view import pricing_view
from tests.engine.desk_cases import DAI, POLICY, USDC, funded, held, pool, snapshot

SEEN = snapshot(pool("cheap"))
VIEW = pricing_view(SEEN)
BILLS = math.expm1(SEEN.rates.rate(0.25))


@pytest.mark.requirement("D14")
@pytest.mark.parametrize("owed", [0, 100_000, 500_000])
def test_equity_is_dearer_the_more_is_owed(owed):
    """beta_L = 0.42 (1 + D / E): 0.6 at the 300,000 of debt over 700,000 of equity that D14 works out."""
    book = funded().plus([held(LendingSupply("cheap", USDC), owed), held(LendingDebt("cheap", DAI), -owed)])

    found = cost_of_capital(SEEN, book, VIEW, POLICY)

    assert found.beta_levered == pytest.approx(0.42 * (1 + owed / 1_000_000))
    assert found.sources[0].cost.total == pytest.approx(BILLS + found.beta_levered * 0.05)
