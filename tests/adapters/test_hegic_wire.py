import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.evm.contract import Contract
from adapters.evm.erc20 import Token
from adapters.evm.hegic_wire import Herge, Strategy, buy, exercise, pays, permits, unlock, wish
from adapters.evm.wire import address
from adapters.safe.allow import AllowList
from contracts_abi import load
from engine.instruments import Right
from engine.money import Currency, Money
from engine.orders import Order, OrderId, OrderLeg
from engine.positions import Sleeve

USDC = Token(Currency("USDC", 6), address("0x" + "a1" * 20))
CONTRACT = Contract(address("0x" + "57" * 20), load("hegic-strategy"))
OTM = Strategy(CONTRACT, "WETH", Right.PUT, 9_000)
HERGE = Herge(
    Contract(address("0x" + "7e" * 20), load("hegic-treasury")),
    Contract(address("0x" + "e7" * 20), load("hegic-positions-manager")),
    USDC,
    (OTM,),
    address("0x" + "5a" * 20),
)
SPOT, EXPIRY = 1000 * 10**8, 1_743_148_800


@pytest.mark.parametrize(("scale", "price", "each"), [(10_000, 700, 300), (9_000, 655, 245), (9_000, 900, 0)])
def test_payoffs_are_those_of_hegics_own_tests(scale, price, each):
    # hegic/contracts packages/herge/test/contracts/HegicStrategyPut.spec.ts, spot 1000
    strategy = Strategy(CONTRACT, "WETH", Right.PUT, scale)

    assert pays(strategy, 10**18, SPOT, price * 10**8, 6) == each * 10**6


def test_bitcoin_counts_in_eight_decimals():
    bitcoin = Strategy(CONTRACT, "WBTC", Right.CALL, 10_000, decimals=8)

    assert pays(bitcoin, 10**8, 20_000 * 10**8, 21_500 * 10**8, 6) == 1_500 * 10**6


@given(units=st.integers(1, 10**24), price=st.integers(0, 10**13))
def test_a_put_never_pays_more_than_its_strike(units, price):
    assert 0 <= pays(OTM, units, SPOT, price, 6) * 10**18 <= 900 * 10**6 * units


def test_the_words_say_how_far_from_spot_it_is_struck():
    option = HERGE.option(OTM, SPOT, EXPIRY)
    limit = Money.of("-101", USDC.currency)
    asked = wish(HERGE, Order(OrderId("o"), "hegic", Sleeve.DEFI, "x", (OrderLeg(option, 4),), limit, limit, ""))

    calls = (*buy(HERGE, asked, 30 * 86_400), exercise(HERGE, 3), unlock(HERGE, 3))

    assert (option.strike, option.root) == (900, "HEGIC-9000")
    assert [call.description for call in calls] == [
        "let hegic take up to 101 USDC",
        "buy 4 WETH put struck at 90 % of spot for 30 days",
        "let hegic take no more USDC",
        "exercise position 3 of hegic",
        "close expired position 3 of hegic",
    ]
    assert AllowList(permits(HERGE)).described(calls) == calls
