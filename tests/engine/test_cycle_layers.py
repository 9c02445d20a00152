"""What VIX layers buy in a decision: by which means, how much of it, over which tenors, and out of which money."""

import math
from dataclasses import replace

import numpy as np
import pytest

from engine.instruments import Future
from engine.ledger.earnings import NOTHING
from engine.market import FundMark
from engine.money import Money, usd
from engine.policy.candidates import Kind
from engine.policy.hedge_ratio import stress_grid
from engine.policy.layer_proposals import layer_proposals
from engine.policy.layers_borne import borne
from engine.policy.waterfall import Stage
from engine.pricing.vix_futures import vix_beta
from engine.risk.scenarios import Scenarios
from engine.risk.smile import atm_vol_at
from engine.risk.valuation import unit_values
from scripts.layering import layering, rows, values
from tests.engine.desk_cases import POLICY, decided, funded, snapshot

RULES = POLICY.model_dump()
RULES["capital"]["beta_unlevered"] = 0.6


def policy(*, futures=True, carry="2%", **changed):
    """A desk of fifteen condors, so that a quarter of its need is more than a lot."""
    return POLICY.model_validate(
        RULES
        | {"core": RULES["core"] | {"own_margin": "60%"}}
        | {"limits": RULES["limits"] | {"drawdown_2sd": "20%"}}
        | {"hedge": RULES["hedge"] | {"carry_budget": carry}}
        | {"layering": RULES["layering"] | {"futures": futures}}
        | changed
    )


def layer(decision, name):
    return next(one for one in layering(decision).proposals if one.layer.name == name)


FUNDS = (FundMark("VIXY", 24.0, leverage=1.0, half_spread=0.01), FundMark("UVXY", 12.0, leverage=1.5, half_spread=0.01))
SEEN = replace(snapshot(), funds=FUNDS)


@pytest.fixture(scope="module")
def rich():
    return decided(SEEN, policy=policy(carry="20%"))


@pytest.mark.requirement("X11", "S18", "S20")
def test_an_account_with_futures_holds_them_and_one_without_holds_the_fund(rich):
    with_futures = layer(rich, "vix-second").trade
    with_funds = layer(decided(SEEN, policy=policy(futures=False, carry="20%")), "vix-second").trade

    assert with_futures.legs
    assert all(isinstance(held, Future) for held, _ in with_futures.legs)
    assert [held.symbol for held, _ in with_funds.legs] == ["VIXY"]
    assert "VIX future" not in with_funds.why


@pytest.mark.requirement("X11", "S19")
def test_the_cheapest_relief_is_bought_and_every_price_of_it_is_said(rich):
    trade = layer(rich, "vix-second").trade
    said = trade.why.split("for 21 days: ")[1].split(" (X11)")[0]
    costs = {name: float(cost) for name, cost in (each.rsplit(" ", 1) for each in said.split(", "))}

    assert set(costs) == {"VIX future", "VIX call spread"}
    assert costs["VIX future"] == min(costs.values())


@pytest.mark.requirement("D10", "S53", "S23", "S24")
def test_the_second_layer_lifts_protection_to_the_top_of_its_range_by_a_quarter_a_session(rich):
    lost, covered = stress(rich, Kind.CONDOR), -stress(rich, Kind.HEDGE)
    trade = layer(rich, "vix-second").trade
    shock = -2.0 * atm_vol_at(rich.view.smiles, 30 / 365) / np.sqrt(252)

    def gain(future):
        years = (future.expiry - SEEN.asof).total_seconds() / (365 * 86_400)
        level = dict(SEEN.vix_futures)[future.expiry]
        return 1000 * level * (np.exp(float(vix_beta(years)) * shock) - 1)

    each = np.average([gain(held) for held, _ in trade.legs], weights=[lots for _, lots in trade.legs])
    whole = np.ceil((1.3 * lost - covered) / each)
    assert sum(lots for _, lots in trade.legs) == max(1, whole // 4)


@pytest.mark.requirement("S22", "D10")
def test_the_first_layer_adds_nothing_where_the_hedges_wanted_reach_the_ratio(rich):
    first = layer(rich, "vix-first").trade

    assert rich.target.core.hedge_ratio >= rich.judgement.hedge_ratio
    assert not first.legs
    assert "the hedges wanted reach it already" in first.why


@pytest.mark.requirement("S57", "X11")
def test_a_layer_buys_no_more_than_its_share_of_the_carry_budget_bears():
    poor = layer(decided(SEEN, policy=policy(carry="2%")), "vix-second")

    assert not poor.trade.legs  # 3,000 USD a year for 21 days are 173 USD, a future slides by more
    assert poor.budget == pytest.approx(3_000.0)
    assert "budget bears 0 of" in poor.trade.why


@pytest.mark.requirement("S57", "D14")
def test_a_layer_is_borne_where_the_book_with_it_earns_the_cost_of_capital(rich):
    core, trade = rich.target.core, layer(rich, "vix-second").trade
    (days,) = {line.terms.days for line in core.lines if line.kind is Kind.CONDOR}
    bills = math.expm1(SEEN.rates.rate(0.25))
    earned = bills + (core.expected - core.cost) / 1e6 * 365 / days - trade.carry / 1e6
    equity = bills + float(RULES["capital"]["beta_unlevered"]) * float(POLICY.capital.equity_premium)  # nothing is owed

    verdict = layering(rich).borne["vix-second"]

    assert verdict.return_after == pytest.approx(earned)
    assert verdict.cost_bps == pytest.approx(trade.carry / 1e6 * 1e4)  # a future costs no cash
    assert verdict.shortfall_bps == pytest.approx((equity - earned) * 1e4, abs=1e-6)
    assert not verdict.bought
    (shown,) = (each for each in values(layering(rich))["layers"] if each["layer"] == "vix-second")
    assert not shown["opens"]
    assert shown["borne"]["reason"].endswith("bp under WACC, not borne (S57)")
    assert next(row for row in rows(layering(rich)) if row[0] == "vix-second")[1] == "no"


@pytest.mark.requirement("S57", "D14")
def test_the_same_layer_is_borne_where_capital_asks_for_less():
    cheaper = policy(carry="20%", capital=RULES["capital"] | {"equity_premium": "4%"})
    found = layering(decided(SEEN, policy=cheaper))

    assert found.borne["vix-second"].bought
    assert next(row for row in rows(found) if row[0] == "vix-second")[1] == "yes"


@pytest.mark.requirement("S57", "X06")
def test_what_is_missing_of_the_hedge_ratio_is_borne_whatever_it_costs(rich):
    found = proposed(rich, lots=51, capital=1e8)
    first = next(one for one in found if one.layer.name == "vix-first")

    verdict = borne(found, rich.target.core, rich.snapshot, rich.book, rich.view, rich.policy)["vix-first"]

    assert first.trade.legs
    assert verdict.bought
    assert verdict.shortfall_bps > 0
    assert verdict.reason.endswith("borne all the same: a limit needs it (X06)")


@pytest.mark.requirement("X13", "S38")
def test_gains_since_the_last_decision_run_down_the_waterfall_and_what_is_reinvested_margins_more_condors():
    gains = replace(NOTHING, realised=usd(40_000), fees=usd(1_000), interest=usd(500))

    before, after = decided(SEEN), decided(SEEN, earned=gains)

    paid = {payment.stage: payment.paid for payment in after.proceeds.payments}
    # 40,000: 1,000 of costs, no margin lacking, a quarter to hedges, 500 of interest; 28,500 are left, 20 of 35 parts
    assert paid[Stage.FEES] == usd(1_000)
    assert paid[Stage.MARGIN] == usd(0)
    assert paid[Stage.HEDGE] == usd(10_000)
    assert paid[Stage.DEBT] == usd(500)
    assert paid[Stage.REINVEST] == Money.of("16285.71", usd(1).currency)
    assert paid[Stage.ROUTED] == Money.of("12214.29", usd(1).currency)
    assert after.target.core.margin > 30_000 >= before.target.core.margin
    assert after.target.core.margin <= 46_285.71
    assert any("40,000.00 USD earned since the last decision" in reason for reason in after.reasons)


@pytest.mark.requirement("X13")
def test_a_loss_distributes_nothing():
    found = decided(SEEN, earned=replace(NOTHING, realised=usd(-5_000)))

    assert not found.proceeds.payments
    assert any("nothing to distribute: -5,000.00 USD" in reason for reason in found.reasons)


@pytest.mark.requirement("S25", "X13")
def test_profits_of_the_short_leg_buy_the_longer_protection_that_the_budget_alone_does_not_bear():
    gains = decided(SEEN, policy=policy(), earned=replace(NOTHING, realised=usd(16_000)))
    proceeds = gains.proceeds.of(Stage.HEDGE)

    assert proceeds == 4_000.0  # a quarter
    assert not second(gains, lots=8, proceeds=0.0).legs
    assert [(held.id, lots) for held, lots in second(gains, lots=8, proceeds=proceeds).legs] == [("VX 2018-06-20", 1)]


@pytest.mark.requirement("S25")
def test_profits_buy_nothing_that_leaves_the_book_outside_its_band():
    found = second(decided(SEEN, policy=policy()), lots=1, proceeds=4_000.0)  # a whole future against one condor

    assert not found.legs
    assert "delta_band is" in found.why
    assert "(after the trade)" in found.why


@pytest.mark.requirement("X06", "X13")
def test_premium_is_routed_to_the_sleeve_only_while_every_limit_still_holds():
    gains = replace(NOTHING, realised=usd(40_000))

    sent = decided(SEEN, earned=gains)
    kept = decided(SEEN, funded(800_000, 199_000), earned=gains)  # 19.9 % of NAV, and 1.2 % more would pass 20 %

    assert "send 12,857.15 USD of premium to the sleeve (X06)" in sent.reasons  # 15 of 35 parts of 30,000
    assert any("of premium stays at the broker: sleeve_cap is" in reason for reason in kept.reasons)


@pytest.mark.requirement("S85")
def test_a_decision_says_what_the_geopolitical_shock_would_cost_the_book_it_leads_to(rich):
    # multiples -15 %, volatility +20 points, coins by their beta; the idle USDC keeps its peg
    shock = Scenarios.of(spot=[np.log(0.85)], vol=[0.20])
    cost = stress(rich, Kind.CONDOR, shock) + stress(rich, Kind.HEDGE, shock)

    (note,) = (each for each in values(layering(rich))["notes"] if each.endswith("(S85)"))

    assert note.startswith(f"a geopolitical shock would cost {cost:,.0f} USD, ")
    assert cost > 0


def second(decision, *, lots, proceeds):
    """What the second layer would trade for so many of the decision's first condor, with no other hedge."""
    found = proposed(decision, lots=lots, proceeds=proceeds)
    return next(one.trade for one in found if one.layer.name == "vix-second")


def proposed(decision, *, lots, capital=1e6, proceeds=0.0):
    condor = next(line.terms for line in decision.target.core.lines if line.kind is Kind.CONDOR)
    return layer_proposals(
        decision.snapshot,
        decision.view,
        decision.book,
        decision.policy,
        decision.judgement,
        condors=[(condor, lots)],
        capital=capital,
        proceeds=proceeds,
    )


def stress(decision, kind, shock=None):
    """USD lost by one kind of line, contract by contract; without a shock two deviations down in one session."""
    first, total = shock or stress_grid(decision.view).take([0]), 0.0
    for line in decision.target.core.lines:
        if line.kind is kind:
            condor = kind is Kind.CONDOR
            legs = (line.terms.condor.legs, line.terms.condor.quantities) if condor else ((line.terms.option,), (1,))
            for option, quantity in zip(*legs, strict=True):
                now, then = (unit_values(option, decision.view, at)[0] for at in (Scenarios.now(), first))
                total += line.wanted * quantity * float(now - then)
    return total
