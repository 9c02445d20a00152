from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest

from adapters.paper.broker import PaperBroker
from engine.errors import OrderRejected, StorageError
from engine.instruments import Settlement
from engine.market import ExpiryQuotes, OptionChain
from engine.money import usd
from engine.orders import OrderId, OrderLeg
from tests.adapters.conformance import BrokerVenueContract
from tests.engine.plans import NOW, condor_order, hedge_order
from tests.engine.terms import EXPIRY, spx


class Fixed:
    def now(self):
        return NOW


def market():
    strikes = np.array([3700.0, 3800.0, 3900.0, 4500.0, 4600.0])
    return OptionChain(
        "SPX",
        NOW,
        4164.0,
        (
            ExpiryQuotes(
                "SPXW",
                EXPIRY,
                Settlement.PM,
                strikes,
                call_bid=np.array([470, 380, 290, 5.0, 1.6]),
                call_ask=np.array([474, 384, 294, 5.4, 1.8]),
                put_bid=np.array([15.8, 20.0, 39.0, 330, 430]),
                put_ask=np.array([17.0, 21.0, 40.0, 334, 434]),
                call_iv=np.full(5, np.nan),
                put_iv=np.full(5, np.nan),
            ),
        ),
        "test",
        NOW,
    )


@pytest.fixture
def venue(tmp_path):
    broker = PaperBroker(tmp_path / "paper.json", lambda: [market()], Fixed())
    broker.deposit(usd(850_000))
    return broker


@pytest.fixture
def unquoted():
    return replace(hedge_order(), id=OrderId("u"), legs=(OrderLeg(spx(1234, "P"), Decimal(1)),))


class TestPaperBroker(BrokerVenueContract):
    pass


def test_it_crosses_the_spread_and_charges_the_published_fees(venue):
    venue.submit(condor_order(lots=1))

    (fill,) = venue.fills(condor_order().id)
    credit = (20.0 + 5.0 - 17.0 - 1.8) * 100
    assert {c.held for c in fill.changes if c.held.currency.code == "USD"} == {usd(str(credit))}
    assert fill.fees["commission"] == usd("2.60")  # four contracts at 0.65
    assert fill.fees["exchange"] == usd("1.80")


def test_another_process_sees_the_same_book(venue, tmp_path):
    venue.submit(condor_order())

    again = PaperBroker(tmp_path / "paper.json", lambda: [market()], Fixed())
    assert again.positions() == venue.positions()
    assert again.fills(condor_order().id) == venue.fills(condor_order().id)


@pytest.mark.parametrize(("level", "cash"), [(4200.0, 0), (3750.0, -50 * 100 * 2), (3600.0, -100 * 100 * 2)])
def test_a_condor_settles_to_the_cent_and_only_once(venue, level, cash):
    venue.submit(condor_order(lots=2))
    before = venue.positions()["USD"]

    venue.settle(EXPIRY, Settlement.PM, level)
    again = venue.settle(EXPIRY, Settlement.PM, level)

    assert venue.positions() == {"USD": before + cash * 100}
    assert again == []


def test_an_account_without_the_money_refuses(tmp_path):
    broker = PaperBroker(tmp_path / "paper.json", lambda: [market()], Fixed())
    broker.deposit(usd(10))

    with pytest.raises(OrderRejected, match=r"costs 4,00\d"):
        broker.submit(hedge_order())

    assert broker.positions() == {"USD": 1000}


def test_a_broken_book_is_refused_not_replaced(tmp_path):
    path = tmp_path / "paper.json"
    path.write_text("{", encoding="utf-8")

    with pytest.raises(StorageError, match="cannot be read"):
        PaperBroker(path, list, Fixed())

    assert path.read_text(encoding="utf-8") == "{"
