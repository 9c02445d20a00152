from decimal import Decimal

import pytest

from adapters.evm.aave_wire import Action, Move, Pool, changes, encode, market, move, permits
from adapters.evm.contract import Contract
from adapters.evm.erc20 import Token
from adapters.evm.wire import address
from adapters.safe.allow import AllowList
from contracts_abi import load
from engine.errors import OrderRejected
from engine.instruments import LendingDebt, LendingSupply
from engine.money import Currency, Money
from engine.orders import Order, OrderId, OrderLeg
from engine.positions import Sleeve

USDC = Token(Currency("USDC", 6), address("0x" + "a1" * 20))
SAFE, POOL = address("0x" + "5a" * 20), address("0x" + "b0" * 20)
CHEAP = Pool("aave-cheap", Contract(POOL, load("aave-v3-pool")), {"USDC": USDC}, SAFE)
SELECTORS = {"supply": "617ba037", "withdraw": "69328dec", "borrow": "a415bcad", "repay": "573ade81"}  # Aave v3


def lending(instrument, quantity: str) -> Order:
    cash = Money.of(-Decimal(quantity), USDC.currency)
    leg = OrderLeg(instrument, Decimal(quantity))
    return Order(OrderId("o"), "aave-cheap", Sleeve.DEFI, "lending", (leg,), cash, cash, "")


SUPPLY, DEBT = LendingSupply("aave-cheap", USDC.currency), LendingDebt("aave-cheap", USDC.currency)
CASES = [(SUPPLY, "5", "supply"), (SUPPLY, "-5", "withdraw"), (DEBT, "-5", "borrow"), (DEBT, "5", "repay")]


@pytest.mark.parametrize(("instrument", "quantity", "action"), CASES)
def test_signs_choose_the_pool_call(instrument, quantity, action):
    asked = move(CHEAP, lending(instrument, quantity))
    calls = encode(CHEAP, asked)

    (pool_call,) = [call for call in calls if call.to == POOL]
    assert (asked.action, asked.units) == (action, 5_000_000)
    assert pool_call.data[:4].hex() == SELECTORS[action]
    assert len(calls) == (3 if action in ("supply", "repay") else 1)
    assert AllowList(permits(CHEAP)).described(calls) == calls


@pytest.mark.parametrize(("instrument", "quantity", "action"), CASES)
def test_cash_and_book_move_against_each_other(instrument, quantity, action):
    asked = move(CHEAP, lending(instrument, quantity))

    book, cash = changes(asked, 5_000_000, "aave-cheap")

    assert book.instrument == instrument
    assert book.held.amount == Decimal(quantity)
    assert cash.held.amount == -Decimal(quantity)
    assert {book.venue, cash.venue} == {"vault"}


def test_a_withdrawal_of_everything_by_a_magic_number_is_never_made():
    asked = Move(Action.WITHDRAW, USDC, 5)

    assert encode(CHEAP, asked)[0].data[36:68] == (5).to_bytes(32, "big")


def test_a_market_is_read_in_decimals():
    ray = 10**27
    readings = {
        "reserve": {
            "totalVariableDebt": 3 * 10**6,
            "totalStableDebt": 0,
            "variableBorrowRate": ray // 20,
            "liquidityRate": ray // 50,
        },
        "held": {"totalAToken": 9 * 10**6, "totalVariableDebt": 2 * 10**6, "totalStableDebt": 10**6},
        "terms": {
            "USDC": {"liquidationThreshold": 8250, "ltv": 8000},
            "WETH": {"liquidationThreshold": 7800, "ltv": 0},
        },
        "liquidity": 10**6,
        "kink": ray * 9 // 10,
        "base": 0,
        "slope1": ray * 4 // 100,
        "slope2": ray * 6 // 10,
    }

    found = market("aave-cheap", USDC, USDC, readings)

    assert (found.borrow_rate, found.supply_rate) == (0.05, 0.02)
    assert (found.ltv, found.threshold, found.utilisation, found.liquidity) == (0.8, 0.825, 0.75, 1.0)
    assert (found.collateral, found.withdrawable) == ("USDC", 6.0)
    assert [found.counts(code) for code in ("USDC", "WETH", "sUSD")] == [0.825, 0.78, 0.0]


def test_an_empty_market_is_not_lent_out():
    readings = {
        "reserve": dict.fromkeys(("totalVariableDebt", "totalStableDebt", "variableBorrowRate", "liquidityRate"), 0),
        "held": dict.fromkeys(("totalAToken", "totalVariableDebt", "totalStableDebt"), 0),
        "terms": {"USDC": {"liquidationThreshold": 0, "ltv": 0}},
        **dict.fromkeys(("liquidity", "kink", "base", "slope1", "slope2"), 0),
    }

    assert market("m", USDC, USDC, readings).utilisation == 0.0


def test_a_zero_order_is_refused():
    with pytest.raises(OrderRejected, match="quantity is zero"):
        move(CHEAP, lending(SUPPLY, "0"))
