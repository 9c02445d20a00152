"""Worked requirements: published vectors, exchange rules and brokers' pages."""

import math
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import InputError, InvalidStructure
from engine.instruments import Settlement
from engine.money import Money
from engine.positions import Book, Position, Sleeve
from engine.risk.margin import MarginRule, requirement, same_expiry_margin
from engine.risk.margin.naked import naked_points
from tests.engine.risk.contracts import condor, leg, listed

LEAN_9775 = [
    ((7090, 7185, 7510, 7605), 19_000, 19_000),
    ((7135, 7185, 7500, 7660), 32_000, 42_000),
    ((7090, 7235, 7510, 7605), 29_000, 48_000),
]


@pytest.mark.requirement("D32")
@pytest.mark.parametrize(("strikes", "payout", "two_spreads"), LEAN_9775)
def test_peer_issue_lean_9775_unequal_wings_are_two_spreads_at_the_broker(strikes, payout, two_spreads):
    book = condor(2, *strikes)

    assert requirement(MarginRule.MAX_PAYOUT, book).usd == payout
    assert requirement(MarginRule.CBOE_UNIVERSAL, book).usd == payout
    assert requirement(MarginRule.IB, book).usd == two_spreads
    assert requirement(MarginRule.CBOE, book).usd == two_spreads


@pytest.mark.requirement("D32")
def test_the_answer_says_which_legs_form_which_strategy():
    equal = requirement(MarginRule.IB, condor(2, 7090, 7185, 7510, 7605))
    unequal = requirement(MarginRule.IB, condor(2, 7135, 7185, 7500, 7660))

    assert [(group.strategy, group.units, group.usd) for group in equal.groups] == [("iron condor", 2, 19_000.0)]
    assert dict(equal.groups[0].legs) == {
        "SPXW 2026-03-20 P 7090 PM": 2,
        "SPXW 2026-03-20 P 7185 PM": -2,
        "SPXW 2026-03-20 C 7510 PM": -2,
        "SPXW 2026-03-20 C 7605 PM": 2,
    }
    assert {group.strategy for group in unequal.groups} == {"spread"}
    assert sorted(group.usd for group in unequal.groups) == [10_000.0, 32_000.0]


@pytest.mark.requirement("D32")
def test_the_brokers_page_example_is_ten_thousand_dollars():
    """Interactive Brokers' own page: ten condors 160/170/180/190."""
    assert requirement(MarginRule.IB, condor(10, 160, 170, 180, 190, level=175.0)).usd == 10_000.0


@pytest.mark.requirement("D32")
def test_max_loss_is_the_payout_less_the_credit_at_the_marks():
    low, put, call, high = condor(2, 7090, 7185, 7510, 7605)
    book = [replace(low, mark=4.0), replace(put, mark=7.0), replace(call, mark=6.0), replace(high, mark=3.5)]

    assert requirement(MarginRule.MAX_LOSS, book).usd == 19_000 - 2 * (7.0 + 6.0 - 4.0 - 3.5) * 100
    assert requirement(MarginRule.MAX_LOSS, [low]).usd == 2 * 5.0 * 100


@pytest.mark.requirement("D32")
@pytest.mark.parametrize(
    ("strike", "right", "mark", "points"),
    [
        (7000, "P", 25.0, 25 + 0.15 * 7350 - 350),  # the share less what it is out of the money
        (6000, "P", 2.0, 2 + 0.10 * 6000),  # a put's floor is a tenth of its strike
        (9000, "C", 0.5, 0.5 + 0.10 * 7350),  # a call's floor is a tenth of the index
        (7200, "C", 210.0, 210 + 0.15 * 7350),  # in the money nothing is taken off
    ],
)
def test_an_uncovered_short_is_held_against_the_rules_formula(strike, right, mark, points):
    short = leg(-3, strike, right, mark=mark)

    assert naked_points(short) == pytest.approx(points)
    for rule in (MarginRule.CBOE, MarginRule.CBOE_UNIVERSAL, MarginRule.IB):
        assert requirement(rule, [short]).usd == pytest.approx(3 * points * 100)


@pytest.mark.requirement("D32")
def test_a_volatility_index_is_held_against_a_fifth():
    short = leg(-1, 20, "C", mark=2.0, level=19.0, root="VIX", underlying="VIX", settlement=Settlement.AM)

    assert naked_points(short) == pytest.approx(2.0 + 0.20 * 19.0 - 1.0)


def test_an_index_without_a_rule_is_refused():
    with pytest.raises(InputError, match="RUT"):
        naked_points(leg(-1, 2000, "P", underlying="RUT", root="RUT"))


@pytest.mark.requirement("D32")
def test_a_short_put_and_call_are_held_against_the_greater_and_the_value_of_the_other():
    put, call = leg(-1, 7000, "P", mark=25.0), leg(-1, 7700, "C", mark=15.0)
    greater = max(25 + 0.15 * 7350 - 350, 15 + 0.15 * 7350 - 350)

    answer = requirement(MarginRule.CBOE, [put, call])

    assert answer.usd == pytest.approx((greater + 15.0) * 100)
    assert answer.groups[0].strategy == "short put and call"


@pytest.mark.requirement("D32")
@pytest.mark.parametrize(
    ("rows", "strategy", "usd"),
    [
        ([(1, 7000, "C"), (-2, 7050, "C"), (1, 7100, "C")], "long butterfly", 0.0),
        ([(-1, 7000, "C"), (2, 7050, "C"), (-1, 7100, "C")], "spread", 5_000.0),
        ([(1, 7000, "P"), (-1, 7050, "P"), (-1, 7100, "P"), (1, 7150, "P")], "long condor", 0.0),
        ([(-1, 7000, "C"), (1, 7050, "C"), (-1, 7050, "P"), (1, 7000, "P")], "short box", 5_000.0),
        ([(1, 7000, "P"), (-1, 7050, "P"), (-1, 7050, "C"), (1, 7100, "C")], "iron condor", 5_000.0),
    ],
)
def test_strategies_with_a_name_are_held_against_one_interval(rows, strategy, usd):
    answer = requirement(MarginRule.CBOE, [leg(q, k, right) for q, k, right in rows])

    assert answer.usd == usd
    assert strategy in {group.strategy for group in answer.groups}


def test_a_condor_whose_spreads_overlap_loses_on_both_sides_and_is_no_condor():
    overlapping = [leg(1, 7200, "P"), leg(-1, 7300, "P"), leg(-1, 7100, "C"), leg(1, 7200, "C")]

    assert requirement(MarginRule.IB, overlapping).usd == 20_000.0
    assert requirement(MarginRule.MAX_PAYOUT, overlapping).usd == 20_000.0


def test_longs_outside_every_strategy_require_nothing_and_are_named():
    answer = requirement(MarginRule.CBOE, [leg(3, 7000, "P"), leg(-1, 7100, "P")])

    assert answer.usd == 10_000.0
    assert answer.unused == (("SPXW 2026-03-20 P 7000 PM", 2),)


@pytest.mark.requirement("D32")
def test_a_long_put_never_balances_a_short_call():
    call, put = leg(-1, 7500, "C", mark=20.0), leg(1, 7000, "P")

    assert requirement(MarginRule.CBOE_UNIVERSAL, [call, put]).usd == requirement(MarginRule.CBOE, [call]).usd


@pytest.mark.requirement("D32")
def test_the_universal_spread_leaves_out_the_short_that_nothing_balances():
    answer = requirement(
        MarginRule.CBOE_UNIVERSAL, [leg(-2, 7100, "P"), leg(1, 7000, "P"), leg(-1, 7500, "C"), leg(1, 7700, "C")]
    )

    alone = naked_points(leg(-1, 7100, "P")) * 100
    assert answer.usd == pytest.approx(20_000.0 + alone)
    assert {group.strategy for group in answer.groups} == {"universal spread", "naked short"}


spreads = st.lists(st.tuples(st.integers(130, 150), st.integers(130, 150), st.sampled_from("PC")), max_size=5)


@pytest.mark.requirement("D32")
@settings(max_examples=40)
@given(spreads)
def test_covered_books_of_one_expiry_are_ordered_payout_universal_named(pairs):
    held: dict[tuple[int, str], int] = {}
    for short, long, right in pairs:
        held[short * 50, right] = held.get((short * 50, right), 0) - 1
        held[long * 50, right] = held.get((long * 50, right), 0) + 1
    book = [leg(q, k, right, mark=1e6) for (k, right), q in held.items() if q]  # too dear to leave uncovered

    payout, universal, named, broker = (
        requirement(rule, book).usd
        for rule in (MarginRule.MAX_PAYOUT, MarginRule.CBOE_UNIVERSAL, MarginRule.CBOE, MarginRule.IB)
    )

    assert payout == pytest.approx(universal)
    assert universal <= named + 1e-6
    assert named <= broker + 1e-6


@pytest.mark.requirement("D32")
def test_a_short_call_without_a_wing_owes_without_bound_and_is_still_margined():
    short = leg(-1, 7500, "C", mark=20.0)

    assert requirement(MarginRule.MAX_PAYOUT, [short]).usd == math.inf
    assert requirement(MarginRule.CBOE, [short]).usd < math.inf


@pytest.mark.fault("F76")
@pytest.mark.parametrize(
    "terms",
    [
        {"quantity": 0},
        {"quantity": 0.5},
        {"mark": float("nan")},
        {"mark": -1.0},
        {"level": float("inf")},
        {"level": 0.0},
        {"option": listed(7000, "P", settlement=Settlement.CHAIN)},
    ],
)
def test_a_leg_that_no_broker_holds_is_refused_by_name(terms):
    with pytest.raises(InvalidStructure, match="P 7000"):
        replace(leg(-1, 7000, "P"), **terms)


def test_a_contract_listed_twice_at_one_broker_is_refused():
    with pytest.raises(InvalidStructure, match="twice"):
        requirement(MarginRule.IB, [leg(-1, 7000, "P"), leg(1, 7000, "P")])


def test_an_empty_account_requires_nothing():
    for rule in MarginRule:
        if rule is not MarginRule.PORTFOLIO:
            assert requirement(rule, []).usd == 0.0


def test_the_portfolio_rule_needs_a_market():
    with pytest.raises(InputError, match="market"):
        requirement(MarginRule.PORTFOLIO, condor(1, 7090, 7185, 7510, 7605))


def test_a_wing_at_another_broker_covers_nothing():
    put, wing = listed(7100, "P"), listed(7000, "P")

    def held(venue):
        rows = ((put, -1, "broker"), (wing, 1, venue))
        return Book(tuple(Position(o, Money.of(Decimal(q), o.unit), Sleeve.CONDOR, where) for o, q, where in rows))

    assert same_expiry_margin(held("broker")) == 10_000.0
    assert same_expiry_margin(held("elsewhere")) == 710_000.0
