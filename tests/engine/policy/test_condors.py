"""Condors and packages on the modelled market: each rule looked at from outside."""

from datetime import date

import numpy as np
import pytest

from adapters.files.config import policy_digest
from adapters.files.observation import demo_day
from engine import cycle
from engine.instruments import Cash
from engine.market import LendingMarket, OnchainState
from engine.money import USD, Currency, Money, usd
from engine.policy.capital_cost import loan_cost
from engine.policy.condors import condor_offers
from engine.policy.hedges import put_offers
from engine.policy.ruling import Ruling
from engine.policy.settings import Policy
from engine.policy.sleeve import LoopCase, loan_decision, stressed_health
from engine.positions import Book, Position, Sleeve
from engine.risk.view import pricing_view

MARKET = demo_day(date(2018, 4, 25))
LENDING = tuple(
    LendingMarket(name, "DAI", rate, 0.03, 0.80, 0.75, 1e7, 0.5, 0.0, rate * 1.6, 0.6, 0.8, recourse=False)
    for name, rate in (("cheap", 0.044), ("dear", 0.14))
)
SNAPSHOT = MARKET.with_chain(
    OnchainState(31337, 10, "0xb", MARKET.asof, {"WETH": 700.0, "USDC": 1.0, "DAI": 1.0}, LENDING, (), 10**9)
)
VIEW = pricing_view(SNAPSHOT)
POLICY = Policy()
FEE = 1.15
CORE = [
    (quotes, VIEW.smiles[quotes.root, quotes.expiry])
    for quotes in SNAPSHOT.spx.slices
    if 40 <= quotes.years(MARKET.asof) * 365 <= 53 and (quotes.root, quotes.expiry) in VIEW.smiles
]


def offers():
    return [offer for quotes, smile in CORE for offer in condor_offers(quotes, smile, POLICY.core)]


@pytest.mark.requirement("S03")
def test_every_offered_condor_has_its_shorts_between_one_and_a_half_and_two_deviations():
    assert len(offers()) > 10
    for offer in offers():
        smile = VIEW.smiles[offer.condor.put_short.root, offer.condor.put_short.expiry]
        deviation = smile.atm_vol * np.sqrt(smile.years)
        put = np.log(smile.forward / float(offer.condor.put_short.strike)) / deviation
        call = np.log(float(offer.condor.call_short.strike) / smile.forward) / deviation
        assert 1.5 <= put <= 2.0
        assert 1.5 <= call <= 2.0
        assert (put, call) == pytest.approx((offer.put_sd, offer.call_sd))


@pytest.mark.requirement("D02")
def test_shorts_are_the_first_listed_strikes_outside_their_target():
    quotes, smile = CORE[0]
    deviation = smile.atm_vol * np.sqrt(smile.years)
    nearest = max(k for k in quotes.strikes if k <= smile.forward * np.exp(-1.5 * deviation))

    assert nearest in {float(offer.condor.put_short.strike) for offer in condor_offers(quotes, smile, POLICY.core)}


@pytest.mark.requirement("S07")
@pytest.mark.parametrize("shortest", [0.5, 1.5])
def test_no_condor_is_offered_whose_break_evens_lie_inside_one_deviation(shortest):
    rules = POLICY.core.model_copy(update={"short_sd_min": shortest})
    quotes, smile = CORE[0]
    deviation = smile.atm_vol * np.sqrt(smile.years)

    found = list(condor_offers(quotes, smile, rules))

    assert found
    for offer in found:
        low, high = (
            float(offer.condor.put_short.strike) - offer.credit,
            float(offer.condor.call_short.strike) + offer.credit,
        )
        assert np.log(smile.forward / low) >= deviation
        assert np.log(high / smile.forward) >= deviation
    if shortest < 1:  # strikes at half a deviation are listed, and refused by this rule alone
        assert min(min(offer.put_sd, offer.call_sd) for offer in found) > 0.9


def test_the_credit_is_what_crossing_every_spread_brings():
    quotes, smile = CORE[0]
    strikes = list(quotes.strikes)
    for offer in condor_offers(quotes, smile, POLICY.core):
        low, put, call, high = (strikes.index(float(leg.strike)) for leg in offer.condor.legs)
        crossed = quotes.put_bid[put] + quotes.call_bid[call] - quotes.put_ask[low] - quotes.call_ask[high]
        assert offer.credit == pytest.approx(crossed)
        assert 0 < offer.credit <= offer.mid_credit


@pytest.mark.requirement("D16")
@pytest.mark.parametrize(("ltv", "health"), [(0.50, 1.56), (0.60, 1.30), (0.70, 1.11), (0.75, 1.04)])
def test_health_by_loan_to_value_is_the_worked_table(ltv, health):
    market = LendingMarket("m", "DAI", 0.05, 0.03, 0.78, 0.75, 1e7, 0.5, 0, 0.04, 0.6, 0.8, recourse=False)
    collateral = 100_000.0 / 0.99  # the function takes a stablecoin's haircut off

    assert stressed_health({"USDC": collateral}, market, ltv * 100_000, {"USDC": 1.0}, 0.0) == pytest.approx(
        health, abs=0.005
    )


@pytest.mark.requirement("D16")
@pytest.mark.parametrize(("rate", "cycle_cost"), [(0.04, 0.0076), (0.05, 0.0088), (0.06, 0.0101)])
def test_what_a_cycle_must_earn_is_finding_ten(rate, cycle_cost):
    import math

    apr = math.log1p(rate)  # the finding states the effective rate
    market = LendingMarket("m", "DAI", apr, 0.03, 0.78, 0.75, 1e12, 0.5, 0.0, apr * 0.8 / 0.5, 0.0, 0.8, recourse=False)
    loop = {
        "ramp_fee": "0.10%",
        "protocol_loss": "0%",
        "governance_loss": "0%",
        "liquidation_probability": "0%",
        "gas_usd": "400",
    }
    policy = Policy.model_validate({"loop": loop})

    annual = loan_cost(market, 600_000.0, policy)

    assert annual * 45 / 365 == pytest.approx(cycle_cost, abs=0.00005)


def test_tax_lowers_the_rate_part_of_a_loans_cost_and_nothing_else():
    def cost(tax):
        return loan_cost(LENDING[0], 50_000.0, Policy.model_validate({"capital": {"tax": tax}}))

    rate = cost("0%") - cost("50%")
    assert cost("0%") - cost("25%") == pytest.approx(rate / 2)
    assert 0.04 < 2 * rate < 0.06


def case(expected):
    return LoopCase(extra=5, margin=50_000.0, expected=expected, days=45.0)


def decide(market, expected, *, cost=0.08, leverage=1.0, sleeve=0.10):
    return loan_decision(
        market, case(expected), cost=cost, collateral={"USDC": 110_000.0},
        prices={"USDC": 1.0, "DAI": 1.0}, eth_low=-0.5, growth=1.0, ruling=Ruling(leverage=leverage, why="VIX 26.00"),
        policy=POLICY, sleeve_share=sleeve,
    )  # fmt: skip


@pytest.mark.requirement("S39", "X05")
def test_a_sleeve_above_its_soft_cap_draws_nothing_new():
    assert decide(LENDING[0], 700.0, sleeve=0.15).accepted
    refused = decide(LENDING[0], 700.0, sleeve=0.151)
    assert refused.debt == 0.0
    assert "15.1% of NAV, above its 15% target" in refused.reasons[0]


@pytest.mark.requirement("S44")
def test_a_loan_is_drawn_only_if_what_it_funds_earns_its_cost():
    assert decide(LENDING[0], 700.0).accepted
    refused = decide(LENDING[0], 400.0)
    assert not refused.accepted
    assert f"short by {-refused.edge_bps:,.0f} bp" in refused.reasons[0]


@pytest.mark.requirement("S43")
def test_a_borrow_rate_above_six_per_cent_draws_nothing_however_much_it_earns():
    refused = decide(LENDING[1], 5_000.0)

    assert not refused.accepted
    assert "above the 6% limit" in refused.reasons[0]


def test_no_loan_leaves_less_than_one_and_a_half_health_under_stress():
    scarce = loan_decision(
        LENDING[0], case(700.0), cost=0.08, collateral={"USDC": 50_000.0},
        prices={"USDC": 1.0, "DAI": 1.0}, eth_low=-0.5, growth=1.0, ruling=Ruling(), policy=POLICY,
    )  # fmt: skip

    assert 0 < scarce.debt < 50_000
    assert scarce.health >= 1.5


@pytest.mark.requirement("S39")
def test_a_decision_on_a_book_over_its_sleeve_cap_is_breached_not_trimmed():
    from engine.errors import LimitBreached
    from tests.engine.plans import hedge_order, plan

    usdc = Currency("USDC", 6)
    book = Book(
        (
            Position(Cash(USD), usd(700_000), Sleeve.CONDOR, "paper"),
            Position(Cash(usdc), Money.of(300_000, usdc), Sleeve.DEFI, "vault"),
        )
    )
    quotes = CORE[0][0]
    option = next(put_offers(quotes, CORE[0][1], POLICY.hedge)).option
    order = hedge_order()
    order = type(order)(
        order.id, order.venue, order.sleeve, order.role, (type(order.legs[0])(option, order.legs[0].quantity),),
        order.limit, order.arrival, order.step,
    )  # fmt: skip

    with pytest.raises(LimitBreached, match=r"sleeve_cap is 0\.3"):
        cycle.checked(plan(orders=(order,), batches=()), SNAPSHOT, book, POLICY)
    assert policy_digest(POLICY)
