"""What can be paid when, by venue: laws of D13 on a live book, and the words a reader gets."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.instruments import Cash
from engine.money import Money, usd
from engine.positions import Book, Position, Sleeve
from engine.report.blended import BlendedReport
from engine.report.exposure import limit_rows
from engine.report.liquidity import DAYS, liquidity_rows, quick_ratio_rows
from engine.report.risk_tables import limit_state
from engine.report.table import Tone
from engine.report.tables import tables
from engine.report.tenors import greek_rows
from engine.risk.book_greeks import book_greeks
from engine.risk.limits import LimitReading
from engine.risk.liquidity import Funding, liquid_holdings
from engine.risk.quick_ratio import Due, portfolio_ratio
from tests.engine.report.sample_report import sample
from tests.engine.risk import cross_domain as x

pytestmark = pytest.mark.requirement("D13")
FUNDING = Funding(
    thresholds={("aave", code): 0.8 for code in ("USDC", "WETH")},
    free={("aave", "USDC"): 1e9},
    transfer_days=2.0,
    peg_haircut=0.02,
)


def at_venue(money, sleeve, venue):
    return Position(Cash(money.currency), money, sleeve, venue)


def book(dollars=500_000, coins=80_000):
    return Book(
        (
            at_venue(usd(dollars), Sleeve.CONDOR, "paper"),
            at_venue(Money.of(coins, x.USDC), Sleeve.DEFI, "vault"),
            at_venue(Money.of(1_000, x.USDC), Sleeve.DEFI, "second"),
        )
    )


def test_each_venue_says_what_it_pays_today_tomorrow_and_in_three_days():
    rows = {row.place: row for row in liquidity_rows(book(), x.view(), FUNDING)}

    assert list(rows) == ["condor: paper", "defi: second", "defi: vault", "all"]
    assert rows["condor: paper"].at_broker == (500_000.0,) * 3
    coin = x.view().token_usd["USDC"] * 0.98
    assert rows["defi: vault"].at_home == pytest.approx((80_000 * coin,) * 3)
    assert rows["defi: vault"].at_broker == pytest.approx((0.0, 0.0, 80_000 * coin))


@given(st.integers(0, 10**6), st.integers(0, 10**6), st.floats(0.0, 3.5))
def test_venues_add_up_to_what_the_quick_ratio_counts(dollars, coins, lag):
    funding = replace(FUNDING, transfer_days=lag)
    held = book(dollars, coins)
    whole = liquidity_rows(held, x.view(), funding)[-1]

    holdings = liquid_holdings(held, x.view(), funding)
    for at, days in enumerate(DAYS):
        ratio = portfolio_ratio(holdings, {Sleeve.CONDOR: Due(margin_call=1.0)}, days=days)
        assert whole.at_home[at] == pytest.approx(sum(one.liquid for one in ratio.by_engine))
        assert whole.at_broker[at] <= whole.at_home[at] + 1e-9
        if lag <= days:
            assert whole.at_broker[at] == pytest.approx(whole.at_home[at])


def test_nothing_due_is_an_infinite_ratio_in_words():
    ratio = portfolio_ratio(liquid_holdings(book(), x.view(), FUNDING), {}, days=1.0)
    rows = quick_ratio_rows([(1.0, ratio)])

    shown = tables(sample(quick_ratios=rows))["quick-ratios"].rows
    assert {row[-1].text for row in shown} == {"infinite x"}


@pytest.mark.requirement("S41")
def test_a_limit_that_does_not_bind_is_never_called_a_breach():
    beyond = LimitReading("session_new_outer", "S41", 0.25, 0.40, True, "quiet", binding=False)

    (quiet,), (loud,) = limit_rows([beyond]), limit_rows([replace(beyond, binding=True)])

    assert limit_state(quiet).text == "beyond, not binding"
    assert limit_state(quiet).tone is Tone.WAIT
    assert limit_state(loud).text == "BREACH"
    page: BlendedReport = sample(limits=(quiet,))
    assert "BREACH" not in str(tables(page)["limits"].rows)


def test_layers_of_time_to_expiry_add_up_to_the_whole_index_book():
    options = ((x.PUT, -10), (x.CALL, -8))
    held = Book(tuple(Position(o, Money(n, o.unit), Sleeve.CONDOR, "paper") for o, n in options))
    rows = greek_rows(held, x.view())

    whole = book_greeks(held, x.view())["SPX"]
    assert rows[-1].layer == "all"
    assert rows[-1].delta == pytest.approx(whole.delta / 100)
    assert rows[-1].vega == pytest.approx(whole.vega)
    assert sum(row.theta for row in rows[:-1]) == pytest.approx(whole.theta)
    assert greek_rows(Book(), x.view()) == ()
