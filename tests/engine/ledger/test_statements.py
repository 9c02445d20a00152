import math
from datetime import date, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given

from engine.instruments import MARKET_ZONE
from engine.ledger import balances, costs, depeg, posting, slippage
from engine.ledger.irr import Basis
from engine.ledger.statements import WEDGES, nav, statement, total
from engine.money import ETH, USD, Money, usd
from engine.positions import Sleeve
from tests.engine.ledger.events import PERP, PUT, START, USDC, cash, fill, held, journals, steady

RATES = {"finance_rate": 0.065, "reinvestment_rate": 0.042}
NOTHING = dict.fromkeys(Sleeve, 0.0)


def worth(instrument, _day):
    return {"USDC": 0.999, "ETH": 1600.0, "aave-v3 debt USDC": 0.999, "aave-v3 supply ETH": 1600.0}.get(
        instrument.id, 1.0
    )


def mark(position):
    return float(position.held.amount) * worth(position.instrument, None)


def year_of_one_trade():
    first = START
    last = first + timedelta(days=365)
    return [
        posting.capital(cash(usd(100_000)), key="c", at=first),
        posting.capital(cash(usd(10_000), Sleeve.DEFI, "safe"), key="d", at=first),
        posting.entry_for(
            fill("f", held(PUT, -1), cash(usd(9_000)), fees={"commission": usd(500)}, slippage=usd(-200), at=first)
        ),
        posting.entry_for(fill("g", held(PUT, 1), cash(usd(-1_000)), at=last)),
    ]


@pytest.mark.requirement("D15")
def test_net_is_gross_less_its_wedges_and_the_sleeves_sum_to_the_whole():
    entries = year_of_one_trade()
    closing = nav(balances.book(entries), mark)

    made = statement(
        entries,
        start=date(2023, 2, 6),
        end=date(2024, 2, 7),
        opening=NOTHING,
        closing=closing,
        rate=worth,
        **RATES,
    )

    condor, whole = made.sleeves[Sleeve.CONDOR], made.blended
    assert condor.net.rate == pytest.approx(0.075, abs=1e-12)
    assert condor.gross.rate == pytest.approx(107_500 / 99_300 - 1, abs=1e-12)
    assert condor.wedges_bp["fees"] == pytest.approx(1e4 * (107_500 / 99_300 - 107_500 / 99_800))
    assert condor.wedges_bp["slippage"] == pytest.approx(1e4 * (107_500 / 99_800 - 1.075))
    assert math.fsum(condor.wedges_bp.values()) == pytest.approx(1e4 * (condor.gross.rate - condor.net.rate))
    assert condor.costs == dict.fromkeys(WEDGES, 0.0) | {"fees": 500.0, "slippage": 200.0}
    assert (whole.put_in, whole.gain) == (110_000.0, 7_500.0)
    assert whole.net.rate == pytest.approx(7_500 / 110_000, abs=1e-12)


def test_a_short_span_is_stated_as_it_is():
    entries = year_of_one_trade()[:3]

    made = statement(
        entries,
        start=date(2023, 2, 6),
        end=date(2023, 2, 12),
        opening=NOTHING,
        closing={Sleeve.CONDOR: 101_000.0, Sleeve.DEFI: 10_000.0},
        rate=worth,
        **RATES,
    )

    assert made.sleeves[Sleeve.CONDOR].net.basis is Basis.HOLDING_PERIOD
    assert made.sleeves[Sleeve.CONDOR].net.rate == pytest.approx(0.01, abs=1e-12)
    assert not made.sleeves[Sleeve.TRANSIT].net.defined
    assert made.sleeves[Sleeve.TRANSIT].wedges_bp == {}


@steady
@given(journals())
def test_every_figure_of_the_whole_is_the_sum_over_sleeves(entries):
    book = balances.book(entries)
    closing = nav(book, mark)

    made = statement(
        entries,
        start=date(2023, 2, 6),
        end=date(2023, 6, 1),
        opening=NOTHING,
        closing=closing,
        rate=worth,
        **RATES,
    )

    names = ("opening", "closing", "put_in", "gain", "earned")
    each = {name: [getattr(p, name) for p in made.sleeves.values()] for name in names}
    scale = max(1.0, *(abs(part) for parts in each.values() for part in parts))  # what entered the sums
    for name in names:
        assert getattr(made.blended, name) == pytest.approx(math.fsum(each[name]), abs=1e-12 * scale)
    for kind in WEDGES:
        parts = [p.costs[kind] for p in made.sleeves.values()]
        assert made.blended.costs[kind] == pytest.approx(math.fsum(parts), abs=1e-9 * max(1.0, *map(abs, parts)))
    assert total(closing) == pytest.approx(math.fsum(mark(p) for p in book), rel=1e-9, abs=1e-6)


def test_what_happens_after_the_close_belongs_to_the_next_valuation():
    close = datetime(2023, 2, 7, 16, 15, tzinfo=MARKET_ZONE)

    assert balances.valuation_day(close) == date(2023, 2, 7)
    assert balances.valuation_day(close + timedelta(seconds=1)) == date(2023, 2, 8)


def test_gas_is_valued_at_the_rate_of_its_day():
    entries = [
        posting.capital(cash(usd(1000), Sleeve.DEFI, "safe"), key="c", at=START),
        posting.gas(10**16, chain_id=1, transaction_hash="0x1", at=START),
    ]

    made = statement(
        entries,
        start=date(2023, 2, 6),
        end=date(2023, 6, 1),
        opening=NOTHING,
        closing={Sleeve.DEFI: 984.0},
        rate=worth,
        **RATES,
    )

    assert made.blended.costs["gas"] == pytest.approx(16.0)
    assert made.blended.gross.rate == pytest.approx(0.0, abs=1e-9)
    assert ETH.decimals == 18


@pytest.mark.requirement("D15")
def test_funding_and_leakage_are_wedges_and_an_unrealised_mark_is_none():
    last = START + timedelta(days=365)
    stable = cash(Money.of(1000, USDC), Sleeve.DEFI, "safe")
    searched = slippage.Markout("0x1", 1, Decimal("1.02"), Decimal(1), Decimal(1000), Decimal(0), Decimal(0))
    entries = [
        posting.capital(cash(usd(10_000)), key="c", at=START),
        costs.funding(held(PERP, 1), usd(-300), at=last),
        costs.funding(held(PERP, 1), usd(100), at=last - timedelta(hours=8)),
        posting.entry_for(fill("f", held(PUT, 1), cash(usd(-520)), slippage=usd(-50), at=last)),
        slippage.leakage_entry(searched, Sleeve.CONDOR, USD, fill_key="f", at=last),
        depeg.depeg_mark(stable, Decimal("0.95"), last.date(), at=last, marked=usd(0)),
    ]

    made = statement(
        entries,
        start=date(2023, 2, 6),
        end=date(2024, 2, 7),
        opening=NOTHING,
        closing={Sleeve.CONDOR: 9_780.0},
        rate=worth,
        **RATES,
    )

    condor, whole = made.sleeves[Sleeve.CONDOR], made.blended
    assert condor.costs == dict.fromkeys(WEDGES, 0.0) | {"slippage": 30.0, "mev": 20.0, "funding": 200.0}
    assert whole.costs == condor.costs
    assert condor.gross.rate == pytest.approx((9_780 + 250) / 10_000 - 1, abs=1e-6)
    assert condor.wedges_bp["mev"] == pytest.approx(20.0, abs=0.01)
    assert math.fsum(condor.wedges_bp.values()) == pytest.approx(1e4 * (condor.gross.rate - condor.net.rate))
