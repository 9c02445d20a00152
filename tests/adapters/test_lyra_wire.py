from datetime import UTC, datetime
from decimal import Decimal

import pytest

from adapters.evm.abi import selector, signature
from adapters.evm.contract import Contract
from adapters.evm.erc20 import Token
from adapters.evm.lyra_trades import quote_entry, traded
from adapters.evm.lyra_wire import Listed, Market, OptionType, open_long, permits
from adapters.evm.wire import Found, address
from adapters.safe.allow import AllowList
from contracts_abi import load
from engine.errors import OrderRejected
from engine.instruments import Right
from engine.money import Currency, Money
from engine.orders import Call, Order, OrderId, OrderLeg
from engine.positions import Sleeve

WAD = 10**18
SUSD = Token(Currency("sUSD", 18), address("0x" + "a1" * 20))
SAFE = address("0x" + "5a" * 20)
MARKET = Market(
    Contract(address("0x" + "b0" * 20), load("lyra-option-market")),
    Contract(address("0x" + "b1" * 20), load("lyra-short-collateral")),
    SUSD,
    SAFE,
)
LISTED = Listed(3, 1, 1800 * WAD, int(datetime(2025, 6, 27, 8, tzinfo=UTC).timestamp()))
PUT = MARKET.option(LISTED, Right.PUT)


def buying(quantity="10", limit="-2100") -> Order:
    cash = Money.of(limit, SUSD.currency)
    leg = OrderLeg(PUT, Decimal(quantity))
    return Order(OrderId("o"), "lyra", Sleeve.DEFI, "hedge", (leg,), cash, cash, "")


def event(direction=0, premium=1000, fees=(1, 2, 3, 4), total_fee=None) -> Found:
    kinds = dict(zip(("optionPriceFee", "spotPriceFee"), fees[:2], strict=True))
    charged = sum(fees) if total_fee is None else total_fee
    result = {
        **kinds,
        "vegaUtilFee": {"vegaUtilFee": fees[2]},
        "varianceFee": {"varianceFee": fees[3]},
        "totalFee": charged,
    }
    total = premium + charged if direction == 0 else premium - charged
    trade = {"tradeDirection": direction, "amount": 10 * WAD, "totalCost": total}
    return Found(4, {"trade": trade, "tradeResults": [result], "positionId": 7})


def test_a_listed_strike_is_a_chain_settled_option():
    assert PUT.id == "LYRA-ETH 2025-06-27 P 1800 CHAIN"
    assert (PUT.decimals, PUT.multiplier, PUT.currency.code) == (18, 1, "sUSD")


def test_buying_approves_the_limit_and_says_so_in_words():
    calls = open_long(MARKET, buying(), LISTED)

    assert calls[0].data[36:68] == calls[1].data[-32:] == (2100 * WAD).to_bytes(32, "big")
    assert calls[1].description == "buy 10 WETH put 1800 of 2025-06-27 08:00:00 UTC for at most 2,100 sUSD"
    known = AllowList(permits(MARKET, {3: LISTED}.get))
    assert known.described(calls) == calls
    with pytest.raises(OrderRejected, match="strike 3 is not listed"):
        AllowList(permits(MARKET, {}.get)).described(calls)


OPENING = {
    "strikeId": 3,
    "positionId": 0,
    "iterations": 1,
    "optionType": 1,
    "amount": WAD,
    "setCollateralTo": 0,
    "minTotalCost": 0,
    "maxTotalCost": 300 * WAD,
}
CLOSING = OPENING | {"positionId": 7, "minTotalCost": 1, "maxTotalCost": 2**256 - 1}


@pytest.mark.fault("F62")
@pytest.mark.parametrize(
    ("function", "terms", "match"),
    [
        ("openPosition", OPENING | {"setCollateralTo": 1}, "no collateral"),
        ("openPosition", OPENING | {"optionType": 2}, "only long"),
        ("openPosition", OPENING | {"maxTotalCost": 2**256 - 1}, "no bound on its cost"),
        ("openPosition", OPENING | {"strikeId": 4}, "not listed"),
        ("closePosition", CLOSING | {"minTotalCost": 0}, "no bound on its proceeds"),
        ("closePosition", CLOSING | {"positionId": 0}, "names no position"),
        ("closePosition", CLOSING | {"optionType": 4}, "only long"),
        ("forceClosePosition", CLOSING, "not on the list"),
    ],
)
def test_a_trade_outside_its_bounds_is_refused(function, terms, match):
    known = AllowList(permits(MARKET, {3: LISTED}.get))
    good = ("openPosition", OPENING) if function == "openPosition" else ("closePosition", CLOSING)

    for name, fields, fails in ((*good, False), (function, terms, True)):
        call = Call(MARKET.contract.address, MARKET.contract.encode(name, fields), 0, "")
        if fails:
            with pytest.raises(OrderRejected, match=match):
                known.described([call])
        else:
            assert known.described([call])[0].description.endswith("sUSD")


def test_a_bought_option_pays_premium_and_fees_apart():
    done = traded(event())

    assert (done.premium, done.fee, done.total) == (-1000, 10, 1010)
    assert done.fees == {"option_price": 1, "spot_price": 2, "vega_utilisation": 3, "variance": 4}
    assert [c.held.units for c in done.changes(MARKET, PUT)] == [10 * WAD, -1000]


def test_a_sold_option_receives_premium_less_fees():
    done = traded(event(direction=1))

    assert (done.premium, done.fee, done.total) == (1000, 10, 990)
    assert [c.held.units for c in done.changes(MARKET, PUT)] == [-10 * WAD, 1000]


def test_a_fee_that_the_market_capped_is_one_kind():
    done = traded(event(direction=1, premium=6, total_fee=6))

    assert (done.total, done.fees) == (0, {"protocol": 6})


@pytest.mark.parametrize("kind", list(OptionType))
def test_written_options_count_negative(kind):
    assert kind.sign == (1 if kind.name.startswith("LONG") else -1)
    assert kind.right is (Right.PUT if "PUT" in kind.name else Right.CALL)


@pytest.mark.fault("F65")
def test_the_quote_asks_the_published_function():
    # selector of OptionMarketPricer.updateCacheAndGetTradeResult in the package's own artifact
    strike, trade = "uint256," * 8 + "uint256", "bool,bool,uint8,uint8,uint256,uint256,uint256"
    pool, exchange = ",".join(["uint256"] * 6), "uint256,bytes32,bytes32,uint256,uint256"
    expected = f"updateCacheAndGetTradeResult(({strike}),({trade},({pool}),({exchange})),uint256,uint256)"

    assert signature(quote_entry()) == expected
    assert len(selector(quote_entry())) == 4
