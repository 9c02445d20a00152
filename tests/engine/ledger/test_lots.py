from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import InputError, UnmatchedLot
from engine.instruments import FundShare
from engine.ledger.lots import Lots, Trade, after, matched, realised, split, unrealised
from engine.money import ETH, USD, Money, usd
from tests.engine.ledger.events import START, steady

SHARE = FundShare("VNQ")
pytestmark = pytest.mark.requirement("D34")


def trade(id, count, cash, fees=0, day=0):
    return Trade(id, START + timedelta(days=day), SHARE, Money(count, SHARE.unit), usd(cash), usd(fees))


def run(*trades):
    lots = Lots()
    for one in trades:
        lots = after(lots, one)
    return lots


trades = st.lists(
    st.tuples(st.integers(-50, 50).filter(bool), st.integers(-(10**9), 10**9), st.integers(0, 10**5)), max_size=25
)


@steady
@given(trades, st.integers(-(10**9), 10**9))
def test_realised_and_unrealised_are_the_whole_result_to_the_cent(rows, mark):
    made = [
        Trade(str(i), START, SHARE, Money(count, SHARE.unit), Money(cash, USD), Money(fees, USD))
        for i, (count, cash, fees) in enumerate(rows)
    ]
    held = sum(count for count, _, _ in rows)
    worth = Money(mark if held else 0, USD)

    lots = matched(made).get(SHARE, Lots())

    assert lots.units == held
    assert realised(lots, USD) + unrealised(lots, worth) == sum((t.net for t in made), worth)


@steady
@given(trades)
def test_open_lots_are_all_on_one_side(rows):
    lots = run(*(trade(str(i), count, 1) for i, (count, _, _) in enumerate(rows)))

    assert len({lot.held.units > 0 for lot in lots.open}) <= 1


def test_the_oldest_lot_is_closed_first():
    lots = run(trade("a", 2, -200), trade("b", 2, -240, day=1), trade("c", -3, 390, day=2))

    assert [(part.lot, part.held.units, part.gain) for part in lots.realised] == [
        ("a", 2, usd(60)),
        ("b", 1, usd(10)),
    ]
    assert [(lot.id, lot.held.units, lot.basis) for lot in lots.open] == [("b", 1, usd(120))]


def test_a_named_lot_is_closed_instead():
    lots = run(trade("a", 2, -200), trade("b", 2, -240))

    sold = after(lots, trade("c", -2, 260), closes={"b": 2})

    assert sold.realised[0].gain == usd(20)
    assert [lot.id for lot in sold.open] == ["a"]


def test_a_short_is_closed_by_buying_back_and_fees_lower_both_sides():
    lots = run(trade("a", -2, 1000, fees=4), trade("b", 1, -300, fees=2))

    assert lots.realised[0].gain == usd(500) - usd(2) - usd(300) - usd(2)
    assert lots.open[0].basis == -usd(498)


def test_a_trade_through_zero_closes_and_opens():
    lots = run(trade("a", 2, -200), trade("b", -3, 330, fees=3))

    assert lots.realised[0].gain == usd(220) - usd(2) - usd(200)
    assert [(lot.id, lot.held.units, lot.basis) for lot in lots.open] == [("b", -1, -usd(109))]


def test_lots_are_not_changed_by_what_follows():
    first = run(trade("a", 2, -200))

    after(first, trade("b", -2, 300))

    assert first.units == 2
    assert first.realised == ()


@pytest.mark.parametrize(
    ("closes", "why"),
    [({"z": 1}, "no such lot"), ({"a": 3}, "held: 2"), ({"a": 0}, "held: 2"), ({"a": 2, "b": 1}, "name 3")],
)
def test_a_lot_that_does_not_match_is_named(closes, why):
    lots = run(trade("a", 2, -200), trade("b", 2, -200))

    with pytest.raises(UnmatchedLot, match=why):
        after(lots, trade("c", -2, 200), closes=closes)


def test_an_expiry_never_opens_a_lot():
    with pytest.raises(UnmatchedLot, match="2 are held"):
        after(run(trade("a", 2, -200)), trade("expiry", -3, 0), opens=False)


@steady
@given(
    st.integers(-(2**256), 2**256), st.lists(st.integers(0, 10**9), min_size=1, max_size=9).filter(lambda w: sum(w) > 0)
)
def test_a_split_loses_nothing_and_no_part_is_off_by_a_whole_unit(units, weights):
    parts = split(Money(units, ETH), weights)

    assert sum(part.units for part in parts) == units
    for part, weight in zip(parts, weights, strict=True):
        assert abs(part.units * sum(weights) - units * weight) <= sum(weights)


def test_a_trade_of_nothing_or_with_negative_fees_is_refused():
    for count, fees in ((0, 0), (1, -1)):
        with pytest.raises(InputError, match="a trade moves something"):
            trade("x", count, 0, fees=fees)
    with pytest.raises(InputError, match="share nothing"):
        split(usd(1), [0])
