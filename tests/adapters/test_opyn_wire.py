import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.evm.erc20 import Token
from adapters.evm.opyn_wire import Otoken
from adapters.evm.wire import address
from engine.instruments import Right, Settlement
from engine.money import Currency

USDC = Token(Currency("USDC", 6), address("0x" + "a1" * 20))
EXPIRY = 1_743_148_800  # 28 March 2025, 08:00 UTC
ONE = 10**8


def put(strike: int) -> Otoken:
    return Otoken(address("0x" + "0f" * 20), "WETH", strike * ONE, EXPIRY, Right.PUT, USDC)


def test_payouts_are_those_of_gammas_own_tests():
    # GammaProtocol test/unit-tests/controller.test.ts: strike 200, 150 at expiry; one oToken redeems for 50 USDC,
    # and a vault of 200 USDC that wrote one settles for 150
    assert put(200).pays(ONE, 150 * ONE) == 50 * 10**6
    assert put(200).needs(ONE) - put(200).pays(ONE, 150 * ONE) == 150 * 10**6


@given(units=st.integers(1, 10**14), strike=st.integers(1, 10**5), price=st.integers(0, 10**13))
def test_collateral_always_covers_what_a_put_can_owe(units, strike, price):
    option = put(strike)

    assert 0 <= option.pays(units, price) <= option.needs(units)
    assert option.needs(units) - option.pays(units, 0) <= 1


def test_the_instrument_is_a_european_put_settled_on_chain():
    option = put(1800).option

    assert option.expiry.isoformat() == "2025-03-28T08:00:00+00:00"
    assert (option.settlement, option.decimals, option.strike) == (Settlement.CHAIN, 8, 1800)


@pytest.mark.parametrize(("right", "price", "paid"), [(Right.CALL, 250, 50), (Right.CALL, 150, 0), (Right.PUT, 250, 0)])
def test_only_what_is_in_the_money_pays(right, price, paid):
    option = Otoken(address("0x" + "0f" * 20), "WETH", 200 * ONE, EXPIRY, right, USDC)

    assert option.pays(ONE, price * ONE) == paid * 10**6
