from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.evm.contract import Contract
from adapters.evm.erc20 import Token
from adapters.evm.liquidity_calls import close_range, open_range, permits
from adapters.evm.liquidity_wire import (
    Held,
    RangePool,
    amounts,
    least_amounts,
    most_liquidity,
    root_of,
    root_of_tick,
    stake,
)
from adapters.evm.wire import address
from adapters.safe.allow import AllowList
from contracts_abi import load
from engine.errors import OrderRejected
from engine.instruments import Cash
from engine.money import Currency, Money
from engine.orders import Order, OrderId, OrderLeg
from engine.positions import Sleeve

USDC = Token(Currency("USDC", 6), address("0x" + "a1" * 20))
WETH = Token(Currency("WETH", 18), address("0x" + "c2" * 20))
DEAR = Token(Currency("DEAR", 18), address("0x" + "02" * 20))
SAFE = address("0x" + "5a" * 20)
MANAGER = Contract(address("0x" + "e5" * 20), load("uniswap-position-manager"))
SECOND = RangePool("WETH/USDC", address("0x" + "f0" * 20), WETH, USDC, 500, 10)  # the asset is token1
FIRST = RangePool("DEAR/USDC", address("0x" + "f1" * 20), DEAR, USDC, 500, 10)  # the asset is token0
TICKS = st.integers(-20_000, 20_000).map(lambda n: n * 10)


def order(pool: RangePool, low: int, high: int, liquidity: int, asset: int, currency: int) -> Order:
    wanted = pool.range(low, high)
    legs = (
        OrderLeg(wanted, Money(liquidity, wanted.unit).amount),
        OrderLeg(pool.asset.cash, Money(asset, pool.asset.currency).amount),
    )
    limit = Money(currency, USDC.currency)
    return Order(OrderId("o"), "uniswap-range", Sleeve.DEFI, "range", legs, limit, limit, "")


def at_price(pool: RangePool, low: int, high: int, tick: int, liquidity: int = 10**15) -> Order:
    """An opening order with exactly what its liquidity takes at a tick."""
    bare = stake([pool], order(pool, low, high, liquidity, -1, -1))
    asset, currency = pool.sorted(*amounts(bare, root_of_tick(tick), liquidity, up=True))
    return order(pool, low, high, liquidity, -asset, -currency)


@pytest.mark.parametrize("pool", [FIRST, SECOND])
@given(ends=st.tuples(TICKS, TICKS).filter(lambda each: each[0] < each[1]))
def test_every_range_of_ticks_is_one_instrument_and_back(pool, ends):
    wanted = pool.range(*ends)

    assert pool.ticks(wanted) == ends
    assert wanted.lower < wanted.upper


def test_prices_are_currency_per_asset_whichever_token_comes_first():
    # white paper 6.1: the price at tick i is 1.0001^i of token1 per token0, in smallest units
    assert float(FIRST.range(0, 10).lower) == pytest.approx(10**12)
    assert float(SECOND.range(-10, 0).lower) == pytest.approx(10**12)
    assert float(SECOND.range(200_310, 200_320).upper) == pytest.approx(1.0001**-200_310 * 1e12, rel=1e-9)


@pytest.mark.parametrize("change", ["fee", "pool", "lower", "asset"])
def test_a_range_of_another_pool_or_between_usable_ticks_is_refused(change):
    asked = at_price(SECOND, 200_000, 201_000, 200_500)
    other = {"fee": 3000, "pool": "else", "lower": Decimal(1500), "asset": USDC.currency}[change]
    leg = replace(asked.legs[0], instrument=replace(asked.legs[0].instrument, **{change: other}))

    with pytest.raises(OrderRejected, match="no usable range"):
        stake([SECOND], replace(asked, legs=(leg, asked.legs[1])))


@pytest.mark.requirement("D07")
def test_amounts_are_those_of_the_white_papers_formulas():
    # delta_x = L (1/sqrt(p) - 1/sqrt(pb)), delta_y = L (sqrt(p) - sqrt(pa)), equations 6.29 and 6.30
    asked = stake([FIRST], at_price(FIRST, -1000, 1000, 100))
    pa, p, pb = (1.0001**tick for tick in (-1000, 100, 1000))

    x, y = amounts(asked, root_of_tick(100), 10**15, up=False)

    assert x == pytest.approx(1e15 * (p**-0.5 - pb**-0.5), rel=1e-9)
    assert y == pytest.approx(1e15 * (p**0.5 - pa**0.5), rel=1e-9)


@given(tick=st.integers(-990, 990), liquidity=st.integers(10**12, 10**24))
def test_the_price_of_an_order_is_found_from_its_amounts(tick, liquidity):
    asked = stake([FIRST], at_price(FIRST, -1000, 1000, tick, liquidity))

    assert float(root_of(asked)) == pytest.approx(float(root_of_tick(tick)), rel=1e-6)


@given(tick=st.integers(-900, 900), moved=st.integers(-45, 45))
def test_within_the_band_the_least_is_given_and_the_most_never_exceeded(tick, moved):
    asked = stake([FIRST], at_price(FIRST, -1000, 1000, tick))
    root = root_of_tick(tick + moved)
    given_ = most_liquidity(asked, root, asked.asset, asked.currency)

    spent = amounts(asked, root, given_, up=True)

    least = least_amounts(asked, Decimal("0.005"))  # 0.5 % is 49.9 ticks
    assert spent[0] >= least[0] > 0
    assert spent[1] >= least[1] > 0
    assert spent[0] <= asked.asset
    assert spent[1] <= asked.currency


@given(tick=st.integers(-900, 900), moved=st.integers(55, 300), up=st.booleans())
def test_beyond_the_band_one_token_falls_short(tick, moved, up):
    asked = stake([FIRST], at_price(FIRST, -1000, 1000, tick))
    root = root_of_tick(tick + (moved if up else -moved))
    spent = amounts(asked, root, most_liquidity(asked, root, asked.asset, asked.currency), up=True)

    least = least_amounts(asked, Decimal("0.005"))

    assert spent[0] < least[0] or spent[1] < least[1]


def test_amounts_that_meet_at_no_price_are_refused():
    asked = at_price(FIRST, -1000, 1000, 0)
    doubled = replace(asked, limit=Money(asked.limit.units * 2, asked.limit.currency))

    with pytest.raises(OrderRejected, match="at one price"):
        open_range(MANAGER, stake([FIRST], doubled), None, SAFE, Decimal("0.005"))


@pytest.mark.parametrize(("asset", "currency"), [(0, 0), (1, -1), (-1, 1), (1, 1)])
def test_an_opening_order_must_pay_and_be_bounded(asset, currency):
    with pytest.raises(OrderRejected, match="no bound"):
        stake([FIRST], order(FIRST, -10, 10, 10**15, asset, currency))


@pytest.mark.fault("F62")
def test_the_words_are_made_of_the_bytes():
    held = Held(7, SECOND, 200_000, 201_000)
    allowed = AllowList(permits(MANAGER, [SECOND], SAFE, {7: held}.get))
    opening = stake([SECOND], at_price(SECOND, 200_000, 201_000, 200_500))
    closing = stake([SECOND], order(SECOND, 200_000, 201_000, -(10**15), 1, 1))

    for calls in (
        open_range(MANAGER, opening, None, SAFE, Decimal("0.005")),
        open_range(MANAGER, opening, held, SAFE, Decimal("0.005")),
        close_range(MANAGER, closing, held, SAFE),
    ):
        assert allowed.described(calls) == calls


@pytest.mark.parametrize(
    ("field", "value", "match"),
    [("recipient", "0x" + "99" * 20, "only the vault"), ("fee", 3000, "not listed"), ("amount0Min", None, "any price")],
)
def test_liquidity_for_somebody_else_elsewhere_or_at_any_price_is_never_signed(field, value, match):
    allowed = AllowList(permits(MANAGER, [SECOND], SAFE, lambda _: None))
    call = open_range(
        MANAGER, stake([SECOND], at_price(SECOND, 200_000, 201_000, 200_500)), None, SAFE, Decimal("0.1")
    )[2]
    terms = MANAGER.decode_call(call.data)[1]["params"]
    terms |= {field: value} if value is not None else {"amount0Min": 0, "amount1Min": 0}

    with pytest.raises(OrderRejected, match=match):
        allowed.described([replace(call, data=MANAGER.encode("mint", terms))])


def test_the_second_leg_is_the_asset():
    asked = at_price(FIRST, -1000, 1000, 0)
    wrong = replace(asked, legs=(asked.legs[0], OrderLeg(Cash(USDC.currency), Decimal(-1))))

    with pytest.raises(OrderRejected, match="bounds are not in"):
        stake([FIRST], wrong)
