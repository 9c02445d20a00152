import pytest

from engine.errors import ConfigError, InputError
from engine.policy.layer_cost import LayerCase, bear, cost_bps

TERMS = {"capital": 1_000_000.0, "years": 0.25, "wacc": 0.07}


def case(name="tail", cost=2_500.0, earns=0.08, needed=False):
    return LayerCase(name, cost, 0.0, earns, needed)


@pytest.mark.requirement("S57")
def test_a_layer_of_2500_dollars_a_quarter_costs_100_bp_of_a_million():
    assert cost_bps(2_000.0, 500.0, capital=1_000_000.0, years=0.25) == pytest.approx(100.0)


@pytest.mark.requirement("S57")
def test_layers_are_borne_while_they_earn_wacc_and_the_budget_lasts():
    verdicts = bear([case("a"), case("b"), case("c")], **TERMS)

    assert [(verdict.layer, verdict.bought) for verdict in verdicts] == [("a", True), ("b", True), ("c", False)]
    assert verdicts[2].overspent_bps == pytest.approx(100.0)


@pytest.mark.requirement("S57")
def test_a_book_that_would_earn_less_than_wacc_bears_no_layer():
    (verdict,) = bear([case(earns=0.069)], **TERMS)

    assert (verdict.bought, round(verdict.shortfall_bps, 6)) == (False, 10.0)
    assert bear([case(earns=0.07)], **TERMS)[0].bought


@pytest.mark.requirement("S57", "X06")
def test_a_layer_that_a_limit_needs_is_bought_first_with_its_shortfall_told():
    verdicts = bear([case("wish"), case("need", cost=4_000.0, earns=0.05, needed=True)], **TERMS)

    assert [(verdict.layer, verdict.bought) for verdict in verdicts] == [("need", True), ("wish", False)]
    assert verdicts[0].shortfall_bps == pytest.approx(200.0)
    assert "a limit needs it" in verdicts[0].reason


def test_a_budget_over_all_capital_is_no_setting():
    with pytest.raises(ConfigError, match=r"hedge\.carry_budget = 1\.5.*S57"):
        bear([], **TERMS, carry_budget=1.5)


def test_no_capital_bears_no_cost():
    with pytest.raises(InputError, match="layer cost refused"):
        cost_bps(1.0, 0.0, capital=0.0, years=1.0)
