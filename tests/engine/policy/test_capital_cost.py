"""A debt whose market states no terms has no cost: it is refused, not guessed (D14)."""

from dataclasses import replace

import pytest

from engine.errors import MissingQuote
from engine.instruments import LendingDebt
from engine.policy.capital_cost import cost_of_capital
from engine.risk.view import pricing_view
from tests.engine.desk_cases import DAI, POLICY, USDC, funded, held, pool, snapshot


def test_a_debt_of_an_unknown_market_is_refused_by_name():
    seen = snapshot(pool("cheap"))
    book = funded().plus([held(LendingDebt("aave", DAI), -5_000)])

    with pytest.raises(MissingQuote, match="aave"):
        cost_of_capital(seen, book, pricing_view(seen), POLICY)


@pytest.mark.requirement("D14")
def test_a_debt_costs_what_its_own_token_costs_in_its_market():
    seen = snapshot(pool("aave", rate=0.04), replace(pool("aave", rate=0.30), asset="USDC"))
    view = pricing_view(seen)

    cheap, dear = (
        cost_of_capital(seen, funded().plus([held(LendingDebt("aave", token), -10_000)]), view, POLICY).sources[1]
        for token in (DAI, USDC)
    )

    assert dear.cost.total > cheap.cost.total + 0.1
