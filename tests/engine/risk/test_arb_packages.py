"""Packages found in books: whole, constant in the level, and blind to order."""

import itertools
import math
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.instruments import Cash, FundShare, Future, LendingDebt, LendingSupply, Right, Settlement, VanillaOption
from engine.money import USD, Currency, Money
from engine.positions import Book, Position, Sleeve
from engine.risk.arb_packages import Carry, PackageKind, arb_packages
from tests.engine.terms import spx

ASOF = datetime(2025, 1, 2, 21, 15, tzinfo=UTC)
NEAR, FAR = ASOF + timedelta(days=30), ASOF + timedelta(days=60)
WETH, DAI = Currency("WETH", 18), Currency("DAI", 18)
TOKEN = Cash(WETH)
CARRY = Carry(ASOF)
LEVELS = np.linspace(1.0, 12_000.0, 301)
ES = Future("ES", "SPX", NEAR, Decimal(50))


def ether(strike, right, expiry=NEAR):
    return VanillaOption(
        "ETH", "WETH", expiry, Decimal(strike), Right(right), Decimal(1), Settlement.CHAIN, DAI, decimals=18
    )


def held(instrument, quantity, sleeve=Sleeve.DEFI, venue="vault"):
    return Position(instrument, Money.of(Decimal(str(quantity)), instrument.unit), sleeve, venue)


def conversion(strike=3_000, quantity="2.5", sign=1, source=TOKEN, expiry=NEAR):
    amount = sign * Decimal(quantity)
    return [held(source, amount), held(ether(strike, "P", expiry), amount), held(ether(strike, "C", expiry), -amount)]


CONDOR = [held(spx(k, r, NEAR), q, Sleeve.CONDOR, "paper") for k, r, q in
          [(5425, "P", 3), (5475, "P", -3), (6625, "C", -3), (6675, "C", 3)]]  # fmt: skip


@pytest.mark.requirement("D27")
@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("source", [Cash(WETH), LendingSupply("pool", WETH)], ids=["token", "collateral"])
def test_a_package_is_found_whole_and_pays_the_strike_at_any_level(sign, source):
    if sign < 0 and isinstance(source, LendingSupply):
        source = LendingDebt("pool", WETH)
    book = Book(tuple(conversion(sign=sign, source=source)))

    found = arb_packages(book, CARRY)

    (package,) = found.packages
    assert package.kind is (PackageKind.CONVERSION if sign > 0 else PackageKind.REVERSAL)
    assert package.contracts == Decimal("2.5")
    assert set(package.positions) == set(book.positions)
    assert found.rest == Book()
    assert np.abs(package.payoff(LEVELS) - sign * 2.5 * 3_000.0).max() < 1e-9


@pytest.mark.requirement("D27")
def test_a_future_of_the_same_expiry_stands_for_the_index():
    book = Book((held(ES, 4), held(spx(6000, "P", NEAR), 2), held(spx(6000, "C", NEAR), -2)))

    found = arb_packages(book, CARRY)

    assert found.packages[0].contracts == 2
    assert np.ptp(found.packages[0].payoff(LEVELS)) < 1e-9
    assert found.rest == Book()


@pytest.mark.requirement("D27")
def test_a_future_of_another_expiry_is_no_package():
    other = Future("ES", "SPX", FAR, Decimal(50))
    book = Book((held(other, 4), held(spx(6000, "P", NEAR), 2), held(spx(6000, "C", NEAR), -2)))

    assert arb_packages(book, CARRY).packages == ()
    assert arb_packages(book, CARRY).rest == book


def test_an_odd_future_stays_behind_whole():
    book = Book((held(ES, 5), held(spx(6000, "P", NEAR), 3), held(spx(6000, "C", NEAR), -3)))

    found = arb_packages(book, CARRY)

    assert found.packages[0].contracts == 2
    assert [(p.instrument.id, p.quantity) for p in found.rest] == [
        (ES.id, 1),
        (spx(6000, "P", NEAR).id, 1),
        (spx(6000, "C", NEAR).id, -1),
    ]


@pytest.mark.requirement("D27")
def test_fewer_units_are_needed_where_the_underlying_yields():
    supply = LendingSupply("pool", WETH)
    carry = Carry(ASOF, yields={supply.id: 0.05})
    units = Decimal(10) / Decimal(math.exp(0.05 * 30 / 365))
    book = Book((held(supply, units.quantize(Decimal("1e-18"))), *conversion(quantity="10")[1:]))

    found = arb_packages(book, carry)

    (package,) = found.packages
    assert package.contracts == 10
    assert package.underlying[0].quantity == pytest.approx(units)
    assert np.ptp(package.payoff(LEVELS)) < 1e-9


@pytest.mark.parametrize("dividend", [0.013, 0.020], ids=["rounded up", "rounded down"])
def test_whole_shares_leave_less_than_one_share_of_delta(dividend):
    shares = FundShare("SPY")
    terms = {"expiry": NEAR, "strike": Decimal(600), "multiplier": Decimal(100), "settlement": Settlement.PM}
    put, call = (VanillaOption("SPY", "SPY", right=right, **terms) for right in (Right.PUT, Right.CALL))
    count = round(1000 * math.exp(-dividend * 30 / 365))
    book = Book((held(shares, count), held(put, 10), held(call, -10)))

    (package,) = arb_packages(book, Carry(ASOF, yields={shares.id: dividend})).packages

    assert package.contracts == 10
    assert abs(np.diff(package.payoff(np.array([500.0, 501.0])))[0]) < 1.0


@pytest.mark.requirement("S31")
def test_the_minted_stable_of_a_debt_position_belongs_to_the_package():
    vault, owed = LendingSupply("cdp", WETH), LendingDebt("cdp", DAI)
    carry = Carry(ASOF, fees={"cdp": 0.06})
    financed = (Decimal(7_500) / Decimal(math.exp(0.06 * 30 / 365))).quantize(Decimal("1e-18"))
    book = Book((*conversion(source=vault), held(owed, -financed), held(Cash(DAI), 10)))

    found = arb_packages(book, carry)

    assert np.abs(found.packages[0].payoff(LEVELS)).max() < 1e-8  # the strike repays the debt and its fee
    assert found.rest == Book((held(Cash(DAI), 10),))
    without_fee = arb_packages(book, CARRY)
    assert held(owed, -financed) in without_fee.rest.positions


def test_debt_beyond_what_the_strike_repays_stays_in_the_book():
    vault, owed = LendingSupply("cdp", WETH), LendingDebt("cdp", DAI)
    book = Book((*conversion(source=vault), held(owed, -20_000), held(LendingDebt("other", DAI), -5)))

    found = arb_packages(book, Carry(ASOF, fees={"cdp": 0.0}))

    assert found.packages[0].debt[0].quantity == -7_500
    assert found.rest == Book((held(owed, -12_500), held(LendingDebt("other", DAI), -5)))


@pytest.mark.requirement("D27")
@given(
    extra=st.lists(
        st.tuples(st.sampled_from([2_500, 3_000, 3_500]), st.integers(1, 9), st.sampled_from([NEAR, FAR])), max_size=4
    ),
    sign=st.sampled_from([1, -1]),
)
def test_adding_packages_leaves_the_rest_of_the_book_as_it_was(extra, sign):
    base = Book((*CONDOR, held(ether(2_700, "P"), 4), held(LendingSupply("pool", WETH), 7)))
    added = [part for k, n, expiry in extra for part in conversion(k, str(n), sign, expiry=expiry)]

    found = arb_packages(base.plus(added), CARRY)

    assert sorted(found.rest, key=str) == sorted(base, key=str)
    assert sum(package.contracts for package in found.packages) == sum(n for _, n, _ in extra)


@pytest.mark.requirement("D27")
@given(order=st.permutations(range(11)))
def test_the_order_of_positions_does_not_matter(order):
    positions = [
        *CONDOR,
        held(Cash(WETH), 3),
        held(LendingSupply("pool", WETH), 2),
        held(ether(3_000, "P"), 4),
        held(ether(3_000, "C"), -3),
        held(ether(3_200, "P", FAR), 3),
        held(ether(3_200, "C", FAR), -5),
        held(Cash(USD), 100),
    ]

    shuffled = arb_packages(Book(tuple(positions[at] for at in order)), CARRY)

    plain = arb_packages(Book(tuple(positions)), CARRY)
    assert shuffled.packages == plain.packages
    assert set(shuffled.rest) == set(plain.rest)


def most_by_hand(futures, spot, pairs):
    """The largest number of packages by trying every split of futures and spot over the strikes."""
    best = 0
    choices = [[(f, s) for f in range(n + 1) for s in range(n + 1 - f)] for _, n in pairs]
    for split in itertools.product(*choices):
        if sum(s for _, s in split) > spot:
            continue
        used = {e: sum(f for (f, _), (expiry, _) in zip(split, pairs, strict=True) if expiry == e) for e in (NEAR, FAR)}
        if all(used[e] <= futures.get(e, 0) for e in used):
            best = max(best, sum(f + s for f, s in split))
    return best


@pytest.mark.requirement("D27")
@given(
    near=st.integers(0, 3),
    far=st.integers(0, 3),
    spot=st.integers(0, 4),
    counts=st.lists(st.tuples(st.sampled_from([NEAR, FAR]), st.integers(0, 3)), min_size=3, max_size=3),
)
def test_no_other_assignment_finds_more_packages(near, far, spot, counts):
    futures = {NEAR: near, FAR: far}
    positions = [held(Future("FETH", "WETH", e, Decimal(1), DAI), n) for e, n in futures.items() if n]
    positions += [held(Cash(WETH), spot)] if spot else []
    for strike, (expiry, n) in zip((2_800, 3_000, 3_200), counts, strict=True):
        positions += [held(ether(strike, "P", expiry), n), held(ether(strike, "C", expiry), -n)] if n else []

    found = arb_packages(Book(tuple(positions)), CARRY)

    assert sum(package.contracts for package in found.packages) == most_by_hand(futures, spot, counts)


@pytest.mark.requirement("D27")
def test_parts_pooled_over_venues_are_taken_from_the_right_ones():
    put, call = ether(3_000, "P"), ether(3_000, "C")
    book = Book((held(Cash(WETH), 2), held(put, 5, venue="b"), held(put, -3, venue="a"), held(call, -4)))

    found = arb_packages(book, CARRY)

    assert found.packages[0].contracts == 2
    assert set(found.rest) == {held(put, 3, venue="b"), held(put, -3, venue="a"), held(call, -2)}


@pytest.mark.parametrize(
    "positions",
    [
        [held(Cash(WETH), 5), held(ether(3_000, "P"), 5)],
        [held(Cash(WETH), 5), held(ether(3_000, "P"), 5), held(ether(3_100, "C"), -5)],
        [held(Cash(WETH), 5), held(ether(3_000, "P"), 5), held(ether(3_000, "C", FAR), -5)],
        [held(Cash(WETH), 5), held(ether(3_000, "P"), -5), held(ether(3_000, "C"), 5)],
        [held(Cash(DAI), 5), held(ether(3_000, "P"), 5), held(ether(3_000, "C"), -5)],
        CONDOR,
    ],
    ids=["put alone", "collar", "two expiries", "both long", "another asset", "condor"],
)
def test_what_is_not_riskless_is_no_package(positions):
    book = Book(tuple(positions))

    assert arb_packages(book, CARRY).packages == ()
    assert arb_packages(book, CARRY).rest == book
