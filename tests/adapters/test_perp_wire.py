from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.evm.abi import event_topic
from adapters.evm.contract import Contract
from adapters.evm.erc20 import Token
from adapters.evm.perp_wire import Exchange, Trade, Transfer, asked, daily_funding, encode, permits, quit_closed, steps
from adapters.evm.wire import address
from adapters.safe.allow import AllowList
from contracts_abi import load
from engine.errors import OrderRejected
from engine.money import Currency, Money
from engine.orders import Order, OrderId, OrderLeg
from engine.ports import Receipt
from engine.positions import Sleeve

USDC = Token(Currency("USDC", 6), address("0x" + "a1" * 20))
SAFE, BASE = address("0x" + "5a" * 20), address("0x" + "be" * 20)
EXCHANGE = Exchange(
    "perp",
    Contract(address("0x" + "c1" * 20), load("perp-clearing-house")),
    Contract(address("0x" + "c2" * 20), load("perp-vault")),
    Contract(address("0x" + "c3" * 20), load("perp-account-balance")),
    USDC,
    {"WETH": BASE},
    SAFE,
)


def order(instrument, quantity: str, limit: str) -> Order:
    bound = Money.of(limit, USDC.currency)
    return Order(
        OrderId("o"), "perp", Sleeve.DEFI, "hedge", (OrderLeg(instrument, Decimal(quantity)),), bound, bound, ""
    )


@pytest.mark.parametrize(
    ("quantity", "limit", "words"),
    [
        ("5", "-10100", "buy 5 WETH perp for at most 10,100 USDC on perp"),
        ("-5", "9900", "sell 5 WETH perp for at least 9,900 USDC on perp"),
    ],
)
def test_a_trade_is_exact_in_base_and_bounded_in_quote(quantity, limit, words):
    (call,) = encode(EXCHANGE, asked(EXCHANGE, order(EXCHANGE.perpetual("WETH"), quantity, limit)))

    terms = EXCHANGE.house.decode_call(call.data)[1]["params"]
    assert call.description == words
    assert terms["isBaseToQuote"] == terms["isExactInput"] == (quantity[0] == "-")
    assert terms["amount"] == 5 * 10**18
    assert terms["oppositeAmountBound"] == abs(int(limit)) * 10**18
    assert AllowList(permits(EXCHANGE)).described([call]) == (call,)


def test_margin_goes_in_under_an_exact_approval_and_comes_out_without():
    into = encode(EXCHANGE, Transfer(10**9))
    (out,) = encode(EXCHANGE, Transfer(-(10**9)))

    assert [call.description for call in into] == [
        "let perp take up to 1,000 USDC",
        "deposit 1,000 USDC to perp",
        "let perp take no more USDC",
    ]
    assert out.description == "withdraw 1,000 USDC from perp"
    assert AllowList(permits(EXCHANGE)).described((*into, out)) == (*into, out)


def test_only_the_vaults_own_position_is_quit():
    call = quit_closed(EXCHANGE, "WETH")
    stranger = EXCHANGE.house.encode("quitMarket", address("0x" + "99" * 20), BASE)

    assert AllowList(permits(EXCHANGE)).described([call]) == (call,)
    with pytest.raises(OrderRejected, match="only the vault"):
        AllowList(permits(EXCHANGE)).described([replace(call, data=stranger)])


@given(st.integers(-(10**30), 10**30))
def test_realised_amounts_round_down_losses_too(wad):
    # Curie SettlementTokenMath: "will always round down no matter positive value or negative value"
    assert EXCHANGE.units(wad) * 10**12 <= wad < (EXCHANGE.units(wad) + 1) * 10**12


@given(st.lists(st.integers(-(10**24), 10**24), min_size=1, max_size=6), st.integers(-(10**20), 10**20))
def test_what_is_realised_bit_by_bit_adds_up_to_the_unit(amounts, owed):
    house, vault, balances = EXCHANGE.house, EXCHANGE.vault, EXCHANGE.balances
    logs = []
    for amount in amounts:
        logs.append(log(balances, "PnlRealized", (SAFE,), (amount,)))
        logs.append(log(house, "PositionChanged", (SAFE, BASE), (10**18, -(10**21), 10**18, 0, 0, 1)))
    logs.append(log(vault, "Withdrawn", (USDC.address, SAFE), (5,)))
    receipt = Receipt("0x1", 1, "0x2", datetime(2025, 1, 1, tzinfo=UTC), 1, 0, 0, SAFE, SAFE, tuple(logs), True)

    found = steps(EXCHANGE, receipt, owed)

    realised = EXCHANGE.units(owed + sum(amounts)) - EXCHANGE.units(owed)
    assert sum(step.margin for step in found) == realised - 5
    assert len(found) == len(amounts) + 1


def test_a_withdrawal_settles_what_is_owed_and_rounding_starts_anew():
    half = -5 * 10**11  # half a unit lost: rounded down, twice
    logs = [
        log(EXCHANGE.vault, "Withdrawn", (USDC.address, SAFE), (5,)),
        log(EXCHANGE.balances, "PnlRealized", (SAFE,), (half,)),
        log(EXCHANGE.house, "PositionChanged", (SAFE, BASE), (10**18, -(10**21), 10**18, 0, 0, 1)),
    ]
    receipt = Receipt("0x1", 1, "0x2", datetime(2025, 1, 1, tzinfo=UTC), 1, 0, 0, SAFE, SAFE, tuple(logs), True)

    assert [step.margin for step in steps(EXCHANGE, receipt, half)] == [-5, -1]


def log(contract: Contract, name: str, indexed: tuple, plain: tuple) -> dict:
    entry = next(e for e in contract.abi if e.get("name") == name)
    words = [int(v, 16) if isinstance(v, str) else v for v in plain]
    topics = ["0x" + event_topic(entry).hex(), *("0x" + a[2:].lower().rjust(64, "0") for a in indexed)]
    data = "0x" + b"".join(w.to_bytes(32, signed=w < 0) for w in words).hex()
    place = {"transactionHash": "0x1", "blockNumber": "0x1", "logIndex": "0x0"}
    return {"address": contract.address, "topics": topics, "data": data, **place}


@pytest.mark.parametrize(("market", "paid"), [(2020, "0.01"), (1980, "-0.01"), (3000, "0.1"), (1000, "-0.1")])
def test_funding_of_a_day_is_the_premium_and_no_more_than_a_tenth(market, paid):
    assert daily_funding(Decimal(market), Decimal(2000), Decimal("0.1")) == Decimal(paid)


@pytest.mark.parametrize("wanted", [Trade("WETH", 10**18, 0), Trade("WETH", -(10**18), 2**128)])
def test_a_trade_without_a_bound_is_never_signed(wanted):
    with pytest.raises(OrderRejected, match="any price"):
        AllowList(permits(EXCHANGE)).described(encode(EXCHANGE, wanted))
