from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import DoesNotReconcile, MissingQuote
from engine.instruments import Cash
from engine.ledger import costs, lending, posting, settlement, variation
from engine.ledger.attribution import NAMES, Snapshot, attribute, engine_of
from engine.ledger.balances import book as book_of
from engine.ledger.balances import capital_flows
from engine.ledger.explained import PARTS, unit_explained, unit_gain, unit_worth
from engine.money import ETH, USD, Money, usd
from engine.positions import Book, Position, Sleeve
from engine.risk.smile import Smile
from tests.engine.ledger.events import cash, fill
from tests.engine.risk import cross_domain as x

pytestmark = pytest.mark.requirement("D36")
DAY = timedelta(days=1)
AT = x.ASOF + timedelta(hours=18)


def next_day(spot=0.0, vol=0.0, ether=0.0, peg=1.0, vix=0.0):
    """Tomorrow's market: index and ether by ln moves, every smile higher by `vol`, stablecoins at `peg`."""
    old = x.view()
    smile, vix_smile = old.smiles["SPXW", x.SPX_EXPIRY], old.vix_smiles["VIX", x.VIX_EXPIRY]
    years, future = 44 / 365, 15.5 * np.exp(vix)
    forward = x.SPOT * np.exp(spot + 0.03 * years)
    ethers = np.exp(ether)
    return replace(
        old,
        asof=x.ASOF + DAY,
        spot=x.SPOT * np.exp(spot),
        smiles={("SPXW", x.SPX_EXPIRY): Smile(x.SPX_EXPIRY, years, forward, 0.05, smile.moneyness, smile.vols + vol)},
        vix_smiles={
            ("VIX", x.VIX_EXPIRY): Smile(x.VIX_EXPIRY, 39 / 365, future, 0.05, vix_smile.moneyness, vix_smile.vols)
        },
        vix_futures={x.VIX_EXPIRY: future},
        token_usd={"USDC": peg, "DAI": peg, "sUSD": 0.999 * peg, "WETH": x.ETHER * ethers, "ETH": x.ETHER * ethers},
        perpetuals={
            key: replace(mark, price=mark.price * (ethers if key[1] == "WETH" else 1.0))
            for key, mark in old.perpetuals.items()
        },
        powers={key: replace(m, normalisation=0.4 * np.exp(-(0.75**2) / 365)) for key, m in old.powers.items()},
        pools={"uni": replace(old.pools["uni"], price=3001.0 * ethers / peg)},
    )


def position(instrument, quantity, sleeve=Sleeve.CONDOR, venue="paper"):
    return Position(instrument, Money.of(str(quantity), instrument.unit), sleeve, venue)


def nav(book, view, sleeve=None):
    held = book if sleeve is None else book.of(sleeve)
    return sum(float(p.quantity) * unit_worth(p.instrument, view) for p in held)


START_BOOK = Book(
    (
        position(Cash(USD), "500000.00"),
        position(x.PUT, -10),
        position(x.CALL, -8),
        position(x.VIX_CALL, 30),
        position(x.VX, 2),
        position(Cash(x.USDC), 20_000, Sleeve.DEFI, "safe"),
        position(Cash(ETH), 3, Sleeve.DEFI, "executor"),
        position(x.SUPPLY, 40_000, Sleeve.DEFI, "aave"),
        position(x.DEBT, -30_000, Sleeve.DEFI, "aave"),
        position(x.LYRA_PUT, 6, Sleeve.DEFI, "lyra"),
    )
)


def days_entries(lots=2, slipped=-35, margin=1500, put_in=1000):
    """A day of trades, gas, interest, variation and new money."""
    price = Decimal("41.50")
    bought = fill(
        "f1",
        position(x.PUT, lots),
        cash(Money.rounded(-lots * price * 100, USD) + usd(slipped)),
        fees={"commission": usd("2.20")},
        slippage=usd(slipped),
        at=AT,
    )
    dai = Money.of("4.50", x.DAI)
    return [
        posting.entry_for(bought),
        posting.gas(3 * 10**15, chain_id=1, transaction_hash="0x1", at=AT),
        variation.variation_entry(position(x.VX, 2), usd(margin), AT.date(), at=AT),
        costs.broker_interest(cash(usd("55.00")), AT.date(), at=AT),
        lending.accrual(position(x.SUPPLY, "4.50", Sleeve.DEFI, "aave"), AT.date(), at=AT, evidence={}),
        lending.accrual(position(x.DEBT, "-5.10", Sleeve.DEFI, "aave"), AT.date(), at=AT, evidence={}),
        posting.capital(cash(usd(put_in)), key="c1", at=AT),
        posting.entry_for(fill("f2", cash(-dai, Sleeve.DEFI, "safe"), cash(usd(4), Sleeve.CONDOR), at=AT)),
    ]


def attributed(view, entries, before=START_BOOK):
    after = before.plus(book_of(entries))
    return attribute(Snapshot(x.view(), before), Snapshot(view, after), entries), after


moves = st.fixed_dictionaries(
    {
        "spot": st.floats(-0.05, 0.05),
        "vol": st.floats(-0.03, 0.05),
        "ether": st.floats(-0.2, 0.2),
        "peg": st.floats(0.9, 1.02),
        "vix": st.floats(-0.2, 0.5),
    }
)


@settings(max_examples=40)
@given(moves, st.integers(-5, 5).filter(bool), st.integers(-900, 900))
def test_parts_of_every_engine_sum_to_the_change_of_nav_to_the_cent(move, lots, slipped):
    view, entries = next_day(**move), days_entries(lots, slipped)

    (engines, whole), after = attributed(view, entries)

    put_in = sum(-float(f.paid.amount) * unit_worth(f.instrument, view) for f in capital_flows(entries))
    change = nav(after, view) - nav(START_BOOK, x.view()) - put_in
    assert whole.actual.to_float() == pytest.approx(change, abs=0.01 * len(engines))
    for one in (*engines.values(), whole):
        assert set(one.parts) == set(NAMES)
        assert sum(one.parts.values(), usd(0)) == one.actual
    for name in NAMES:
        assert sum((one.parts[name] for one in engines.values()), usd(0)) == whole.parts[name]


def test_costs_and_carry_stand_at_what_the_journal_says():
    (engines, whole), _ = attributed(next_day(), days_entries())

    assert whole.parts["slippage"] == usd(-35)
    assert engines["condor"].parts["fees"] == usd("-2.20")
    assert engines["defi"].parts["gas"] == usd(0)
    assert engines["gas"].parts["gas"] == usd("-9.00")
    assert engines["condor"].parts["carry"] == usd(55)
    assert (engines["defi"].parts["carry"], engines["financing"].parts["carry"]) == (usd("4.50"), usd("-5.10"))


def test_variation_pays_what_the_future_gained_and_only_a_difference_is_trading():
    vx = [variation.variation_entry(position(x.VX, 2), usd("3259.30"), AT.date(), at=AT)]
    before = Book((position(Cash(USD), "1000.00"), position(x.VX, 2)))

    (engines, _), _ = attributed(next_day(vix=0.1), vx, before)

    gained = 2 * 1000 * 15.5 * (np.exp(0.1) - 1)
    assert engines["hedge"].parts["delta"].to_float() == pytest.approx(gained, abs=0.01)
    assert engines["hedge"].actual == usd("3259.30")
    assert engines["hedge"].parts["trading"].to_float() == pytest.approx(3259.30 - gained, abs=0.011)


@pytest.mark.parametrize("move", [{"spot": -0.01}, {"spot": 0.005, "vol": 0.01}, {"ether": -0.03}, {"peg": 0.97}, {}])
def test_an_ordinary_day_is_explained_to_within_two_percent(move):
    (_, whole), _ = attributed(next_day(**move), [])

    assert not whole.flagged
    assert whole.hypothetical.to_float() == pytest.approx(
        whole.theoretical.to_float(), abs=0.02 * whole.gross.to_float()
    )


def test_a_crash_that_the_greeks_do_not_explain_is_flagged():
    (_, whole), _ = attributed(next_day(spot=-0.2, vol=0.3), [])

    assert whole.flagged


@pytest.mark.parametrize("instrument", x.EVERY, ids=lambda i: i.id)
def test_every_instrument_is_explained_up_to_the_third_order(instrument):
    small, large = ({"spot": -h, "vol": h / 2, "ether": h, "vix": h, "peg": 1 - h / 5} for h in (0.002, 0.004))

    missed = []
    for move in (small, large):
        view = next_day(**move)
        explained = unit_explained(instrument, x.view(), view)
        assert set(explained) <= set(PARTS)
        missed.append(abs(unit_gain(instrument, x.view(), view) - sum(explained.values())))

    scale = max(1.0, abs(unit_worth(instrument, x.view())))
    assert missed[0] <= 2e-4 * scale
    assert missed[1] <= 5.0 * missed[0] + 5e-4 * scale


def test_a_depeg_is_a_part_of_its_own():
    (engines, _), _ = attributed(next_day(peg=0.97), [])

    usdc, loan = 20_000 * 0.03, (40_000 - 30_000) * 0.03
    parts = [engines[name].parts["depeg"].to_float() for name in ("defi", "financing")]
    option = 6 * unit_worth(x.LYRA_PUT, x.view()) * 0.03
    assert sum(parts) == pytest.approx(-usdc - loan - option, rel=2e-2)
    assert parts[1] == pytest.approx(900.0, abs=0.01)


def test_what_settled_gains_to_its_settlement():
    before = Book((position(Cash(USD), "1000.00"), position(x.PUT, -1)))
    paid = settlement.settled(position(x.PUT, -1), usd(-2500), at=AT)
    after = before.plus(book_of([paid]))

    engines, whole = attribute(Snapshot(x.view(), before), Snapshot(next_day(), after), [paid], settled={x.PUT: 2500.0})

    assert whole.actual.to_float() == pytest.approx(unit_worth(x.PUT, x.view()) - 2500.0, abs=0.01)
    assert engines["condor"].parts["trading"] == usd(0)


def test_positions_that_entries_do_not_explain_stop_the_attribution():
    with pytest.raises(DoesNotReconcile, match=r"1 position\(s\)"):
        attribute(Snapshot(x.view(), START_BOOK), Snapshot(next_day(), START_BOOK), days_entries()[3:4])


def test_a_market_that_does_not_price_a_position_says_so():
    blind = replace(next_day(), smiles={})

    with pytest.raises(MissingQuote):
        attributed(blind, [])


def test_engines_are_told_by_what_they_hold():
    assert [engine_of(i, Sleeve.CONDOR) for i in (x.PUT, x.VX, x.UVXY)] == ["condor", "hedge", "hedge"]
    assert [engine_of(i, Sleeve.DEFI) for i in (x.DEBT, x.SUPPLY)] == ["financing", "defi"]
    assert engine_of(x.SUPPLY, Sleeve.TRANSIT) == "transit"
