"""A fixture month of both engines: trades, gas, interest, new money, a reorg, a correction and a falling peg."""

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
import pyxirr

from engine.errors import InputError, MissingQuote
from engine.instruments import Cash
from engine.ledger import lending, posting, reversal
from engine.ledger.balances import trial_balance, valuation_day
from engine.ledger.flat import as_cell
from engine.ledger.suspense import adopted
from engine.money import ETH, USD, Money, usd
from engine.positions import Sleeve
from engine.report import marks as kept
from engine.report.figures import Legs, figure, why
from engine.report.linked import daily_returns, drawdown, monthly, returns_csv
from engine.report.marks import Mark, Marks
from engine.report.period import Period, period
from engine.report.period_figures import figures
from engine.report.period_report import Source, report
from engine.report.period_returns import engine_returns
from engine.report.period_tables import document, exceptions, figures_csv, period_tables
from engine.report.risk_rows import LimitRow, LiquidityRow, QuickRatioRow, Unit
from engine.report.valued import by_day, total
from tests.engine.ledger.events import DEBT, PUT, SUPPLY, USDC, cash, fill, held

pytestmark = pytest.mark.requirement("D34")
MAY, ETHER = Period("2023-05", date(2023, 5, 1), date(2023, 5, 31)), 2000.0


def at(day, month=5):
    return datetime(2023, month, day, 19, 0, tzinfo=UTC)


def mark(day, put=40.0, peg=1.0, ether=ETHER, parts=None, month=5, **changes):
    on = date(2023, month, day)
    return Mark(
        day=on,
        asof=at(day, month) + timedelta(hours=1),
        snapshot="5" * 64,
        policy="9" * 64,
        serial=100,
        counted=100,
        prices={PUT.id: put, "USDC": peg, "ETH": ether},
        exits={"condor": 12.0, "defi": 30.0, "transit": 0.0},
        finance_rate=0.06,
        bill_rate=0.04,
        parts=parts or {},
        **changes,
    )


MARKS = [
    mark(28, month=4),
    mark(10, put=55.0, ether=1900.0, parts={"condor": {"delta": -3000, "theta": 1200}}),
    mark(17, put=35.0, peg=0.97, parts={"defi": {"depeg": -20000}}),
    mark(31, put=30.0, peg=0.998, ether=2100.0, modelled=("ether volatility",)),
]


def journal():
    """Numbered entries of April and May."""
    ether, usdc = Money.of("2", ETH), Money.of("20000", USDC)
    early = fill(
        "f1", held(PUT, -2), cash(usd("8000.00")), at=at(3), fees={"commission": usd("1.30")}, slippage=usd(-20)
    )
    seen = fill(
        "c1", cash(-usdc, Sleeve.DEFI, "safe"), held(SUPPLY, 10**19, Sleeve.DEFI, "aave-v3"),
        at=at(8), final=False, evidence={"block_hash": "0xa"},
    )  # fmt: skip
    sighted = posting.entry_for(seen)
    final = replace(seen, final=True, evidence={"block_hash": "0xb"})
    wrong = posting.entry_for(early)
    right = fill(
        "f1", held(PUT, -2), cash(usd("7950.00")), at=at(3), fees={"commission": usd("1.30")}, slippage=usd(-70)
    )
    taken = [
        posting.capital(cash(usd(100_000)), key="k1", at=at(20, 4)),
        posting.capital(cash(usdc * 2, Sleeve.DEFI, "safe"), key="k2", at=at(20, 4)),
        posting.capital(cash(ether, Sleeve.DEFI, "executor"), key="k3", at=at(20, 4)),
        wrong,
        sighted,
        reversal.void(sighted, at=at(9), reason="reorg"),
        posting.entry_for(final),
        posting.gas(4 * 10**15, chain_id=1, transaction_hash="0x1", at=at(9)),
        posting.capital(cash(usd(5_000)), key="k4", at=at(12)),
        lending.accrual(held(SUPPLY, 10**15, Sleeve.DEFI, "aave-v3"), date(2023, 5, 15), at=at(15), evidence={}),
        *reversal.correction(wrong, right, revision="02", posted=[wrong]),
        posting.capital(cash(usd(-1_000)), key="k5", at=at(24)),
    ]
    return list(enumerate(taken, start=11))


def source(entries=None, marks=MARKS, about=MAY, **changes):
    posted = [entry for _, entry in (journal() if entries is None else entries)]
    before = [entry for entry in posted if valuation_day(entry.at) <= about.opens]
    within = [entry for entry in posted if about.opens < valuation_day(entry.at) <= about.last]
    return Source(period=about, opening=trial_balance(before), days=by_day(within), marks=Marks(marks), **changes)


def test_opening_value_money_put_in_and_gain_add_up_to_the_closing_value():
    made = report(source())

    assert total(made.opening) == usd("144000.00")  # 100,000 + 40,000 USDC at 1 + 2 ETH at 2,000
    assert total(made.put_in) == usd("4000.00")
    assert total(made.closing) == total(made.opening) + total(made.put_in) + made.gain()
    condor = usd("100000.00") + usd("7950.00") - usd("1.30") + usd("4000.00") - usd(60)
    assert made.closing[Sleeve.CONDOR] == condor
    supplied, ether, left = Decimal("10.001") * 2100, (2 - Decimal("0.004")) * 2100, 20_000 * Decimal("0.998")
    assert made.closing[Sleeve.DEFI].amount == (supplied + ether + left).quantize(Decimal("0.01"))


def test_every_position_of_the_report_adds_up_to_its_net_asset_value():
    made = report(source())

    assert sum((line.worth for line in made.lines if line.worth), usd(0)) == total(made.closing)


@pytest.mark.requirement("D15")
def test_money_weighted_returns_are_those_of_an_independent_solver():
    made = report(source())
    rows = {row.engine: row for row in engine_returns(made)}
    exits = 42.0
    flows = [
        (date(2023, 4, 30), -(total(made.opening).to_float() - exits)),
        (date(2023, 5, 12), -5000.0),
        (date(2023, 5, 24), 1000.0),
        (date(2023, 5, 31), total(made.closing).to_float() - exits),
    ]

    assert rows["blended"].net.rate == pytest.approx(pyxirr.xirr(flows), abs=1e-9)
    assert rows["blended"].net.annualised
    gap = 1e4 * (rows["blended"].gross.rate - rows["blended"].net.rate)
    assert sum(wedge.bp for wedge in rows["blended"].wedges) == pytest.approx(-gap, abs=1e-6)
    assert all(wedge.bp <= 1e-9 for wedge in rows["blended"].wedges)


def test_sleeves_add_up_to_the_blend_to_the_cent():
    made = report(source())

    for part in (made.opening, made.closing, made.put_in):
        assert sum(part.values(), usd(0)) == total(part)
    assert sum((made.gain(sleeve) for sleeve in Sleeve), usd(0)) == made.gain()


@pytest.mark.requirement("D36")
def test_parts_of_all_engines_and_what_no_mark_covers_add_up_to_the_gain():
    made = report(source())

    parts = sum(cents for row in made.parts.values() for cents in row.values())
    assert Money(parts, USD) + made.unmarked == made.gain()
    assert made.parts == {"condor": {"delta": -3000, "theta": 1200}, "defi": {"depeg": -20000}}


def test_every_figure_in_dollars_is_the_sum_of_the_entries_it_names():
    entries, made = journal(), report(source())

    checked = 0
    for each in figures(made):
        if each.legs and each.unit == "USD" and not each.name.startswith("balance."):
            assert why(each, entries, made.source.marks).worth == each.value, each.name
            checked += 1
    assert checked >= 12


def test_every_figure_is_reached_from_entries_daily_amounts_a_mark_or_other_figures():
    found = {each.name: each for each in figures(report(source()))}

    assert len(found) == len(figures(report(source())))
    for each in found.values():
        assert each.legs or each.daily or each.of or "mark" in each.formula, each.name
        assert set(each.of) <= found.keys(), each.name


def test_a_balance_is_the_sum_of_its_postings_in_its_own_unit():
    entries, made = journal(), report(source())
    found = figure(figures(made), f"balance.closing.assets:defi:aave-v3.{SUPPLY.id}")

    counted = why(found, entries, made.source.marks).counted
    assert sum(row.amount.units for row in counted) == found.value.units == 10**19 + 10**15
    assert {row.serial for row in counted} == {15, 16, 17, 20}


def test_an_unknown_figure_names_those_that_are_there():
    with pytest.raises(InputError, match=r"nav\.opening\.blended"):
        figure(figures(report(source())), "nav.middle")


@pytest.mark.fault("F94")
def test_a_month_with_reorg_correction_and_depeg_gives_the_same_bytes_again():
    first, second = report(source()), report(source(entries=journal(), marks=list(MARKS)))

    assert json.dumps(document(first)) == json.dumps(document(second))
    assert figures_csv(first) == figures_csv(second)
    assert period_tables(first) == period_tables(second)


@pytest.mark.fault("F94")
def test_what_happens_after_the_month_changes_nothing_in_its_report():
    later = [*journal(), (40, posting.capital(cash(usd(777)), key="k9", at=at(5, 6)))]

    before, after = report(source()), report(source(later, [*MARKS, mark(5, month=6, put=90.0)]))

    assert json.dumps(document(before)) == json.dumps(document(after))


def test_a_stale_mark_a_late_posting_and_suspense_are_exceptions_a_reader_sees():
    lost = adopted(cash(usd("-2.10")), at=at(30), evidence={})
    entries = [*journal(), (30, lost)]

    said = exceptions(report(source(entries, late=(date(2023, 5, 30),))))

    assert "opening value of 2023-04-30 at the marks of 2023-04-28" in said
    assert any("2023-05-30 came in after it was marked" in line for line in said)
    assert any("-2.10 USD in suspense" in line for line in said)
    assert "modelled: ether volatility" in said


def test_a_holding_that_no_mark_prices_is_refused_not_left_out():
    with pytest.raises(MissingQuote, match=PUT.id):
        report(source(marks=[replace(one, prices={"USDC": 1.0, "ETH": 2000.0}) for one in MARKS]))
    with pytest.raises(MissingQuote, match="no day was marked yet"):
        report(source(marks=MARKS[1:]))


@pytest.mark.requirement("D15")
def test_the_rule_of_positive_returns_fails_where_leaving_the_book_eats_the_gain():
    good = [replace(one, parts={}) for one in MARKS]
    dear = [*good[:-1], replace(good[-1], exits={"condor": 15_000.0, "defi": 0.0, "transit": 0.0})]

    assert report(source(marks=good)).positive.holds
    assert not report(source(marks=dear)).positive.holds
    assert any("not above zero" in line for line in exceptions(report(source(marks=dear))))


def test_linked_daily_returns_are_the_time_weighted_return():
    made = report(source())
    row = next(row for row in engine_returns(made) if row.engine == "blended")

    growth = 1.0
    for each in daily_returns(made.points):
        growth *= 1.0 + each.rate
    days = row.time_weighted.days
    assert growth ** (365 / days) - 1.0 == pytest.approx(row.time_weighted.rate, rel=1e-12)
    assert monthly(daily_returns(made.points)) == {(2023, 5): pytest.approx(growth - 1.0)}
    assert drawdown(daily_returns(made.points), made.points[0].on).depth <= 0.0


def test_the_returns_file_is_a_dated_series_for_pandas():
    pandas = pytest.importorskip("pandas")
    from io import StringIO

    made = report(source())
    series = pandas.read_csv(StringIO(returns_csv(daily_returns(made.points))), index_col=0, parse_dates=True)["return"]

    assert series.index.is_monotonic_increasing
    assert list(series) == [each.rate for each in daily_returns(made.points)]
    assert series.index[-1].date() == date(2023, 5, 31)


def test_the_returns_file_has_the_shape_quantstats_documents():
    """
    `quantstats.stats` takes a `pandas.Series` of simple daily returns, decimals, on naive dates without a gap in value.

    The package itself brings a plotting stack and a market-data client, so only its input shape is checked here; it
    takes a series for prices, and differences it, where all values are >= 0 and one is above 1.
    """
    pandas = pytest.importorskip("pandas")
    from io import StringIO

    text = returns_csv(daily_returns(report(source()).points))
    series = pandas.read_csv(StringIO(text), index_col=0, parse_dates=True)["return"]

    assert isinstance(series.index, pandas.DatetimeIndex)
    assert series.index.tz is None
    assert series.index.is_unique
    assert series.dtype == "float64"
    assert series.notna().all()
    assert not (series.min() >= 0 and series.max() > 1)
    growth = (1.0 + series).prod()
    assert growth - 1.0 == pytest.approx(monthly(daily_returns(report(source()).points))[2023, 5], rel=1e-12)


def test_a_mark_is_read_back_as_it_was_written_to_the_last_digit():
    full = mark(
        10,
        put=1 / 3,
        after=date(2023, 5, 9),
        limits=(LimitRow("quick", "D13", 1.0, float("inf"), Unit.RATIO, floor=True, binding=False),),
        quick_ratios=(QuickRatioRow("both", 3.0, 10.0, 0.0, float("inf")),),
        liquidity=(LiquidityRow("defi: vault", (1.5, 2.0, 3.0), (0.0, 0.0, 3.0)),),
    )

    assert kept.read(kept.written(full)) == full
    assert kept.read(kept.written(full)).digest == full.digest


def test_a_mark_that_was_edited_is_refused():
    from engine.errors import LedgerError

    with pytest.raises(LedgerError, match="mark cannot be read"):
        kept.read(kept.written(mark(10)).replace('"serial"', '"cereal"'))


@pytest.mark.parametrize(
    ("name", "first", "last"),
    [
        ("2023-05", "2023-05-01", "2023-05-31"),
        ("2023-05-18", "2023-05-18", "2023-05-18"),
        ("since-2023-05-20", "2023-05-20", "2023-06-02"),
        ("inception", "2023-04-20", "2023-06-02"),
        ("", "2023-06-02", "2023-06-02"),
        ("2023-06", "2023-06-01", "2023-06-02"),
    ],
)
def test_a_period_is_named_by_day_month_or_beginning(name, first, last):
    found = period(name, begins=date(2023, 4, 20), ends=date(2023, 6, 2))

    assert (found.first.isoformat(), found.last.isoformat()) == (first, last)
    assert period(found.name, begins=date(2023, 4, 20), ends=date(2023, 6, 2)) == found


@pytest.mark.parametrize(
    "name", ["2023-13", "May", "since-2023", "2023-05-32", "2022-01", "2023-07", "since-2024-01-01"]
)
def test_a_period_that_is_none_or_unknown_to_the_journal_is_refused(name):
    with pytest.raises(InputError):
        period(name, begins=date(2023, 4, 20), ends=date(2023, 6, 2))


def test_what_is_owed_is_valued_at_its_token_where_the_loan_itself_was_not_marked():
    owed = held(DEBT, -(10**10), Sleeve.DEFI, "aave-v3")
    drawn = fill("c9", owed, cash(Money.of("10000", USDC), Sleeve.DEFI, "safe"), at=at(20))

    made = report(source([*journal(), (31, posting.entry_for(drawn))]))

    assert made.closing[Sleeve.DEFI] == report(source()).closing[Sleeve.DEFI]
    assert Marks(MARKS).rate(Cash(USDC), date(2023, 5, 20)) == 0.97


def test_a_period_begins_after_the_valuation_point_it_opens_at():
    legs = Legs(("equity:capital:*",), until=MAY.last, after=MAY.opens)
    dollars = Cash(USD)

    assert not legs.take("equity:capital:condor", dollars, MAY.opens)
    assert legs.take("equity:capital:condor", dollars, MAY.first)
    assert legs.take("equity:capital:defi", dollars, MAY.last)
    assert not legs.take("equity:capital:defi", dollars, MAY.last + timedelta(days=1))
    assert not legs.take("expenses:gas:defi", dollars, MAY.first)


@pytest.mark.requirement("D15")
def test_money_weighted_returns_end_at_what_leaving_every_position_would_bring():
    made = report(source())

    assert made.found.blended.closing == pytest.approx(total(made.closing).to_float() - 42.0)
    assert made.found.blended.opening == pytest.approx(total(made.opening).to_float() - 42.0)


def begun(cost="217.51", out=()):
    """A book that is paid in on the 10th, pays a cost that day and earns on until the 31st."""
    paid = posting.capital(cash(usd(100_000)), key="b1", at=at(10))
    spent = posting.entry_for(fill("b2", cash(usd(0)), at=at(10), fees={"commission": usd(cost)}))
    earned = posting.entry_for(fill("b3", cash(usd(0)), at=at(25), fees={"commission": usd("-900.00")}))
    return list(enumerate([paid, spent, earned, *out], start=1))


@pytest.mark.requirement("D15")
def test_over_one_payment_in_and_one_value_out_every_return_is_the_same():
    """What the first day costs is part of each of them: 100,000 in, 100,682.49 out, 21 days."""
    free = [replace(each, exits=dict.fromkeys(each.exits, 0.0)) for each in MARKS]
    made = report(source(begun(), free))
    row = next(row for row in engine_returns(made) if row.engine == "blended")

    for found in (row.net, row.mirr, row.modified_dietz, row.time_weighted):
        assert (found.days, found.annualised) == (21, False)
        assert found.rate == pytest.approx(682.49 / 100_000, abs=1e-9)
    (first, *_) = daily_returns(made.points)
    assert (first.on, first.rate) == (date(2023, 5, 10), pytest.approx(-0.0021751))


@pytest.mark.requirement("D15")
def test_an_engine_that_begins_later_and_empties_again_is_measured_while_it_held_something():
    def coins(amount):
        return cash(Money.of(amount, USDC), Sleeve.DEFI, "safe")

    spent = fill("d2", coins("0"), at=at(20), fees={"pool": Money.of("10", USDC)})
    later = [
        posting.capital(coins("1000"), key="d1", at=at(12)),
        posting.entry_for(spent),
        posting.capital(coins("-990"), key="d3", at=at(25)),
    ]
    flat = [replace(each, exits=dict.fromkeys(each.exits, 0.0), prices={**each.prices, "USDC": 1.0}) for each in MARKS]
    rows = {row.engine: row for row in engine_returns(report(source(begun(out=later), flat)))}

    assert rows["defi"].time_weighted.rate == pytest.approx(-0.01)
    assert rows["defi"].time_weighted.days == 14  # from the mark of the 17th to that of the 31st


@pytest.mark.requirement("D36")
def test_days_whose_residual_is_above_two_per_cent_of_gross_are_exceptions():
    parts = {"condor": {"delta": -3000, "theta": 1200, "residual": -85}, "defi": {"carry": 100_000, "residual": 1_999}}
    said = exceptions(report(source(marks=[MARKS[0], mark(10, parts=parts), *MARKS[2:]])))

    assert "residual above 2% of gross on 1 engine-day(s) (D36): 2023-05-10 condor -0.85 USD of +42.00 USD" in said


def test_limits_are_named_alike_every_day_and_shares_are_no_per_cents():
    rows = (
        LimitRow("sleeve_cap (sleeve 123,155 USD of NAV)", "S39", 0.2, 0.1222, Unit.SHARE),
        LimitRow("health_factor (a after 2-SD joint stress)", "D17", 1.5, 2.0, Unit.RATIO, True, subject="a"),
        LimitRow("health_factor (b after 2-SD joint stress)", "D17", 1.5, 3.0, Unit.RATIO, True, subject="b"),
    )
    made = report(source(marks=[*MARKS[:-1], replace(MARKS[-1], limits=rows)]))
    found = {each.name: each for each in figures(made) if each.name.startswith("limit.")}

    assert list(found) == ["limit.sleeve_cap", "limit.health_factor.a", "limit.health_factor.b"]
    assert (found["limit.sleeve_cap"].value, found["limit.sleeve_cap"].unit) == (0.1222, "share")
    assert "limit.sleeve_cap,0.1222,share" in figures_csv(made)


def test_a_small_number_is_a_number_in_the_table_too():
    assert as_cell("-4.361176909428721e-05") == "-4.361176909428721e-05"
    assert as_cell("-1e5x") == "'-1e5x"


def test_a_period_since_long_before_the_journal_begins_with_it():
    found = period("since-0001-01-01", begins=date(2018, 4, 25), ends=date(2018, 6, 22))

    assert (found.opens, found.last) == (date(2018, 4, 24), date(2018, 6, 22))
