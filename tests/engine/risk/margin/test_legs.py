from datetime import timedelta
from decimal import Decimal

import numpy as np
import pytest

from engine.errors import InvalidStructure, MissingQuote
from engine.instruments import Cash, Settlement, VanillaOption
from engine.money import USD, Money
from engine.positions import Book, Position, Sleeve
from engine.risk.margin import margin_legs
from engine.risk.smile import Smile
from engine.risk.valuation import PricingView
from tests.engine.risk.contracts import FRIDAY, listed

SMILE = Smile(FRIDAY, 0.1, 7380.0, 0.04, np.array([-0.5, 0.5]), np.array([0.18, 0.18]))
VIX = 17.0  # the cash index; the future stands at 18.5
VIX_SMILE = Smile(FRIDAY, 0.1, 18.5, 0.04, np.array([-0.5, 0.5]), np.array([0.9, 0.9]))
VIEW = PricingView(
    FRIDAY, 7350.0, {("SPXW", FRIDAY): SMILE}, {"ETH": 3000.0}, {"ETH": 0.6}, vix_smiles={("VIX", FRIDAY): VIX_SMILE}
)
PUT = listed(7000, "P")
VIX_CALL = listed(20, "C", root="VIX", underlying="VIX", settlement=Settlement.AM)


def position(instrument, quantity, venue="broker"):
    return Position(instrument, Money.of(Decimal(str(quantity)), instrument.unit), Sleeve.CONDOR, venue)


def test_contracts_are_netted_by_broker_and_marked_on_the_market():
    protocol = VanillaOption("lyra", "ETH", FRIDAY, Decimal(2000), PUT.right, Decimal(1), Settlement.CHAIN, decimals=18)
    book = Book(
        (
            position(PUT, -3),
            position(PUT, 2, "second"),
            position(VIX_CALL, 4),
            position(protocol, 1.5),
            position(Cash(USD), 1000),
        )
    )

    legs = margin_legs(book, VIEW, VIX)

    assert [(leg.option, leg.quantity, leg.venue) for leg in legs] == [
        (PUT, -3, "broker"),
        (VIX_CALL, 4, "broker"),
        (PUT, 2, "second"),
    ]
    assert [leg.level for leg in legs] == [7350.0, VIX, 7350.0]
    assert legs[0].mark == pytest.approx(legs[2].mark)
    assert 0 < legs[0].mark < 100


def test_sleeves_of_one_account_net_and_what_nets_to_nothing_is_left_out():
    other = Position(PUT, Money.of(3, PUT.unit), Sleeve.DEFI, "broker")

    assert margin_legs(Book((position(PUT, -3), other)), VIEW, VIX) == ()


def test_a_fraction_of_a_contract_is_refused():
    divisible = VanillaOption("SPXW", "SPX", FRIDAY, Decimal(7000), PUT.right, Decimal(100), Settlement.PM, decimals=2)

    with pytest.raises(InvalidStructure, match="whole contracts"):
        margin_legs(Book((position(divisible, 0.5),)), VIEW, VIX)


def test_a_leg_the_market_does_not_quote_is_refused():
    with pytest.raises(MissingQuote):
        margin_legs(Book((position(listed(7000, "P", expiry=FRIDAY + timedelta(days=1)), -1),)), VIEW, VIX)


@pytest.mark.requirement("D32")
def test_a_mini_contract_stands_on_a_tenth_of_the_index():
    mini = listed(700, "P", root="XSP", underlying="XSP")

    (held,) = margin_legs(Book((position(mini, -2),)), VIEW, VIX)

    (full,) = margin_legs(Book((position(PUT, -2),)), VIEW, VIX)
    assert (held.level, held.mark) == (735.0, pytest.approx(full.mark / 10.0))


@pytest.mark.fault("F77")
def test_a_contract_that_has_settled_is_named_as_such():
    settled = listed(7000, "P", expiry=FRIDAY - timedelta(days=1))

    with pytest.raises(MissingQuote, match="it settled 2026-03-19"):
        margin_legs(Book((position(settled, -1),)), VIEW, VIX)
