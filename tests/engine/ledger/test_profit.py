from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.instruments import Future, Perpetual
from engine.ledger import balances, posting, settlement
from engine.ledger.profit import profits, worth
from engine.money import USD, Money, usd
from engine.positions import Sleeve
from tests.engine.ledger.events import PUT, START, USDC, cash, fill, held, journals, steady

TODAY = START.date() + timedelta(days=40)


def rate(instrument, day):
    """Prices that move every day, by instrument; what is margined daily is worth nothing to hold."""
    if instrument.id == "USD" or isinstance(instrument, Future | Perpetual):
        return usd(0)
    base = {"USDC": 97, "ETH": 160_000, "RWD": 40}.get(instrument.currency.code, 250_00)
    return Money(base + (day - date(2023, 1, 1)).days % 7, USD)


def nav(entries, sleeve):
    """Holdings times marks, added up by instrument."""
    held_now = {}
    for position in balances.book(entries).of(sleeve):
        before = held_now.get(position.instrument, Money.zero(position.held.currency))
        held_now[position.instrument] = before + position.held
    return sum((worth(amount, instrument, rate, TODAY) for instrument, amount in held_now.items()), usd(0))


@pytest.mark.requirement("D34")
@steady
@given(journals(most=10))
def test_nav_is_capital_and_cumulative_result_to_the_cent(entries):
    found = profits(entries, rate, TODAY)

    for sleeve in Sleeve:
        assert found[sleeve].nav == nav(entries, sleeve)


@pytest.mark.requirement("D34")
@pytest.mark.parametrize(("level", "paid"), [("3790", "-1000"), ("3900", "0")])
def test_a_short_put_assigned_or_expired_realises_its_credit_less_what_it_paid(level, paid):
    sold = posting.entry_for(fill("f", held(PUT, -1), cash(usd(900)), fees={"commission": usd("1.10")}))
    due = settlement.payout(PUT, held(PUT, -1).held, Decimal(level))
    expired = settlement.settled(held(PUT, -1), due, at=START + timedelta(days=30))
    start = posting.capital(cash(usd(10_000)), key="c", at=START)

    found = profits([start, sold, expired], rate, TODAY)[Sleeve.CONDOR]

    assert due == usd(paid)
    assert found.realised == usd("898.90") + usd(paid)
    assert (found.unrealised, found.carried, found.capital) == (usd(0), usd(0), usd(10_000))


def test_a_stablecoin_is_bought_at_its_market_price_and_gains_when_it_recovers():
    bought = fill("f", cash(Money.of(1000, USDC), Sleeve.DEFI, "safe"), cash(usd(-970), Sleeve.DEFI, "safe"))
    prices = {START.date(): usd("0.97"), TODAY: usd("1.00")}

    found = profits([posting.entry_for(bought)], lambda _, day: prices[day], TODAY)[Sleeve.DEFI]

    assert found.unrealised == usd(30)
    assert found.nav == usd(1000) - usd(970)


@steady
@given(st.integers(1, 9), st.integers(-(10**6), 10**6))
def test_the_cash_of_a_combo_is_shared_over_its_legs_without_losing_a_cent(count, units):
    from tests.engine.terms import spx

    wing = spx(3700, "P")
    combo = posting.entry_for(fill("f", held(PUT, -count), held(wing, count), cash(Money(units, USD))))

    found = profits([combo], rate, TODAY)[Sleeve.CONDOR]

    assert found.nav == nav([combo], Sleeve.CONDOR)
    assert found.carried == usd(0)
