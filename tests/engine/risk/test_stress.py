"""Full revaluation: parts that add up, the worst cell by name, and a large book in little time."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import InputError
from engine.instruments import Cash, LendingDebt, LendingSupply
from engine.money import Currency, Money
from engine.positions import Book, Position, Sleeve
from engine.risk.drawdown import book_drawdown, rule_losses, two_sd_scenarios
from engine.risk.history_scenarios import gap_scenarios
from engine.risk.liquidity import Funding
from engine.risk.paths import JointModel, joint_scenarios
from engine.risk.scenarios import Scenarios
from engine.risk.stress import stress
from engine.risk.stress_packs import GRID, Pack, joint_figures, named_pack
from engine.risk.stress_rows import stated_loss, stress_table
from tests.engine.risk.golden import EXPIRY, condors, golden_view
from tests.engine.terms import spx

USDC, WETH, DAI = Currency("USDC", 6), Currency("WETH", 18), Currency("DAI", 18)
PRICES = {"USDC": 1.0, "WETH": 2000.0, "DAI": 1.0}
VIEW = golden_view(token_usd=PRICES)


def held(instrument, amount):
    return Position(instrument, Money.of(amount, instrument.unit), Sleeve.DEFI, "vault")


def both_sleeves():
    sleeve = [
        held(Cash(USDC), 20_000),
        held(LendingSupply("aave", WETH), 20),
        held(LendingDebt("aave", DAI), -10_000),
    ]
    return condors(5, cash=500_000).plus(sleeve)


@given(st.lists(st.tuples(st.floats(-0.3, 0.2), st.floats(-0.1, 0.5), st.floats(-0.8, 0.4)), min_size=1, max_size=5))
def test_sleeves_and_instruments_add_up_to_the_whole(cells):
    spot, vol, crypto = zip(*cells, strict=True)
    book, shocks = both_sleeves(), Scenarios.of(spot, vol, 3.0, crypto=crypto, peg=0.97)

    result = stress(book, VIEW, shocks)

    whole = -rule_losses(book, VIEW, shocks)
    assert result.total == pytest.approx(whole, abs=1e-6)
    assert sum(result.by_sleeve().values()) == pytest.approx(whole, abs=1e-6)
    assert sum(result.by_instrument().values()) == pytest.approx(whole, abs=1e-6)


@pytest.mark.requirement("D11")
def test_the_worst_cell_is_the_one_the_rule_binds_on():
    rule = two_sd_scenarios(VIEW, next_expiry=EXPIRY, crypto_beta=1.2, crypto_idiosyncratic_vol=0.5)

    result = stress(both_sleeves(), VIEW, rule)

    worst = book_drawdown(both_sleeves(), VIEW, rule, 1e6)
    assert (rule.names[result.worst], result.loss / 1e6) == (worst.cell, pytest.approx(worst.share))


def test_expected_shortfall_is_the_mean_of_the_worst_share():
    book = Book((held(Cash(WETH), 1),))
    result = stress(book, VIEW, Scenarios.of(crypto=np.log1p(-np.arange(40) / 100)))

    assert result.shortfall(0.025) == pytest.approx(2000 * 0.39)
    assert result.shortfall(0.05) == pytest.approx(2000 * 0.385)
    assert result.shortfall(1.0) == pytest.approx(2000 * 0.195)
    with pytest.raises(InputError):
        result.shortfall(0.0)


def test_a_value_that_is_no_number_is_refused_by_name():
    broken = replace(VIEW, token_usd=PRICES | {"WETH": math.inf})

    with pytest.raises(InputError, match="WETH"):
        stress(Book((held(Cash(WETH), 1),)), broken, Scenarios.of(crypto=-0.1, names=["fall"]))


def test_two_hundred_legs_in_ten_thousand_scenarios_take_seconds():
    from time import perf_counter

    legs = [spx(4000 + 20 * k, right, EXPIRY) for k in range(100) for right in "PC"]
    book = Book(tuple(Position(leg, Money(1, leg.unit), Sleeve.CONDOR, "broker") for leg in legs))
    rng = np.random.default_rng(2)
    shocks = Scenarios.of(0.1 * rng.standard_normal(10_000), 0.05 * rng.standard_normal(10_000))

    began = perf_counter()
    gains = stress(book, VIEW, shocks).gains

    assert gains.shape == (200, 10_000)
    assert perf_counter() - began < 10.0  # about one second on a quiet machine


def table(book, shocks, **funding):
    terms = {"thresholds": {("aave", "USDC"): 0.8, ("aave", "WETH"): 0.8}, "free": {("aave", "WETH"): 1e9}} | funding
    return stress_table(book, VIEW, shocks, capital=500_000.0, funding=Funding(**terms))


@pytest.mark.fault("F83")
def test_each_gap_says_what_is_lost_by_whom_and_that_margin_stands():
    found = table(both_sleeves(), gap_scenarios(crypto_beta=1.2))

    for row in found.rows:
        assert sum(row.by_sleeve.values()) == pytest.approx(row.loss)
        assert row.share == pytest.approx(row.loss / 500_000)
        assert row.within_stated
        assert row.quick_ratio >= 1.0
        assert not row.unwound
        assert row.margin == 25_000.0
    assert found.worst.loss == max(row.loss for row in found.rows)
    assert found.worst.name == "March 2020, Thursday 12"  # ether fell with the index


@pytest.mark.requirement("D17")
def test_a_loan_past_its_threshold_is_a_forced_unwind():
    """20 WETH at 2,000 secure 10,000 DAI at 0.8: 3.2; ether at a quarter leaves 0.8."""
    found = table(both_sleeves(), Scenarios.of(crypto=np.log([1.0, 0.25]), names=["now", "quarter"]))

    assert [row.health for row in found.rows] == pytest.approx([3.2, 0.8])
    assert [row.unwound for row in found.rows] == [False, True]


@pytest.mark.requirement("D17")
def test_the_least_healthy_market_is_the_one_shown():
    other = [held(LendingSupply("compound", WETH), 20), held(LendingDebt("compound", DAI), -20_000)]
    book = both_sleeves().plus(other)

    (row,) = table(
        book,
        Scenarios.of(0.0, names=["now"]),
        thresholds={(name, code): 0.8 for name in ("aave", "compound") for code in ("USDC", "WETH")},
    ).rows

    assert row.health == pytest.approx(1.6)


@pytest.mark.fault("F83")
def test_a_margin_that_cash_does_not_cover_is_a_forced_unwind():
    (row,) = table(condors(5, cash=20_000), Scenarios.of(0.0, names=["now"])).rows

    assert row.quick_ratio == 0.0
    assert row.unwound


@pytest.mark.fault("F83")
def test_a_bare_call_keeps_to_no_stated_loss_because_none_can_be_stated():
    call = spx(6200, "C", EXPIRY)
    bare = condors(0, cash=500_000).plus([Position(call, Money(-1, call.unit), Sleeve.CONDOR, "broker")])

    (row,) = table(bare, Scenarios.of(-0.1, names=["down"])).rows

    assert row.stated_loss == math.inf
    assert row.within_stated is None


def test_a_book_without_debt_or_dues_has_no_bound():
    (row,) = table(condors(1, cash=50_000), Scenarios.of(0.0, names=["now"])).rows

    assert (row.health, row.quick_ratio) == (math.inf, math.inf)


@pytest.mark.requirement("D03")
def test_a_bought_option_can_lose_what_it_is_worth_and_a_bare_call_everything():
    put, call = spx(5800, "P", EXPIRY), spx(6200, "C", EXPIRY)
    bought = Book((Position(put, Money(2, put.unit), Sleeve.CONDOR, "broker"),))
    bare = Book((Position(call, Money(-1, call.unit), Sleeve.CONDOR, "broker"),))

    from engine.risk.valuation import book_values

    assert stated_loss(bought, VIEW) == pytest.approx(book_values(bought, VIEW, Scenarios.now())[0])
    assert stated_loss(bare, VIEW) == math.inf


def test_the_grid_is_every_combination_under_a_name_of_its_own():
    rule = Scenarios.now()
    grid = named_pack(Pack.GRID, VIEW, rule, crypto_beta=1.0, own_vol=0.5)

    assert len(grid) == math.prod(map(len, GRID.values()))
    assert len(set(grid.names)) == len(grid)
    assert named_pack(Pack.TWO_SD, VIEW, rule, crypto_beta=1.0, own_vol=0.5) is rule
    assert named_pack(Pack.GAP, VIEW, rule, crypto_beta=1.0, own_vol=0.5).names[-1] == "correlation to one"


def test_joint_figures_are_quantiles_of_the_same_draws():
    model = JointModel(0.18, 0.7, 0.4)
    book = both_sleeves()

    first, _ = joint_figures(book, VIEW, model, np.random.default_rng(4), draws=500, paths=50, loss_limit=5_000.0)

    losses = rule_losses(book, VIEW, joint_scenarios(model, np.random.default_rng(4), 500, sessions=21))
    assert first.beyond == np.mean(losses > 5_000.0)
    assert first.quantile == pytest.approx(np.quantile(losses, 0.99))
    assert first.shortfall == pytest.approx(np.sort(losses)[-13:].mean())


def test_joint_figures_are_ordered_and_repeat_with_their_seed():
    def figures():
        model = JointModel(0.18, 0.7, 0.4)
        rng = np.random.default_rng(4)
        return joint_figures(both_sleeves(), VIEW, model, rng, draws=500, paths=50, loss_limit=5_000.0)

    first, second = figures(), figures()

    assert first == second
    for row in first:
        assert row.worst >= row.quantile
        assert row.worst >= row.shortfall
        assert 0 < row.beyond < 1
        assert row.path_quantile > 0
