import pytest

from engine.errors import ConfigError, InputError
from engine.policy.layer_cost import LayerCase, bear, cost_bps

TERMS = {"capital": 1_000_000.0, "years": 0.25, "wacc": 0.07}


def case(name="tail", cost=2_500.0, needed=False):
    """100 bp of a million for a quarter, unless told otherwise."""
    return LayerCase(name, cost, needed=needed)


@pytest.mark.requirement("S57")
def test_a_layer_of_2500_dollars_a_quarter_costs_100_bp_of_a_million():
    assert cost_bps(2_000.0, 500.0, capital=1_000_000.0, years=0.25) == pytest.approx(100.0)


@pytest.mark.requirement("S57")
def test_layers_are_borne_while_they_earn_wacc_and_the_budget_lasts():
    verdicts = bear([case("a"), case("b"), case("c")], earns=0.12, **TERMS)

    assert [(verdict.layer, verdict.bought) for verdict in verdicts] == [("a", True), ("b", True), ("c", False)]
    assert verdicts[2].overspent_bps == pytest.approx(100.0)


@pytest.mark.requirement("S57")
def test_what_hedges_cost_already_is_part_of_the_budget():
    verdicts = bear([case("a"), case("b")], earns=0.12, carried=0.0125, **TERMS)

    assert [verdict.bought for verdict in verdicts] == [False, False]
    assert verdicts[0].overspent_bps == pytest.approx(25.0)  # 125 + 100 - 200


@pytest.mark.requirement("S57")
def test_a_book_that_would_earn_less_than_wacc_bears_no_layer():
    first, second = bear([case("a"), case("b")], earns=0.085, **TERMS)  # 8.5 % less 1 % twice, against 7 %

    assert (first.bought, round(first.return_after, 9)) == (True, 0.075)
    assert (second.bought, round(second.shortfall_bps, 6)) == (False, 50.0)
    assert second.reason == "costs 100.0 bp of capital a year, 50.0 bp under WACC, not borne (S57)"
    assert bear([case()], earns=0.08, **TERMS)[0].bought


@pytest.mark.requirement("S57")
def test_financing_is_a_cost_of_the_layer_but_no_part_of_a_return_before_financing():
    (verdict,) = bear([LayerCase("tail", 2_000.0, 500.0)], earns=0.08, **TERMS)

    assert verdict.cost_bps == pytest.approx(100.0)
    assert verdict.return_after == pytest.approx(0.072)  # 2,000 a quarter are 80 bp


@pytest.mark.requirement("S57", "X06")
def test_a_layer_that_a_limit_needs_is_bought_first_with_its_shortfall_told():
    verdicts = bear([case("wish"), case("need", cost=4_000.0, needed=True)], earns=0.066, **TERMS)

    assert [(verdict.layer, verdict.bought) for verdict in verdicts] == [("need", True), ("wish", False)]
    assert verdicts[0].shortfall_bps == pytest.approx(200.0)  # 6.6 % less 1.6 %, against 7 %
    assert "a limit needs it" in verdicts[0].reason


def test_a_budget_over_all_capital_is_no_setting():
    with pytest.raises(ConfigError, match=r"hedge\.carry_budget = 1\.5.*S57"):
        bear([], earns=0.08, **TERMS, carry_budget=1.5)


def test_no_capital_bears_no_cost():
    with pytest.raises(InputError, match="layer cost refused"):
        cost_bps(1.0, 0.0, capital=0.0, years=1.0)
