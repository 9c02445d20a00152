from dataclasses import dataclass
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import ConfigError, InputError
from engine.money import USD, Money, usd
from engine.orders import Breach
from engine.policy.band import DeltaReading
from engine.policy.waterfall import (
    SENIOR,
    Claim,
    Stage,
    WaterfallShares,
    post_trade_breaches,
    protect_then_route,
    waterfall,
)

HALVES = {stage: Decimal(0) for stage in SENIOR} | {Stage.REINVEST: Decimal("0.5"), Stage.ROUTED: Decimal("0.5")}
cents = st.integers(0, 10_000_000).map(lambda units: Money(units, USD))
claims = st.dictionaries(
    st.sampled_from(SENIOR), st.tuples(cents, cents).map(lambda pair: Claim(min(pair), max(pair))), max_size=4
)


def paid(premium, owed, shares=None):
    payments = waterfall(premium, owed, shares or WaterfallShares())
    return [payment.paid for payment in payments]


@pytest.mark.requirement("X13")
def test_the_stages_come_in_the_order_of_the_rule():
    assert [payment.stage for payment in waterfall(usd(100), {})] == [
        Stage.FEES,
        Stage.MARGIN,
        Stage.HEDGE,
        Stage.DEBT,
        Stage.REINVEST,
        Stage.ROUTED,
    ]


@pytest.mark.requirement("X13")
def test_a_worked_premium_of_ten_thousand():
    owed = {
        Stage.FEES: Claim(usd(120), usd(120)),
        Stage.MARGIN: Claim(usd(0), usd(5_000)),  # wants more than its 20 %
        Stage.HEDGE: Claim(usd(3_000), usd(4_000)),  # due beyond its 25 %
        Stage.DEBT: Claim(usd(800), usd(800)),
    }

    # left for the last two: 10,000 - 120 - 2,000 - 3,000 - 800 = 4,080, of which 20/35 are reinvested
    assert paid(usd(10_000), owed) == [
        usd(120), usd(2_000), usd(3_000), usd(800), usd("2331.42"), usd("1748.58"),
    ]  # fmt: skip


@pytest.mark.requirement("X13")
@given(cents, claims)
def test_payments_are_the_premium_to_the_cent_and_seniors_are_never_skipped(premium, owed):
    payments = waterfall(premium, owed)

    assert sum(payment.paid.units for payment in payments) == premium.units
    assert all(payment.paid.units >= 0 for payment in payments)
    short = [at for at, payment in enumerate(payments) if payment.lacking]
    if short:
        assert all(not payment.paid for payment in payments[short[0] + 1 :])


@pytest.mark.requirement("X13")
def test_what_is_due_and_not_there_is_told():
    payments = waterfall(usd(100), {Stage.MARGIN: Claim(usd(150), usd(150)), Stage.DEBT: Claim(usd(10), usd(10))})

    assert [payment.lacking for payment in payments] == [usd(0), usd(50), usd(0), usd(10), usd(0), usd(0)]


@pytest.mark.requirement("S38", "D30")
def test_the_reinvested_part_is_a_share_of_net_distributable_premium():
    owed = {Stage.FEES: Claim(usd(40), usd(40))}

    assert WaterfallShares(HALVES).reinvested == Decimal("0.5")
    assert paid(usd(100), owed, WaterfallShares(HALVES))[-2:] == [usd(30), usd(30)]


@pytest.mark.requirement("S38")
@pytest.mark.parametrize(("reinvest", "b"), [("0", Decimal(0)), ("1", Decimal(1))])
def test_nothing_or_everything_may_be_reinvested(reinvest, b):
    shares = HALVES | {Stage.REINVEST: Decimal(reinvest), Stage.ROUTED: 1 - Decimal(reinvest)}

    assert WaterfallShares(shares).reinvested == b


@pytest.mark.requirement("X13")
def test_shares_that_do_not_sum_to_100_percent_are_refused():
    with pytest.raises(ConfigError, match=r"waterfall = 150.*sum to 100 % \(X13\)"):
        WaterfallShares(HALVES | {Stage.ROUTED: Decimal(1)})


def test_a_loss_is_no_premium():
    with pytest.raises(InputError, match="negative"):
        waterfall(usd(-1), {})


def test_the_last_two_stages_claim_nothing():
    with pytest.raises(InputError, match="routed premium has no claim"):
        waterfall(usd(1), {Stage.ROUTED: Claim(usd(1), usd(1))})


def test_more_due_than_wanted_is_refused():
    with pytest.raises(InputError, match="0 <= due <= wanted"):
        Claim(usd(2), usd(1))


@pytest.mark.requirement("S25")
def test_protection_bought_with_profits_leaves_delta_near_neutral_and_time_paying():
    inside, outside = DeltaReading(900.0, 1_000.0, 0.0), DeltaReading(-1_100.0, 1_000.0, 5.0)

    assert post_trade_breaches(inside, 12.0) == ()
    assert [breach.limit for breach in post_trade_breaches(outside, 0.0)] == ["delta_band", "theta"]
    assert post_trade_breaches(inside, float("nan"))


@dataclass(frozen=True)
class Trades:
    done: tuple[str, ...] = ()

    def then(self, trade):
        return Trades((*self.done, trade))


BROKEN = Breach("drawdown_2sd", 0.06, 0.07, "S40", "")


def pipeline(fails_with):
    stressed = []

    def stress(book):
        stressed.append(book.done)
        return [BROKEN] if fails_with(book) else []

    outcome = protect_then_route(
        Trades(), protect=lambda book: book.then("protect"), stress=stress, route=lambda book: book.then("route")
    )
    return outcome, stressed


@pytest.mark.requirement("X06")
def test_protection_comes_first_and_premium_is_routed_after_a_new_stress():
    outcome, stressed = pipeline(lambda _: False)

    assert outcome.book.done == ("protect", "route")
    assert stressed == [("protect",), ("protect", "route")]


@pytest.mark.requirement("X06")
@pytest.mark.parametrize("breaks_at", ["protect", "route"])
def test_a_stress_that_fails_keeps_protection_and_routes_nothing(breaks_at):
    outcome, _ = pipeline(lambda book: book.done[-1] == breaks_at)

    assert outcome.book.done == ("protect",)
    assert (outcome.routed, outcome.held_back_by) == (False, (BROKEN,))
