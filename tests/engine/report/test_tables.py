from decimal import Decimal

import pytest

from engine.money import ETH, Money, usd
from engine.report.book_rows import LendingRow
from engine.report.performance import EngineReturn, PeriodReturn
from engine.report.risk_rows import Unit
from engine.report.risk_tables import lending_decision
from engine.report.table import Tone
from engine.report.tables import tables
from engine.report.wording import (
    amount_and_share,
    basis_points,
    compact,
    in_unit,
    money,
    number,
    percent,
    period_return,
    plain,
    typeset,
)
from tests.engine.report.sample_report import sample


def rows(key, **changes):
    return [[cell.text for cell in row] for row in tables(sample(**changes))[key].rows]


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (number(1234567.891), "1,234,567.89"),
        (number(Decimal("-0.004"), signed=True), "0.00"),
        (number(None), "n/a"),
        (number(float("nan")), "n/a"),
        (number(float("-inf")), "-infinite"),
        (money(usd("1082441.17")), "+1,082,441.17 USD"),
        (money(Money.of("-1.5", ETH)), "-1.50000000 ETH"),
        (money(None), "n/a"),
        (percent(-0.0421), "-4.21 %"),
        (percent(None), "n/a"),
        (basis_points(37.5, 1), "+37.5 bp"),
        (compact(999.7), "+1.0k"),
        (compact(-999_960), "-1.00m"),
        (amount_and_share(usd(1200), 0.0012), "+1,200.00 USD (+0.12 %)"),
        (in_unit(float("inf"), Unit.RATIO), "infinite x"),
        (period_return(PeriodReturn(0.001, 1, annualised=False)), "+0.10 % over 1 day, not annualised"),
        (period_return(PeriodReturn(None, 30)), "undefined"),
    ],
)
def test_a_figure_has_separators_fixed_decimals_sign_and_unit(shown, expected):
    assert shown == expected


def test_only_a_hyphen_that_starts_a_figure_becomes_a_minus_sign():
    assert typeset("-1.5 USD (-3 bp), 2026-11-20, 0-7, Black-76") == (
        "\N{MINUS SIGN}1.5 USD (\N{MINUS SIGN}3 bp), 2026-11-20, 0-7, Black-76"
    )


@pytest.mark.fault("F74")
def test_escape_and_direction_characters_are_made_visible():
    assert plain("a\x1b[2J\u202eb\n\x00") == "a\ufffd[2J\ufffdb\ufffd\ufffd"


def test_every_row_has_one_cell_per_column():
    for table in tables(sample()).values():
        assert table.rows
        assert all(len(row) == len(table.columns) for row in table.rows), table.key


def test_costs_stand_between_gross_and_net_whatever_their_labels_say():
    undefined = PeriodReturn(None, 21, why="more than one root")
    third = EngineReturn("Third", undefined, undefined, undefined, ())
    table = tables(sample(returns=(*sample().returns, third)))["returns"]

    assert [c.heading for c in table.columns][1:7] == [
        "Gross, money-weighted", "Fees", "Slippage", "Funding", "Gas", "Net, money-weighted",
    ]  # fmt: skip
    assert [c.text for c in table.rows[2]][1:4] == ["+1.14 %", "-4 bp", "-4 bp"]
    assert table.rows[2][-1].text == "over 21 days, not annualised"
    assert table.rows[3][1].text == "undefined: more than one root"


def test_returns_over_unlike_periods_each_say_their_own():
    mixed = EngineReturn(
        "Blended", PeriodReturn(0.04, 365), PeriodReturn(0.01, 21, annualised=False), PeriodReturn(0.03, 365)
    )

    assert rows("returns", returns=(mixed,)) == [
        ["Blended", "+4.00 % p.a.", "+1.00 % over 21 days, not annualised", "+3.00 % p.a.", "n/a", "n/a", "as stated"]
    ]


def test_a_limit_says_its_direction_and_a_breach_says_so_in_words():
    table = {row[0]: row for row in rows("limits")}

    assert table["Quick ratio, consolidated"][1:6] == ["at least 1.00 x", "1.62 x", "+0.62 x", "62 %", "ok"]
    assert table["Health factor after 2 SD"][3:6] == ["-0.06", "104 %", "BREACH"]
    assert table["DeFi sleeve of risk capital"][1:4] == ["at most 20.00 %", "16.93 %", "+3.07 %"]


@pytest.mark.parametrize(
    ("short_by", "words"), [(None, "borrows"), (-5.0, "borrows"), (38.0, "refused: short by 38 bp")]
)
def test_a_lending_decision_says_by_how_much_it_fell_short(short_by, words):
    row = LendingRow("m", usd(0), usd(0), float("inf"), 1.0, 0.06, short_by)

    assert lending_decision(row).text == words
    assert (lending_decision(row).tone is Tone.GOOD) == (words == "borrows")


def test_execution_shows_cost_against_mid_in_dollars_and_basis_points():
    assert rows("fills")[0][5] == "-300.00 USD (-130 bp)"


def test_quantities_keep_the_decimals_they_have():
    quantities = {row[0]: row[3] for row in rows("positions")}

    assert quantities["SPX 2026-12-18 P5450"] == "+20"
    assert quantities["debt USDC"] == "-61,240.118223"


def test_hostile_labels_cannot_add_columns():
    bad = EngineReturn("x | #y", PeriodReturn(0.1, 365), PeriodReturn(0.1, 365), PeriodReturn(0.1, 365), ())
    table = tables(sample(returns=(bad,)))["returns"]

    assert len(table.columns) == len(table.rows[0]) == 7
